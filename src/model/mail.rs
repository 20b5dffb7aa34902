//! Mail itself: folders, flags, messages and how a mailbox is opened.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{Address, PlatformId, SecretRef, Shared};

/// The path of a folder as Unicode components, without the server's delimiter: `["Projekte", "Zürich"]`.
///
/// `INBOX` in any case is the one component `INBOX` (RFC 9051 5.1).
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct FolderPath(pub Vec<String>);

impl FolderPath {
    /// The inbox.
    #[must_use]
    pub fn inbox() -> Self {
        Self(vec!["INBOX".to_owned()])
    }

    /// Whether this is the inbox.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        matches!(self.0.as_slice(), [one] if one.eq_ignore_ascii_case("INBOX"))
    }
}

impl fmt::Display for FolderPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.join("/"))
    }
}

/// The purpose of a folder (RFC 6154 2).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum SpecialUse {
    /// All messages (Gmail's "All Mail").
    All,
    /// The archive.
    Archive,
    /// Drafts.
    Drafts,
    /// Flagged messages.
    Flagged,
    /// Junk, spam.
    Junk,
    /// Sent messages.
    Sent,
    /// Trash.
    Trash,
}

/// What `STATUS` says of a folder, and what decides whether there is anything to do in it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct FolderStatus {
    /// UIDVALIDITY (RFC 9051 2.3.1.1).
    pub uid_validity: u32,
    /// UIDNEXT; 0 when the server does not tell.
    pub uid_next: u32,
    /// The number of messages.
    pub messages: u32,
    /// HIGHESTMODSEQ (RFC 7162); `None` without CONDSTORE.
    pub highest_modseq: Option<u64>,
    /// SIZE in octets (RFC 8438); `None` where the server does not tell.
    pub octets: Option<u64>,
}

impl FolderStatus {
    /// Whether a change of flags shows in it.
    #[must_use]
    pub fn tells_flags(&self) -> bool {
        self.messages == 0 || self.highest_modseq.is_some()
    }
}

/// One folder as it was listed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct FolderView {
    /// The exact name on the wire, decoded to Unicode, with the server's delimiter.
    pub wire_name: String,
    /// Its purpose, where the server says.
    pub special_use: Option<SpecialUse>,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Whether it can hold messages.
    pub selectable: bool,
    /// `None` for a folder that holds no messages, or whose status was refused.
    pub status: Option<FolderStatus>,
}

/// How a mailbox is opened over IMAP. Holds references to secrets, never secrets.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "method", rename_all = "snake_case")]
pub enum AccessMethod {
    /// The account's own password.
    Password {
        /// Where the password is.
        password: SecretRef,
    },
    /// A login name that is not the address.
    Named {
        /// The login name.
        user: String,
        /// Where its password is.
        password: SecretRef,
    },
    /// A master user: login `account<separator>master` with the master's password (Dovecot).
    Master {
        /// The master user's name.
        user: String,
        /// What stands between the account and the master user, usually `*`.
        separator: String,
        /// Where the master's password is.
        password: SecretRef,
    },
    /// SASL PLAIN as an administrator with the account as authorisation identity (RFC 4616).
    Authzid {
        /// The administrator's name.
        user: String,
        /// Where the administrator's password is.
        password: SecretRef,
    },
    /// A bearer token (OAUTHBEARER, RFC 7628, or XOAUTH2).
    Token {
        /// The login name; `None` for the account's address.
        user: Option<String>,
        /// Where the token is; `{local}`, `{address}` and `{domain}` stand for parts of the account's address.
        token: SecretRef,
    },
}

impl AccessMethod {
    /// Where the password or token is that this method sends.
    #[must_use]
    pub fn password(&self) -> &SecretRef {
        match self {
            Self::Password { password }
            | Self::Named { password, .. }
            | Self::Master { password, .. }
            | Self::Authzid { password, .. }
            | Self::Token { token: password, .. } => password,
        }
    }
}

