//! Changes of a Zimbra platform, and whether they are made.

use std::collections::BTreeSet;

use serde_json::{Map, Value, json};

use super::{Rest, Zimbra, compare, current, field, rest, view::alias_target};
use crate::{
    model::{Address, Change, Domain, Profile, Secret, SlotId},
    provider::{
        ErrorClass,
        ovh::{
            adapter::{Made, Seen},
            client::WriteClient,
            failure::Failure,
            json::Lenient as _,
            wait::{Claim, claiming},
        },
    },
};

impl Zimbra {
    pub(super) async fn look(&self, change: &Change) -> Result<Seen, Failure> {
        match change {
            // What follows waits until the domain takes accounts.
            Change::DomainAdd { domain, .. } => Ok(match self.domain(domain).await? {
                Some(_) => Seen::Done,
                None => Seen::NotDone(format!("{domain} is not there")),
            }),
            Change::DomainRemove { domain } => Ok(gone(self.domain(domain).await?.as_ref(), domain.as_str())),
            Change::AccountRename { from, to } => self.look_rename(from, to).await,
            Change::AccountCreate { address, .. } => Ok(match self.account(address).await? {
                Some(account) => compare(&account, &Value::Null, &format!("account {address}")),
                None => Seen::NotDone(format!("there is no account {address}")),
            }),
            Change::AccountUpdate { address, profile } => self.look_account(address, &fields(profile)).await,
            Change::AccountPassword { address, .. } => Ok(match self.look_account(address, &Value::Null).await? {
                Seen::Done => Seen::NotDone("a password cannot be read".to_owned()),
                other => other,
            }),
            Change::AccountReset { address } => Ok(gone(self.account(address).await?.as_ref(), &address.to_string())),
            Change::AliasAdd { account, alias } => self.look_alias(account, alias).await,
            Change::AliasRemove { account, alias } => self.look_no_alias(account, alias).await,
            Change::RedirectionSet { from, to, keep_copy: false } => self.look_redirection(from, to).await,
            Change::RedirectionSet { .. } => Ok(Seen::NotDone("redirections here keep no copy".to_owned())),
            Change::RedirectionRemove { from } => self.look_redirection(from, &BTreeSet::new()).await,
            _ => Ok(Seen::Clash("this platform has no such change".to_owned())),
        }
    }

    async fn look_account(&self, address: &Address, wanted: &Value) -> Result<Seen, Failure> {
        Ok(match self.account(address).await? {
            Some(account) => compare(&account, wanted, &format!("account {address}")),
            None => Seen::Missing(format!("there is no account {address}")),
        })
    }

    /// Renamed means: the new address is there and at rest, the old one is neither account nor alias.
    async fn look_rename(&self, from: &Address, to: &Address) -> Result<Seen, Failure> {
        let new = self.account(to).await?;
        let old = if from == to { None } else { self.account(from).await? };
        let (account, name, done) = match (&old, &new) {
            (None, Some(account)) => (account, to, true),
            (Some(account), None) => (account, from, false),
            (Some(_), Some(_)) => return Ok(Seen::Clash(format!("both {from} and {to} are accounts"))),
            (None, None) => return Ok(Seen::Missing(format!("neither {from} nor {to} is an account"))),
        };
        Ok(match rest(account) {
            Rest::Busy(why) => Seen::Busy(format!("account {name} is {why}")),
            Rest::Stuck(why) => Seen::Clash(format!("account {name} is {why}")),
            Rest::Still if !done => Seen::NotDone(format!("the account is still called {from}")),
            Rest::Still if self.left_behind(account, from).await?.is_some() => {
                Seen::NotDone(format!("{to} still receives mail for {from}"))
            }
            Rest::Still => Seen::Done,
        })
    }

    /// The alias of its old address that a rename may leave on an account.
    async fn left_behind(&self, account: &Value, old: &Address) -> Result<Option<Value>, Failure> {
        let alias = self.alias(old).await?;
        Ok(alias.filter(|alias| alias_target(alias).is_some() && alias_target(alias) == account.text("id")))
    }

    async fn look_alias(&self, account: &Address, alias: &Address) -> Result<Seen, Failure> {
        let Some(owner) = self.account(account).await? else {
            return Ok(Seen::Missing(format!("there is no account {account}")));
        };
        Ok(match self.alias(alias).await? {
            None => Seen::NotDone(format!("{account} has no alias {alias}")),
            Some(row) if alias_target(&row) == owner.text("id") => {
                compare(&row, &Value::Null, &format!("alias {alias}"))
            }
            Some(_) => Seen::Clash(format!("{alias} belongs to another account")),
        })
    }

