//! The records about encryption on the way in: an MTA-STS policy is announced only where that keeps no mail away.

use std::collections::BTreeMap;

use rehome::{
    model::{
        DnsTopic, DnsView, NoteKind, PlatformKind, Policy, PolicyView, Question, RecordSet, RecordType, RunId,
        ServerView, Verdict, Work, ZoneChange,
    },
    plan::{Header, Plan, ask, rollback, stale},
    spec::{DnsSpec, OVH_ZONE, Strategy},
};

use super::world::{DOMAIN, World, a, codes, d, ids, mailbox, note, p};

const NEW_ONLY: &str = "version: STSv1\nmode: enforce\nmx: mx.new.example\nmax_age: 604800\n";
const BOTH: &str = "version: STSv1\nmode: enforce\nmx: mx.new.example\nmx: *.old.example\nmax_age: 604800\n";
const OLD_ONLY: &str = "version: STSv1\nmode: testing\nmx: mx.old.example\nmax_age: 604800\n";
const OFF: &str = "version: STSv1\nmode: none\nmax_age: 86400\n";
const SET: &str = "dns.set:mydomain.ovh/_mta-sts/TXT";

fn policy(text: &str) -> Policy {
    Policy::parse(text).unwrap()
}

fn served(text: &str) -> PolicyView {
    PolicyView::Served { policy: policy(text) }
}

/// John moves, and the records of these topics may be written; `there` is what the servers have beside the old MX.
fn world(topics: &[DnsTopic], there: &[(&str, &str)], policy: Option<PolicyView>) -> World {
    let mut world = World::moving(PlatformKind::Imap, PlatformKind::OvhEmailPro, Strategy::Parallel).wants("john");
    world.inventory.mailboxes.insert((p("old"), a("john")), mailbox(1));
    let dns = dns(&mut world);
    dns.manage = Some(OVH_ZONE.to_owned());
    dns.records = topics.iter().copied().collect();
    dns.mx = ["10 mx.new.example".to_owned()].into();
    answer(&mut world, "10 mx.old.example", there, policy);
    world
}

fn dns(world: &mut World) -> &mut DnsSpec {
    &mut world.spec.domains.get_mut(&d(DOMAIN)).unwrap().dns
}

/// The servers are asked, once what is asked for is settled.
fn answer(world: &mut World, mx: &str, there: &[(&str, &str)], policy: Option<PolicyView>) {
    let found = |value: &str| Verdict::Found { values: vec![value.to_owned()], ttl: 3600 };
    let answers: BTreeMap<Question, Verdict> = ask(&world.spec, &world.inventory, &d(DOMAIN))
        .into_iter()
        .map(|q| {
            let text = there.iter().find(|(name, _)| q.name == *name && q.rtype == RecordType::Txt);
            let verdict = match (q.rtype, text) {
                (RecordType::Mx, _) => found(mx),
                (_, Some((_, value))) => found(value),
                _ => Verdict::NoData,
            };
            (q, verdict)
        })
        .collect();
    let server = ServerView { authoritative: true, negative_ttl: Some(300), answers, ..ServerView::default() };
    let servers = BTreeMap::from([("ns1".to_owned(), server)]);
    world.inventory.dns.insert(d(DOMAIN), DnsView { servers, policy, ..DnsView::default() });
}

fn change<'p>(plan: &'p Plan, id: &str) -> Option<&'p ZoneChange> {
    plan.body.actions.iter().find(|action| action.id.as_str() == id).and_then(|action| match &action.work {
        Work::Zone(change) => Some(&**change),
        _ => None,
    })
}

fn set(value: &str) -> Option<RecordSet> {
    Some(RecordSet { values: [value.to_owned()].into(), ttl: 3600 })
}

const STS: &[DnsTopic] = &[DnsTopic::Mx, DnsTopic::MtaSts];

#[test]
fn a_policy_that_lists_old_and_new_servers_is_announced_before_the_move() {
    let plan = world(STS, &[], Some(served(BOTH))).plan();
    let record = change(&plan, SET).unwrap_or_else(|| panic!("{:?}", codes(&plan)));
    assert_eq!((&record.before, &record.after), (&None, &set(&policy(BOTH).record())));
    let wait = plan.body.actions.iter().find(|a| a.id.as_str() == "cutover.wait:mydomain.ovh").unwrap();
    assert!(wait.requires.iter().any(|id| id.as_str() == SET), "{:?}", wait.requires);
    let action = plan.body.actions.iter().find(|a| a.id.as_str() == SET).unwrap();
    let guard = action.guard.as_ref().unwrap();
    assert_eq!(guard.code, "mta-sts-enforce");
    assert!(guard.message.contains("604800 s"), "{}", guard.message);
}

