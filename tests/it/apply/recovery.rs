//! Doubt: answers that get lost, platforms that cannot be read, and leases that change hands.

use rehome::{
    diag::Exit,
    journal::{JournalError, Resolution},
    model::{ActionId, Change, PlanId},
    provider::ErrorClass,
};

use super::{
    desk::{Crash, Desk, With, change, copy, full_plan, names, swap, world},
    world::{Fault, addr},
};

fn ada() -> Desk {
    Desk::new(world(), swap("ada@x.org").into())
}

fn both() -> Desk {
    Desk::new(world(), ["ada@x.org", "bob@x.org"].into_iter().flat_map(swap).collect())
}

const RENAME: &str = "account.rename:old/ada@x.org";
const CREATE: &str = "account.create:new/ada@x.org";

#[tokio::test]
async fn a_lost_answer_is_looked_up_at_once() {
    let desk = ada();
    desk.world.fault("account.rename", [Fault::DoneButLost]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, names(&summary.adopted)), (Exit::Ok, vec![RENAME]));
    assert_eq!(desk.world.effects()["account.rename ada@x.org"], 1);

    let desk = ada();
    desk.world.fault("account.rename", [Fault::LostBefore]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.adopted.len()), (Exit::Ok, 0));
    let attempts = desk.journal().entries(&summary.run.unwrap()).unwrap();
    assert_eq!(attempts.iter().filter(|e| e.action.as_str() == RENAME).map(|e| e.attempt).max(), Some(2));
}

#[tokio::test]
async fn a_change_that_never_lands_is_given_up_and_its_swap_taken_back() {
    let desk = ada();
    desk.world.fault("account.create", [Fault::LostBefore; 3]);
    let summary = desk.apply().await;
    assert_eq!(names(&summary.undone), [RENAME]);
    assert_eq!(summary.failed[0].class, Some(ErrorClass::InDoubt));
    assert_eq!(summary.failed[0].action.as_str(), CREATE);
}

#[tokio::test]
async fn a_half_made_account_is_not_in_its_own_way() {
    let desk = ada();
    desk.world.fault("account.create", [Fault::HalfMade]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.undone.len()), (Exit::Ok, 0), "{summary:#?}");
    let facts = desk.world.facts();
    let account = &facts.accounts[&("new".to_owned(), addr("ada@x.org"))];
    assert_eq!(account.password, facts.delivered[&addr("ada@x.org")]);
    assert_eq!(desk.world.effects()["account.create ada@x.org"], 1);
}

#[tokio::test]
async fn a_half_made_account_keeps_its_address_until_it_is_finished() {
    let desk = ada();
    desk.world.fault("account.create", [Fault::HalfMade; 3]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.undone.len()), (Exit::Partial, 0), "{summary:#?}");
    assert_eq!(summary.failed[0].errors[0], "account.create:new/ada@x.org is half done");
    // Another process begins with the intent that was left open.
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.adopted.len()), (Exit::Ok, 0), "{summary:#?}");
    assert_eq!(desk.world.effects()["account.create ada@x.org"], 1);
    assert_eq!(desk.world.effects()["account.rename ada@x.org"], 1);
}

#[tokio::test]
async fn an_adopted_account_gets_its_delivered_password() {
    let desk = ada();
    desk.world.fault("account.create", [Fault::DoneButLost]);
    assert_eq!(desk.apply().await.exit, Exit::Ok);
    let facts = desk.world.facts();
    let account = &facts.accounts[&("new".to_owned(), addr("ada@x.org"))];
    assert_eq!(account.password, facts.delivered[&addr("ada@x.org")]);
}

#[tokio::test]
async fn an_account_whose_password_cannot_be_set_again_is_not_taken_back() {
    let desk = ada();
    desk.world.fault("account.create", [Fault::DoneButLost]);
    desk.world.fault("account.password", [Fault::Refuse(ErrorClass::Refused)]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Partial);
    assert!(summary.undone.is_empty());
    assert_eq!(
        summary.failed[0].errors[0],
        "ada@x.org was made by an earlier attempt, but its password could not be set"
    );
    assert_eq!(desk.apply().await.exit, Exit::Ok);
    assert_eq!(desk.world.effects()["account.create ada@x.org"], 1);
}

