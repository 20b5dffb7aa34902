//! `check_host()` (RFC 7208 4).

use std::{collections::BTreeMap, net::IpAddr, time::Duration};

use futures::future::BoxFuture;
use tokio::time::Instant;

use super::{
    expand::{Values, needs_validated},
    macros::{MacroString, Place},
    names::{bare, cut, is_mail_domain, is_within},
    near::{near, within4, within6},
    questions::HOSTS,
    record::{DualCidr, Mechanism, Qualifier, Record, is_record, parse},
    result::{Evaluation, Outcome, Request, Step},
};
use crate::{
    dns::Lookups,
    model::{Question, RecordType, Verdict},
};

/// How long a receiver has to be patient at least (RFC 7208 4.6.4).
const PATIENCE: Duration = Duration::from_secs(20);

/// Judges whether a client may send for a domain. Never fails: what went wrong is the result.
pub async fn evaluate(dns: &dyn Lookups, request: &Request) -> Evaluation {
    let ip = request.ip.to_canonical();
    let helo = request.helo.clone().unwrap_or_else(|| request.domain.clone());
    let (local, origin) = match request.sender.as_deref() {
        None => ("postmaster".to_owned(), request.domain.clone()),
        Some("") => ("postmaster".to_owned(), helo.clone()),
        Some(sender) => {
            let (local, origin) = sender.rsplit_once('@').unwrap_or(("", sender));
            (if local.is_empty() { "postmaster" } else { local }.to_owned(), origin.to_owned())
        }
    };
    let until = Instant::now() + PATIENCE;
    let told = Sender { ip, local, origin, helo, receiver: request.receiver.clone(), time: request.time };
    let mut run = Run { dns, told, until, lookups: 0, voids: 0, trace: Vec::new(), known: BTreeMap::new() };
    let (result, explanation) = run.begin(&request.domain).await;
    Evaluation { result, lookups: run.lookups, voids: run.voids, explanation, trace: run.trace }
}

/// The message that is judged.
pub(super) struct Sender {
    pub(super) ip: IpAddr,
    local: String,
    origin: String,
    helo: String,
    receiver: String,
    time: i64,
}

/// An evaluation on its way.
pub(super) struct Run<'a> {
    pub(super) dns: &'a dyn Lookups,
    pub(super) told: Sender,
    pub(super) until: Instant,
    pub(super) lookups: usize,
    pub(super) voids: usize,
    trace: Vec<Step>,
    pub(super) known: BTreeMap<Question, Verdict>,
}

/// What ends the whole evaluation, however deep it is.
pub(super) enum Stop {
    Perm(String),
    Temp(String),
}

/// A record and where it stands.
#[derive(Clone, Copy)]
struct Here<'a> {
    domain: &'a str,
    depth: usize,
}

/// What one record says, with the explanation that goes with it.
struct Said {
    result: Outcome,
    explanation: Option<(MacroString, String)>,
}