    async fn look_no_alias(&self, account: &Address, alias: &Address) -> Result<Seen, Failure> {
        let Some(row) = self.alias(alias).await? else { return Ok(Seen::Done) };
        let owner = self.account(account).await?;
        let ours = owner.is_some_and(|owner| alias_target(&row) == owner.text("id"));
        Ok(if ours { gone(Some(&row), &alias.to_string()) } else { Seen::Done })
    }

    async fn look_redirection(&self, from: &Address, to: &BTreeSet<Address>) -> Result<Seen, Failure> {
        let rows = self.redirections(from).await?;
        let have: BTreeSet<Address> = rows.iter().map(|(target, _)| target.clone()).collect();
        let busy = rows.iter().any(|(_, row)| !matches!(rest(row), Rest::Still));
        Ok(match (have == *to, busy) {
            (_, true) => Seen::Busy(format!("redirections of {from} are being changed")),
            (true, false) => Seen::Done,
            (false, false) => Seen::NotDone(format!("{from} has other redirections")),
        })
    }

    pub(super) async fn change(
        &self,
        write: &WriteClient,
        change: &Change,
        password: Option<&Secret>,
    ) -> Result<Made, Failure> {
        match change {
            Change::DomainAdd { domain, .. } => self.add_domain(write, domain).await?,
            Change::DomainRemove { domain } => {
                let row = there(self.domain(domain).await?, domain.as_str())?;
                write.delete(&self.of("domain", &row)?).await?;
            }
            Change::AccountRename { from, to } => self.rename(write, from, to).await?,
            Change::AccountCreate { address, slot, profile, .. } => {
                self.create(write, address, slot.as_ref(), profile, password).await?;
            }
            Change::AccountUpdate { address, profile } => {
                let wanted = fields(profile);
                if wanted.as_object().is_none_or(Map::is_empty) {
                    return Err(Failure::stopped(ErrorClass::Unsupported, "the size of a mailbox comes with its slot"));
                }
                let row = there(self.account(address).await?, &address.to_string())?;
                self.put(write, &self.of("account", &row)?, &wanted).await?;
            }
            Change::AccountPassword { address, .. } => {
                let row = there(self.account(address).await?, &address.to_string())?;
                let path = self.of("account", &row)?;
                self.put(write, &path, &json!({ "password": needed(password)?.expose() })).await?;
                self.rested(&path, "setting the password").await.map_err(Failure::after_sending)?;
                return Ok(Made::Settled);
            }
            Change::AccountReset { address } => {
                let row = there(self.account(address).await?, &address.to_string())?;
                write.delete(&self.of("account", &row)?).await?;
            }
            Change::AliasAdd { account, alias } => {
                let row = there(self.account(account).await?, &account.to_string())?;
                let spec = json!({ "alias": alias.to_string(), "targetId": row.text("id") });
                let (list, body) = (self.base.join(&["alias"]), json!({ "targetSpec": spec }));
                claiming(write.patience(), Claim::Short, || write.post(&list, &body)).await?;
            }
            Change::AliasRemove { alias, .. } => {
                let row = there(self.alias(alias).await?, &alias.to_string())?;
                write.delete(&self.of("alias", &row)?).await?;
            }
            Change::RedirectionSet { keep_copy: true, .. } => {
                return Err(Failure::stopped(ErrorClass::Unsupported, "redirections here keep no copy")
                    .or_help("set `keep_copy: false`, or keep the mailbox and forward from its webmail"));
            }
            Change::RedirectionSet { from, to, .. } => self.redirect(write, from, to).await?,
            Change::RedirectionRemove { from } => self.redirect(write, from, &BTreeSet::new()).await?,
            _ => return Err(Failure::stopped(ErrorClass::Unsupported, "this platform has no such change")),
        }
        Ok(Made::Watch)
    }

    async fn add_domain(&self, write: &WriteClient, domain: &Domain) -> Result<(), Failure> {
        let organization = self.organization().await?;
        // The zone is planned and reviewed here; the platform must not write it behind our back.
        let spec = json!({
            "name": domain.as_str(),
            "organizationId": organization,
            "autoConfigureMX": false,
            "autoConfigureSPF": false,
            "autoConfigureDKIM": false,
            "autoConfigureAutodiscover": false,
        });
        write.post(&self.base.join(&["domain"]), &json!({ "targetSpec": spec })).await?;
        Ok(())
    }

