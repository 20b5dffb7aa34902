//! Plans as people read them.

use insta::assert_snapshot;
use rehome::{
    model::{Delegation, DnsTopic, DomainType, PlatformKind, Right},
    plan::Plan,
    report::{
        Drift, Graph, Options, PlanChanges, Style, changes_markdown, changes_text, drift_text, plan_graph, plan_html,
        plan_json, plan_markdown, plan_text,
    },
    spec::{Presence, RedirectionSpec, SourceFate, SourcePassword, Strategy},
};

use super::world::{World, a, d, generate, p};

/// A little of everything.
fn sample() -> Plan {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhZimbra, Strategy::Swap);
    for (name, messages) in [("john", 31_204), ("jane", 9_877)] {
        world = world.wants(name).has("old", name, messages);
    }
    world = world.wants("taken").has("old", "taken", 1).has("old", "taken01", 1).has("old", "press", 3);
    world.view("new").domains.clear();
    world.view("old").domains.get_mut(&d("mydomain.ovh")).unwrap().kind = Some(DomainType::Authoritative);
    world.migrate().source = SourceFate::Reset;
    world.seen("old", "john").aliases = [a("j.smith"), a("js")].into();
    world.account("john").profile.display_name = Some("John Smith".to_owned());
    world.account("john").aliases = Some([a("j.smith")].into());
    world.account("john").delegates = Some([Delegation { to: a("jane"), right: Right::SendAs }].into());
    world.account("jane").mail.source_password = Some(SourcePassword::Reset(generate("jane.old")));
    world.account("jane").protect = true;
    world.inventory.mailboxes.remove(&(p("old"), a("jane")));
    world.spec.redirections.insert(
        a("info"),
        RedirectionSpec {
            state: Presence::Present,
            to: [a("john"), a("desk@partner.example")].into(),
            keep_copy: false,
            via: None,
        },
    );
    world.spec.domains.get_mut(&d("mydomain.ovh")).unwrap().dns.verify = [DnsTopic::Mx, DnsTopic::Spf].into();
    world.plan()
}

fn many(n: usize) -> Plan {
    let mut world = World::swap();
    for i in 0..n {
        let name = format!("user{i:05}");
        world = world.wants(&name).has("old", &name, 10);
        world.slot(&format!("more{i:05}@configureme.me"), None);
    }
    world.plan()
}

#[test]
fn a_plan_on_a_terminal() {
    assert_snapshot!(plan_text(&sample(), &Options { width: 120, ..Options::default() }));
}

#[test]
fn a_plan_in_a_review() {
    assert_snapshot!(plan_markdown(&sample(), None).text);
}

