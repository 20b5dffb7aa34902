//! Changes of accounts: rename, fill a slot, update, password, reset.

use serde_json::{Map, Value, json};

use super::{Rest, V1, is_placeholder, rest};
use crate::{
    model::{Address, Profile, Secret, SlotId},
    provider::{
        ErrorClass,
        capability::GIB,
        ovh::{
            adapter::Made,
            client::WriteClient,
            failure::Failure,
            json::{Lenient as _, label},
            wait::{Claim, Look, claiming, until},
        },
    },
};

impl V1 {
    /// Gives an account another address and makes sure that the old one is free afterwards.
    pub(super) async fn account_rename(
        &self,
        write: &WriteClient,
        from: &Address,
        to: &Address,
    ) -> Result<Made, Failure> {
        if self.find(&self.account(to)).await?.is_none() {
            self.rested(&self.account(from), &format!("account {from}")).await?;
            let (path, fields) = (self.account(from), name_fields(to));
            claiming(write.patience(), Claim::Long, || write.put(&path, &fields)).await?;
            self.arrival(from, to).await.map_err(Failure::after_sending)?;
        }
        if from != to && self.has_alias(to, from).await? {
            let reply = write.delete(&self.alias(to, from)).await.map_err(Failure::half_done)?;
            self.task(&reply).await?;
        }
        Ok(Made::Watch)
    }

    /// Waits until an account is there under its new address. Until then the new address answers 404; when the task on
    /// the old one fails, it never comes.
    async fn arrival(&self, from: &Address, to: &Address) -> Result<(), Failure> {
        let task = self.find(&self.account(from)).await?.and_then(|v| v.get("taskPendingId").and_then(label));
        let task = task.filter(|id| id != "0").map(|id| self.base.join(&["task", &id]));
        let task = task.as_ref();
        let what = format!("giving {from} the address {to}");
        let arrived = until(self.site.client.patience(), &what, || async move {
            if let Some(account) = self.find(&self.account(to)).await? {
                return Ok(match rest(&account) {
                    Rest::Still => Look::There(()),
                    Rest::Busy(why) | Rest::Stuck(why) => Look::NotYet(format!("{to}: {why}")),
                });
            }
            let status = match task {
                Some(path) => self.find(path).await?.and_then(|t| t.text("status").map(str::to_owned)),
                None => None,
            };
            match status.as_deref() {
                Some(bad @ ("error" | "cancelled")) => {
                    Err(Failure::stopped(ErrorClass::Refused, format!("the platform's task ended as {bad}")))
                }
                _ => Ok(Look::NotYet(format!("{to} is not there yet"))),
            }
        });
        arrived.await
    }

    /// Fills a slot and sets the password. Where the platform makes accounts on demand, a missing slot is no obstacle.
    pub(super) async fn account_create(
        &self,
        write: &WriteClient,
        address: &Address,
        slot: Option<&SlotId>,
        profile: &Profile,
        password: Option<&Secret>,
    ) -> Result<Made, Failure> {
        let password = needed(password)?;
        self.policy(password)?;
        if self.find(&self.account(address)).await?.is_none() {
            match slot {
                Some(slot) => self.fill_slot(write, slot, address, profile).await?,
                None if self.makes_accounts() => {
                    return self.post_account(write, address, profile, password).await;
                }
                None => {
                    return Err(Failure::stopped(ErrorClass::Refused, "no slot was chosen for the account")
                        .or_help("buy a slot in the console, or name a free one as `slot:`"));
                }
            }
        }
        self.rested(&self.account(address), &format!("account {address}")).await.map_err(Failure::half_done)?;
        let set = self.set_password(write, address, password).await;
        set.map_err(Failure::half_done)?;
        Ok(Made::Settled)
    }

    async fn fill_slot(
        &self,
        write: &WriteClient,
        slot: &SlotId,
        address: &Address,
        profile: &Profile,
    ) -> Result<(), Failure> {
        if !is_placeholder(slot.as_str()) {
            return Err(Failure::stopped(ErrorClass::Refused, format!("`{slot}` is an account, not a free slot"))
                .or_help("a free slot has an address @configureme.me"));
        }
        let taken = |e: Failure| match e.status() {
            Some(404) => Failure::stopped(ErrorClass::Conflict, format!("slot {slot} is no longer free"))
                .or_help("make a new plan, which chooses among the slots that are free now"),
            _ => e,
        };
        let path = self.base.join(&["account", slot.as_str()]);
        self.rested(&path, &format!("slot {slot}")).await.map_err(taken)?;
        let mut fields = name_fields(address);
        merge(&mut fields, profile_fields(profile));
        claiming(write.patience(), Claim::Short, || write.put(&path, &fields)).await.map_err(taken)?;
        let slot = Address::parse(slot.as_str())
            .map_err(|e| Failure::stopped(ErrorClass::Refused, format!("slot `{slot}` has no address: {e}")))?;
        self.arrival(&slot, address).await.map_err(Failure::after_sending)
    }

