//! The move of an MX: waits that are states, reckoned by a clock that the test turns.

use std::{
    collections::{BTreeMap, BTreeSet, VecDeque},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, AtomicI64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;
use rehome::{
    apply::{Begin, Clock, Context, CutoverSight, Dns, MailError, Options, Post, Posted, RunSummary, run},
    diag::{Exit, Finding},
    journal::{CutoverWord, FaultPoint, FolderMark, Journal, JournalError, Said},
    model::{
        Action, ActionId, ActionIds, CutoverStep, CutoverWork, DnsTopic, Domain, NoEvents, Phase, PlanId, PlatformId,
        ProbeWork, RecordSet, RecordType, Undo, Work, ZoneChange,
    },
    plan::{Body, Header, Plan},
    provider::{ErrorClass, Probe, ProviderError, ZoneWriter},
};

use super::world::World;

/// A zone that takes changes, or loses the connection while it does.
#[derive(Default)]
struct Zone {
    set: Mutex<Option<RecordSet>>,
    writes: Mutex<Vec<&'static str>>,
    /// What happens to the next writes: the connection breaks before (`false`) or after (`true`) the effect.
    breaks: Mutex<VecDeque<bool>>,
}

#[async_trait]
impl ZoneWriter for Zone {
    async fn write(&self, change: &ZoneChange) -> Result<(), ProviderError> {
        let broken = self.breaks.lock().unwrap().pop_front();
        let failed = |class| ProviderError { context: change.subject(), class, help: None, source: None };
        let mut set = self.set.lock().unwrap();
        if *set != change.before && *set != change.after {
            return Err(failed(ErrorClass::Stale));
        }
        if broken != Some(false) {
            set.clone_from(&change.after);
            self.writes.lock().unwrap().push(change.kind());
        }
        if broken.is_some() { Err(failed(ErrorClass::InDoubt)) } else { Ok(()) }
    }

    async fn probe(&self, change: &ZoneChange) -> Result<Probe, ProviderError> {
        let set = self.set.lock().unwrap();
        Ok(match &*set {
            set if *set == change.after => Probe::Done,
            set if *set == change.before => Probe::NotDone,
            _ => Probe::Unclear("neither".to_owned()),
        })
    }
}

#[derive(Default)]
pub(super) struct Names {
    zone: Zone,
    sights: Mutex<VecDeque<CutoverSight>>,
    pub(super) post: Postman,
}

/// A mail server that takes everything and delivers what it is told to.
#[derive(Default)]
pub(super) struct Postman {
    /// The tokens of the messages that were handed over.
    pub(super) sent: Mutex<Vec<String>>,
    /// Whether they arrive.
    pub(super) delivers: AtomicBool,
}

#[async_trait]
impl Post for Postman {
    async fn marks(&self, _: &ProbeWork) -> Result<BTreeMap<String, FolderMark>, MailError> {
        Ok(BTreeMap::new())
    }

    async fn knock(&self, _: &CutoverWork) -> Posted {
        Posted::Taken { words: String::new() }
    }

    async fn hand_over(&self, _: &CutoverWork, token: &str, begin: &mut Begin<'_>) -> Result<Posted, JournalError> {
        begin("mx.new.example")?;
        self.sent.lock().unwrap().push(token.to_owned());
        Ok(Posted::Taken { words: "250 ok".to_owned() })
    }

    async fn arrived(
        &self,
        _: &ProbeWork,
        _: &BTreeMap<String, FolderMark>,
        token: &str,
    ) -> Result<Option<String>, MailError> {
        let sent = self.sent.lock().unwrap().iter().any(|t| t == token);
        Ok((sent && self.delivers.load(Ordering::SeqCst)).then(|| "INBOX".to_owned()))
    }
}

#[async_trait]
impl Dns for Names {
    async fn check(&self, _: &PlatformId, _: &Domain, _: &BTreeSet<DnsTopic>) -> Vec<Finding> {
        Vec::new()
    }

    fn writer(&self, _: &Domain) -> Option<&dyn ZoneWriter> {
        Some(&self.zone)
    }

    fn post(&self) -> Option<&dyn Post> {
        Some(&self.post)
    }

    async fn sight(&self, _: &CutoverWork) -> CutoverSight {
        self.sights.lock().unwrap().pop_front().unwrap_or(CutoverSight::There { more: 0 })
    }
}

pub(super) fn mx(value: &str, ttl: u32) -> Option<RecordSet> {
    Some(RecordSet { values: [value.to_owned()].into(), ttl })
}

pub(super) fn domain() -> Domain {
    Domain::parse("x.org").unwrap()
}

pub(super) struct Stage {
    folder: tempfile::TempDir,
    plan: Plan,
    pub(super) names: Names,
    now: Arc<AtomicI64>,
}

impl Stage {
    /// TTL down, a wait of an hour with a person's word, the move, a wait of five minutes, TTL up.
    pub(super) fn new() -> Self {
        let change = |before, after| ZoneChange {
            domain: domain(),
            name: "x.org".to_owned(),
            rtype: RecordType::Mx,
            before,
            after,
        };
        let (old, new) = ("10 old.example", "10 new.example");
        let switch = change(mx(old, 300), mx(new, 300));
        let wait = |step, wait, approve| {
            Work::Cutover(Box::new(CutoverWork {
                step,
                switch: switch.clone(),
                wait,
                approve,
                resolvers: Vec::new(),
                probe: None,
            }))
        };
        let works = [
            ("lower", Work::Zone(Box::new(change(mx(old, 3600), mx(old, 300))))),
            ("drain", wait(CutoverStep::Drain, 3600, true)),
            ("switch", Work::Zone(Box::new(switch.clone()))),
            ("converge", wait(CutoverStep::Converge, 300, false)),
            ("raise", Work::Zone(Box::new(change(mx(new, 300), mx(new, 3600))))),
        ];
        let actions = works.into_iter().map(|(id, work)| action(id, work)).collect();
        let body = Body { actions, ..Body::default() };
        let plan = Plan { format: 1, id: PlanId::from("0123456789abcdef"), header: Header::default(), body };
        let names = Names::default();
        *names.zone.set.lock().unwrap() = mx(old, 3600);
        Self { folder: tempfile::tempdir().unwrap(), plan, names, now: Arc::new(AtomicI64::new(0)) }
    }

    /// The same with a test message after the move, and nobody to ask.
    pub(super) fn with_probe() -> Self {
        let mut stage = Self::new();
        let address = rehome::model::Address::parse("ann@x.org").unwrap();
        let password = rehome::model::SecretRef::Env("P".to_owned());
        let access = rehome::model::AccessMethod::Password { password };
        let mailbox = rehome::model::MailboxRef { platform: PlatformId::from("new"), address, access: access.into() };
        let wish = ProbeWork { mailbox, confirm: 900, from: None };
        let actions = &mut stage.plan.body.actions;
        let drain = actions.iter_mut().find(|a| a.id.as_str() == "drain").unwrap();
        let Work::Cutover(work) = &mut drain.work else { unreachable!() };
        (work.approve, work.probe) = (false, Some(wish));
        let work = CutoverWork { step: CutoverStep::Probe, ..(**work).clone() };
        let switch = actions.iter_mut().find(|a| a.id.as_str() == "switch").unwrap();
        let Work::Zone(change) = &switch.work else { unreachable!() };
        switch.undo = Undo::Zone(Box::new(change.reversed()));
        actions.insert(3, action("probe", Work::Cutover(Box::new(work))));
        stage
    }

    /// The MX that is served.
    pub(super) fn served(&self) -> Option<RecordSet> {
        self.names.zone.set.lock().unwrap().clone()
    }

    pub(super) async fn run(&self) -> RunSummary {
        self.run_until(|_| false).await
    }

    /// Runs, and dies at the write of the journal that is chosen.
    pub(super) async fn run_until(&self, dies: impl Fn(FaultPoint) -> bool + Send + 'static) -> RunSummary {
        let journal = self.journal();
        journal.set_fault(dies);
        let lease = journal.acquire_lease("ada", Duration::from_secs(600)).unwrap();
        let world = World::default();
        let mail = world.mail();
        let now = Arc::clone(&self.now);
        let clock = Clock::new(move || Timestamp::from_second(now.load(Ordering::SeqCst)).unwrap());
        let options = Options { no_wait: true, poll: Duration::from_millis(1), clock, ..Options::default() };
        let summary = run(Context {
            plan: &self.plan,
            journal: &journal,
            lease: &lease,
            platforms: &BTreeMap::new(),
            mail: &mail,
            passwords: &world,
            dns: &self.names,
            events: &NoEvents,
            options,
        })
        .await;
        // A journal that has died releases nothing.
        let _ = lease.release();
        summary
    }

    pub(super) fn journal(&self) -> Journal {
        Journal::open(self.folder.path()).unwrap()
    }

    pub(super) fn at(&self, seconds: i64) -> &Self {
        self.now.store(seconds, Ordering::SeqCst);
        self
    }

    fn sees(&self, sight: CutoverSight) -> &Self {
        self.names.sights.lock().unwrap().push_back(sight);
        self
    }

    pub(super) fn say(&self, word: CutoverWord) {
        let journal = self.journal();
        let run = journal.latest_run().unwrap().unwrap().id;
        journal.say(&run, &domain(), &Said { word, by: "eve".to_owned(), at: Timestamp::UNIX_EPOCH }).unwrap();
    }

    pub(super) fn written(&self) -> Vec<&'static str> {
        self.names.zone.writes.lock().unwrap().clone()
    }

    /// Asserts that a run waits, and for what.
    #[track_caller]
    pub(super) fn waits(summary: &RunSummary, what: &str) {
        assert_eq!(summary.exit, Exit::Waiting, "{summary:?}");
        assert!(summary.waiting[0].reason.contains(what), "{}", summary.waiting[0].reason);
    }
}

