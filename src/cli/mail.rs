//! Opens mailboxes for the executor and hands them to the copy engine.

use std::{collections::BTreeMap, sync::Arc};

use async_trait::async_trait;

use super::{context::Context, interrupt::Interrupt, screen::Screen};
use crate::{
    apply::{Mail, MailError, MailVerification},
    copy::{self, CopyError, CopyErrorClass, CopyRequest, Network, VerifyRequest},
    diag,
    imap::{Connector, Credential, ImapError, ImapErrorKind, TokenSource},
    journal::{Journal, ledger::Ledger},
    model::{AccessMethod, Address, CopyReport, FolderPath, FolderStatus, Inventory, MailWork, MailboxRef, Verified},
    observe,
    provider::ErrorClass,
    spec::{Spec, secrets},
};

/// What a copy is asked for with, which decides what its messages advise.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Asked {
    /// With a spec.
    Spec,
    /// With the flags of `rehome copy`.
    Flags,
}

impl Asked {
    /// What makes another pass.
    fn again(self) -> &'static str {
        match self {
            Self::Spec => "run `rehome plan` and `rehome apply`",
            Self::Flags => "run the copy again",
        }
    }

    /// What goes on with a run that stopped.
    fn onwards(self) -> &'static str {
        match self {
            Self::Spec => "`rehome resume`",
            Self::Flags => "the same command",
        }
    }
}

/// Copies and compares mailboxes of the platforms of one spec.
pub(super) struct Mailman<'a> {
    asked: Asked,
    context: &'a Context,
    spec: &'a Spec,
    inventory: &'a Inventory,
    journal: &'a Journal,
    ledger: Ledger,
    network: Network,
    screen: Arc<Screen>,
    interrupt: Interrupt,
    resources: copy::Resources,
}

impl<'a> Mailman<'a> {
    /// Puts the parts together.
    pub(super) fn new(
        context: &'a Context,
        spec: &'a Spec,
        inventory: &'a Inventory,
        journal: &'a Journal,
        screen: &Arc<Screen>,
        interrupt: &Interrupt,
        asked: Asked,
    ) -> Self {
        Self {
            asked,
            context,
            spec,
            inventory,
            journal,
            ledger: Ledger::new(journal.db()),
            network: Network::default(),
            screen: Arc::clone(screen),
            interrupt: interrupt.clone(),
            resources: copy::Resources::default(),
        }
    }

    /// The record of what is copied.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// What a person can change while it works.
    pub(super) fn dials(&self) -> &copy::Dials {
        &self.network.dials
    }

    fn connector(&self, mailbox: &MailboxRef) -> Result<Connector, MailError> {
        connector(self.context, self.spec, self.inventory, mailbox)
    }
}

/// The way into one mailbox of a platform of the spec.
pub(super) fn connector(
    context: &Context,
    spec: &Spec,
    inventory: &Inventory,
    mailbox: &MailboxRef,
) -> Result<Connector, MailError> {
    let refused = |context: String, class, help: Option<String>| MailError { context, class, help, source: None };
    let platform = &mailbox.platform;
    let endpoint = inventory.platforms.get(platform).and_then(|p| p.service.imap.clone()).ok_or_else(|| {
        refused(
            format!("{platform} does not tell where its mailboxes are"),
            ErrorClass::Unsupported,
            Some(format!("set platforms.{platform}.imap, or {}", super::runner::imap_variable(platform))),
        )
    })?;
    let reference = secrets::of_mailbox(&mailbox.access, &mailbox.address);
    let secret = context.env.secret(&reference, &spec.base).map_err(|e| {
        let what = if matches!(*mailbox.access, AccessMethod::Token { .. }) { "token" } else { "password" };
        refused(
            format!("the {what} of {} on {platform}: {}", mailbox.address, diag::chain(&e).join(": ")),
            ErrorClass::Denied,
            Some("see docs/passwords.md".to_owned()),
        )
    })?;
    let mut connector = observe::connector(&endpoint, &mailbox.access, &mailbox.address, secret, context.allow_plain());
    connector.parking = context.parking.clone();
    connector.limits = spec.platforms.get(platform).map(|p| p.limits).unwrap_or_default();
    if matches!(connector.login.credential, Credential::Token(_)) {
        // A copy may take longer than a token lives: each login reads it anew.
        let (env, base) = (context.env.clone(), spec.base.clone());
        let read = move || env.secret(&reference, &base).map_err(|e| diag::chain(&e).join(": "));
        connector.login.credential = Credential::Token(TokenSource::new(read));
    }
    Ok(connector)
}

