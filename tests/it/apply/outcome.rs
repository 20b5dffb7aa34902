//! What a run comes to: order, isolation, guards, waiting, differences, interruption, exit codes.

use std::collections::BTreeSet;

use rehome::{
    apply::{Context, Options, RunSummary, run},
    diag::{Exit, Severity},
    model::{Change, Event, GuardOutcome, PlanOutcome, PlatformId, Precondition, Undo, Work},
    provider::ErrorClass,
};
use tokio_util::sync::CancellationToken;

use super::{
    desk::{
        Desk, With, change, copy, domain_add, domain_ready, full_plan, names, reset, swap, verify, verify_dns, world,
    },
    world::{Fault, addr},
};

/// Checked when this compiles: a run can move between threads.
#[expect(dead_code, reason = "its type is the claim")]
fn a_run_can_be_spawned(ctx: Context<'_>) -> impl Future<Output = RunSummary> + Send {
    run(ctx)
}

fn swaps(addresses: &[&str]) -> Vec<rehome::model::Action> {
    addresses.iter().flat_map(|address| swap(address)).collect()
}

fn blocked(summary: &RunSummary) -> Vec<&str> {
    summary.failed.iter().flat_map(|f| names(&f.blocked)).collect()
}

#[tokio::test]
async fn everything_is_done_in_an_order_that_respects_requirements() {
    let desk = Desk::new(world(), full_plan());
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    assert_eq!(summary.done.len(), desk.plan.body.actions.len());
    let events = desk.events.lock().unwrap();
    let ended = |id: &str| {
        events.iter().position(|e| matches!(e, Event::ActionDone { action, .. } if action.as_str() == id)).unwrap()
    };
    let begun = |id: &str| {
        events.iter().position(|e| matches!(e, Event::ActionStarted { action } if action.as_str() == id)).unwrap()
    };
    for action in &desk.plan.body.actions {
        for required in action.requires.iter().filter(|_| action.swap.is_none()) {
            assert!(ended(required.as_str()) < begun(action.id.as_str()), "{required} before {}", action.id);
        }
    }
    assert!(matches!(events.first(), Some(Event::RunStarted { resumed: false, actions: 14, .. })));
    assert!(matches!(events.last(), Some(Event::RunFinished { exit: 0, done: 14, failed: 0, pending: 0, .. })));
    drop(events);
    let state = desk.journal().state().unwrap();
    assert_eq!(state.plans[&desk.plan.id], PlanOutcome::Done);
    let ada = &state.mailboxes[&addr("ada@x.org")];
    assert_eq!((ada.passes, ada.verified.as_ref().unwrap().messages), (1, 3));
    assert!(state.passwords.contains(&(PlatformId::from("new"), addr("bob@x.org"))));
}

#[tokio::test]
async fn nothing_comes_between_the_two_halves_of_a_swap() {
    let mut plan = swaps(&["ada@x.org", "bob@x.org"]);
    let alias = Change::AliasAdd { account: addr("ada01@x.org"), alias: addr("old-ada@x.org") };
    plan.push(change("old", "old-ada@x.org", alias).after(&["account.create:new/ada@x.org"]));
    let desk = Desk::new(world(), plan);
    assert_eq!(desk.apply().await.exit, Exit::Ok);
    let log: Vec<String> = desk.world.log().into_iter().filter(|e| !e.starts_with("deliver")).collect();
    assert_eq!(
        log[..4],
        [
            "account.rename ada@x.org",
            "account.create ada@x.org",
            "account.rename bob@x.org",
            "account.create bob@x.org",
        ]
    );
}

#[tokio::test]
async fn copies_run_side_by_side_and_changes_one_at_a_time_per_platform() {
    let world = world();
    let people: Vec<String> = (0..6).map(|n| format!("p{n}@x.org")).collect();
    let mut plan = Vec::new();
    for who in &people {
        world.account("old", who, &[1]);
        plan.extend(swap(who));
    }
    for who in &people {
        plan.push(copy(who, 1).after(&["account.create:new/p5@x.org"]));
    }
    let desk = Desk::new(world, plan);
    let summary = desk.apply_with(Options { parallel: 3, ..Desk::options() }).await;
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    assert_eq!((desk.world.most("change"), desk.world.most("copy")), (1, 3));
}

