//! What every authoritative server of a domain answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use futures::{StreamExt as _, stream};
use hickory_proto::{op::ResponseCode, rr::RData};

use super::{
    ask::Lookups,
    discover::{self, Found, Server},
    lookup::{Aside, Client},
    nameserver::Nameserver,
    wire,
};
use crate::model::{DnsTopic, DnsView, Domain, ExpectedRecord, Oddity, Question, RecordType, ServerView, Verdict};

/// Questions that one server gets at a time: more looks like an attack.
const AT_ONCE: usize = 2;

/// Asks each server everything that [`check`](super::check) needs for these topics. Without servers, those that the
/// delegation names are found through the system's resolver. Never fails: what went wrong is in the view.
pub async fn observe(
    domain: &Domain,
    expected: &[ExpectedRecord],
    topics: &BTreeSet<DnsTopic>,
    servers: &[SocketAddr],
) -> DnsView {
    Client::default().observe(domain, expected, topics, servers).await
}

impl Client {
    /// The same as [`observe`] with another patience.
    pub async fn observe(
        &self,
        domain: &Domain,
        expected: &[ExpectedRecord],
        topics: &BTreeSet<DnsTopic>,
        servers: &[SocketAddr],
    ) -> DnsView {
        self.ask_each(domain, &questions(domain, expected, topics), servers).await
    }

    /// Asks each authoritative server of a domain these questions. Without servers, those that the delegation names.
    pub async fn ask_each(&self, domain: &Domain, questions: &BTreeSet<Question>, servers: &[SocketAddr]) -> DnsView {
        match Self::servers_of(domain, servers).await {
            Ok(found) => {
                let view = self.ask_servers(domain, questions.clone(), found.servers).await;
                DnsView { lost: found.lost, cut: found.cut, ..view }
            }
            Err(failure) => DnsView { failure: Some(failure), ..DnsView::default() },
        }
    }

    async fn servers_of(domain: &Domain, named: &[SocketAddr]) -> Result<Found, String> {
        if named.is_empty() {
            return discover::servers(domain).await;
        }
        let servers = named.iter().map(|a| Server { label: a.to_string(), address: *a }).collect();
        Ok(Found { servers, ..Found::default() })
    }

    async fn ask_servers(&self, domain: &Domain, questions: BTreeSet<Question>, servers: Vec<Server>) -> DnsView {
        let views = stream::iter(servers.clone()).map(|server| {
            let questions = &questions;
            async move { (server.label, self.ask(server.address, domain, questions).await) }
        });
        let mut view = DnsView { servers: views.buffer_unordered(16).collect().await, ..DnsView::default() };
        self.sample(&servers, &mut view).await;
        view
    }

    /// Whether a server is a resolver: it offers recursion, and has no authority for the domain.
    pub async fn is_resolver(&self, server: SocketAddr, domain: &Domain) -> bool {
        let apex = Question { name: domain.to_string(), rtype: RecordType::Soa };
        let recursive = Self { authority: false, ..*self };
        let answer = recursive.exchange(server, &apex).await;
        answer.is_ok_and(|m| m.metadata.recursion_available && !m.metadata.authoritative)
    }

