//! Random worlds with random faults: whatever happens, every message of the source ends at the target exactly once.

use proptest::{collection::vec, prelude::*};

use super::*;
use crate::copy::tests::world::Hook;

/// What goes wrong in one pass.
#[derive(Clone, Debug)]
enum Trouble {
    Nothing,
    /// The ledger dies at this write.
    Ledger {
        nth: u64,
        after: bool,
    },
    /// The n-th append is cut off, and what was sent lands or not; the server may be gone until the next pass.
    Cut {
        nth: u64,
        landing: Landing,
        dead: bool,
    },
    /// The n-th batch is refused after so many of it were stored.
    HalfRefused {
        stored: usize,
    },
    /// A message breaks the connection until the next pass.
    Poison(u32),
    /// A message is refused until the next pass.
    Refused(u32),
    /// The target has room for so many messages until the next pass.
    Full(usize),
    /// Another run takes the mailbox at this append.
    Taken(u64),
    /// Somebody's mail comes into the target at this append.
    Delivery(u64),
}

#[derive(Clone, Debug)]
struct Shape {
    /// Numbers of letters by folder: equal numbers are equal messages.
    inbox: Vec<u32>,
    other: Vec<u32>,
    /// Letters that the target has from the start.
    there: Vec<u32>,
    uidplus: bool,
    lies: bool,
    single: bool,
    troubles: Vec<Trouble>,
}

fn trouble() -> impl Strategy<Value = Trouble> {
    let landing = prop_oneof![Just(Landing::Never), Just(Landing::Now), Just(Landing::Late)];
    prop_oneof![
        1 => Just(Trouble::Nothing),
        4 => (1_u64..30, any::<bool>()).prop_map(|(nth, after)| Trouble::Ledger { nth, after }),
        4 => (1_u64..8, landing, any::<bool>()).prop_map(|(nth, landing, dead)| Trouble::Cut { nth, landing, dead }),
        2 => (0_usize..4).prop_map(|stored| Trouble::HalfRefused { stored }),
        1 => (0_u32..6).prop_map(Trouble::Poison),
        1 => (0_u32..6).prop_map(Trouble::Refused),
        1 => (0_usize..12).prop_map(Trouble::Full),
        1 => (1_u64..6).prop_map(Trouble::Taken),
        2 => (1_u64..6).prop_map(Trouble::Delivery),
    ]
}

fn shape() -> impl Strategy<Value = Shape> {
    let flags = (any::<bool>(), any::<bool>(), any::<bool>());
    (vec(0_u32..6, 0..10), vec(0_u32..6, 0..6), vec(0_u32..6, 0..4), flags, vec(trouble(), 0..5)).prop_map(
        |(inbox, other, there, (uidplus, lies, single), troubles)| Shape {
            inbox,
            other,
            there,
            uidplus,
            lies,
            single,
            troubles,
        },
    )
}

const NAMES: [&str; 6] = ["body 0", "body 1", "body 2", "body 3", "body 4", "body 5"];

fn arm(trouble: &Trouble, target: &World, ledger: &Ledger) {
    target.with(|w| w.appends = 0);
    match *trouble {
        Trouble::Nothing => {}
        Trouble::Ledger { nth, after } => {
            ledger.set_fault(Some(if after { Fault::After(nth) } else { Fault::Before(nth) }));
        }
        Trouble::Cut { nth, landing, dead } => {
            target.with(|w| (w.cut, w.dead_after_cut) = (Some((nth, landing)), dead));
        }
        Trouble::HalfRefused { stored } => target.with(|w| w.half_refused = Some(stored)),
        Trouble::Poison(n) => target.with(|w| w.breaks = Some(NAMES[n as usize])),
        Trouble::Refused(n) => target.with(|w| w.refuses = Some(NAMES[n as usize])),
        Trouble::Full(room) => target.with(|w| {
            let used: usize = w.folders.values().map(|f| f.messages.len()).sum();
            w.room = Some(used + room);
        }),
        Trouble::Taken(nth) => {
            let ledger = ledger.clone();
            target.on_append(Hook::new(move |w| {
                if w.appends == nth {
                    let account = Address::parse("john@example.org").unwrap();
                    ledger.begin(&account, &(PlatformId::from("old"), account.clone())).unwrap();
                }
            }));
        }
        Trouble::Delivery(nth) => target.on_append(Hook::new(move |w| {
            if w.appends == nth {
                w.deliver("INBOX", DATE, "Message-ID: <foreign@x>\r\n\r\nfrom somebody else\r\n");
            }
        })),
    }
}

