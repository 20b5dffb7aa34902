//! Every code of a finding about DNS: what it means, where it is written, what to do. `rehome explain` and
//! `docs/findings.md` come from this table alone.

mod clients;
mod keys;
mod route;
mod senders;

use crate::diag::Severity;

/// The long form of a code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Code {
    /// The code, as findings carry it. It never changes its meaning.
    pub code: &'static str,
    /// How bad it usually is. A finding may be milder, where a record is only recommended.
    pub severity: Severity,
    /// The standard and its section; empty where none speaks of it.
    pub section: &'static str,
    /// What is the case.
    pub what: &'static str,
    /// Why it matters.
    pub why: &'static str,
    /// What to do.
    pub cure: &'static str,
}

const fn entry(
    code: &'static str,
    severity: Severity,
    section: &'static str,
    what: &'static str,
    why: &'static str,
    cure: &'static str,
) -> Code {
    Code { code, severity, section, what, why, cure }
}

/// The chapters of the table: a title and its codes.
pub const CHAPTERS: [(&str, &[Code]); 6] = [
    ("Servers and zones", route::SERVERS),
    ("Where mail goes", route::MAIL),
    ("Who may send", senders::SPF),
    ("Keys and policy", keys::KEYS),
    ("Encryption on the way", keys::TLS),
    ("Mail programs and platforms", clients::CLIENTS),
];

/// The long form of one code.
#[must_use]
pub fn code(word: &str) -> Option<&'static Code> {
    CHAPTERS.iter().flat_map(|(_, codes)| codes.iter()).find(|c| c.code == word)
}

/// Whether mail stops, or goes to the wrong place, as long as it is so. That is what to mend first.
#[must_use]
pub fn stops_mail(word: &str) -> bool {
    let others = ["apex-alias", "dns-no-server", "dnssec-bogus", "servers-differ", "tlsa-unusable"];
    let policy = ["mta-sts-mx-uncovered", "mta-sts-policy", "mta-sts-target-uncovered"];
    route::MAIL.iter().any(|c| c.code == word) || others.contains(&word) || policy.contains(&word)
}

/// The place of a code's chapter: what is broken further down rests on what is broken before it.
#[must_use]
pub fn chapter(word: &str) -> usize {
    CHAPTERS.iter().position(|(_, codes)| codes.iter().any(|c| c.code == word)).unwrap_or(CHAPTERS.len())
}

/// What a code is about, in a word; none for codes that are not of DNS.
#[must_use]
pub fn family(word: &str) -> Option<&'static str> {
    code(word)?;
    let families = [
        ("mx-", "MX"),
        ("ptr-", "PTR"),
        ("spf-", "SPF"),
        ("dkim-", "DKIM"),
        ("dmarc-", "DMARC"),
        ("bimi-", "BIMI"),
        ("mta-sts-", "MTA-STS"),
        ("tls-rpt-", "TLS-RPT"),
        ("tlsa-", "TLSA"),
        ("autodiscover-", "Autodiscover"),
        ("autoconfig-", "Autoconfig"),
        ("srv-", "services (SRV)"),
        ("ownership-", "ownership"),
        ("caa-", "CAA"),
        ("dnssec-", "DNSSEC"),
    ];
    families.iter().find(|(prefix, _)| word.starts_with(prefix)).map(|(_, name)| *name).or(Some("servers"))
}

/// Every code, in the order of the table.
#[must_use]
pub fn words() -> Vec<&'static str> {
    CHAPTERS.iter().flat_map(|(_, codes)| codes.iter()).map(|c| c.code).collect()
}

fn word(severity: Severity) -> &'static str {
    match severity {
        Severity::Ok => "ok",
        Severity::Info => "info",
        Severity::Warning => "warning",
        Severity::Error => "error",
        Severity::Unknown => "unknown",
    }
}

