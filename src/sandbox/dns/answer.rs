//! One question to one answer (RFC 1034 4.3.2, RFC 2308).

use hickory_proto::{
    op::{Message, MessageType, Metadata, OpCode, ResponseCode},
    rr::{
        RData, Record, RecordType as WireType,
        rdata::{NS, SOA},
    },
};

use super::zones::{Fault, Inner, RecordSet, Zone, absolute, ancestors};
use crate::model::RecordType;

/// How far aliases are followed within the zones.
const ALIASES: usize = 8;
/// SOA TTL and minimum, in seconds: how long "there is no such record" may be kept.
const NEGATIVE_TTL: u32 = 300;

/// The answer to a request, or none when the server keeps silent. `udp` tells whether the answer has to fit a datagram.
pub(super) fn answer(inner: &Inner, request: &Message, udp: bool) -> Option<Message> {
    let mut out = Message::new(request.metadata.id, MessageType::Response, request.metadata.op_code);
    out.metadata = Metadata::response_from_request(&request.metadata);
    out.queries.clone_from(&request.queries);
    let fail = |mut out: Message, code| {
        out.metadata.response_code = code;
        Some(out)
    };
    let [query] = request.queries.as_slice() else { return fail(out, ResponseCode::FormErr) };
    if request.metadata.op_code != OpCode::Query {
        return fail(out, ResponseCode::NotImp);
    }
    if let Some(edns) = &request.edns {
        let mut own = hickory_proto::op::Edns::new();
        own.set_max_payload(1232).set_version(0);
        own.set_dnssec_ok(edns.flags().dnssec_ok);
        out.set_edns(own);
    }
    let name = text(query.name());
    match inner.fault(&name) {
        Some(Fault::Silent) => return None,
        Some(Fault::ServFail) => return fail(out, ResponseCode::ServFail),
        Some(Fault::Refused) => return fail(out, ResponseCode::Refused),
        Some(Fault::Lame) => return Some(out),
        Some(Fault::NoEdns) if request.edns.is_some() => {
            out.edns = None;
            return fail(out, ResponseCode::FormErr);
        }
        Some(Fault::Truncated) if udp => {
            out.metadata.authoritative = true;
            out.metadata.truncation = true;
            return Some(out);
        }
        _ => {}
    }
    if inner.zone(&name).is_none() {
        return fail(out, ResponseCode::Refused);
    }
    if let Some((cut, set)) = inner.zone(&name).and_then(|(apex, zone)| delegated(apex, zone, &name)) {
        out.authorities = records(cut, set.ttl, &set.data);
        return Some(out);
    }
    out.metadata.authoritative = true;
    fill(inner, &name, query.query_type(), &mut out);
    Some(out)
}

/// The zone below that holds a name, with who serves it, as this one says (RFC 1034 4.2.1).
fn delegated<'n, 'z>(apex: &str, zone: &'z Zone, name: &'n str) -> Option<(&'n str, &'z RecordSet)> {
    let below = ancestors(name).take_while(|owner| *owner != apex);
    below.filter_map(|owner| Some((owner, zone.sets.get(&(owner.to_owned(), RecordType::Ns))?))).last()
}

/// Follows aliases from the name and adds what is found.
fn fill(inner: &Inner, name: &str, wanted: WireType, out: &mut Message) {
    let mut name = name.to_owned();
    for _ in 0..ALIASES {
        let Some((apex, zone)) = inner.zone(&name) else { return };
        if wanted != WireType::CNAME
            && let Some(set) = zone.sets.get(&(name.clone(), RecordType::Cname))
        {
            add(out, &name, set.ttl, &set.data);
            let Some(RData::CNAME(target)) = set.data.first() else { return };
            name = text(&target.0);
            continue;
        }
        if wanted == WireType::SOA && name == apex {
            out.answers.extend(soa(apex, zone));
            return;
        }
        match own_type(wanted).and_then(|t| zone.sets.get(&(name.clone(), t))) {
            Some(set) => add(out, &name, set.ttl, &set.data),
            None => {
                let below = format!(".{name}");
                let exists = name == apex || zone.sets.keys().any(|(n, _)| *n == name || n.ends_with(&below));
                if !exists {
                    out.metadata.response_code = ResponseCode::NXDomain;
                }
                out.authorities.extend(soa(apex, zone));
            }
        }
        return;
    }
}

fn add(out: &mut Message, name: &str, ttl: u32, data: &[RData]) {
    out.answers.extend(records(name, ttl, data));
}

fn records(name: &str, ttl: u32, data: &[RData]) -> Vec<Record> {
    let Some(owner) = absolute(name) else { return Vec::new() };
    data.iter().map(|d| Record::from_rdata(owner.clone(), ttl, d.clone())).collect()
}

fn soa(apex: &str, zone: &Zone) -> Option<Record> {
    let owner = absolute(apex)?;
    let ns = zone.sets.get(&(apex.to_owned(), RecordType::Ns)).and_then(|s| s.data.first());
    let primary = match ns {
        Some(RData::NS(NS(name))) => name.clone(),
        _ => owner.clone(),
    };
    let mailbox = absolute(&format!("hostmaster.{apex}"))?;
    let data = SOA::new(primary, mailbox, zone.serial, 86_400, 3600, 3_600_000, NEGATIVE_TTL);
    Some(Record::from_rdata(owner, NEGATIVE_TTL, RData::SOA(data)))
}

fn own_type(wire: WireType) -> Option<RecordType> {
    Some(match wire {
        WireType::A => RecordType::A,
        WireType::AAAA => RecordType::Aaaa,
        WireType::CNAME => RecordType::Cname,
        WireType::MX => RecordType::Mx,
        WireType::NS => RecordType::Ns,
        WireType::SRV => RecordType::Srv,
        WireType::TLSA => RecordType::Tlsa,
        WireType::TXT => RecordType::Txt,
        _ => return None,
    })
}

fn text(name: &hickory_proto::rr::Name) -> String {
    name.to_ascii().trim_end_matches('.').to_ascii_lowercase()
}
