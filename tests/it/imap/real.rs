//! Against a real Dovecot.

use std::collections::BTreeSet;

use rehome::imap::{AppendMessage, AppendOutcome, Body, Created, Fetched, InternalDate, UidRange, WireName};

use super::dovecot::{Dovecot, Setup};

fn message(n: usize) -> AppendMessage {
    AppendMessage {
        flags: ["\\Seen".to_owned(), "$Forwarded".to_owned()].into(),
        internal_date: InternalDate::parse(" 7-Feb-1994 22:43:04 -0800"),
        body: Body::from(format!("Subject: {n}\r\n\r\nbody {n}\r\n").into_bytes()),
    }
}

#[tokio::test]
async fn what_is_appended_is_fetched_back() {
    let Some(server) = Dovecot::start(Setup::default()).await else { return };
    let mut w = server.connector("anna@example.org", "secret").connect_writer().await.unwrap();
    let name = WireName::encode("Entwürfe & \"Ideen\"\\x");
    assert_eq!(w.create(&name).await.unwrap(), Created::New);
    assert_eq!(w.create(&name).await.unwrap(), Created::Existed);
    w.subscribe(&name).await.unwrap();
    let messages: Vec<_> = (0..100).map(message).collect();
    let report = w.append_many(&name, &messages).await;
    assert!(report.error.is_none(), "{report:?}");
    let uids: Vec<u32> = report
        .outcomes
        .iter()
        .map(|o| match o {
            AppendOutcome::Appended(a) => a.uid.unwrap(),
            other => panic!("{other:?}"),
        })
        .collect();
    let selected = w.examine(&name).await.unwrap();
    assert_eq!(selected.exists, 100);
    let metas = w.fetch_meta(UidRange::ALL).await.unwrap();
    assert_eq!(metas.iter().map(|m| m.uid).collect::<Vec<_>>(), uids);
    let mut bodies = w.fetch_bodies(&uids).unwrap();
    let mut got = BTreeSet::new();
    while let Some(fetched) = bodies.next().await.unwrap() {
        let Fetched::Message(m) = fetched else { panic!("{fetched:?}") };
        let want = &messages[usize::try_from(m.uid - uids[0]).unwrap()];
        assert_eq!((&m.body, m.flags.as_ref()), (&want.body, Some(&want.flags)));
        assert_eq!(m.internal_date.unwrap().instant(), want.internal_date.instant());
        got.insert(m.uid);
    }
    assert_eq!(got.len(), 100);
    let listed = w.list().await.unwrap();
    let row = listed.iter().find(|l| l.name == name).unwrap();
    assert_eq!(row.wire_name, "Entwürfe & \"Ideen\"\\x");
    assert!(row.subscribed && row.status.unwrap().messages == 100);
    w.logout().await;
}
