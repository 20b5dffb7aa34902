//! Whether a change is made, by reading alone.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Directory, Rest, V1, rest};
use crate::{
    model::{Address, Change, ContactView, GroupSettings, Profile, Right},
    provider::ovh::{
        adapter::Seen,
        failure::Failure,
        json::Lenient as _,
        path::ApiPath,
        v1::parts::{contact_fields, group_fields, right_word},
    },
};

impl V1 {
    pub(super) async fn look(&self, change: &Change) -> Result<Seen, Failure> {
        match change {
            Change::DomainAdd { domain, .. } => self.exists(&self.domain(domain)).await,
            Change::DomainRemove { domain } => self.gone(&self.domain(domain)).await,
            Change::DomainUpdate { domain, kind, mx_relay } => {
                self.look_domain(domain, *kind, mx_relay.as_deref()).await
            }
            Change::AccountRename { from, to } => self.look_rename(from, to).await,
            Change::AccountCreate { address, .. } => self.look_create(address).await,
            Change::AccountUpdate { address, profile } => {
                let wanted = self.account_fields(profile);
                self.look_fields(&self.account(address), &format!("account {address}"), &wanted).await
            }
            Change::AccountPassword { address, .. } => self.look_password(address).await,
            Change::AccountReset { address } => self.gone(&self.account(address)).await,
            Change::AliasAdd { account, alias } => self.look_alias_add(account, alias).await,
            Change::AliasRemove { account, alias } => self.gone(&self.alias(account, alias)).await,
            Change::RedirectionSet { from, to, keep_copy } => self.look_redirection(from, to, *keep_copy).await,
            Change::RedirectionRemove { from } => self.look_redirection(from, &BTreeSet::new(), false).await,
            Change::DelegationGrant { account, to, right } => self.look_grant(account, to, *right).await,
            Change::DelegationRevoke { account, to, right } => self.look_revoke(account, to, *right).await,
            Change::ContactAdd { contact, fields } | Change::ContactUpdate { contact, fields } => {
                self.look_contact(contact, fields, matches!(change, Change::ContactAdd { .. })).await
            }
            Change::ContactRemove { contact } => {
                self.gone(&self.base.join(&["externalContact", &contact.to_string()])).await
            }
            Change::FooterSet { domain, footer } => {
                let wanted = super::parts::footer_fields(footer);
                self.look_part(&self.domain(domain).join(&["disclaimer"]), &wanted).await
            }
            Change::FooterRemove { domain } => self.gone(&self.domain(domain).join(&["disclaimer"])).await,
            _ => self.look_group(change).await,
        }
    }

    /// The object is there. It may still be busy: what follows waits for that itself.
    async fn exists(&self, path: &ApiPath) -> Result<Seen, Failure> {
        Ok(match self.find(path).await? {
            Some(_) => Seen::Done,
            None => Seen::NotDone(format!("{path} is not there")),
        })
    }

    async fn gone(&self, path: &ApiPath) -> Result<Seen, Failure> {
        Ok(match self.find(path).await? {
            None => Seen::Done,
            Some(value) => match rest(&value) {
                Rest::Busy(why) => Seen::Busy(format!("{path}: {why}")),
                Rest::Still | Rest::Stuck(_) => Seen::NotDone(format!("{path} is still there")),
            },
        })
    }

    /// A part of an object that is made with those fields.
    async fn look_part(&self, path: &ApiPath, wanted: &Value) -> Result<Seen, Failure> {
        Ok(match self.find(path).await? {
            None => Seen::NotDone(format!("{path} is not there")),
            Some(value) => compare(&value, wanted, &path.to_string()),
        })
    }

    /// An object that must be there already, with those fields.
    async fn look_fields(&self, path: &ApiPath, name: &str, wanted: &Value) -> Result<Seen, Failure> {
        Ok(match self.find(path).await? {
            None => Seen::Missing(format!("there is no {name}")),
            Some(value) => compare(&value, wanted, name),
        })
    }

