//! SPF with the records of others: what it costs, and whether the platform may really send.

use std::{collections::BTreeMap, net::IpAddr};

use async_trait::async_trait;

use super::Scene;
use crate::{
    diag::{Finding, Severity},
    dns::{
        Lookups,
        check::{Complete as _, finding, merge_spf},
        spf::{LOOKUPS, Outcome, Reach, Record, Request, VOIDS, evaluate, is_record, parse, reach},
    },
    model::{DnsTopic, Question, RecordType, Verdict},
};

/// Networks of a platform that are tried out.
const SAMPLES: usize = 64;
/// What is wise (RFC 7208 3.4), and the datagram that gets everywhere (RFC 9715): a longer answer needs TCP.
const WISE: usize = 450;
const DATAGRAM: usize = 1232;

pub(super) async fn check(scene: &Scene<'_>) -> Vec<Finding> {
    let domain = scene.domain().as_str();
    let mut out = size(domain, &scene.own(domain, RecordType::Txt));
    let records = records(scene);
    for (text, servers) in &records {
        let found = judge(scene, text).await;
        out.extend(found.into_iter().map(|f| match records.len() {
            1 => f,
            _ => Finding { message: format!("{} (at {})", f.message, servers.join(", ")), ..f },
        }));
    }
    out
}

/// The records that the servers of the domain have, each with its servers. No record and several at one server are
/// judged there already.
fn records<'a>(scene: &'a Scene<'_>) -> BTreeMap<String, Vec<&'a str>> {
    let question = Question { name: scene.domain().to_string(), rtype: RecordType::Txt };
    let mut out: BTreeMap<String, Vec<&str>> = BTreeMap::new();
    for (server, told) in &scene.audit.view.servers {
        let values = told.answers.get(&question).map(Verdict::values).unwrap_or_default();
        let mut texts = values.iter().filter(|t| is_record(t));
        if let (Some(text), None) = (texts.next(), texts.next()) {
            out.entry(text.clone()).or_default().push(server);
        }
    }
    out
}

/// What one record comes to, as if every server had it.
async fn judge(scene: &Scene<'_>, text: &str) -> Vec<Finding> {
    let domain = scene.domain().as_str();
    let Ok(record) = parse(text) else { return Vec::new() };
    let world = Overlay { below: scene, domain, text };
    let found = reach(&world, domain, &record).await;
    let mut out = costs(scene, text, &found);
    let wanted = scene.audit.expected.iter().find(|r| r.topic == DnsTopic::Spf).map(|r| r.value.as_str());
    if let Some(wanted) = wanted {
        out.extend(platform(scene, &world, wanted).await);
        out.extend(merged(scene, text, wanted, &found).await);
    }
    let left = scene.audit.leaving.iter().find(|r| r.topic == DnsTopic::Spf);
    if let Some(record) = left {
        out.extend(source(scene, &world, &record.value).await);
    }
    out
}

fn size(domain: &str, texts: &[String]) -> Vec<Finding> {
    let octets: usize = texts.iter().map(String::len).sum();
    let subject = format!("{domain} TXT");
    if octets > DATAGRAM && texts.iter().any(|t| is_record(t)) {
        let message = format!("the TXT records of {domain} have {octets} octets: their answer needs TCP");
        let fix = "remove what is no longer needed, or move it below other names";
        return vec![finding("spf-size", Severity::Warning, subject, message).fix(fix)];
    }
    if octets > WISE && texts.iter().any(|t| is_record(t)) {
        let message = format!(
            "the TXT records of {domain} have {octets} octets, and {WISE} are wise: where neither EDNS nor TCP gets through, nobody passes"
        );
        return vec![finding("spf-size", Severity::Info, subject, message)];
    }
    Vec::new()
}

fn costs(scene: &Scene<'_>, text: &str, reach: &Reach) -> Vec<Finding> {
    let domain = scene.domain();
    let subject = format!("{domain} SPF");
    let say = |code, severity, message: String| finding(code, severity, &subject, message).actual(text);
    let mut out = Vec::new();
    if let Some(name) = &reach.circle {
        let message = format!("`{name}` leads back to itself: receivers stop with an error");
        out.push(say("spf-circle", Severity::Error, message).fix(format!("remove the way back to {name}")));
    }
    for (name, wrong) in &reach.broken {
        let message = format!("`{name}` cannot be included: {wrong}; receivers stop with an error");
        out.push(
            say("spf-include-broken", Severity::Error, message).fix(format!("remove {name}, or let it be mended")),
        );
    }
    if reach.lookups > LOOKUPS {
        let n = reach.lookups;
        let message = format!("the record needs {n} lookups, and receivers stop with an error after {LOOKUPS}");
        out.push(say("spf-lookups", Severity::Error, message).fix("remove what no longer sends, or name addresses"));
    } else if reach.lookups + 1 >= LOOKUPS {
        let message = format!("the record needs {} of {LOOKUPS} lookups: there is no room for another", reach.lookups);
        out.push(say("spf-lookups-near", Severity::Info, message));
    }
    if reach.voids > VOIDS {
        let message = format!("{} terms find nothing, and receivers stop with an error after {VOIDS}", reach.voids);
        out.push(say("spf-voids", Severity::Error, message).fix("remove the terms whose hosts are gone"));
    }
    for (question, verdict) in &reach.unknown {
        let unsure = scene.unsure(&question.name, question.rtype, verdict);
        out.push(Finding { message: format!("{}: the lookups of SPF cannot be counted", unsure.message), ..unsure });
    }
    out
}

