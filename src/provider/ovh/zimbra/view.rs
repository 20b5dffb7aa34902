//! Looking at a whole platform: one listing per kind of object.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{Rest, STARTER, Zimbra, current, field, rest, wanted};
use crate::{
    model::{
        AccountView, Address, Domain, DomainView, ExpectedRecord, ObjectClass, ObjectState, PlatformView, Profile,
        RedirectionView, ServiceState, ServiceView, Slot, SlotId,
    },
    provider::{
        Scope,
        capability::capabilities_of,
        ovh::{
            adapter::Adapter as _,
            failure::{EXPIRED, Failure},
            json::{Lenient as _, octets},
            records,
            v1::gap,
        },
    },
};

impl Zimbra {
    pub(super) async fn observe(&self, scope: &Scope) -> Result<PlatformView, Failure> {
        let (state, name, failed) = match self.read_platform().await {
            Ok(platform) => {
                let state = match rest(&platform) {
                    Rest::Stuck(why) => ServiceState::Unavailable(why),
                    Rest::Still | Rest::Busy(_) => ServiceState::Ok,
                };
                (state, field(&platform, "name").map(str::to_owned), None)
            }
            Err(e) if e.status() == Some(EXPIRED) => (ServiceState::Unavailable("expired".to_owned()), None, Some(e)),
            Err(e) => return Err(e),
        };
        let imap = match &self.site.imap {
            Some(told) => Some(told.clone()),
            None => self.endpoint().await.ok(),
        };
        let name = name.unwrap_or_else(|| self.base.to_string());
        let service = ServiceView { name, state, imap, offer: None };
        let mut view = PlatformView::new(self.site.kind, service, capabilities_of(self.site.kind));
        if let Some(e) = failed {
            let classes = [ObjectClass::Domain, ObjectClass::Account, ObjectClass::Alias, ObjectClass::Redirection];
            view.gaps.extend(classes.map(|class| gap(class, "", &e)));
            return Ok(view);
        }
        self.see_domains(&mut view).await;
        self.see_accounts(&mut view).await;
        self.see_slots(&mut view).await;
        if scope.redirections {
            self.see_redirections(&mut view).await;
        }
        view.gaps.sort();
        Ok(view)
    }

    async fn list(&self, what: &str) -> Result<Vec<Value>, Failure> {
        self.site.client.all(&self.base.join(&[what])).await
    }

    async fn see_domains(&self, view: &mut PlatformView) {
        match self.list("domain").await {
            Ok(rows) => {
                let named = |row: &Value| Some((Domain::parse(field(row, "name")?).ok()?, row.clone()));
                for (name, row) in rows.iter().filter_map(named) {
                    let seen = domain_view(&name, &row);
                    view.domains.insert(name, seen);
                }
            }
            Err(e) => view.gaps.push(gap(ObjectClass::Domain, "", &e)),
        }
    }

    async fn see_accounts(&self, view: &mut PlatformView) {
        let rows = match self.list("account").await {
            Ok(rows) => rows,
            Err(e) => return view.gaps.push(gap(ObjectClass::Account, "", &e)),
        };
        let mut by_id = BTreeMap::new();
        for row in &rows {
            let Some(address) = field(row, "email").and_then(|e| Address::parse(e).ok()) else { continue };
            if let Some(id) = row.text("id") {
                by_id.insert(id.to_owned(), address.clone());
            }
            view.accounts.insert(address, account_view(row));
        }
        match self.list("alias").await {
            Ok(aliases) => {
                for row in &aliases {
                    let owner = alias_target(row).and_then(|id| by_id.get(id));
                    let account = owner.and_then(|address| view.accounts.get_mut(address));
                    if let (Some(account), Some(alias)) = (account, alias_address(row)) {
                        account.aliases.insert(alias);
                    }
                }
            }
            Err(e) => view.gaps.push(gap(ObjectClass::Alias, "", &e)),
        }
    }

    async fn see_slots(&self, view: &mut PlatformView) {
        let path = self.base.join(&["slot"]).query("used", "false");
        match self.site.client.all(&path).await {
            Ok(rows) => view.slots = rows.iter().filter_map(slot).collect(),
            Err(e) => view.gaps.push(gap(ObjectClass::Account, "slots", &e)),
        }
    }

    async fn see_redirections(&self, view: &mut PlatformView) {
        match self.list("redirection").await {
            Ok(rows) => {
                for (from, to) in rows.iter().filter_map(redirection) {
                    let none = || RedirectionView { to: BTreeSet::new(), keep_copy: false };
                    view.redirections.entry(from).or_insert_with(none).to.insert(to);
                }
            }
            Err(e) => view.gaps.push(gap(ObjectClass::Redirection, "", &e)),
        }
    }
}