fn action(id: &str, work: Work) -> Action {
    Action {
        id: ActionId::from(id),
        phase: Phase::Cutover,
        chain: "x.org".into(),
        work,
        reason: rehome::model::Text::default(),
        requires: ActionIds::default(),
        preconditions: Vec::new(),
        undo: Undo::Nothing,
        guard: None,
        swap: None,
    }
}

#[tokio::test]
async fn the_old_ttl_counts_from_when_the_lowered_one_is_seen_everywhere() {
    let stage = Stage::new();
    Stage::waits(&stage.sees(CutoverSight::Behind("ns2 still has it".to_owned())).run().await, "ns2 still has it");
    Stage::waits(&stage.at(1_000).run().await, "not before 1970-01-01 01:16:40Z");
    Stage::waits(&stage.at(4_599).run().await, "not before 1970-01-01 01:16:40Z");
    Stage::waits(&stage.at(4_600).run().await, "rehome cutover approve x.org");
    assert_eq!(stage.written(), ["dns.ttl"]);
    stage.say(CutoverWord::Approve);
    Stage::waits(&stage.run().await, "resolvers by 1970-01-01 01:21:40Z");
    assert_eq!(stage.written(), ["dns.ttl", "dns.set"]);
    assert_eq!(stage.journal().state().unwrap().lowered_ttls, BTreeMap::from([(domain(), 3600)]));
    let ended = stage.at(4_900).run().await;
    assert_eq!(ended.exit, Exit::Ok, "{ended:?}");
    assert_eq!(stage.written(), ["dns.ttl", "dns.set", "dns.ttl"]);
    assert!(stage.journal().state().unwrap().lowered_ttls.is_empty());
}