#[tokio::test]
async fn what_nobody_can_tell_stops_one_chain_until_somebody_decides() {
    for (fault, decision) in [(Fault::DoneButLost, Resolution::Done), (Fault::LostBefore, Resolution::Retry)] {
        let desk = both();
        desk.world.fault("account.create ada@x.org", [fault]);
        desk.world.fault("probe ada@x.org", [Fault::Blind, Fault::Blind]);
        let summary = desk.apply().await;
        assert_eq!(summary.exit, Exit::Decide, "{summary:#?}");
        assert_eq!(summary.ambiguous[0].action.as_str(), CREATE);
        assert!(summary.undone.is_empty(), "a create in doubt is no reason to take the rename back");
        assert!(names(&summary.done).contains(&"account.create:new/bob@x.org"), "others go on");
        assert_eq!(desk.apply().await.exit, Exit::Decide, "still nobody can tell");

        let journal = desk.journal();
        let lease = journal.acquire_lease("grace", std::time::Duration::from_secs(60)).unwrap();
        journal.resolve(&lease, &ActionId::from(CREATE), decision).unwrap();
        lease.release().unwrap();
        drop(journal);
        let summary = desk.apply().await;
        assert_eq!(summary.exit, Exit::Ok, "{decision:?}: {summary:#?}");
        assert_eq!(desk.world.effects()["account.create ada@x.org"], 1);
    }
}

#[tokio::test]
async fn an_unreadable_platform_is_asked_again_by_the_next_run() {
    let desk = ada();
    let create = Crash::Call { call: 0, after: true };
    drop(desk.attempt(Desk::options(), Some(create)).await);
    desk.world.fault("account.rename", [Fault::DoneButLost]);
    desk.world.fault("probe", [Fault::Refuse(ErrorClass::Unreachable)]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Decide);
    assert_eq!(summary.ambiguous[0].reason, "looking failed: Unreachable by old");
    let summary = desk.apply().await;
    assert_eq!((summary.exit, names(&summary.adopted)), (Exit::Ok, vec![RENAME]));
}

#[tokio::test]
async fn what_takes_longer_than_patience_is_not_asked_for_twice() {
    let desk = ada();
    desk.world.fault("account.rename", [Fault::Slow]);
    let summary = desk.apply().await;
    assert_eq!(summary.failed[0].class, Some(ErrorClass::Timeout));
    assert!(summary.failed[0].help.as_deref().unwrap().contains("may still be working on it"));
    let open = desk.journal().unsettled().unwrap();
    assert_eq!(open.iter().map(|u| u.action.as_str()).collect::<Vec<_>>(), [RENAME]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, names(&summary.adopted)), (Exit::Ok, vec![RENAME]));
    assert_eq!(desk.world.effects()["account.rename ada@x.org"], 1);
}

#[tokio::test]
async fn a_first_conflict_is_a_stranger_and_a_later_one_may_be_ourselves() {
    // Nobody has tried before: somebody else made the alias.
    let alias = Change::AliasAdd { account: addr("ada@x.org"), alias: addr("l@x.org") };
    let desk = Desk::new(world(), vec![change("old", "ada@x.org", alias)]);
    desk.world.fault("alias.add", [Fault::Refuse(ErrorClass::Conflict)]);
    assert_eq!(desk.apply().await.failed[0].class, Some(ErrorClass::Conflict));

    // The first answer was lost and looking came too early; the conflict of the second try is the first one's effect.
    let desk = Desk::new(world(), desk.plan.body.actions.clone());
    desk.world.fault("alias.add", [Fault::LateAndLost]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.adopted.len()), (Exit::Ok, 1), "{summary:#?}");
    assert_eq!(desk.world.effects()["alias.add l@x.org"], 1);
}

#[tokio::test]
async fn another_plan_waits_until_an_open_one_is_settled() {
    let mut desk = ada();
    desk.world.fault("account.rename", [Fault::Slow]);
    desk.apply().await;
    desk.plan.id = PlanId::from("another");
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Partial);
    assert_eq!(summary.fatal, ["run-000001 of plan 0123456789ab has not ended"]);
    assert_eq!(summary.help.as_deref(), Some("end it first: `rehome resume`"));
}

#[tokio::test]
async fn a_run_that_lost_its_lease_stops_and_its_successor_goes_on() {
    let mut plan = full_plan();
    plan.push(copy("bob@x.org", 2).after(&["mail.copy:bob@x.org#1"]));
    let desk = Desk::new(world(), plan);
    desk.world.fault("copy ada@x.org", [Fault::Slow]);
    let copying = desk.world.copying.clone();
    let thief = async {
        copying.notified().await;
        // As if this process had slept through its expiry, and another one had come and gone.
        let journal = desk.journal();
        journal.db().lock().unwrap().execute("UPDATE lease SET expires = '2001-01-01T00:00:00Z'", []).unwrap();
        let lease = journal.acquire_lease("bob", std::time::Duration::from_secs(60)).unwrap();
        lease.release().unwrap();
    };
    let (summary, ()) = tokio::join!(desk.apply(), thief);
    assert_eq!(summary.exit, Exit::Locked, "{summary:#?}");
    assert_eq!(summary.fatal.last().unwrap(), &JournalError::Fenced.to_string());
    let resumed = desk.apply().await;
    assert_eq!(resumed.exit, Exit::Ok, "{resumed:#?}");
    assert!(desk.world.effects().values().all(|n| *n == 1), "{:?}", desk.world.effects());
}
