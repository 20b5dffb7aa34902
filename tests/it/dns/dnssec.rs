//! Signatures checked by the program itself, from a private anchor down, against zones that others signed and serve.

use std::{collections::BTreeMap, fs, net::SocketAddr, path::Path, time::Duration};

use rehome::{
    dns::{Anchors, Client, Proof, Validator},
    model::{Question, RecordType, Verdict},
};

use super::daemons::{Daemon, here, nsd, signed, signed_until, unbound};
use crate::binary::Binary;

/// A signed zone `test.` over one that is right, one that was changed after it was signed, and one without signatures.
struct Tree {
    server: Daemon,
    anchor: String,
    top: String,
    folder: tempfile::TempDir,
}

fn zone(apex: &str, rows: &str) -> String {
    format!(
        "$ORIGIN {apex}.\n$TTL 300\n@ IN SOA ns1 host 1 3600 600 86400 300\n@ IN NS ns1\nns1 IN A 127.0.0.1\n{rows}\n"
    )
}

fn key(folder: &Path, apex: &str) -> String {
    let start = format!("K{apex}.+");
    let files = fs::read_dir(folder).unwrap().map(|e| e.unwrap().path());
    let mut keys = files.filter(|p| {
        let name = p.file_name().unwrap().to_string_lossy().into_owned();
        name.starts_with(&start) && name.ends_with(".key")
    });
    fs::read_to_string(keys.next().unwrap()).unwrap()
}

impl Tree {
    fn grow() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let at = folder.path();
        let rows = "@ IN MX 10 mx\nmx IN A 192.0.2.25\n@ IN TXT \"v=spf1 mx -all\"\n*.any IN TXT \"wild\"";
        let (good, good_ds) = signed(at, "good.test", &zone("good.test", rows));
        let (bad, bad_ds) = signed(at, "bad.test", &zone("bad.test", rows));
        let forged = bad.replace("10 mx.bad.test.", "10 evil.bad.test.");
        assert_ne!(forged, bad);
        // A signature that has run out, and a DS record of a zone that has no keys any more.
        let (late, late_ds) = signed_until(at, "late.test", &zone("late.test", rows), "20250201000000");
        let (_, bare_ds) = signed(at, "bare.test", &zone("bare.test", rows));
        let bare = zone("bare.test", rows);
        let cuts = "late IN NS ns1.late\nns1.late IN A 127.0.0.1\nbare IN NS ns1.bare\nns1.bare IN A 127.0.0.1\ngood IN NS ns1.good\nns1.good IN A 127.0.0.1\nbad IN NS ns1.bad\nns1.bad IN A 127.0.0.1\nplain IN NS \
                    ns1.plain\nns1.plain IN A 127.0.0.1";
        let (top, top_ds) =
            signed(at, "test", &zone("test", &format!("{cuts}\n{good_ds}\n{bad_ds}\n{late_ds}\n{bare_ds}")));
        let plain = zone("plain.test", rows);
        let zones = [
            ("test", &*top),
            ("good.test", &*good),
            ("bad.test", &*forged),
            ("plain.test", &*plain),
            ("late.test", &*late),
            ("bare.test", &*bare),
        ];
        Self { server: nsd(at, &zones), anchor: key(at, "test"), top: top_ds, folder }
    }

    fn validator(&self, at: SocketAddr, anchor: &str) -> Validator {
        let client = Client { timeout: Duration::from_secs(2), authority: false };
        Validator::new(client, &[at.into()], &Anchors::parse(anchor).unwrap())
    }
}