    /// Renamed means: the new address is there and at rest, the old one is not, not even as an alias.
    async fn look_rename(&self, from: &Address, to: &Address) -> Result<Seen, Failure> {
        let new = self.find(&self.account(to)).await?;
        let same = from == to;
        let old = if same { None } else { self.find(&self.account(from)).await? };
        Ok(match (old, new) {
            (None, Some(account)) => match rest(&account) {
                Rest::Busy(why) => Seen::Busy(format!("account {to}: {why}")),
                Rest::Stuck(why) => Seen::Clash(format!("account {to} is {why}")),
                Rest::Still if self.has_alias(to, from).await? => {
                    Seen::NotDone(format!("{to} still receives mail for {from}"))
                }
                Rest::Still => Seen::Done,
            },
            (Some(account), None) => match rest(&account) {
                Rest::Busy(why) => Seen::Busy(format!("account {from}: {why}")),
                Rest::Stuck(why) => Seen::Clash(format!("account {from} is {why}")),
                Rest::Still => Seen::NotDone(format!("the account is still called {from}")),
            },
            (Some(_), Some(_)) => Seen::Clash(format!("both {from} and {to} are accounts")),
            (None, None) => Seen::Missing(format!("neither {from} nor {to} is an account")),
        })
    }

    pub(super) async fn has_alias(&self, account: &Address, alias: &Address) -> Result<bool, Failure> {
        let names = self.site.client.names(&self.account(account).join(&["alias"])).await?;
        Ok(names.iter().any(|name| Address::parse(name).is_ok_and(|a| a == *alias)))
    }

    /// Made means: there, at rest, and with a password that somebody set.
    async fn look_create(&self, address: &Address) -> Result<Seen, Failure> {
        let Some(account) = self.find(&self.account(address)).await? else {
            return Ok(Seen::NotDone(format!("there is no account {address}")));
        };
        Ok(match rest(&account) {
            Rest::Busy(why) => Seen::Busy(format!("account {address}: {why}")),
            Rest::Stuck(why) => Seen::Clash(format!("account {address} is {why}")),
            Rest::Still if account.text("passwordLastUpdate").is_none() => {
                Seen::NotDone(format!("the password of {address} is not set"))
            }
            Rest::Still => Seen::Done,
        })
    }

    /// A password cannot be read back. Setting it once more has the same outcome, so it always counts as not set.
    async fn look_password(&self, address: &Address) -> Result<Seen, Failure> {
        Ok(match self.find(&self.account(address)).await? {
            None => Seen::Missing(format!("there is no account {address}")),
            Some(account) => match rest(&account) {
                Rest::Busy(why) => Seen::Busy(format!("account {address}: {why}")),
                Rest::Stuck(why) => Seen::Clash(format!("account {address} is {why}")),
                Rest::Still => Seen::NotDone("a password cannot be read".to_owned()),
            },
        })
    }

    async fn look_alias_add(&self, account: &Address, alias: &Address) -> Result<Seen, Failure> {
        match self.find(&self.alias(account, alias)).await? {
            Some(value) => Ok(compare(&value, &Value::Null, &format!("alias {alias}"))),
            None => match self.find(&self.account(account)).await? {
                Some(_) => Ok(Seen::NotDone(format!("{account} has no alias {alias}"))),
                None => Ok(Seen::Missing(format!("there is no account {account}"))),
            },
        }
    }

    async fn look_redirection(&self, from: &Address, to: &BTreeSet<Address>, keep_copy: bool) -> Result<Seen, Failure> {
        if self.dialect.domain_service {
            return self.domain_service(from.domain()).look_redirection(from, to, keep_copy).await;
        }
        let wanted = super::parts::forward_fields(to.first(), keep_copy);
        self.look_fields(&self.account(from), &format!("account {from}"), &wanted).await
    }

    async fn look_grant(&self, account: &Address, to: &Address, right: Right) -> Result<Seen, Failure> {
        let Some(number) = self.number(Directory::Accounts, to).await? else {
            return Ok(Seen::Missing(format!("there is no account {to}")));
        };
        let list = self.account(account).join(&[right_word(right)]);
        match self.find(&list.join(&[&number.to_string()])).await? {
            Some(value) => Ok(compare(&value, &Value::Null, &format!("right of {to} on {account}"))),
            None if self.find(&list).await?.is_none() => Ok(Seen::Missing(format!("there is no account {account}"))),
            None => Ok(Seen::NotDone(format!("{to} has no {} on {account}", right.word()))),
        }
    }

    async fn look_revoke(&self, account: &Address, to: &Address, right: Right) -> Result<Seen, Failure> {
        match self.number(Directory::Accounts, to).await? {
            None => Ok(Seen::Done),
            Some(number) => self.gone(&self.account(account).join(&[right_word(right), &number.to_string()])).await,
        }
    }

