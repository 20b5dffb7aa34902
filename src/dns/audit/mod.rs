//! What one server's zone does not tell: the records of others, reverse names, policies on the web.
//!
//! [`check`](super::check) judges what the authoritative servers of a domain said. This asks further, through resolvers
//! or through the one server that the user names, and judges what comes back. A server that has no business with a
//! name of somebody else and says so leaves a note; everything else that fails is unknown.

mod caa;
mod dkim;
mod dmarc;
mod joined;
mod mta_sts;
mod mx;
mod resolvers;
mod reverse;
mod services;
mod spf;
mod tls;
mod web;
mod zone;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Mutex,
    time::Duration,
};

use tokio::time::{Instant, timeout_at};

pub(super) use self::joined::platform_passes;
pub use self::{
    joined::join,
    mta_sts::{look_at_policy, policy_page},
    resolvers::compare,
    web::{Page, Web, WebError, Wire},
};
use super::{Lookups, check::why};
use crate::{
    diag::{Finding, Severity},
    dns::check::{Complete as _, finding},
    model::{DnsTopic, DnsView, Domain, ExpectedRecord, Question, RecordType, Verdict},
};

/// How long an audit may ask.
const PATIENCE: Duration = Duration::from_secs(60);

/// What is audited, and by what means.
pub struct Audit<'a> {
    /// The domain.
    pub domain: &'a Domain,
    /// What its platform wants; empty when nobody knows.
    pub expected: &'a [ExpectedRecord],
    /// What the platform that is being left wants, as long as it still sends; empty without one.
    pub leaving: &'a [ExpectedRecord],
    /// What its servers said.
    pub view: &'a DnsView,
    /// Who answers questions about other names.
    pub dns: &'a dyn Lookups,
    /// Who fetches policies; without, they are not looked at.
    pub web: Option<&'a dyn Web>,
    /// Selectors of keys to look at besides those the platform names.
    pub selectors: &'a [String],
    /// Whether `dns` may serve some names only, as a server does that the user names; a resolver serves all.
    pub partial: bool,
}

/// The findings of an audit, with every question asked for them.
#[derive(Clone, Debug, Default)]
pub struct Audited {
    /// What was found.
    pub findings: Vec<Finding>,
    /// What was asked, and what was answered.
    pub answers: BTreeMap<Question, Verdict>,
}

impl Audit<'_> {
    /// Asks and judges. Never fails: what could not be found out is a finding.
    ///
    /// Where the servers of the domain said nothing there is nothing to go on from, and nothing more is asked. After a
    /// minute every further question counts as unanswered, so that silence of others cannot hold it for ever.
    pub async fn run(&self) -> Audited {
        let answered = self.view.servers.values().flat_map(|s| s.answers.values()).any(Verdict::is_known);
        if !answered {
            return Audited::default();
        }
        // A label that nobody publishes, and that no server can have been prepared for.
        let canary = format!("rehome-{:08x}", rand::random::<u32>());
        let scene = Scene { audit: self, canary, answers: Mutex::default(), until: Instant::now() + PATIENCE };
        let mut findings = zone::check(&scene).await;
        findings.extend(mx::check(&scene).await);
        findings.extend(spf::check(&scene).await);
        findings.extend(dkim::check(&scene).await);
        findings.extend(dmarc::check(&scene).await);
        findings.extend(mta_sts::check(&scene).await);
        findings.extend(tls::check(&scene).await);
        findings.extend(services::check(&scene).await);
        findings.extend(reverse::check(&scene).await);
        findings.extend(caa::check(&scene).await);
        let mut told = BTreeSet::new();
        findings.retain(|f| told.insert(f.clone()));
        let answers = scene.answers.into_inner().unwrap_or_default();
        Audited { findings, answers }
    }
}

/// An audit on its way.
struct Scene<'a> {
    audit: &'a Audit<'a>,
    canary: String,
    answers: Mutex<BTreeMap<Question, Verdict>>,
    until: Instant,
}

#[async_trait::async_trait]
impl Lookups for Scene<'_> {
    /// Asks each question once.
    async fn lookup(&self, question: &Question) -> Verdict {
        let known = self.answers.lock().ok().and_then(|a| a.get(question).cloned());
        if let Some(verdict) = known {
            return verdict;
        }
        let asked = timeout_at(self.until, self.audit.dns.lookup(question)).await;
        let verdict = asked.unwrap_or(Verdict::Timeout);
        if let Ok(mut answers) = self.answers.lock() {
            answers.insert(question.clone(), verdict.clone());
        }
        verdict
    }

    async fn signed(&self, question: &Question) -> Option<bool> {
        timeout_at(self.until, self.audit.dns.signed(question)).await.ok().flatten()
    }
}

