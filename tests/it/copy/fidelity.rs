//! Octets and dates of every kind.

use super::{
    Pair,
    front::Odd,
    quirks::{Between, anna},
};

const DATE: &str = "17-Jul-1996 02:44:25 -0700";

#[tokio::test]
async fn octets_of_every_kind_arrive_as_they_were() {
    let between = Between::empty(Odd::default(), Odd::default(), |_| {}).await;
    let long = [b"Subject: long\r\n\r\n".to_vec(), vec![b'x'; 1 << 20], b"\r\n".to_vec()].concat();
    let large = [b"Subject: large\r\n\r\n".to_vec(), b"one line of many, once more\r\n".repeat(180_000)].concat();
    let every: Vec<u8> = (1..=255).collect();
    let octets: [&[u8]; 12] = [
        b"",
        b"\r\n",
        b"x",
        b"Subject: no end",
        b"Subject: only a header\r\n",
        b"\r\nonly a body\r\n",
        b"Subject: bare\r\n\r\na\nb\rc\r\n\n\r",
        b"Subject: \xe9\xff\r\n\r\n\x80\x81\xfe\r\n",
        b"From nobody Mon Jan  1 00:00:00 2024\r\n\r\n.\r\n)\r\n* 1 FETCH (\r\n{5}\r\n",
        &every,
        &long,
        &large,
    ];
    let dates = ["01-Jan-1904 00:00:00 +0000", "31-Dec-1969 23:59:59 -1200", "29-Feb-2024 12:00:00 +1400"];
    let dates = dates.into_iter().chain([" 5-Jan-1971 03:04:05 +0545", "01-Jan-2090 00:00:00 +0000", DATE]).cycle();
    let messages: Vec<(&str, &[u8])> = dates.zip(octets).collect();
    between.put("INBOX", &messages);
    let report = between.pass().await.unwrap();
    assert_eq!(report.total.copied, 12, "{report:#?}");
    let (want, have) = (between.mail("old"), between.mail("new"));
    assert!(want == have, "flags, dates or octets differ");
    assert!(between.verify().await.ok);
}

#[tokio::test]
async fn a_nul_is_told_where_the_target_does_not_take_it() {
    let between = Between::empty(Odd::default(), Odd::default(), |_| {}).await;
    between.put("INBOX", &[(DATE, b"Subject: nul\r\n\r\na\0b\r\n"), (DATE, b"Subject: plain\r\n\r\n")]);
    let report = between.pass().await.unwrap();
    assert_eq!(report.failed.iter().map(|f| (f.uid, f.class.as_str())).collect::<Vec<_>>(), [(1, "nul-octet")]);
    assert_eq!(between.mail("new")["INBOX"].len(), 1);
}

#[tokio::test]
async fn a_nul_goes_where_the_target_offers_binary() {
    let Some(pair) = Pair::start("").await else { return };
    let between = Between::empty(Odd::default(), Odd::default(), |_| {}).await;
    let octets = b"Subject: nul\r\n\r\na\0b\r\n";
    between.put("INBOX", &[(DATE, octets)]);
    let source = between.source.connector(&anna().to_string(), "secret");
    let report = super::pass(source, pair.target("a"), &between.ledger).await.unwrap();
    assert!(report.failed.is_empty(), "{report:?}");
    // Dovecot keeps it, and shows another octet in its place where no literal8 was asked for.
    let there = &super::mail(pair.target("a")).await["INBOX"];
    assert_eq!((there.len(), there[0].2.len()), (1, octets.len()));
}
