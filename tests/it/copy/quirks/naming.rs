//! Names of folders, and servers that do not take each of them.

use super::{super::front::Heed, Between, NEW, anna, plain, unharmed};

#[tokio::test]
async fn a_source_that_writes_names_in_raw_utf8_or_latin1_is_copied_whole() {
    for (utf7, raw) in [("&APw-", "\u{c3}\u{bc}"), ("&APw-", "\u{fc}")] {
        let between = Between::empty(plain().writes(raw, utf7), plain(), |_| {}).await;
        between.put("B\u{fc}ro", &[("17-Jul-1996 02:44:25 -0700", b"Subject: x\r\n\r\ny")]);
        let report = between.pass().await.unwrap();
        between.assert_whole(&report);
    }
}

#[tokio::test]
async fn names_of_every_kind_arrive_and_can_be_told_apart() {
    let names = [
        "a.b",
        "a\"b",
        "a\\b",
        "R&D",
        "100%",
        "a*b",
        "trailing ",
        " leading",
        "tab\there",
        "Caf\u{e9}",
        "Cafe\u{301}",
        "case",
        "CASE",
        "~user",
        "#news",
        "12345",
        "[brackets]",
        "{7}",
        "a  b",
        "=2F",
        "日本語",
        "💌",
    ];
    for (delimiter, prefix) in [('/', ""), ('.', "INBOX.")] {
        let between = Between::empty(plain(), plain(), |b| {
            b.delimiter = delimiter;
            b.prefix = prefix.to_owned();
        })
        .await;
        for (n, name) in names.iter().enumerate() {
            let octets = format!("Subject: {n}\r\n\r\n{name}\r\n");
            between.put(name, &[("17-Jul-1996 02:44:25 -0700", octets.as_bytes())]);
        }
        let deep = (0..30).map(|n| format!("d{n}")).collect::<Vec<_>>().join("/");
        between.put(&deep, &[("17-Jul-1996 02:44:25 -0700", b"deep")]);
        let long = "l".repeat(255);
        between.put(&long, &[("17-Jul-1996 02:44:25 -0700", b"long")]);
        let report = between.pass().await.unwrap();
        assert!(report.failed.is_empty(), "{report:#?}");
        let all: Vec<_> = between.mail(NEW).into_values().collect();
        assert_eq!(all.len(), names.len() + 2);
        assert!(all.iter().all(|list| list.len() == 1), "no two folders share one");
        let again = between.pass().await.unwrap();
        assert_eq!(again.total.copied, report.total.copied);
        assert_eq!(between.mail(NEW).len(), names.len() + 2);
    }
}

#[tokio::test]
async fn a_target_that_refuses_odd_names_gets_names_that_it_takes() {
    let odd = plain().hears(|heard| {
        let name = heard.text.split('"').nth(1).unwrap_or_default();
        let refused =
            heard.verb == "CREATE" && (name.trim() != name || name.contains("  ") || name.contains(['%', '^']));
        if refused {
            Heed::Answer("$ NO [CANNOT] Folder contains excess whitespace\r\n".to_owned())
        } else {
            Heed::Pass
        }
    });
    let between = Between::empty(plain(), odd, |_| {}).await;
    for name in ["trailing ", "100%", "plain", "two  blanks"] {
        between.put(name, &[("17-Jul-1996 02:44:25 -0700", name.as_bytes())]);
    }
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    let names: Vec<String> = between.mail(NEW).into_keys().collect();
    assert_eq!(names, ["100=25", "plain", "trailing=20", "two =20blanks"]);
    assert_eq!(report.remarks.len(), 3, "{:?}", report.remarks);
}

#[tokio::test]
async fn a_target_that_has_no_folders_in_folders_gets_flat_ones() {
    let odd = plain().hears(|heard| {
        let name = heard.text.split('"').nth(1).unwrap_or_default();
        let refused = heard.verb == "CREATE" && name.contains('/');
        let words = "$ NO Mailbox doesn't allow inferior mailboxes\r\n";
        if refused { Heed::Answer(words.to_owned()) } else { Heed::Pass }
    });
    let between = Between::empty(plain(), odd, |_| {}).await;
    between.put("a/b", &[("17-Jul-1996 02:44:25 -0700", b"below")]);
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    assert_eq!(between.mail(NEW).into_keys().collect::<Vec<_>>(), ["a=2Fb"]);
}

#[tokio::test]
async fn a_subscription_to_nothing_is_no_folder() {
    let odd = plain().offers("LITERAL+ UIDPLUS NAMESPACE LIST-EXTENDED").says(|verb, text| {
        let line = "* LIST (\\NonExistent \\Subscribed) \"/\" \"gone\"\r\n* LIST (\\Noselect) NIL \"\"\r\n";
        let end = verb == "LIST" && !text.starts_with('*');
        Some(if end { format!("{line}{text}") } else { text })
    });
    let (between, report) = unharmed(odd, plain()).await;
    assert!(!between.store.contents(NEW, &anna()).unwrap().contains_key("gone"));
    assert!(report.remarks.iter().all(|r| !r.contains("gone")), "{:?}", report.remarks);
}
