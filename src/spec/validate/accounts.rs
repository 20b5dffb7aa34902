//! Accounts: their own words, then their domain's defaults, then the defaults at the top.

use std::collections::{BTreeMap, BTreeSet};

use super::{Entry, World, absent::absent_with, filter, template};
use crate::{
    diag::{Diagnostic, Diagnostics},
    hands::{self, MANY},
    index::Index,
    model::{Address, Delegation, Delivery, PasswordSource, PlatformKind, Profile, SlotId},
    spec::{
        place::{At, Locate as _, Place},
        raw::{Account, DefaultMail, Defaults, Domain, Mail, Password, SourceAccess},
        types::{AccountSpec, MailSpec, Presence, SourcePassword},
    },
};

/// What an account says, in the order in which it counts.
#[derive(Clone, Copy)]
pub(super) struct Layers<'a> {
    own: &'a Account,
    domain: Option<&'a Defaults>,
    top: Option<&'a Defaults>,
    /// On a plain IMAP host, which cannot set what defaults say of mailboxes.
    plain: bool,
}

impl<'a> Layers<'a> {
    /// The layers of an account.
    pub fn of(world: &'a World<'_>, entry: &Entry<'a>) -> Self {
        Self::new(world, entry.own, entry.written)
    }

    fn new(world: &World<'a>, own: &'a Account, domain: Option<&'a Domain>) -> Self {
        let domain = domain.and_then(|d| d.defaults.as_ref());
        Self { own, domain: domain.map(|d| &d.value), top: world.written.defaults.map(|d| &d.value), plain: false }
    }

    fn first<T>(
        &self,
        own: impl Fn(&'a Account) -> Option<&'a T>,
        default: impl Fn(&'a Defaults) -> Option<&'a T>,
    ) -> Option<&'a T> {
        own(self.own).or_else(|| self.domain.and_then(&default)).or_else(|| self.top.and_then(&default))
    }

    /// A setting of the mailbox itself.
    fn setting<T>(
        &self,
        own: impl Fn(&'a Account) -> Option<&'a T>,
        default: impl Fn(&'a Defaults) -> Option<&'a T>,
    ) -> Option<&'a T> {
        if self.plain { own(self.own) } else { self.first(own, default) }
    }

    fn mail<T>(
        &self,
        own: impl Fn(&'a Mail) -> Option<&'a T>,
        default: impl Fn(&'a DefaultMail) -> Option<&'a T>,
    ) -> Option<&'a T> {
        self.first(
            |account| account.mail.as_ref().and_then(|mail| own(&mail.value)),
            |defaults| defaults.mail.as_ref().and_then(|mail| default(&mail.value)),
        )
    }

    /// The quota that counts.
    pub fn quota(&self) -> Option<&'a At<crate::spec::raw::Size>> {
        self.setting(|a| a.quota.as_ref(), |d| d.quota.as_ref())
    }

    /// The password that counts.
    pub fn password(&self) -> Option<&'a At<Password>> {
        self.first(|a| a.password.as_ref(), |d| d.password.as_ref())
    }

    /// The source password that counts.
    pub fn source_password(&self) -> Option<&'a At<SourceAccess>> {
        self.mail(|m| m.source_password.as_ref(), |m| m.source_password.as_ref())
    }

    /// Whether a password, or the mail of a layer, was written in a way that could not be read.
    pub fn broken(&self, key: &str) -> bool {
        let own = self.own.mail.as_ref().is_some_and(|mail| mail.value.broken.has(key)) || self.own.broken.has(key);
        let default =
            |d: &Defaults| d.broken.has(key) || d.mail.as_ref().is_some_and(|mail| mail.value.broken.has(key));
        own || self.domain.is_some_and(default) || self.top.is_some_and(default)
    }
}

pub(super) fn build(world: &mut World<'_>, problems: &mut Diagnostics) {
    let all: Vec<_> = world.written.accounts.iter().collect();
    let mut built = Vec::with_capacity(all.len());
    let mut homeless: BTreeMap<_, Vec<(&Place, String)>> = BTreeMap::new();
    let make = |(address, &(place, own)): (&Address, &(_, &Account))| {
        let mut said = Diagnostics::default();
        let domain = world.written.domains.get_key_value(address.domain());
        // Everything in a domain holds the same name of it.
        let address = domain.map_or_else(|| address.clone(), |(domain, _)| address.sharing(domain));
        if let Some(state) = own.state.as_ref().filter(|s| s.value == Presence::Absent) {
            absent_account(&address, own, &state.place, &mut said);
        }
        let mut layers = Layers::new(world, own, domain.map(|(_, (_, domain))| *domain));
        layers.plain = world.kind_of_domain(address.domain()) == Some(PlatformKind::Imap);
        let spec = account(&layers, &address, &mut said);
        (address, spec, domain.is_none().then_some(place), said)
    };
    for (address, spec, lost, said) in hands::map(all, MANY, make) {
        problems.0.extend(said.0);
        if let Some(place) = lost {
            homeless.entry(address.domain().clone()).or_default().push((place, address.to_string()));
        }
        built.push((address, spec));
    }
    for (domain, accounts) in &homeless {
        let help = world.nearest_domain(domain);
        problems.push(
            super::many(
                "spec::undeclared-domain",
                accounts,
                &format!("is in the domain `{domain}`, which is not declared"),
                &format!("accounts are in the domain `{domain}`, which is not declared"),
                "its domain is not under `domains`",
            )
            .help(help),
        );
    }
    let built: BTreeMap<_, _> = built.into_iter().collect();
    shared_deliveries(&built, world, problems);
    world.spec.accounts = built;
}

