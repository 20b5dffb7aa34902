//! Small worlds: a spec, what is observed, and what the journal says.

use std::collections::{BTreeMap, BTreeSet};

use rehome::{
    model::{
        AccountView, Address, Capabilities, CreateBy, Delivery, Domain, DomainType, DomainView, FolderPath,
        FolderStatus, FolderView, Gates, GroupSupport, Inventory, LoginView, MailLimits, MailboxView, Note,
        ObjectState, PasswordSource, PlatformId, PlatformKind, PlatformView, Profile, RedirectSupport, Right,
        SecretRef, ServiceState, ServiceView, Slot, SlotId, State,
    },
    plan::{Header, Plan, plan},
    spec::{
        AccountSpec, DnsSpec, DomainSpec, MailSpec, MigrateSpec, PlatformSpec, Presence, SourceFate, SourcePassword,
        Spec, Strategy,
    },
};

pub const DOMAIN: &str = "mydomain.ovh";
pub const GB: u64 = 1 << 30;

#[derive(Clone)]
pub struct World {
    pub spec: Spec,
    pub inventory: Inventory,
    pub state: State,
}

/// Short enough to read when a law fails.
impl std::fmt::Debug for World {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (name, view) in &self.inventory.platforms {
            writeln!(f, "{name} {}: slots {} domains {:?}", view.kind, view.slots.len(), view.domains.keys())?;
            for (address, seen) in &view.accounts {
                let rights: Vec<_> = seen.delegations.iter().map(|d| &d.to).collect();
                writeln!(f, "  {address} aliases {:?} delegates {rights:?}", seen.aliases)?;
            }
            writeln!(f, "  redirections {:?} groups {:?}", view.redirections, view.groups)?;
        }
        for (address, spec) in &self.spec.accounts {
            writeln!(f, "wants {address} {:?} protect {}", spec.state, spec.protect)?;
            writeln!(f, "  aliases {:?} delegates {:?}", spec.aliases, spec.delegates)?;
        }
        writeln!(f, "wants redirections {:?} groups {:?}", self.spec.redirections, self.spec.groups)?;
        let migrate: Vec<_> = self.spec.domains.values().filter_map(|d| d.migrate.as_ref()).collect();
        writeln!(f, "migrates {migrate:?} passwords {:?}", self.state.passwords)
    }
}

pub fn a(local: &str) -> Address {
    let text = if local.contains('@') { local.to_owned() } else { format!("{local}@{DOMAIN}") };
    Address::parse(&text).unwrap()
}

pub fn d(name: &str) -> Domain {
    Domain::parse(name).unwrap()
}

pub fn p(name: &str) -> PlatformId {
    PlatformId::from(name)
}

pub fn capabilities(kind: PlatformKind) -> Capabilities {
    let rights = [Right::FullAccess, Right::SendAs, Right::SendOnBehalf];
    let none = Capabilities {
        domains: false,
        domain_type: false,
        create: CreateBy::Never,
        rename: false,
        reset: false,
        set_password: false,
        aliases: false,
        redirections: RedirectSupport::None,
        groups: GroupSupport::None,
        delegations: BTreeSet::new(),
        contacts: false,
        footers: false,
        groupware: false,
        mailbox_limit: None,
        password_length: (8, 64),
        password_complex: false,
        local_part_limit: 64,
    };
    let modern = Capabilities {
        domains: true,
        domain_type: true,
        create: CreateBy::Slot,
        rename: true,
        reset: true,
        set_password: true,
        aliases: true,
        delegations: rights.into(),
        contacts: true,
        footers: true,
        local_part_limit: 32,
        ..none.clone()
    };
    match kind {
        PlatformKind::OvhExchange => Capabilities {
            redirections: RedirectSupport::AccountForward,
            groups: GroupSupport::Directory,
            groupware: true,
            mailbox_limit: Some(50 * GB),
            ..modern
        },
        PlatformKind::OvhEmailPro => Capabilities { mailbox_limit: Some(10 * GB), ..modern },
        PlatformKind::OvhMxplan => Capabilities { domains: false, mailbox_limit: Some(5 * GB), ..modern },
        PlatformKind::OvhMxplanLegacy => Capabilities {
            create: CreateBy::Request,
            reset: true,
            set_password: true,
            redirections: RedirectSupport::Any,
            groups: GroupSupport::List,
            mailbox_limit: Some(5 * GB),
            ..none
        },
        PlatformKind::OvhZimbra => Capabilities {
            domain_type: false,
            delegations: BTreeSet::new(),
            contacts: false,
            footers: false,
            redirections: RedirectSupport::Any,
            groupware: true,
            ..modern
        },
        PlatformKind::Imap => none,
    }
}

pub fn platform_view(name: &str, kind: PlatformKind) -> PlatformView {
    let service = ServiceView { name: format!("{name}-1"), state: ServiceState::Ok, imap: None, offer: None };
    PlatformView::new(kind, service, capabilities(kind))
}

pub fn domain_view(kind: Option<DomainType>) -> DomainView {
    DomainView {
        remote_id: None,
        kind,
        mx_relay: (kind == Some(DomainType::NonAuthoritative)).then(|| "mx1.mail.ovh.net".to_owned()),
        state: ObjectState::Ok,
        ownership: None,
        expected: Vec::new(),
        footer: None,
    }
}

pub fn generate(local: &str) -> PasswordSource {
    PasswordSource::Generate(Delivery::File(format!("secrets/{local}").into()))
}

