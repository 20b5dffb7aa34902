//! Gmail: folders are labels, and `All Mail` shows what the others show and what nothing else does.

use std::sync::Mutex;

use rehome::{
    model::GmailLabels,
    sandbox::corpus::{FolderMail, Message},
};

use super::{
    front::{Heard, Heed, Odd},
    quirks::{Between, OLD, anna},
};

fn message(n: u32) -> Message {
    Message {
        bytes: format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\n{n}\r\n").into_bytes(),
        flags: ["\\Seen".to_owned()].into(),
        internal_date: "17-Jul-1996 02:44:25 -0700".parse().unwrap(),
    }
}

/// Tells X-GM-MSGID: the number that a message's folder gives it here. Folders are looked into one after the other.
fn numbers() -> impl Fn(&Heard) -> Heed + Send + Sync + 'static {
    let open = Mutex::new(String::new());
    move |heard| {
        if heard.verb == "EXAMINE" {
            *open.lock().unwrap() = heard.text.split('"').nth(1).unwrap_or_default().to_owned();
        }
        if heard.verb != "UID FETCH" || !heard.text.contains("X-GM-MSGID") {
            return Heed::Pass;
        }
        let open = open.lock().unwrap();
        let numbers = FOLDERS.iter().find(|(name, _)| *name == *open).map_or(&[][..], |(_, numbers)| numbers);
        let rows =
            numbers.iter().zip(1..).map(|(id, n)| format!("* {n} FETCH (UID {n} X-GM-MSGID 12780637790000{id})\r\n"));
        Heed::Answer(rows.collect::<String>() + "$ OK Success\r\n")
    }
}

const FOLDERS: [(&str, &[u32]); 4] =
    [("INBOX", &[1, 2]), ("Work", &[2, 3]), ("[Gmail]/All Mail", &[1, 2, 3, 4]), ("[Gmail]/Starred", &[4])];

/// `INBOX` has 1 and 2, `Work` 2 and 3, `All Mail` these and 4, which has no label but a star.
async fn gmail() -> Between {
    let odd = Odd::default()
        .offers("X-GM-EXT-1 UIDPLUS NAMESPACE CHILDREN ENABLE CONDSTORE LIST-EXTENDED LIST-STATUS SPECIAL-USE")
        .swallows("\"Archive\"")
        .says(|_, text| {
            let mark =
                |text: String, name: &str, attribute: &str| match text.starts_with("* LIST") && text.contains(name) {
                    true => text.replace("\\HasNoChildren", &format!("\\HasNoChildren {attribute}")),
                    false => text,
                };
            Some(mark(mark(text, "[Gmail]/All Mail", "\\All"), "[Gmail]/Starred", "\\Flagged"))
        })
        .hears(numbers())
        .hears(|heard| {
            if heard.verb != "UID FETCH" || !heard.text.contains("X-GM-LABELS") {
                return Heed::Pass;
            }
            let rows = ["\"\\\\Inbox\"", "\"\\\\Inbox\" Work", "Work \"\\\\Important\"", "\"\\\\Starred\""];
            let rows = rows.iter().zip(1..).map(|(l, n)| format!("* {n} FETCH (UID {n} X-GM-LABELS ({l}))\r\n"));
            Heed::Answer(rows.collect::<String>() + "$ OK Success\r\n")
        });
    let between = Between::empty(odd, Odd::default(), |_| {}).await;
    for (name, numbers) in FOLDERS {
        let path = rehome::model::FolderPath(name.split('/').map(str::to_owned).collect());
        let messages = numbers.iter().map(|n| message(*n)).collect();
        let folder = FolderMail { path, special_use: None, subscribed: false, selectable: true, messages };
        between.store.deliver(OLD, &anna(), &[folder]).unwrap();
    }
    between
}

#[tokio::test]
async fn each_label_is_a_folder_and_what_has_none_comes_from_all_mail() {
    let between = gmail().await;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty(), "{report:#?}");
    let there: Vec<(String, usize)> = between.mail("new").into_iter().map(|(n, l)| (n, l.len())).collect();
    let want = [("Archive", 1), ("INBOX", 2), ("Work", 2)].map(|(n, l)| (n.to_owned(), l));
    assert_eq!(there, want);
    assert!(between.mail("new")["Archive"][0].2.ends_with(b"4\r\n"), "the one that nothing else shows");
    assert_eq!((report.total.source, report.total.copied), (9, 5));
    assert_eq!(report.total.excluded.values().sum::<u64>(), 4);
    assert!(report.total.balances());
    let again = between.pass().await.unwrap();
    assert_eq!(again.total.copied, 5);
    assert_eq!(between.mail("new").values().map(Vec::len).sum::<usize>(), 5);
    let proof = between.verify().await;
    assert!(proof.ok, "{:?}", proof.findings);
}

fn there(between: &Between) -> Vec<(String, usize)> {
    between.mail("new").into_iter().map(|(name, list)| (name, list.len())).collect()
}

fn counted(folders: &[(&str, usize)]) -> Vec<(String, usize)> {
    folders.iter().map(|(name, n)| ((*name).to_owned(), *n)).collect()
}

#[tokio::test]
async fn a_message_with_two_labels_is_copied_once_where_that_is_asked_for() {
    let mut between = gmail().await;
    between.filter.gmail_labels = GmailLabels::Once;
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
    assert_eq!(there(&between), counted(&[("Archive", 1), ("INBOX", 2), ("Work", 1)]), "the inbox comes first");
    assert_eq!((report.total.source, report.total.copied), (9, 4));
    assert_eq!(
        report.total.excluded.values().sum::<u64>(),
        5,
        "and the others are counted: {:?}",
        report.total.excluded
    );
    let again = between.pass().await.unwrap();
    assert_eq!((again.total.copied, there(&between).iter().map(|(_, n)| n).sum::<usize>()), (4, 4));
    let proof = between.verify().await;
    assert!(proof.ok && proof.messages == 4, "{proof:?}");
}

#[tokio::test]
async fn what_was_copied_from_one_label_is_not_copied_again_from_another() {
    let mut between = gmail().await;
    between.filter.gmail_labels = GmailLabels::Once;
    between.filter.exclude = vec!["INBOX".to_owned()];
    between.pass().await.unwrap();
    assert_eq!(there(&between), counted(&[("Archive", 2), ("Work", 2)]));
    // Now the inbox is taken too, and it would be the first choice.
    between.filter.exclude.clear();
    let report = between.pass().await.unwrap();
    assert!(report.failed.is_empty() && report.total.balances(), "{report:#?}");
    assert_eq!(there(&between), counted(&[("Archive", 2), ("Work", 2)]), "each is there once");
    assert!(between.verify().await.ok);
}