    /// A dedicated Exchange makes accounts without slots.
    fn makes_accounts(&self) -> bool {
        self.service.get().is_some_and(super::view::makes_accounts)
    }

    async fn post_account(
        &self,
        write: &WriteClient,
        address: &Address,
        profile: &Profile,
        password: &Secret,
    ) -> Result<Made, Failure> {
        let mut fields = name_fields(address);
        merge(&mut fields, profile_fields(profile));
        merge(&mut fields, json!({ "license": "standard", "password": password.expose() }));
        let reply = write.post(&self.base.join(&["account"]), &fields).await?;
        self.task(&reply).await?;
        self.rested_soon(address).await.map_err(Failure::after_sending)?;
        Ok(Made::Settled)
    }

    async fn rested_soon(&self, address: &Address) -> Result<(), Failure> {
        let what = format!("making account {address}");
        until(self.site.client.patience(), &what, || async {
            Ok(match self.find(&self.account(address)).await? {
                Some(account) => match rest(&account) {
                    Rest::Still => Look::There(()),
                    Rest::Busy(why) | Rest::Stuck(why) => Look::NotYet(why),
                },
                None => Look::NotYet("it is not there yet".to_owned()),
            })
        })
        .await
    }

    pub(super) async fn account_update(
        &self,
        write: &WriteClient,
        address: &Address,
        profile: &Profile,
    ) -> Result<Made, Failure> {
        write.put(&self.account(address), &profile_fields(profile)).await?;
        Ok(Made::Watch)
    }

    pub(super) async fn account_password(
        &self,
        write: &WriteClient,
        address: &Address,
        password: Option<&Secret>,
    ) -> Result<Made, Failure> {
        let password = needed(password)?;
        self.policy(password)?;
        self.set_password(write, address, password).await?;
        Ok(Made::Settled)
    }

    async fn set_password(&self, write: &WriteClient, address: &Address, password: &Secret) -> Result<(), Failure> {
        let path = self.account(address);
        let reply = write.post(&path.join(&["changePassword"]), &json!({ "password": password.expose() })).await?;
        self.task(&reply).await?;
        self.rested(&path, &format!("account {address}")).await.map_err(Failure::after_sending)?;
        Ok(())
    }

    /// The service's own password rules, checked before anything is changed: an account whose password is refused
    /// after its slot was filled would be half made.
    fn policy(&self, password: &Secret) -> Result<(), Failure> {
        let Some(service) = self.service.get() else { return Ok(()) };
        let refuse = |what: String| {
            Err(Failure::stopped(ErrorClass::Refused, what)
                .or_help("use a password that fits, or let rehome `generate` one"))
        };
        let text = password.expose();
        let shortest = service.whole("minPasswordLength").unwrap_or(0);
        if (text.chars().count() as u64) < shortest {
            return refuse(format!("the service wants passwords of at least {shortest} characters"));
        }
        let kinds: [fn(char) -> bool; 4] =
            [|c| c.is_uppercase(), |c| c.is_lowercase(), |c| c.is_numeric(), |c| !c.is_alphanumeric()];
        let present = kinds.iter().filter(|kind| text.chars().any(**kind)).count();
        if service.flag("complexityEnabled") == Some(true) && present < 3 {
            return refuse("the service wants passwords that mix upper case, lower case, digits and others".to_owned());
        }
        Ok(())
    }

    /// Empties an account. A hosted one goes back to the free slots; whatever was in it is lost.
    pub(super) async fn account_reset(&self, write: &WriteClient, address: &Address) -> Result<Made, Failure> {
        self.rested(&self.account(address), &format!("account {address}")).await?;
        let reply = write.delete(&self.account(address)).await?;
        self.task(&reply).await?;
        Ok(Made::Watch)
    }
}

fn needed(password: Option<&Secret>) -> Result<&Secret, Failure> {
    password.ok_or_else(|| Failure::stopped(ErrorClass::Refused, "the change came without its password"))
}

fn name_fields(address: &Address) -> Value {
    json!({ "login": address.local(), "domain": address.domain().as_str() })
}

/// The fields of a profile that are wished for, in the platform's words. Sizes are GB, which the console counts in
/// binary.
pub(super) fn profile_fields(profile: &Profile) -> Value {
    let mut fields = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            fields.insert(name.to_owned(), value);
        }
    };
    put("displayName", profile.display_name.clone().map(Value::from));
    put("firstName", profile.first_name.clone().map(Value::from));
    put("lastName", profile.last_name.clone().map(Value::from));
    put("hiddenFromGAL", profile.hidden.map(Value::from));
    put("quota", profile.quota_octets.map(gigabytes));
    Value::Object(fields)
}

/// Whole gigabytes as a whole number, anything else as a double.
#[expect(clippy::cast_precision_loss, reason = "mailbox sizes are far below 2^52 octets")]
fn gigabytes(octets: u64) -> Value {
    if octets.is_multiple_of(GIB) { Value::from(octets / GIB) } else { Value::from(octets as f64 / GIB as f64) }
}

fn merge(fields: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
}