impl Scene<'_> {
    fn domain(&self) -> &Domain {
        self.audit.domain
    }

    async fn ask(&self, name: &str, rtype: RecordType) -> Verdict {
        self.lookup(&Question { name: name.to_owned(), rtype }).await
    }

    /// The values of a record; none with a finding when nobody could tell.
    async fn values(&self, name: &str, rtype: RecordType) -> Result<Vec<String>, Box<Finding>> {
        match self.ask(name, rtype).await {
            Verdict::Found { values, .. } => Ok(values),
            Verdict::NoData | Verdict::NxDomain => Ok(Vec::new()),
            failed => Err(Box::new(self.unsure(name, rtype, &failed))),
        }
    }

    /// What a failed question means. A server that was named by the user and does not serve a name of somebody else
    /// has done nothing wrong, and nothing is decided by it.
    fn unsure(&self, name: &str, rtype: RecordType, verdict: &Verdict) -> Finding {
        let (name, subject) = (name.trim_end_matches('.'), format!("{name} {rtype}"));
        let own = name == self.domain().as_str() || name.ends_with(&format!(".{}", self.domain()));
        let refused = matches!(verdict, Verdict::Refused | Verdict::Lame | Verdict::Unreachable { .. });
        if self.audit.partial && refused && !own {
            let message = format!("the {rtype} records of {name} are not served by the server that was asked");
            return finding("dns-elsewhere", Severity::Info, subject, message)
                .actual(why(verdict))
                .fix("ask a resolver to have it looked at too");
        }
        let message = format!("nobody could tell the {rtype} records of {name}");
        finding("dns-unknown", Severity::Unknown, subject, message)
            .actual(why(verdict))
            .fix("ask again later; as long as it is unknown, nothing is concluded from it")
    }

    /// The same for a question that decides nothing about mail: its answer is missed, and nobody has to wait for it.
    fn aside(unsure: Finding) -> Finding {
        let severity = if unsure.severity == Severity::Unknown { Severity::Info } else { unsure.severity };
        Finding { severity, ..unsure }
    }

    /// What the domain's own servers said to a question, all of them together.
    fn own(&self, name: &str, rtype: RecordType) -> Vec<String> {
        let question = Question { name: name.to_owned(), rtype };
        let said = self.audit.view.servers.values().filter_map(|s| s.answers.get(&question));
        let values: BTreeSet<String> = said.flat_map(|v| v.values().iter().cloned()).collect();
        values.into_iter().collect()
    }

    /// The hosts that take mail now.
    fn mail_servers(&self) -> Vec<String> {
        let mx = self.own(self.domain().as_str(), RecordType::Mx);
        let hosts = mx.iter().filter_map(|v| v.split_once(' ')).map(|(_, host)| host.to_owned());
        hosts.filter(|h| h != ".").collect::<BTreeSet<_>>().into_iter().collect()
    }

    /// The hosts that will take mail on the platform.
    fn wanted_servers(&self) -> Vec<String> {
        let wanted = self.audit.expected.iter().filter(|r| r.topic == DnsTopic::Mx && !r.value.contains('*'));
        wanted.filter_map(|r| r.value.split_once(' ')).map(|(_, host)| host.to_owned()).collect()
    }

    /// Whether a name lies inside the domain.
    fn is_own(&self, name: &str) -> bool {
        name == self.domain().as_str() || name.ends_with(&format!(".{}", self.domain()))
    }

    /// Whether a host is an alias, has addresses, or neither; `None` with a finding when nobody could tell.
    async fn host(&self, name: &str) -> Result<Host, Box<Finding>> {
        if let Some(target) = self.values(name, RecordType::Cname).await?.pop() {
            return Ok(Host::Alias(target));
        }
        let mut addresses = self.values(name, RecordType::A).await?;
        addresses.extend(self.values(name, RecordType::Aaaa).await?);
        Ok(if addresses.is_empty() { Host::Nowhere } else { Host::At(addresses) })
    }
}

/// What a name leads to.
enum Host {
    Alias(String),
    At(Vec<String>),
    Nowhere,
}
