//! The move of an MX with a test message through the new servers, and with what else may forbid it, by the program.

use std::{
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use insta::assert_snapshot;
use rehome::{
    model::RecordType,
    sandbox::{residents::EXCHANGE_2, smtp::SmtpFault},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpListener,
};
use tokio_rustls::TlsAcceptor;

use crate::{
    imap::tls::{Authority, authority, issue, issue_with_key},
    world::{Ran, World},
    zones::{ZONE, apply, edit_zone, parallel, served},
};

const PROBE: &str = "{ ttl: 120, margin: 0, approve: false, probe: { account: john.smith@blue.example } }";
/// Seconds after which the old MX is forgotten, the test message is overdue, and the new MX is everywhere.
const FORGOTTEN: u64 = 3_700;
const OVERDUE: u64 = FORGOTTEN + 1_000;

/// The new mail servers, which take mail for the domain.
fn with_servers(cutover: &str) -> World {
    let world = parallel(cutover);
    let zones = world.sandbox().zones();
    zones.add_zone("new.example", &["dns1.sandbox.example"]).unwrap();
    zones.set("mx.new.example", RecordType::A, &["127.0.0.1"], 60).unwrap();
    world.sandbox().smtp().route(ZONE, EXCHANGE_2);
    world
}

/// The same, up to where the old MX is forgotten and nothing but the test message is in the way.
fn ready(cutover: &str) -> World {
    let world = with_servers(cutover);
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    ahead(&world, FORGOTTEN);
    world
}

fn ahead(world: &World, seconds: u64) {
    world.set("REHOME_AHEAD_SECONDS", &seconds.to_string());
}

fn resume(world: &World) -> Ran {
    world.run(&["resume", "rehome.yaml", "--no-wait"])
}

fn fails(world: &World, fault: SmtpFault) {
    world.sandbox().smtp().fail(Some(fault));
}

fn heals(world: &World) {
    world.sandbox().smtp().fail(None);
}

fn count(world: &World, name: &str) -> u64 {
    world.sandbox().api().counters().get(name)
}

fn has_moved(world: &World) -> bool {
    served(world, ZONE, RecordType::Mx) == ["10 mx.new.example"]
}

fn status(world: &World) -> String {
    world.run(&["cutover", "status", "rehome.yaml"]).out
}

#[test]
fn a_test_message_that_arrives_lets_the_move_go_on() {
    let world = with_servers(PROBE);
    let authority = authority("of the sandbox");
    world.sandbox().smtp().encrypt(issue(&authority, &["mx.new.example"], (2020, 2090)));
    trusts(&world, &authority);
    let plan = world.run(&["plan", "rehome.yaml"]).ends(0);
    let shown = plan.out.split_once("wait for new MX").unwrap().0.rsplit_once("mx.new.example.\n").unwrap().1;
    assert_snapshot!(shown.trim_end_matches(['|', ' ', '\n']), @r"
    ?  send test message  john.smith@blue.example
                          through the new mail servers; within 15 minutes, else the MX moves back
    ");
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    assert_eq!(count(&world, "smtp.EHLO"), 0, "nobody is asked before it is time");
    ahead(&world, FORGOTTEN);
    let before = world.mail("exchange2", "john.smith@blue.example").len();
    let moved = resume(&world).ends(7);
    assert!(moved.err.contains("through mx.new.example (250 2.0.0 taken; over TLS), found in INBOX"), "{moved}");
    assert!(has_moved(&world));
    assert_eq!(world.mail("exchange2", "john.smith@blue.example").len(), before + 1);
    assert_snapshot!(status(&world), @r"
    blue.example in run-000001: needs nobody's word
      done  dns.ttl:blue.example/MX
      done  cutover.wait:blue.example
      done  dns.set:blue.example/MX
      done  cutover.probe:blue.example  sent [TIME] to mx.new.example, arrived
      open  cutover.converge:blue.example  not before [TIME]
      open  dns.ttl:blue.example/MX#2
    ");
    ahead(&world, FORGOTTEN + 200);
    resume(&world).ends(0);
    assert_eq!(count(&world, "smtp.content"), 1);
}

#[test]
fn a_swallowed_test_message_takes_the_move_back_until_somebody_says_go() {
    let world = ready(PROBE);
    fails(&world, SmtpFault::Swallow);
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("has not arrived"), "{waits}");
    assert!(has_moved(&world) && status(&world).contains("taken; the MX moves back at"), "{}", status(&world));
    resume(&world).ends(7);
    assert_eq!(count(&world, "smtp.content"), 1, "a look is no second message");
    ahead(&world, OVERDUE);
    let failed = resume(&world).ends(3);
    assert!(failed.err.contains("was moved back, because the test message failed"), "{failed}");
    assert!(failed.err.contains("it is not in the mailbox of john.smith@blue.example after 15 minutes"), "{failed}");
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);

    // A scheduled `resume` does not move it again.
    let held = resume(&world).ends(7);
    assert!(held.err.contains("the failed test holds the move"), "{held}");
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);
    heals(&world);
    world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(0);
    resume(&world).ends(7);
    assert!(has_moved(&world));
    assert_eq!(count(&world, "smtp.content"), 2);
    ahead(&world, OVERDUE + 200);
    resume(&world).ends(0);
}

