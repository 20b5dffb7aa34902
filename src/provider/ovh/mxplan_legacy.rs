//! Legacy MX Plan: the service is the domain, and an account's name is its key.

use std::collections::BTreeSet;

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use serde_json::{Map, Value, json};
use tokio::sync::OnceCell;

use super::{
    adapter::{Adapter, Made, Seen, Site},
    client::{PARALLEL, WriteClient},
    domain_service::DomainService,
    failure::{EXPIRED, Failure},
    json::{Lenient as _, whole},
    path::ApiPath,
    records,
    v1::{gap, unreadable},
};
use crate::{
    model::{
        AccountView, Address, Change, Domain, DomainView, Gap, ImapEndpoint, ImapSecurity, ObjectClass, ObjectState,
        PlatformView, Profile, Secret, ServiceState, ServiceView,
    },
    provider::{DomainReady, ErrorClass, Scope, capability::capabilities_of},
};

/// One domain of legacy MX Plan.
pub(super) struct Legacy {
    site: Site,
    domain: Domain,
    service: DomainService,
    /// Set once the service was seen to take changes.
    usable: OnceCell<()>,
}

impl Legacy {
    pub(super) fn new(site: Site, domain: Domain) -> Self {
        let service = DomainService::new(site.client.clone(), domain.clone());
        Self { site, domain, service, usable: OnceCell::new() }
    }

    fn account(&self, address: &Address) -> ApiPath {
        self.service.base().join(&["account", address.local()])
    }

    async fn read_service(&self) -> Result<Value, Failure> {
        match self.site.client.get(self.service.base()).await {
            Err(e) if e.status() == Some(404) => {
                let names = self.site.client.names(&ApiPath::v1(&["email", "domain"])).await.unwrap_or_default();
                Err(Failure::stopped(ErrorClass::NotFound, format!("there is no MX Plan service for {}", self.domain))
                    .or_help(format!("these credentials see: {}", names.join(", "))))
            }
            other => other,
        }
    }

    fn owns(&self, address: &Address) -> Result<(), Failure> {
        if *address.domain() == self.domain {
            return Ok(());
        }
        Err(Failure::stopped(
            ErrorClass::NotFound,
            format!("{address} is not in {}, the service's domain", self.domain),
        ))
    }

    /// Whether the platform is at work on an account.
    async fn busy(&self, address: &Address) -> Result<bool, Failure> {
        let tasks = self.service.base().join(&["task", "account"]).query("name", address.local());
        Ok(!self.site.client.find(&tasks).await?.and_then(|v| v.as_array().map(Vec::is_empty)).unwrap_or(true))
    }

    async fn look_account(&self, address: &Address, wanted: Option<&Value>) -> Result<Seen, Failure> {
        if self.busy(address).await? {
            return Ok(Seen::Busy(format!("a task is running on {address}")));
        }
        let Some(value) = self.site.client.find(&self.account(address)).await? else {
            return Ok(match wanted {
                None => Seen::NotDone(format!("there is no account {address}")),
                Some(_) => Seen::Missing(format!("there is no account {address}")),
            });
        };
        Ok(match wanted {
            None => Seen::Done,
            Some(wanted) => super::v1::compare(&value, wanted, &format!("account {address}")),
        })
    }

    async fn look_gone(&self, address: &Address) -> Result<Seen, Failure> {
        if self.busy(address).await? {
            return Ok(Seen::Busy(format!("a task is running on {address}")));
        }
        Ok(match self.site.client.find(&self.account(address)).await? {
            None => Seen::Done,
            Some(_) => Seen::NotDone(format!("account {address} is still there")),
        })
    }

    async fn see_accounts(&self, scope: &Scope, view: &mut PlatformView) {
        let names = match self.site.client.names(&self.service.base().join(&["account"])).await {
            Ok(names) => names,
            Err(e) => return view.gaps.push(gap(ObjectClass::Account, "", &e)),
        };
        for name in names {
            match Address::new(&name, self.domain.clone()) {
                Ok(address) => {
                    view.accounts.insert(address, AccountView::listed());
                }
                Err(e) => view.gaps.push(Gap { class: ObjectClass::Account, subject: name, reason: e.to_string() }),
            }
        }
        // How many accounts the offer allows; without an answer the platform itself refuses one too many.
        let limits = self.site.client.find(&self.service.base().join(&["quota"])).await.ok().flatten();
        view.account_limit = limits.and_then(|v| v.whole("account"));
        let wanted: Vec<Address> = view.accounts.keys().filter(|a| scope.accounts.contains(a)).cloned().collect();
        let reads = stream::iter(wanted.into_iter().map(|address| async move {
            let read = self.read_account(&address).await;
            (address, read)
        }));
        let mut reads = reads.buffer_unordered(PARALLEL);
        while let Some((address, read)) = reads.next().await {
            match read {
                Ok(Some(account)) => {
                    view.accounts.insert(address, account);
                }
                Ok(None) => view.gaps.push(unreadable(&address)),
                Err(e) => view.gaps.push(gap(ObjectClass::Account, &address, &e)),
            }
        }
    }

