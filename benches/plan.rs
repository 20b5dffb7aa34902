//! How long a plan of 20,000 accounts takes to make, save, read back and show. `cargo bench --bench plan [ACCOUNTS]`
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures and prints")]

use std::{
    collections::{BTreeMap, BTreeSet},
    hint::black_box,
    time::{Duration, Instant},
};

use rehome::{
    model::{
        AccountView, Address, Capabilities, CreateBy, Delivery, Domain, DomainType, DomainView, FolderPath,
        FolderStatus, FolderView, Gates, GroupSupport, Inventory, LoginView, MailLimits, MailboxView, ObjectState,
        PasswordSource, PlatformId, PlatformKind, PlatformView, Profile, RedirectSupport, SecretRef, ServiceState,
        ServiceView, Slot, SlotId, State,
    },
    plan::{Header, file, lint, plan, stale},
    report::{Options, plan_markdown, plan_text},
    spec::{
        AccountSpec, DnsSpec, DomainSpec, MailSpec, MigrateSpec, PlatformSpec, Presence, SourceFate, SourcePassword,
        Spec, Strategy,
    },
};

const DOMAINS: usize = 20;

fn platform(kind: PlatformKind, create: CreateBy) -> PlatformView {
    let service = ServiceView { name: "service".to_owned(), state: ServiceState::Ok, imap: None, offer: None };
    let capabilities = Capabilities {
        domains: true,
        domain_type: true,
        create,
        rename: true,
        reset: true,
        set_password: true,
        aliases: true,
        redirections: RedirectSupport::AccountForward,
        groups: GroupSupport::Directory,
        delegations: BTreeSet::new(),
        contacts: true,
        footers: true,
        groupware: true,
        mailbox_limit: Some(50 << 30),
        password_length: (8, 64),
        password_complex: false,
        local_part_limit: 32,
    };
    PlatformView::new(kind, service, capabilities)
}

fn mailbox() -> MailboxView {
    let folder = |uid_validity| FolderView {
        wire_name: "x".to_owned(),
        special_use: None,
        subscribed: true,
        selectable: true,
        status: Some(FolderStatus {
            uid_validity,
            uid_next: 100,
            messages: 99,
            highest_modseq: None,
            octets: Some(1 << 20),
        }),
    };
    let folders = (1..=8).map(|n| (FolderPath(vec![format!("Folder {n}")]), folder(n)));
    MailboxView { folders: folders.collect(), ..MailboxView::unseen(LoginView::Accepted) }
}

fn account(name: &str, alias: &Address) -> AccountSpec {
    AccountSpec {
        state: Presence::Present,
        profile: Profile { display_name: Some(name.to_owned()), ..Profile::default() },
        password: Some(PasswordSource::Generate(Delivery::File(format!("secrets/{name}").into()))),
        mail: MailSpec {
            source_password: Some(SourcePassword::Given(SecretRef::Env(format!("OLD_{name}")))),
            ..MailSpec::default()
        },
        aliases: Some([alias.clone()].into()),
        delegates: None,
        slot: None,
        offer: None,
        protect: false,
    }
}

fn domain() -> DomainSpec {
    DomainSpec {
        platform: PlatformId::from("new"),
        state: Presence::Present,
        kind: None,
        mx_relay: None,
        migrate: Some(MigrateSpec {
            from: PlatformId::from("old"),
            strategy: Strategy::Swap,
            provisional: "{local}01".to_owned(),
            provisional_domain: None,
            source: SourceFate::Keep,
        }),
        dns: DnsSpec::default(),
        footer: None,
    }
}

fn domain_view() -> DomainView {
    DomainView {
        remote_id: None,
        kind: Some(DomainType::NonAuthoritative),
        mx_relay: None,
        state: ObjectState::Ok,
        ownership: None,
        expected: Vec::new(),
        footer: None,
    }
}

