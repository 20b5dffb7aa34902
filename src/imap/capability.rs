//! What a server says it can do.

use std::{collections::BTreeSet, fmt};

/// The capabilities of a server after login, upper case (RFC 9051 7.2.2).
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Capabilities(BTreeSet<String>);

impl fmt::Debug for Capabilities {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_set().entries(&self.0).finish()
    }
}

impl Capabilities {
    pub(super) fn new(words: impl IntoIterator<Item = String>) -> Self {
        Self(words.into_iter().map(|w| w.to_ascii_uppercase()).collect())
    }

    /// Those of a server, for tests of decisions.
    #[cfg(test)]
    pub(crate) fn of(words: &[&str]) -> Self {
        Self::new(words.iter().map(|w| (*w).to_owned()))
    }

    /// Every capability.
    #[must_use]
    pub fn as_set(&self) -> &BTreeSet<String> {
        &self.0
    }

    /// Whether a capability is there, in any case.
    #[must_use]
    pub fn has(&self, name: &str) -> bool {
        self.0.contains(&name.to_ascii_uppercase())
    }

    /// Messages can be moved without an EXPUNGE (RFC 6851).
    #[must_use]
    pub fn moves(&self) -> bool {
        self.0.contains("MOVE") || self.rev2()
    }

    /// A folder can be left without expunging anything in it (RFC 3691).
    #[must_use]
    pub fn unselect(&self) -> bool {
        self.0.contains("UNSELECT") || self.rev2()
    }

    /// Rights on folders can be asked for and given (RFC 4314).
    #[must_use]
    pub fn acl(&self) -> bool {
        self.0.contains("ACL")
    }

    /// The rights that RFC 4314 brought, as far as the server knows them; `None` for one that knows only those of RFC 2086.
    #[must_use]
    pub fn rights(&self) -> Option<String> {
        self.0.iter().find_map(|c| c.strip_prefix("RIGHTS=")).map(str::to_ascii_lowercase)
    }

    /// IMAP4rev2 includes many former extensions (RFC 9051 appendix E).
    fn rev2(&self) -> bool {
        self.0.contains("IMAP4REV2")
    }

    /// Literals of any length may be sent without waiting (RFC 7888).
    #[must_use]
    pub fn literal_plus(&self) -> bool {
        self.0.contains("LITERAL+")
    }

    /// Literals up to 4,096 octets may be sent without waiting (RFC 7888).
    #[must_use]
    pub fn literal_minus(&self) -> bool {
        self.literal_plus() || self.rev2() || self.0.contains("LITERAL-")
    }

    /// One APPEND may carry many messages (RFC 3502).
    #[must_use]
    pub fn multiappend(&self) -> bool {
        self.0.contains("MULTIAPPEND")
    }

    /// Gmail's extensions: labels among them.
    #[must_use]
    pub fn gmail(&self) -> bool {
        self.0.contains("X-GM-EXT-1")
    }

    /// APPEND takes octets of zero (RFC 3516).
    #[must_use]
    pub fn binary(&self) -> bool {
        self.rev2() || self.0.contains("BINARY")
    }

    /// APPEND tells the new UIDs (RFC 4315).
    #[must_use]
    pub fn uidplus(&self) -> bool {
        self.rev2() || self.0.contains("UIDPLUS")
    }

    /// Messages carry modification sequences (RFC 7162).
    #[must_use]
    pub fn condstore(&self) -> bool {
        self.0.contains("CONDSTORE") || self.qresync()
    }

    /// A mailbox can be resynchronised in one command (RFC 7162).
    #[must_use]
    pub fn qresync(&self) -> bool {
        self.0.contains("QRESYNC")
    }

    /// Extensions can be turned on (RFC 5161).
    #[must_use]
    pub fn enable(&self) -> bool {
        self.rev2() || self.0.contains("ENABLE")
    }

