//! Signed updates against BIND, which others wrote.

use std::{collections::BTreeSet, net::SocketAddr, sync::Arc, time::Duration};

use async_trait::async_trait;
use rehome::{
    dns::{Client, UpdateError, Updater},
    model::{Domain, Question, RecordSet, RecordType, Secret, Verdict, ZoneChange},
    provider::{self, Authorities, ErrorClass, Patience, Probe, UpdateConfig, ZoneWriter},
};

use super::daemons::{bind, bind_here};

const KEY: &str = "c2VjcmV0IG9mIHRoZSB0ZXN0cywgMzIgb2N0ZXRzLi4=";
const ZONE: &str = "$ORIGIN a.test.\n$TTL 3600\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n\
                    @ IN MX 10 mx.old.example.\n@ IN TXT \"v=spf1 include:old.example -all\"\n@ IN TXT \"other\" \" text\"\n\
                    www IN CNAME web.example.\n";

fn set(values: &[&str], ttl: u32) -> Option<RecordSet> {
    (!values.is_empty()).then(|| RecordSet { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl })
}

fn change(name: &str, rtype: RecordType, before: Option<RecordSet>, after: Option<RecordSet>) -> ZoneChange {
    ZoneChange { domain: Domain::parse("a.test").unwrap(), name: name.to_owned(), rtype, before, after }
}

fn updater(at: SocketAddr, name: &str, secret: &str) -> Updater {
    Updater::new(at, None, (name, "hmac-sha256", &Secret::new(secret.to_owned()))).unwrap()
}

async fn ask(at: SocketAddr, name: &str, rtype: RecordType) -> Verdict {
    Client::default().lookup(at, &Question { name: name.to_owned(), rtype }).await
}

fn found(values: &[&str], ttl: u32) -> Verdict {
    Verdict::Found { values: values.iter().map(|v| (*v).to_owned()).collect(), ttl }
}

