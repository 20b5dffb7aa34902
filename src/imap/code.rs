//! Response codes: the machine-readable part of a server's status lines (RFC 9051 7.1, RFC 5530, RFC 4315, RFC 9738).

use std::fmt;

use super::{error::words, uid::UidRange};

/// Where copied or moved messages went (RFC 4315 3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CopyUid {
    /// UIDVALIDITY of the mailbox they are in now.
    pub uid_validity: u32,
    /// The UIDs they had, as ranges.
    pub from: Vec<UidRange>,
    /// The UIDs they have, as ranges.
    pub to: Vec<UidRange>,
}

/// A response code.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Code {
    /// The text must be shown to a person.
    Alert,
    /// The mailbox to be created exists.
    AlreadyExists,
    /// Where appended messages went (RFC 4315 3). `uids` is as sent; expand it with [`UidRange`].
    AppendUid {
        /// UIDVALIDITY of the mailbox.
        uid_validity: u32,
        /// The UIDs as ranges, in the order of the messages.
        uids: Vec<UidRange>,
    },
    /// Name or password are wrong.
    AuthenticationFailed,
    /// The authorisation identity may not be used.
    AuthorizationFailed,
    /// The operation can never succeed.
    Cannot,
    /// The capabilities.
    Capability(Vec<String>),
    /// The mailbox that was open is closed; what follows belongs to the next one (RFC 7162 3.2.11).
    Closed,
    /// The credentials have expired.
    Expired,
    /// Some of the messages are gone (RFC 5530).
    ExpungeIssued,
    /// Where copied or moved messages went (RFC 4315 3): the n-th of `from` is the n-th of `to`.
    CopyUid(Box<CopyUid>),
    /// HIGHESTMODSEQ (RFC 7162).
    HighestModSeq(u64),
    /// The mailbox is in use.
    InUse,
    /// A limit of the server was reached: connections, messages, names.
    Limit,
    /// Only so many messages were processed, the lowest or highest of them being this UID (RFC 9738).
    MessageLimit {
        /// How many messages a command may touch.
        limit: u32,
        /// The last UID that was processed.
        uid: Option<u32>,
    },
    /// The mailbox does not exist.
    NonExistent,
    /// No rights.
    NoPerm,
    /// The mailbox keeps no modification sequences.
    NoModSeq,
    /// The mailbox is full. Gmail also says it when bandwidth is used up.
    OverQuota,
    /// The flags that can be stored.
    PermanentFlags(Vec<String>),
    /// TLS is required.
    PrivacyRequired,
    /// The mailbox was opened for reading.
    ReadOnly,
    /// The mailbox was opened for writing.
    ReadWrite,
    /// A fault of the server.
    ServerBug,
    /// The message is too large (RFC 7889, RFC 4469).
    TooBig,
    /// The target does not exist and may be created.
    TryCreate,
    /// UIDNEXT.
    UidNext(u32),
    /// UIDs do not last.
    UidNotSticky,
    /// UIDVALIDITY.
    UidValidity(u32),
    /// A subsystem is down for a while.
    Unavailable,
    /// Any other, as sent.
    Other(String),
}

impl Code {
    /// Reads what stands between the brackets.
    #[must_use]
    pub(super) fn parse(inside: &[u8]) -> Self {
        let split = inside.iter().position(|b| *b == b' ').unwrap_or(inside.len());
        let (name, rest) = inside.split_at(split);
        let args = std::str::from_utf8(rest).unwrap_or_default().trim();
        let name = String::from_utf8_lossy(name).to_ascii_uppercase();
        Self::known(&name, args).unwrap_or_else(|| Self::Other(words(inside)))
    }

    fn known(name: &str, args: &str) -> Option<Self> {
        Some(match name {
            "ALERT" => Self::Alert,
            "ALREADYEXISTS" => Self::AlreadyExists,
            "APPENDUID" => {
                let (validity, set) = args.split_once(' ')?;
                Self::AppendUid { uid_validity: validity.parse().ok()?, uids: UidRange::parse_set(set.trim())? }
            }
            "AUTHENTICATIONFAILED" => Self::AuthenticationFailed,
            "AUTHORIZATIONFAILED" => Self::AuthorizationFailed,
            "CANNOT" => Self::Cannot,
            "CAPABILITY" => Self::Capability(args.split_ascii_whitespace().map(str::to_ascii_uppercase).collect()),
            "CLOSED" => Self::Closed,
            "EXPIRED" => Self::Expired,
            "COPYUID" => {
                let mut words = args.split_ascii_whitespace();
                let uid_validity = words.next()?.parse().ok()?;
                let mut set = || words.next().and_then(UidRange::parse_set);
                Self::CopyUid(Box::new(CopyUid { uid_validity, from: set()?, to: set()? }))
            }
            "EXPUNGEISSUED" => Self::ExpungeIssued,
            "HIGHESTMODSEQ" => Self::HighestModSeq(args.parse().ok()?),
            "INUSE" => Self::InUse,
            "LIMIT" => Self::Limit,
            "MESSAGELIMIT" => {
                let mut numbers = args.split_ascii_whitespace();
                let limit = numbers.next()?.parse().ok()?;
                Self::MessageLimit { limit, uid: numbers.next().map(str::parse).transpose().ok()? }
            }
            "NONEXISTENT" => Self::NonExistent,
            "NOPERM" => Self::NoPerm,
            "NOMODSEQ" => Self::NoModSeq,
            "OVERQUOTA" => Self::OverQuota,
            "PERMANENTFLAGS" => {
                let inner = args.strip_prefix('(')?.strip_suffix(')')?;
                Self::PermanentFlags(inner.split_ascii_whitespace().map(str::to_owned).collect())
            }
            "PRIVACYREQUIRED" => Self::PrivacyRequired,
            "READ-ONLY" => Self::ReadOnly,
            "READ-WRITE" => Self::ReadWrite,
            "SERVERBUG" => Self::ServerBug,
            "TOOBIG" => Self::TooBig,
            "TRYCREATE" => Self::TryCreate,
            "UIDNEXT" => Self::UidNext(args.parse().ok()?),
            "UIDNOTSTICKY" => Self::UidNotSticky,
            "UIDVALIDITY" => Self::UidValidity(args.parse().ok()?),
            "UNAVAILABLE" => Self::Unavailable,
            _ => return None,
        })
    }

