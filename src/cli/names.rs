//! Asks DNS what a platform wants to be true.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use async_trait::async_trait;

use super::{context::Ports, cutover, post::Postman};
use crate::{
    apply::{CutoverSight, Dns, Post},
    diag::{self, Finding, Severity},
    dns::{
        self, Client, Nameserver, Servers,
        audit::{Audit, Wire, compare},
    },
    model::{CutoverWork, DnsTopic, DnsView, Domain, ExpectedRecord, PlatformId},
    observe,
    provider::{ProviderError, Reader, Scope, ZoneWriter},
    spec::Spec,
};

/// Asks DNS what a platform wants to be true.
pub(super) struct Names<'a> {
    /// The spec.
    pub(super) spec: &'a Spec,
    /// The platforms: they tell what they expect, once they have the domain.
    pub(super) readers: &'a BTreeMap<PlatformId, Arc<dyn Reader>>,
    /// Servers to ask instead of each domain's own.
    pub(super) servers: Vec<std::net::SocketAddr>,
    /// Who writes which zone; nobody for commands that only look.
    pub(super) writers: BTreeMap<Domain, Box<dyn ZoneWriter>>,
    /// Where servers listen.
    pub(super) ports: Ports,
    /// Who sends the test messages of moves; nobody for commands that only look.
    pub(super) post: Option<Postman<'a>>,
}

#[async_trait]
impl Dns for Names<'_> {
    async fn check(&self, platform: &PlatformId, domain: &Domain, topics: &BTreeSet<DnsTopic>) -> Vec<Finding> {
        match self.look(platform, domain, topics).await {
            Ok((expected, view)) => dns::check(domain, topics, &expected, &view),
            Err(unknown) => vec![*unknown],
        }
    }

    fn writer(&self, domain: &Domain) -> Option<&dyn ZoneWriter> {
        self.writers.get(domain).map(AsRef::as_ref)
    }

    fn post(&self) -> Option<&dyn Post> {
        self.post.as_ref().map(|post| post as &dyn Post)
    }

    async fn sight(&self, work: &CutoverWork) -> CutoverSight {
        let domain = &work.switch.domain;
        let servers = observe::dns_servers(self.spec, domain, &self.servers);
        cutover::sight(work, &servers, &self.resolvers(domain), self.ports).await
    }
}