#[test]
fn an_empty_plan() {
    assert_snapshot!(plan_text(&World::swap().plan(), &Options::default()), @r#"
    Plan 84472c0cb0cd   mydomain.ovh (swap)
    Nothing to do: what the spec describes is so.
    "#);
}

#[test]
fn lines_keep_to_the_width() {
    for width in [60, 80, 100] {
        let text = plan_text(&sample(), &Options { width, verbose: true, ..Options::default() });
        let long: Vec<&str> = text.lines().filter(|l| l.chars().count() > width && !l.contains("--")).collect();
        // A single word, such as the name of an action, may be longer than a narrow terminal.
        let broken: Vec<_> = long.iter().filter(|l| l.split_whitespace().count() > 8).collect();
        assert!(broken.is_empty(), "{width}: {broken:#?}");
    }
}

#[test]
fn colour_changes_nothing_but_colour() {
    let plain = plan_text(&sample(), &Options::default());
    let colored = plan_text(&sample(), &Options { style: Style::Color, ..Options::default() });
    assert!(colored.contains("\u{1b}["));
    let stripped = anstream_strip(&colored);
    assert_eq!(stripped, plain);
}

fn anstream_strip(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

#[test]
fn many_rows_are_counted_on_a_terminal_and_all_there_on_demand() {
    let plan = many(300);
    let text = plan_text(&plan, &Options::default());
    assert!(text.lines().count() < 100, "{}", text.lines().count());
    assert!(text.contains("... and 290 more (use -v)"), "{text}");
    let all = plan_text(&plan, &Options { verbose: true, ..Options::default() });
    assert_eq!(all.matches("  rename ").count(), 300);
}

#[test]
fn markdown_fits_its_limit_and_never_folds_what_destroys() {
    let mut world = World::swap();
    for i in 0..300 {
        let name = format!("user{i:05}");
        world = world.wants(&name).has("old", &name, 10);
        world.slot(&format!("more{i:05}@configureme.me"), None);
    }
    world = world.wants("gone").has("new", "gone", 1);
    world.account("gone").state = Presence::Absent;
    let plan = world.plan();
    let full = plan_markdown(&plan, None).text;
    for limit in [full.len(), 60_000, 20_000, 4_000, 2_000] {
        let text = plan_markdown(&plan, Some(limit)).text;
        assert!(text.len() <= limit, "{} > {limit}", text.len());
        let visible = text.split("<details>").next().unwrap();
        assert!(visible.contains("| reset | gone@mydomain.ovh |"), "{limit}: {visible}");
        let tables = text.lines().filter(|l| l.starts_with('|'));
        assert!(tables.clone().all(|l| l.ends_with('|')), "a table is cut");
    }
}

#[test]
fn what_destroys_is_named_where_its_rows_do_not_fit_and_what_is_not_named_is_told() {
    let mut plan = many(300);
    for action in &mut plan.body.actions {
        action.undo = rehome::model::Undo::Irreversible("no way back".into());
    }
    let shown = plan_markdown(&plan, Some(20_000));
    assert!(shown.text.len() <= 20_000);
    assert_eq!(shown.unnamed, 0);
    let visible = shown.text.split("<details>").next().unwrap();
    assert!((0..300).all(|n| visible.contains(&format!("user{n:05}@"))), "{visible}");
    assert!(visible.contains("(300): user00000@mydomain.ovh, "), "{visible}");
    let cut = plan_markdown(&plan, Some(4_000));
    assert!(cut.text.len() <= 4_000);
    assert!(cut.unnamed > 0);
    let told = format!(
        "{} more actions of this kind did not fit: read the plan file",
        rehome::diag::count(cut.unnamed as u64)
    );
    assert!(cut.text.contains(&told), "{}", cut.text);
}

#[test]
fn what_a_platform_says_cannot_move_the_cursor_or_the_layout() {
    let mut plan = sample();
    let action = plan.body.actions.iter_mut().find(|x| x.guard.is_some()).unwrap();
    action.guard.as_mut().unwrap().message = "\u{1b}[2Jgone | <b>bold</b> `x`".to_owned();
    plan.body.notes[0].message = "\u{1b}]0;title\u{7} <script>".to_owned();
    assert!(!plan_text(&plan, &Options::default()).contains('\u{1b}'));
    let markdown = plan_markdown(&plan, None).text;
    assert!(!markdown.contains('\u{1b}') && !markdown.contains("<script>") && !markdown.contains("<b>"));
}

/// Everything that a plan is written as.
fn every_form(plan: &Plan) -> Vec<String> {
    vec![
        plan_text(plan, &Options { verbose: true, ..Options::default() }),
        plan_markdown(plan, None).text,
        plan_html(plan),
        plan_graph(plan, Graph::Mermaid),
        plan_graph(plan, Graph::Dot),
        changes_text(&World::swap().plan(), plan, &Options::default()),
        changes_markdown(&World::swap().plan(), plan),
    ]
}

#[test]
fn a_name_cannot_read_as_another_one_nor_call_anybody() {
    let mut world = World::swap().wants("john").has("old", "john", 3);
    world.account("john").profile.display_name = Some("invoice \u{202e}fdp.exe\u{202c} \u{200b}x @octocat".to_owned());
    let plan = world.plan();
    for text in every_form(&plan) {
        assert!(!text.contains(['\u{202e}', '\u{202c}', '\u{200b}']), "{text}");
    }
    let markdown = plan_markdown(&plan, None).text;
    assert!(markdown.contains("\u{fffd}fdp.exe") && !markdown.contains("@octocat"), "{markdown}");
    assert!(markdown.contains("john@mydomain.ovh"), "an address is left as it is");
    // What belongs to a script or joins an emoji stays.
    world.account("john").profile.display_name = Some("שלום 👩\u{200d}👧 می\u{200c}خواهم".to_owned());
    let markdown = plan_markdown(&world.plan(), None).text;
    assert!(markdown.contains("שלום 👩\u{200d}👧 می\u{200c}خواهم"), "{markdown}");
}

#[test]
fn wide_letters_take_two_columns() {
    let mut plan = many(3);
    for (action, name) in plan.body.actions.iter_mut().zip(["漢字", "ab", "漢"]) {
        action.work = rehome::model::Work::DomainReady { platform: p("new"), domain: d(&format!("{name}.example")) };
        action.swap = None;
    }
    plan.body.actions.truncate(3);
    let text = plan_text(&plan, &Options::default());
    let rows: Vec<&str> = text.lines().filter(|l| l.contains(".example")).collect();
    let columns = |row: &&str| row.split_once("until").unwrap().0.chars().map(|c| 1 + usize::from(!c.is_ascii())).sum();
    let all: std::collections::BTreeSet<usize> = rows.iter().map(columns).collect();
    assert_eq!((rows.len(), all.len()), (3, 1), "{text}");
}

#[test]
fn notes_name_domains_as_they_are_written() {
    let mut plan = sample();
    plan.body.notes[0].subject = "info@xn--bcher-kva.example".to_owned();
    plan.body.notes[0].message = "of xn--bcher-kva.example.".to_owned();
    let guarded = plan.body.actions.iter_mut().find(|x| x.guard.is_some()).unwrap();
    guarded.guard.as_mut().unwrap().message = "the mail of jo@xn--bcher-kva.example is lost".to_owned();
    for text in [plan_text(&plan, &Options::default()), plan_markdown(&plan, None).text, plan_html(&plan)] {
        assert!(text.contains("info@bücher.example") && text.contains("of bücher.example."), "{text}");
        assert!(text.contains("jo@bücher.example is lost"), "{text}");
    }
}

#[test]
fn a_part_in_which_nothing_is_to_be_done_does_not_read_as_if_all_were_well() {
    let mut plan = World::swap().plan();
    plan.body.part.without = ["mydomain.ovh".to_owned()].into();
    for text in [plan_text(&plan, &Options::default()), plan_markdown(&plan, None).text, plan_html(&plan)] {
        assert!(!text.contains("what the spec describes is so"), "{text}");
        assert!(text.contains("Nothing to do in this part.") && text.contains("Left out: mydomain.ovh"), "{text}");
    }
}

#[test]
fn a_gate_that_is_gone_is_a_difference() {
    let old = World::swap().wants("john").has("old", "john", 3).plan();
    let mut new = old.clone();
    new.body.gates.approval = [rehome::model::ApprovalGate::Dns].into();
    for (before, after, mark) in [(&new, &old, '-'), (&old, &new, '+')] {
        assert!(!PlanChanges::between(before, after).is_empty());
        let text = changes_text(before, after, &Options::default());
        assert!(text.contains(&format!("{mark} 0 actions wait for approval: rehome approve dns.")), "{text}");
        assert!(text.contains("Not the same: gates."), "{text}");
        let markdown = changes_markdown(before, after);
        assert!(markdown.contains(&format!("- `{mark}` 0 actions wait for approval")), "{markdown}");
    }
    let mut part = old.clone();
    part.body.part.only = ["john@mydomain.ovh".to_owned()].into();
    let text = changes_text(&old, &part, &Options::default());
    assert!(text.contains("+ Only a part: john@mydomain.ovh"), "{text}");
}

#[test]
fn rows_of_drift_and_of_differences_keep_to_the_width() {
    let plan = sample();
    let drift = Drift { changed: plan.body.actions.clone(), ..Drift::default() };
    let options = Options { width: 60, ..Options::default() };
    for text in [drift_text(&drift, &[], &options), changes_text(&World::swap().plan(), &plan, &options)] {
        let long: Vec<&str> = text.lines().filter(|l| l.starts_with(" ") && l.chars().count() > 60).collect();
        assert!(long.is_empty(), "{long:#?}");
    }
}

#[test]
fn json_is_the_plan_file() {
    let plan = sample();
    assert_eq!(rehome::plan::file::from_bytes(&plan_json(&plan)).unwrap(), plan);
}