    /// Whether the same command may succeed later.
    #[must_use]
    pub fn is_transient(&self) -> bool {
        matches!(self, Self::InUse | Self::Limit | Self::Unavailable | Self::ServerBug)
    }

    /// The word of the protocol.
    #[must_use]
    pub fn name(&self) -> &str {
        match self {
            Self::Alert => "ALERT",
            Self::AlreadyExists => "ALREADYEXISTS",
            Self::AppendUid { .. } => "APPENDUID",
            Self::AuthenticationFailed => "AUTHENTICATIONFAILED",
            Self::AuthorizationFailed => "AUTHORIZATIONFAILED",
            Self::Cannot => "CANNOT",
            Self::Capability(_) => "CAPABILITY",
            Self::Closed => "CLOSED",
            Self::Expired => "EXPIRED",
            Self::CopyUid(_) => "COPYUID",
            Self::ExpungeIssued => "EXPUNGEISSUED",
            Self::HighestModSeq(_) => "HIGHESTMODSEQ",
            Self::InUse => "INUSE",
            Self::Limit => "LIMIT",
            Self::MessageLimit { .. } => "MESSAGELIMIT",
            Self::NonExistent => "NONEXISTENT",
            Self::NoPerm => "NOPERM",
            Self::NoModSeq => "NOMODSEQ",
            Self::OverQuota => "OVERQUOTA",
            Self::PermanentFlags(_) => "PERMANENTFLAGS",
            Self::PrivacyRequired => "PRIVACYREQUIRED",
            Self::ReadOnly => "READ-ONLY",
            Self::ReadWrite => "READ-WRITE",
            Self::ServerBug => "SERVERBUG",
            Self::TooBig => "TOOBIG",
            Self::TryCreate => "TRYCREATE",
            Self::UidNext(_) => "UIDNEXT",
            Self::UidNotSticky => "UIDNOTSTICKY",
            Self::UidValidity(_) => "UIDVALIDITY",
            Self::Unavailable => "UNAVAILABLE",
            Self::Other(text) => text,
        }
    }
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Splits `[CODE args] text`. The closing bracket is the first one outside parentheses, because flag names of the field
/// contain brackets; when parentheses do not close, it is the first one.
#[must_use]
pub(super) fn split(line: &[u8]) -> (Option<Code>, &[u8]) {
    let Some(inner) = line.strip_prefix(b"[") else { return (None, line) };
    let mut depth = 0_i32;
    let balanced = inner.iter().position(|b| {
        match b {
            b'(' => depth += 1,
            b')' => depth -= 1,
            _ => {}
        }
        *b == b']' && depth <= 0
    });
    let Some(end) = balanced.or_else(|| inner.iter().position(|b| *b == b']')) else { return (None, line) };
    let (code, rest) = inner.split_at(end);
    let text = rest.strip_prefix(b"]").unwrap_or(rest);
    (Some(Code::parse(code)), text.trim_ascii_start())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code(line: &str) -> Option<Code> {
        split(line.as_bytes()).0
    }

    #[test]
    fn codes_of_the_field_are_read() {
        assert_eq!(
            code("[APPENDUID 38505 3955:3957,3960] done"),
            Some(Code::AppendUid {
                uid_validity: 38505,
                uids: vec![UidRange::new(3955, 3957), UidRange::new(3960, 3960)]
            })
        );
        assert_eq!(code("[trycreate] x"), Some(Code::TryCreate));
        assert_eq!(code("[HIGHESTMODSEQ 18446744073709551615]"), Some(Code::HighestModSeq(u64::MAX)));
        assert_eq!(code("[MESSAGELIMIT 1000 23221] x"), Some(Code::MessageLimit { limit: 1000, uid: Some(23221) }));
        assert_eq!(
            code(r"[PERMANENTFLAGS (\Seen a]b \*)] Limited"),
            Some(Code::PermanentFlags(vec![r"\Seen".into(), "a]b".into(), r"\*".into()]))
        );
    }

    #[test]
    fn a_malformed_code_is_kept_as_text_and_never_believed() {
        assert_eq!(code("[APPENDUID x 1] ok"), Some(Code::Other("APPENDUID x 1".into())));
        assert_eq!(code("[UIDVALIDITY 4294967296] ok"), Some(Code::Other("UIDVALIDITY 4294967296".into())));
        assert_eq!(code("[PARSE ( open] text"), Some(Code::Other("PARSE ( open".into())));
        assert_eq!(code("[never closed"), None);
        assert_eq!(split(b"[ALERT] Too many  connections ").1, b"Too many  connections ");
    }
}
