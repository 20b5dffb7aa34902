//! The move of an MX: what it waits for, and what is not planned at all.

use std::collections::BTreeMap;

use rehome::{
    model::{
        CutoverStep, CutoverWork, DnsTopic, DnsView, NoteKind, PlatformKind, Question, RecordType, ServerView, SpfCost,
        Verdict, Work,
    },
    plan::{Plan, ask},
    spec::{OVH_ZONE, ProbeSpec, Strategy},
};

use super::world::{DOMAIN, World, a, codes, d, ids, mailbox, note, p};

const OLD_SPF: &str = "v=spf1 ip4:198.51.100.7 -all";
const NEW_SPF: &str = "v=spf1 ip4:198.51.100.7 include:mx.ovh.com -all";

/// John moves, with the MX and the SPF record of the domain; both are there with these TTLs.
fn moving(mx_ttl: u32, spf: (&str, u32), negative_ttl: Option<u32>) -> World {
    let mut world = World::moving(PlatformKind::Imap, PlatformKind::OvhEmailPro, Strategy::Parallel).wants("john");
    world.inventory.mailboxes.insert((p("old"), a("john")), mailbox(1));
    let dns = &mut world.spec.domains.get_mut(&d(DOMAIN)).unwrap().dns;
    dns.manage = Some(OVH_ZONE.to_owned());
    dns.records = [DnsTopic::Mx, DnsTopic::Spf].into();
    dns.mx = ["10 mx.new.example".to_owned()].into();
    (dns.cutover.ttl, dns.cutover.margin) = (120, 600);
    let found = |value: &str, ttl| Verdict::Found { values: vec![value.to_owned()], ttl };
    let answer = |question: &Question| match (question.name.as_str(), question.rtype) {
        (DOMAIN, RecordType::Mx) => found("10 mx.old.example", mx_ttl),
        (DOMAIN, RecordType::Txt) => found(spf.0, spf.1),
        _ => Verdict::NoData,
    };
    let asked = ask(&world.spec, &world.inventory, &d(DOMAIN));
    let answers: BTreeMap<Question, Verdict> = asked.into_iter().map(|q| (q.clone(), answer(&q))).collect();
    let server = ServerView { authoritative: true, negative_ttl, answers, ..ServerView::default() };
    let cost =
        SpfCost { record: NEW_SPF.to_owned(), lookups: 1, voids: 0, complete: true, lost: Vec::new(), needless: false };
    let servers = BTreeMap::from([("ns1".to_owned(), server)]);
    world.inventory.dns.insert(d(DOMAIN), DnsView { servers, spf: Some(cost), ..DnsView::default() });
    world
}

fn step(plan: &Plan, step: CutoverStep) -> Option<&CutoverWork> {
    plan.body.actions.iter().find_map(|a| match &a.work {
        Work::Cutover(work) if work.step == step => Some(&**work),
        _ => None,
    })
}

#[test]
fn a_move_waits_for_whatever_is_remembered_longest() {
    for (mx, spf, negative, wait) in [
        (3_600, (NEW_SPF, 86_400), Some(300), 3_600),
        // An SPF record that the same plan replaces may be remembered for longer than the MX.
        (3_600, (OLD_SPF, 7_200), Some(300), 7_200),
        (300, (NEW_SPF, 300), Some(1_800), 1_800),
        // Nobody says for how long the absence of a record is remembered.
        (300, (NEW_SPF, 300), None, 3_600),
    ] {
        let plan = moving(mx, spf, negative).plan();
        let waits = step(&plan, CutoverStep::Drain).unwrap().wait;
        assert_eq!(waits, wait + 600, "MX {mx}, SPF {}, absence {negative:?}: {:?}", spf.1, codes(&plan));
        assert_eq!(step(&plan, CutoverStep::Converge).unwrap().wait, 120 + 600);
    }
}

#[test]
fn the_records_beside_the_mx_are_there_before_its_wait_begins() {
    let plan = moving(3_600, (OLD_SPF, 3_600), Some(300)).plan();
    let wait = plan.body.actions.iter().find(|a| a.id.as_str() == "cutover.wait:mydomain.ovh").unwrap();
    let required: Vec<&str> = wait.requires.iter().map(|id| id.as_str()).collect();
    assert!(required.contains(&"dns.set:mydomain.ovh/TXT"), "{required:?}");
}

#[test]
fn a_test_message_stands_between_the_move_and_its_end() {
    let mut world = moving(3_600, (NEW_SPF, 3_600), Some(300));
    let cutover = &mut world.spec.domains.get_mut(&d(DOMAIN)).unwrap().dns.cutover;
    cutover.probe = Some(ProbeSpec { account: a("john"), confirm: 900, from: None });
    let plan = world.plan();
    let all = ids(&plan);
    let from = all.iter().position(|id| id.starts_with("cutover.wait")).unwrap();
    assert_eq!(
        all[from..from + 5],
        [
            "cutover.wait:mydomain.ovh",
            "dns.set:mydomain.ovh/MX",
            "cutover.probe:mydomain.ovh",
            "cutover.converge:mydomain.ovh",
            "dns.ttl:mydomain.ovh/MX#2",
        ]
    );
    let probe = step(&plan, CutoverStep::Probe).unwrap().probe.as_ref().unwrap();
    assert_eq!((&probe.mailbox.platform, &probe.mailbox.address, probe.confirm), (&p("new"), &a("john"), 900));
    assert!(step(&plan, CutoverStep::Drain).unwrap().probe.is_some(), "whether it would be taken is asked before");
    let json = serde_json::to_string(&plan).unwrap();
    assert_eq!(serde_json::from_str::<Plan>(&json).unwrap(), plan);
}

#[test]
fn an_spf_record_that_turns_somebody_away_is_not_planned() {
    let mut world = moving(3_600, (OLD_SPF, 3_600), Some(300));
    let view = world.inventory.dns.get_mut(&d(DOMAIN)).unwrap();
    view.spf.as_mut().unwrap().lost = vec!["198.51.100.7/32".to_owned()];
    let plan = world.plan();
    let refused = note(&plan, "spf-merge-loses-senders");
    assert_eq!(refused.kind, NoteKind::Blocked);
    assert!(refused.message.contains("no longer let 198.51.100.7/32 send"), "{}", refused.message);
    assert!(!ids(&plan).contains(&"dns.set:mydomain.ovh/TXT"), "{:?}", ids(&plan));
}