#[tokio::test]
async fn a_failure_stops_its_own_chain_and_is_told_once() {
    let desk = Desk::new(world(), full_plan());
    desk.world.fault("copy ada@x.org", [Fault::Refuse(ErrorClass::Refused)]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Partial);
    assert_eq!(blocked(&summary), ["mail.verify:ada@x.org", "account.reset:old/ada01@x.org"]);
    assert_eq!(summary.failed[0].errors, ["copying failed", "Refused by the server"]);
    assert_eq!(summary.done.len(), 11);
    let told = desk.events.lock().unwrap().iter().filter(|e| matches!(e, Event::ActionFailed { .. })).count();
    assert_eq!(told, 1);

    let resumed = desk.apply().await;
    assert_eq!((resumed.exit, resumed.resumed, resumed.done_before), (Exit::Ok, true, 11));
    assert_eq!(resumed.done.len(), 3);
}

#[tokio::test]
async fn when_the_create_fails_the_rename_is_taken_back_at_once() {
    let mut plan = swaps(&["ada@x.org", "bob@x.org"]);
    plan.push(copy("ada@x.org", 1).after(&["account.create:new/ada@x.org"]));
    let desk = Desk::new(world(), plan);
    desk.world.fault("account.create ada@x.org", [Fault::Refuse(ErrorClass::Refused)]);
    let before = desk.world.facts().accounts[&("old".to_owned(), addr("ada@x.org"))].clone();
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Partial);
    assert_eq!(names(&summary.undone), ["account.rename:old/ada@x.org"]);
    assert_eq!(blocked(&summary), ["mail.copy:ada@x.org#1"]);
    assert_eq!(names(&summary.done), ["account.rename:old/bob@x.org", "account.create:new/bob@x.org"]);
    assert_eq!(desk.world.facts().accounts[&("old".to_owned(), addr("ada@x.org"))], before);
    let log = desk.world.log();
    let there = log.iter().position(|e| e == "account.rename ada@x.org").unwrap();
    let back = log.iter().position(|e| e == "account.rename ada01@x.org").unwrap();
    let bob = log.iter().position(|e| e == "account.rename bob@x.org").unwrap();
    assert!(there < back && back < bob, "{log:?}");
    assert_eq!(desk.apply().await.exit, Exit::Ok);
}

#[tokio::test]
async fn an_undo_that_fails_says_so_and_is_owed_to_the_next_run() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    desk.world.fault("account.create", [Fault::Refuse(ErrorClass::Refused)]);
    desk.world.fault("account.rename ada01@x.org", [Fault::Refuse(ErrorClass::Unreachable)]);
    let summary = desk.apply().await;
    let owed = summary.failed.iter().find(|f| f.action.as_str() == "account.rename:old/ada@x.org").unwrap();
    assert_eq!(owed.errors[0], "account.rename:old/ada@x.org could not be taken back: ada@x.org has no owner now");
    assert_eq!(owed.help.as_deref(), Some("`rehome resume` at once: it takes it back first"));
    assert!(desk.journal().open_run().unwrap().is_some(), "nothing else may begin before that");

    let resumed = desk.apply().await;
    assert_eq!(resumed.exit, Exit::Ok, "{resumed:#?}");
    let log = desk.world.log();
    let renames: Vec<_> = log.iter().filter(|e| e.starts_with("account.rename")).collect();
    assert_eq!(renames, ["account.rename ada@x.org", "account.rename ada01@x.org", "account.rename ada@x.org"]);
}

#[tokio::test]
async fn what_cannot_be_taken_back_is_said_with_the_failure() {
    let mut plan = swaps(&["ada@x.org"]);
    plan[0].undo = Undo::Irreversible("its mail is gone".into());
    let desk = Desk::new(world(), plan);
    desk.world.fault("account.create", [Fault::Refuse(ErrorClass::Refused)]);
    let summary = desk.apply().await;
    assert_eq!(summary.failed.len(), 1);
    assert_eq!(summary.failed[0].errors.last().unwrap(), "account.rename:old/ada@x.org stays done: its mail is gone");
    assert_eq!(names(&summary.done), ["account.rename:old/ada@x.org"]);
    assert_eq!(desk.apply().await.exit, Exit::Ok, "the next run goes forward");
}

#[tokio::test]
async fn what_can_be_known_of_the_create_is_known_before_the_rename() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    desk.world.fault("password ada@x.org", [Fault::Blind]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Failed);
    assert_eq!(names(&[summary.failed[0].action.clone()]), ["account.create:new/ada@x.org"]);
    assert_eq!(summary.failed[0].help.as_deref(), Some("make room"));
    assert_eq!(blocked(&summary), ["account.rename:old/ada@x.org"]);
    assert!(desk.world.effects().is_empty());

    desk.world.account("new", "ada@x.org", &[]);
    let summary = desk.apply().await;
    assert_eq!(summary.failed[0].errors, ["ada@x.org is not free on new: it is an account"]);
    assert!(desk.world.effects().keys().all(|e| e.starts_with("deliver")));
}

