use super::*;
use crate::model::Digest;

fn account() -> Address {
    Address::parse("john@example.org").unwrap()
}

fn source() -> (PlatformId, Address) {
    (PlatformId::from("old"), account())
}

fn message(uid: u32) -> MessageRow {
    MessageRow {
        uid,
        state: MessageState::Planned,
        digest: Some(Digest::of(&uid.to_be_bytes())),
        octets: 10,
        announced: 11,
        date: Some(-5),
        source_flags: BTreeSet::from(["\\Seen".to_owned(), "$Forwarded".to_owned()]),
        target_flags: BTreeSet::from(["\\Seen".to_owned()]),
        target: None,
        class: None,
        reason: None,
    }
}

fn opened(ledger: &Ledger) -> (Lease, FolderRow) {
    let lease = ledger.begin(&account(), &source()).unwrap();
    let folder = ledger.folder(lease, &FolderPath::inbox()).unwrap();
    (lease, folder)
}

fn intent(folder: FolderId, uids: &[u32]) -> Intent {
    Intent {
        folder,
        source_validity: 7,
        target_validity: 9,
        floor: 100,
        messages: uids.iter().map(|uid| message(*uid)).collect(),
    }
}

fn acked(uid: u32, target: u32) -> MessageRow {
    MessageRow { state: MessageState::Acked, target: Some((9, target)), ..message(uid) }
}

#[test]
fn an_intent_is_open_until_each_message_has_an_outcome() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let window = ledger.intend(lease, &intent(folder.id, &[1, 2])).unwrap();
    ledger.settle(lease, (folder.id, 7), Some(window), &[acked(1, 100)]).unwrap();
    let open = ledger.open_windows(lease).unwrap();
    assert_eq!(open.len(), 1);
    assert_eq!((open[0].floor, open[0].target_validity), (100, 9));
    assert_eq!(open[0].intents.iter().map(|m| m.uid).collect::<Vec<_>>(), [2]);
    ledger.settle(lease, (folder.id, 7), Some(window), &[message(2)]).unwrap();
    assert!(ledger.open_windows(lease).unwrap().is_empty());
    let rows = ledger.messages(folder.id, 7).unwrap();
    assert_eq!(rows[&1], acked(1, 100));
    assert_eq!(rows[&2].state, MessageState::Planned);
    assert_eq!(ledger.owned(folder.id, 9, 1).unwrap(), BTreeSet::from([100]));
    assert!(ledger.owned(folder.id, 9, 101).unwrap().is_empty());
    assert!(ledger.messages(folder.id, 8).unwrap().is_empty(), "another UIDVALIDITY is another folder");
}

#[test]
fn nothing_is_sent_twice() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let window = ledger.intend(lease, &intent(folder.id, &[1])).unwrap();
    assert!(matches!(
        ledger.intend(lease, &intent(folder.id, &[1])),
        Err(LedgerError::AlreadySent { uid: 1, state }) if state == "intent"
    ));
    ledger.settle(lease, (folder.id, 7), Some(window), &[acked(1, 100)]).unwrap();
    assert!(matches!(ledger.intend(lease, &intent(folder.id, &[2, 1])), Err(LedgerError::AlreadySent { uid: 1, .. })));
    assert!(ledger.open_windows(lease).unwrap().is_empty(), "a refused intent leaves no window");
}

#[test]
fn a_second_controller_fences_the_first() {
    let ledger = Ledger::in_memory().unwrap();
    let (first, folder) = opened(&ledger);
    let second = ledger.begin(&account(), &source()).unwrap();
    assert!(matches!(ledger.intend(first, &intent(folder.id, &[1])), Err(LedgerError::Fenced)));
    assert!(matches!(ledger.save_folder(first, &folder), Err(LedgerError::Fenced)));
    ledger.intend(second, &intent(folder.id, &[1])).unwrap();
}

#[test]
fn a_folder_row_comes_back_as_it_was_put_down() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, mut folder) = opened(&ledger);
    folder.source_validity = u32::MAX;
    folder.target = Some("Éléments envoyés".to_owned());
    folder.target_validity = 3;
    folder.adopt_below = 4;
    folder.distrusted = true;
    folder.status = Some(crate::model::FolderStatus { uid_validity: 1, uid_next: 2, ..Default::default() });
    folder.counts = Some(crate::model::CopyCounts { source: 4, copied: 4, ..Default::default() });
    ledger.save_folder(lease, &folder).unwrap();
    assert_eq!(ledger.folder(lease, &FolderPath::inbox()).unwrap(), folder);
    assert_eq!(ledger.known_folders(&account(), &source().0).unwrap(), [folder]);
    assert!(ledger.known_folders(&account(), &PlatformId::from("other")).unwrap().is_empty());
}