    /// The organisation that the spec names, or the only one.
    async fn organization(&self) -> Result<String, Failure> {
        let all = self.site.client.all(&self.base.join(&["organization"])).await?;
        let called = |row: &Value, name: &str| {
            row.text("id") == Some(name) || field(row, "name") == Some(name) || field(row, "label") == Some(name)
        };
        let chosen = match (&self.organization, all.as_slice()) {
            (Some(name), rows) => rows.iter().find(|row| called(row, name)),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        chosen.and_then(|row| row.text("id")).map(str::to_owned).ok_or_else(|| {
            let names: Vec<&str> = all.iter().filter_map(|row| field(row, "name")).collect();
            let help = if names.is_empty() {
                "make an organisation in the console: a domain needs one".to_owned()
            } else {
                format!("name one of these as `organization:` of the platform: {}", names.join(", "))
            };
            Failure::stopped(ErrorClass::Refused, "it is not clear which organisation the domain belongs to")
                .or_help(help)
        })
    }

    async fn rename(&self, write: &WriteClient, from: &Address, to: &Address) -> Result<(), Failure> {
        let account = match self.account(to).await? {
            Some(renamed) => renamed,
            None => {
                let row = there(self.account(from).await?, &from.to_string())?;
                let path = self.of("account", &row)?;
                let fields = json!({ "email": to.to_string() });
                claiming(write.patience(), Claim::Long, || self.put(write, &path, &fields)).await?;
                self.rested(&path, &format!("giving {from} the address {to}")).await.map_err(Failure::after_sending)?;
                row
            }
        };
        if from != to
            && let Some(alias) = self.left_behind(&account, from).await.map_err(Failure::half_done)?
        {
            write.delete(&self.of("alias", &alias)?).await.map_err(Failure::half_done)?;
        }
        Ok(())
    }

    async fn create(
        &self,
        write: &WriteClient,
        address: &Address,
        slot: Option<&SlotId>,
        profile: &Profile,
        password: Option<&Secret>,
    ) -> Result<(), Failure> {
        let slot = slot.ok_or_else(|| {
            Failure::stopped(ErrorClass::Refused, "no slot was chosen for the account")
                .or_help("buy a slot in the console, or name a free one as `slot:`")
        })?;
        let found = self.site.client.find(&self.base.join(&["slot", slot.as_str()])).await?;
        let taken = |why: &str| {
            Failure::stopped(ErrorClass::Conflict, format!("slot {slot} {why}"))
                .or_help("make a new plan, which chooses among the slots that are free now")
        };
        let found = found.ok_or_else(|| taken("is not there"))?;
        if current(&found).text("accountId").is_some() {
            return Err(taken("is no longer free"));
        }
        let mut spec = fields(profile);
        if let Some(spec) = spec.as_object_mut() {
            spec.insert("email".to_owned(), Value::from(address.to_string()));
            spec.insert("password".to_owned(), Value::from(needed(password)?.expose()));
            spec.insert("slotId".to_owned(), Value::from(slot.as_str()));
            spec.insert("offer".to_owned(), Value::from(current(&found).text("offer").unwrap_or("STARTER")));
        }
        let (list, body) = (self.base.join(&["account"]), json!({ "targetSpec": spec }));
        claiming(write.patience(), Claim::Short, || write.post(&list, &body)).await?;
        Ok(())
    }

    /// New rows come first, so that mail always goes somewhere.
    async fn redirect(&self, write: &WriteClient, from: &Address, to: &BTreeSet<Address>) -> Result<(), Failure> {
        let rows = self.redirections(from).await?;
        let list = self.base.join(&["redirection"]);
        let mut sent = false;
        let half = |e: Failure, sent: bool| if sent { e.half_done() } else { e };
        for target in to.iter().filter(|target| !rows.iter().any(|(have, _)| have == *target)) {
            let spec = json!({ "source": from.to_string(), "destination": target.to_string() });
            write.post(&list, &json!({ "targetSpec": spec })).await.map_err(|e| half(e, sent))?;
            sent = true;
        }
        for (_, row) in rows.iter().filter(|(have, _)| !to.contains(have)) {
            write.delete(&self.of("redirection", row)?).await.map_err(|e| half(e, sent))?;
            sent = true;
        }
        Ok(())
    }
}

fn there(found: Option<Value>, name: &str) -> Result<Value, Failure> {
    found.ok_or_else(|| Failure::stopped(ErrorClass::NotFound, format!("{name} is not there")))
}

fn gone(found: Option<&Value>, name: &str) -> Seen {
    match found.map(rest) {
        None => Seen::Done,
        Some(Rest::Busy(why)) => Seen::Busy(format!("{name} is {why}")),
        Some(Rest::Still | Rest::Stuck(_)) => Seen::NotDone(format!("{name} is still there")),
    }
}

fn needed(password: Option<&Secret>) -> Result<&Secret, Failure> {
    password.ok_or_else(|| Failure::stopped(ErrorClass::Refused, "the change came without its password"))
}

/// The fields of a profile that an account has here; its size comes with its slot.
fn fields(profile: &Profile) -> Value {
    let mut out = Map::new();
    let texts =
        [("displayName", &profile.display_name), ("firstName", &profile.first_name), ("lastName", &profile.last_name)];
    for (name, text) in texts {
        if let Some(text) = text {
            out.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    if let Some(hidden) = profile.hidden {
        out.insert("hideInGal".to_owned(), Value::from(hidden));
    }
    Value::Object(out)
}