#[tokio::test]
async fn an_account_that_is_busy_is_given_a_moment() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    desk.world.busy("old", "ada@x.org", 3);
    assert_eq!(desk.apply().await.exit, Exit::Ok);
}

#[tokio::test]
async fn guards_are_checked_before_anything_begins() {
    let mut plan = full_plan();
    let desk = Desk::new(world(), plan.clone());
    let summary = desk.apply_with(Options { acks: BTreeSet::new(), ..Desk::options() }).await;
    assert_eq!(summary.exit, Exit::Guard);
    assert_eq!(
        summary.guards.iter().map(|(id, g)| (id.as_str(), g.code.as_str())).collect::<Vec<_>>(),
        [("account.reset:old/ada01@x.org", "reset-mailbox")]
    );
    assert!(desk.world.effects().is_empty() && desk.journal().runs().unwrap().is_empty());

    let by_action = BTreeSet::from(["account.reset:old/ada01@x.org".to_owned()]);
    assert_eq!(desk.apply_with(Options { acks: by_action, ..Desk::options() }).await.exit, Exit::Ok);

    let last = plan.pop().unwrap();
    plan.push(last.guarded(GuardOutcome::Deny));
    let denied = Desk::new(world(), plan).apply().await;
    assert_eq!(denied.exit, Exit::Guard, "nobody can acknowledge a denial");
}

#[tokio::test]
async fn an_acknowledgement_outlives_the_run_it_was_given_for() {
    let desk = Desk::new(world(), full_plan());
    desk.world.fault("copy", [Fault::Refuse(ErrorClass::Refused)]);
    assert_eq!(desk.apply().await.exit, Exit::Partial);
    let resumed = desk.apply_with(Options { acks: BTreeSet::new(), resume: true, ..Desk::options() }).await;
    assert_eq!(resumed.exit, Exit::Ok);
}

#[tokio::test]
async fn a_mailbox_that_received_mail_after_its_proof_is_not_emptied() {
    let desk = Desk::new(world(), full_plan());
    desk.world.mail_arrives_after_verification();
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Partial);
    assert_eq!(summary.failed[0].errors, ["mail came into INBOX of ada@x.org after it was verified"]);
    assert!(desk.world.facts().accounts.contains_key(&("old".to_owned(), addr("ada01@x.org"))));
}

#[tokio::test]
async fn a_mailbox_that_was_never_proved_is_not_emptied() {
    let desk = Desk::new(world(), vec![reset("ada@x.org")]);
    let summary = desk.apply().await;
    assert_eq!(summary.failed[0].errors, ["the mail of ada@x.org was never proved to be complete"]);
    assert!(desk.world.effects().is_empty());
}

#[tokio::test]
async fn waiting_is_a_state_and_not_a_failure() {
    let desk = Desk::new(world(), full_plan());
    desk.world.wait("x.org", 2);
    let summary = desk.apply_with(Options { no_wait: true, ..Desk::options() }).await;
    assert_eq!(summary.exit, Exit::Waiting);
    assert_eq!(
        (summary.waiting[0].action.as_str(), summary.waiting[0].reason.as_str()),
        ("domain.ready:new/x.org", "a TXT record")
    );
    // What does not wait for the domain was done all the same.
    assert_eq!(names(&summary.done), ["domain.add:new/x.org"]);
    assert!(desk.journal().open_run().unwrap().is_none());
    assert_eq!(desk.apply().await.exit, Exit::Ok, "and without --no-wait it is waited for");
    let told = desk.events.lock().unwrap().iter().filter(|e| matches!(e, Event::ActionWaiting { .. })).count();
    assert_eq!(told, 2, "once per run, not once per look");
}

#[tokio::test]
async fn differences_are_reported_and_checked_again() {
    let desk = Desk::new(world(), vec![domain_add(), domain_ready(), verify_dns()]);
    desk.world.dns_says(Severity::Error);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.findings.len(), summary.failed.len()), (Exit::Differences, 1, 0));
    desk.world.dns_says(Severity::Warning);
    let again = desk.apply().await;
    assert_eq!((again.exit, again.findings.len(), again.done.len()), (Exit::Ok, 1, 1));
}

