//! The questions of an evaluation, and the counts that end it.

use std::net::IpAddr;

use tokio::time::timeout_at;

use super::{
    evaluate::{Run, Stop},
    names::{bare, can_be_asked, is_within, reverse},
    result::{LOOKUPS, VOIDS},
};
use crate::{
    dns::check::why,
    model::{Question, RecordType, Verdict},
};

/// How many mail servers of a domain, or names of an address, are looked at (RFC 7208 4.6.4).
pub(super) const HOSTS: usize = 10;

impl Run<'_> {
    /// The names of the client that lead back to it (RFC 7208 5.5). What fails on the way is passed over.
    pub(super) async fn validated(&mut self) -> Result<Vec<String>, Stop> {
        let ip = self.told.ip;
        let Ok(names) = self.ask(&reverse(ip), RecordType::Ptr).await else { return Ok(Vec::new()) };
        self.void(names.is_empty())?;
        let mut out = Vec::new();
        for name in names.into_iter().take(HOSTS) {
            let back = self.addresses(&name).await.unwrap_or_default();
            if back.contains(&ip) {
                out.push(name);
            }
        }
        Ok(out)
    }

    /// What `%{p}` stands for: the domain itself, else a name below it, else any, else `unknown` (RFC 7208 7.3).
    pub(super) async fn validated_name(&mut self, domain: &str) -> String {
        let voids = self.voids;
        let names = self.validated().await.unwrap_or_default();
        // The macro is no term, and what it does not find is not counted.
        self.voids = voids;
        let exact = names.iter().find(|n| bare(n) == bare(domain));
        let below = || names.iter().find(|n| is_within(n, domain));
        exact.or_else(below).or(names.first()).cloned().unwrap_or_else(|| "unknown".to_owned())
    }

    pub(super) async fn addresses(&mut self, host: &str) -> Result<Vec<IpAddr>, Stop> {
        let rtype = if self.told.ip.is_ipv4() { RecordType::A } else { RecordType::Aaaa };
        let found = self.ask(host, rtype).await?;
        Ok(found.iter().filter_map(|text| text.parse().ok()).collect())
    }

    /// Asks; no values mean that there is no such record. A name that cannot be asked about does not exist.
    pub(super) async fn ask(&mut self, name: &str, rtype: RecordType) -> Result<Vec<String>, Stop> {
        if !can_be_asked(name) {
            return Ok(Vec::new());
        }
        let question = Question { name: bare(name), rtype };
        let verdict = match self.known.get(&question) {
            Some(verdict) => verdict.clone(),
            None => {
                let asked = timeout_at(self.until, self.dns.lookup(&question)).await;
                let verdict = asked.unwrap_or(Verdict::Timeout);
                self.known.insert(question, verdict.clone());
                verdict
            }
        };
        match verdict {
            Verdict::Found { values, .. } => Ok(values),
            Verdict::NoData | Verdict::NxDomain => Ok(Vec::new()),
            other => Err(Stop::Temp(format!("{rtype} of {name}: {}", why(&other)))),
        }
    }

    pub(super) fn costly(&mut self) -> Result<(), Stop> {
        self.lookups += 1;
        if self.lookups > LOOKUPS {
            return Err(Stop::Perm(format!("more than {LOOKUPS} lookups")));
        }
        Ok(())
    }

    pub(super) fn void(&mut self, found_nothing: bool) -> Result<(), Stop> {
        self.voids += usize::from(found_nothing);
        if self.voids > VOIDS {
            return Err(Stop::Perm(format!("more than {VOIDS} lookups found nothing")));
        }
        Ok(())
    }
}
