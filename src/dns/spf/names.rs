//! Domain names as SPF uses them: texts that macros brought together and that may not be names at all.

use std::net::{IpAddr, Ipv6Addr};

/// The longest name in presentation form (RFC 7208 7.3).
const LONGEST: usize = 253;

/// A name without its final dot and in lower case.
pub(super) fn bare(name: &str) -> String {
    name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase()
}

/// Whether a question can be asked about a name at all.
pub(super) fn can_be_asked(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    bare.len() <= LONGEST && bare.split('.').all(|label| (1..=63).contains(&label.len()))
}

/// Whether `check_host()` begins at all: a well-formed name of several labels (RFC 7208 4.3).
pub(super) fn is_mail_domain(name: &str) -> bool {
    let bare = name.strip_suffix('.').unwrap_or(name);
    let lettered = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_');
    can_be_asked(name) && bare.contains('.') && bare.split('.').all(|label| label.chars().all(lettered))
}

/// Labels are taken from the left until the name fits (RFC 7208 7.3).
pub(super) fn cut(mut name: &str) -> &str {
    while name.strip_suffix('.').unwrap_or(name).len() > LONGEST {
        let Some((_, rest)) = name.split_once('.') else { break };
        name = rest;
    }
    name
}

/// Whether a name is another one or lies below it.
pub(super) fn is_within(name: &str, top: &str) -> bool {
    let (name, top) = (bare(name), bare(top));
    name == top || name.strip_suffix(&top).is_some_and(|rest| rest.ends_with('.'))
}

/// The name under which an address has its PTR record (RFC 1035 3.5, RFC 3596 2.5).
pub(in crate::dns) fn reverse(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(v4) => {
            let [a, b, c, d] = v4.octets();
            format!("{d}.{c}.{b}.{a}.in-addr.arpa")
        }
        IpAddr::V6(v6) => {
            let mut nibbles: Vec<String> = nibbles(v6).collect();
            nibbles.reverse();
            format!("{}.ip6.arpa", nibbles.join(".").to_ascii_lowercase())
        }
    }
}

/// The hexadecimal digits of an address, in upper case.
pub(super) fn nibbles(v6: Ipv6Addr) -> impl Iterator<Item = String> {
    v6.octets().into_iter().flat_map(|octet| [octet >> 4, octet & 15]).map(|nibble| format!("{nibble:X}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_judged_by_their_labels() {
        assert!(is_mail_domain("example.org") && is_mail_domain("a_b.Example.org."));
        for none in ["org", "", ".", "a..b", "[192.0.2.1]", "ex ample.org", &format!("{}.org", "a".repeat(64))] {
            assert!(!is_mail_domain(none), "{none}");
        }
        assert!(is_within("Mail.Example.org", "example.org.") && !is_within("badexample.org", "example.org"));
        let long = format!("{}example.org", "abcdefghi.".repeat(25));
        assert_eq!(cut(&long).len(), 251);
        assert_eq!(reverse("192.0.2.1".parse().unwrap()), "1.2.0.192.in-addr.arpa");
        assert!(reverse("2001:db8::1".parse().unwrap()).starts_with("1.0.0.0."));
    }
}