    async fn read_account(&self, address: &Address) -> Result<Option<AccountView>, Failure> {
        let path = self.account(address);
        let Some(value) = self.site.client.find(&path).await? else { return Ok(None) };
        // `quota` of the usage is what is in use, whatever its name.
        let usage = self.site.client.find(&path.join(&["usage"])).await.ok().flatten();
        // They do not move, so that an answer is worth having and its lack stops nothing.
        let filters = self.site.client.names(&path.join(&["filter"])).await.unwrap_or_default();
        let state = match value.flag("isBlocked") {
            Some(true) => ObjectState::Unavailable("blocked".to_owned()),
            _ if self.busy(address).await? => ObjectState::Busy,
            _ => ObjectState::Ok,
        };
        Ok(Some(AccountView {
            profile: Profile {
                display_name: value.text("description").map(str::to_owned),
                quota_octets: value.whole("size"),
                ..Profile::default()
            },
            used_octets: usage.and_then(|u| u.whole("quota")),
            filters: filters.into_iter().collect(),
            state,
            detailed: true,
            ..AccountView::listed()
        }))
    }

    /// Who answers by itself. It does not move, so that an answer is worth having and its lack stops nothing.
    async fn responders(&self) -> Option<BTreeSet<Address>> {
        let names = self.site.client.names(&self.service.base().join(&["responder"])).await.ok()?;
        Some(names.iter().filter_map(|name| Address::new(name, self.domain.clone()).ok()).collect())
    }

    async fn see_domain(&self, status: &ServiceState, view: &mut PlatformView) {
        let rows = match self.site.client.find(&self.service.base().join(&["recommendedDNSRecords"])).await {
            Ok(found) => found.and_then(|v| v.as_array().cloned()).unwrap_or_default(),
            Err(e) => {
                view.gaps.push(gap(ObjectClass::Dns, &self.domain, &e));
                Vec::new()
            }
        };
        let mut expected = records::recommended(&self.domain, &rows);
        if expected.is_empty() {
            let canada = self.site.client.canada();
            expected = records::mx(&self.domain, &[], canada);
            expected.push(records::spf(&self.domain, None, canada));
            expected.extend(records::autodiscover(&self.domain, "0 0 443 mailconfig.ovh.net"));
        }
        match self.service.keys().await {
            Ok(keys) => expected.extend(keys),
            Err(e) => view.gaps.push(gap(ObjectClass::Dns, &self.domain, &e)),
        }
        let state = match status {
            ServiceState::Ok => ObjectState::Ok,
            ServiceState::Unavailable(word) => ObjectState::Unavailable(word.clone()),
        };
        let domain =
            DomainView { remote_id: None, kind: None, mx_relay: None, state, ownership: None, expected, footer: None };
        view.domains.insert(self.domain.clone(), domain);
    }
}

/// Whether the service takes changes. One that was moved to the new generation does not: it has another name there.
fn service_state(service: &Value) -> ServiceState {
    if let Some(moved) = service.text("migratedMXPlanServiceName") {
        return ServiceState::Unavailable(format!("moved to `kind: ovh-mxplan`, `service: {moved}`"));
    }
    match service.text("status") {
        None | Some("ok") => ServiceState::Ok,
        Some(word) => ServiceState::Unavailable(word.to_owned()),
    }
}

/// Description and size are all that an account has.
fn fields(profile: &Profile) -> Map<String, Value> {
    let mut out = Map::new();
    if let Some(text) = &profile.display_name {
        out.insert("description".to_owned(), Value::from(text.as_str()));
    }
    if let Some(octets) = profile.quota_octets {
        out.insert("size".to_owned(), Value::from(octets));
    }
    out
}

fn needed(password: Option<&Secret>) -> Result<&Secret, Failure> {
    password.ok_or_else(|| Failure::stopped(ErrorClass::Refused, "the change came without its password"))
}

#[async_trait]
impl Adapter for Legacy {
    fn site(&self) -> &Site {
        &self.site
    }

