//! Journals that cannot be used, and what the journal tells.

use std::{fs, io::Write as _};

use insta::assert_snapshot;

use super::apply;
use crate::world::World;

const READERS: [&[&str]; 3] =
    [&["status", "rehome.yaml"], &["plan", "rehome.yaml"], &["journal", "log", "rehome.yaml"]];

#[test]
fn a_journal_of_a_newer_version_is_refused_and_not_touched() {
    let world = World::demo();
    apply(&world).ends(0);
    let file = world.dir().join(".rehome/journal.db");
    let format = |number: &str| {
        let db = rusqlite::Connection::open(&file).unwrap();
        db.execute("UPDATE meta SET value = ?1 WHERE key = 'format'", [number]).unwrap();
        db.pragma_update(None, "wal_checkpoint", "TRUNCATE").unwrap();
    };
    let db = rusqlite::Connection::open(&file).unwrap();
    let now: String = db.query_row("SELECT value FROM meta WHERE key = 'format'", [], |r| r.get(0)).unwrap();
    drop(db);
    format("99");
    for words in READERS {
        world.run(words).ends(1);
    }
    assert_snapshot!(world.run(&["status", "rehome.yaml"]).ends(1), @r"
    $ rehome status rehome.yaml
    --- stderr
    error: the journal ./.rehome/journal.db has format 99; this rehome knows formats up to 5
    help: use the version of rehome that wrote it, or a later one
    --- exit 1
    ");
    world.respec("name: Max Weber", "name: Maximilian Weber");
    apply(&world).ends(1);
    format(&now);
    apply(&world).ends(0);
}

#[test]
fn a_torn_journal_is_told_from_an_empty_one() {
    let world = World::demo();
    apply(&world).ends(0);
    let file = world.dir().join(".rehome/journal.db");
    // All content is in the main file.
    rusqlite::Connection::open(&file).unwrap().pragma_update(None, "journal_mode", "DELETE").unwrap();
    let whole = fs::read(&file).unwrap();
    let mut torn = whole.clone();
    torn[4096..].fill(0xA5);
    fs::write(&file, &torn).unwrap();
    assert_snapshot!(world.run(&["status", "rehome.yaml"]).ends(1), @r"
    $ rehome status rehome.yaml
    --- stderr
    error: the journal ./.rehome/journal.db is damaged: database disk image is malformed
    help: restore it from a backup; or save what is left with `sqlite3 ./.rehome/journal.db .recover`. Without it rehome does not know which messages it copied: do not delete it and apply again
    --- exit 1
    ");
    world.run(&["plan", "rehome.yaml"]).ends(1);
    fs::write(&file, &whole[..whole.len() / 2]).unwrap();
    world.run(&["status", "rehome.yaml"]).ends(1);
    fs::File::create(&file).unwrap().write_all(b"this is a text, not a database of anything at all").unwrap();
    assert_snapshot!(world.run(&["status", "rehome.yaml"]).ends(1), @r"
    $ rehome status rehome.yaml
    --- stderr
    error: the journal ./.rehome/journal.db is damaged: file is not a database
    help: restore it from a backup; or save what is left with `sqlite3 ./.rehome/journal.db .recover`. Without it rehome does not know which messages it copied: do not delete it and apply again
    --- exit 1
    ");
    fs::write(&file, &whole).unwrap();
    world.run(&["status", "rehome.yaml"]).ends(0);
}

#[test]
fn a_journal_tells_what_was_done_in_which_order() {
    let world = World::demo();
    apply(&world).ends(0);
    assert_snapshot!(world.run(&["journal", "log", "rehome.yaml"]).ends(0), @r"
    $ rehome journal log rehome.yaml
    run-000001  plan [ID]  began [TIME] by tester on vm; ended [TIME] with 0 (done, or nothing to do)
    --- exit 0
    ");
    let show = world.run(&["journal", "show", "--spec", "rehome.yaml"]).ends(0);
    let order = |what: &str| show.out.find(what).unwrap_or_else(|| panic!("no `{what}`: {show}"));
    assert!(order("account.rename:exchange/john.smith@") < order("account.create:emailpro/john.smith@"));
    let json = world.run(&["journal", "show", "--spec", "rehome.yaml", "--format", "json"]).ends(0);
    assert!(serde_json::from_str::<serde_json::Value>(&json.out).unwrap().as_array().unwrap().len() > 10);
    let bad = world.run(&["journal", "resolve", "no.such:action", "--as", "done", "--spec", "rehome.yaml"]);
    assert_snapshot!(bad.ends(10), @r"
    $ rehome journal resolve no.such:action --as done --spec rehome.yaml
    --- stderr
    error: no run has the action no.such:action
    help: `rehome status` lists the actions that can be resolved
    --- exit 10
    ");
}