/// What is done about the rights that others have on folders (RFC 4314).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum AclChoice {
    /// Nobody asks for them.
    #[default]
    Leave,
    /// What the source tells of them is told.
    Report,
    /// Others get at the target what they have at the source.
    Copy,
}

impl AclChoice {
    /// Whether nothing is done.
    #[must_use]
    pub fn is_leave(&self) -> bool {
        *self == Self::Leave
    }
}

/// One mailbox of one platform and the way into it.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct MailboxRef {
    /// The platform.
    pub platform: PlatformId,
    /// The account's address at the time of use.
    pub address: Address,
    /// The way in.
    pub access: Shared<AccessMethod>,
}

/// A host that serves IMAP.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct ImapEndpoint {
    /// Host name or address.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// How the connection is protected.
    #[serde(default)]
    pub security: ImapSecurity,
}

impl fmt::Display for ImapEndpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.host, self.port)
    }
}

/// How an IMAP connection is protected.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ImapSecurity {
    /// TLS from the first byte (RFC 8314).
    #[default]
    Tls,
    /// STARTTLS, required.
    Starttls,
    /// No protection; refused outside loopback unless it is asked for in so many words.
    Plain,
}

/// What was found when a mailbox was opened to look at it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LoginView {
    /// The login was accepted and the mailbox listed.
    Accepted,
    /// The server refused the login.
    Refused {
        /// The server's words.
        reason: String,
    },
    /// Nobody could try: there is no password yet, or the account does not exist yet.
    NotTried {
        /// Why.
        reason: String,
    },
    /// The server could not be reached, or broke the connection.
    Unreachable {
        /// What happened.
        reason: String,
    },
}

/// What was seen of one mailbox over IMAP.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MailboxView {
    /// How the login went.
    pub login: LoginView,
    /// The hierarchy delimiter; `None` for a flat name space.
    pub delimiter: Option<char>,
    /// The prefix of personal folders (RFC 2342), such as `INBOX.`; empty for none.
    pub prefix: String,
    /// The capabilities after login, upper case.
    pub capabilities: BTreeSet<String>,
    /// The folders by path.
    #[serde(with = "pairs")]
    pub folders: BTreeMap<FolderPath, FolderView>,
    /// Octets in use, as the server's quota or the sum of sizes tells; `None` where neither does.
    pub used_octets: Option<u64>,
    /// The largest message the server takes (APPENDLIMIT, RFC 7889), in octets.
    pub append_limit: Option<u64>,
    /// Octets that may be in use, as the server's quota tells (RFC 9208).
    #[serde(default)]
    pub quota_octets: Option<u64>,
    /// Messages that are larger than the mailbox they are to go to takes. Empty also where nobody looked.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub too_large: Vec<LargeMessage>,
}

/// A message that a target will not take for its size.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct LargeMessage {
    /// The folder.
    pub folder: FolderPath,
    /// Its UID there.
    pub uid: u32,
    /// RFC822.SIZE.
    pub octets: u64,
    /// INTERNALDATE in seconds since 1970.
    pub date: Option<i64>,
}

impl MailboxView {
    /// A mailbox of which nothing was seen.
    #[must_use]
    pub fn unseen(login: LoginView) -> Self {
        Self {
            login,
            delimiter: None,
            prefix: String::new(),
            capabilities: BTreeSet::new(),
            folders: BTreeMap::new(),
            used_octets: None,
            append_limit: None,
            quota_octets: None,
            too_large: Vec::new(),
        }
    }

    /// The sum of messages over all folders.
    #[must_use]
    pub fn messages(&self) -> u64 {
        self.folders.values().filter_map(|f| f.status).map(|s| u64::from(s.messages)).sum()
    }
}