    async fn view(&self, scope: &Scope) -> Result<PlatformView, Failure> {
        let (state, found, failed) = match self.read_service().await {
            Ok(service) => (service_state(&service), service, None),
            Err(e) if e.status() == Some(EXPIRED) => {
                (ServiceState::Unavailable("expired".to_owned()), Value::Null, Some(e))
            }
            Err(e) => return Err(e),
        };
        let offer = found.text("offer").map(str::to_owned);
        let imap = match &self.site.imap {
            Some(told) => Some(told.clone()),
            None => self.endpoint().await.ok(),
        };
        let service = ServiceView { name: self.domain.to_string(), state: state.clone(), imap, offer };
        let mut view = PlatformView::new(self.site.kind, service, capabilities_of(self.site.kind));
        if let Some(e) = failed {
            let classes = [ObjectClass::Domain, ObjectClass::Account, ObjectClass::Redirection, ObjectClass::Group];
            view.gaps.extend(classes.map(|class| gap(class, "", &e)));
            return Ok(view);
        }
        view.mailbox_sizes = found.members("allowedAccountSize").iter().filter_map(whole).collect();
        if let Some(largest) = view.mailbox_sizes.last() {
            view.capabilities.mailbox_limit = Some(*largest);
        }
        self.see_domain(&state, &mut view).await;
        self.see_accounts(scope, &mut view).await;
        self.service.observe(scope, &mut view).await;
        view.responders = self.responders().await;
        view.gaps.sort();
        Ok(view)
    }

    async fn endpoint(&self) -> Result<ImapEndpoint, Failure> {
        Ok(ImapEndpoint { host: "ssl0.ovh.net".to_owned(), port: 993, security: ImapSecurity::Tls })
    }

    async fn seen(&self, change: &Change) -> Result<Seen, Failure> {
        match change {
            Change::AccountCreate { address, .. } => {
                self.owns(address)?;
                self.look_account(address, None).await
            }
            Change::AccountUpdate { address, profile } => {
                self.owns(address)?;
                self.look_account(address, Some(&Value::Object(fields(profile)))).await
            }
            Change::AccountPassword { address, .. } => {
                self.owns(address)?;
                Ok(match self.look_account(address, Some(&Value::Null)).await? {
                    Seen::Done => Seen::NotDone("a password cannot be read".to_owned()),
                    other => other,
                })
            }
            Change::AccountReset { address } => {
                self.owns(address)?;
                self.look_gone(address).await
            }
            Change::RedirectionSet { from, to, keep_copy } => {
                self.owns(from)?;
                self.service.look_redirection(from, to, *keep_copy).await
            }
            Change::RedirectionRemove { from } => {
                self.owns(from)?;
                self.service.look_redirection(from, &BTreeSet::new(), false).await
            }
            _ => {
                super::v1::group_of(change).map_or(Ok(()), |group| self.owns(group))?;
                self.service.look_list(change).await
            }
        }
    }

    async fn ready(&self, domain: &Domain) -> Result<DomainReady, Failure> {
        if *domain != self.domain {
            return Ok(DomainReady::Failed(format!("the service is for {} alone", self.domain)));
        }
        Ok(match service_state(&self.read_service().await?) {
            ServiceState::Ok => DomainReady::Ready,
            ServiceState::Unavailable(word) => DomainReady::Failed(format!("the service is {word}")),
        })
    }

    async fn service_ok(&self) -> Result<(), Failure> {
        let checked = self.usable.get_or_try_init(|| async {
            match service_state(&self.read_service().await?) {
                ServiceState::Ok => Ok(()),
                ServiceState::Unavailable(word) => {
                    Err(Failure::stopped(ErrorClass::Refused, format!("the service is {word}")))
                }
            }
        });
        checked.await.copied()
    }

    async fn make(&self, write: &WriteClient, change: &Change, password: Option<&Secret>) -> Result<Made, Failure> {
        let none = BTreeSet::new();
        let reply = match change {
            Change::AccountCreate { address, profile, .. } => {
                let mut body = fields(profile);
                body.insert("accountName".to_owned(), Value::from(address.local()));
                body.insert("password".to_owned(), Value::from(needed(password)?.expose()));
                write.post(&self.service.base().join(&["account"]), &Value::Object(body)).await?
            }
            Change::AccountUpdate { address, profile } => {
                let body = fields(profile);
                if body.is_empty() {
                    return Err(Failure::stopped(
                        ErrorClass::Unsupported,
                        "an account here has a description and a size, nothing else",
                    ));
                }
                write.put(&self.account(address), &Value::Object(body)).await?
            }
            Change::AccountPassword { address, .. } => {
                let body = json!({ "password": needed(password)?.expose() });
                let reply = write.post(&self.account(address).join(&["changePassword"]), &body).await?;
                self.service.task("account", &reply).await?;
                return Ok(Made::Settled);
            }
            Change::AccountReset { address } => write.delete(&self.account(address)).await?,
            Change::RedirectionSet { from, to, keep_copy } => {
                return self.service.redirect(write, from, to, *keep_copy).await;
            }
            Change::RedirectionRemove { from } => return self.service.redirect(write, from, &none, false).await,
            _ => return self.service.make_list(write, change).await,
        };
        self.service.task("account", &reply).await?;
        Ok(Made::Watch)
    }
}