#[tokio::test]
async fn a_mailbox_that_differs_is_not_emptied() {
    let desk = Desk::new(world(), full_plan());
    desk.world.verify_says(Severity::Error);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Differences);
    assert_eq!(names(&summary.pending), ["account.reset:old/ada01@x.org"]);
    assert!(desk.journal().state().unwrap().mailboxes[&addr("ada@x.org")].verified.is_none());
}

#[tokio::test]
async fn the_exit_code_names_a_cause_that_all_failures_share() {
    for (classes, exit) in [
        ([ErrorClass::Denied, ErrorClass::Denied], Exit::Denied),
        ([ErrorClass::Unreachable, ErrorClass::Unreachable], Exit::Unreachable),
        ([ErrorClass::Denied, ErrorClass::Unreachable], Exit::Failed),
    ] {
        let desk = Desk::new(world(), swaps(&["ada@x.org", "bob@x.org"]));
        desk.world.fault("account.rename", classes.map(Fault::Refuse));
        assert_eq!(desk.apply().await.exit, exit, "{classes:?}");
    }
}

#[tokio::test]
async fn a_gap_in_a_listing_is_no_free_address() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    desk.world.fault("observe", [Fault::Refuse(ErrorClass::Unreachable)]);
    assert_eq!(desk.apply().await.exit, Exit::Unreachable);
    assert!(desk.world.effects().is_empty());
}

#[tokio::test]
async fn a_plan_is_applied_once() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    assert_eq!(desk.apply().await.exit, Exit::Ok);
    let effects = desk.world.effects();
    let again = desk.apply().await;
    assert!(again.already_applied && again.exit == Exit::Ok && again.done.is_empty());
    assert_eq!(desk.world.effects(), effects);
}

#[tokio::test]
async fn only_what_was_begun_can_be_resumed() {
    let desk = Desk::new(world(), swaps(&["ada@x.org"]));
    let summary = desk.apply_with(Options { resume: true, ..Desk::options() }).await;
    assert_eq!(summary.exit, Exit::Invalid);
    assert_eq!(summary.fatal, ["plan 0123456789ab has not been begun in this workspace"]);
    assert_eq!(Desk::new(world(), Vec::new()).apply().await.exit, Exit::Ok, "an empty plan is nothing to do");
}

#[tokio::test]
async fn a_plan_that_is_no_order_is_refused() {
    let plan = vec![domain_ready().after(&["domain.add:new/x.org"]), domain_add()];
    let summary = Desk::new(world(), plan).apply().await;
    assert_eq!(summary.exit, Exit::Invalid);
    assert_eq!(
        summary.fatal,
        ["domain.ready:new/x.org requires domain.add:new/x.org, which is not before it in the plan"]
    );
}

#[tokio::test]
async fn the_first_interrupt_lets_what_is_in_flight_end() {
    let cancel = CancellationToken::new();
    cancel.cancel();
    let desk = Desk::new(world(), full_plan());
    let summary = desk.apply_with(Options { cancel, ..Desk::options() }).await;
    assert_eq!((summary.exit, summary.done.len(), summary.pending.len()), (Exit::Interrupted, 0, 14));

    // The token is pulled while the first account is in the middle of its swap.
    let cancel = CancellationToken::new();
    let desk = Desk::new(world(), swaps(&["ada@x.org", "bob@x.org"]));
    let watch = desk.world.clone();
    let token = cancel.clone();
    let watcher = async {
        while watch.log().is_empty() {
            tokio::task::yield_now().await;
        }
        token.cancel();
    };
    let (summary, ()) = tokio::join!(desk.apply_with(Options { cancel, ..Desk::options() }), watcher);
    assert_eq!(summary.exit, Exit::Interrupted);
    assert_eq!(names(&summary.done), ["account.rename:old/ada@x.org", "account.create:new/ada@x.org"]);
    assert_eq!(desk.apply().await.exit, Exit::Ok);
}

#[tokio::test]
async fn the_second_interrupt_stops_a_copy_where_it_is() {
    let desk = Desk::new(world(), full_plan());
    desk.world.fault("copy ada@x.org", [Fault::Slow]);
    let options = Desk::options();
    let (cancel, stop) = (options.cancel.clone(), options.stop_now.clone());
    let copying = desk.world.copying.clone();
    let impatient = async {
        copying.notified().await;
        cancel.cancel();
        tokio::task::yield_now().await;
        stop.cancel();
    };
    let (summary, ()) = tokio::join!(desk.apply_with(options), impatient);
    assert_eq!(summary.exit, Exit::Interrupted);
    assert!(names(&summary.pending).contains(&"mail.copy:ada@x.org#1"));
    assert_eq!(desk.apply().await.exit, Exit::Ok);
    assert!(desk.world.effects().values().all(|n| *n == 1));
}

