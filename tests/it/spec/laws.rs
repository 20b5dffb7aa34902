//! Laws of reading.

use proptest::prelude::*;
use rehome::{
    diag::Diagnostics,
    spec::{self, Spec},
};

use super::BASE;

/// No place is outside of its text, and line and column can be told.
fn places_hold(problems: &Diagnostics) {
    for label in problems.0.iter().flat_map(|d| &d.labels) {
        let (line, column) = label.span.line_column();
        assert!(line >= 1 && column >= 1);
        assert!(label.span.offset + label.span.len <= label.span.source.text.len());
        assert!(label.span.source.text.get(label.span.offset..label.span.offset + label.span.len).is_some());
    }
    let _ = problems.render(false, 100);
    let _ = problems.to_json();
}

/// Words that specs are made of, put together without sense.
fn words() -> impl Strategy<Value = String> {
    let word = prop::sample::select(vec![
        "version",
        "1",
        "platforms",
        "domains",
        "accounts",
        "a@b.c",
        "b.c",
        "kind",
        "imap",
        "migrate",
        "from",
        "password",
        "env",
        "generate",
        "deliver",
        "file",
        ":",
        ": ",
        "\n",
        "\n  ",
        "\n    ",
        "- ",
        "[",
        "]",
        "{",
        "}",
        ",",
        "&x ",
        "*x",
        "<<",
        "~",
        "\"",
        "'",
        "|",
        ">",
        "#",
        "!!str ",
        "é",
        "\t",
        "\u{feff}",
        "{local}",
        "absent",
        "quota",
        "10 GB",
    ]);
    prop::collection::vec(word, 0..40).prop_map(|words| words.concat())
}

#[derive(Clone, Debug)]
struct Person {
    local: String,
    name: Option<String>,
    quota: Option<u8>,
    alias: bool,
}

fn people() -> impl Strategy<Value = Vec<Person>> {
    let name = prop::option::of("[a-zA-Zäöü0-9 :#'\"{}*&!|>-]{1,12}");
    let person = ("[a-z]{2,8}", name, prop::option::of(1u8..10), any::<bool>())
        .prop_map(|(local, name, quota, alias)| Person { local, name, quota, alias });
    prop::collection::vec(person, 1..8).prop_map(|mut people| {
        people.sort_by(|a, b| a.local.cmp(&b.local));
        people.dedup_by(|a, b| a.local == b.local);
        people
    })
}

fn written(people: &[&Person], block: bool) -> String {
    let mut out = format!("{BASE}accounts:\n");
    for person in people {
        let mut fields = Vec::new();
        fields.extend(person.name.as_ref().map(|n| format!("name: {}", serde_json::to_string(n).unwrap())));
        fields.extend(person.quota.map(|q| format!("quota: {q} GB")));
        if person.alias {
            fields.push(format!("aliases: [{}.x@mydomain.ovh]", person.local));
        }
        let address = format!("{}@mydomain.ovh", person.local);
        if fields.is_empty() {
            out.push_str(&format!("  {address}:\n"));
        } else if block {
            out.push_str(&format!("  {address}:\n    {}\n", fields.join("\n    ")));
        } else {
            fields.reverse();
            out.push_str(&format!("  \"{address}\": {{ {} }}\n", fields.join(", ")));
        }
    }
    out
}

fn digest(text: &str) -> Result<String, TestCaseError> {
    match spec::parse("t.yaml", text) {
        Ok(loaded) => Ok(loaded.spec.digest),
        Err(problems) => Err(TestCaseError::fail(problems.render(false, 100))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..300)) {
        if let Err(problems) = spec::parse_bytes("t.yaml", &bytes) {
            places_hold(&problems);
        }
    }

    #[test]
    fn any_text_below_a_spec_is_read_or_refused(text in words()) {
        for text in [text.clone(), format!("{BASE}{text}"), format!("version: 1\naccounts:\n  a@mydomain.ovh:\n    {text}")] {
            match spec::parse("t.yaml", &text) {
                Ok(loaded) => places_hold(&loaded.warnings),
                Err(problems) => {
                    prop_assert!(problems.has_errors());
                    places_hold(&problems);
                }
            }
        }
    }

    #[test]
    fn any_table_is_read_or_refused(table in "[a-z@.,;\"\n\r é]{0,80}") {
        let text = format!("{BASE}accounts_from: {{ csv: p.csv }}\n");
        for table in [table.clone(), format!("address,aliases\n{table}")] {
            if let Err(problems) = spec::parse_files(&[("t.yaml", &text), ("p.csv", &table)]) {
                places_hold(&problems);
            }
        }
    }

    #[test]
    fn the_digest_is_of_the_meaning_not_of_the_text(people in people()) {
        let forward: Vec<_> = people.iter().collect();
        let backward: Vec<_> = people.iter().rev().collect();
        let one = digest(&written(&forward, true))?;
        prop_assert_eq!(&one, &digest(&written(&backward, false))?);
        let loaded = spec::parse("t.yaml", &written(&forward, true)).unwrap();
        let json = serde_json::to_string(&loaded.spec).unwrap();
        let back: Spec = serde_json::from_str(&json).unwrap();
        prop_assert_eq!(back, Spec { base: Default::default(), ..loaded.spec });
    }
}

#[test]
fn another_wish_has_another_digest() {
    let one = spec::parse("t.yaml", &format!("{BASE}accounts: {{ ann@mydomain.ovh: Ann }}\n")).unwrap();
    let two = spec::parse("t.yaml", &format!("{BASE}accounts: {{ ann@mydomain.ovh: Anne }}\n")).unwrap();
    assert_eq!(one.spec.digest.len(), 64);
    assert_ne!(one.spec.digest, two.spec.digest);
}
