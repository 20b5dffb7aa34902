//! The validated spec: what the YAML wants, complete and free of contradictions. The planner reads nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    path::PathBuf,
};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::model::{
    AccessMethod, AclChoice, Address, ContactView, Delegation, DnsTopic, Domain, DomainType, Footer, Gates,
    GroupSettings, HookPoint, ImapEndpoint, MailFilter, MailLimits, PasswordSource, PlatformId, PlatformKind, Policy,
    Profile, SecretRef, SlotId,
};

/// What should be.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Spec {
    /// SHA-256 over the canonical form of everything below; a saved plan remembers it.
    pub digest: String,
    /// The folder that relative paths of secrets start from.
    #[serde(skip)]
    pub base: PathBuf,
    /// The platforms by name.
    pub platforms: BTreeMap<PlatformId, PlatformSpec>,
    /// The domains.
    pub domains: BTreeMap<Domain, DomainSpec>,
    /// The accounts, `accounts_from` and `defaults` already merged in.
    pub accounts: BTreeMap<Address, AccountSpec>,
    /// The redirections.
    pub redirections: BTreeMap<Address, RedirectionSpec>,
    /// The groups.
    pub groups: BTreeMap<Address, GroupSpec>,
    /// The external contacts, each with its platform.
    pub contacts: BTreeMap<Address, ContactSpec>,
    /// What holds actions up although nothing is wrong.
    #[serde(default, skip_serializing_if = "Gates::is_empty")]
    pub gates: Gates,
    /// Programs that are told what happens, and may forbid it.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub hooks: BTreeMap<HookPoint, HookSpec>,
}

/// A program of the user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HookSpec {
    /// The program and its arguments; relative paths start at the folder of the spec.
    pub run: Vec<String>,
    /// The longest that it may take, in seconds.
    pub timeout: u64,
}

impl Spec {
    /// The platform that an address of the spec should be on.
    #[must_use]
    pub fn platform_of(&self, address: &Address) -> Option<&PlatformId> {
        self.domains.get(address.domain()).map(|d| &d.platform)
    }

    /// The domain's migration that an account takes part in: none when the account opts out.
    #[must_use]
    pub fn migration_of(&self, address: &Address) -> Option<&MigrateSpec> {
        self.accounts.get(address)?.migration(self.domains.get(address.domain())?)
    }
}

impl AccountSpec {
    /// The migration of its domain, unless the account opts out.
    pub(crate) fn migration<'d>(&self, domain: &'d DomainSpec) -> Option<&'d MigrateSpec> {
        let stays = self.state == Presence::Absent || self.mail.skip;
        domain.migrate.as_ref().filter(|_| !stays)
    }
}

/// Whether an object should exist.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Presence {
    /// It should.
    #[default]
    Present,
    /// It should not: it is deleted, behind guards.
    Absent,
}

/// One platform.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PlatformSpec {
    /// Its adapter.
    pub kind: PlatformKind,
    /// The name of the service on the platform; the domain for legacy MX Plan, the platform's id for Zimbra.
    pub service: Option<String>,
    /// Exchange: the organisation, usually equal to the service.
    pub organization: Option<String>,
    /// The API: `ovh-eu`, `ovh-ca`, `ovh-us` or an URL ending in `/1.0`.
    pub endpoint: Option<String>,
    /// Where its mailboxes are opened, when the platform's own answer is not to be used.
    pub imap: Option<ImapEndpoint>,
    /// Credentials of the control plane, by field name; `same_as` is already resolved.
    pub credentials: BTreeMap<String, SecretRef>,
    /// A way into every mailbox of the platform, where it has one.
    pub admin: Option<AdminAccess>,
    /// Requests per minute that rehome allows itself.
    pub requests_per_minute: Option<u32>,
    /// What its IMAP service allows, or is to be allowed.
    #[serde(default, skip_serializing_if = "MailLimits::is_empty")]
    pub limits: MailLimits,
}

/// A way into every mailbox of a platform without its user's password.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdminAccess {
    /// Dovecot's master user.
    Master {
        /// The master user's name.
        user: String,
        /// Between account and master user, `*` by default.
        separator: String,
        /// The master's password.
        password: SecretRef,
    },
    /// A login name that is not the address, for a platform with a single mailbox (`rehome copy`).
    Named {
        /// The login name.
        user: String,
        /// Its password.
        password: SecretRef,
    },
    /// SASL PLAIN with the account as authorisation identity.
    Authzid {
        /// The administrator's name.
        user: String,
        /// The administrator's password.
        password: SecretRef,
    },
    /// A bearer token for each mailbox.
    Token {
        /// The login name, for a platform with a single mailbox (`rehome copy`); `None` for the account's address.
        user: Option<String>,
        /// The token, read anew for each login; may hold `{local}`, `{address}` and `{domain}` of the mailbox's address.
        token: SecretRef,
    },
}