#[tokio::test]
async fn what_does_not_end_is_cut_off_after_the_grace() {
    let desk = Desk::new(world(), full_plan());
    desk.world.fault("copy ada@x.org", [Fault::Slow]);
    let options = Options { grace: std::time::Duration::from_millis(5), ..Desk::options() };
    let cancel = options.cancel.clone();
    let copying = desk.world.copying.clone();
    let (summary, ()) = tokio::join!(desk.apply_with(options), async {
        copying.notified().await;
        cancel.cancel();
    });
    assert_eq!(summary.exit, Exit::Interrupted);
    // A copy that was cut off leaves nothing in doubt on a platform: the run has ended and another plan may begin.
    assert!(desk.journal().open_run().unwrap().is_none());
}

#[tokio::test]
async fn a_later_pass_replaces_what_an_earlier_one_found() {
    let mut plan = swaps(&["ada@x.org"]);
    plan.push(copy("ada@x.org", 1).after(&["account.create:new/ada@x.org"]));
    plan.push(copy("ada@x.org", 2).after(&["mail.copy:ada@x.org#1"]));
    plan.push(verify("ada@x.org").after(&["mail.copy:ada@x.org#2"]));
    let desk = Desk::new(world(), plan);
    desk.world.fault("shortfall", [Fault::Blind]);
    let summary = desk.apply().await;
    assert_eq!((summary.exit, summary.findings), (Exit::Ok, Vec::new()));
    assert_eq!(desk.journal().state().unwrap().mailboxes[&addr("ada@x.org")].passes, 2);
}

/// Two passes of ada's three messages, the second with the plan's rule.
fn two_passes(skip_below: u64) -> Vec<rehome::model::Action> {
    let mut plan = swaps(&["ada@x.org"]);
    plan.push(copy("ada@x.org", 1).after(&["account.create:new/ada@x.org"]));
    let mut second = copy("ada@x.org", 2).after(&["mail.copy:ada@x.org#1"]);
    if let Work::Copy(work) = &mut second.work {
        work.skip_below = Some(skip_below);
    }
    plan.push(second);
    plan
}

#[tokio::test]
async fn a_pass_is_left_out_when_the_plan_says_so_of_what_the_one_before_it_brought() {
    for (skip_below, passes) in [(4, 1), (3, 2)] {
        let desk = Desk::new(world(), two_passes(skip_below));
        let summary = desk.apply().await;
        assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
        assert_eq!(summary.done.len(), 4, "a pass that is left out counts as done");
        assert_eq!(desk.journal().state().unwrap().mailboxes[&addr("ada@x.org")].passes, passes, "{skip_below}");
        let events = desk.events.lock().unwrap();
        let told = events.iter().any(|e| {
            matches!(e, Event::ActionDone { detail: Some(d), .. } if d == "left out: the pass before it brought 3 new, fewer than 4")
        });
        assert_eq!(told, passes == 1);
    }
}

#[tokio::test]
async fn a_pass_that_is_left_out_does_not_hide_what_the_one_before_it_could_not_copy() {
    let desk = Desk::new(world(), two_passes(100));
    desk.world.fault("shortfall", [Fault::Blind]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Differences);
    assert_eq!(summary.findings[0].message, "1 messages could not be copied (too-large: 1)");
}

#[tokio::test]
async fn a_message_that_could_not_be_copied_is_a_difference() {
    let mut plan = swaps(&["ada@x.org"]);
    plan.push(copy("ada@x.org", 1).after(&["account.create:new/ada@x.org"]));
    let desk = Desk::new(world(), plan);
    desk.world.fault("shortfall", [Fault::Blind]);
    let summary = desk.apply().await;
    assert_eq!(summary.exit, Exit::Differences);
    assert_eq!(summary.findings[0].message, "1 messages could not be copied (too-large: 1)");
}

#[tokio::test]
async fn a_precondition_on_an_account_that_is_gone_says_what_to_do() {
    let alias = Change::AliasAdd { account: addr("ada@x.org"), alias: addr("l@x.org") };
    let there = Precondition::AccountOk { platform: PlatformId::from("new"), address: addr("ada@x.org") };
    let desk = Desk::new(world(), vec![change("new", "ada@x.org", alias).given(there)]);
    let summary = desk.apply().await;
    assert_eq!(summary.failed[0].errors, ["there is no account ada@x.org on new"]);
    assert!(summary.failed[0].help.as_deref().unwrap().starts_with("plan again"));
}
