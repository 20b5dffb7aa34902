//! The test message of a move: to the new mail servers, and out of the mailbox on the new platform.

use std::{collections::BTreeMap, net::SocketAddr};

use async_trait::async_trait;

use super::{context::Context, cutover, mail::connector};
use crate::{
    apply::{Begin, MailError, Post, Posted},
    dns::Servers,
    imap::{Fetched, ImapError, ImapErrorKind, Listed, UidRange},
    journal::{FolderMark, JournalError},
    model::{CutoverWork, Domain, Inventory, ProbeWork, SpecialUse},
    observe,
    provider::ErrorClass,
    smtp::{Courier, Handed, Host, Letter, Protection},
    spec::Spec,
};

/// The most octets that a test message can have once servers have put their lines on top of it.
const LARGEST: u64 = 256 * 1024;
/// The header field that holds the token.
const FIELD: &str = "X-Rehome-Probe";

/// Sends test messages and looks for them.
pub(super) struct Postman<'a> {
    context: &'a Context,
    spec: &'a Spec,
    inventory: &'a Inventory,
    servers: Vec<SocketAddr>,
}

impl<'a> Postman<'a> {
    pub(super) fn new(
        context: &'a Context,
        spec: &'a Spec,
        inventory: &'a Inventory,
        servers: Vec<SocketAddr>,
    ) -> Self {
        Self { context, spec, inventory, servers }
    }

    /// The new mail servers by preference, with their addresses.
    async fn hosts(&self, work: &CutoverWork) -> Result<Vec<Host>, String> {
        let servers = observe::dns_servers(self.spec, &work.switch.domain, &self.servers);
        let world = Servers::of_others(&observe::resolvers(self.spec, &work.switch.domain), &servers)?;
        let mut hosts = Vec::new();
        let mut last = "the new MX names no server".to_owned();
        for name in work.switch.mail_hosts() {
            match cutover::addresses(name, &world, self.context.ports().smtp).await {
                Ok(addresses) => hosts.push(Host { name: name.to_owned(), addresses }),
                Err(why) => last = why,
            }
        }
        if hosts.is_empty() { Err(last) } else { Ok(hosts) }
    }
}

#[async_trait]
impl Post for Postman<'_> {
    async fn marks(&self, probe: &ProbeWork) -> Result<BTreeMap<String, FolderMark>, MailError> {
        let mut reader = connector(self.context, self.spec, self.inventory, &probe.mailbox)?
            .connect()
            .await
            .map_err(|e| failed(probe, e))?;
        let listed = reader.list().await.map_err(|e| failed(probe, e))?;
        reader.logout().await;
        let marks = listed.into_iter().filter(may_receive).filter_map(|folder| {
            let status = folder.status?;
            let mark = FolderMark { uid_validity: status.uid_validity, uid_next: status.uid_next };
            Some((folder.wire_name, mark))
        });
        Ok(marks.collect())
    }

    async fn knock(&self, work: &CutoverWork) -> Posted {
        let Some(probe) = &work.probe else { return Posted::Unknown("no test message is wanted".to_owned()) };
        match self.hosts(work).await {
            Err(why) => Posted::Unknown(why),
            Ok(hosts) => posted(Courier::default().knock(&hosts, probe.from.as_ref(), &probe.mailbox.address).await),
        }
    }

    async fn hand_over(&self, work: &CutoverWork, token: &str, begin: &mut Begin<'_>) -> Result<Posted, JournalError> {
        let Some(probe) = &work.probe else { return Ok(Posted::Unknown("no test message is wanted".to_owned())) };
        let hosts = match self.hosts(work).await {
            Ok(hosts) => hosts,
            Err(why) => return Ok(Posted::Unknown(why)),
        };
        let bytes = message(probe, &work.switch.domain, token);
        let letter = Letter { from: probe.from.clone(), to: probe.mailbox.address.clone(), bytes };
        Courier::default().hand_over(&hosts, &letter, begin).await.map(posted)
    }

    async fn arrived(
        &self,
        probe: &ProbeWork,
        marks: &BTreeMap<String, FolderMark>,
        token: &str,
    ) -> Result<Option<String>, MailError> {
        let fail = |e| failed(probe, e);
        let connector = connector(self.context, self.spec, self.inventory, &probe.mailbox)?;
        let mut reader = connector.connect().await.map_err(fail)?;
        let mut found = None;
        for folder in reader.list().await.map_err(fail)?.into_iter().filter(may_receive) {
            let Some(status) = folder.status else { continue };
            // A folder that was made anew, or was not there before, holds nothing that is older than the message.
            let known = marks.get(&folder.wire_name).filter(|m| m.uid_validity == status.uid_validity);
            let first = known.map_or(1, |m| m.uid_next.max(1));
            if status.messages == 0 || (status.uid_next != 0 && status.uid_next <= first) {
                continue;
            }
            reader.examine(&folder.name).await.map_err(fail)?;
            let metas = reader.fetch_meta(UidRange::from(first)).await.map_err(fail)?;
            let small = |size: Option<u64>| size.is_none_or(|size| size <= LARGEST);
            // `n:*` always names the last message, also an older one.
            let uids: Vec<u32> = metas.iter().filter(|m| m.uid >= first && small(m.size)).map(|m| m.uid).collect();
            let mut bodies = reader.fetch_bodies(&uids).map_err(fail)?;
            while let Some(fetched) = bodies.next().await.map_err(fail)? {
                if let Fetched::Message(message) = fetched
                    && message.body.bytes().is_some_and(|b| holds(b, token))
                {
                    found = Some(folder.wire_name.clone());
                }
            }
            if found.is_some() {
                break;
            }
        }
        reader.logout().await;
        Ok(found)
    }
}

