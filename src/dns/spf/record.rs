//! An SPF record as a tree (RFC 7208 4.5, 4.6.1, 5, 6, 12).

use std::{
    fmt,
    net::{Ipv4Addr, Ipv6Addr},
};

use super::macros::{MacroString, Place};

/// What a match means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Qualifier {
    /// `+`, or nothing.
    Pass,
    /// `-`.
    Fail,
    /// `~`.
    SoftFail,
    /// `?`.
    Neutral,
}

/// The lengths of the networks of `a` and `mx`, in bits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DualCidr {
    /// For IPv4, 0 to 32.
    pub v4: u8,
    /// For IPv6, 0 to 128.
    pub v6: u8,
}

/// What is compared with the sender.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mechanism {
    /// Everybody.
    All,
    /// Whom another domain lets in.
    Include(MacroString),
    /// The addresses of a host; without a name, of the domain itself.
    A(Option<MacroString>, DualCidr),
    /// The addresses of the mail servers of a domain.
    Mx(Option<MacroString>, DualCidr),
    /// Whoever's address has a name below a domain.
    Ptr(Option<MacroString>),
    /// An IPv4 network.
    Ip4(Ipv4Addr, u8),
    /// An IPv6 network.
    Ip6(Ipv6Addr, u8),
    /// Whoever makes a name exist.
    Exists(MacroString),
}

impl Mechanism {
    /// Whether it costs one of the ten lookups (RFC 7208 4.6.4).
    #[must_use]
    pub fn costs(&self) -> bool {
        !matches!(self, Self::All | Self::Ip4(..) | Self::Ip6(..))
    }
}

/// A mechanism and what its match means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Directive {
    /// As it was written.
    pub text: String,
    /// What a match means.
    pub qualifier: Qualifier,
    /// What is compared.
    pub mechanism: Mechanism,
}

/// A record without mistakes.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Record {
    /// The mechanisms in their order.
    pub directives: Vec<Directive>,
    /// Where the answer is when none of them matches.
    pub redirect: Option<MacroString>,
    /// Where the explanation of a failure is.
    pub explanation: Option<MacroString>,
}

/// A term that makes the record useless.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub struct SyntaxError {
    /// The term as it was written.
    pub term: String,
    /// What is wrong with it.
    pub reason: String,
}