#[test]
fn a_policy_that_lists_the_new_servers_alone_is_announced_after_the_move() {
    let plan = world(STS, &[], Some(served(NEW_ONLY))).plan();
    let action = plan.body.actions.iter().find(|a| a.id.as_str() == SET).unwrap();
    let needs: Vec<&str> = action.requires.iter().map(|id| id.as_str()).collect();
    assert_eq!(needs, ["cutover.converge:mydomain.ovh"]);
    // Where the MX is moved by hand, it waits for that.
    let mut by_hand = world(&[DnsTopic::MtaSts], &[], Some(served(NEW_ONLY)));
    let plan = by_hand.plan();
    assert!(change(&plan, SET).is_none(), "{:?}", ids(&plan));
    assert_eq!(note(&plan, "mta-sts-old-servers").kind, NoteKind::Waiting);
    answer(&mut by_hand, "10 mx.new.example", &[], Some(served(NEW_ONLY)));
    assert!(change(&by_hand.plan(), SET).is_some());
}

#[test]
fn a_policy_that_does_not_list_the_new_servers_is_never_announced() {
    let old = ("_mta-sts.mydomain.ovh", "v=STSv1; id=20240101;");
    for there in [&[][..], &[old]] {
        let plan = world(STS, there, Some(served(OLD_ONLY))).plan();
        assert!(change(&plan, SET).is_none(), "{:?}", ids(&plan));
        let refused = note(&plan, "mta-sts-uncovered");
        assert_eq!(refused.kind, NoteKind::Blocked);
        let help = refused.help.as_deref().unwrap();
        assert!(help.contains("https://mta-sts.mydomain.ovh/.well-known/mta-sts.txt"), "{help}");
        assert!(help.contains("mx: mx.new.example\nmx: mx.old.example\n"), "{help}");
    }
    // What the spec says of it changes nothing, as long as this is what senders get.
    let mut said = world(STS, &[], None);
    dns(&mut said).mta_sts = Some(policy(OLD_ONLY));
    for view in [served(OLD_ONLY), PolicyView::Wrong { reason: "status 404".to_owned() }] {
        answer(&mut said, "10 mx.old.example", &[], Some(view));
        assert_eq!(note(&said.plan(), "mta-sts-uncovered").kind, NoteKind::Blocked);
    }
}

#[test]
fn without_a_policy_that_is_served_or_said_nothing_is_announced() {
    for (view, code) in [
        (Some(PolicyView::Wrong { reason: "the server answers with status 404".to_owned() }), "mta-sts-no-policy"),
        (Some(PolicyView::Unknown { reason: "no route".to_owned() }), "mta-sts-unread"),
        (None, "mta-sts-unread"),
    ] {
        let plan = world(STS, &[], view).plan();
        assert!(change(&plan, SET).is_none(), "{:?}", ids(&plan));
        assert_eq!(note(&plan, code).kind, NoteKind::Blocked);
    }
}

#[test]
fn a_policy_of_the_spec_is_announced_with_what_has_to_be_served_and_never_over_another() {
    let mut world = world(STS, &[], None);
    dns(&mut world).mta_sts = Some(policy(BOTH));
    answer(&mut world, "10 mx.old.example", &[], Some(PolicyView::Wrong { reason: "status 404".to_owned() }));
    let plan = world.plan();
    assert_eq!(change(&plan, SET).unwrap().after, set(&policy(BOTH).record()));
    let serve = note(&plan, "mta-sts-serve");
    assert!(serve.help.as_deref().unwrap().contains(policy(BOTH).text().trim_end()), "{serve:?}");

    answer(&mut world, "10 mx.old.example", &[], Some(served(OLD_ONLY)));
    let plan = world.plan();
    assert!(change(&plan, SET).is_none(), "{:?}", ids(&plan));
    assert_eq!(note(&plan, "mta-sts-other-policy").kind, NoteKind::Waiting);
}

