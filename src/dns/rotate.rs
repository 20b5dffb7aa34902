//! Servers whose answers rotate, told from servers that are behind.

use std::collections::{BTreeMap, BTreeSet};

use super::{discover::Server, lookup::Client};
use crate::model::{DnsView, Oddity, Question, Verdict};

/// How often a server is asked in all before its answers count as steady.
const SAMPLES: usize = 3;

impl Client {
    /// Asks each server once more, and again, what the servers differ in. The answers stay as they are; that those of a
    /// server rotate is written down beside them, with all that the rotating servers gave.
    pub(super) async fn sample(&self, servers: &[Server], view: &mut DnsView) {
        let differing = differing(view);
        if differing.is_empty() {
            return;
        }
        let mut told = Vec::new();
        for server in servers {
            let first = view.servers.get(&server.label).map(|s| &s.answers);
            let known = differing.iter().filter_map(|q| Some((q, first?.get(q).filter(|v| v.is_known())?)));
            let rotating = self.rotating(server, known.collect()).await;
            told.push((&server.label, rotating));
        }
        let mut all: BTreeMap<&Question, BTreeSet<&String>> = BTreeMap::new();
        for (question, values) in told.iter().flat_map(|(_, rotating)| rotating) {
            all.entry(question).or_default().extend(values);
        }
        for (label, rotating) in &told {
            let Some(server) = view.servers.get_mut(*label) else { continue };
            server.oddities.extend(rotating.keys().map(|question| Oddity::Rotates {
                name: question.name.clone(),
                rtype: question.rtype,
                values: all.get(question).into_iter().flatten().map(|v| (*v).clone()).collect(),
            }));
        }
    }

    /// The questions to which one server gives several sets, with all that it gave.
    async fn rotating(
        &self,
        server: &Server,
        known: Vec<(&Question, &Verdict)>,
    ) -> BTreeMap<Question, BTreeSet<String>> {
        let mut out = BTreeMap::new();
        for (question, first) in known {
            let mut sets = BTreeSet::from([first.values().to_vec()]);
            for _ in 1..SAMPLES {
                let again = self.lookup(server.address, question).await;
                sets.extend(again.is_known().then(|| again.values().to_vec()));
            }
            if sets.len() > 1 {
                out.insert(question.clone(), sets.into_iter().flatten().collect());
            }
        }
        out
    }
}

/// The questions to which the servers give different records.
fn differing(view: &DnsView) -> BTreeSet<Question> {
    let mut said: BTreeMap<&Question, BTreeSet<&[String]>> = BTreeMap::new();
    for (question, verdict) in view.servers.values().flat_map(|s| &s.answers).filter(|(_, v)| v.is_known()) {
        said.entry(question).or_default().insert(verdict.values());
    }
    said.into_iter().filter(|(_, sets)| sets.len() > 1).map(|(question, _)| question.clone()).collect()
}