impl AdminAccess {
    /// The same as a way into one mailbox.
    #[must_use]
    pub fn method(&self) -> AccessMethod {
        match self.clone() {
            Self::Named { user, password } => AccessMethod::Named { user, password },
            Self::Master { user, separator, password } => AccessMethod::Master { user, separator, password },
            Self::Authzid { user, password } => AccessMethod::Authzid { user, password },
            Self::Token { user, token } => AccessMethod::Token { user, token },
        }
    }
}

/// One domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct DomainSpec {
    /// The platform its accounts should be on.
    pub platform: PlatformId,
    /// Whether it should be there.
    pub state: Presence,
    /// Its type there; `None` is not managed.
    pub kind: Option<DomainType>,
    /// Where unknown recipients go.
    pub mx_relay: Option<String>,
    /// Where its accounts come from.
    pub migrate: Option<MigrateSpec>,
    /// Its DNS.
    pub dns: DnsSpec,
    /// Its footer; `None` is not managed.
    pub footer: Option<FooterSpec>,
}

/// The wish for a footer.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FooterSpec {
    /// It should be this.
    Present(Footer),
    /// There should be none.
    Absent,
}

/// How the accounts of a domain move.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MigrateSpec {
    /// The platform they are on.
    pub from: PlatformId,
    /// The order of steps.
    pub strategy: Strategy,
    /// The provisional local part, with `{local}` in it: `{local}01`.
    pub provisional: String,
    /// The domain of provisional names; `None` is the domain itself.
    pub provisional_domain: Option<Domain>,
    /// What becomes of the source.
    pub source: SourceFate,
}

impl MigrateSpec {
    /// The provisional address of an account.
    ///
    /// # Errors
    /// When the result is no address, or too long.
    pub fn provisional_address(&self, address: &Address) -> Result<Address, crate::model::AddressError> {
        let local = self.provisional.replace("{local}", address.local());
        Address::new(&local, self.provisional_domain.clone().unwrap_or_else(|| address.domain().clone()))
    }
}

/// The order in which an account moves (design, section 5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Strategy {
    /// Rename the source, create the target, copy.
    Swap,
    /// Create the target under a provisional name, copy, free the address, rename into place.
    Stage,
    /// Create the target at the same address, copy, move the MX.
    Parallel,
}

impl Strategy {
    /// The word used in a spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Swap => "swap",
            Self::Stage => "stage",
            Self::Parallel => "parallel",
        }
    }
}

/// What becomes of a source account once its mail is proved to be at the target.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SourceFate {
    /// It stays under its provisional name.
    Keep,
    /// It is emptied and its slot given back.
    Reset,
}

/// The DNS of a domain.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DnsSpec {
    /// Who may write the zone; `None` is nobody.
    pub manage: Option<String>,
    /// What is checked.
    pub verify: BTreeSet<DnsTopic>,
    /// Resolvers to ask too: `address[:port]`, `tls://HOST`, `https://HOST/PATH`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub resolvers: Vec<String>,
    /// The servers to ask (`address[:port]`) instead of those that the delegation names.
    pub servers: Vec<String>,
    /// What may be written; empty without [`manage`](Self::manage).
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub records: BTreeSet<DnsTopic>,
    /// The TTL of what is written, in seconds; `None` keeps the one that is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ttl: Option<u32>,
    /// The mail servers (`preference host`) to publish instead of those that the platform names; empty for the platform's.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub mx: BTreeSet<String>,
    /// The DMARC record to publish; `None` leaves one that is there alone.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub dmarc: Option<String>,
    /// The MTA-STS policy that is, or is going to be, served; `None` takes the one that is served.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub mta_sts: Option<Policy>,
    /// Where failed encryption is reported (`mailto:`, `https:`); empty leaves what is there alone.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tls_rpt: BTreeSet<String>,
    /// How the zone is updated, with `manage: rfc2136`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub update: Option<UpdateSpec>,
    /// How the MX is moved.
    #[serde(default, skip_serializing_if = "CutoverSpec::is_usual")]
    pub cutover: CutoverSpec,
}

/// Who writes a zone: `dns.manage`.
pub const OVH_ZONE: &str = "ovh-zone";
/// Who writes a zone: `dns.manage`.
pub const RFC_2136: &str = "rfc2136";