#[test]
fn a_refusal_is_known_before_the_move_and_takes_it_back_after_it() {
    let world = ready(PROBE);
    fails(&world, SmtpFault::RefuseRecipient);
    let stays = resume(&world).ends(7);
    assert!(stays.err.contains("does not move: mx.new.example refuses it: 550 5.1.1"), "{stays}");
    assert!(!has_moved(&world));
    // What is refused with the whole message alone is found out after the move.
    fails(&world, SmtpFault::RefuseMessage);
    let failed = resume(&world).ends(3);
    assert!(failed.err.contains("mx.new.example refuses it: 554 5.6.0 not this one"), "{failed}");
    assert_eq!(served(&world, ZONE, RecordType::Mx).len(), 4);
}

#[test]
fn what_cannot_be_reached_is_unknown_and_moves_nothing_back() {
    let world = ready(PROBE);
    let port = world.ready().smtp.rsplit(':').next().unwrap().to_owned();
    world.set("REHOME_SMTP_PORT", "1");
    let stays = resume(&world).ends(7);
    assert!(stays.err.contains("cannot be reached from here") && stays.err.contains("without `probe`"), "{stays}");
    world.set("REHOME_SMTP_PORT", &port);
    fails(&world, SmtpFault::Barred);
    let stays = resume(&world).ends(7);
    assert!(stays.err.contains("does not deal with this machine: 554 5.7.1"), "{stays}");
    assert!(!has_moved(&world));
    // The same once the MX has moved.
    heals(&world);
    after_the_knocks(&world, SmtpFault::Barred);
    let unknown = resume(&world).ends(7);
    assert!(unknown.err.contains("does not deal with this machine"), "{unknown}");
    assert!(unknown.err.contains("rehome journal resolve cutover.probe:blue.example --as done"), "{unknown}");
    ahead(&world, OVERDUE);
    resume(&world).ends(7);
    assert!(has_moved(&world), "what is not known moves nothing back");
    heals(&world);
    resume(&world).ends(7);
    assert!(status(&world).contains("done  cutover.probe:blue.example"), "{}", status(&world));
}

/// Fails once a server was asked whether it would take a message, at the end of the wait and right before the move.
fn after_the_knocks(world: &World, fault: SmtpFault) {
    let (smtp, knocks) = (world.sandbox().smtp().switch(), AtomicU64::new(0));
    world.sandbox().api().counters().watch(move |name| {
        if name == "smtp.QUIT" && knocks.fetch_add(1, Ordering::SeqCst) == 1 {
            smtp.fail(Some(fault.clone()));
        }
    });
}

#[test]
fn a_server_that_asks_to_come_again_is_asked_again_until_the_time_is_up() {
    let world = ready(PROBE);
    after_the_knocks(&world, SmtpFault::Later);
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("asks to come again: 450 4.2.0") && has_moved(&world), "{waits}");
    heals(&world);
    resume(&world).ends(7);
    assert!(status(&world).contains("done  cutover.probe:blue.example"), "{}", status(&world));
}

#[test]
fn junk_is_looked_into_too() {
    let world = ready(PROBE);
    fails(&world, SmtpFault::Junk);
    let moved = resume(&world).ends(7);
    assert!(moved.err.contains("found in Junk Email"), "{moved}");
}

/// Kills the program while the server holds it at a moment.
fn killed_at(world: &World, moment: &'static str) {
    let dead = Arc::new(AtomicBool::new(false));
    let held = Arc::clone(&dead);
    world.sandbox().api().counters().watch(move |name| {
        while name == moment && !held.load(Ordering::SeqCst) {
            hold();
        }
    });
    let mut running = world.start(&["resume", "rehome.yaml", "--no-wait"]);
    running.until(moment, |world| count(world, moment) > 0);
    running.signal("KILL");
    running.end();
    dead.store(true, Ordering::SeqCst);
}