impl Code {
    /// The long form for a terminal.
    #[must_use]
    pub fn text(&self) -> String {
        let mut out = format!("{} ({})\n\n{}.\n", self.code, word(self.severity), self.what);
        for (name, text) in [("Why it matters", self.why), ("What to do", self.cure)] {
            if !text.is_empty() {
                out.push_str(&format!("\n{name}: {text}.\n"));
            }
        }
        if !self.section.is_empty() {
            out.push_str(&format!("\nSee {}.\n", self.section));
        }
        out
    }
}

/// The whole table as `docs/findings.md`.
#[must_use]
pub fn markdown() -> String {
    let mut out = String::from(
        "# Findings about DNS\n\n<!-- Written by the program from its own table; `REHOME_UPDATE_DOCS=1 cargo test` writes it anew. -->\n\n\
         What `rehome verify` and `rehome dns check` can say. A code keeps its meaning; `rehome explain CODE` prints the\n\
         same in a terminal. *Unknown* means that a question failed: nothing is concluded from it, and the exit code is 12\n\
         unless something else is wrong.\n",
    );
    for (title, codes) in CHAPTERS {
        out.push_str(&format!("\n## {title}\n"));
        for c in codes {
            out.push_str(&format!("\n### {}\n\n*{}*", c.code, word(c.severity)));
            if !c.section.is_empty() {
                out.push_str(&format!(", {}", c.section));
            }
            out.push_str(&format!(". {}.", c.what));
            for text in [c.why, c.cure].into_iter().filter(|t| !t.is_empty()) {
                out.push_str(&format!(" {text}."));
            }
            out.push('\n');
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::{collections::BTreeSet, path::Path};

    use super::*;

    /// Every code that the sources of this module write in a call.
    fn written() -> BTreeSet<String> {
        fn walk(dir: &Path, out: &mut String) {
            for entry in std::fs::read_dir(dir).unwrap() {
                let path = entry.unwrap().path();
                if path.is_dir() {
                    if !path.ends_with("codes") {
                        walk(&path, out);
                    }
                } else if path.extension().is_some_and(|e| e == "rs") && !path.ends_with("table.rs") {
                    let text = std::fs::read_to_string(path).unwrap();
                    out.push_str(text.split("#[cfg(test)]").next().unwrap());
                }
            }
        }
        let mut text = String::new();
        walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join("src/dns"), &mut text);
        let families = ["mx-", "spf-", "dkim-", "dmarc-", "autodiscover-", "autoconfig-", "ownership-", "mta-sts-"];
        let more = ["tls-rpt-", "tlsa-", "ptr-", "bimi-", "caa-", "srv-", "dns-", "server", "serials-", "resolver-"];
        let odd = ["ttl-", "alias-", "text-", "target-", "name-", "apex-", "dnssec-"];
        let named = |s: &str| {
            let shaped = s.contains('-') && s.chars().all(|c| c.is_ascii_lowercase() || c == '-') && !s.ends_with('-');
            shaped && families.iter().chain(&more).chain(&odd).any(|f| s.starts_with(f)) && !s.starts_with("mx-smtp")
        };
        text.split('"').filter(|s| named(s)).map(str::to_owned).collect()
    }

    #[test]
    fn every_code_is_explained_once_and_every_explained_code_exists() {
        let mut seen = BTreeSet::new();
        for word in words() {
            assert!(seen.insert(word), "{word} stands twice");
            let c = code(word).unwrap();
            assert!(!c.what.is_empty() && !c.what.ends_with('.') && !c.cure.ends_with('.'), "{word}");
            let calm = matches!(c.severity, Severity::Ok | Severity::Info);
            assert!(calm || (!c.cure.is_empty() && !c.why.is_empty()), "{word} does not say why or what to do");
        }
        let missing: Vec<String> = written().into_iter().filter(|w| code(w).is_none()).collect();
        assert!(missing.is_empty(), "not explained: {missing:?}");
    }

    #[test]
    fn the_page_of_findings_is_what_the_program_says() {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/findings.md");
        if std::env::var_os("REHOME_UPDATE_DOCS").is_some() {
            std::fs::write(&path, markdown()).unwrap();
        }
        let page = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(page == markdown(), "docs/findings.md is old: run the tests with REHOME_UPDATE_DOCS=1");
    }
}
