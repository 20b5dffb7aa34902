//! What is handed over at the end: the record, a page for each user, settings for mail programs.

use std::{
    fs,
    path::Path,
    process::{Command, Stdio},
};

use rehome::sandbox::{
    api::{FaultKind, When},
    residents::EMAIL_PRO,
};
use sha2::{Digest as _, Sha256};

use super::apply;
use crate::{browser::Browser, world::World};

/// What differs from run to run and has no filter yet.
fn steady(text: &str) -> String {
    let mut settled = String::new();
    for line in text.lines() {
        let line = match line.split_once("SHA-256") {
            Some((before, _)) => format!("{before}SHA-256 [DIGEST]"),
            None if line.starts_with("- Applied by") => "- Applied by [WHO]".to_owned(),
            None if line.starts_with("- Plan `") => "- Plan [ID]".to_owned(),
            None => line.to_owned(),
        };
        settled.push_str(line.trim_end());
        settled.push('\n');
    }
    settled
}

/// The demo, moved, on a service that says what the real one would.
fn moved() -> World {
    let world = World::demo();
    world.edit_hosted(EMAIL_PRO, |service| service.hostname = "pro1.mail.ovh.net".to_owned());
    apply(&world).ends(0);
    world
}

#[expect(clippy::print_stderr, reason = "a test that is skipped says so")]
fn python(program: &str, file: &Path) -> Option<String> {
    let out = Command::new("python3").args(["-c", program]).arg(file).stdin(Stdio::null()).output();
    let Ok(out) = out else {
        assert!(std::env::var_os("REHOME_REQUIRE_SERVERS").is_none(), "python3 is not installed");
        eprintln!("SKIPPED: python3 is not installed");
        return None;
    };
    assert!(out.status.success(), "{}", String::from_utf8_lossy(&out.stderr));
    Some(String::from_utf8(out.stdout).unwrap())
}

#[test]
fn a_migration_ends_with_a_record_and_pages_that_are_true() {
    let world = moved();
    let ran = world.run(&["report", "--spec", "rehome.yaml", "--out", "handover"]).ends(0);
    assert!(ran.out.contains("3 pages"), "{ran}");
    let record = world.read("handover/record.md");
    insta::assert_snapshot!(steady(&record));
    assert_eq!(world.run(&["report", "--spec", "rehome.yaml"]).ends(0).out, record, "the same on stdout");
    let page = world.read("handover/record.html");
    assert!(page.contains("<td class=\"good\">every byte</td>") && !page.contains("<td class=\"bad\">"), "{page}");
    let user = world.read("handover/users/john.smith@blue.example/index.html");
    let (before, after) = user.split_once("read again on ").unwrap();
    let dated = format!("{before}read again on [DATE]{}", &after["2026-01-01".len()..]);
    insta::assert_snapshot!(dated.split("</style>").nth(1).unwrap());
    for page in [&page, &user] {
        assert!(!page.contains("<script") && !page.contains("http://") && !page.contains("https://"), "{page}");
    }
}

#[test]
fn a_user_whose_other_name_stayed_behind_is_not_told_that_nothing_arrives_there() {
    let world = World::demo();
    world.edit_hosted(EMAIL_PRO, |service| service.hostname = "pro1.mail.ovh.net".to_owned());
    world.respec("aliases: [j.smith@blue.example, sales@blue.example]", "aliases: [j.smith@blue.example]");
    apply(&world).ends(0);
    world.run(&["report", "--spec", "rehome.yaml", "--out", "handover"]).ends(0);
    let page = |name: &str| world.read(&format!("handover/users/{name}@blue.example/index.html"));
    let (john, jane) = (page("john.smith"), page("jane.doe"));
    assert!(
        john.contains("Mail to other names of yours still arrives in it") && !john.contains("Nothing new"),
        "{john}"
    );
    assert!(jane.contains("Nothing new arrives in it."), "{jane}");
}

