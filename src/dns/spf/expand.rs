//! Macros to text (RFC 7208 7.2, 7.3).

use std::{fmt::Write as _, net::IpAddr};

use super::{
    macros::{MacroString, Part},
    names::nibbles,
};

/// What the letters of macros stand for.
#[derive(Clone, Debug)]
pub(super) struct Values<'a> {
    /// `l`: the local part of the sender.
    pub(super) local: &'a str,
    /// `o`: the domain of the sender.
    pub(super) origin: &'a str,
    /// `d`: the domain whose record is read.
    pub(super) domain: &'a str,
    /// `i`, `c` and `v`: the address of the client.
    pub(super) ip: IpAddr,
    /// `p`: the validated name of the client.
    pub(super) validated: &'a str,
    /// `h`: what the client called itself.
    pub(super) helo: &'a str,
    /// `r`: who checks.
    pub(super) receiver: &'a str,
    /// `t`: seconds since 1970.
    pub(super) time: i64,
}

impl Values<'_> {
    /// Puts the values in.
    pub(super) fn expand(&self, text: &MacroString) -> String {
        let mut out = String::new();
        for part in &text.0 {
            match part {
                Part::Literal(text) => out.push_str(text),
                Part::Macro { letter, escape, keep, reverse, delimiters } => {
                    let value = transform(&self.value(*letter), *keep, *reverse, delimiters);
                    if *escape { escaped(&mut out, &value) } else { out.push_str(&value) }
                }
            }
        }
        out
    }

    fn value(&self, letter: char) -> String {
        match letter {
            's' => format!("{}@{}", self.local, self.origin),
            'l' => self.local.to_owned(),
            'o' => self.origin.to_owned(),
            'd' => self.domain.to_owned(),
            'i' => match self.ip {
                IpAddr::V4(v4) => v4.to_string(),
                IpAddr::V6(v6) => nibbles(v6).collect::<Vec<_>>().join("."),
            },
            'c' => self.ip.to_string(),
            'v' if self.ip.is_ipv4() => "in-addr".to_owned(),
            'v' => "ip6".to_owned(),
            'p' => self.validated.to_owned(),
            'h' => self.helo.to_owned(),
            'r' => self.receiver.to_owned(),
            't' => self.time.to_string(),
            // The parser lets no other letter in.
            _ => String::new(),
        }
    }
}

/// Whether the validated name of the client is asked for, which costs questions.
pub(super) fn needs_validated(text: &MacroString) -> bool {
    text.0.iter().any(|part| matches!(part, Part::Macro { letter: 'p', .. }))
}

fn transform(value: &str, keep: Option<usize>, reverse: bool, delimiters: &str) -> String {
    if keep.is_none() && !reverse && delimiters == "." {
        return value.to_owned();
    }
    let mut parts: Vec<&str> = value.split(|c| delimiters.contains(c)).collect();
    if reverse {
        parts.reverse();
    }
    let from = keep.map_or(0, |keep| parts.len().saturating_sub(keep));
    parts.get(from..).unwrap_or_default().join(".")
}

/// Everything but the unreserved characters as `%XX` (RFC 3986 2.3).
fn escaped(out: &mut String, value: &str) {
    for octet in value.bytes() {
        if octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'.' | b'_' | b'~') {
            out.push(char::from(octet));
        } else {
            let _infallible = write!(out, "%{octet:02X}");
        }
    }
}

#[cfg(test)]
mod tests {
    use super::{super::macros::Place, *};

    /// The examples of RFC 7208 7.4.
    #[test]
    fn the_examples_of_the_standard_come_out() {
        let values = |ip: &str| Values {
            local: "strong-bad",
            origin: "email.example.com",
            domain: "email.example.com",
            ip: ip.parse().unwrap(),
            validated: "mx.example.org",
            helo: "mail.example.net",
            receiver: "unknown",
            time: 7,
        };
        let expand = |ip: &str, text: &str| {
            let parsed = MacroString::parse(text, Place::Explanation).unwrap();
            values(ip).expand(&parsed)
        };
        for (text, out) in [
            ("%{s}", "strong-bad@email.example.com"),
            ("%{o}", "email.example.com"),
            ("%{d4}", "email.example.com"),
            ("%{d3}", "email.example.com"),
            ("%{d2}", "example.com"),
            ("%{d1}", "com"),
            ("%{dr}", "com.example.email"),
            ("%{d2r}", "example.email"),
            ("%{l}", "strong-bad"),
            ("%{l-}", "strong.bad"),
            ("%{lr}", "strong-bad"),
            ("%{lr-}", "bad.strong"),
            ("%{l1r-}", "strong"),
            ("%{ir}.%{v}._spf.%{d2}", "3.2.0.192.in-addr._spf.example.com"),
            ("%{lr-}.lp._spf.%{d2}", "bad.strong.lp._spf.example.com"),
            ("%{S}%%%_%-", "strong-bad%40email.example.com% %20"),
            ("%{p} %{h} %{r} %{t} %{c}", "mx.example.org mail.example.net unknown 7 192.0.2.3"),
        ] {
            assert_eq!(expand("192.0.2.3", text), out, "{text}");
        }
        let v6 = expand("2001:db8::cb01", "%{ir}.%{v}._spf.%{d2}");
        assert_eq!(v6, "1.0.B.C.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.0.8.B.D.0.1.0.0.2.ip6._spf.example.com");
    }
}