fn world(accounts: usize) -> (Spec, Inventory) {
    let spec_of = |kind| PlatformSpec {
        kind,
        service: None,
        organization: None,
        endpoint: None,
        imap: None,
        credentials: BTreeMap::new(),
        admin: None,
        requests_per_minute: None,
        limits: MailLimits::default(),
    };
    let (exchange, pro) = (PlatformKind::OvhExchange, PlatformKind::OvhEmailPro);
    let mut spec = Spec {
        digest: "digest".to_owned(),
        base: ".".into(),
        platforms: [(PlatformId::from("old"), spec_of(exchange)), (PlatformId::from("new"), spec_of(pro))].into(),
        domains: BTreeMap::new(),
        accounts: BTreeMap::new(),
        redirections: BTreeMap::new(),
        groups: BTreeMap::new(),
        contacts: BTreeMap::new(),
        gates: Gates::default(),
        hooks: BTreeMap::new(),
    };
    let (mut old, mut new) = (platform(exchange, CreateBy::Slot), platform(pro, CreateBy::Slot));
    let mut inventory = Inventory::default();
    for n in 0..accounts {
        let name = Domain::parse(&format!("domain{:02}.example", n % DOMAINS)).unwrap();
        if n < DOMAINS {
            spec.domains.insert(name.clone(), domain());
            old.domains.insert(name.clone(), domain_view());
            new.domains.insert(name.clone(), domain_view());
        }
        let local = format!("user{n:06}");
        let address = Address::new(&local, name.clone()).unwrap();
        let alias = Address::new(&format!("alias{n:06}"), name).unwrap();
        spec.accounts.insert(address.clone(), account(&local, &alias));
        let view = AccountView {
            detailed: true,
            imap_enabled: Some(true),
            used_octets: Some(1 << 23),
            aliases: [alias].into(),
            ..AccountView::listed()
        };
        old.accounts.insert(address.clone(), view);
        inventory.mailboxes.insert((PlatformId::from("old"), address), mailbox());
        new.slots.push(Slot { id: SlotId::from(format!("{n:06}@configureme.me")), offer: None, quota_octets: None });
    }
    inventory.platforms = [(PlatformId::from("old"), old), (PlatformId::from("new"), new)].into();
    (spec, inventory)
}

/// The time that all threads have had processors, where the system tells, in steps of 10 ms: on a busy machine the clock
/// on the wall says little.
fn processor() -> Option<Duration> {
    let told = std::fs::read_to_string("/proc/self/stat").ok()?;
    let fields = told.rsplit_once(") ")?.1.split(' ').skip(11).take(2);
    Some(Duration::from_millis(10 * fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>()))
}

/// The shortest of three runs.
fn measure<T>(what: &str, run: impl Fn() -> T) -> T {
    let mut best = (Duration::MAX, Duration::MAX);
    let mut last = None;
    for _ in 0..3 {
        drop(last.take());
        let (start, began) = (Instant::now(), processor());
        last = Some(black_box(run()));
        let wall = start.elapsed();
        let used = processor().zip(began).map_or(wall, |(now, then)| now - then);
        best = (best.0.min(wall), best.1.min(used));
    }
    let [wall, used] = [best.0, best.1].map(|d| d.as_secs_f64() * 1e3);
    println!("{what:<28} {wall:>9.1} ms {used:>9.1} ms");
    last.unwrap()
}

fn main() {
    let accounts = std::env::args().skip(1).find_map(|a| a.parse().ok()).unwrap_or(20_000);
    let (spec, inventory) = world(accounts);
    let state = State::default();
    println!("{:<28} {:>12} {:>12}", "shortest of three", "wall", "processor");
    let made = measure("plan", || plan(&spec, &inventory, &state, Header::default()));
    println!("{accounts} accounts, {} actions, {} notes", made.body.actions.len(), made.body.notes.len());
    let wrong = measure("lint", || lint(&made));
    assert_eq!(wrong, Vec::<String>::new());
    measure("terminal", || plan_text(&made, &Options::default()));
    measure("terminal, every row", || plan_text(&made, &Options { verbose: true, ..Options::default() }));
    measure("Markdown in 65,536 octets", || plan_markdown(&made, Some(65_536)).text);
    let bytes = measure("plan file, write", || file::to_bytes(&made));
    println!("{:.1} MB", bytes.len() as f64 / 1e6);
    measure("plan file, read and check", || file::from_bytes(&bytes).unwrap());
    let found = measure("staleness", || stale(&made, &inventory));
    assert!(found.is_empty());
}