impl fmt::Display for SyntaxError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}`: {}", self.term, self.reason)
    }
}

/// Whether a text is an SPF record: exactly `v=spf1` in any case, then a space or the end (RFC 7208 4.5).
#[must_use]
pub fn is_record(text: &str) -> bool {
    text.split(' ').next().is_some_and(|v| v.eq_ignore_ascii_case("v=spf1"))
}

/// Reads a record that [`is_record`] has recognised.
///
/// # Errors
/// Every term that is wrong: for receivers one is enough (4.6), for its author all count.
pub fn parse(text: &str) -> Result<Record, Vec<SyntaxError>> {
    let mut record = Record::default();
    let mut wrong = Vec::new();
    for term in text.split(' ').skip(1).filter(|t| !t.is_empty()) {
        if let Err(reason) = record.add(term) {
            wrong.push(SyntaxError { term: term.to_owned(), reason });
        }
    }
    if wrong.is_empty() { Ok(record) } else { Err(wrong) }
}

impl Record {
    fn add(&mut self, term: &str) -> Result<(), String> {
        if !term.chars().all(|c| c.is_ascii_graphic()) {
            return Err("only ASCII is allowed".to_owned());
        }
        if has_octet(term) {
            return Err("a control character or an octet outside of ASCII".to_owned());
        }
        let end = term.find(['=', ':', '/']).unwrap_or(term.len());
        let (name, rest) = term.split_at(end);
        let Some(value) = rest.strip_prefix('=') else {
            self.directives.push(directive(term)?);
            return Ok(());
        };
        let mut letters = name.chars();
        let named = letters.next().is_some_and(|c| c.is_ascii_alphabetic())
            && letters.all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'));
        if !named {
            return Err(format!("`{name}` is no name of a modifier"));
        }
        let slot = match name.to_ascii_lowercase().as_str() {
            "redirect" => &mut self.redirect,
            "exp" => &mut self.explanation,
            _ => return MacroString::parse(value, Place::Value).map(drop),
        };
        if slot.replace(MacroString::parse(value, Place::Domain)?).is_some() {
            return Err(format!("`{name}=` may stand only once"));
        }
        Ok(())
    }

    /// Whether everybody is judged by this record itself: `redirect` has no effect then (RFC 7208 6.1).
    #[must_use]
    pub fn has_all(&self) -> bool {
        self.directives.iter().any(|d| d.mechanism == Mechanism::All)
    }
}

/// Whether a text holds an octet that is shown as `\ddd` because it is no printable text.
fn has_octet(term: &str) -> bool {
    term.split('\\').skip(1).any(|rest| {
        let number =
            rest.get(..3).filter(|d| d.bytes().all(|b| b.is_ascii_digit())).and_then(|d| d.parse::<u16>().ok());
        number.is_some_and(|n| n < 32 || (127..256).contains(&n))
    })
}

fn directive(term: &str) -> Result<Directive, String> {
    let (qualifier, bare) = match term.chars().next() {
        Some('+') => (Qualifier::Pass, 1),
        Some('-') => (Qualifier::Fail, 1),
        Some('~') => (Qualifier::SoftFail, 1),
        Some('?') => (Qualifier::Neutral, 1),
        _ => (Qualifier::Pass, 0),
    };
    let bare = term.get(bare..).unwrap_or_default();
    let end = bare.find([':', '/']).unwrap_or(bare.len());
    let (name, rest) = bare.split_at(end);
    let target = |rest: &str| match rest.strip_prefix(':') {
        Some(domain) => MacroString::parse(domain, Place::Domain).map(Some),
        None if rest.is_empty() => Ok(None),
        None => Err(format!("`{rest}` is not allowed here")),
    };
    let required = |rest: &str| target(rest)?.ok_or_else(|| "the domain name is missing".to_owned());
    let mechanism = match name.to_ascii_lowercase().as_str() {
        "all" if rest.is_empty() => Mechanism::All,
        "all" => return Err("`all` takes no value".to_owned()),
        "include" => Mechanism::Include(required(rest)?),
        "exists" => Mechanism::Exists(required(rest)?),
        "ptr" => Mechanism::Ptr(target(rest)?),
        "a" => {
            let (rest, cidr) = dual_cidr(rest)?;
            Mechanism::A(target(rest)?, cidr)
        }
        "mx" => {
            let (rest, cidr) = dual_cidr(rest)?;
            Mechanism::Mx(target(rest)?, cidr)
        }
        "ip4" => {
            let (address, bits) = network(rest, 32)?;
            Mechanism::Ip4(address.parse().map_err(|_| format!("`{address}` is no IPv4 address"))?, bits)
        }
        "ip6" => {
            let (address, bits) = network(rest, 128)?;
            Mechanism::Ip6(address.parse().map_err(|_| format!("`{address}` is no IPv6 address"))?, bits)
        }
        "redirect" | "exp" => return Err(format!("`{name}` is written with `=`")),
        _ => return Err(format!("`{name}` is no mechanism")),
    };
    Ok(Directive { text: term.to_owned(), qualifier, mechanism })
}

/// Takes `/24`, `//64` or `/24//64` off the end.
fn dual_cidr(text: &str) -> Result<(&str, DualCidr), String> {
    let digits = |s: &str| !s.is_empty() && s.bytes().all(|b| b.is_ascii_digit());
    let (text, v6) = match text.rsplit_once("//") {
        Some((before, bits)) if digits(bits) => (before, length(bits, 128)?),
        _ => (text, 128),
    };
    let (text, v4) = match text.rsplit_once('/') {
        Some((before, bits)) if digits(bits) => (before, length(bits, 32)?),
        _ => (text, 32),
    };
    Ok((text, DualCidr { v4, v6 }))
}

