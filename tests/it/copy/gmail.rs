//! Gmail: folders are labels, and `All Mail` shows what the others show and what nothing else does.

use rehome::sandbox::corpus::{FolderMail, Message};

use super::{
    front::{Heed, Odd},
    quirks::{Between, OLD, anna},
};

fn message(n: u32) -> Message {
    Message {
        bytes: format!("Message-ID: <{n}@x>\r\nSubject: {n}\r\n\r\n{n}\r\n").into_bytes(),
        flags: ["\\Seen".to_owned()].into(),
        internal_date: "17-Jul-1996 02:44:25 -0700".parse().unwrap(),
    }
}

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
        .hears(|heard| {
            if heard.verb != "UID FETCH" || !heard.text.contains("X-GM-LABELS") {
                return Heed::Pass;
            }
            let rows = ["\"\\\\Inbox\"", "\"\\\\Inbox\" Work", "Work \"\\\\Important\"", "\"\\\\Starred\""];
            let rows = rows.iter().zip(1..).map(|(l, n)| format!("* {n} FETCH (UID {n} X-GM-LABELS ({l}))\r\n"));
            Heed::Answer(rows.collect::<String>() + "$ OK Success\r\n")
        });
    let between = Between::empty(odd, Odd::default(), |_| {}).await;
    for (name, numbers) in
        [("INBOX", &[1, 2][..]), ("Work", &[2, 3]), ("[Gmail]/All Mail", &[1, 2, 3, 4]), ("[Gmail]/Starred", &[4])]
    {
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