pub fn account_spec(local: &str) -> AccountSpec {
    AccountSpec {
        state: Presence::Present,
        profile: Profile::default(),
        password: Some(generate(local)),
        mail: MailSpec {
            source_password: Some(SourcePassword::Given(SecretRef::Env(format!("OLD_{}", local.to_uppercase())))),
            ..MailSpec::default()
        },
        aliases: None,
        delegates: None,
        slot: None,
        offer: None,
        protect: false,
    }
}

pub fn account_view() -> AccountView {
    AccountView { detailed: true, imap_enabled: Some(true), ..AccountView::listed() }
}

pub fn mailbox(messages: u32) -> MailboxView {
    let status = FolderStatus {
        uid_validity: 7,
        uid_next: messages + 1,
        messages,
        highest_modseq: Some(u64::from(messages) + 1),
        octets: Some(u64::from(messages) * 1000),
    };
    let folder = FolderView {
        wire_name: "INBOX".to_owned(),
        special_use: None,
        subscribed: true,
        selectable: true,
        status: Some(status),
    };
    MailboxView {
        folders: BTreeMap::from([(FolderPath::inbox(), folder)]),
        used_octets: status.octets,
        ..MailboxView::unseen(LoginView::Accepted)
    }
}

fn platform_spec(kind: PlatformKind) -> PlatformSpec {
    PlatformSpec {
        kind,
        service: None,
        organization: None,
        endpoint: None,
        imap: None,
        credentials: BTreeMap::new(),
        admin: None,
        requests_per_minute: None,
        limits: MailLimits::default(),
    }
}

impl World {
    /// A domain on its way from one platform to another; the domain is ready on both, and there are three slots.
    pub fn moving(from: PlatformKind, to: PlatformKind, strategy: Strategy) -> Self {
        let mut world = Self {
            spec: Spec {
                digest: "d1".to_owned(),
                base: ".".into(),
                platforms: BTreeMap::from([(p("old"), platform_spec(from)), (p("new"), platform_spec(to))]),
                domains: BTreeMap::new(),
                accounts: BTreeMap::new(),
                redirections: BTreeMap::new(),
                groups: BTreeMap::new(),
                contacts: BTreeMap::new(),
                gates: Gates::default(),
                hooks: BTreeMap::new(),
            },
            inventory: Inventory::default(),
            state: State::default(),
        };
        world.spec.domains.insert(
            d(DOMAIN),
            DomainSpec {
                platform: p("new"),
                state: Presence::Present,
                kind: None,
                mx_relay: None,
                migrate: Some(MigrateSpec {
                    from: p("old"),
                    strategy,
                    provisional: "{local}01".to_owned(),
                    provisional_domain: None,
                    source: SourceFate::Keep,
                }),
                dns: DnsSpec::default(),
                footer: None,
            },
        );
        for (name, kind) in [("old", from), ("new", to)] {
            let mut view = platform_view(name, kind);
            let typed = view.capabilities.domain_type.then_some(DomainType::NonAuthoritative);
            if kind != PlatformKind::Imap {
                view.domains.insert(d(DOMAIN), domain_view(typed));
            }
            world.inventory.platforms.insert(p(name), view);
        }
        for n in 1..=3 {
            world.slot(&format!("slot{n}@configureme.me"), None);
        }
        world
    }

    /// From Exchange to Email Pro by `swap`.
    pub fn swap() -> Self {
        Self::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Swap)
    }

    pub fn view(&mut self, platform: &str) -> &mut PlatformView {
        self.inventory.platforms.get_mut(&p(platform)).unwrap()
    }

    pub fn slot(&mut self, id: &str, quota: Option<u64>) {
        let slot = Slot { id: SlotId::from(id), offer: None, quota_octets: quota };
        self.view("new").slots.push(slot);
    }

    pub fn migrate(&mut self) -> &mut MigrateSpec {
        self.spec.domains.get_mut(&d(DOMAIN)).unwrap().migrate.as_mut().unwrap()
    }

    /// The spec wants the account.
    pub fn wants(mut self, local: &str) -> Self {
        self.spec.accounts.insert(a(local), account_spec(local));
        self
    }

    pub fn account(&mut self, local: &str) -> &mut AccountSpec {
        self.spec.accounts.get_mut(&a(local)).unwrap()
    }

    /// The platform has the account, with that many messages.
    pub fn has(mut self, platform: &str, local: &str, messages: u32) -> Self {
        self.view(platform).accounts.insert(a(local), account_view());
        self.inventory.mailboxes.insert((p(platform), a(local)), mailbox(messages));
        self
    }

    pub fn seen(&mut self, platform: &str, local: &str) -> &mut AccountView {
        self.view(platform).accounts.get_mut(&a(local)).unwrap()
    }

    pub fn plan(&self) -> Plan {
        plan(&self.spec, &self.inventory, &self.state, Header::default())
    }
}

/// The names of the actions in order.
pub fn ids(plan: &Plan) -> Vec<&str> {
    plan.body.actions.iter().map(|a| a.id.as_str()).collect()
}

/// The notes as `code subject`, in order.
pub fn codes(plan: &Plan) -> Vec<String> {
    plan.body.notes.iter().map(|n| format!("{} {}", n.code, n.subject)).collect()
}

/// The note of a code.
pub fn note<'p>(plan: &'p Plan, code: &str) -> &'p Note {
    plan.body.notes.iter().find(|n| n.code == code).unwrap_or_else(|| panic!("no {code} in {:?}", codes(plan)))
}
