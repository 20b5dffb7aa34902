//! Findings, runs and state as people read them.

use insta::assert_snapshot;
use rehome::{
    diag::{Finding, Severity},
    journal::{Run, Unsettled},
    model::{ActionId, CopyCounts, Event, MailboxState, PlanId, RunId, State, Verified},
    report::{
        Checked, Folders, Left, Options, Standing, Summary, event_line, findings_json, findings_markdown,
        findings_text, status_text, summary_text,
    },
};

use super::world::a;

fn finding(severity: Severity, code: &str, actual: Option<&str>) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: "mydomain.ovh MX".to_owned(),
        message: "the record is not the one that Email Pro expects".to_owned(),
        expected: actual.map(|_| "1 mx0.mail.ovh.net".to_owned()),
        actual: actual.map(str::to_owned),
        fix: actual.map(|_| "set MX to `1 mx0.mail.ovh.net`".to_owned()),
    }
}

fn checked() -> Vec<Checked> {
    vec![
        Checked::new(
            "mydomain.ovh at ns1.example (192.0.2.1)",
            vec![
                finding(Severity::Ok, "spf-ok", None),
                finding(Severity::Warning, "dmarc-none", None),
                finding(Severity::Error, "mx-other", Some("10 old.example")),
            ],
        ),
        Checked::new("mydomain.ovh at ns2.example (192.0.2.2)", vec![finding(Severity::Unknown, "timeout", None)]),
        Checked::new("other.example", vec![finding(Severity::Ok, "mx-ok", None)]),
    ]
}