async fn prove(validator: &Validator, name: &str, rtype: RecordType) -> Proof {
    validator.prove(&Question { name: name.to_owned(), rtype }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_signed_is_secure_and_what_was_changed_after_it_is_bogus() {
    if !here() {
        return;
    }
    let tree = Tree::grow();
    let validator = tree.validator(tree.server.address, &tree.anchor);
    for (name, rtype) in [
        ("good.test", RecordType::Mx),
        ("good.test", RecordType::Txt),
        ("good.test", RecordType::Aaaa),
        ("none.good.test", RecordType::A),
    ] {
        assert_eq!(prove(&validator, name, rtype).await, Proof::Secure, "{name} {rtype}");
    }
    let wildcard = prove(&validator, "x.any.good.test", RecordType::Txt).await;
    assert!(matches!(&wildcard, Proof::Unknown(why) if why.contains("wildcard")), "{wildcard:?}");
    assert_eq!(prove(&validator, "bad.test", RecordType::Mx).await, Proof::Bogus);
    assert_eq!(prove(&validator, "bad.test", RecordType::Txt).await, Proof::Secure, "only what was changed is broken");
    assert_eq!(prove(&validator, "plain.test", RecordType::Mx).await, Proof::Insecure);
    assert_eq!(prove(&validator, "late.test", RecordType::Mx).await, Proof::Bogus, "the signature has run out");
    assert_eq!(prove(&validator, "bare.test", RecordType::Mx).await, Proof::Bogus, "a DS record, and no key");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_key_of_somebody_else_proves_nothing() {
    if !here() {
        return;
    }
    let tree = Tree::grow();
    let other = tempfile::tempdir().unwrap();
    signed(other.path(), "test", &zone("test", ""));
    let validator = tree.validator(tree.server.address, &key(other.path(), "test"));
    let proof = prove(&validator, "good.test", RecordType::Mx).await;
    assert!(matches!(proof, Proof::Bogus | Proof::Unknown(_)), "{proof:?}");
    let silent = tree.validator(SocketAddr::from(([127, 0, 0, 1], 1)), &tree.anchor);
    assert!(matches!(prove(&silent, "good.test", RecordType::Mx).await, Proof::Unknown(_)), "nobody answers");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_validates_hides_nothing_from_the_check() {
    if !here() {
        return;
    }
    let tree = Tree::grow();
    let own = tempfile::tempdir().unwrap();
    let resolver = unbound(own.path(), tree.server.address, &[("test", &tree.top)]);
    let validator = tree.validator(resolver.address, &tree.anchor);
    assert_eq!(prove(&validator, "good.test", RecordType::Mx).await, Proof::Secure);
    for broken in ["bad.test", "late.test", "bare.test"] {
        assert_eq!(prove(&validator, broken, RecordType::Mx).await, Proof::Bogus, "{broken}");
        let recursive = Client { timeout: Duration::from_secs(2), authority: false };
        let asked = Question { name: broken.to_owned(), rtype: RecordType::Mx };
        assert_eq!(recursive.lookup(resolver.address, &asked).await, Verdict::Bogus, "{broken}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_tells_bogus_from_secure_from_insecure() {
    if !here() {
        return;
    }
    let tree = Tree::grow();
    let anchor = tree.folder.path().join("anchor");
    fs::write(&anchor, &tree.anchor).unwrap();
    let variables = [("REHOME_DNS_TIMEOUT_MILLIS", "2000"), ("NO_COLOR", "1")];
    let variables = variables.map(|(n, v)| (n.to_owned(), v.to_owned()));
    let binary = Binary::new(tree.folder.path(), BTreeMap::from(variables));
    let (server, anchor) = (tree.server.address.to_string(), anchor.display().to_string());
    let check = |domain: &str| {
        let words = ["dns", "check", domain, "--server", &server, "--trust-anchor", &anchor, "-v"];
        binary.run(&words)
    };
    let good = check("good.test").stdout;
    assert!(good.contains("dnssec-secure") && good.contains("good.test MX"), "{good}");
    let bad = check("bad.test").expect(8).stdout;
    assert!(bad.contains("dnssec-bogus") && bad.contains("the signatures do not hold"), "{bad}");
    let plain = check("plain.test").stdout;
    assert!(plain.contains("dnssec-insecure") && !plain.contains("dnssec-bogus"), "{plain}");
    let wild = check("x.any.good.test").stdout;
    assert!(wild.contains("dnssec-unknown") && wild.contains("wildcard"), "{wild}");
    fs::write(&anchor, "nothing of use\n").unwrap();
    check("good.test").expect(10);
}