/// BIND with the zone, once it answers for it.
async fn primary(folder: &std::path::Path) -> super::daemons::Daemon {
    let server = bind(folder, "a.test", ZONE, ("rehome", "hmac-sha256", KEY));
    while !ask(server.address, "a.test", RecordType::Mx).await.is_known() {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    server
}

struct Only(SocketAddr);

#[async_trait]
impl Authorities for Only {
    async fn ask(&self, _: &Domain, question: &Question) -> Vec<(String, Result<Option<RecordSet>, String>)> {
        let said = match Client::default().lookup(self.0, question).await {
            Verdict::Found { values, ttl } => Ok(Some(RecordSet { values: values.into_iter().collect(), ttl })),
            verdict if verdict.is_missing() => Ok(None),
            other => Err(format!("{other:?}")),
        };
        vec![("bind".to_owned(), said)]
    }
}

fn writer(at: SocketAddr) -> Box<dyn ZoneWriter> {
    let config = UpdateConfig {
        server: at,
        zone: Some("a.test".to_owned()),
        key: "rehome".to_owned(),
        algorithm: "hmac-sha256".to_owned(),
        secret: Secret::new(KEY.to_owned()),
        patience: Patience { longest: Duration::from_secs(5), first_pause: Duration::from_millis(10) },
    };
    provider::open_updates(&config, Arc::new(Only(at))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn bind_takes_one_message_that_changes_a_set_and_leaves_its_neighbours() {
    if !bind_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = primary(folder.path()).await;
    let (at, writer) = (server.address, writer(server.address));

    let old = ["other text", "v=spf1 include:old.example -all"];
    let new = ["other text", "v=spf1 include:old.example include:new.example -all"];
    let spf = change("a.test", RecordType::Txt, set(&old, 3600), set(&new, 3600));
    assert_eq!(writer.probe(&spf).await.unwrap(), Probe::NotDone);
    writer.write(&spf).await.unwrap();
    assert_eq!(ask(at, "a.test", RecordType::Txt).await, found(&new, 3600));
    assert_eq!(writer.probe(&spf).await.unwrap(), Probe::Done);
    writer.write(&spf).await.unwrap();

    let lower = change("a.test", RecordType::Mx, set(&["10 mx.old.example"], 3600), set(&["10 mx.old.example"], 300));
    writer.write(&lower).await.unwrap();
    assert_eq!(ask(at, "a.test", RecordType::Mx).await, found(&["10 mx.old.example"], 300));
    let switch =
        change("a.test", RecordType::Mx, lower.after.clone(), set(&["10 mx1.new.example", "20 mx2.new.example"], 300));
    writer.write(&switch).await.unwrap();
    assert_eq!(ask(at, "a.test", RecordType::Mx).await, found(&["10 mx1.new.example", "20 mx2.new.example"], 300));
    writer.write(&switch.reversed()).await.unwrap();
    assert_eq!(ask(at, "a.test", RecordType::Mx).await, found(&["10 mx.old.example"], 300));

    let srv = change("_autodiscover._tcp.a.test", RecordType::Srv, None, set(&["0 0 443 new.example"], 600));
    writer.write(&srv).await.unwrap();
    assert_eq!(ask(at, &srv.name, RecordType::Srv).await, found(&["0 0 443 new.example"], 600));
    writer.write(&srv.reversed()).await.unwrap();
    assert_eq!(ask(at, &srv.name, RecordType::Srv).await, Verdict::NxDomain);

    let moved = change("www.a.test", RecordType::Cname, set(&["web.example"], 3600), set(&["new.example"], 3600));
    writer.write(&moved).await.unwrap();
    assert_eq!(ask(at, "www.a.test", RecordType::Cname).await, found(&["new.example"], 3600));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_long_key_is_written_in_several_strings_and_read_as_one() {
    if !bind_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = primary(folder.path()).await;
    let (at, writer) = (server.address, writer(server.address));
    // A key of 2048 bits has 392 digits in Base64, and a string holds 255 octets.
    for length in [230, 231, 392, 736] {
        let name = format!("s{length}._domainkey.a.test");
        let key = format!("v=DKIM1; k=rsa; p={}", "A".repeat(length));
        let publish = change(&name, RecordType::Txt, None, set(&[&key], 3600));
        writer.write(&publish).await.unwrap();
        assert_eq!(ask(at, &name, RecordType::Txt).await, found(&[&key], 3600));
        assert_eq!(writer.probe(&publish).await.unwrap(), Probe::Done, "{length}");
        writer.write(&publish.reversed()).await.unwrap();
        assert_eq!(ask(at, &name, RecordType::Txt).await, Verdict::NxDomain);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_somebody_changed_meanwhile_is_stale_and_stays() {
    if !bind_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = primary(folder.path()).await;
    let (at, writer) = (server.address, writer(server.address));
    let seen = set(&["10 mx.elsewhere.example"], 3600);
    let stale = change("a.test", RecordType::Mx, seen, set(&["10 mx.new.example"], 3600));
    assert_eq!(writer.write(&stale).await.unwrap_err().class, ErrorClass::Stale);
    assert!(matches!(writer.probe(&stale).await.unwrap(), Probe::Unclear(_)));
    let new = change("a.test", RecordType::Mx, None, set(&["10 mx.new.example"], 3600));
    assert_eq!(writer.write(&new).await.unwrap_err().class, ErrorClass::Stale);
    assert_eq!(ask(at, "a.test", RecordType::Mx).await, found(&["10 mx.old.example"], 3600));

    // Beside an alias nothing can stand, and the server is asked to make sure.
    let beside = change("www.a.test", RecordType::Txt, None, set(&["x"], 60));
    assert_eq!(writer.write(&beside).await.unwrap_err().class, ErrorClass::Stale);
    let alias = change("ns1.a.test", RecordType::Cname, None, set(&["x.example"], 60));
    assert_eq!(writer.write(&alias).await.unwrap_err().class, ErrorClass::Stale);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_key_changes_nothing_and_is_told_from_a_silent_server() {
    if !bind_here() {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let server = primary(folder.path()).await;
    let at = server.address;
    let mx = change("a.test", RecordType::Mx, set(&["10 mx.old.example"], 3600), set(&["10 mx.new.example"], 3600));
    let other = "YW5vdGhlciBzZWNyZXQgb2YgMzIgb2N0ZXRzLi4uLi4=";
    for (name, secret) in [("rehome", other), ("nobody", KEY)] {
        let refused = updater(at, name, secret).set(&mx).await.unwrap_err();
        assert!(matches!(refused, UpdateError::Refused(_)), "{refused:?}");
    }
    assert_eq!(ask(at, "a.test", RecordType::Mx).await, found(&["10 mx.old.example"], 3600));
    updater(at, "rehome", KEY).set(&mx).await.unwrap();
    let outside = ZoneChange { name: "b.test".to_owned(), before: None, ..mx.clone() };
    assert!(updater(at, "rehome", KEY).set(&outside).await.is_err());
    drop(server);
    let gone = updater(at, "rehome", KEY).set(&mx.reversed()).await.unwrap_err();
    assert!(matches!(gone, UpdateError::Unreachable(_)), "{gone:?}");
    assert!(BTreeSet::from([KEY, other]).iter().all(|k| !format!("{gone}").contains(k)));
}
