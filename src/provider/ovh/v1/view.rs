//! Looking at a whole service.

use std::collections::{BTreeMap, BTreeSet};

use futures::{StreamExt as _, stream};
use serde_json::Value;

use super::{V1, details::Detail, expired, is_placeholder};
use crate::{
    diag,
    model::{
        AccountView, Address, Capabilities, ContactView, CreateBy, Domain, Gap, GroupSettings, GroupView, ObjectClass,
        ObjectState, PlatformView, RedirectSupport, ServiceState, ServiceView, Slot, SlotId,
    },
    provider::{
        Scope,
        capability::capabilities_of,
        ovh::{adapter::Adapter as _, client::PARALLEL, failure::Failure, json::Lenient as _},
    },
};

/// What a part of a service could not tell.
pub(in crate::provider::ovh) fn gap(class: ObjectClass, subject: impl ToString, failure: &Failure) -> Gap {
    Gap { class, subject: subject.to_string(), reason: diag::chain(failure).join(": ") }
}

/// An account that is listed and then not there. It stays listed: taking its address for free would be the worse error.
pub(in crate::provider::ovh) fn unreadable(account: &Address) -> Gap {
    Gap {
        class: ObjectClass::Account,
        subject: account.to_string(),
        reason: "it is listed, and the platform says that it is not there".to_owned(),
    }
}

/// Every class of objects a service holds.
const CLASSES: [ObjectClass; 11] = [
    ObjectClass::Domain,
    ObjectClass::Account,
    ObjectClass::Alias,
    ObjectClass::Delegation,
    ObjectClass::Redirection,
    ObjectClass::Group,
    ObjectClass::Contact,
    ObjectClass::Footer,
    ObjectClass::Shared,
    ObjectClass::PublicFolder,
    ObjectClass::Archive,
];

/// A dedicated Exchange makes accounts on demand; every other service fills slots.
pub(super) fn makes_accounts(service: &Value) -> bool {
    service.text("offer").is_some_and(|offer| offer.starts_with("dedicated"))
}

impl V1 {
    pub(super) async fn observe(&self, scope: &Scope) -> Result<PlatformView, Failure> {
        let service = match self.read_service().await {
            Ok(service) => service,
            Err(e) if expired(&e) => return Ok(self.unusable(&e)),
            Err(e) => return Err(e),
        };
        let mut view = self.empty_view(&service).await;
        self.see_domains(scope, &service, &mut view).await;
        self.see_accounts(scope, &mut view).await;
        if self.dialect.domain_service {
            for domain in scope.domains.iter().filter(|d| view.domains.contains_key(*d)).cloned().collect::<Vec<_>>() {
                self.domain_service(&domain).observe(scope, &mut view).await;
            }
        }
        if self.dialect.groups {
            self.see_groups(scope, &mut view).await;
        }
        // Addresses that may be taken are looked for together: groups, and whatever else is no account.
        if self.dialect.shared && scope.groups {
            self.see_shared(&mut view).await;
        }
        if scope.contacts {
            self.see_contacts(&mut view).await;
        }
        view.gaps.sort();
        Ok(view)
    }

    /// An expired service answers nothing: it is shown as such, so that the other platforms of a spec can go on.
    fn unusable(&self, failure: &Failure) -> PlatformView {
        let service = ServiceView {
            name: self.base.to_string(),
            state: ServiceState::Unavailable("expired".to_owned()),
            imap: self.site.imap.clone(),
            offer: None,
        };
        let mut view = PlatformView::new(self.site.kind, service, capabilities_of(self.site.kind));
        view.gaps.extend(CLASSES.map(|class| gap(class, "", failure)));
        view
    }

