//! Answers from a table, for what no server can be made to say on purpose.

use std::collections::BTreeMap;

use async_trait::async_trait;
use rehome::{
    dns::Lookups,
    model::{Question, RecordType, Verdict},
};

/// Names that are not in the table do not exist.
#[derive(Clone, Debug, Default)]
pub struct Scripted(BTreeMap<Question, Verdict>);

impl Scripted {
    /// One line per record: `example.org MX 1 mail.example.org`. Lines of one name and type belong together; the data
    /// `!timeout`, `!servfail`, `!refused` and `!loop` are failures.
    pub fn new(lines: &str) -> Self {
        let mut out = Self::default();
        for line in lines.lines().map(str::trim).filter(|l| !l.is_empty()) {
            let mut words = line.splitn(3, ' ');
            let (name, rtype) = (words.next().unwrap(), words.next().unwrap());
            out.add(name, rtype, words.next().unwrap_or_default());
        }
        out
    }

    pub fn add(&mut self, name: &str, rtype: &str, data: &str) {
        let rtype = serde_json::from_value(rtype.into()).unwrap();
        let question = Question { name: name.to_owned(), rtype };
        let verdict = match data {
            "!timeout" => Verdict::Timeout,
            "!servfail" => Verdict::ServFail,
            "!refused" => Verdict::Refused,
            "!loop" => Verdict::Loop,
            _ => {
                let entry = self.0.entry(question);
                let found = entry.or_insert_with(|| Verdict::Found { values: Vec::new(), ttl: 300 });
                if let Verdict::Found { values, .. } = found {
                    values.push(data.to_owned());
                }
                return;
            }
        };
        self.0.insert(question, verdict);
    }

    pub fn answers(&self) -> BTreeMap<Question, Verdict> {
        self.0.clone()
    }
}

#[async_trait]
impl Lookups for Scripted {
    async fn lookup(&self, question: &Question) -> Verdict {
        if let Some(verdict) = self.0.get(question) {
            return verdict.clone();
        }
        let alias = Question { name: question.name.clone(), rtype: RecordType::Cname };
        if question.rtype != RecordType::Cname
            && let Some(Verdict::Found { values, .. }) = self.0.get(&alias)
        {
            let at = Question { name: values[0].clone(), rtype: question.rtype };
            return Box::pin(self.lookup(&at)).await;
        }
        if self.0.keys().any(|q| q.name == question.name) {
            return Verdict::NoData;
        }
        // A wildcard stands for every name below that nobody made.
        let above = question.name.split_once('.').map(|(_, up)| format!("*.{up}"));
        let wild = above.and_then(|name| self.0.get(&Question { name, rtype: question.rtype }));
        wild.cloned().unwrap_or(Verdict::NxDomain)
    }
}
