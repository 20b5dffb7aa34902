//! `rehome copy`: one mailbox to another. A plan of one account like any other, made from flags instead of YAML.

use std::{
    collections::BTreeMap,
    path::{Path, PathBuf},
};

use super::plan::{make, print};
use crate::{
    cli::{
        args::{ApplyArgs, CopyArgs, Format, FromArgs, LookArgs, MARKDOWN_LIMIT},
        context::Context,
        ending, endpoint,
        failure::Failure,
        mail::Asked,
        runner::{self, Job},
    },
    diag::Exit,
    imap::{Connector, Parking},
    journal::Journal,
    model::{
        Address, Digest, Domain, Gates, ImapEndpoint, ImapSecurity, MailLimits, PlatformId, PlatformKind, Profile,
        SecretRef, State,
    },
    observe,
    plan::Plan,
    spec::{
        AccountSpec, AdminAccess, DnsSpec, DomainSpec, MailSpec, MigrateSpec, PlatformSpec, Presence, SourceFate, Spec,
        Strategy, VerifyLevel,
    },
};

/// One side, as typed.
pub(super) struct Side {
    pub(super) user: String,
    pub(super) endpoint: ImapEndpoint,
    way: Way,
}

/// What opens it.
pub(super) enum Way {
    Password(SecretRef),
    Token(SecretRef),
}

/// Plans the copy, and makes it unless it is a dry run.
pub(super) async fn run(context: Context, args: CopyArgs) -> Result<Exit, Failure> {
    // The platforms of a copy by hand change nothing but mail: each session stays with its mailbox.
    let context = &Context { parking: Some(Parking::default()), insecure: args.insecure, ..context };
    let from_way = Way::typed("--from-", args.from_password.as_deref(), args.from_token.as_deref())?;
    let to_way = Way::typed("--to-", args.to_password.as_deref(), args.to_token.as_deref())?;
    let from = side(context, "--from", &args.from, from_way, args.insecure)?;
    let to = side(context, "--to", &args.to, to_way, args.insecure)?;
    if from.endpoint == to.endpoint && from.user == to.user {
        return Err(Failure::new(Exit::Invalid, "source and target are the same mailbox"));
    }
    let workspace = args.state.clone().unwrap_or_else(|| default_state(&from, &to));
    let spec = spec(&from, &to, &args)?;
    let platforms = context.providers(&spec)?;
    let readers = platforms.iter().map(|(id, p)| (id.clone(), std::sync::Arc::clone(p) as _)).collect();
    let look = LookArgs { no_logins: false, no_dns: true };
    // The journal is read while the servers think about the logins.
    let (inventory, known) = tokio::join!(context.observe(&spec, &readers, &look), async { known(&workspace) });
    let (inventory, (state, begun)) = (inventory?, known?);
    let resume = begun.is_some() && !args.dry_run;
    let plan = match begun {
        Some(plan) if resume => plan,
        _ => make(Path::new(""), &spec, &inventory, &state),
    };
    // Whoever copies one mailbox by hand has not said that its domain moves.
    let mut shown = plan.clone();
    shown.body.notes.retain(|n| n.code != "mx-cutover");
    if context.global.format == Format::Human || args.dry_run {
        print(context, &shown, None, MARKDOWN_LIMIT)?;
    }
    if args.dry_run || plan.is_empty() {
        return Ok(if plan.is_empty() { runner::exit_of_nothing(&shown) } else { Exit::Ok });
    }
    let apply = ApplyArgs { parallel: 1, ..ApplyArgs::default() };
    let job = Job::new(context, (&spec, &plan), &inventory, &platforms, workspace, &apply);
    ending::tell(context, Job { resume, asked: Asked::Flags, ..job }.run().await?)
}

/// What the journal knows, and the plan whose run has not ended.
fn known(workspace: &Path) -> Result<(State, Option<Plan>), Failure> {
    let Some(journal) = Journal::open_read_only(workspace)? else { return Ok((State::default(), None)) };
    let open = journal.open_run()?.map(|run| runner::saved_plan(&journal, &run.id)).transpose()?;
    Ok((looking_again(journal.state()?), open))
}

