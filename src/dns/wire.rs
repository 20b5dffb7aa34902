//! DNS data to and from the presentation form of the model.

use std::fmt::Write as _;

use hickory_proto::rr::{Name, RData, RecordType as WireType};

use crate::model::RecordType;

/// The absolute name of a text. Names come as A-labels; underscores are usual in mail DNS, so no host name rules apply.
pub(super) fn name(text: &str) -> Option<Name> {
    let mut name = Name::from_ascii(text).ok()?;
    name.set_fqdn(true);
    Some(name)
}

/// A name in lower case without the final dot; the root is `.`.
pub(super) fn text(name: &Name) -> String {
    let text = name.to_ascii().to_ascii_lowercase();
    match text.strip_suffix('.') {
        Some("") | None => text,
        Some(bare) => bare.to_owned(),
    }
}

pub(super) fn wire_type(rtype: RecordType) -> WireType {
    match rtype {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
        RecordType::Cname => WireType::CNAME,
        RecordType::Mx => WireType::MX,
        RecordType::Ns => WireType::NS,
        RecordType::Soa => WireType::SOA,
        RecordType::Srv => WireType::SRV,
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
    fn names_keep_underscores_and_lose_case_and_dot() {
        assert_eq!(text(&name("S1_key._DomainKey.Example.ORG").unwrap()), "s1_key._domainkey.example.org");
        assert_eq!(text(&Name::root()), ".");
    }
}