    async fn ask(&self, server: SocketAddr, domain: &Domain, questions: &BTreeSet<Question>) -> ServerView {
        let mut view = ServerView::default();
        let apex = Question { name: domain.to_string(), rtype: RecordType::Soa };
        match self.exchange(server, &apex).await {
            Ok(message) => {
                // A resolver that the user named is not asked for authority.
                view.authoritative = (message.metadata.authoritative || !self.authority)
                    && matches!(message.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
                // Of a domain inside a zone, the SOA comes along with "no such record".
                let soa = message.answers.iter().chain(&message.authorities).find_map(|r| match &r.data {
                    RData::SOA(soa) => Some((r, soa)),
                    _ => None,
                });
                if let Some((record, soa)) = soa {
                    view.serial = Some(soa.serial);
                    view.negative_ttl = Some(record.ttl.min(soa.minimum));
                    view.zone = Some(wire::text(&record.name));
                }
            }
            // A server that is silent once is not asked ten times more.
            Err(silence) => {
                let verdict = Verdict::from(silence);
                view.answers = questions.iter().map(|q| (q.clone(), verdict.clone())).collect();
                return view;
            }
        }
        let there = self.ask_all(server, questions.clone(), &mut view).await;
        let more = follow_ups(domain, &view.answers);
        self.ask_all(server, more, &mut view).await;
        self.beside(server, there, &mut view).await;
        view
    }

    /// Gives the questions, too, whose records stand at the very name.
    async fn ask_all(
        &self,
        server: SocketAddr,
        questions: BTreeSet<Question>,
        view: &mut ServerView,
    ) -> BTreeSet<Question> {
        let server = Nameserver::from(server);
        let asked = stream::iter(questions).map(|question| {
            let server = &server;
            async move {
                let mut aside = Aside::default();
                let verdict = self.look(server, &question, &mut aside).await;
                (question, verdict, aside)
            }
        });
        let told: Vec<_> = asked.buffer_unordered(AT_ONCE).collect().await;
        let mut there = BTreeSet::new();
        for (question, verdict, aside) in told {
            if !verdict.values().is_empty() && !aside.aliased && question.rtype != RecordType::Cname {
                there.insert(question.clone());
            }
            view.answers.insert(question, verdict);
            view.oddities.extend(aside.oddities);
        }
        there
    }

    /// Aliases beside other records, which no server should serve (RFC 1034 3.6.2). Only names are asked for one where
    /// people put aliases.
    async fn beside(&self, server: SocketAddr, there: BTreeSet<Question>, view: &mut ServerView) {
        for question in there.into_iter().filter(|q| takes_alias(&q.name)) {
            let alias = Question { name: question.name.clone(), rtype: RecordType::Cname };
            let said = match view.answers.get(&alias) {
                Some(said) => said.clone(),
                None => self.lookup(server, &alias).await,
            };
            if let Some(target) = said.values().first().cloned() {
                view.oddities.insert(Oddity::Beside { name: question.name, rtype: question.rtype, target });
            }
        }
    }
}

/// Whether people put an alias at such a name.
fn takes_alias(name: &str) -> bool {
    let (label, rest) = name.split_once('.').unwrap_or((name, ""));
    ["_dmarc", "_mta-sts", "autoconfig", "autodiscover"].contains(&label) || rest.starts_with("_domainkey.")
}

/// Follows the aliases that leave the zone, as those of policies and keys that others keep: the alias is what the
/// server of the domain says, and what stands behind it somebody else tells. What he cannot tell stays unknown.
pub async fn follow_away(view: &mut DnsView, world: &dyn Lookups) {
    for server in view.servers.values_mut() {
        let away: Vec<(String, String)> = server.oddities.iter().filter_map(away).collect();
        for (name, target) in away {
            let open = server.answers.iter_mut();
            for (question, verdict) in open.filter(|(q, v)| q.name == name && matches!(v, Verdict::Unreachable { .. }))
            {
                let behind = world.lookup(&Question { name: target.clone(), rtype: question.rtype }).await;
                if behind.is_known() {
                    *verdict = behind;
                }
            }
        }
    }
}

fn away(oddity: &Oddity) -> Option<(String, String)> {
    match oddity {
        Oddity::Away { name, target } => Some((name.clone(), target.clone())),
        _ => None,
    }
}

/// The questions behind a set of topics.
#[must_use]
pub fn questions(domain: &Domain, expected: &[ExpectedRecord], topics: &BTreeSet<DnsTopic>) -> BTreeSet<Question> {
    let mut out = BTreeSet::new();
    let mut ask = |name: String, rtype| {
        out.insert(Question { name, rtype });
    };
    for topic in topics {
        match topic {
            DnsTopic::Mx => ask(domain.to_string(), RecordType::Mx),
            DnsTopic::Spf => ask(domain.to_string(), RecordType::Txt),
            DnsTopic::Dmarc => {
                // A policy may stand above the domain (RFC 9989 4.10), and by mistake at the domain itself.
                ask(domain.to_string(), RecordType::Txt);
                // Registries are no business of the domain's own servers.
                for name in super::check::walk(domain.as_str()).into_iter().filter(|n| n.contains('.')) {
                    ask(format!("_dmarc.{name}"), RecordType::Txt);
                }
            }
            DnsTopic::Autodiscover => {
                ask(format!("_autodiscover._tcp.{domain}"), RecordType::Srv);
                ask(format!("autodiscover.{domain}"), RecordType::Cname);
                ask(format!("autodiscover.{domain}"), RecordType::A);
            }
            DnsTopic::Autoconfig => {
                ask(format!("autoconfig.{domain}"), RecordType::Cname);
                ask(format!("autoconfig.{domain}"), RecordType::A);
            }
            DnsTopic::MtaSts => ask(format!("_mta-sts.{domain}"), RecordType::Txt),
            DnsTopic::TlsRpt => ask(format!("_smtp._tls.{domain}"), RecordType::Txt),
            DnsTopic::Dkim | DnsTopic::Ownership => {}
        }
    }
    for record in expected.iter().filter(|r| topics.contains(&r.topic)) {
        ask(record.name.clone(), record.rtype);
        // A key may stand there itself where an alias to it was expected.
        if record.topic == DnsTopic::Dkim && record.rtype == RecordType::Cname {
            ask(record.name.clone(), RecordType::Txt);
        }
    }
    out
}

/// What the first answers make worth asking: whether mail servers inside the domain are hosts.
fn follow_ups(domain: &Domain, answers: &BTreeMap<Question, Verdict>) -> BTreeSet<Question> {
    let mx = Question { name: domain.to_string(), rtype: RecordType::Mx };
    let values = answers.get(&mx).map(Verdict::values).unwrap_or_default();
    let hosts = values.iter().filter_map(|v| v.split_once(' ')).map(|(_, host)| host);
    let inside = hosts.filter(|h| *h == domain.as_str() || h.ends_with(&format!(".{domain}")));
    let types = [RecordType::Cname, RecordType::A, RecordType::Aaaa];
    inside.flat_map(|h| types.map(|rtype| Question { name: h.to_owned(), rtype })).collect()
}