/// The state without what nobody can tell of without looking: whoever copies by hand wants changed flags carried over, and
/// a source without HIGHESTMODSEQ (RFC 7162) shows none in its status. A pass reads the flags then, and no message.
fn looking_again(mut state: State) -> State {
    for mailbox in state.mailboxes.values_mut() {
        mailbox.copied.retain(|_, status| status.tells_flags());
    }
    state
}

/// The way into one mailbox that flags name.
pub(super) fn way_in(context: &Context, from: &FromArgs) -> Result<Option<Connector>, Failure> {
    let Some(url) = &from.from else { return Ok(None) };
    let way = match (&from.from_token, &from.from_password) {
        (Some(token), _) => Way::Token(secret_ref("--from", "token", token)?),
        (None, password) => Way::Password(secret_ref("--from", "password", password.as_deref().unwrap_or_default())?),
    };
    let side = side(context, "--from", url, way, from.insecure)?;
    let (Way::Password(reference) | Way::Token(reference)) = &side.way;
    let secret = context
        .env
        .secret(reference, Path::new("."))
        .map_err(|e| Failure::caused(Exit::Denied, "the mailbox cannot be opened", &e))?;
    let access = match platform(&side).admin {
        Some(admin) => admin.method(),
        None => return Ok(None),
    };
    let plain = context.allow_plain() || from.insecure;
    Ok(Some(observe::connector(&side.endpoint, &access, &address(&side)?, secret, plain)))
}

pub(super) fn side(context: &Context, flag: &str, url: &str, way: Way, insecure: bool) -> Result<Side, Failure> {
    let invalid = |text: String| Failure::new(Exit::Invalid, format!("{flag}: {text}"));
    let (user, endpoint) = endpoint::parse_with_user(url).map_err(invalid)?;
    let user = user.ok_or_else(|| invalid(format!("`{url}` names no user: imaps://USER@HOST")))?;
    let local = matches!(endpoint.host.as_str(), "localhost" | "::1") || endpoint.host.starts_with("127.");
    if endpoint.security == ImapSecurity::Plain && !local && !insecure && !context.allow_plain() {
        return Err(invalid(format!("{} would get the {} without TLS", endpoint.host, way.word()))
            .help("use imaps:// or imap+starttls://; --insecure if the network is yours"));
    }
    if let Way::Password(SecretRef::Env(name)) | Way::Token(SecretRef::Env(name)) = &way
        && context.env.get(name).is_none()
    {
        let flag = if flag == "--at" { "-".to_owned() } else { flag.to_owned() };
        let problem = format!("{flag}-{}: the environment variable `{name}` is not set, or empty", way.word());
        return Err(Failure::new(Exit::Denied, problem));
    }
    Ok(Side { user, endpoint, way })
}

impl Side {
    /// How it is logged into.
    pub(super) fn access(&self) -> AdminAccess {
        let user = self.user.clone();
        match &self.way {
            Way::Password(password) => AdminAccess::Named { user, password: password.clone() },
            Way::Token(token) => AdminAccess::Token { user: Some(user), token: token.clone() },
        }
    }
}

impl Way {
    /// Reads what was typed; `flags` is what the flags' names begin with.
    pub(super) fn typed(flags: &str, password: Option<&str>, token: Option<&str>) -> Result<Self, Failure> {
        match (password, token) {
            (_, Some(token)) => secret_ref(flags, "token", token).map(Self::Token),
            (password, None) => secret_ref(flags, "password", password.unwrap_or_default()).map(Self::Password),
        }
    }

    fn word(&self) -> &'static str {
        match self {
            Self::Password(_) => "password",
            Self::Token(_) => "token",
        }
    }
}

/// Reads `env:NAME`, `file:PATH`, `command:PROGRAM`. Anything else is taken for a password, and refused without being
/// repeated.
fn secret_ref(flags: &str, what: &str, text: &str) -> Result<SecretRef, Failure> {
    match text.split_once(':') {
        Some(("env", name)) if !name.is_empty() => Ok(SecretRef::Env(name.to_owned())),
        Some(("file", path)) if !path.is_empty() => Ok(SecretRef::File(PathBuf::from(path))),
        Some(("command", words)) if !words.trim().is_empty() => {
            Ok(SecretRef::Command(words.split_whitespace().map(str::to_owned).collect()))
        }
        _ => Err(Failure::new(Exit::Invalid, format!("{flags}{what} is no reference to a {what}")).help(format!(
            "a {what} on a command line is seen by everybody: use env:NAME, file:PATH or command:PROGRAM"
        ))),
    }
}