/// What came of trying out a platform's senders.
struct Tried {
    /// By result, one address that does not pass.
    denied: BTreeMap<&'static str, IpAddr>,
    /// How many addresses pass.
    passed: usize,
    /// Of how many networks addresses were tried out.
    networks: usize,
    /// Whether every one of its networks is known.
    complete: bool,
}

/// Evaluates the record of the domain for addresses that a platform's own record lets in.
async fn tried(scene: &Scene<'_>, world: &Overlay<'_>, wanted: &str) -> Option<Tried> {
    let domain = scene.domain().as_str();
    let senders = reach(scene, domain, &parse(wanted).ok()?).await;
    let networks = senders.networks.len().min(SAMPLES);
    let mut out = Tried { denied: BTreeMap::new(), passed: 0, networks, complete: senders.unknown.is_empty() };
    for ip in senders.networks.iter().take(SAMPLES).flat_map(|n| n.samples()) {
        let request = Request {
            ip,
            domain: domain.to_owned(),
            sender: None,
            helo: None,
            receiver: "unknown".to_owned(),
            time: 0,
        };
        match evaluate(world, &request).await.result {
            Outcome::Pass => out.passed += 1,
            // What could not be asked is told elsewhere.
            Outcome::TempError => {}
            other => {
                out.denied.entry(other.word()).or_insert(ip);
            }
        }
    }
    Some(out)
}

/// Whether the platform that is being left may still send: what waits there goes out after the move.
async fn source(scene: &Scene<'_>, world: &Overlay<'_>, wanted: &str) -> Option<Finding> {
    let (domain, text) = (scene.domain(), world.text);
    let (result, ip) = tried(scene, world, wanted).await?.denied.into_iter().next()?;
    let message = format!("{ip}, a sender of the platform that is being left, does not pass: receivers get `{result}`");
    let publish = let_in(domain.as_str(), text, wanted, ip, "until nothing is sent from there any more, publish");
    let out = finding("spf-source-denied", Severity::Warning, format!("{domain} SPF"), message);
    Some(out.actual(text).expected(wanted).fix(publish))
}

/// Whether the platform's own senders pass, by evaluating the record for addresses of theirs.
async fn platform(scene: &Scene<'_>, world: &Overlay<'_>, wanted: &str) -> Vec<Finding> {
    let (domain, text) = (scene.domain().as_str(), world.text);
    let Some(Tried { denied, passed, networks, complete }) = tried(scene, world, wanted).await else {
        return Vec::new();
    };
    let subject = format!("{domain} SPF");
    let mut out = Vec::new();
    for (result, ip) in &denied {
        let message = format!("the platform's sender {ip} does not pass: receivers get `{result}`");
        let publish = let_in(domain, text, wanted, *ip, "publish");
        let denied = finding("spf-platform-denied", Severity::Error, &subject, message).actual(text);
        out.push(denied.expected(wanted).fix(publish));
    }
    if denied.is_empty() && passed > 0 && complete {
        let message = format!("the platform may send: addresses of {networks} of its networks were tried out and pass");
        out.push(finding("spf-platform-passes", Severity::Ok, &subject, message));
    }
    out
}

/// What lets a sender in: the record with its term, or, where that stands in it already, to find out what is in its way.
fn let_in(domain: &str, text: &str, wanted: &str, ip: IpAddr, publish: &str) -> String {
    let merged = merge_spf(text, wanted);
    if merged == text {
        return format!("its term is there: see what comes before it\nrehome dns spf {domain} --ip {ip}");
    }
    format!("{publish}\n{domain}. TXT \"{merged}\"")
}

/// Whether the record that would be published stays inside the limits, and still lets in whom it let in before.
async fn merged(scene: &Scene<'_>, text: &str, wanted: &str, before: &Reach) -> Vec<Finding> {
    let domain = scene.domain().as_str();
    let planned = merge_spf(text, wanted);
    let Some(record) = parse(&planned).ok().filter(|_| planned != text) else { return Vec::new() };
    let after = after(scene, domain, &planned, &record).await;
    let subject = format!("{domain} SPF");
    let mut out = Vec::new();
    if after.exceeds() && !before.exceeds() {
        let (lookups, voids) = (after.lookups, after.voids);
        let message = format!("with the platform added, the record would need {lookups} lookups, {voids} of them void");
        let fix = format!("remove what no longer sends before\n{domain}. TXT \"{planned}\"");
        out.push(finding("spf-merge-too-dear", Severity::Error, &subject, message).actual(text).fix(fix));
    }
    let lost: Vec<String> =
        before.networks.difference(&after.networks).map(|n| format!("{}/{}", n.address, n.bits)).collect();
    if !lost.is_empty() {
        let message = "the record to publish would shut out senders that pass today".to_owned();
        out.push(
            finding("spf-merge-loses", Severity::Error, &subject, message).actual(lost.join(", ")).fix("keep them"),
        );
    }
    out
}

async fn after(scene: &Scene<'_>, domain: &str, planned: &str, record: &Record) -> Reach {
    let overlay = Overlay { below: scene, domain, text: planned };
    reach(&overlay, domain, record).await
}

/// The world with another record at the domain.
struct Overlay<'a> {
    below: &'a dyn Lookups,
    domain: &'a str,
    text: &'a str,
}

#[async_trait]
impl Lookups for Overlay<'_> {
    async fn lookup(&self, question: &Question) -> Verdict {
        if question.rtype == RecordType::Txt && question.name == self.domain {
            return Verdict::Found { values: vec![self.text.to_owned()], ttl: 0 };
        }
        self.below.lookup(question).await
    }
}
