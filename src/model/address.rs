//! Domains and mail addresses, compared the way mail platforms compare them.

use std::{borrow::Cow, cmp::Ordering, fmt, hash::BuildHasher as _, str::FromStr, sync::Arc};

use foldhash::fast::FixedState;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, Serializer};
use thiserror::Error;

use super::{Text, text};

/// A DNS domain, stored as lower-case A-labels without the final dot (RFC 5890 2.3.2.1).
///
/// [`Display`](fmt::Display) gives the A-labels, which is what APIs and DNS want; [`Domain::unicode`] gives what people
/// read.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Domain(Text);

/// Why a text is not a domain or an address.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum AddressError {
    /// The domain part is not a valid name (UTS 46, RFC 1035 2.3.4).
    #[error("`{0}` is not a valid domain name")]
    Domain(String),
    /// There is no `@`, or nothing before it.
    #[error("`{0}` is not a mail address: it needs the form local@domain")]
    NoAt(String),
    /// The local part has characters no platform takes unquoted (RFC 5321 4.1.2 dot-string).
    #[error("`{0}` is not a usable local part: use letters, digits and . _ - + and no dot at an end")]
    Local(String),
    /// The local part is longer than 64 octets (RFC 5321 4.5.3.1.1).
    #[error("the local part of `{0}` has more than 64 octets")]
    Long(String),
}

impl Domain {
    /// Reads a domain in A-labels or U-labels, in any case, with or without the final dot.
    ///
    /// # Errors
    /// [`AddressError::Domain`] when it is no domain name of at least two labels.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let bad = || AddressError::Domain(text.to_owned());
        let trimmed = text.strip_suffix('.').unwrap_or(text);
        let ascii = idna::domain_to_ascii_cow(trimmed.as_bytes(), idna::AsciiDenyList::URL).map_err(|_| bad())?;
        let valid_label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && !label.starts_with('-')
                && !label.ends_with('-')
                && label.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-')
        };
        let labels = ascii.split('.').count();
        if labels < 2 || ascii.len() > 253 || !ascii.split('.').all(valid_label) {
            return Err(bad());
        }
        let upper = ascii.bytes().any(|b| b.is_ascii_uppercase());
        Ok(Self(if upper { ascii.to_ascii_lowercase().into() } else { Text::from(&*ascii) }))
    }

    /// The A-labels, lower case, no final dot.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The U-labels, for people.
    #[must_use]
    pub fn unicode(&self) -> Cow<'_, str> {
        // Most names have no A-label, and this is said once per row of every report.
        if self.0.contains("xn--") { idna::domain_to_unicode(&self.0).0.into() } else { self.as_str().into() }
    }

    /// For people who have to find the name in DNS too: `b\u{fc}cher.example (xn--bcher-kva.example)`.
    #[must_use]
    pub fn both(&self) -> String {
        let unicode = self.unicode();
        if unicode == *self.0 { unicode.into_owned() } else { format!("{unicode} ({})", self.0) }
    }

    /// Whether `self` is `other` or lies below it.
    #[must_use]
    pub fn is_within(&self, other: &Self) -> bool {
        self.0 == other.0 || self.0.strip_suffix(other.as_str()).is_some_and(|head| head.ends_with('.'))
    }
}

impl fmt::Display for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for Domain {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl FromStr for Domain {
    type Err = AddressError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::parse(s)
    }
}

impl TryFrom<String> for Domain {
    type Error = AddressError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        Self::parse(&s)
    }
}

impl From<Domain> for String {
    fn from(d: Domain) -> Self {
        d.0.into()
    }
}

/// A mail address. The local part keeps its case for display and is compared without it, as every supported platform
/// does.
// A clone is the same address once more, not a copy of its text: plans and inventories hold each many times.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct Address(Arc<Parts>);

struct Parts {
    /// `local@domain`, the local part as it was written.
    shown: Text,
    /// The same with the local part as it is compared, where that differs.
    key: Option<Text>,
    /// How long the local part is; both spellings of it have that many octets.
    at: usize,
    domain: Domain,
    /// Of the form that is compared, so that two addresses hardly ever have to be read to be told apart.
    hash: u64,
}

impl Address {
    /// Reads `local@domain`.
    ///
    /// # Errors
    /// [`AddressError`] names the part that is wrong.
    pub fn parse(text: &str) -> Result<Self, AddressError> {
        let (local, domain) = text.rsplit_once('@').ok_or_else(|| AddressError::NoAt(text.to_owned()))?;
        if local.is_empty() {
            return Err(AddressError::NoAt(text.to_owned()));
        }
        Self::new(local, Domain::parse(domain)?)
    }

