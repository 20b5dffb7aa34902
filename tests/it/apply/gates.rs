//! Gates: what waits, what goes on meanwhile, and how it goes on afterwards.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use rehome::{
    apply::{Gatekeeper, Held, Options},
    diag::Exit,
    journal::{Record, Standing},
    model::{ActionId, Address, ApprovalGate, Event, RunId},
};

use super::{
    desk::{Crash, Desk, full_plan, names, swap, world},
    world::addr,
};

fn gated(gates: &[ApprovalGate]) -> Desk {
    let mut desk = Desk::new(world(), full_plan());
    desk.plan.body.gates.approval = gates.iter().copied().collect();
    desk
}

fn at_once() -> Options {
    Options { no_wait: true, ..Desk::options() }
}

/// Waits for an event; a run that never tells it fails the test instead of keeping it for ever.
async fn until(desk: &Desk, is: impl Fn(&Event) -> bool) {
    for _ in 0..20_000 {
        if desk.events.lock().unwrap().iter().any(&is) {
            return;
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    panic!("never told: {:?}", desk.events.lock().unwrap());
}

fn first_run() -> RunId {
    RunId("run-000001".to_owned())
}

#[tokio::test]
async fn what_waits_for_approval_keeps_nothing_else_from_going_on() {
    let desk = gated(&[ApprovalGate::Copy, ApprovalGate::Verify]);
    let summary = desk.apply_with(at_once()).await;
    assert_eq!(summary.exit, Exit::Waiting, "{summary:#?}");
    assert!(names(&summary.done).contains(&"account.create:new/bob@x.org"));
    assert!(names(&summary.done).contains(&"account.password:old/bob01@x.org"));
    assert_eq!(summary.pending, []);
    let waiting: BTreeSet<&str> = summary
        .waiting
        .iter()
        .flat_map(|stopped| std::iter::once(&stopped.action).chain(&stopped.blocked))
        .map(ActionId::as_str)
        .collect();
    let all: BTreeSet<&str> = desk.plan.body.actions.iter().map(|a| a.id.as_str()).collect();
    let done: BTreeSet<&str> = names(&summary.done).into_iter().collect();
    assert_eq!(waiting, all.difference(&done).copied().collect(), "each action is told once");

    // Another gate's approval changes nothing; its own lets exactly its actions begin.
    desk.journal().approve(&first_run(), "retire", "ada").unwrap();
    assert_eq!(desk.apply_with(at_once()).await.done, []);
    assert!(desk.journal().approve(&first_run(), "copy", "ada").unwrap());
    assert!(!desk.journal().approve(&first_run(), "copy", "bob").unwrap(), "the first word counts");
    let summary = desk.apply_with(at_once()).await;
    assert_eq!(names(&summary.done), ["mail.copy:ada@x.org#1", "mail.copy:bob@x.org#1"]);
    desk.journal().approve(&first_run(), "verify", "ada").unwrap();
    assert_eq!(desk.apply_with(at_once()).await.exit, Exit::Ok);
    assert_eq!(desk.journal().approvals(&first_run()).unwrap()["copy"].by, "ada");
}

#[tokio::test]
async fn a_run_that_waits_goes_on_by_itself_once_it_is_approved() {
    let desk = gated(&[ApprovalGate::Copy]);
    let somebody = async {
        let shut = |event: &Event| matches!(event, Event::GateShut { gate, actions: 2, .. } if gate == "copy");
        until(&desk, shut).await;
        desk.journal().approve(&first_run(), "copy", "eve").unwrap();
    };
    let (summary, ()) = tokio::join!(desk.apply(), somebody);
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    let opened = Event::GateOpened { gate: "copy".to_owned(), by: Some("eve".to_owned()) };
    assert_eq!(desk.events.lock().unwrap().iter().filter(|event| **event == opened).count(), 1);
}

#[derive(Debug, Default)]
struct Hold(AtomicBool);

impl Gatekeeper for Hold {
    fn held(&self) -> Option<Held> {
        let held = Held { gate: "hold", reason: "not today".to_owned() };
        self.0.load(Ordering::SeqCst).then_some(held)
    }
}

fn held() -> Options {
    Options { gatekeeper: Arc::new(Hold(true.into())), ..at_once() }
}

#[tokio::test]
async fn a_held_run_begins_nothing_and_says_why() {
    let desk = gated(&[]);
    let summary = desk.apply_with(held()).await;
    assert_eq!(summary.exit, Exit::Waiting);
    assert_eq!((summary.done.len(), desk.world.effects().len()), (0, 0));
    let [stopped] = summary.waiting.as_slice() else { panic!("{summary:#?}") };
    assert_eq!(stopped.reason, "hold: not today");
    assert_eq!(stopped.blocked.len() + 1, desk.plan.body.actions.len());
    assert_eq!(desk.apply().await.exit, Exit::Ok);
}

#[tokio::test]
async fn a_run_that_is_held_waits_until_it_is_let_go() {
    let desk = gated(&[]);
    let hold = Arc::new(Hold(true.into()));
    let let_go = async {
        until(&desk, |event| matches!(event, Event::GateShut { .. })).await;
        hold.0.store(false, Ordering::SeqCst);
    };
    let options = Options { gatekeeper: hold.clone(), ..Desk::options() };
    let (summary, ()) = tokio::join!(desk.apply_with(options), let_go);
    assert_eq!(summary.exit, Exit::Ok);
}

/// An address whose source was renamed has no owner until its account is created: no gate keeps it like that.
#[tokio::test]
async fn a_swap_that_a_crash_left_open_is_ended_at_every_gate() {
    let owner = |desk: &Desk, address: &Address| {
        let accounts = desk.world.facts().accounts;
        accounts.keys().filter(|(_, account)| account == address).count()
    };
    let mut open = 0;
    for call in 0..12 {
        let mut desk = Desk::new(world(), ["ada@x.org", "bob@x.org"].into_iter().flat_map(swap).collect());
        desk.plan.body.gates.approval = [ApprovalGate::Account].into();
        // The first run has no gate: it stands for one whose gate was opened and is shut again.
        let shut = std::mem::take(&mut desk.plan.body.gates.approval);
        if desk.attempt(Desk::options(), Some(Crash::Call { call, after: true })).await.is_some() {
            break;
        }
        open += usize::from(owner(&desk, &addr("ada@x.org")) == 0);
        desk.plan.body.gates.approval = shut;
        for options in [held(), at_once()] {
            let summary = desk.apply_with(options).await;
            assert!(matches!(summary.exit, Exit::Waiting | Exit::Ok), "call {call}: {summary:#?}");
            assert_eq!(owner(&desk, &addr("ada@x.org")), 1, "call {call}");
        }
    }
    assert!(open > 0, "no crash came between the halves of a swap");
}

#[tokio::test]
async fn a_crash_while_a_run_waits_leaves_nothing_open() {
    let desk = gated(&[ApprovalGate::Copy]);
    assert_eq!(desk.apply_with(at_once()).await.exit, Exit::Waiting);
    let journal = desk.journal();
    let progress = journal.progress(&first_run()).unwrap();
    assert!(progress.values().all(|p| p.standing == Standing::Done));
    let entries = journal.entries(&first_run()).unwrap();
    assert!(!entries.iter().any(|e| e.action.as_str().starts_with("mail.") && matches!(e.record, Record::Intent {})));
}

/// What is approved while nothing may begin waits for that, too.
#[tokio::test]
async fn an_approval_does_not_open_what_is_held() {
    let desk = gated(&[ApprovalGate::Copy]);
    assert_eq!(desk.apply_with(at_once()).await.exit, Exit::Waiting);
    desk.journal().approve(&first_run(), "copy", "ada").unwrap();
    let summary = desk.apply_with(held()).await;
    assert_eq!((summary.exit, summary.done.len()), (Exit::Waiting, 0), "{summary:#?}");
    assert_eq!(summary.waiting[0].reason, "hold: not today");
}