    async fn empty_view(&self, service: &Value) -> PlatformView {
        let imap = match &self.site.imap {
            Some(told) => Some(told.clone()),
            None => self.endpoint().await.ok(),
        };
        let state = match service.text("state") {
            None | Some("ok") => ServiceState::Ok,
            Some(word) => ServiceState::Unavailable(word.to_owned()),
        };
        let name = service.text("domain").map_or_else(|| self.base.to_string(), str::to_owned);
        let offer = service.text("offer").map(str::to_owned);
        let capabilities = narrowed(capabilities_of(self.site.kind), service);
        let mut view = PlatformView::new(self.site.kind, ServiceView { name, state, imap, offer }, capabilities);
        if self.dialect.protocols {
            // What cannot be read shows when a mailbox is opened.
            let switches = self.find(&self.base.join(&["protocol"])).await.ok().flatten();
            view.imap_enabled = switches.and_then(|v| v.flag("IMAP"));
        }
        view
    }

    async fn see_domains(&self, scope: &Scope, service: &Value, view: &mut PlatformView) {
        let names = match self.site.client.names(&self.base.join(&["domain"])).await {
            Ok(names) => names,
            Err(e) => return view.gaps.push(gap(ObjectClass::Domain, "", &e)),
        };
        let offer = service.text("offer");
        let domains: Vec<Domain> = names.iter().filter_map(|name| Domain::parse(name).ok()).collect();
        let reads = stream::iter(domains.into_iter().map(|domain| async move {
            let mut gaps = Vec::new();
            let in_scope = scope.domains.contains(&domain);
            let read = self.read_domain(&domain, offer, in_scope, &mut gaps).await;
            (domain, read, gaps)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((domain, read, gaps)) = reads.next().await {
            view.gaps.extend(gaps);
            match read {
                Ok(Some(seen)) => {
                    view.domains.insert(domain, seen);
                }
                Ok(None) => {}
                Err(e) => view.gaps.push(gap(ObjectClass::Domain, &domain, &e)),
            }
        }
    }

    async fn see_accounts(&self, scope: &Scope, view: &mut PlatformView) {
        let names = match self.site.client.names(&self.base.join(&["account"])).await {
            Ok(names) => names,
            Err(e) => return view.gaps.push(gap(ObjectClass::Account, "", &e)),
        };
        let (slots, accounts): (Vec<_>, Vec<_>) = names.into_iter().partition(|name| is_placeholder(name));
        for name in &accounts {
            match Address::parse(name) {
                Ok(address) => {
                    view.accounts.insert(address, AccountView::listed());
                }
                Err(e) => {
                    view.gaps.push(Gap { class: ObjectClass::Account, subject: name.clone(), reason: e.to_string() })
                }
            }
        }
        self.see_slots(slots, view).await;
        self.see_details(scope, view).await;
    }

    async fn see_slots(&self, names: Vec<String>, view: &mut PlatformView) {
        let limit = view.capabilities.mailbox_limit;
        if !self.dialect.offers {
            let slot = |id: String| Slot { id: SlotId::from(id), offer: None, quota_octets: limit };
            view.slots = names.into_iter().map(slot).collect();
            return;
        }
        let reads = stream::iter(names.into_iter().map(|name| async move {
            let read = self.find(&self.base.join(&["account", &name])).await;
            (name, read)
        }));
        // Ordered: the platform's order is the order in which slots are filled.
        let mut reads = reads.buffered(PARALLEL);
        while let Some((name, read)) = reads.next().await {
            match read {
                Ok(Some(value)) => view.slots.push(Slot {
                    id: SlotId::from(name),
                    offer: value.text("accountLicense").map(str::to_owned),
                    quota_octets: super::details::quota(&value).or(limit),
                }),
                Ok(None) => {}
                Err(e) => view.gaps.push(gap(ObjectClass::Account, &name, &e)),
            }
        }
    }

    /// Reads the accounts in scope. Where a redirection is a field of an account, those of the domains in scope too.
    async fn see_details(&self, scope: &Scope, view: &mut PlatformView) {
        let forwards = scope.redirections && view.capabilities.redirections == RedirectSupport::AccountForward;
        let wanted: Vec<(Address, Detail)> = view
            .accounts
            .keys()
            .filter_map(|address| {
                if scope.accounts.contains(address) {
                    Some((address.clone(), Detail::Everything))
                } else {
                    (forwards && scope.domains.contains(address.domain())).then(|| (address.clone(), Detail::Forward))
                }
            })
            .collect();
        let reads = stream::iter(wanted.into_iter().map(|(address, detail)| async move {
            let mut gaps = Vec::new();
            let read = self.read_account(&address, detail, &mut gaps).await;
            (address, detail, read, gaps)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((address, detail, read, gaps)) = reads.next().await {
            view.gaps.extend(gaps);
            match read {
                Ok(Some((account, forward))) => {
                    if let Some(forward) = forward.filter(|_| self.dialect.forward) {
                        view.redirections.insert(address.clone(), forward);
                    }
                    if matches!(detail, Detail::Everything) {
                        view.accounts.insert(address, account);
                    }
                }
                Ok(None) => view.gaps.push(unreadable(&address)),
                Err(e) => view.gaps.push(gap(ObjectClass::Account, &address, &e)),
            }
        }
    }

    async fn see_groups(&self, scope: &Scope, view: &mut PlatformView) {
        let names = match self.site.client.names(&self.base.join(&["mailingList"])).await {
            Ok(names) => names,
            Err(e) => return view.gaps.push(gap(ObjectClass::Group, "", &e)),
        };
        let groups: BTreeSet<Address> = names.iter().filter_map(|name| Address::parse(name).ok()).collect();
        if !scope.groups {
            view.groups = groups.into_iter().map(|group| (group, listed_group())).collect();
            return;
        }
        let reads = stream::iter(groups.into_iter().map(|group| async move {
            let read = self.read_group(&group).await;
            (group, read)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((group, read)) = reads.next().await {
            match read {
                Ok(Some(seen)) => {
                    view.groups.insert(group, seen);
                }
                Ok(None) => {}
                Err(e) => view.gaps.push(gap(ObjectClass::Group, &group, &e)),
            }
        }
    }

    async fn see_contacts(&self, view: &mut PlatformView) {
        match self.read_contacts().await {
            Ok((contacts, gaps)) => {
                view.contacts = contacts;
                view.gaps.extend(gaps);
            }
            Err(e) => view.gaps.push(gap(ObjectClass::Contact, "", &e)),
        }
    }

    async fn read_contacts(&self) -> Result<(BTreeMap<Address, ContactView>, Vec<Gap>), Failure> {
        let list = self.base.join(&["externalContact"]);
        let names = self.site.client.names(&list).await?;
        let list = &list;
        let reads = stream::iter(names.into_iter().map(|name| async move {
            let read = self.find(&list.join(&[&name])).await;
            (name, read)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        let (mut contacts, mut gaps) = (BTreeMap::new(), Vec::new());
        while let Some((name, read)) = reads.next().await {
            match (read, Address::parse(&name)) {
                (Ok(Some(value)), Ok(address)) => {
                    contacts.insert(address, super::details::contact(&value));
                }
                (Ok(_), _) => {}
                (Err(e), _) => gaps.push(gap(ObjectClass::Contact, &name, &e)),
            }
        }
        Ok((contacts, gaps))
    }
}

/// A group of which only the existence is known.
fn listed_group() -> GroupView {
    GroupView {
        settings: GroupSettings::default(),
        members: BTreeSet::new(),
        managers: BTreeSet::new(),
        state: ObjectState::Ok,
    }
}

/// What the service itself says about accounts and passwords.
fn narrowed(mut can: Capabilities, service: &Value) -> Capabilities {
    if makes_accounts(service) {
        can.create = CreateBy::Request;
    }
    if let Some(shortest) = service.whole("minPasswordLength").and_then(|n| u8::try_from(n).ok()) {
        can.password_length.0 = can.password_length.0.max(shortest).min(can.password_length.1);
    }
    if let Some(complex) = service.flag("complexityEnabled") {
        can.password_complex = complex;
    }
    can
}