#[test]
fn another_policy_is_a_new_id_and_the_same_one_is_left_alone() {
    let name = "_mta-sts.mydomain.ovh";
    let record = policy(BOTH).record();
    // White space is no reason to write.
    let same = record.replace("; ", ";");
    let plan = world(STS, &[(name, &same)], Some(served(BOTH))).plan();
    assert!(change(&plan, SET).is_none(), "{:?}", ids(&plan));
    let plan = world(STS, &[(name, &record)], Some(served(OFF))).plan();
    let changed = change(&plan, SET).unwrap();
    assert_eq!((&changed.before, &changed.after), (&set(&record), &set(&policy(OFF).record())));
    let undo = changed.reversed();
    assert_eq!((undo.before, undo.after), (set(&policy(OFF).record()), set(&record)));
    let action = plan.body.actions.iter().find(|a| a.id.as_str() == SET).unwrap();
    assert_eq!(action.guard, None, "a policy that is switched off binds nobody");
}

#[test]
fn a_policy_that_changed_after_the_plan_makes_it_stale() {
    let mut world = world(STS, &[], Some(served(BOTH)));
    let plan = world.plan();
    assert_eq!(stale(&plan, &world.inventory), []);
    for now in [Some(served(OLD_ONLY)), Some(PolicyView::Unknown { reason: "no route".to_owned() }), None] {
        world.inventory.dns.get_mut(&d(DOMAIN)).unwrap().policy = now;
        let told = stale(&plan, &world.inventory);
        assert!(told.iter().any(|s| s.object == "policy:mydomain.ovh"), "{told:?}");
    }
}

#[test]
fn the_way_back_says_which_servers_a_policy_keeps_mail_from() {
    let mut world = world(STS, &[], Some(served(NEW_ONLY)));
    let plan = world.plan();
    let switch = plan.body.actions.iter().find(|a| a.id.as_str() == "dns.set:mydomain.ovh/MX").unwrap();
    for (text, warned) in [(NEW_ONLY, true), (BOTH, false), (OFF, false)] {
        answer(&mut world, "10 mx.new.example", &[], Some(served(text)));
        let (spec, inventory, state) = (&world.spec, &world.inventory, &world.state);
        let run = (&RunId::from("run-000001"), std::slice::from_ref(switch));
        let back = rollback(spec, inventory, state, Header::default(), run);
        let guard = back.body.actions.iter().find_map(|a| a.guard.as_ref()).unwrap_or_else(|| panic!("{back:#?}"));
        assert_eq!(guard.code, "mx-change");
        assert_eq!(guard.message.contains("does not list mx.old.example"), warned, "{}", guard.message);
    }
}

#[test]
fn whatever_is_not_known_about_the_mail_servers_announces_nothing() {
    for verdict in [Verdict::ServFail, Verdict::Timeout, Verdict::Bogus, Verdict::Lame] {
        let mut world = world(STS, &[], Some(served(NEW_ONLY)));
        let view = world.inventory.dns.get_mut(&d(DOMAIN)).unwrap();
        for server in view.servers.values_mut() {
            let mx = Question { name: DOMAIN.to_owned(), rtype: RecordType::Mx };
            server.answers.insert(mx, verdict.clone());
        }
        let plan = world.plan();
        assert!(change(&plan, SET).is_none(), "{verdict:?}: {:?}", ids(&plan));
        assert_eq!(note(&plan, "dns-unknown").kind, NoteKind::Blocked);
    }
}

#[test]
fn reports_go_where_the_spec_says_and_other_texts_stay() {
    let (name, id) = ("_smtp._tls.mydomain.ovh", "dns.set:mydomain.ovh/_smtp._tls/TXT");
    let wish = |there: &str| {
        let mut world = world(&[DnsTopic::TlsRpt], &[], None);
        dns(&mut world).tls_rpt = ["https://r.example/tls", "mailto:tls@mydomain.ovh"].map(str::to_owned).into();
        let all = [(name, there)];
        answer(&mut world, "10 mx.old.example", if there.is_empty() { &[] } else { &all }, None);
        world.plan()
    };
    let right = "v=TLSRPTv1; rua=https://r.example/tls,mailto:tls@mydomain.ovh";
    assert_eq!(change(&wish(""), id).unwrap().after, set(right));
    assert_eq!(change(&wish("v=TLSRPTv1; rua=mailto:old@x.org"), id).unwrap().after, set(right));
    let beside = change(&wish("something else"), id).cloned().unwrap().after.unwrap();
    assert_eq!(beside.values.len(), 2, "{beside:?}");
    let same = wish("v=TLSRPTv1;rua=mailto:tls@mydomain.ovh,https://r.example/tls");
    assert!(change(&same, id).is_none(), "{:?}", ids(&same));
}
