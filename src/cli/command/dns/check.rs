//! `rehome dns check`: the mail DNS of any domain, judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
};

use serde_json::{Value, json};

use crate::{
    cli::{
        args::{CheckArgs, Format},
        context::Context,
        failure::Failure,
        runner::exit_of_findings,
    },
    diag::{Exit, Finding},
    dns::{
        self, Anchors, Client, Platform, Row, Servers, Standing, Validator,
        audit::{Audit, Wire, compare},
        codes, platform, platform_words,
    },
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Question, Verdict},
    report::{self, Checked},
};

/// Everything that a spec can ask to verify.
const TOPICS: [DnsTopic; 7] = [
    DnsTopic::Mx,
    DnsTopic::Spf,
    DnsTopic::Dkim,
    DnsTopic::Dmarc,
    DnsTopic::Autodiscover,
    DnsTopic::Autoconfig,
    DnsTopic::Ownership,
];

/// Asks, judges and prints.
pub(super) async fn run(context: &Context, args: CheckArgs) -> Result<Exit, Failure> {
    let domain = Domain::parse(&args.domain).map_err(|e| Failure::new(Exit::Invalid, e.to_string()))?;
    let platform = named(args.platform.as_deref())?;
    let leaving = named(args.from.as_deref())?.map(|p| p.questions(&domain)).unwrap_or_default();
    let questions = platform.as_ref().map(|p| p.questions(&domain)).unwrap_or_default();
    let client = standing(super::client(context, true), &domain, &args.server).await;
    let topics = topics(platform.is_some());
    let view = client.observe(&domain, &questions, &topics, &args.server).await;
    let expected = platform.as_ref().map(|p| p.expected(&domain, &view)).unwrap_or_default();
    let mut findings = dns::check(&domain, &topics, &expected, &view);
    let world = world(context, &args)?;
    let mut asked = BTreeMap::new();
    if view.failure.is_none() {
        let audit = Audit {
            domain: &domain,
            expected: &expected,
            leaving: &leaving,
            view: &view,
            dns: &world,
            web: Some(&Wire),
            selectors: &args.selector,
        };
        let audited = audit.run().await;
        findings.extend(audited.findings);
        asked = audited.answers;
    }
    if !args.resolver.is_empty() {
        let resolvers = Client { authority: false, ..client };
        let questions = dns::questions(&domain, &expected, &topics);
        let told = Servers::new(resolvers, args.resolver.clone()).ask_each(&questions).await;
        findings.extend(compare(&view, &told));
    }
    if args.dnssec || !args.trust_anchor.is_empty() {
        let validator = Validator::new(super::client(context, false), world.servers(), &anchors(&args.trust_anchor)?);
        findings.extend(validator.findings(&dns::questions(&domain, &expected, &topics)).await);
    }
    let exit = exit_of_findings(&findings);
    let title = format!("DNS of {}", domain.unicode());
    let checked = [Checked { title, findings }];
    let rows = dns::diff(&expected, &view);
    let text = match context.global.format {
        Format::Json => {
            let mut told = report::findings_json(&checked);
            complete(&mut told, &checked, &rows, &view, &asked);
            format!("{}\n", serde_json::to_string_pretty(&told).unwrap_or_default())
        }
        Format::Markdown => format!("{}{}", report::findings_markdown(&checked), listed(&rows, &expected)),
        Format::Human | Format::Html => {
            let found = report::findings_text(&checked, &context.looks());
            format!("{found}{}", listed(&rows, &expected))
        }
    };
    context.answer(&text)?;
    Ok(exit)
}

/// What is asked: without a platform nobody knows which keys and proofs there should be.
fn topics(platform: bool) -> BTreeSet<DnsTopic> {
    let unknown = |t: &DnsTopic| matches!(t, DnsTopic::Dkim | DnsTopic::Ownership);
    TOPICS.into_iter().filter(|t| platform || !unknown(t)).collect()
}

fn named(word: Option<&str>) -> Result<Option<Platform>, Failure> {
    let Some(word) = word else { return Ok(None) };
    let unknown = || {
        Failure::new(Exit::Invalid, format!("`{word}` is no platform that is known"))
            .help(format!("one of {}", platform_words().join(", ")))
    };
    platform(word).map(Some).ok_or_else(unknown)
}

