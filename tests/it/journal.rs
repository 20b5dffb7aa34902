//! The journal: durability, order, leases, and every way in which its file can be unusable.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
    time::Duration,
};

use proptest::prelude::*;
use rehome::{
    diag::{self, Exit},
    journal::{Entry, Fact, Journal, JournalError, Lease, Record, Resolution, Standing, ledger::Ledger, progress},
    model::{ActionId, Address, CopyReport, PlanId, PlanOutcome, PlatformId, RunId, Verified},
};
use rusqlite::Connection;

const TTL: Duration = Duration::from_secs(60);

struct Desk {
    _dir: tempfile::TempDir,
    folder: PathBuf,
}

impl Desk {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let folder = dir.path().join(".rehome");
        Self { _dir: dir, folder }
    }

    fn open(&self) -> Journal {
        Journal::open(&self.folder).unwrap()
    }

    fn file(&self) -> PathBuf {
        self.folder.join("journal.db")
    }

    /// A second connection, as a person with a sqlite3 shell has it.
    fn shell(&self) -> Connection {
        Connection::open(self.file()).unwrap()
    }
}

fn lease(journal: &Journal) -> Lease {
    journal.acquire_lease("ada", TTL).unwrap()
}

fn begin(journal: &Journal, lease: &Lease, plan: &str) -> RunId {
    journal.begin_run(lease, &PlanId::from(plan), "{}", &BTreeSet::new()).unwrap().id
}

fn failed() -> Record {
    Record::Failed { errors: vec!["no".to_owned()], help: None }
}

fn done() -> Record {
    Record::Done { detail: None }
}

fn ambiguous() -> Record {
    Record::Ambiguous { reason: "neither name is there".to_owned() }
}

fn message(error: &JournalError) -> String {
    format!("{}\nhelp: {}", diag::chain(error).join(": "), error.help().unwrap_or_default())
}

fn listing(folder: &Path) -> Vec<(String, u64)> {
    let mut names: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|e| e.unwrap())
        .map(|e| (e.file_name().to_string_lossy().into_owned(), e.metadata().unwrap().len()))
        .collect();
    names.sort();
    names
}

#[test]
fn what_is_recorded_survives_reopening_and_folds_into_state() {
    let desk = Desk::new();
    let address = Address::parse("John.Smith@mydomain.ovh").unwrap();
    let source = (PlatformId::from("exchange"), Address::parse("john.smith01@mydomain.ovh").unwrap());
    let run = {
        let journal = desk.open();
        let lease = lease(&journal);
        let run = begin(&journal, &lease, "p1");
        let action = ActionId::from("a");
        assert_eq!(journal.append(&lease, &run, &action, &Record::Intent {}, &[]).unwrap(), 1);
        let report = CopyReport::default();
        let fact = Fact::Copied { address: address.clone(), source: source.clone(), report: report.clone() };
        journal.append(&lease, &run, &action, &done(), &[fact]).unwrap();
        journal.record_copy(&lease, &address, source.clone(), &report).unwrap();
        let verified = Verified { at: jiff::Timestamp::UNIX_EPOCH, messages: 3, seen: [].into() };
        journal.record_verified(&lease, &address, verified).unwrap();
        journal.record_password(&lease, &PlatformId::from("emailpro"), &address).unwrap();
        journal.protect(&lease, &address).unwrap();
        run
    };
    let journal = desk.open();
    let state = journal.state().unwrap();
    assert_eq!(state.open_run, Some(run.clone()));
    assert_eq!(state.plans.get(&PlanId::from("p1")), Some(&PlanOutcome::Open));
    let mailbox = &state.mailboxes[&address];
    assert_eq!((mailbox.passes, mailbox.source.clone()), (2, Some(source)));
    assert_eq!(mailbox.verified.as_ref().unwrap().messages, 3);
    assert!(state.protected.contains(&address));
    assert!(state.passwords.contains(&(PlatformId::from("emailpro"), address.clone())));

    let lease = lease(&journal);
    journal.unprotect(&lease, &address).unwrap();
    journal.finish_run(&lease, &run, Exit::Ok).unwrap();
    let state = journal.state().unwrap();
    assert_eq!(state.plans.get(&PlanId::from("p1")), Some(&PlanOutcome::Done));
    assert!(state.open_run.is_none() && state.protected.is_empty());
    journal.check().unwrap();
}

