//! What the findings about the DNS of a domain rest on: who answered what, and the records beside those that are wanted.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::style::{Options, clean, pad};
use crate::{
    diag::{self, Finding},
    dns::{Row, Standing, codes, why},
    model::{DnsView, Question, RecordType, Verdict},
};

/// Rows of evidence that one finding shows.
const SHOWN: usize = 4;

/// What was looked at.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Basis {
    /// What is wanted beside what is there.
    pub rows: Vec<Row>,
    /// What the servers of the domain answered.
    pub view: DnsView,
    /// What others answered.
    pub asked: BTreeMap<Question, Verdict>,
}

impl Basis {
    /// Every answer about the name that a finding speaks of: who gave it, to what, and what it was.
    fn answers<'b>(&'b self, finding: &'b Finding) -> impl Iterator<Item = (&'b str, &'b Question, &'b Verdict)> {
        let mut words = finding.subject.split(' ');
        let (name, kind) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let kind = if kind == "SPF" { "TXT" } else { kind };
        let typed = !kind.is_empty() && kind.chars().all(|c| c.is_ascii_uppercase());
        // Who may issue certificates for a host says nothing about where it leads.
        let told = move |q: &Question| if typed { q.rtype.word() == kind } else { q.rtype != RecordType::Caa };
        let meant = move |q: &Question| q.name == name && told(q);
        let servers = self.view.servers.iter();
        let own = servers.flat_map(|(server, told)| told.answers.iter().map(move |(q, v)| (server.as_str(), q, v)));
        let further = self.asked.iter().map(|(q, v)| ("resolver", q, v));
        own.chain(further).filter(move |(_, q, _)| meant(q))
    }

    /// A finding with what it rests on and where the rule is written, for a program.
    pub(super) fn complete(&self, finding: &Finding, value: &mut Value) {
        let Some(object) = value.as_object_mut() else { return };
        let row = |(server, q, v): (&str, &Question, &Verdict)| json!({ "server": server, "name": q.name, "type": q.rtype, "answer": v });
        object.insert("section".to_owned(), json!(section(finding)));
        object.insert("evidence".to_owned(), json!(self.answers(finding).map(row).collect::<Vec<_>>()));
    }

    /// The records and the servers, for a program.
    pub(super) fn add(&self, value: &mut Value) {
        if let Some(object) = value.as_object_mut() {
            object.insert("records".to_owned(), json!(self.rows));
            object.insert("servers".to_owned(), json!(self.view.servers.keys().collect::<Vec<_>>()));
        }
    }

    /// Who answered, for how long, and where the rule is written: the last lines of a finding.
    pub(super) fn lines(&self, finding: &Finding, options: &Options) -> String {
        let line = |name: &str, text: &str| {
            format!("{:12}{}{}", "", pad(name, 9), options.wrap(21, &clean(text)).trim_start())
        };
        let mut out = String::new();
        // These name the servers themselves.
        let told = ["dns-unknown", "servers-differ", "serials-differ", "ttl-differs"].contains(&finding.code.as_str());
        let seen = if told { Vec::new() } else { self.seen(finding) };
        for text in seen.iter().take(SHOWN) {
            out.push_str(&line("seen", text));
        }
        if seen.len() > SHOWN {
            out.push_str(&line("", &format!("... and {} more", seen.len() - SHOWN)));
        }
        let section = section(finding);
        if !section.is_empty() {
            out.push_str(&line("rule", section));
        }
        out
    }

    /// One line for each answer that several servers share.
    fn seen(&self, finding: &Finding) -> Vec<String> {
        let mut by_answer: BTreeMap<String, Vec<&str>> = BTreeMap::new();
        for (server, question, verdict) in self.answers(finding) {
            let answer = match verdict {
                Verdict::Found { ttl, .. } => format!("{} with TTL {ttl}", question.rtype),
                Verdict::NoData => format!("no {}", question.rtype),
                Verdict::NxDomain => format!("no {}, no such name", question.rtype),
                failed => format!("{}: {}", question.rtype, why(failed)),
            };
            by_answer.entry(answer).or_default().push(server);
        }
        by_answer.into_iter().map(|(answer, servers)| format!("{answer} at {}", servers.join(", "))).collect()
    }

    /// The records of the platform beside those that are there: what has to change, or one line when nothing has to.
    pub(super) fn records(&self, options: &Options) -> String {
        let same = self.rows.iter().filter(|r| r.standing == Standing::Same).count();
        let mut out = String::new();
        if same < self.rows.len() || (options.verbose && same > 0) {
            out.push_str("  records (+ publish, - not the platform's, = as wanted, ? unknown)\n");
            let shown = self.rows.iter().filter(|r| options.verbose || r.standing != Standing::Same);
            shown.for_each(|row| out.push_str(&lines_of(row)));
        }
        if same > 0 && !options.verbose {
            out.push_str(&format!("  {}\n", counted(same)));
        }
        out
    }

    /// The same for a review.
    pub(super) fn markdown(&self) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let rows: String = self.rows.iter().map(lines_of).collect();
        format!(
            "\nRecords (+ publish, - not the platform's, = as wanted, ? unknown)\n\n```text\n{}```\n",
            rows.replace("```", "'''")
        )
    }
}

fn counted(same: usize) -> String {
    format!("=  {} as the platform wants", diag::plural(same, "record"))
}

/// The standard and the section that a finding rests on; empty where none speaks of it.
fn section(finding: &Finding) -> &'static str {
    codes::code(&finding.code).map_or("", |c| c.section)
}

fn lines_of(row: &Row) -> String {
    let sign = match row.standing {
        Standing::Same => '=',
        Standing::Publish => '+',
        Standing::Foreign => '-',
        Standing::Unknown => '?',
    };
    let line = |sign: char, value: &str| format!("    {sign} {} {} {}\n", row.name, row.rtype, clean(value));
    let Some(wanted) = &row.wanted else {
        return match (&row.shown_at, row.found.first()) {
            (Some(place), _) => line(sign, &format!("({place})")),
            (None, found) => line(sign, found.map_or("", String::as_str)),
        };
    };
    let instead = row.found.iter().filter(|found| *found != wanted).map(|found| line('-', found));
    instead.chain([line(sign, wanted)]).collect()
}