fn network(rest: &str, longest: u8) -> Result<(&str, u8), String> {
    let value = rest.strip_prefix(':').ok_or_else(|| "the address is missing".to_owned())?;
    match value.split_once('/') {
        Some((address, bits)) => Ok((address, length(bits, longest)?)),
        None => Ok((value, longest)),
    }
}

/// The length of a network in bits, written without leading zeros.
fn length(digits: &str, longest: u8) -> Result<u8, String> {
    let plain = digits == "0" || (!digits.starts_with('0') && digits.bytes().all(|b| b.is_ascii_digit()));
    let bits = digits.parse::<u8>().ok().filter(|bits| plain && *bits <= longest);
    bits.ok_or_else(|| format!("`/{digits}` is no length of a network"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn mechanism(term: &str) -> Option<Mechanism> {
        let record = parse(&format!("v=spf1 {term}")).ok()?;
        record.directives.into_iter().next().map(|d| d.mechanism)
    }

    #[test]
    fn records_are_told_from_their_lookalikes() {
        assert!(["v=spf1", "V=SPF1 -all", "v=spf1  -all"].into_iter().all(is_record));
        assert!(
            !["v=spf10 -all", " v=spf1 -all", "\"v=spf1 -all\"", "v=spf1-all", "v=spf1;"].into_iter().any(is_record)
        );
    }

    #[test]
    fn every_mechanism_has_its_own_grammar() {
        let cidr = |v4, v6| DualCidr { v4, v6 };
        let domain = |text: &str| Some(MacroString::parse(text, Place::Domain).unwrap());
        assert_eq!(mechanism("-ALL"), Some(Mechanism::All));
        assert_eq!(mechanism("a"), Some(Mechanism::A(None, cidr(32, 128))));
        assert_eq!(mechanism("A/24//64"), Some(Mechanism::A(None, cidr(24, 64))));
        assert_eq!(mechanism("mx:x.org//0"), Some(Mechanism::Mx(domain("x.org"), cidr(32, 0))));
        assert_eq!(mechanism("a:f:b/z.org/0"), Some(Mechanism::A(domain("f:b/z.org"), cidr(0, 128))));
        assert_eq!(mechanism("a:%{d}/8"), Some(Mechanism::A(domain("%{d}"), cidr(8, 128))));
        assert_eq!(mechanism("ip4:192.0.2.0/24"), Some(Mechanism::Ip4(Ipv4Addr::new(192, 0, 2, 0), 24)));
        assert_eq!(mechanism("ip6:2001:db8::/32").map(|m| m.costs()), Some(false));
        for wrong in [
            "all.",
            "all:x.org",
            "a/",
            "a//",
            "a/33",
            "a/024",
            "a//129",
            "a:",
            "a:/24",
            "mx:x",
            "ptr/24",
            "ptr:",
            "include",
            "include:",
            "exists",
            "ip4",
            "ip4:",
            "ip4:1.2.3",
            "ip4:1.2.3.4/",
            "ip4:1.2.3.4/33",
            "ip4:1.2.3.4//32",
            "ip4:01.2.3.4",
            "ip6:1.2.3.4",
            "ip6:::1/129",
            "redirect:x.org",
            "moo",
            "-",
            "exp=",
            "redirect=",
            "redirect=x.org redirect=y.org",
            "a.b/c=d",
            "x=%",
            "+redirect=x.org",
            "a:x.org\\013",
        ] {
            assert!(parse(&format!("v=spf1 {wrong} ip4:192.0.2.1")).is_err(), "{wrong}");
        }
        assert!(parse("v=spf1 moo.cow-far_out=man:dog/cat a  exp=%{d} -all ").is_ok());
    }

    #[test]
    fn every_mistake_is_told_at_once() {
        let wrong = parse("v=spf1 inlcude:x.org ip4:300.1.1.1 -all").unwrap_err();
        let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
        assert_eq!(
            told,
            ["`inlcude:x.org`: `inlcude` is no mechanism", "`ip4:300.1.1.1`: `300.1.1.1` is no IPv4 address"]
        );
    }
}