/// Dynamic updates of a zone (RFC 2136), signed with TSIG (RFC 8945).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct UpdateSpec {
    /// The primary server, `address[:port]`.
    pub server: String,
    /// The zone; `None` for the one that the servers of the domain name.
    pub zone: Option<String>,
    /// The name of the key.
    pub key: String,
    /// `hmac-sha256`, `hmac-sha384` or `hmac-sha512`.
    pub algorithm: String,
    /// The key, in Base64.
    pub secret: SecretRef,
}

/// How the MX of a domain moves.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CutoverSpec {
    /// The TTL of the MX around the move, in seconds.
    pub ttl: u32,
    /// How long resolvers are trusted to keep a record beyond its TTL, in seconds.
    pub margin: u32,
    /// Whether a person has to say `rehome cutover approve` before the MX moves.
    pub approve: bool,
    /// Resolvers (`address[:port]`, `tls://...`, `https://...`) that must have the new MX before the move counts as seen.
    pub resolvers: Vec<String>,
    /// A test message through the new mail servers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub probe: Option<ProbeSpec>,
}

/// A test message through the new mail servers of a domain.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ProbeSpec {
    /// To whom it is sent.
    pub account: Address,
    /// How long it may take, in seconds.
    pub confirm: u32,
    /// Who sends it; `None` for the null sender.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub from: Option<Address>,
}

impl CutoverSpec {
    fn is_usual(&self) -> bool {
        *self == Self::default()
    }
}

impl Default for CutoverSpec {
    /// 300 seconds, with an hour for careless resolvers, and a person's word.
    fn default() -> Self {
        Self { ttl: 300, margin: 3600, approve: true, resolvers: Vec::new(), probe: None }
    }
}

/// One account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountSpec {
    /// Whether it should exist.
    pub state: Presence,
    /// Its fields; `None` is not managed.
    pub profile: Profile,
    /// Where the password of a new account comes from.
    pub password: Option<PasswordSource>,
    /// Its mail.
    pub mail: MailSpec,
    /// Its aliases; `None` is not managed.
    pub aliases: Option<BTreeSet<Address>>,
    /// Rights of others on it; `None` is not managed.
    pub delegates: Option<BTreeSet<Delegation>>,
    /// A slot to use, when not simply the next free one.
    pub slot: Option<SlotId>,
    /// The kind of slot to use (`STARTER`, `PRO`, ...).
    pub offer: Option<String>,
    /// It must never be reset or deleted, also after this block is gone.
    pub protect: bool,
}

/// The mail of an account.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailSpec {
    /// It does not take part in the migration of its domain.
    pub skip: bool,
    /// How the source is opened; `None` when the source platform has an administrator's way.
    pub source_password: Option<SourcePassword>,
    /// The source's address, when it is not the account's own or its provisional one.
    pub source_address: Option<Address>,
    /// What is left out.
    pub filter: MailFilter,
    /// How far a copy is proved.
    pub verify: VerifyLevel,
    /// What is done about the rights of others.
    #[serde(default, skip_serializing_if = "AclChoice::is_leave")]
    pub acl: AclChoice,
}

/// How far a copy is proved before it counts as done.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum VerifyLevel {
    /// Another client reads every message of both sides and compares octets, dates, flags and folders.
    #[default]
    Bytes,
    /// The sums of the copy balance, and the target confirmed every message. Nothing is read again, and no source is
    /// emptied on the strength of it.
    Counts,
}

/// How a copy gets the password of the source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SourcePassword {
    /// It is known.
    Given(SecretRef),
    /// It is changed on the source, once the source has its provisional name.
    Reset(PasswordSource),
}

/// One redirection.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RedirectionSpec {
    /// Whether it should exist.
    pub state: Presence,
    /// Where mail goes.
    pub to: BTreeSet<Address>,
    /// Whether a copy stays.
    pub keep_copy: bool,
    /// The platform that redirects; `None` is the domain's.
    pub via: Option<PlatformId>,
}

/// One group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct GroupSpec {
    /// Whether it should exist.
    pub state: Presence,
    /// Its fields; `None` is not managed.
    pub settings: GroupSettings,
    /// Who gets its mail; `None` is not managed.
    pub members: Option<BTreeSet<Address>>,
    /// Who manages it; `None` is not managed.
    pub managers: Option<BTreeSet<Address>>,
    /// The platform that holds it; `None` is the domain's.
    pub via: Option<PlatformId>,
}

/// One external contact.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ContactSpec {
    /// Whether it should exist.
    pub state: Presence,
    /// Its fields; `None` is not managed.
    pub fields: ContactView,
    /// The platform whose directory holds it.
    pub platform: PlatformId,
}