impl Run<'_> {
    async fn begin(&mut self, domain: &str) -> (Outcome, Option<String>) {
        let here = Here { domain: &bare(domain), depth: 0 };
        if !is_mail_domain(domain) {
            self.note(here, "v=spf1", "not a domain name that mail can have");
            return (Outcome::None, None);
        }
        match self.check(here).await {
            Ok(said) => {
                let explanation = match said.explanation {
                    Some((text, domain)) if said.result == Outcome::Fail => self.explain(&text, &domain).await,
                    _ => None,
                };
                (said.result, explanation)
            }
            Err(Stop::Perm(_)) => (Outcome::PermError, None),
            Err(Stop::Temp(_)) => (Outcome::TempError, None),
        }
    }

    fn note(&mut self, here: Here<'_>, term: &str, outcome: impl Into<String>) {
        let (depth, domain) = (here.depth, here.domain.to_owned());
        self.trace.push(Step { depth, domain, term: term.to_owned(), outcome: outcome.into() });
    }

    /// Judges by the record of one domain.
    fn check<'s>(&'s mut self, here: Here<'s>) -> BoxFuture<'s, Result<Said, Stop>> {
        Box::pin(async move {
            let Some(record) = self.record(here).await? else {
                return Ok(Said { result: Outcome::None, explanation: None });
            };
            for directive in &record.directives {
                let found = self.matches(here, &directive.text, &directive.mechanism).await;
                let found = found.map_err(|stop| self.stopped(here, &directive.text, stop))?;
                if found {
                    let result = match directive.qualifier {
                        Qualifier::Pass => Outcome::Pass,
                        Qualifier::Fail => Outcome::Fail,
                        Qualifier::SoftFail => Outcome::SoftFail,
                        Qualifier::Neutral => Outcome::Neutral,
                    };
                    self.note(here, &directive.text, format!("match: {result}"));
                    let explanation = record.explanation.map(|text| (text, here.domain.to_owned()));
                    return Ok(Said { result, explanation });
                }
            }
            match &record.redirect {
                Some(target) => self.redirect(here, target).await,
                None => {
                    self.note(here, "", "nothing matched: neutral");
                    Ok(Said { result: Outcome::Neutral, explanation: None })
                }
            }
        })
    }

    /// Writes down why it ends, once.
    fn stopped(&mut self, here: Here<'_>, term: &str, stop: Stop) -> Stop {
        let (word, why) = match &stop {
            Stop::Perm(why) => (Outcome::PermError, why),
            Stop::Temp(why) => (Outcome::TempError, why),
        };
        self.note(here, term, if why.is_empty() { word.to_string() } else { format!("{word}: {why}") });
        match stop {
            Stop::Perm(_) => Stop::Perm(String::new()),
            Stop::Temp(_) => Stop::Temp(String::new()),
        }
    }

    async fn redirect(&mut self, here: Here<'_>, target: &MacroString) -> Result<Said, Stop> {
        let domain = match self.costly() {
            Ok(()) => self.expand(target, here.domain).await,
            Err(stop) => return Err(self.stopped(here, "redirect=", stop)),
        };
        self.note(here, "redirect=", format!("nothing matched: on to {domain}"));
        let there = Here { domain: &bare(&domain), depth: here.depth + 1 };
        let said = self.check(there).await?;
        if said.result == Outcome::None {
            let stop = Stop::Perm(format!("{domain} has no record"));
            return Err(self.stopped(here, "redirect=", stop));
        }
        Ok(said)
    }

    /// The record of a domain, read completely; none when it has none.
    async fn record(&mut self, here: Here<'_>) -> Result<Option<Record>, Stop> {
        let term = "v=spf1";
        let texts = match self.ask(here.domain, RecordType::Txt).await {
            Ok(texts) => texts,
            Err(stop) => return Err(self.stopped(here, term, stop)),
        };
        let mut records: Vec<String> = texts.into_iter().filter(|t| is_record(t)).collect();
        let Some(text) = records.pop() else {
            self.note(here, term, "no record");
            return Ok(None);
        };
        if !records.is_empty() {
            let stop = Stop::Perm(format!("{} records where one is allowed", records.len() + 1));
            return Err(self.stopped(here, term, stop));
        }
        self.note(here, term, text.clone());
        parse(&text).map(Some).map_err(|wrong| {
            let told: Vec<String> = wrong.iter().map(ToString::to_string).collect();
            self.stopped(here, term, Stop::Perm(told.join("; ")))
        })
    }

    async fn matches(&mut self, here: Here<'_>, text: &str, mechanism: &Mechanism) -> Result<bool, Stop> {
        if mechanism.costs() {
            self.costly()?;
        }
        let ip = self.told.ip;
        let found = match mechanism {
            Mechanism::All => true,
            Mechanism::Ip4(network, bits) => matches!(ip, IpAddr::V4(v4) if within4(v4, *network, *bits)),
            Mechanism::Ip6(network, bits) => matches!(ip, IpAddr::V6(v6) if within6(v6, *network, *bits)),
            Mechanism::Include(target) => {
                let domain = self.expand(target, here.domain).await;
                return self.include(here, text, &domain).await;
            }
            Mechanism::A(target, cidr) => {
                let host = self.target(target.as_ref(), here).await;
                let addresses = self.addresses(&host).await?;
                self.void(addresses.is_empty())?;
                addresses.into_iter().any(|a| near(a, ip, *cidr))
            }
            Mechanism::Mx(target, cidr) => {
                let domain = self.target(target.as_ref(), here).await;
                self.mail_servers(&domain, *cidr).await?
            }
            Mechanism::Ptr(target) => {
                let domain = self.target(target.as_ref(), here).await;
                let names = self.validated().await?;
                names.iter().any(|name| is_within(name, &domain))
            }
            Mechanism::Exists(target) => {
                let name = self.expand(target, here.domain).await;
                let found = self.ask(&name, RecordType::A).await?;
                self.void(found.is_empty())?;
                !found.is_empty()
            }
        };
        if !found {
            self.note(here, text, "no match");
        }
        Ok(found)
    }

    async fn include(&mut self, here: Here<'_>, text: &str, domain: &str) -> Result<bool, Stop> {
        let there = Here { domain: &bare(domain), depth: here.depth + 1 };
        let said = self.check(there).await?.result;
        match said {
            Outcome::Pass => Ok(true),
            Outcome::None => Err(Stop::Perm(format!("{domain} has no record"))),
            other => {
                self.note(here, text, format!("no match: {domain} says {other}"));
                Ok(false)
            }
        }
    }

    async fn mail_servers(&mut self, domain: &str, cidr: DualCidr) -> Result<bool, Stop> {
        let found = self.ask(domain, RecordType::Mx).await?;
        self.void(found.is_empty())?;
        if found.len() > HOSTS {
            return Err(Stop::Perm(format!("{domain} has more than {HOSTS} mail servers")));
        }
        for host in found.iter().filter_map(|mx| mx.split_once(' ')).map(|(_, host)| host).filter(|h| *h != ".") {
            let addresses = self.addresses(host).await?;
            if addresses.into_iter().any(|a| near(a, self.told.ip, cidr)) {
                return Ok(true);
            }
        }
        Ok(false)
    }

    async fn target(&mut self, target: Option<&MacroString>, here: Here<'_>) -> String {
        match target {
            Some(text) => self.expand(text, here.domain).await,
            None => here.domain.to_owned(),
        }
    }

    /// Expands a name: too long ones are cut from the left, and a backslash is a character like any other.
    async fn expand(&mut self, text: &MacroString, domain: &str) -> String {
        cut(&self.text(text, domain).await).replace('\\', "\\\\")
    }

    async fn text(&mut self, text: &MacroString, domain: &str) -> String {
        let validated = if needs_validated(text) { self.validated_name(domain).await } else { String::new() };
        let told = &self.told;
        let values = Values {
            local: &told.local,
            origin: &told.origin,
            domain,
            ip: told.ip,
            validated: &validated,
            helo: &told.helo,
            receiver: &told.receiver,
            time: told.time,
        };
        values.expand(text)
    }

    /// The explanation of a failure. It costs nothing and whatever is wrong with it means that there is none (6.2).
    async fn explain(&mut self, target: &MacroString, domain: &str) -> Option<String> {
        let name = self.expand(target, domain).await;
        let found = self.ask(&name, RecordType::Txt).await.ok()?;
        let [text] = found.as_slice() else { return None };
        let text = MacroString::parse(text, Place::Explanation).ok()?;
        let out = self.text(&text, domain).await;
        self.note(Here { domain, depth: 0 }, "exp=", format!("explained by {name}"));
        out.is_ascii().then_some(out)
    }
}