#[test]
fn the_digest_of_the_record_can_be_computed_from_the_journal_by_anybody() {
    let world = moved();
    let record = world.run(&["report", "run-000001", "--spec", "rehome.yaml"]).ends(0).out;
    let journal = rusqlite::Connection::open(world.dir().join(".rehome/journal.db")).unwrap();
    let mut rows = journal
        .prepare("SELECT seq, action, attempt, kind, at, payload FROM entry WHERE run = 'run-000001' ORDER BY seq")
        .unwrap();
    let lines = rows.query_map([], |r| {
        let (seq, attempt): (i64, i64) = (r.get(0)?, r.get(2)?);
        let text = |at| r.get::<_, String>(at);
        Ok(format!("{seq}|{}|{attempt}|{}|{}|{}\n", text(1)?, text(3)?, text(4)?, text(5)?))
    });
    let lines: String = lines.unwrap().map(Result::unwrap).collect();
    let digest: String = Sha256::digest(lines.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
    assert!(record.contains(&digest), "{digest}\n{record}");
}

#[test]
fn mail_programs_can_read_their_settings() {
    let world = moved();
    let report = || world.run(&["report", "--spec", "rehome.yaml", "--out", "handover"]).ends(0);
    report();
    let profile = "handover/users/jane.doe@blue.example/mail.mobileconfig";
    let first = world.read(profile);
    report();
    assert_eq!(world.read(profile), first, "a profile installed again replaces the one before");
    let told = python(
        "import plistlib, sys; p = plistlib.load(open(sys.argv[1], 'rb')); c = p['PayloadContent'][0]; print(p['PayloadType'], \
         c['EmailAddress'], c['EmailAccountName'], c['IncomingMailServerHostName'], c['IncomingMailServerPortNumber'], \
         c['IncomingMailServerUseSSL'], c['OutgoingMailServerHostName'], c['OutgoingMailServerPortNumber'], \
         p['PayloadUUID'] != c['PayloadUUID'], [k for k in c if k.endswith('Password')])",
        &world.dir().join(profile),
    );
    let Some(told) = told else { return };
    assert_eq!(
        told.trim(),
        "Configuration jane.doe@blue.example Jane Doe pro1.mail.ovh.net 993 True pro1.mail.ovh.net 587 True \
         ['OutgoingPasswordSameAsIncomingPassword']"
    );
    let told = python(
        "import sys, xml.etree.ElementTree as E; r = E.parse(sys.argv[1]).getroot(); p = r.find('emailProvider'); \
         print(r.tag, r.get('version'), p.get('id'), p.findtext('domain'), *[f\"{s.get('type')} {s.findtext('hostname')} \
         {s.findtext('port')} {s.findtext('socketType')} {s.findtext('username')}\" for s in p if len(s)])",
        &world.dir().join("handover/autoconfig/blue.example/mail/config-v1.1.xml"),
    );
    assert_eq!(
        told.unwrap().trim(),
        "clientConfig 1.1 blue.example blue.example imap pro1.mail.ovh.net 993 SSL %EMAILADDRESS% smtp pro1.mail.ovh.net \
         587 STARTTLS %EMAILADDRESS%"
    );
}

#[test]
fn what_did_not_move_stands_in_the_record_with_its_reason() {
    let world = World::demo();
    let aliases = format!("/email/pro/{EMAIL_PRO}/account/max.weber@blue.example/alias");
    world.fails("POST", &aliases, FaultKind::Status { code: 400, retry_after: None }, When::Before);
    let ran = apply(&world);
    assert_ne!(ran.code, 0, "{ran}");
    let record = world.run(&["report", "--spec", "rehome.yaml"]).ends(0).out;
    assert!(record.contains("**Left behind**: add alias max@blue.example: failed"), "{record}");
    world.run(&["report", "run-000009", "--spec", "rehome.yaml"]).ends(10);
}

#[test]
fn before_the_copy_nobody_is_told_that_mail_has_moved() {
    let world = World::demo();
    world.run(&["report", "--spec", "rehome.yaml"]).ends(1);
    world.run(&["apply", "rehome.yaml", "--auto-approve", "--until", "domain", "--quiet"]).ends(7);
    let ran = world.run(&["report", "--spec", "rehome.yaml", "--out", "handover"]).ends(0);
    assert!(!ran.out.contains("page") && !world.dir().join("handover/users").exists(), "{ran}");
    let record = world.read("handover/record.md");
    assert!(record.contains("3 mailboxes: 0 verified byte by byte, 3 not verified"), "{record}");
    world.leaves_more_to_do();
}

/// `REHOME_KEEP_SCREENS=DIR` keeps the pictures, to look at.
#[test]
fn the_pages_open_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::find(folder.path()) else { return };
    let world = moved();
    world.run(&["report", "--spec", "rehome.yaml", "--out", "handover"]).ends(0);
    let kept = std::env::var_os("REHOME_KEEP_SCREENS").map(std::path::PathBuf::from);
    let to = kept.as_deref().unwrap_or(folder.path());
    for (name, page) in [("record", "record.html"), ("user", "users/john.smith@blue.example/index.html")] {
        let page = world.dir().join("handover").join(page);
        let shot = to.join(format!("{name}.png"));
        browser.open(&[&format!("--screenshot={}", shot.display())], &page, "");
        assert!(fs::metadata(&shot).unwrap().len() > 10_000, "a picture of the page");
        assert!(browser.open(&["--dump-dom"], &page, "").contains("john.smith@blue.example"));
    }
}