fn account(layers: &Layers<'_>, address: &Address, problems: &mut Diagnostics) -> AccountSpec {
    let own = layers.own;
    let state = own.state.as_ref().map(|s| s.value).unwrap_or_default();
    let text = |field: &Option<At<String>>| field.as_ref().map(|f| f.value.clone());
    // What should not exist has no wishes, not even by default.
    let layers = &if state == Presence::Absent { Layers { domain: None, top: None, ..*layers } } else { *layers };
    AccountSpec {
        state,
        profile: Profile {
            display_name: text(&own.name),
            first_name: text(&own.first_name),
            last_name: text(&own.last_name),
            quota_octets: layers.quota().map(|q| q.value.0),
            hidden: layers.setting(|a| a.hidden.as_ref(), |d| d.hidden.as_ref()).map(|h| h.value),
        },
        password: layers.password().map(|p| template::password(p.value.source(), address)),
        mail: mail(layers, address),
        aliases: own.aliases.as_ref().map(|all| all.value.values().map(|a| a.sharing(address.domain())).collect()),
        delegates: delegates(own, problems),
        slot: own.slot.as_ref().map(|s| SlotId::from(s.value.as_str())),
        offer: layers.setting(|a| a.offer.as_ref(), |d| d.offer.as_ref()).map(|o| o.value.clone()),
        protect: own.protect.as_ref().is_some_and(|p| p.value),
    }
}

fn mail(layers: &Layers<'_>, address: &Address) -> MailSpec {
    let own = layers.own.mail.as_ref().map(|m| &m.value);
    let filter = layers.mail(|m| m.filter.as_ref(), |m| m.filter.as_ref());
    MailSpec {
        skip: layers.mail(|m| m.skip.as_ref(), |m| m.skip.as_ref()).is_some_and(|s| s.value),
        source_password: layers.source_password().map(|p| template::source_password(p.value.source(), address)),
        source_address: own.and_then(|m| m.source_address.as_ref()).map(|a| a.value.clone()),
        filter: filter.map(|f| filter::read(&f.value)).unwrap_or_default(),
        verify: layers.mail(|m| m.verify.as_ref(), |m| m.verify.as_ref()).map(|v| v.value).unwrap_or_default(),
        acl: layers.mail(|m| m.acl.as_ref(), |m| m.acl.as_ref()).map(|a| a.value).unwrap_or_default(),
    }
}

fn delegates(own: &Account, problems: &mut Diagnostics) -> Option<BTreeSet<Delegation>> {
    let list = own.delegates.as_ref()?;
    let mut out = BTreeSet::new();
    for delegate in &list.value.0 {
        let (Some(to), Some(rights)) = (&delegate.value.to, &delegate.value.rights) else {
            if !delegate.value.broken.0.is_empty() {
                continue;
            }
            let missing = Diagnostic::error("spec::missing-field", "a delegate needs `to` and `rights`");
            let help = "`{ to: jane@mydomain.ovh, rights: [full-access, send-as] }`";
            problems.push(missing.locate(&delegate.place, "here").help(help));
            continue;
        };
        out.extend(rights.value.values().map(|right| Delegation { to: to.value.clone(), right: *right }));
    }
    Some(out)
}

fn absent_account(address: &Address, own: &Account, state: &Place, problems: &mut Diagnostics) {
    let wishes = [
        ("name", own.name.as_ref().map(|f| &f.place)),
        ("first_name", own.first_name.as_ref().map(|f| &f.place)),
        ("last_name", own.last_name.as_ref().map(|f| &f.place)),
        ("quota", own.quota.as_ref().map(|f| &f.place)),
        ("hidden", own.hidden.as_ref().map(|f| &f.place)),
        ("password", own.password.as_ref().map(|f| &f.place)),
        ("mail", own.mail.as_ref().map(|f| &f.place)),
        ("aliases", own.aliases.as_ref().map(|f| &f.place)),
        ("delegates", own.delegates.as_ref().map(|f| &f.place)),
        ("slot", own.slot.as_ref().map(|f| &f.place)),
        ("offer", own.offer.as_ref().map(|f| &f.place)),
        ("protect", own.protect.as_ref().map(|f| &f.place)),
    ];
    absent_with(&format!("the account `{address}`"), Some(state), &wishes, problems);
}

/// Two accounts that deliver to one place would get one password: the second finds what the first left.
fn shared_deliveries(built: &BTreeMap<Address, AccountSpec>, world: &World<'_>, problems: &mut Diagnostics) {
    let mut first: Index<&Delivery, &Address> = Index::default();
    let mut others: Index<&Delivery, Vec<&Address>> = Index::default();
    for (address, account) in built {
        let reset = match &account.mail.source_password {
            Some(SourcePassword::Reset(source)) => Some(source),
            _ => None,
        };
        for source in account.password.iter().chain(reset) {
            let PasswordSource::Generate(delivery) = source else { continue };
            let user = *first.entry(delivery).or_insert(address);
            if user == address {
                continue;
            }
            let users = others.entry(delivery).or_insert_with(|| vec![user]);
            if users.last() != Some(&address) {
                users.push(address);
            }
        }
    }
    for (delivery, users) in others {
        let message = format!("{} accounts would share one generated password, delivered to {delivery}", users.len());
        let shown = users.iter().take(3).filter_map(|address| world.account_place(address));
        let diagnostic = shown.fold(Diagnostic::error("spec::shared-delivery", message), |d, place| {
            d.locate(place, "this account's password goes there")
        });
        problems.push(diagnostic.help("give each its own place: `deliver: { file: \"secrets/{address}\" }`"));
    }
}