#[tokio::test]
async fn a_server_that_shows_the_old_again_begins_the_wait_anew_and_a_silent_one_does_not() {
    let stage = Stage::new();
    Stage::waits(&stage.run().await, "01:00:00Z");
    Stage::waits(&stage.at(900).sees(CutoverSight::Unknown("ns2 is silent".to_owned())).run().await, "ns2 is silent");
    Stage::waits(&stage.at(1_000).run().await, "01:00:00Z");
    Stage::waits(&stage.at(1_800).sees(CutoverSight::Behind("ns1 is behind".to_owned())).run().await, "ns1 is behind");
    Stage::waits(&stage.at(3_600).run().await, "02:00:00Z");
}

#[tokio::test]
async fn a_policy_that_asks_for_longer_gets_longer() {
    let stage = Stage::new();
    stage.say_after_begin(CutoverWord::Approve).await;
    Stage::waits(&stage.at(3_600).sees(CutoverSight::There { more: 86_400 }).run().await, "1970-01-02 00:00:00Z");
}

#[tokio::test]
async fn what_a_person_says_is_obeyed_by_the_next_look() {
    let stage = Stage::new();
    stage.say_after_begin(CutoverWord::Approve).await;
    stage.say(CutoverWord::Hold);
    Stage::waits(&stage.at(9_000).run().await, "eve holds the move");
    stage.say(CutoverWord::Cancel);
    let ended = stage.run().await;
    assert!(ended.failed[0].errors[0].contains("eve cancelled"), "{ended:?}");
    assert_eq!(stage.written(), ["dns.ttl"]);
}

#[tokio::test]
async fn an_mx_that_somebody_changed_stops_the_move() {
    let stage = Stage::new();
    let ended = stage.sees(CutoverSight::Changed("ns1 has 5 mx.elsewhere".to_owned())).run().await;
    assert!(ended.failed[0].errors[0].contains("mx.elsewhere"), "{ended:?}");
    *stage.names.zone.set.lock().unwrap() = mx("5 mx.elsewhere", 60);
    let fresh = Stage::new();
    *fresh.names.zone.set.lock().unwrap() = mx("5 mx.elsewhere", 60);
    assert_eq!(fresh.run().await.exit, Exit::Stale);
}

#[tokio::test]
async fn a_write_whose_answer_is_lost_is_made_once() {
    for after in [false, true] {
        let stage = Stage::new();
        stage.names.zone.breaks.lock().unwrap().push_back(after);
        Stage::waits(&stage.run().await, "not before");
        assert_eq!(stage.written(), ["dns.ttl"], "effect before the loss: {after}");
    }
}

impl Stage {
    async fn say_after_begin(&self, word: CutoverWord) {
        Self::waits(&self.run().await, "not before");
        self.say(word);
    }
}
