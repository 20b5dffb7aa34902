//! Connections that go from one piece of work to the next.

use std::time::Duration;

use rehome::{
    imap::{Connector, Parking},
    model::{Address, CopyReport, MailLimits},
    sandbox::store::MailStore as _,
};

use super::{
    front::{Front, Odd},
    pass_taking,
    quirks::{Between, NEW, anna},
};

fn parked(front: &Front, parking: &Parking) -> Connector {
    let mut connector = front.connector(&anna().to_string(), "secret");
    connector.parking = Some(parking.clone());
    connector
}

async fn pass(between: &Between, parking: &Parking) -> CopyReport {
    let (from, to) = (parked(&between.source, parking), parked(&between.target, parking));
    let report = pass_taking(from, to, &between.ledger, &between.filter).await.unwrap();
    between.assert_whole(&report);
    report
}

fn logins(between: &Between) -> [usize; 2] {
    [&between.source, &between.target].map(|front| front.heard("LOGIN").len())
}

#[tokio::test]
async fn the_next_pass_goes_on_with_the_connections_of_the_one_before() {
    let between = Between::new(Odd::default(), Odd::default()).await;
    let parking = Parking::default();
    pass(&between, &parking).await;
    let before = logins(&between);
    between.put("INBOX", &[("17-Jul-1996 02:44:25 -0700", b"Subject: new\r\n\r\nx")]);
    let report = pass(&between, &parking).await;
    assert_eq!(report.total.new, Some(1));
    assert_eq!(logins(&between), before, "nobody logs in again");
    for front in [&between.source, &between.target] {
        assert_eq!(front.heard("UNSELECT").len(), 1, "the folder that was open is left");
        assert!(front.heard("CLOSE").is_empty() && front.heard("EXPUNGE").is_empty(), "and nothing in it removed");
    }
    parking.close();
    pass(&between, &parking).await;
    assert_eq!(logins(&between), before.map(|n| n + 1), "what may be renamed is opened anew");
}

#[tokio::test]
async fn a_connection_that_ended_while_it_was_kept_costs_another_one_and_nothing_else() {
    let between = Between::new(Odd::default(), Odd::default()).await;
    let parking = Parking::default();
    pass(&between, &parking).await;
    between.put("INBOX", &[("17-Jul-1996 02:44:25 -0700", b"Subject: new\r\n\r\nx")]);
    let before = logins(&between);
    for front in [&between.source, &between.target] {
        front.ends_all();
    }
    // The news has to get here: what ends under way is another matter.
    tokio::time::sleep(Duration::from_millis(50)).await;
    assert_eq!(pass(&between, &parking).await.total.new, Some(1));
    let [source, target] = logins(&between);
    assert!(source > before[0] && target > before[1], "nobody goes on with what has ended");
}

#[tokio::test]
async fn what_is_kept_gives_way_when_the_server_takes_no_more_connections() {
    let full = Odd::default().answers("LOGIN", 2, "$ NO [ALERT] Too many simultaneous connections.\r\n");
    let between = Between::empty(Odd::default(), full, |_| {}).await;
    let bob = Address::parse("bob@quirks.example").unwrap();
    between.store.create(NEW, &bob, "secret").await.unwrap();
    let parking = Parking::default();
    let anna = parked(&between.target, &parking);
    anna.keep(anna.connect().await.unwrap());
    let mut other = between.target.connector(&bob.to_string(), "secret");
    other.parking = Some(parking.clone());
    other.connect().await.unwrap().logout().await;
    assert_eq!(
        between.target.heard("LOGIN").len(),
        3,
        "the second one is refused, and made once what was kept has ended"
    );
    anna.connect().await.unwrap().logout().await;
    assert_eq!(between.target.heard("LOGIN").len(), 4);
}

#[tokio::test]
async fn where_somebody_said_how_many_connections_a_host_gets_none_is_kept() {
    let between = Between::empty(Odd::default(), Odd::default(), |_| {}).await;
    let mut connector = parked(&between.target, &Parking::default());
    connector.limits = MailLimits { connections: Some(2), ..MailLimits::default() };
    for n in 1..=2 {
        connector.keep(connector.connect().await.unwrap());
        assert_eq!(between.target.heard("LOGIN").len(), n);
    }
}
