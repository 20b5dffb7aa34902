//! DNS data to and from the presentation form of the model.

use std::fmt::Write as _;

use hickory_proto::rr::{Name, RData, RecordType as WireType, rdata};

use crate::model::RecordType;

/// The absolute name of a text: A-labels, and whatever octets SPF macros or key selectors bring, since no host name
/// rules apply in mail DNS. A dot or backslash inside a label is `\.` and `\\`, any octet is `\ddd` (RFC 1035 5.1).
pub(super) fn name(text: &str) -> Option<Name> {
    let mut labels = vec![Vec::new()];
    let mut rest = text.as_bytes();
    while let Some((&octet, after)) = rest.split_first() {
        rest = after;
        match octet {
            b'.' if rest.is_empty() && text.len() > 1 => break,
            b'.' if text.len() == 1 => return Some(Name::root()),
            b'.' => labels.push(Vec::new()),
            b'\\' => {
                let (octet, length) = escaped(rest)?;
                labels.last_mut()?.push(octet);
                rest = rest.get(length..)?;
            }
            other => labels.last_mut()?.push(other),
        }
    }
    if labels.iter().any(|l| l.is_empty() || l.len() > 63) {
        return None;
    }
    let mut name = Name::from_labels(labels.iter().map(Vec::as_slice)).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// The octet behind a backslash, and how much of the text it takes.
fn escaped(rest: &[u8]) -> Option<(u8, usize)> {
    match rest {
        [a @ b'0'..=b'9', b, c, ..] => {
            let digits = [*a, *b, *c];
            let number = std::str::from_utf8(&digits).ok()?.parse().ok()?;
            Some((number, 3))
        }
        [one, ..] => Some((*one, 1)),
        [] => None,
    }
}

/// A name in lower case without the final dot; the root is `.`.
pub(super) fn text(name: &Name) -> String {
    if name.is_root() {
        return ".".to_owned();
    }
    let mut out = String::new();
    for label in name.iter() {
        if !out.is_empty() {
            out.push('.');
        }
        for octet in label {
            match octet {
                b'.' | b'\\' => out.extend(['\\', char::from(*octet)]),
                0x21..=0x7e => out.push(char::from(octet.to_ascii_lowercase())),
                other => {
                    let _infallible = write!(out, "\\{other:03}");
                }
            }
        }
    }
    out
}

pub(super) fn wire_type(rtype: RecordType) -> WireType {
    match rtype {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Caa => WireType::CAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Mx => WireType::MX,
        RecordType::Ns => WireType::NS,
        RecordType::Ptr => WireType::PTR,
        RecordType::Soa => WireType::SOA,
        RecordType::Srv => WireType::SRV,
        RecordType::Tlsa => WireType::TLSA,
        RecordType::Txt => WireType::TXT,
    }
}

/// The data of a record as the model writes it; `None` for types it does not have.
pub(super) fn present(data: &RData) -> Option<String> {
    Some(match data {
        RData::A(a) => a.0.to_string(),
        RData::AAAA(a) => a.0.to_string(),
        RData::CNAME(target) => text(&target.0),
        RData::NS(target) => text(&target.0),
        RData::PTR(target) => text(&target.0),
        RData::TLSA(tlsa) => {
            let kinds = [u8::from(tlsa.cert_usage), u8::from(tlsa.selector), u8::from(tlsa.matching)];
            let data: String = tlsa.cert_data.iter().map(|b| format!("{b:02x}")).collect();
            format!("{} {} {} {data}", kinds[0], kinds[1], kinds[2])
        }
        RData::CAA(caa) => format!("{} {} \"{}\"", caa.flags(), caa.tag, printable(&caa.value)),
        RData::MX(mx) => format!("{} {}", mx.preference, text(&mx.exchange)),
        RData::SRV(srv) => format!("{} {} {} {}", srv.priority, srv.weight, srv.port, text(&srv.target)),
        RData::SOA(soa) => {
            let (mname, rname) = (text(&soa.mname), text(&soa.rname));
            format!("{mname} {rname} {} {} {} {} {}", soa.serial, soa.refresh, soa.retry, soa.expire, soa.minimum)
        }
        // The strings of one record belong together without anything between (RFC 7208 3.3, RFC 6376 3.6.2.2).
        RData::TXT(txt) => printable(&txt.txt_data.concat()),
        _ => return None,
    })
}

/// The data of a record from its presentation form; `None` when it is none of that type, or of a type that is not
/// written. Text is plain: no escapes are read, so a backslash is refused.
pub(super) fn data(rtype: RecordType, value: &str) -> Option<RData> {
    let words: Vec<&str> = value.split_ascii_whitespace().collect();
    Some(match (rtype, words.as_slice()) {
        (RecordType::A, [one]) => RData::A(rdata::A(one.parse().ok()?)),
        (RecordType::Aaaa, [one]) => RData::AAAA(rdata::AAAA(one.parse().ok()?)),
        (RecordType::Cname, [one]) => RData::CNAME(rdata::CNAME(name(one)?)),
        (RecordType::Mx, [preference, host]) => RData::MX(rdata::MX::new(preference.parse().ok()?, name(host)?)),
        (RecordType::Srv, [priority, weight, port, host]) => {
            RData::SRV(rdata::SRV::new(priority.parse().ok()?, weight.parse().ok()?, port.parse().ok()?, name(host)?))
        }
        // A character string holds at most 255 octets (RFC 1035 3.3).
        (RecordType::Txt, _) if !value.contains('\\') => {
            RData::TXT(rdata::TXT::from_bytes(value.as_bytes().chunks(255).collect()))
        }
        _ => return None,
    })
}

/// Text as it is; octets that are no text, and those that could steer a terminal, as `\ddd`.
fn printable(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c.is_control() {
                for byte in c.encode_utf8(&mut [0; 4]).bytes() {
                    let _infallible = write!(out, "\\{byte:03}");
                }
            } else {
                out.push(c);
            }
        }
        for byte in chunk.invalid() {
            let _infallible = write!(out, "\\{byte:03}");
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_that_could_steer_a_terminal_is_shown_as_numbers() {
        assert_eq!(printable("v=spf1 ü".as_bytes()), "v=spf1 ü");
        assert_eq!(printable(b"a\x1b[2J\xff"), "a\\027[2J\\255");
    }

    #[test]
    fn what_is_written_reads_the_same() {
        let long = "a".repeat(600);
        for (rtype, value) in [
            (RecordType::Mx, "1 mx0.mail.ovh.net"),
            (RecordType::Srv, "0 0 443 pro1.mail.ovh.net"),
            (RecordType::Cname, "_x.a-b.example"),
            (RecordType::Txt, "v=spf1 include:\"odd\" ~all"),
            (RecordType::Txt, long.as_str()),
            (RecordType::Aaaa, "2001:db8::1"),
        ] {
            assert_eq!(present(&data(rtype, value).unwrap()).as_deref(), Some(value));
        }
        for (rtype, value) in [(RecordType::Mx, "mx0"), (RecordType::Txt, "\\255"), (RecordType::Soa, "x")] {
            assert!(data(rtype, value).is_none());
        }
    }

    #[test]
    fn names_keep_underscores_and_lose_case_and_dot() {
        assert_eq!(text(&name("S1_key._DomainKey.Example.ORG").unwrap()), "s1_key._domainkey.example.org");
        assert_eq!(text(&Name::root()), ".");
        assert_eq!(name("."), Some(Name::root()));
        assert_eq!(text(&name("*.-a%b c\\\\d\\.e.org.").unwrap()), "*.-a%b\\032c\\\\d\\.e.org");
        let long = "a".repeat(64);
        for wrong in ["", "a..b", ".a", "a..", long.as_str(), "a\\", "\\256", &"a.".repeat(130)] {
            assert_eq!(name(wrong), None, "{wrong}");
        }
    }
}
