//! What is wrong with the servers themselves, and odd about their answers.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    Complete as _, Scene,
    answers::{shown, why},
    finding,
};
use crate::{
    diag::{Finding, Severity},
    model::{DnsView, Oddity, Question, ServerView, Verdict, ZoneCut},
};

pub(super) fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let mut out = lame(scene);
    out.extend(silent(scene));
    out.extend(lost(scene));
    out.extend(cut(scene));
    out.extend(serials(scene));
    out.extend(ttls(scene));
    out.extend(oddities(scene));
    out
}

/// Whether a server has answered anything.
fn tells(server: &ServerView) -> bool {
    server.answers.values().any(Verdict::is_known)
}

/// The view without the servers that answered nothing, as long as another one did.
pub(super) fn talking(view: &DnsView) -> DnsView {
    let mut out = view.clone();
    if out.servers.values().any(tells) {
        out.servers.retain(|_, server| tells(server));
    }
    out
}

/// Servers that answered nothing while others did: the domain works, and nobody knows what they hold.
fn silent(scene: &Scene<'_>) -> Vec<Finding> {
    let servers = &scene.view.servers;
    if !servers.values().any(tells) {
        return Vec::new();
    }
    let lame = |s: &ServerView| s.answers.values().all(|v| *v == Verdict::Lame);
    let told = servers.iter().filter(|(_, s)| !tells(s) && !lame(s)).map(|(name, server)| {
        let message = format!("{name} is a name server of {} and answered nothing", scene.domain);
        let whys: BTreeSet<String> = server.answers.values().map(why).collect();
        finding("server-silent", Severity::Unknown, name, message)
            .actual(whys.into_iter().collect::<Vec<_>>().join("; "))
            .fix("let it be reached by UDP and TCP, port 53, and serve the zone, or remove it from the NS records")
    });
    told.collect()
}

fn lame(scene: &Scene<'_>) -> Vec<Finding> {
    let others = scene.view.servers.values().any(tells);
    let refers = |s: &ServerView| s.answers.values().any(|v| *v == Verdict::Lame);
    let answering = |s: &ServerView| s.serial.is_some() || tells(s) || (others && refers(s));
    let lame = scene.view.servers.iter().filter(|(_, s)| !s.authoritative && answering(s));
    let told = lame.map(|(name, _)| {
        let message = format!("{name} is a name server of {} and answers without authority for it", scene.domain);
        let fix = "remove it from the NS records or let it serve the zone";
        finding("server-lame", Severity::Warning, name, message).fix(fix)
    });
    told.collect()
}

fn lost(scene: &Scene<'_>) -> Vec<Finding> {
    let told = scene.view.lost.iter().map(|(name, why)| {
        let message = format!("{name} is a name server of {} and has no address: nobody can ask it", scene.domain);
        let out = finding("server-no-address", Severity::Warning, name, message);
        out.actual(why.clone()).fix("give it an address, or remove it from the NS records")
    });
    told.collect()
}

/// What both sides of the cut say about who serves the zone.
fn cut(scene: &Scene<'_>) -> Option<Finding> {
    let ZoneCut { zone, above, own } = scene.view.cut.as_ref()?;
    let list = |names: &BTreeSet<String>| names.iter().map(String::as_str).collect::<Vec<_>>().join(", ");
    if above.is_empty() {
        let message = format!("the zone above knows no {zone}: whoever starts at the root does not find it");
        let out = finding("delegation-missing", Severity::Warning, zone, message);
        return Some(out.actual(format!("the zone names {}", list(own))).fix(
            "renew the domain, or have its registrar publish the name servers, unless it is for an inner network alone",
        ));
    }
    let only = |one: &BTreeSet<String>, other, who: &str| {
        let names = list(&(one - other));
        (!names.is_empty()).then(|| format!("{names} only in {who}"))
    };
    let told: Vec<String> =
        only(above, own, "the zone above").into_iter().chain(only(own, above, "the zone")).collect();
    let message = format!("the zone above names other servers for {zone} than the zone itself");
    let out = finding("delegation-differs", Severity::Warning, zone, message);
    Some(out.actual(told.join("; ")).fix("let the registrar's list and the zone's NS records name the same servers"))
}