#[expect(clippy::disallowed_methods, reason = "the server of the sandbox stands still while its client is killed")]
fn hold() {
    std::thread::sleep(Duration::from_millis(3));
}

#[test]
fn killed_after_the_message_was_handed_over_it_is_found_and_not_sent_again() {
    let world = ready(PROBE);
    killed_at(&world, "smtp.content");
    assert!(status(&world).contains("not known whether it was taken"), "{}", status(&world));
    resume(&world).ends(7);
    assert_eq!(count(&world, "smtp.content"), 1);
    assert!(status(&world).contains("done  cutover.probe:blue.example"), "{}", status(&world));
}

#[test]
fn killed_before_the_message_was_handed_over_a_person_decides() {
    let world = ready(PROBE);
    killed_at(&world, "smtp.DATA");
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("has not arrived"), "{waits}");
    ahead(&world, OVERDUE);
    let decide = resume(&world).ends(9);
    assert!(decide.err.contains("whether mx.new.example took the test message is not known"), "{decide}");
    assert_eq!((count(&world, "smtp.content"), has_moved(&world)), (0, true));
    world.run(&["journal", "resolve", "cutover.probe:blue.example", "--as", "retry"]).ends(0);
    resume(&world).ends(7);
    assert_eq!(count(&world, "smtp.content"), 1);
    assert!(status(&world).contains("done  cutover.probe:blue.example"), "{}", status(&world));
}

#[test]
fn a_connection_that_breaks_after_the_message_is_settled_by_the_mailbox() {
    let world = ready(PROBE);
    fails(&world, SmtpFault::Hang);
    resume(&world).ends(7);
    assert!(status(&world).contains("done  cutover.probe:blue.example"), "{}", status(&world));
    assert_eq!(count(&world, "smtp.content"), 1);
}

/// The program takes certificates of that authority.
fn trusts(world: &World, authority: &Authority) {
    world.write("authority.pem", &authority.pem());
    world.set("SSL_CERT_FILE", &world.dir().join("authority.pem").display().to_string());
}

/// A web server for the policy of the domain, which can be replaced while it runs.
fn policy(world: &World, text: &str) -> Arc<Mutex<String>> {
    let zones = world.sandbox().zones();
    zones.set("_mta-sts.blue.example", RecordType::Txt, &["v=STSv1; id=1;"], 60).unwrap();
    zones.set("mta-sts.blue.example", RecordType::A, &["127.0.0.1"], 60).unwrap();
    let authority = authority("of policies");
    let acceptor = TlsAcceptor::from(issue(&authority, &["mta-sts.blue.example"], (2020, 2090)));
    trusts(world, &authority);
    let listener = world.wait_for(TcpListener::bind("127.0.0.1:0")).unwrap();
    world.set("REHOME_HTTPS_PORT", &listener.local_addr().unwrap().port().to_string());
    let page = Arc::new(Mutex::new(text.to_owned()));
    let served = Arc::clone(&page);
    world.spawn(async move {
        while let Ok((tcp, _)) = listener.accept().await {
            let Ok(mut tls) = acceptor.accept(tcp).await else { continue };
            let mut request = [0; 4096];
            let _ = tls.read(&mut request).await;
            let body = served.lock().unwrap().clone();
            let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nConnection: close\r\nContent-Length:";
            let _ = tls.write_all(format!("{head} {}\r\n\r\n{body}", body.len()).as_bytes()).await;
            let _ = tls.shutdown().await;
        }
    });
    page
}

const OLD_POLICY: &str = "version: STSv1\nmode: enforce\nmx: *.mail.ovh.net\nmax_age: 604800\n";
const BOTH: &str = "version: STSv1\nmode: enforce\nmx: *.mail.ovh.net\nmx: mx.new.example\nmax_age: 604800\n";
const WEEK: u64 = 604_800;

/// A move that a policy forbids, up to where nothing else is in the way.
fn forbidden() -> (World, Arc<Mutex<String>>) {
    let world = parallel("{ ttl: 120, margin: 0, approve: false }");
    let page = policy(&world, OLD_POLICY);
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    ahead(&world, FORGOTTEN);
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("does not list mx.new.example"), "{waits}");
    (world, page)
}