/// A server that the user names may be a resolver, which has no authority for anything and is asked recursively.
async fn standing(client: Client, domain: &Domain, servers: &[SocketAddr]) -> Client {
    let mut resolvers = 0;
    for server in servers {
        resolvers += usize::from(client.is_resolver(*server, domain).await);
    }
    Client { authority: servers.is_empty() || resolvers < servers.len(), ..client }
}

/// The keys that are trusted: those of the root, or those of the files.
fn anchors(files: &[PathBuf]) -> Result<Anchors, Failure> {
    if files.is_empty() {
        return Ok(Anchors::root());
    }
    let mut all = String::new();
    for file in files {
        let failed = |e: &dyn std::error::Error| {
            Failure::caused(Exit::Invalid, format!("{} holds no trust anchor", file.display()), e)
        };
        let text = fs::read_to_string(file).map_err(|e| failed(&e))?;
        Anchors::parse(&text).map_err(|e| failed(&e))?;
        all.push_str(&text);
        all.push('\n');
    }
    Anchors::parse(&all).map_err(|e| Failure::caused(Exit::Invalid, "the trust anchors cannot be read", &e))
}

/// Who answers questions about other names.
fn world(context: &Context, args: &CheckArgs) -> Result<Servers, Failure> {
    let client = super::client(context, false);
    if !args.server.is_empty() {
        return Ok(Servers::new(client, args.server.clone()));
    }
    if !args.resolver.is_empty() {
        return Ok(Servers::new(client, args.resolver.clone()));
    }
    Servers::system(client).map_err(|e| Failure::new(Exit::Unreachable, e).help("name one with --resolver"))
}

/// Adds to each finding where it is written and who said what, and the records beside each other.
fn complete(told: &mut Value, checked: &[Checked], rows: &[Row], view: &DnsView, asked: &BTreeMap<Question, Verdict>) {
    let findings = told.pointer_mut("/checked/0/findings").and_then(Value::as_array_mut);
    let all = checked.iter().flat_map(|c| &c.findings);
    for (value, finding) in findings.into_iter().flatten().zip(all) {
        if let Some(object) = value.as_object_mut() {
            let section = codes::code(&finding.code).map_or("", |c| c.section);
            object.insert("section".to_owned(), json!(section));
            object.insert("evidence".to_owned(), json!(evidence(finding, view, asked)));
        }
    }
    if let Some(object) = told.as_object_mut() {
        object.insert("records".to_owned(), json!(rows));
        object.insert("servers".to_owned(), json!(view.servers.keys().collect::<Vec<_>>()));
    }
}

/// What was answered about the name that a finding speaks of.
fn evidence(finding: &Finding, view: &DnsView, asked: &BTreeMap<Question, Verdict>) -> Vec<Value> {
    let mut words = finding.subject.split(' ');
    let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let kind = if kind == "SPF" { "TXT" } else { kind };
    let typed = kind.chars().any(|c| c.is_ascii_uppercase()) && kind.chars().all(|c| c.is_ascii_uppercase());
    let meant = |q: &Question| q.name == name && (!typed || q.rtype.word() == kind);
    let row = |server: &str, question: &Question, verdict: &Verdict| json!({ "server": server, "name": question.name, "type": question.rtype, "answer": verdict });
    let own = view
        .servers
        .iter()
        .flat_map(|(server, told)| told.answers.iter().filter(|(q, _)| meant(q)).map(move |(q, v)| row(server, q, v)));
    let further = asked.iter().filter(|(q, _)| meant(q)).map(|(q, v)| row("resolver", q, v));
    own.chain(further).collect()
}

/// The records of the platform beside those that are there.
fn listed(rows: &[Row], expected: &[ExpectedRecord]) -> String {
    if expected.is_empty() {
        return String::new();
    }
    let mut out = "\nRecords of the platform (= there, + publish, - not the platform's, ? unknown)\n\n".to_owned();
    for row in rows {
        let sign = match row.standing {
            Standing::Same => '=',
            Standing::Publish => '+',
            Standing::Foreign => '-',
            Standing::Unknown => '?',
        };
        let instead = row.found.iter().filter(|f| row.wanted.is_some() && row.wanted.as_ref() != Some(*f));
        for found in instead {
            out.push_str(&line('-', row, found));
        }
        out.push_str(&line(sign, row, row.wanted.as_deref().or(row.found.first().map(String::as_str)).unwrap_or("")));
    }
    out
}

fn line(sign: char, row: &Row, value: &str) -> String {
    let plain: String = value.chars().map(|c| if c.is_control() { '?' } else { c }).collect();
    format!("  {sign} {} {} {plain}\n", row.name, row.rtype)
}