/// A free slot in good standing.
fn slot(row: &Value) -> Option<Slot> {
    let now = current(row);
    let free = now.text("accountId").is_none() && matches!(now.text("billingStatus"), None | Some("OK"));
    let offer = now.text("offer").map(str::to_owned);
    let quota_octets = (offer.as_deref() == Some("STARTER")).then_some(STARTER);
    free.then_some(Slot { id: SlotId::from(row.text("id")?), offer, quota_octets })
}

fn state(row: &Value) -> ObjectState {
    match rest(row) {
        Rest::Still => ObjectState::Ok,
        Rest::Busy(_) => ObjectState::Busy,
        Rest::Stuck(why) => ObjectState::Unavailable(why),
    }
}

fn account_view(row: &Value) -> AccountView {
    let now = current(row);
    // Both in octets; what is free and what is taken together are the limit.
    let quota = now.get("quota").unwrap_or(&Value::Null);
    let used = quota.number("used").and_then(octets);
    let free = quota.number("available").and_then(octets);
    let blocked = now.members("detailedStatus").iter().find_map(|s| s.text("status"));
    let state = match (state(row), blocked) {
        (ObjectState::Ok, Some(word)) => ObjectState::Unavailable(word.to_owned()),
        (state, _) => state,
    };
    AccountView {
        remote_id: row.text("id").map(str::to_owned),
        profile: Profile {
            display_name: now.text("displayName").map(str::to_owned),
            first_name: now.text("firstName").map(str::to_owned),
            last_name: now.text("lastName").map(str::to_owned),
            quota_octets: used.zip(free).map(|(used, free)| used.saturating_add(free)),
            hidden: now.flag("hideInGal"),
        },
        used_octets: used,
        state,
        detailed: true,
        ..AccountView::listed()
    }
}

fn domain_view(domain: &Domain, row: &Value) -> DomainView {
    let config = current(row).get("expectedDNSConfig").cloned().unwrap_or(Value::Null);
    let mx: Vec<String> = config
        .members("mx")
        .iter()
        .filter_map(|r| Some(format!("{} {}", r.whole("priority")?, r.text("target")?)))
        .collect();
    let mx: Vec<&str> = mx.iter().map(String::as_str).collect();
    let mut expected = records::mx(domain, &mx, false);
    expected.push(records::spf(domain, config.text("spf")));
    expected.extend(config.text("autodiscover").and_then(|told| records::autodiscover(domain, told)));
    let keys = config.get("dkim").unwrap_or(&Value::Null).members("cnames");
    expected.extend(keys.iter().filter_map(|k| records::dkim(domain, k.text("name")?, k.text("value")?)));
    let ownership = waits_for(domain, row);
    let state = match state(row) {
        ObjectState::Ok | ObjectState::Busy if ownership.is_some() => ObjectState::Waiting,
        other => other,
    };
    DomainView {
        remote_id: row.text("id").map(str::to_owned),
        kind: None,
        mx_relay: None,
        state,
        ownership,
        expected,
        footer: None,
    }
}

/// The record that proves ownership, while the platform waits for it.
pub(super) fn waits_for(domain: &Domain, row: &Value) -> Option<ExpectedRecord> {
    let now = current(row);
    let ready = |word: Option<&str>| matches!(word, None | Some("READY"));
    if ready(row.text("resourceStatus")) && ready(now.text("status")) {
        return None;
    }
    records::ownership(domain, now.get("expectedDNSConfig")?.get("ownership")?.text("cname")?, false)
}

/// The address of an alias, which is whole where it is wanted and may be in parts where it is.
pub(super) fn alias_address(row: &Value) -> Option<Address> {
    let now = current(row).get("alias").and_then(|alias| alias.text("name").or_else(|| alias.as_str()));
    wanted(row).address("alias").or_else(|| Address::parse(now?).ok())
}

/// The id of the account an alias belongs to.
pub(super) fn alias_target(row: &Value) -> Option<&str> {
    wanted(row).text("targetId").or_else(|| current(row).get("target")?.text("id"))
}

/// Source and destination of a redirection.
pub(super) fn redirection(row: &Value) -> Option<(Address, Address)> {
    let address = |name| field(row, name).and_then(|text| Address::parse(text).ok());
    address("source").zip(address("destination"))
}