#[test]
fn a_resumed_run_keeps_its_name_its_entries_and_its_acknowledgements() {
    let desk = Desk::new();
    let journal = desk.open();
    let lease = lease(&journal);
    let plan = PlanId::from("p1");
    let acks = BTreeSet::from(["reset-mailbox".to_owned()]);
    let run = journal.begin_run(&lease, &plan, "{\"plan\":1}", &acks).unwrap();
    let action = ActionId::from("a");
    journal.append(&lease, &run.id, &action, &Record::Intent {}, &[]).unwrap();
    journal.append(&lease, &run.id, &action, &failed(), &[]).unwrap();
    journal.finish_run(&lease, &run.id, Exit::Partial).unwrap();
    assert_eq!(journal.state().unwrap().plans[&plan], PlanOutcome::Partial);

    let again = journal.begin_run(&lease, &plan, "{\"plan\":1}", &BTreeSet::new()).unwrap();
    assert_eq!((again.id.clone(), again.acks.clone(), again.ended), (run.id.clone(), acks, None));
    assert_eq!(journal.plan_json(&run.id).unwrap(), "{\"plan\":1}");
    assert_eq!(journal.append(&lease, &run.id, &action, &Record::Intent {}, &[]).unwrap(), 2);
    let other = journal.begin_run(&lease, &PlanId::from("p2"), "{}", &BTreeSet::new()).unwrap_err();
    assert_eq!(other.exit(), Exit::Partial);
    insta::assert_snapshot!(message(&other), @r"
    run-000001 of plan p1 has not ended
    help: end it first: `rehome resume`
    ");
}

#[test]
fn a_record_that_cannot_follow_is_refused_and_writes_no_row() {
    let desk = Desk::new();
    let journal = desk.open();
    let lease = lease(&journal);
    let run = begin(&journal, &lease, "p1");
    let action = ActionId::from("account.create:emailpro/a@b.c");
    let refused = journal.append(&lease, &run, &action, &done(), &[]).unwrap_err();
    insta::assert_snapshot!(diag::chain(&refused).join(": "), @"the journal refuses this: `done` cannot follow for account.create:emailpro/a@b.c, which is Fresh");
    assert!(journal.entries(&run).unwrap().is_empty());
    journal.append(&lease, &run, &action, &Record::Intent {}, &[]).unwrap();
    let early = journal.finish_run(&lease, &run, Exit::Ok).unwrap_err();
    assert!(matches!(early, JournalError::Order(_)), "{early:?}");
    journal.finish_run(&lease, &run, Exit::Interrupted).unwrap();
}

#[test]
fn only_what_is_open_can_be_resolved() {
    let desk = Desk::new();
    let journal = desk.open();
    let lease = lease(&journal);
    let run = begin(&journal, &lease, "p1");
    let (a, b) = (ActionId::from("a"), ActionId::from("b"));
    for action in [&a, &b] {
        journal.append(&lease, &run, action, &Record::Intent {}, &[]).unwrap();
        journal.append(&lease, &run, action, &ambiguous(), &[]).unwrap();
    }
    let open = journal.unsettled().unwrap();
    assert_eq!(open.iter().map(|u| u.action.as_str()).collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!(open[0].reason.as_deref(), Some("neither name is there"));
    journal.finish_run(&lease, &run, Exit::Decide).unwrap();

    assert_eq!(journal.resolve(&lease, &a, Resolution::Done).unwrap(), run);
    assert_eq!(journal.resolve(&lease, &b, Resolution::Retry).unwrap(), run);
    let progress = journal.progress(&run).unwrap();
    assert_eq!((progress[&a].standing, progress[&b].standing), (Standing::Done, Standing::Fresh));
    let again = journal.resolve(&lease, &a, Resolution::Retry).unwrap_err();
    assert_eq!(again.exit(), Exit::Invalid);
    insta::assert_snapshot!(message(&again), @r"
    no run has the action a
    help: `rehome status` lists the actions that can be resolved
    ");
}

#[test]
fn a_held_lease_keeps_others_out_and_says_who_has_it() {
    let desk = Desk::new();
    let (first, second) = (desk.open(), desk.open());
    let held = lease(&first);
    begin(&first, &held, "p1");
    let error = second.acquire_lease("bob", TTL).unwrap_err();
    assert_eq!(error.exit(), Exit::Locked);
    let JournalError::Locked { owner, run, pid, .. } = &error else { panic!("{error:?}") };
    assert_eq!((owner.as_str(), run.as_ref().unwrap().as_str(), *pid), ("ada", "run-000001", std::process::id()));
    held.release().unwrap();
    assert_eq!(second.acquire_lease("bob", TTL).unwrap().epoch(), 2);
}

#[test]
fn the_lease_of_a_dead_process_on_this_host_is_taken_over_at_once() {
    let desk = Desk::new();
    let journal = desk.open();
    // A process that ends lets go of its lock file and leaves the row as it is: so does dropping the lease.
    drop(lease(&journal));
    let owner: Option<String> = desk.shell().query_row("SELECT owner FROM lease", [], |r| r.get(0)).unwrap();
    assert_eq!(owner.as_deref(), Some("ada"));
    assert_eq!(desk.open().acquire_lease("bob", TTL).unwrap().epoch(), 2);
}

#[test]
fn the_lease_of_another_host_is_respected_until_it_expires() {
    let desk = Desk::new();
    let journal = desk.open();
    drop(lease(&journal));
    let shell = desk.shell();
    shell.execute("UPDATE lease SET host = 'elsewhere'", []).unwrap();
    assert!(matches!(journal.acquire_lease("bob", TTL), Err(JournalError::Locked { .. })));
    shell.execute("UPDATE lease SET expires = '2001-01-01T00:00:00Z'", []).unwrap();
    journal.acquire_lease("bob", TTL).unwrap();
}

#[test]
fn a_process_that_lost_its_lease_writes_no_row_anywhere() {
    let desk = Desk::new();
    let (sleeper, successor) = (desk.open(), desk.open());
    sleeper.db().lock().unwrap().execute_batch("CREATE TABLE ledger_like (uid INTEGER)").unwrap();
    let stale = sleeper.acquire_lease("ada", Duration::ZERO).unwrap();
    let run = begin(&sleeper, &stale, "p1");
    let fresh = successor.acquire_lease("bob", TTL).unwrap();

    let action = ActionId::from("a");
    let error = sleeper.append(&stale, &run, &action, &Record::Intent {}, &[]).unwrap_err();
    assert!(matches!(error, JournalError::Fenced), "{error:?}");
    assert!(matches!(stale.renew(), Err(JournalError::Fenced)));
    assert!(matches!(sleeper.finish_run(&stale, &run, Exit::Failed), Err(JournalError::Fenced)));
    let source = (PlatformId::from("exchange"), Address::parse("a01@x.org").unwrap());
    let mailbox = Ledger::new(sleeper.db()).begin(&Address::parse("a@x.org").unwrap(), &source).unwrap_err();
    assert!(diag::chain(&mailbox).join(": ").contains("the lease is lost"), "{mailbox:?}");
    // Whatever writes through this connection is refused by the database itself.
    let ledger = sleeper.db().lock().unwrap().execute("INSERT INTO ledger_like VALUES (7)", []).unwrap_err();
    assert!(ledger.to_string().contains("the lease is lost"), "{ledger}");

    assert!(successor.entries(&run).unwrap().is_empty());
    successor.append(&fresh, &run, &action, &Record::Intent {}, &[]).unwrap();
    assert!(matches!(stale.release(), Err(JournalError::Fenced)));
    assert_eq!(successor.entries(&run).unwrap()[0].epoch, 2);
}

#[test]
fn after_giving_the_lease_back_nothing_more_is_written() {
    let desk = Desk::new();
    let journal = desk.open();
    journal.db().lock().unwrap().execute_batch("CREATE TABLE ledger_like (uid INTEGER)").unwrap();
    lease(&journal).release().unwrap();
    assert!(journal.db().lock().unwrap().execute("INSERT INTO ledger_like VALUES (7)", []).is_err());
    let _held = lease(&journal);
    journal.db().lock().unwrap().execute("INSERT INTO ledger_like VALUES (7)", []).unwrap();
}

#[test]
fn a_newer_journal_is_refused_with_what_to_do() {
    let desk = Desk::new();
    drop(desk.open());
    desk.shell().execute("UPDATE meta SET value = '99' WHERE key = 'format'", []).unwrap();
    for error in [Journal::open(&desk.folder).unwrap_err(), Journal::open_read_only(&desk.folder).unwrap_err()] {
        let text = message(&error).replace(&desk.file().display().to_string(), "JOURNAL");
        insta::allow_duplicates! {
            insta::assert_snapshot!(text, @r"
            the journal JOURNAL has format 99; this rehome knows formats up to 5
            help: use the version of rehome that wrote it, or a later one
            ");
        }
    }
}

#[test]
fn a_database_of_another_program_is_left_alone() {
    let desk = Desk::new();
    fs::create_dir(&desk.folder).unwrap();
    desk.shell().execute_batch("CREATE TABLE notes (text TEXT)").unwrap();
    let before = fs::read(desk.file()).unwrap();
    assert!(matches!(Journal::open(&desk.folder), Err(JournalError::Foreign(_))));
    assert!(matches!(Journal::open_read_only(&desk.folder), Err(JournalError::Foreign(_))));
    assert_eq!(fs::read(desk.file()).unwrap(), before);
}

#[test]
fn a_damaged_or_torn_file_is_named_as_such() {
    let desk = Desk::new();
    let journal = desk.open();
    let held = lease(&journal);
    let run = begin(&journal, &held, "p1");
    for n in 0..200 {
        let action = ActionId::from(format!("a{n}"));
        journal.append(&held, &run, &action, &Record::Intent {}, &[]).unwrap();
    }
    drop((held, journal));
    let whole = fs::read(desk.file()).unwrap();
    for (name, bytes) in [
        ("torn", whole[..whole.len() / 2].to_vec()),
        ("no database", b"not a database, but long enough to be taken for a header of one".repeat(40)),
        ("overwritten", whole.iter().enumerate().map(|(i, b)| if i > 8192 { 0x5a } else { *b }).collect()),
    ] {
        fs::write(desk.file(), bytes).unwrap();
        let error = Journal::open(&desk.folder).unwrap_err();
        assert!(matches!(error, JournalError::Corrupt { .. }), "{name}: {error:?}");
        assert!(message(&error).contains("restore it from a backup"), "{name}");
    }
}

#[test]
fn a_full_disk_stops_the_write_and_keeps_what_was() {
    let desk = Desk::new();
    let journal = desk.open();
    let held = lease(&journal);
    let run = begin(&journal, &held, "p1");
    {
        let db = journal.db();
        let db = db.lock().unwrap();
        let pages: i64 = db.pragma_query_value(None, "page_count", |r| r.get(0)).unwrap();
        db.pragma_update_and_check(None, "max_page_count", pages, |_| Ok(())).unwrap();
    }
    let mut written = 0;
    let error = loop {
        match journal.append(&held, &run, &ActionId::from(format!("a{written}")), &Record::Intent {}, &[]) {
            Ok(_) => written += 1,
            Err(error) => break error,
        }
    };
    assert!(matches!(error, JournalError::DiskFull(_)), "{error:?}");
    assert_eq!(journal.entries(&run).unwrap().len(), written);
}

#[test]
fn a_locked_file_is_an_answer_not_a_hang() {
    let desk = Desk::new();
    let journal = desk.open();
    let held = lease(&journal);
    let shell = desk.shell();
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    journal.db().lock().unwrap().busy_timeout(Duration::ZERO).unwrap();
    let error = journal.begin_run(&held, &PlanId::from("p"), "{}", &BTreeSet::new()).unwrap_err();
    assert!(matches!(error, JournalError::Busy(_)), "{error:?}");
    assert_eq!(error.exit(), Exit::Locked);
    // Reading goes on: that is what WAL is for.
    assert!(Journal::open_read_only(&desk.folder).unwrap().unwrap().runs().unwrap().is_empty());
}

#[cfg(unix)]
#[test]
fn a_folder_that_takes_no_writes_is_named() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    fs::create_dir(&desk.folder).unwrap();
    fs::set_permissions(&desk.folder, fs::Permissions::from_mode(0o500)).unwrap();
    if fs::write(desk.folder.join("probe"), "").is_ok() {
        eprintln!("SKIPPED: this user may write everywhere");
        return;
    }
    let error = Journal::open(&desk.folder).unwrap_err();
    assert!(matches!(error, JournalError::ReadOnly { .. }), "{error:?}");
}

#[cfg(unix)]
#[test]
fn only_the_owner_can_enter_the_folder() {
    use std::os::unix::fs::PermissionsExt as _;
    let desk = Desk::new();
    drop(desk.open());
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(&desk.folder), mode(&desk.file())), (0o700, 0o600));
    assert_eq!(fs::read_to_string(desk.folder.join(".gitignore")).unwrap(), "*\n");
}

#[test]
fn readers_create_nothing_and_change_nothing() {
    let desk = Desk::new();
    assert!(Journal::open_read_only(&desk.folder).unwrap().is_none());
    assert!(!desk.folder.exists());
    fs::create_dir(&desk.folder).unwrap();
    assert!(Journal::open_read_only(&desk.folder).unwrap().is_none());
    assert!(listing(&desk.folder).is_empty());

    let journal = desk.open();
    let held = lease(&journal);
    let run = begin(&journal, &held, "p1");
    held.release().unwrap();
    drop(journal);
    let before = listing(&desk.folder);
    let reader = Journal::open_read_only(&desk.folder).unwrap().unwrap();
    assert_eq!(reader.state().unwrap().open_run, Some(run));
    assert!(matches!(reader.acquire_lease("eve", TTL), Err(JournalError::ReadOnly { .. })));
    assert_eq!(listing(&desk.folder), before);
}

#[test]
fn a_reader_sees_what_a_writer_adds_meanwhile() {
    let desk = Desk::new();
    drop(desk.open());
    let reader = Journal::open_read_only(&desk.folder).unwrap().unwrap();
    assert!(reader.runs().unwrap().is_empty());
    let journal = desk.open();
    let held = lease(&journal);
    begin(&journal, &held, "p1");
    assert_eq!(reader.runs().unwrap().len(), 1);
    held.release().unwrap();
    drop(journal);
    assert_eq!(reader.runs().unwrap().len(), 1);
}

#[test]
fn an_edited_row_is_refused_with_its_content() {
    let desk = Desk::new();
    let journal = desk.open();
    let held = lease(&journal);
    let run = begin(&journal, &held, "p1");
    journal.append(&held, &run, &ActionId::from("a"), &Record::Intent {}, &[]).unwrap();
    desk.shell().execute("UPDATE entry SET kind = 'done'", []).unwrap();
    assert!(matches!(journal.state(), Err(JournalError::Order(_) | JournalError::Content { .. })));
    desk.shell().execute("UPDATE entry SET payload = '{'", []).unwrap();
    assert!(matches!(journal.state(), Err(JournalError::Content { .. })));
}

#[test]
fn a_fault_keeps_or_loses_exactly_the_write_it_strikes_beside() {
    for after in [false, true] {
        let desk = Desk::new();
        let journal = desk.open();
        let held = lease(&journal);
        let run = begin(&journal, &held, "p1");
        journal.set_fault(move |point| point.write == 1 && point.after == after);
        let action = ActionId::from("a");
        let error = journal.append(&held, &run, &action, &Record::Intent {}, &[]).unwrap_err();
        assert!(matches!(error, JournalError::Crashed));
        assert!(matches!(journal.state(), Err(JournalError::Crashed)));
        drop((held, journal));
        assert_eq!(desk.open().entries(&run).unwrap().len(), usize::from(after));
    }
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        4 => Just(Record::Intent {}),
        2 => Just(done()),
        1 => Just(Record::Adopted {}),
        1 => Just(failed()),
        2 => Just(Record::Undo { reason: "the create failed".to_owned() }),
        1 => Just(Record::Undone {}),
        1 => Just(ambiguous()),
        1 => prop_oneof![Just(Resolution::Done), Just(Resolution::Retry)]
            .prop_map(|decision| Record::Resolved { decision, by: "ada".to_owned() }),
    ]
}