#[async_trait]
impl Mail for Mailman<'_> {
    async fn copy(&self, work: &MailWork) -> Result<CopyReport, MailError> {
        copy::copy_mailbox(CopyRequest {
            account: &work.account,
            source: self.connector(&work.source)?,
            target: self.connector(&work.target)?,
            source_id: (work.source.platform.clone(), work.source.address.clone()),
            filter: &work.filter,
            acl: work.acl,
            ledger: &self.ledger,
            events: self.screen.as_ref(),
            resources: self.resources.clone(),
            cancel: self.interrupt.gentle.clone(),
            network: &self.network,
            settle: self.context.settle(),
        })
        .await
        .map_err(|e| copy_failed("copying", work, self.asked, e))
    }

    async fn verify(&self, work: &MailWork) -> Result<MailVerification, MailError> {
        let found = copy::verify_mailbox(VerifyRequest {
            account: &work.account,
            source: self.connector(&work.source)?,
            target: self.connector(&work.target)?,
            source_id: (work.source.platform.clone(), work.source.address.clone()),
            filter: &work.filter,
            ledger: &self.ledger,
            events: self.screen.as_ref(),
            cancel: self.interrupt.gentle.clone(),
            again: self.asked.again(),
        })
        .await
        .map_err(|e| copy_failed("comparing", work, self.asked, e))?;
        let verified =
            found.ok.then(|| Verified { at: jiff::Timestamp::now(), messages: found.messages, seen: found.seen });
        Ok(MailVerification { verified, findings: found.findings })
    }

    async fn source_now(&self, account: &Address) -> Result<BTreeMap<FolderPath, FolderStatus>, MailError> {
        let mut source = observe::source_of(self.spec, self.inventory, account).ok_or_else(|| MailError {
            context: format!("nobody knows where the mail of {account} comes from"),
            class: ErrorClass::NotFound,
            help: None,
            source: None,
        })?;
        // The inventory is from before the run, which may have renamed the source since; the journal knows its name.
        let known = self.journal.mailbox(account).map_err(|e| MailError {
            context: format!("finding out where the mail of {account} was copied from"),
            class: ErrorClass::Refused,
            help: e.help(),
            source: Some(Box::new(e)),
        })?;
        if let Some((platform, address)) = known.and_then(|mailbox| mailbox.source)
            && platform == source.platform
        {
            source.address = address;
        }
        let failed = |e: ImapError| MailError {
            context: format!("looking into {} on {}", source.address, source.platform),
            class: if matches!(e.kind, ImapErrorKind::Auth { .. }) {
                ErrorClass::Denied
            } else {
                ErrorClass::Unreachable
            },
            help: None,
            source: Some(Box::new(e)),
        };
        let mut reader = self.connector(&source)?.connect().await.map_err(failed)?;
        let listed = reader.list().await.map_err(failed)?;
        reader.logout().await;
        Ok(listed.into_iter().filter_map(|f| Some((f.path, f.status?))).collect())
    }
}

fn copy_failed(verb: &str, work: &MailWork, asked: Asked, error: CopyError) -> MailError {
    let onwards = asked.onwards();
    let (class, help) = match error.class() {
        CopyErrorClass::Unreachable | CopyErrorClass::Changed => {
            (ErrorClass::Unreachable, Some(format!("{onwards} goes on where it stopped")))
        }
        CopyErrorClass::Denied => (ErrorClass::Denied, Some("check the password; see docs/passwords.md".to_owned())),
        CopyErrorClass::Full => (ErrorClass::Refused, Some(format!("make room in the target; then {onwards} goes on"))),
        CopyErrorClass::Fenced => (ErrorClass::Conflict, Some("see `rehome status`".to_owned())),
        CopyErrorClass::Later => (ErrorClass::Throttled, Some(format!("{onwards} goes on then; nothing is wrong"))),
        CopyErrorClass::Interrupted | CopyErrorClass::Failed => (ErrorClass::Refused, None),
    };
    MailError {
        context: format!(
            "{verb} {} ({}) to {} ({})",
            work.source.address, work.source.platform, work.target.address, work.target.platform
        ),
        class,
        help,
        source: Some(Box::new(error)),
    }
}
