//! `rehome dedup`: what people see, what they have to agree to, and what is sent.

use insta::assert_snapshot;
use rehome::{
    model::{Address, FolderPath},
    sandbox::{
        corpus::{FolderMail, InternalDate, Message},
        residents::EMAIL_PRO,
    },
};

use super::apply;
use crate::world::{Ran, World};

/// The new platform, as the store and its counters name it.
const MEMORY: &str = "emailpro";
const JOHN: &str = "john.smith@blue.example";

/// Puts messages into an inbox: three equal ones, and one that only has the same header.
fn deliver(world: &World, flags: &[&str]) {
    deliver_to(world, &Address::parse(JOHN).unwrap(), flags);
}

fn deliver_to(world: &World, login: &Address, flags: &[&str]) {
    let message = |flags: &[&str], text: &str| Message {
        bytes: format!("Message-ID: <1@x>\r\nSubject: offer\r\n\r\n{text}\r\n").into_bytes(),
        flags: flags.iter().map(|f| (*f).to_owned()).collect(),
        internal_date: InternalDate::new("2024-02-01T10:00:00Z".parse().unwrap(), 0),
    };
    let messages = vec![message(&[], "yes"), message(flags, "yes"), message(&[], "no!"), message(&[], "yes")];
    let inbox =
        FolderMail { path: FolderPath::inbox(), special_use: None, subscribed: true, selectable: true, messages };
    world.sandbox().memory().unwrap().deliver(MEMORY, login, &[inbox]).unwrap();
}

fn dedup(world: &World, more: &[&str]) -> Ran {
    let words: Vec<&str> = ["dedup", JOHN, "--spec=rehome.yaml"].iter().chain(more).copied().collect();
    world.run(&words)
}

fn sent(world: &World) -> Vec<(String, u64)> {
    let counts = world.sandbox().api().counters().snapshot();
    let odd = ["SELECT", "MOVE", "COPY", "STORE", "EXPUNGE", "APPEND", "CREATE", "DELETE", "RENAME", "CLOSE"];
    let of = |name: &String| odd.iter().any(|verb| *name == format!("imap.{MEMORY}.{verb}"));
    counts.into_iter().filter(|(name, _)| of(name)).collect()
}

fn plan_of(ran: &Ran) -> String {
    let at = ran.out.find("--move --ack ").unwrap_or_else(|| panic!("{ran}"));
    ran.out[at + 13..].trim().to_owned()
}