impl Names<'_> {
    /// What the platform expects, and what the servers of the domain say.
    async fn look(
        &self,
        platform: &PlatformId,
        domain: &Domain,
        topics: &BTreeSet<DnsTopic>,
    ) -> Result<(Vec<ExpectedRecord>, DnsView), Box<Finding>> {
        let expected = match self.readers.get(platform) {
            None => Vec::new(),
            Some(reader) => {
                let scope = Scope { domains: BTreeSet::from([domain.clone()]), ..Scope::default() };
                match reader.observe(&scope).await {
                    Ok(view) => view.domains.get(domain).map(|d| d.expected.clone()).unwrap_or_default(),
                    Err(error) => return Err(Box::new(expectation_unknown(platform, domain, &error))),
                }
            }
        };
        let servers = observe::dns_servers(self.spec, domain, &self.servers);
        let view = dns::observe(domain, &expected, topics, &servers).await;
        Ok((expected, view))
    }

    /// The resolvers that the spec names for a domain.
    fn resolvers(&self, domain: &Domain) -> Vec<Nameserver> {
        let named = self.spec.domains.get(domain).map(|d| d.dns.resolvers.as_slice()).unwrap_or_default();
        named.iter().filter_map(|text| text.parse().ok()).collect()
    }

    /// What the platform that a domain leaves wants, as long as mail may still be sent from there: its own words, else
    /// those of its data file. What cannot be read is not judged.
    async fn leaving(&self, domain: &Domain) -> Vec<ExpectedRecord> {
        let Some(migrate) = self.spec.domains.get(domain).and_then(|d| d.migrate.as_ref()) else { return Vec::new() };
        let scope = Scope { domains: BTreeSet::from([domain.clone()]), ..Scope::default() };
        let seen = match self.readers.get(&migrate.from) {
            Some(reader) => reader.observe(&scope).await.ok(),
            None => None,
        };
        let told = seen.and_then(|view| view.domains.get(domain).map(|d| d.expected.clone())).unwrap_or_default();
        if !told.is_empty() {
            return told;
        }
        let Some(kind) = self.spec.platforms.get(&migrate.from).map(|p| p.kind) else { return Vec::new() };
        let Some(data) = dns::platform(kind.word()) else { return Vec::new() };
        let mut records = data.expected(domain, &DnsView::default());
        records.retain(|r| !r.value.contains('*'));
        records
    }

    /// The same, and what needs the records of others: what SPF costs and whom it lets in, hosts behind mail servers,
    /// policies. Of these only what is wrong is told; what nobody could tell is a note, for the verdict rests on the
    /// domain's own servers.
    pub(super) async fn check_thoroughly(
        &self,
        platform: &PlatformId,
        domain: &Domain,
        topics: &BTreeSet<DnsTopic>,
    ) -> Vec<Finding> {
        let (expected, view) = match self.look(platform, domain, topics).await {
            Ok(seen) => seen,
            Err(unknown) => return vec![*unknown],
        };
        let mut findings = dns::check(domain, topics, &expected, &view);
        let client = Client { authority: false, ..Client::default() };
        let servers = observe::dns_servers(self.spec, domain, &self.servers);
        let resolvers = self.resolvers(domain);
        let world = if !resolvers.is_empty() {
            Ok(Servers::new(client, resolvers.clone()))
        } else if servers.is_empty() {
            Servers::system(client)
        } else {
            Ok(Servers::new(client, servers))
        };
        let Ok(world) = world else { return findings };
        if view.failure.is_some() {
            return findings;
        }
        if !resolvers.is_empty() {
            let told = world.ask_each(&dns::questions(domain, &expected, topics)).await;
            findings.extend(compare(&view, &told));
        }
        let leaving = self.leaving(domain).await;
        let audit = Audit {
            domain,
            expected: &expected,
            leaving: &leaving,
            view: &view,
            dns: &world,
            web: Some(&Wire),
            selectors: &[],
        };
        let further = audit.run().await.findings;
        let told = further.into_iter().filter(|f| f.severity >= Severity::Warning && belongs(&f.code, topics));
        findings.extend(told.map(|f| match f.severity {
            Severity::Unknown => Finding { severity: Severity::Info, ..f },
            _ => f,
        }));
        findings
    }
}

/// Whether a finding of an audit is about one of the topics.
fn belongs(code: &str, topics: &BTreeSet<DnsTopic>) -> bool {
    let families: [(DnsTopic, &[&str]); 3] = [
        (DnsTopic::Mx, &["mx-", "ptr-", "tlsa-", "mta-sts-", "tls-rpt-"]),
        (DnsTopic::Spf, &["spf-"]),
        (DnsTopic::Dmarc, &["dmarc-", "bimi-"]),
    ];
    let named = |words: &[&str]| words.iter().any(|w| code.starts_with(w));
    match families.iter().find(|(_, words)| named(words)) {
        Some((topic, _)) => topics.contains(topic),
        None => !named(&["srv-", "caa-"]) || topics.contains(&DnsTopic::Autodiscover),
    }
}

fn expectation_unknown(platform: &PlatformId, domain: &Domain, error: &ProviderError) -> Finding {
    Finding {
        code: "dns-expectation-unknown".to_owned(),
        severity: Severity::Unknown,
        subject: domain.to_string(),
        message: format!("{platform} does not tell what DNS should be: {}", diag::chain(error).join(": ")),
        expected: None,
        actual: None,
        fix: error.help.clone(),
    }
}