/// What happened to the messages of one folder, or of a whole account. It balances when
/// `source = copied + present + excluded + failed + gone`.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CopyCounts {
    /// Messages seen at the source.
    pub source: u64,
    /// Copied by this or an earlier pass of rehome.
    pub copied: u64,
    /// How many of those this pass brought. Told of whole mailboxes only; older journals do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub new: Option<u64>,
    /// Found at the target and adopted.
    pub present: u64,
    /// Those among `present` that were known by header fields, date and size alone, because the target has none of their
    /// octets and the journal of the copy that brought them is lost.
    #[serde(default, skip_serializing_if = "is_zero")]
    pub weak: u64,
    /// Left out, by reason.
    pub excluded: BTreeMap<String, u64>,
    /// Failed, by reason.
    pub failed: BTreeMap<String, u64>,
    /// Deleted at the source after they were listed.
    pub gone: u64,
    /// Octets sent in this pass.
    pub octets: u64,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference over")]
fn is_zero(n: &u64) -> bool {
    *n == 0
}

impl CopyCounts {
    /// Whether every message of the source is accounted for.
    #[must_use]
    pub fn balances(&self) -> bool {
        let sum = |m: &BTreeMap<String, u64>| m.values().sum::<u64>();
        self.source == self.copied + self.present + sum(&self.excluded) + sum(&self.failed) + self.gone
    }

    /// Adds the counts of another folder.
    pub fn add(&mut self, other: &Self) {
        self.source += other.source;
        self.copied += other.copied;
        self.present += other.present;
        self.weak += other.weak;
        self.gone += other.gone;
        if let Some(new) = other.new {
            *self.new.get_or_insert(0) += new;
        }
        self.octets += other.octets;
        for (reason, n) in &other.excluded {
            *self.excluded.entry(reason.clone()).or_default() += n;
        }
        for (reason, n) in &other.failed {
            *self.failed.entry(reason.clone()).or_default() += n;
        }
    }
}

/// A message that could not be copied, and why.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct FailedMessage {
    /// The folder at the source.
    pub folder: FolderPath,
    /// UIDVALIDITY of that folder.
    pub uid_validity: u32,
    /// The message's UID there.
    pub uid: u32,
    /// A short stable word for the kind of failure, such as `too-large` or `rejected`.
    pub class: String,
    /// The server's words, or ours.
    pub reason: String,
}

/// What one pass of a copy did.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct CopyReport {
    /// Counts per source folder.
    pub folders: BTreeMap<String, CopyCounts>,
    /// The sum.
    pub total: CopyCounts,
    /// Messages that failed.
    pub failed: Vec<FailedMessage>,
    /// What a person should know: keywords a target does not keep, folders that were renamed to fit.
    pub remarks: Vec<String>,
    /// The source's folders that the filter takes, as they were when the pass began; the next pass compares against
    /// them.
    #[serde(with = "pairs")]
    pub seen: BTreeMap<FolderPath, FolderStatus>,
}

/// When a mailbox was proved equal to its source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// When.
    pub at: Timestamp,
    /// How many messages were compared.
    pub messages: u64,
    /// The source's folders when the comparison began.
    #[serde(with = "pairs")]
    pub seen: BTreeMap<FolderPath, FolderStatus>,
}

/// Maps whose keys are no strings, as a list of pairs.
pub mod pairs {
    use std::collections::BTreeMap;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    /// Writes the map as a list of pairs.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<K, V, S>(map: &BTreeMap<K, V>, serializer: S) -> Result<S::Ok, S::Error>
    where
        K: Serialize,
        V: Serialize,
        S: Serializer,
    {
        serializer.collect_seq(map)
    }

    /// Reads a list of pairs.
    ///
    /// # Errors
    /// Those of the deserializer.
    pub fn deserialize<'de, K, V, D>(deserializer: D) -> Result<BTreeMap<K, V>, D::Error>
    where
        K: Deserialize<'de> + Ord,
        V: Deserialize<'de>,
        D: Deserializer<'de>,
    {
        Ok(Vec::<(K, V)>::deserialize(deserializer)?.into_iter().collect())
    }
}