/// The inbox, and what takes the mail that a platform does not trust.
fn may_receive(folder: &Listed) -> bool {
    let last = folder.wire_name.rsplit(['/', '.']).next().unwrap_or_default().to_ascii_lowercase();
    let junk = ["junk", "junk email", "junk e-mail", "spam", "bulk mail"].contains(&last.as_str());
    folder.selectable
        && (folder.wire_name.eq_ignore_ascii_case("INBOX") || folder.special_use == Some(SpecialUse::Junk) || junk)
}

fn holds(octets: &[u8], token: &str) -> bool {
    octets.windows(token.len()).any(|window| window == token.as_bytes())
}

/// A few lines that say what they are. The sender's domain in the header is one that nobody can have a policy for
/// (RFC 6761 6.4), unless the spec names a sender.
fn message(probe: &ProbeWork, domain: &Domain, token: &str) -> Vec<u8> {
    let from = probe.from.as_ref().map_or_else(|| "test@rehome.invalid".to_owned(), ToString::to_string);
    let now = jiff::Zoned::now().strftime("%a, %d %b %Y %H:%M:%S %z");
    let lines = [
        format!("From: rehome <{from}>"),
        format!("To: <{}>", probe.mailbox.address),
        "Subject: test message of a move of mail servers".to_owned(),
        format!("Date: {now}"),
        format!("Message-ID: <{token}@rehome.invalid>"),
        format!("{FIELD}: {token}"),
        "Auto-Submitted: auto-generated".to_owned(),
        "MIME-Version: 1.0".to_owned(),
        "Content-Type: text/plain; charset=us-ascii".to_owned(),
        String::new(),
        format!("rehome has sent this through the new mail servers of {domain}"),
        "to see that mail arrives. It can be deleted.".to_owned(),
        String::new(),
    ];
    lines.join("\r\n").into_bytes()
}

fn posted(handed: Handed) -> Posted {
    match handed {
        Handed::Accepted { reply, protection, .. } => {
            let way = match protection {
                Protection::Trusted => "over TLS".to_owned(),
                Protection::Encrypted(problem) => format!("over TLS, though {problem}"),
                Protection::Absent => "without TLS, which it does not offer".to_owned(),
                Protection::Failed(why) => format!("without TLS, which failed: {why}"),
            };
            Posted::Taken { words: format!("{reply}; {way}") }
        }
        Handed::Refused { host, reply } => Posted::Refused(format!("{host} refuses it: {reply}")),
        Handed::Deferred { host, reply } => Posted::Later(format!("{host} asks to come again: {reply}")),
        Handed::Barred { host, reply } => Posted::Unknown(format!("{host} does not deal with this machine: {reply}")),
        Handed::Unreachable(why) => Posted::Unknown(format!("the new mail servers cannot be reached from here: {why}")),
        Handed::Unclear { host, reason } => {
            Posted::Unclear(format!("the connection to {host} broke in the middle: {reason}"))
        }
    }
}

fn failed(probe: &ProbeWork, error: ImapError) -> MailError {
    let denied = matches!(error.kind, ImapErrorKind::Auth { .. });
    MailError {
        context: format!("looking into {} on {}", probe.mailbox.address, probe.mailbox.platform),
        class: if denied { ErrorClass::Denied } else { ErrorClass::Unreachable },
        help: None,
        source: Some(Box::new(error)),
    }
}