#[test]
fn a_policy_that_keeps_mail_from_the_new_servers_is_waited_out_once_it_is_changed() {
    let (world, page) = forbidden();
    *page.lock().unwrap() = BOTH.to_owned();
    world.sandbox().zones().set("_mta-sts.blue.example", RecordType::Txt, &["v=STSv1; id=2;"], 60).unwrap();
    // The new one is seen from here on; it would let the move go after a day.
    resume(&world).ends(7);
    ahead(&world, FORGOTTEN + 100_000);
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("senders may know an MTA-STS policy"), "{waits}");
    assert!(!has_moved(&world));
    ahead(&world, FORGOTTEN + WEEK + 100);
    resume(&world).ends(7);
    assert!(has_moved(&world));
}

#[test]
fn a_policy_that_was_taken_away_or_switched_off_is_waited_out_too() {
    for gone in [true, false] {
        let (world, page) = forbidden();
        if gone {
            world.sandbox().zones().remove("_mta-sts.blue.example", RecordType::Txt).unwrap();
        } else {
            *page.lock().unwrap() = "version: STSv1\nmode: none\nmax_age: 86400\n".to_owned();
        }
        resume(&world).ends(7);
        ahead(&world, FORGOTTEN + 200_000);
        let waits = resume(&world).ends(7);
        assert!(waits.err.contains("senders may know an MTA-STS policy"), "gone: {gone}, {waits}");
        ahead(&world, FORGOTTEN + WEEK + 100);
        resume(&world).ends(7);
        assert!(has_moved(&world), "gone: {gone}");
    }
}

#[test]
fn a_policy_that_lists_both_from_the_beginning_costs_a_day_at_most() {
    let world = parallel("{ ttl: 120, margin: 0, approve: false }");
    let page = policy(&world, BOTH);
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    ahead(&world, FORGOTTEN);
    resume(&world).ends(7);
    assert!(!has_moved(&world));
    ahead(&world, 86_500);
    resume(&world).ends(7);
    assert!(has_moved(&world));
    drop(page);
}

#[test]
fn keys_in_dns_that_the_new_server_does_not_have_keep_the_mx_where_it_is() {
    let world = with_servers("{ ttl: 120, margin: 0, approve: false }");
    let authority = authority("of the sandbox");
    let (config, key) = issue_with_key(&authority, &["mx.new.example"], (2020, 2090));
    world.sandbox().smtp().encrypt(config);
    let keys = |records: &[&str]| {
        world.sandbox().zones().set("_25._tcp.mx.new.example", RecordType::Tlsa, records, 60).unwrap();
    };
    let other = "3 1 1 00112233445566778899aabbccddeeff00112233445566778899aabbccddeeff";
    keys(&[other]);
    apply(&world, &["--no-wait", "--ack", "mx-change"]).ends(7);
    ahead(&world, FORGOTTEN);
    let waits = resume(&world).ends(7);
    assert!(waits.err.contains("promises a key that mx.new.example does not have"), "{waits}");
    assert!(!has_moved(&world));
    // During a change of keys the old and the new one stand side by side.
    let own = format!("3 1 1 {}", rehome::model::Digest::of(&key).hex());
    keys(&[other, &own]);
    // Resolvers may know the wrong one alone for a while.
    resume(&world).ends(7);
    ahead(&world, 2 * FORGOTTEN);
    resume(&world).ends(7);
    assert!(has_moved(&world));
}

#[test]
fn a_move_is_looked_at_again_right_before_it_is_made() {
    let world = parallel("{ ttl: 120, margin: 0 }");
    apply(&world, &["--no-wait", "--ack", "mx-change", "--until", "cutover.wait:blue.example"]).ends(7);
    ahead(&world, FORGOTTEN);
    world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(0);
    world.run(&["resume", "rehome.yaml", "--no-wait", "--until", "cutover.wait:blue.example"]).ends(7);
    assert!(status(&world).contains("done  cutover.wait:blue.example"), "{}", status(&world));
    // The weekend comes in between, and somebody changes their mind.
    world.run(&["cutover", "hold", ZONE, "rehome.yaml"]).ends(0);
    let held = resume(&world).ends(7);
    assert!(held.err.contains("tester holds the move") && !has_moved(&world), "{held}");
    edit_zone(&world, |rows| {
        rows.iter_mut().filter(|r| r.field_type == "MX").for_each(|r| r.ttl = 3_600);
    });
    world.run(&["cutover", "approve", ZONE, "rehome.yaml"]).ends(0);
    let behind = resume(&world).ends(7);
    assert!(behind.err.contains("still has") && !has_moved(&world), "{behind}");
}
