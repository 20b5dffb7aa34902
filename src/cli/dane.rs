//! Signatures and keys in DNS that would keep mail from the new servers of a domain (RFC 7672): looked at before the MX
//! moves, because senders that check them would not deliver afterwards.

use super::cutover::addresses;
use crate::{
    dns::{Anchors, Client, Lookups as _, Proof, Servers, Validator, tlsa_fits},
    model::{CutoverWork, Question, RecordType, Verdict},
    smtp::{Courier, Host},
};

/// What is in the way, in words. Whether signatures hold is what resolvers that validate say (`dns.resolvers` names some):
/// walking the chain from here would take every resolver that drops signatures for a broken zone.
pub(super) async fn in_the_way(work: &CutoverWork, world: &Servers, port: u16) -> Option<String> {
    let mx = Question { name: work.switch.name.clone(), rtype: work.switch.rtype };
    if world.lookup(&mx).await == Verdict::Bogus {
        return Some(bogus(&mx));
    }
    let validator = Validator::new(Client { authority: false, ..Client::default() }, world.servers(), &Anchors::root());
    for host in work.switch.mail_hosts() {
        if let Some(reason) = at(host, world, &validator, port).await {
            return Some(reason);
        }
    }
    None
}

fn bogus(question: &Question) -> String {
    format!(
        "the signatures of {} {} do not hold: senders that check them see nothing; see `rehome dns check --dnssec`",
        question.name, question.rtype
    )
}

async fn at(host: &str, world: &Servers, validator: &Validator, port: u16) -> Option<String> {
    let question = |rtype| Question { name: host.to_owned(), rtype };
    for question in [question(RecordType::A), question(RecordType::Aaaa)] {
        if world.lookup(&question).await == Verdict::Bogus {
            return Some(bogus(&question));
        }
    }
    let keys = Question { name: format!("_25._tcp.{host}"), rtype: RecordType::Tlsa };
    match world.lookup(&keys).await {
        Verdict::Bogus => Some(bogus(&keys)),
        // Senders put mail off when they cannot tell whether there are keys (RFC 7672 2.1.1), in signed zones alone.
        Verdict::ServFail if validator.prove(&question(RecordType::A)).await != Proof::Insecure => {
            Some(format!("whether {host} has keys in DNS cannot be found out: {} TLSA gives an error", keys.name))
        }
        Verdict::Found { values, .. } => {
            let values: Vec<String> = values.into_iter().collect();
            let listens = addresses(host, world, port).await.ok()?;
            // What cannot be reached from here is not known, and no reason to stop: other senders may reach it.
            let shown =
                Courier::default().certificates(&Host { name: host.to_owned(), addresses: listens }).await.ok()?;
            let kept = tlsa_fits(&values, &shown) != Some(false);
            if kept || validator.prove(&keys).await == Proof::Insecure {
                return None;
            }
            let showed = if shown.is_empty() { "it does not encrypt" } else { "its certificate is another" };
            Some(format!(
                "{} TLSA promises a key that {host} does not have ({showed}): senders that check it would not deliver; \
                 whoever runs {host} has to publish the key beside the old one",
                keys.name
            ))
        }
        _ => None,
    }
}
