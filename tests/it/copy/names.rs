//! Names that a target takes for others, or does not take at any length or depth.

use std::{collections::BTreeMap, sync::Mutex};

use super::{
    front::{Heed, Odd},
    quirks::Between,
};

const NEW: &str = "new";
const DATE: &str = "17-Jul-1996 02:44:25 -0700";

/// The text of the only message of each folder.
fn there(between: &Between) -> BTreeMap<String, String> {
    let all = between.mail(NEW).into_iter();
    all.map(|(name, list)| {
        assert_eq!(list.len(), 1, "{name}");
        (name, String::from_utf8(list[0].2.clone()).unwrap())
    })
    .collect()
}

fn put(between: &Between, names: &[&str]) {
    for name in names {
        between.put(name, &[(DATE, name.as_bytes())]);
    }
}

/// A target that takes the one name for the other.
fn folding(one: &'static str, other: &'static str) -> Odd {
    let made = Mutex::new(false);
    Odd::default().hears(move |heard| {
        if !heard.text.contains(one) && !heard.text.contains(other) {
            return Heed::Pass;
        }
        let twin = heard.verb == "CREATE" && std::mem::replace(&mut *made.lock().unwrap(), true);
        // Another folder that was made beside the two has a number behind its name.
        let numbered = heard.text.contains("(2)");
        match (twin, numbered) {
            (_, true) => Heed::Pass,
            (true, _) => Heed::Answer("$ NO [ALREADYEXISTS] Mailbox already exists\r\n".to_owned()),
            (false, _) => Heed::Instead(heard.text.replace(other, one)),
        }
    })
}

#[tokio::test]
async fn a_target_that_takes_two_names_for_one_gets_two_folders() {
    // Composed and decomposed; lower and upper case.
    for (names, wire) in
        [(["Caf\u{e9}", "Cafe\u{301}"], ["Caf&AOk-", "Cafe&AwE-"]), (["case", "CASE"], ["\"case\"", "\"CASE\""])]
    {
        let between = Between::empty(Odd::default(), folding(wire[0], wire[1]), |_| {}).await;
        put(&between, &names);
        let report = between.pass().await.unwrap();
        assert!(report.failed.is_empty(), "{report:#?}");
        let all = there(&between);
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!(all.keys().filter(|name| name.ends_with(" (2)")).count(), 1, "{all:?}");
        assert!(names.iter().all(|name| all.values().any(|text| text == name)), "{all:?}");
        assert!(report.remarks.iter().any(|r| r.contains("because another folder goes to")), "{:?}", report.remarks);
        let again = between.pass().await.unwrap();
        assert_eq!((again.total.copied, there(&between)), (2, all));
    }
}

#[tokio::test]
async fn names_that_are_too_long_or_too_deep_are_shortened_and_lose_no_folder() {
    let odd = Odd::default().hears(|heard| {
        let name = heard.text.split('"').nth(1).unwrap_or_default();
        let refused = heard.verb == "CREATE" && (name.len() > 60 || name.matches('/').count() > 3);
        if refused { Heed::Answer("$ NO [CANNOT] Mailbox name too long\r\n".to_owned()) } else { Heed::Pass }
    });
    let between = Between::empty(Odd::default(), odd, |_| {}).await;
    let long = format!("Angebote/{}", "sehr lang ".repeat(12) + "1");
    let other = format!("Angebote/{}", "sehr lang ".repeat(12) + "2");
    let below = format!("{long}/darunter");
    let deep = (0..30).map(|n| format!("Ebene {n}")).collect::<Vec<_>>().join("/");
    put(&between, &["Angebote", &long, &other, &below, &deep]);
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    let all = there(&between);
    let mut texts: Vec<&str> = all.values().map(String::as_str).collect();
    texts.sort_unstable();
    let mut wanted = ["Angebote", &*long, &*other, &*below, &*deep];
    wanted.sort_unstable();
    assert_eq!(texts, wanted, "{all:?}");
    assert!(all.keys().all(|name| name.len() <= 60 && name.matches('/').count() <= 3), "{all:?}");
    let told = report.remarks.iter().filter(|r| r.contains("as long or as deep")).count();
    assert!(told >= 3, "{:#?}", report.remarks);
    let again = between.pass().await.unwrap();
    assert_eq!((again.total.copied, there(&between)), (5, all), "the names stay");
    assert!(between.verify().await.ok);
}