#[test]
fn a_target_is_chosen_until_the_folder_is_filled() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let choose = |name: &str| ledger.choose_targets(lease, &[(FolderPath::inbox(), name.to_owned())]).unwrap();
    let target = || ledger.folder(lease, &FolderPath::inbox()).unwrap().target;
    choose("one");
    choose("two");
    assert_eq!(target().as_deref(), Some("two"));
    ledger.save_folder(lease, &FolderRow { target: Some("two".to_owned()), target_validity: 3, ..folder }).unwrap();
    choose("three");
    assert_eq!(target().as_deref(), Some("two"));
}

#[test]
fn a_renamed_source_is_the_same_mailbox() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let renamed = (source().0, Address::parse("john01@example.org").unwrap());
    let later = ledger.begin(&account(), &renamed).unwrap();
    assert_eq!(lease.mailbox, later.mailbox);
    assert_eq!(ledger.folder(later, &FolderPath::inbox()).unwrap().id, folder.id);
}

#[test]
fn a_new_target_forgets_deliveries_and_keeps_digests() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let window = ledger.intend(lease, &intent(folder.id, &[1, 2])).unwrap();
    ledger.settle(lease, (folder.id, 7), Some(window), &[acked(1, 100)]).unwrap();
    assert_eq!(ledger.forget_deliveries(lease, folder.id).unwrap(), 2);
    let rows = ledger.messages(folder.id, 7).unwrap();
    assert!(rows.values().all(|m| m.state == MessageState::Planned && m.target.is_none() && m.digest.is_some()));
    assert!(ledger.open_windows(lease).unwrap().is_empty());
}

#[test]
fn a_fault_before_a_write_leaves_nothing_and_one_after_it_leaves_all() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    ledger.set_fault(Some(Fault::Before(1)));
    assert!(matches!(ledger.intend(lease, &intent(folder.id, &[1])), Err(LedgerError::Fault)));
    assert!(ledger.open_windows(lease).unwrap().is_empty());
    ledger.set_fault(Some(Fault::After(1)));
    assert!(matches!(ledger.intend(lease, &intent(folder.id, &[1])), Err(LedgerError::Fault)));
    assert_eq!(ledger.open_windows(lease).unwrap().len(), 1);
    assert!(matches!(ledger.save_folder(lease, &folder), Err(LedgerError::Fault)), "the dead stay dead");
}

#[test]
fn each_commit_is_on_disk_before_it_returns() {
    let ledger = Ledger::in_memory().unwrap();
    lock(&ledger.db).pragma_update(None, "synchronous", 1).unwrap();
    ledger.begin(&account(), &source()).unwrap();
    let level: i64 = lock(&ledger.db).query_row("PRAGMA synchronous", [], |row| row.get(0)).unwrap();
    assert_eq!(level, FULL);
}

#[test]
fn the_tables_can_be_made_again() {
    let ledger = Ledger::in_memory().unwrap();
    lock(&ledger.db).execute_batch(SCHEMA).unwrap();
}

#[test]
fn what_every_pass_asks_for_is_found_without_looking_at_every_message() {
    let ledger = Ledger::in_memory().unwrap();
    let (lease, folder) = opened(&ledger);
    let mut rows: Vec<MessageRow> = (1..=50).map(|uid| acked(uid, 100 + uid)).collect();
    rows.push(MessageRow { state: MessageState::Failed, target: None, ..message(51) });
    ledger.settle(lease, (folder.id, 7), None, &rows).unwrap();
    ledger.settle(lease, (folder.id, 6), None, &[acked(3, 90)]).unwrap();
    ledger.settle(lease, (folder.id, 8), None, &[acked(4, 91)]).unwrap();
    assert_eq!(ledger.highest(folder.id, 9).unwrap(), 150);
    assert_eq!(ledger.highest(folder.id, 10).unwrap(), 0);
    let known = FolderRow { target_validity: 9, ..folder.clone() };
    assert_eq!(ledger.highest_of(&[known]).unwrap(), BTreeMap::from([(folder.id, 150)]));
    let some = ledger.messages_at(folder.id, 7, &BTreeSet::from([2, 51, 99])).unwrap();
    assert_eq!(some.into_keys().collect::<Vec<_>>(), [2, 51]);
    let before: Vec<u32> = ledger.delivered_before(folder.id, 7).unwrap().into_iter().map(|m| m.uid).collect();
    assert_eq!(before, [3, 4]);
    let connection = lock(&ledger.db);
    let plan: String = connection.query_row(&format!("EXPLAIN QUERY PLAN {HIGHEST}"), [1, 2], |r| r.get(3)).unwrap();
    assert!(plan.contains("INDEX ledger_message_target"), "{plan}");
}