    async fn look_contact(&self, contact: &Address, fields: &ContactView, new: bool) -> Result<Seen, Failure> {
        let path = self.base.join(&["externalContact", &contact.to_string()]);
        let wanted = contact_fields(fields);
        if new {
            self.look_part(&path, &wanted).await
        } else {
            self.look_fields(&path, &format!("contact {contact}"), &wanted).await
        }
    }

    async fn look_group(&self, change: &Change) -> Result<Seen, Failure> {
        if self.dialect.domain_service {
            let group = match change {
                Change::GroupCreate { group, .. }
                | Change::GroupUpdate { group, .. }
                | Change::GroupRemove { group }
                | Change::GroupMemberAdd { group, .. }
                | Change::GroupMemberRemove { group, .. }
                | Change::GroupManagerAdd { group, .. }
                | Change::GroupManagerRemove { group, .. } => group,
                _ => return Ok(Seen::Clash("this platform has no such change".to_owned())),
            };
            return self.domain_service(group.domain()).look_list(change).await;
        }
        let at = |group: &Address| self.base.join(&["mailingList", &group.to_string()]);
        match change {
            Change::GroupCreate { group, settings } => self.look_part(&at(group), &wanted_group(settings)).await,
            Change::GroupUpdate { group, settings } => {
                self.look_fields(&at(group), &format!("group {group}"), &wanted_group(settings)).await
            }
            Change::GroupRemove { group } => self.gone(&at(group)).await,
            Change::GroupMemberAdd { group, member } => match self.member(group, member).await? {
                None => Ok(Seen::Missing(format!("{member} is neither an account nor a contact of this platform"))),
                Some((_, path)) => self.look_member(&at(group), &path, &format!("member {member} of {group}")).await,
            },
            Change::GroupMemberRemove { group, member } => match self.member(group, member).await? {
                None => Ok(Seen::Done),
                Some((_, path)) => self.gone(&path).await,
            },
            Change::GroupManagerAdd { group, manager } => match self.manager(group, manager).await? {
                None => Ok(Seen::Missing(format!("there is no account {manager}"))),
                Some((_, path)) => self.look_member(&at(group), &path, &format!("manager {manager} of {group}")).await,
            },
            Change::GroupManagerRemove { group, manager } => match self.manager(group, manager).await? {
                None => Ok(Seen::Done),
                Some((_, path)) => self.gone(&path).await,
            },
            _ => Ok(Seen::Clash("this platform has no such change".to_owned())),
        }
    }

    async fn look_member(&self, group: &ApiPath, path: &ApiPath, name: &str) -> Result<Seen, Failure> {
        match self.find(path).await? {
            Some(value) => Ok(compare(&value, &Value::Null, name)),
            None if self.find(group).await?.is_none() => Ok(Seen::Missing(format!("there is no group for {name}"))),
            None => Ok(Seen::NotDone(format!("there is no {name}"))),
        }
    }

    /// The fields of a profile as this platform writes them.
    pub(super) fn account_fields(&self, profile: &Profile) -> Value {
        super::account::profile_fields(profile)
    }
}

fn wanted_group(settings: &GroupSettings) -> Value {
    group_fields(settings)
}

/// Whether an object is at rest and has the wanted fields; other fields do not matter.
pub(in crate::provider::ovh) fn compare(value: &Value, wanted: &Value, name: &str) -> Seen {
    match rest(value) {
        Rest::Busy(why) => return Seen::Busy(format!("{name}: {why}")),
        Rest::Stuck(why) => return Seen::Clash(format!("{name} is {why}")),
        Rest::Still => {}
    }
    let Some(fields) = wanted.as_object() else { return Seen::Done };
    let other = fields.iter().find(|(field, want)| !same(value.get(*field).unwrap_or(&Value::Null), want));
    match other {
        None => Seen::Done,
        Some((field, want)) => Seen::NotDone(format!("{field} of {name} is not {want} yet")),
    }
}

/// Equal as the platform means it: null, missing and empty are one, numbers compare by value, addresses without case.
fn same(have: &Value, want: &Value) -> bool {
    let nothing = |v: &Value| v.is_null() || v.as_str() == Some("");
    if nothing(have) && nothing(want) {
        return true;
    }
    match (have, want) {
        (Value::Number(a), Value::Number(b)) => a.as_f64() == b.as_f64(),
        (Value::String(a), Value::String(b)) => a == b || (a.contains('@') && a.eq_ignore_ascii_case(b)),
        _ => have == want,
    }
}