fn numbered(records: &[Record]) -> Vec<Entry> {
    let mut attempt = 0;
    let number = |(seq, record): (usize, &Record)| {
        attempt += u32::from(matches!(record, Record::Intent {}));
        Entry {
            seq: i64::try_from(seq).unwrap(),
            run: RunId::from("run-000001"),
            action: ActionId::from("a"),
            attempt,
            at: jiff::Timestamp::UNIX_EPOCH,
            epoch: 1,
            record: record.clone(),
        }
    };
    records.iter().enumerate().map(number).collect()
}

/// The longest legal order that these records can be thinned to.
fn legal(records: Vec<Record>) -> Vec<Record> {
    let mut kept: Vec<Record> = Vec::new();
    for record in records {
        kept.push(record);
        if progress(&numbered(&kept)).is_err() {
            kept.pop();
        }
    }
    kept
}

proptest! {
    /// No effect without an intent: whatever the order, a fold that succeeds has an intent before every outcome, and
    /// nothing that is done is ever begun again unless it was taken back.
    #[test]
    fn no_legal_order_repeats_an_effect(records in prop::collection::vec(any_record(), 0..24)) {
        let kept = legal(records);
        let mut may_be_done = false;
        for (i, record) in kept.iter().enumerate() {
            let standing = progress(&numbered(&kept[..i])).unwrap().remove(&ActionId::from("a")).unwrap_or_default().standing;
            match record {
                Record::Intent {} => prop_assert!(standing != Standing::Done && standing != Standing::Undoing),
                Record::Done { .. } | Record::Adopted {} => prop_assert!(may_be_done),
                _ => {}
            }
            match record {
                Record::Intent {} => may_be_done = true,
                Record::Failed { .. } if standing == Standing::Undoing => {}
                Record::Failed { .. } | Record::Undone {} => may_be_done = false,
                _ => {}
            }
        }
    }

    /// Every prefix of a legal order is legal, and the fold of a whole is the fold of its last step on its prefix.
    #[test]
    fn the_fold_goes_step_by_step(records in prop::collection::vec(any_record(), 0..24)) {
        let kept = legal(records);
        let action = ActionId::from("a");
        for n in 1..=kept.len() {
            let entries = numbered(&kept[..n]);
            let before = progress(&entries[..n - 1]).unwrap().remove(&action).unwrap_or_default();
            let stepped = before.after(&action, entries[n - 1].attempt, &entries[n - 1].record).unwrap();
            prop_assert_eq!(&stepped, &progress(&entries).unwrap()[&action]);
        }
    }

    /// The wrong number of an attempt is always found.
    #[test]
    fn a_lost_entry_is_noticed_by_its_attempt(extra in 1_u32..5) {
        let mut entries = numbered(&[Record::Intent {}, failed()]);
        entries[1].attempt += extra;
        prop_assert!(progress(&entries).is_err());
    }
}