    /// The largest message the server takes, in octets (RFC 7889). `None` when it does not say, or says that it depends
    /// on the mailbox.
    #[must_use]
    pub fn append_limit(&self) -> Option<u64> {
        self.0.iter().find_map(|w| w.strip_prefix("APPENDLIMIT=")?.parse().ok())
    }

    /// LIST tells the purpose of mailboxes (RFC 6154).
    #[must_use]
    pub fn special_use(&self) -> bool {
        self.rev2() || self.0.contains("SPECIAL-USE")
    }

    /// LIST takes options (RFC 5258).
    #[must_use]
    pub fn list_extended(&self) -> bool {
        self.rev2() || self.0.contains("LIST-EXTENDED")
    }

    /// LIST can return STATUS (RFC 5819).
    #[must_use]
    pub fn list_status(&self) -> bool {
        self.rev2() || self.0.contains("LIST-STATUS")
    }

    /// STATUS can return SIZE (RFC 8438).
    #[must_use]
    pub fn status_size(&self) -> bool {
        self.rev2() || self.0.contains("STATUS=SIZE")
    }

    /// The server tells its name spaces (RFC 2342).
    #[must_use]
    pub fn namespace(&self) -> bool {
        self.rev2() || self.0.contains("NAMESPACE")
    }

    /// The server tells quotas (RFC 9208).
    #[must_use]
    pub fn quota(&self) -> bool {
        self.0.contains("QUOTA") || self.0.iter().any(|w| w.starts_with("QUOTA=RES-"))
    }

    /// The stream can be compressed (RFC 4978).
    #[must_use]
    pub fn compress(&self) -> bool {
        self.0.contains("COMPRESS=DEFLATE")
    }

    /// Server and client can name themselves (RFC 2971).
    #[must_use]
    pub fn id(&self) -> bool {
        self.0.contains("ID")
    }

    /// LOGIN must not be used (RFC 9051 6.2.3).
    #[must_use]
    pub fn login_disabled(&self) -> bool {
        self.0.contains("LOGINDISABLED")
    }

    /// AUTHENTICATE PLAIN is offered (RFC 4616).
    #[must_use]
    pub fn auth_plain(&self) -> bool {
        self.auth("PLAIN")
    }

    /// AUTHENTICATE with this mechanism is offered; the name in upper case.
    #[must_use]
    pub fn auth(&self, mechanism: &str) -> bool {
        self.0.contains(&format!("AUTH={mechanism}"))
    }

    /// AUTHENTICATE takes its first answer at once (RFC 4959).
    #[must_use]
    pub fn sasl_ir(&self) -> bool {
        self.rev2() || self.0.contains("SASL-IR")
    }

    /// STARTTLS is offered.
    #[must_use]
    pub fn starttls(&self) -> bool {
        self.0.contains("STARTTLS")
    }

    /// The largest literal that may be sent without waiting; `None` for no such literal at all.
    #[must_use]
    pub fn unwaited_literal(&self) -> Option<u64> {
        if self.literal_plus() {
            Some(u64::MAX)
        } else if self.literal_minus() {
            Some(4096)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_compared_without_case_and_odd_ones_do_no_harm() {
        let c = Capabilities::new(["imap4rev1", "AppendLimit=35651584", "LITERAL-", "x\\y"].map(str::to_owned));
        assert!(c.has("IMAP4REV1") && c.has("x\\Y"));
        assert_eq!(c.append_limit(), Some(35_651_584));
        assert_eq!(c.unwaited_literal(), Some(4096));
        assert!(!c.literal_plus() && !c.uidplus());
    }

    #[test]
    fn rev2_brings_its_extensions() {
        let c = Capabilities::new(["IMAP4rev2".to_owned()]);
        assert!(c.uidplus() && c.list_status() && c.special_use() && c.status_size() && c.literal_minus());
        assert!(!c.literal_plus() && !c.multiappend() && !c.condstore());
    }
}