fn disarm(target: &World, ledger: &Ledger) {
    ledger.set_fault(None);
    target.on_append(Hook::default());
    target.with(|w| {
        (w.cut, w.dead_after_cut, w.dead) = (None, false, false);
        (w.breaks, w.refuses, w.room, w.half_refused) = (None, None, None, None);
    });
}

/// How often each text is there, without what strangers delivered.
fn bag(world: &World, folder: &str) -> std::collections::BTreeMap<String, usize> {
    let mut out = std::collections::BTreeMap::new();
    for message in world.mail().remove(folder).unwrap_or_default() {
        let text = String::from_utf8(message.bytes).unwrap();
        if !text.contains("somebody else") {
            *out.entry(text).or_default() += 1;
        }
    }
    out
}

async fn live_through(shape: Shape) -> Result<(), TestCaseError> {
    let (source, target, ledger) = (World::new(100), World::new(500), Ledger::in_memory().unwrap());
    source.make("Other");
    for (folder, numbers) in [("INBOX", &shape.inbox), ("Other", &shape.other)] {
        for n in numbers {
            source.put(folder, &[], DATE, &letter(*n));
        }
    }
    for n in &shape.there {
        target.put("INBOX", &[], DATE, &letter(*n));
    }
    target.with(|w| {
        (w.uidplus, w.lies) = (shape.uidplus, shape.lies);
        w.batch = if shape.single { Batch::Single } else { Batch::Multi };
    });
    for trouble in &shape.troubles {
        arm(trouble, &target, &ledger);
        if let Ok(report) = pass(&source, &target, &ledger).await {
            prop_assert!(report.total.balances());
        }
        disarm(&target, &ledger);
    }
    // What a server refused for good is held until a person says `retry`.
    super::choice::retry_all(&ledger);
    let report = pass(&source, &target, &ledger).await.map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
    prop_assert!(report.failed.is_empty(), "{:?}", report.failed);
    // What was there before counts for the equal messages of the source, and surplus of it stays.
    let mut want = bag(&source, "INBOX");
    for n in &shape.there {
        let letter = letter(*n);
        let here = shape.there.iter().filter(|m| *m == n).count();
        let most = here.max(want.get(&letter).copied().unwrap_or_default());
        want.insert(letter, most);
    }
    prop_assert_eq!(bag(&target, "INBOX"), want);
    prop_assert_eq!(bag(&target, "Other"), bag(&source, "Other"));
    let changes = target.with(|w| w.appends);
    pass(&source, &target, &ledger).await.map_err(|e| TestCaseError::fail(format!("{e:?}")))?;
    prop_assert_eq!(target.with(|w| w.appends), changes, "a last pass appends nothing");
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_happens_every_message_arrives_exactly_once(shape in shape()) {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        runtime.block_on(live_through(shape))?;
    }
}

#[tokio::test]
async fn a_named_uid_that_fits_only_an_equal_neighbour_loses_nothing() {
    let trouble = Trouble::Cut { nth: 4, landing: Landing::Never, dead: true };
    let shape = Shape {
        inbox: vec![0, 0, 0, 3],
        other: vec![1, 1, 4, 0, 4],
        there: vec![],
        uidplus: true,
        lies: true,
        single: true,
        troubles: vec![trouble],
    };
    live_through(shape).await.unwrap();
}

#[tokio::test]
async fn a_copy_in_doubt_that_cannot_be_read_is_not_sent_again() {
    let shape = Shape {
        inbox: vec![0, 0, 0, 4, 0, 0, 0],
        other: vec![],
        there: vec![],
        uidplus: false,
        lies: false,
        single: false,
        troubles: vec![Trouble::Taken(2), Trouble::Poison(4)],
    };
    live_through(shape).await.unwrap();
}

#[tokio::test]
async fn what_landed_late_does_not_make_a_folder_look_renumbered() {
    let shape = Shape {
        inbox: vec![0, 0, 5, 0, 0, 4, 3, 5],
        other: vec![],
        there: vec![],
        uidplus: false,
        lies: false,
        single: true,
        troubles: vec![Trouble::Cut { nth: 2, landing: Landing::Late, dead: true }, Trouble::Poison(5)],
    };
    live_through(shape).await.unwrap();
}