fn default_state(from: &Side, to: &Side) -> PathBuf {
    let names = format!("{}@{} {}@{}", from.user, from.endpoint, to.user, to.endpoint);
    let digest = Digest::of(names.as_bytes()).hex();
    Path::new(".rehome").join(format!("copy-{}", digest.get(..12).unwrap_or(&digest)))
}

/// The address by which the journal knows a mailbox: its login, made an address where it is none.
pub(super) fn address(side: &Side) -> Result<Address, Failure> {
    if let Ok(address) = Address::parse(&side.user) {
        return Ok(address);
    }
    let local: String =
        side.user.chars().map(|c| if c.is_ascii_alphanumeric() || "-_+".contains(c) { c } else { '-' }).collect();
    let host = Domain::parse(&side.endpoint.host)
        .or_else(|_| Domain::parse("localhost.invalid"))
        .map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    Address::new(&local, host).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))
}

fn spec(from: &Side, to: &Side, args: &CopyArgs) -> Result<Spec, Failure> {
    let (source, target) = (address(from)?, address(to)?);
    let (from_id, to_id) = (PlatformId::from("source"), PlatformId::from("target"));
    let platforms = BTreeMap::from([(from_id.clone(), platform(from)), (to_id.clone(), platform(to))]);
    let migrate = MigrateSpec {
        from: from_id,
        strategy: Strategy::Parallel,
        provisional: "{local}01".to_owned(),
        provisional_domain: None,
        source: SourceFate::Keep,
    };
    let domain = DomainSpec {
        platform: to_id,
        state: Presence::Present,
        kind: None,
        mx_relay: None,
        migrate: Some(migrate),
        dns: DnsSpec::default(),
        footer: None,
    };
    let account = AccountSpec {
        state: Presence::Present,
        profile: Profile::default(),
        password: None,
        mail: MailSpec {
            skip: false,
            source_password: None,
            source_address: Some(source),
            filter: args.filter.read()?,
            acl: args.acl.into(),
            verify: if args.verify { VerifyLevel::Bytes } else { VerifyLevel::Counts },
        },
        aliases: None,
        delegates: None,
        slot: None,
        offer: None,
        protect: false,
    };
    let mut spec = Spec {
        digest: String::new(),
        base: PathBuf::from("."),
        platforms,
        domains: BTreeMap::from([(target.domain().clone(), domain)]),
        accounts: BTreeMap::from([(target, account)]),
        redirections: BTreeMap::new(),
        groups: BTreeMap::new(),
        contacts: BTreeMap::new(),
        gates: Gates::default(),
        hooks: BTreeMap::new(),
    };
    let body = serde_json::to_vec(&spec)
        .map_err(|e| Failure::caused(Exit::Failed, "cannot write the copy down as a spec", &e))?;
    spec.digest = Digest::of(&body).hex();
    Ok(spec)
}

fn platform(side: &Side) -> PlatformSpec {
    PlatformSpec {
        kind: PlatformKind::Imap,
        service: None,
        organization: None,
        endpoint: None,
        imap: Some(side.endpoint.clone()),
        credentials: BTreeMap::new(),
        admin: Some(side.access()),
        requests_per_minute: None,
        limits: MailLimits::default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_in_clear_is_refused_and_not_repeated() {
        let failure = secret_ref("--from-", "password", "hunter2").unwrap_err();
        assert!(!format!("{failure:?}").contains("hunter2"));
        assert!(secret_ref("--from-", "token", "env:").is_err());
        assert_eq!(
            secret_ref("--from-", "password", "command:pass show x").unwrap(),
            SecretRef::Command(vec!["pass".to_owned(), "show".to_owned(), "x".to_owned()])
        );
    }
}
