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
        self, Nameserver, Servers,
        audit::{Audit, Wire, compare, join},
    },
    model::{CutoverWork, DnsTopic, DnsView, Domain, ExpectedRecord, Inventory, PlatformId, PlatformView},
    observe, plan,
    provider::{ProviderError, Reader, Scope, ZoneWriter},
    report::Basis,
    spec::{DomainSpec, Spec},
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
            Ok(look) => dns::check(domain, topics, &look.expected, &look.view),
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
        cutover::sight(work, &servers, &observe::resolvers(self.spec, domain), self.ports).await
    }
}

/// What is known of the names of a domain.
struct Look {
    /// What should be there.
    expected: Vec<ExpectedRecord>,
    /// What the platform that is being left wants, as long as mail may still be sent from there.
    leaving: Vec<ExpectedRecord>,
    /// What the servers of the domain say.
    view: DnsView,
}

impl Names<'_> {
    /// What is expected, and what the servers of the domain say.
    async fn look(
        &self,
        platform: &PlatformId,
        domain: &Domain,
        topics: &BTreeSet<DnsTopic>,
    ) -> Result<Look, Box<Finding>> {
        let Some(of) = self.spec.domains.get(domain) else {
            return Ok(Look { expected: Vec::new(), leaving: Vec::new(), view: DnsView::default() });
        };
        let mut inventory = Inventory::default();
        match self.seen(platform, domain).await {
            Ok(view) => inventory.platforms.extend(view.map(|v| (platform.clone(), v))),
            Err(error) => return Err(Box::new(expectation_unknown(platform, domain, &error))),
        }
        if let Some(migrate) = of.migrate.as_ref().filter(|m| m.from != *platform) {
            // Of a platform that is left and cannot be read, the data file says enough.
            let view = self.seen(&migrate.from, domain).await.ok().flatten();
            inventory.platforms.extend(view.map(|v| (migrate.from.clone(), v)));
        }
        let mut of = of.clone();
        if of.platform != *platform {
            // Mail goes back: what the spec says of its own platform is not meant.
            of = DomainSpec { platform: platform.clone(), migrate: None, ..of };
            of.dns.mx.clear();
        }
        let wish = plan::wish(self.spec, &inventory, domain, &of);
        let servers = observe::dns_servers(self.spec, domain, &self.servers);
        let mut view = dns::observe(domain, &wish.questions(), topics, &servers).await;
        if let Ok((world, _)) = self.world(domain, &observe::resolvers(self.spec, domain)) {
            dns::follow_away(&mut view, &world).await;
        }
        Ok(Look { expected: wish.expected(&view), leaving: wish.leaving(&view), view })
    }

    /// A platform as it shows a domain; nothing where nobody reads it.
    async fn seen(&self, platform: &PlatformId, domain: &Domain) -> Result<Option<PlatformView>, ProviderError> {
        let Some(reader) = self.readers.get(platform) else { return Ok(None) };
        let scope = Scope { domains: BTreeSet::from([domain.clone()]), ..Scope::default() };
        reader.observe(&scope).await.map(Some)
    }

    /// The same, and what needs the records of others: what SPF costs and whom it lets in, where keys lead, hosts behind
    /// mail servers, policies. Of these only what is wrong or unknown is told, beside what it rests on.
    pub(super) async fn check_thoroughly(
        &self,
        platform: &PlatformId,
        domain: &Domain,
        topics: &BTreeSet<DnsTopic>,
    ) -> (Vec<Finding>, Basis) {
        let Look { expected, leaving, view } = match self.look(platform, domain, topics).await {
            Ok(seen) => seen,
            Err(unknown) => return (vec![*unknown], Basis::default()),
        };
        let mut findings = dns::check(domain, topics, &expected, &view);
        let asked: Vec<ExpectedRecord> = expected.iter().filter(|r| topics.contains(&r.topic)).cloned().collect();
        let rows = dns::diff(&asked, &view, &findings);
        let mut basis = Basis { rows, view, asked: BTreeMap::new() };
        if basis.view.failure.is_some() {
            return (findings, basis);
        }
        let resolvers = observe::resolvers(self.spec, domain);
        let (world, partial) = match self.world(domain, &resolvers) {
            Ok(world) => world,
            Err(unknown) => {
                findings.push(*unknown);
                return (findings, basis);
            }
        };
        if !resolvers.is_empty() {
            let told = world.ask_each(&dns::questions(domain, &expected, topics)).await;
            findings.extend(compare(&basis.view, &told));
        }
        let audit = Audit {
            domain,
            expected: &expected,
            leaving: &leaving,
            view: &basis.view,
            dns: &world,
            web: Some(&Wire),
            selectors: &[],
            partial,
        };
        let audited = audit.run().await;
        let calm = ["dmarc-inherited", "dkim-ok", "spf-platform-passes"];
        let worth = |f: &Finding| f.severity >= Severity::Warning || calm.contains(&f.code.as_str());
        let further = audited.findings.into_iter().filter(|f| worth(f) && belongs(&f.code, topics)).collect();
        basis.asked = audited.answers;
        let findings = join(findings, further);
        basis.rows = dns::diff(&asked, &basis.view, &findings);
        (findings, basis)
    }

    /// Who answers questions about the names of others, and whether they serve some names only.
    fn world(&self, domain: &Domain, resolvers: &[Nameserver]) -> Result<(Servers, bool), Box<Finding>> {
        let servers = observe::dns_servers(self.spec, domain, &self.servers);
        let partial = resolvers.is_empty() && !servers.is_empty();
        Servers::of_others(resolvers, &servers).map(|world| (world, partial)).map_err(|reason| {
            Box::new(Finding {
                code: "dns-unknown".to_owned(),
                severity: Severity::Unknown,
                subject: domain.to_string(),
                message: "the records of others could not be looked at: who else sends, and where mail servers are"
                    .to_owned(),
                expected: None,
                actual: Some(reason),
                fix: Some("name a resolver in the spec, as `dns.resolvers`".to_owned()),
            })
        })
    }
}

/// Whether a finding of an audit is about one of the topics.
fn belongs(code: &str, topics: &BTreeSet<DnsTopic>) -> bool {
    let families: [(DnsTopic, &[&str]); 6] = [
        (DnsTopic::MtaSts, &["mta-sts-"]),
        (DnsTopic::TlsRpt, &["tls-rpt-"]),
        (DnsTopic::Mx, &["mx-", "ptr-", "tlsa-", "mta-sts-", "tls-rpt-"]),
        (DnsTopic::Spf, &["spf-"]),
        (DnsTopic::Dkim, &["dkim-"]),
        (DnsTopic::Dmarc, &["dmarc-", "bimi-"]),
    ];
    let named = |words: &[&str]| words.iter().any(|w| code.starts_with(w));
    let mut about = families.iter().filter(|(_, words)| named(words)).peekable();
    if about.peek().is_none() {
        return !named(&["srv-", "caa-"]) || topics.contains(&DnsTopic::Autodiscover);
    }
    about.any(|(topic, _)| topics.contains(topic))
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