#[test]
fn doubles_are_shown_agreed_to_set_aside_and_brought_back() {
    let world = World::demo();
    apply(&world).ends(0);
    deliver(&world, &["\\Flagged"]);
    let before = world.mail(MEMORY, JOHN);
    let quiet = sent(&world);
    let shown = dedup(&world, &[]).ends(0);
    let masked = shown.out.replace(&plan_of(&shown), "[PLAN]");
    assert_snapshot!(masked, @r"
    INBOX: 1 message more than once, 2 extra, 84 octets
      UID 3 stays; equal to it: 4, 6 (42 octets each); flags differ

    2 extra messages in 1 folder, 84 octets. 12 messages looked at in john.smith@blue.example at 127.0.0.1:[PORT].

    Plan [PLAN]: one of each stays as it is, the others go below `Rehome-Doubles`.
    To do it: the same with --move --ack [PLAN]
    ");
    assert_eq!(sent(&world), quiet, "looking sends nothing that could change anything");

    let refused = dedup(&world, &["--move"]).ends(4);
    assert!(refused.err.contains("--move --ack"), "{refused}");
    dedup(&world, &["--move", "--ack=000000000000"]).ends(5);
    dedup(&world, &["--move", "--ack=1"]).ends(10);
    assert_eq!((sent(&world), world.mail(MEMORY, JOHN)), (quiet, before.clone()), "nothing was agreed to");

    let plan = format!("--ack={}", plan_of(&shown));
    assert_snapshot!(dedup(&world, &["--move", &plan]).ends(0).out, @"2 messages were set aside.");
    assert_eq!(world.mail(MEMORY, JOHN), before, "every message is still somewhere");
    let john = Address::parse(JOHN).unwrap();
    let folders = world.sandbox().memory().unwrap().contents(MEMORY, &john).unwrap();
    let aside: Vec<_> = folders["Rehome-Doubles/INBOX"].iter().map(|m| m.flags.len()).collect();
    assert_eq!(aside, [1, 0], "with the flags they had");
    assert_snapshot!(dedup(&world, &[]).ends(0).out, @r"
    No folder holds a message twice. 10 messages looked at in john.smith@blue.example at 127.0.0.1:[PORT].

    2 messages set aside earlier; --restore brings them back.
    ");
    let json: serde_json::Value = serde_json::from_str(&dedup(&world, &["--format=json"]).ends(0).out).unwrap();
    assert_eq!((&json["aside"], &json["extra"]), (&2.into(), &0.into()));

    // Neither the plan nor the proof takes that for a change.
    world.run(&["plan", "rehome.yaml", "--detailed-exitcode"]).ends(0);
    world.run(&["verify", "rehome.yaml", "--what=mail"]).ends(0);
    assert_snapshot!(dedup(&world, &["--restore"]).ends(0).out, @"2 messages were brought back.");
    assert_eq!(world.mail(MEMORY, JOHN), before);
    assert_eq!(plan_of(&dedup(&world, &[])).len(), 12);
    let counts = world.sandbox().api().counters().snapshot();
    for verb in ["EXPUNGE", "STORE", "DELETE"] {
        assert!(!counts.contains_key(&format!("imap.{MEMORY}.{verb}")), "{verb} was sent");
    }
}

#[test]
fn a_plan_counts_for_these_doubles_and_no_others() {
    let world = World::demo();
    apply(&world).ends(0);
    deliver(&world, &[]);
    let plan = format!("--ack={}", plan_of(&dedup(&world, &[])));
    deliver(&world, &[]);
    let stale = dedup(&world, &["--move", &plan]).ends(5);
    assert!(stale.err.contains("holds other doubles"), "{stale}");
}

#[test]
fn a_run_that_died_goes_on_by_the_same_words() {
    let world = World::demo();
    apply(&world).ends(0);
    deliver(&world, &[]);
    let before = world.mail(MEMORY, JOHN);
    world.set("REHOME_SETTLE_MILLIS", "20");
    for point in ["ledger-before:1", "ledger-after:1", "ledger-before:2", "ledger-after:2"] {
        let plan = format!("--ack={}", plan_of(&dedup(&world, &[])));
        world.set("REHOME_REHEARSE_CRASH", point);
        let died = dedup(&world, &["--move", &plan]);
        assert_ne!(died.code, 0, "{point}: {died}");
        world.unset("REHOME_REHEARSE_CRASH");
        dedup(&world, &["--move", &plan]).ends(0);
        let john = Address::parse(JOHN).unwrap();
        let folders = world.sandbox().memory().unwrap().contents(MEMORY, &john).unwrap();
        assert_eq!(folders["Rehome-Doubles/INBOX"].len(), 2, "{point}");
        assert_eq!(world.mail(MEMORY, JOHN), before, "{point}");
        dedup(&world, &["--restore"]).ends(0);
        assert_eq!(world.mail(MEMORY, JOHN), before, "{point}");
        // They have new UIDs now, so that is another plan.
        dedup(&world, &["--move", &plan]).ends(5);
    }
}

#[test]
fn a_mailbox_without_a_spec_is_opened_by_its_url() {
    let world = World::demo();
    let ann = Address::parse("ann@green.example").unwrap();
    world.set("ANN_PASSWORD", "Word-of-ann-1");
    world.wait_for(world.sandbox().mail().create(EMAIL_PRO, &ann, "Word-of-ann-1")).unwrap();
    deliver_to(&world, &ann, &[]);
    let before = world.mail(MEMORY, "ann@green.example");
    let imap = &world.ready().imap[EMAIL_PRO];
    let at = format!("--at=imap://ann%40green.example@{}:{}", imap.host, imap.port);
    let wrong = world.run(&["dedup", &at]).ends(10);
    assert!(wrong.err.contains("--password"), "{wrong}");
    world.run(&["dedup", &at, JOHN, "--password=env:ANN_PASSWORD"]).ends(10);
    assert!(world.run(&["dedup", &at, "--password=env:NOT_SET"]).ends(11).err.contains("--password: the environment"));
    let words = ["dedup", at.as_str(), "--password=env:ANN_PASSWORD"];
    let shown = world.run(&words).ends(0);
    assert!(!world.dir().join(".rehome").exists(), "a look leaves nothing behind");
    let plan = format!("--ack={}", plan_of(&shown));
    world.run(&[&words[..], &["--move", &plan]].concat()).ends(0);
    assert_eq!(plan_lines(&world.run(&words).ends(0)), 0);
    world.run(&[&words[..], &["--restore"]].concat()).ends(0);
    assert_eq!(world.mail(MEMORY, "ann@green.example"), before);
}

fn plan_lines(ran: &Ran) -> usize {
    ran.out.matches("--move --ack").count()
}