    /// Joins a local part and a domain.
    ///
    /// # Errors
    /// [`AddressError::Local`] or [`AddressError::Long`].
    pub fn new(local: &str, domain: Domain) -> Result<Self, AddressError> {
        if local.len() > 64 {
            return Err(AddressError::Long(format!("{local}@{domain}")));
        }
        let atext = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-/=?^_`{|}~.".contains(c);
        let dots = local.starts_with('.') || local.ends_with('.') || local.contains("..");
        if local.is_empty() || dots || !local.chars().all(atext) {
            return Err(AddressError::Local(local.to_owned()));
        }
        Ok(Self::joined(local, domain))
    }

    fn joined(local: &str, domain: Domain) -> Self {
        let shown = text!("{local}@{domain}");
        let upper = local.bytes().any(|b| b.is_ascii_uppercase());
        // The domain is in lower case already.
        let key = upper.then(|| Text::from(shown.to_ascii_lowercase()));
        let hash = FixedState::default().hash_one(key.as_ref().unwrap_or(&shown));
        Self(Arc::new(Parts { shown, key, at: local.len(), domain, hash }))
    }

    /// The same address with a domain that others hold too. An address of another domain stays as it is.
    #[must_use]
    pub fn sharing(&self, domain: &Domain) -> Self {
        if *domain == self.0.domain { Self::joined(self.local(), domain.clone()) } else { self.clone() }
    }

    /// The part before the `@`, in the case it was written.
    #[must_use]
    pub fn local(&self) -> &str {
        self.0.shown.get(..self.0.at).unwrap_or_default()
    }

    /// The part behind the `@`.
    #[must_use]
    pub fn domain(&self) -> &Domain {
        &self.0.domain
    }

    /// The form used as an identity: lower case, A-labels.
    #[must_use]
    pub fn key(&self) -> String {
        self.identity().to_string()
    }

    /// [`key`](Self::key), as text that the address holds already.
    #[must_use]
    pub fn identity(&self) -> &Text {
        self.0.key.as_ref().unwrap_or(&self.0.shown)
    }

    /// The form as it was written: case kept, A-labels.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0.shown
    }

    /// The form for people: case kept, U-labels.
    #[must_use]
    pub fn unicode(&self) -> Cow<'_, str> {
        // Most names have no A-label, and this is said once per row of every report.
        if self.domain().as_str().contains("xn--") {
            format!("{}@{}", self.local(), self.domain().unicode()).into()
        } else {
            self.as_str().into()
        }
    }

    /// The local part as it is compared: without upper case.
    #[must_use]
    pub fn folded(&self) -> &str {
        self.identity().get(..self.0.at).unwrap_or_default()
    }
}

impl PartialEq for Address {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || (self.0.hash == other.0.hash && self.identity() == other.identity())
    }
}

impl Eq for Address {}

impl PartialOrd for Address {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Address {
    fn cmp(&self, other: &Self) -> Ordering {
        if Arc::ptr_eq(&self.0, &other.0) {
            return Ordering::Equal;
        }
        self.0.domain.cmp(&other.0.domain).then_with(|| self.folded().cmp(other.folded()))
    }
}

impl std::hash::Hash for Address {
    fn hash<H: std::hash::Hasher>(&self, state: &mut H) {
        state.write_u64(self.0.hash);
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.shown)
    }
}

impl fmt::Debug for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Address {
    fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.serialize_str(&self.0.shown)
    }
}

impl FromStr for Address {
    type Err = AddressError;
    fn from_str(s: &str) -> Result<Self, Self::Err> {
        Self::parse(s)
    }
}

impl TryFrom<String> for Address {
    type Error = AddressError;
    fn try_from(s: String) -> Result<Self, Self::Error> {
        Self::parse(&s)
    }
}

impl From<Address> for String {
    fn from(a: Address) -> Self {
        a.as_str().to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn domains_compare_as_a_labels_and_show_as_u_labels() {
        let d = Domain::parse("Bücher.Example.").unwrap();
        assert_eq!(d.as_str(), "xn--bcher-kva.example");
        assert_eq!(d, Domain::parse("xn--bcher-kva.example").unwrap());
        assert_eq!(d.unicode(), "bücher.example");
    }

    #[test]
    fn local_parts_compare_without_case_and_show_with_it() {
        let a = Address::parse("John.Smith@Example.org").unwrap();
        assert_eq!(a, Address::parse("john.smith@example.org").unwrap());
        assert_eq!(a.to_string(), "John.Smith@example.org");
        assert_eq!(a.key(), "john.smith@example.org");
    }

    #[test]
    fn nonsense_is_refused_with_the_part_that_is_wrong() {
        for bad in ["", "@", "a@", "@b.c", "a@b", "a b@c.d", ".a@c.d", "a..b@c.d", "é@c.d", "a@-b.c", "a@b..c"] {
            assert!(Address::parse(bad).is_err(), "{bad}");
        }
        assert!(matches!(Address::parse(&format!("{}@b.c", "x".repeat(65))), Err(AddressError::Long(_))));
    }

    #[test]
    fn a_shared_domain_changes_nothing_of_an_address() {
        let a = Address::parse("John@x.org").unwrap();
        let shared = a.sharing(&Domain::parse("X.org").unwrap());
        assert_eq!((a.to_string(), a.key(), a.local()), (shared.to_string(), shared.key(), shared.local()));
        assert_eq!(a.sharing(&Domain::parse("y.org").unwrap()).to_string(), "John@x.org");
    }

    #[test]
    fn within_looks_at_whole_labels() {
        let d = |s| Domain::parse(s).unwrap();
        assert!(d("a.b.org").is_within(&d("b.org")));
        assert!(!d("ab.org").is_within(&d("b.org")));
    }
}