#[test]
fn findings_are_sorted_worst_first_and_what_is_unknown_is_not_missing() {
    assert_snapshot!(findings_text(&checked(), &Options { width: 80, ..Options::default() }), @r#"
    mydomain.ovh at ns1.example (192.0.2.1)
      error   mydomain.ovh MX: the record is not the one that Email Pro expects
              (mx-other)
                expected 1 mx0.mail.ovh.net
                found    10 old.example
                fix      set MX to `1 mx0.mail.ovh.net`
      warning mydomain.ovh MX: the record is not the one that Email Pro expects
              (dmarc-none)
      ok SPF as expected

    mydomain.ovh at ns2.example (192.0.2.2)
      unknown mydomain.ovh MX: the record is not the one that Email Pro expects
              (timeout)

    other.example
      ok the record is not the one that Email Pro expects

    Total: 1 error, 1 unknown, 1 warning, 2 ok.
    "#);
}

#[test]
fn findings_in_a_review() {
    assert_snapshot!(findings_markdown(&checked()), @r#"
    **1 error, 1 unknown, 1 warning, 2 ok**

    #### mydomain.ovh at ns1.example (192.0.2.1)

    | | Subject | Finding | Expected | Found | Fix |
    |--|--|--|--|--|--|
    | error | mydomain.ovh MX | the record is not the one that Email Pro expects (`mx-other`) | 1 mx0.mail.ovh.net | 10 old.example | set MX to \`1 mx0.mail.ovh.net\` |
    | warning | mydomain.ovh MX | the record is not the one that Email Pro expects (`dmarc-none`) |  |  |  |

    #### mydomain.ovh at ns2.example (192.0.2.2)

    | | Subject | Finding | Expected | Found | Fix |
    |--|--|--|--|--|--|
    | unknown | mydomain.ovh MX | the record is not the one that Email Pro expects (`timeout`) |  |  |  |

    <details><summary>As expected (1)</summary>

    - other.example

    </details>
    "#);
}

#[test]
fn findings_for_a_program_keep_everything() {
    let json = findings_json(&checked());
    assert_eq!(json["totals"]["error"], 1);
    assert_eq!(json["checked"][0]["findings"][2]["actual"], "10 old.example");
}

fn counts() -> CopyCounts {
    CopyCounts {
        source: 31_204,
        copied: 31_000,
        present: 200,
        failed: [("too-large".to_owned(), 4)].into(),
        octets: 4_400_000_000,
        ..CopyCounts::default()
    }
}

fn events() -> Vec<Event> {
    let id = |text: &str| ActionId::from(text);
    vec![
        Event::RunStarted {
            run: RunId::from("run-000003"),
            plan: PlanId("f".repeat(64)),
            actions: 9,
            resumed: true,
            done: 2,
        },
        Event::ActionStarted { action: id("domain.ready:new/mydomain.ovh") },
        Event::ActionWaiting {
            action: id("domain.ready:new/mydomain.ovh"),
            reason: "the CNAME is not there".to_owned(),
        },
        Event::ActionDone { action: id("account.rename:old/john@x.org"), detail: None, adopted: true },
        Event::ActionDone { action: id("account.rename:old/jane@x.org"), detail: None, adopted: false },
        Event::ActionUndone { action: id("account.rename:old/jane@x.org"), reason: "its create failed".to_owned() },
        Event::ActionFailed {
            action: id("account.create:new/jane@x.org"),
            errors: vec!["create jane@x.org on new".to_owned(), "409: no free slot".to_owned()],
            help: Some("order a slot".to_owned()),
            blocked: vec![id("copy:new/jane@x.org"), id("verify.mail:new/jane@x.org")],
        },
        Event::CopyProgress {
            account: a("john"),
            folder: "INBOX".to_owned(),
            done: 1200,
            total: 31_204,
            octets: 1 << 30,
        },
        Event::CopyDone { account: a("john"), counts: counts() },
        Event::Throttled { host: "imap.old".to_owned(), reason: "slow\ndown".to_owned(), millis: 1500 },
        Event::Warning { message: "keywords are not kept".to_owned() },
        Event::RunFinished { run: RunId::from("run-000003"), exit: 3, done: 1, failed: 1, pending: 7 },
    ]
}

#[test]
fn a_run_ends_with_its_sums_and_each_failure_once() {
    assert_snapshot!(summary_text(&Summary::of(&events()), &Options { width: 80, ..Options::default() }), @r#"
    run-000003: 1 action done (1 recognised from an earlier run), 1 failed, 7 not started
    Mail: 31,204 at the source = 31,000 copied + 200 there already + 0 left out + 4 failed + 0 gone meanwhile, 4.0 GiB sent.
      failed: 4 too-large

    Failed
      x account.create:new/jane@x.org
          create jane@x.org on new
          409: no free slot
          > order a slot
          not done because of it: 2 actions

    Taken back
      account.rename:old/jane@x.org: its create failed

    Waiting
      domain.ready:new/mydomain.ovh: the CNAME is not there

    Warnings
      keywords are not kept
    "#);
}

#[test]
fn a_log_has_one_line_per_event_that_matters() {
    let lines: Vec<String> = events().iter().filter_map(event_line).collect();
    assert!(lines.iter().all(|l| !l.contains('\n')));
    assert_snapshot!(lines.join("\n"), @r#"
    run-000003 goes on: plan ffffffffffff, 9 actions, 2 done before
    wait  domain.ready:new/mydomain.ovh: the CNAME is not there
    done  account.rename:old/john@x.org (was done before)
    done  account.rename:old/jane@x.org
    undo  account.rename:old/jane@x.org: its create failed
    FAIL  account.create:new/jane@x.org: create jane@x.org on new: 409: no free slot [order a slot] (2 actions wait for it)
    copy  john@mydomain.ovh INBOX: 1,200 of 31,204 messages, 1.0 GiB
    copy  john@mydomain.ovh: 31,204 at the source, 31,000 copied, 200 there already, 0 left out, 4 failed, 4.0 GiB
    slow  imap.old: slow down; pausing 1.5 s
    warn  keywords are not kept
    run-000003 ended with exit 3: 1 done, 1 failed, 7 not started
    "#);
}

#[test]
fn status_shows_first_what_is_not_proved() {
    let at = |text: &str| text.parse::<jiff::Timestamp>().unwrap();
    let proof = Verified { at: at("2026-01-02T03:04:05Z"), messages: 12, seen: Default::default() };
    let mut state = State::default();
    let folders = Folders::new();
    let standing = |state, latest, unsettled| Standing {
        state,
        latest,
        unsettled,
        approvals: &[],
        folders: &folders,
        live: None,
        left: Left::default(),
    };
    let none = State::default();
    let nothing = standing(&none, None, &[]);
    assert_snapshot!(status_text(&nothing, &Options::default()), @"No plan was applied from here yet.");
    let mailbox = |verified| MailboxState { passes: 2, counts: Some(counts()), verified, ..MailboxState::default() };
    state.mailboxes.insert(a("ann"), mailbox(Some(proof)));
    state.mailboxes.insert(a("zoe"), mailbox(None));
    state.mailboxes.insert(a("bob"), MailboxState::default());
    state.protected.insert(a("boss"));
    let run = Run {
        id: RunId::from("run-000004"),
        plan: PlanId("a".repeat(64)),
        acks: Default::default(),
        started: at("2026-01-02T03:04:05Z"),
        ended: None,
        exit: None,
        actor: String::new(),
        host: String::new(),
        pid: 1,
        epoch: 1,
    };
    let open = Unsettled {
        run: run.id.clone(),
        action: ActionId::from("account.create:new/ann@mydomain.ovh"),
        undo: false,
        reason: Some("an account of another name took the slot".to_owned()),
    };
    let open = [open];
    assert_snapshot!(status_text(&standing(&state, Some(&run), &open), &Options::default()), @r"
    run-000004 of plan aaaaaaaaaaaa began 2026-01-02 03:04:05Z and has not ended. `rehome resume` goes on.

    Nobody but you can tell whether these were done
      account.create:new/ann@mydomain.ovh
          an account of another name took the slot
      Look at the platform, then: rehome journal resolve ACTION --as done|retry

    3 mailboxes, 1 verified
      bob@mydomain.ovh  not copied yet, not verified
      zoe@mydomain.ovh  2 passes, 31,200 of 31,204 messages, 4 failed, not verified
      ann@mydomain.ovh  2 passes, 31,200 of 31,204 messages, 4 failed, verified 2026-01-02 03:04:05Z

    Protected
      boss@mydomain.ovh
    ");
    let ended = Run { ended: Some(run.started), exit: Some(3), ..run.clone() };
    assert_snapshot!(status_text(&standing(&none, Some(&ended), &[]), &Options::default()), @r"
    run-000004 of plan aaaaaaaaaaaa ended 2026-01-02 03:04:05Z with 3 (partly applied; can be resumed).
    `rehome resume` goes on with it, `rehome plan` looks afresh.
    ");
}
