//! `rehome dns check`: the mail DNS of any domain, judged.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    net::SocketAddr,
    path::PathBuf,
};

use serde_json::Value;

use crate::{
    cli::{
        args::{CheckArgs, Format},
        context::Context,
        failure::Failure,
        runner::exit_of_findings,
    },
    diag::Exit,
    dns::{
        self, Anchors, Client, Nameserver, Platform, Servers, Validator,
        audit::{Audit, Wire, compare, join},
        platform, platform_words,
    },
    model::{DnsTopic, DnsView, Domain},
    report::{self, Basis, Checked},
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
    let mut leaving =
        named(args.from.as_deref())?.map(|p| p.expected(&domain, &DnsView::default())).unwrap_or_default();
    leaving.retain(|r| !r.value.contains('*'));
    let questions = platform.as_ref().map(|p| p.questions(&domain)).unwrap_or_default();
    let client = standing(super::client(context, true), &domain, &args.server).await;
    let topics = topics(platform.is_some());
    let world = world(context, &args)?;
    let mut view = client.observe(&domain, &questions, &topics, &args.server).await;
    dns::follow_away(&mut view, &world).await;
    let expected = platform.as_ref().map(|p| p.expected(&domain, &view)).unwrap_or_default();
    let mut findings = dns::check(&domain, &topics, &expected, &view);
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
            partial: !args.server.is_empty(),
        };
        let audited = audit.run().await;
        findings = join(findings, audited.findings);
        asked = audited.answers;
    }
    if !args.resolver.is_empty() {
        let resolvers = Client { authority: false, ..client };
        let questions = dns::questions(&domain, &expected, &topics);
        let told = Servers::new(resolvers, args.resolver.clone()).ask_each(&questions).await;
        findings.extend(compare(&view, &told));
    }
    if args.dnssec || !args.trust_anchor.is_empty() {
        let named = Servers::new(super::client(context, false), args.server.clone());
        let asked = if args.server.is_empty() { &world } else { &named };
        let validator = Validator::new(super::client(context, false), asked.servers(), &anchors(&args.trust_anchor)?);
        findings.extend(validator.findings(&dns::questions(&domain, &expected, &topics)).await);
    }
    let exit = exit_of_findings(&findings);
    let basis = Basis { rows: dns::diff(&expected, &view, &findings), view, asked };
    let checked = [Checked::new(format!("DNS of {}", domain.both()), findings).with_basis(basis)];
    let text = match context.global.format {
        Format::Json => {
            let mut told = report::findings_json(&checked);
            lift(&mut told);
            format!("{}\n", serde_json::to_string_pretty(&told).unwrap_or_default())
        }
        Format::Markdown => report::findings_markdown(&checked),
        Format::Human | Format::Html => report::findings_text(&checked, &context.looks()),
    };
    context.answer(&text)?;
    Ok(exit)
}

/// Of one domain, records and servers stand at the top as well, where programs look for them.
fn lift(told: &mut Value) {
    for key in ["records", "servers"] {
        let value = told.pointer(&format!("/checked/0/{key}")).cloned();
        if let (Some(object), Some(value)) = (told.as_object_mut(), value) {
            object.insert(key.to_owned(), value);
        }
    }
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
    // The server first; what it does not serve, the resolvers may know.
    let servers = args.server.iter().copied().map(Nameserver::from);
    let named: Vec<Nameserver> = servers.chain(args.resolver.iter().cloned()).collect();
    if !named.is_empty() {
        return Ok(Servers::new(client, named));
    }
    Servers::system(client).map_err(|e| Failure::new(Exit::Unreachable, e).help("name one with --resolver"))
}