fn serials(scene: &Scene<'_>) -> Option<Finding> {
    let serials: BTreeSet<u32> = scene.view.servers.values().filter_map(|s| s.serial).collect();
    if serials.len() < 2 {
        return None;
    }
    let told = scene.view.servers.iter().filter_map(|(n, s)| Some(format!("{n}: {}", s.serial?)));
    let message = "the servers hold different versions of the zone";
    Some(
        finding("serials-differ", Severity::Info, scene.domain, message)
            .actual(told.collect::<Vec<_>>().join(", "))
            .fix("wait until the secondary servers have caught up"),
    )
}

/// Servers that give one set with several TTLs: a change becomes visible when the longest has run out.
fn ttls(scene: &Scene<'_>) -> Vec<Finding> {
    let mut told: BTreeMap<&Question, BTreeMap<u32, Vec<&str>>> = BTreeMap::new();
    for (server, view) in scene.view.servers.iter().filter(|(_, s)| s.authoritative) {
        for (question, verdict) in &view.answers {
            if let Verdict::Found { ttl, .. } = verdict {
                told.entry(question).or_default().entry(*ttl).or_default().push(server);
            }
        }
    }
    // What a resolver counts down differs from moment to moment and says nothing.
    let told = told.into_iter().filter(|(_, ttls)| ttls.len() > 1 && scene.view.servers.len() > 1);
    let each = told.map(|(question, ttls)| {
        let subject = format!("{} {}", question.name, question.rtype);
        let list: Vec<String> = ttls.iter().map(|(ttl, who)| format!("{}: {ttl} s", who.join(", "))).collect();
        let message = format!("the servers give {subject} different TTLs");
        let out = finding("ttl-differs", Severity::Info, subject, message);
        out.actual(list.join("; ")).fix("wait until all servers have the same zone, and reckon with the longest")
    });
    each.collect()
}

fn oddities(scene: &Scene<'_>) -> Vec<Finding> {
    let mut told: BTreeMap<&Oddity, Vec<&str>> = BTreeMap::new();
    for (server, view) in &scene.view.servers {
        // Where keys lead is judged with the keys, and a platform's name is nobody's to take.
        let key = |o: &&Oddity| matches!(o, Oddity::Dangling { name, .. } if name.contains("._domainkey."));
        for oddity in view.oddities.iter().filter(|o| !key(o)) {
            told.entry(oddity).or_default().push(server);
        }
    }
    told.into_iter().filter_map(|(oddity, servers)| odd(oddity, &servers.join(", "))).collect()
}

fn odd(oddity: &Oddity, servers: &str) -> Option<Finding> {
    Some(match oddity {
        // Policies and keys are kept by others in this way; what stands there is judged.
        Oddity::Away { .. } => return None,
        Oddity::MixedTtl { name, rtype, lowest, highest } => {
            let message =
                format!("the {rtype} records of {name} have different TTLs, which those of one name must not");
            finding("ttl-mixed", Severity::Warning, format!("{name} {rtype}"), message)
                .actual(format!("{lowest} s to {highest} s at {servers}"))
                .fix(format!("give all of them the same TTL, such as {lowest}"))
        }
        Oddity::Dangling { name, target } => {
            let message = format!("{name} is an alias of {target}, which does not exist");
            finding("alias-dangling", Severity::Warning, format!("{name} CNAME"), message)
                .actual(format!("CNAME {target}, as {servers} says"))
                .fix(
                    "remove the alias, or let it lead to a name that exists: whoever takes that name answers for yours",
                )
        }
        Oddity::Beside { name, rtype, target } => {
            let message =
                format!("{name} is an alias and has {rtype} records of its own: who asks gets one or the other");
            finding("alias-beside", Severity::Error, format!("{name} CNAME"), message)
                .actual(format!("CNAME {target} beside {rtype}, as {servers} says"))
                .fix("keep the alias alone, or remove it and keep the records")
        }
        Oddity::Rotates { name, rtype, values } => {
            let message = format!("{servers} gives other {rtype} records of {name} from one answer to the next");
            finding("server-rotates", Severity::Warning, format!("{name} {rtype}"), message)
                .actual(format!("in turn: {}", shown(values)))
                .fix("let every answer hold all records, unless each of them is right by itself")
        }
        Oddity::TcpOnly => {
            let message = format!("{servers} answers over TCP and is silent over UDP: most senders wait in vain");
            finding("server-tcp-only", Severity::Warning, servers, message).fix("let it be reached by UDP, port 53")
        }
    })
}
