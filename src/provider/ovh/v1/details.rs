//! Reading one account, one group, one contact.

use std::collections::BTreeSet;

use serde_json::Value;

use super::{Directory, V1, object_state, parts::right_word, view::gap};
use crate::{
    model::{
        AccountView, Address, ContactView, Delegation, Gap, GroupJoin, GroupLeave, GroupSettings, GroupView,
        ObjectClass, Profile, RedirectionView, Right,
    },
    provider::{
        capability::GIB,
        ovh::{
            failure::Failure,
            json::{Lenient as _, addresses, octets},
            path::ApiPath,
        },
    },
};

/// How much of an account is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Detail {
    /// Its fields, aliases, rights and protocols.
    Everything,
    /// Only where it forwards its mail.
    Forward,
}

impl V1 {
    /// One account and where it forwards to; nothing when it is gone since it was listed.
    pub(super) async fn read_account(
        &self,
        address: &Address,
        detail: Detail,
        gaps: &mut Vec<Gap>,
    ) -> Result<Option<(AccountView, Option<RedirectionView>)>, Failure> {
        let path = self.account(address);
        let Some(value) = self.find(&path).await? else { return Ok(None) };
        if let Some(number) = value.whole("id") {
            self.learn(Directory::Accounts, number, address);
        }
        let forward = value.address("forwardingEmail").map(|to| RedirectionView {
            to: BTreeSet::from([to]),
            keep_copy: value.flag("storeCopyOfEmail").unwrap_or_default(),
        });
        let mut view = AccountView {
            remote_id: value.whole("id").map(|id| id.to_string()),
            profile: profile(&value),
            used_octets: value.whole("currentUsage").map(|kilobytes| kilobytes.saturating_mul(1024)),
            state: object_state(&value),
            aliases: BTreeSet::new(),
            delegations: BTreeSet::new(),
            imap_enabled: None,
            archive: false,
            filters: BTreeSet::new(),
            detailed: true,
        };
        if detail == Detail::Everything {
            self.read_parts(address, &path, &mut view, gaps).await;
        }
        Ok(Some((view, forward)))
    }

    async fn read_parts(&self, address: &Address, path: &ApiPath, view: &mut AccountView, gaps: &mut Vec<Gap>) {
        match self.site.client.names(&path.join(&["alias"])).await {
            Ok(names) => view.aliases = addresses(names.iter().map(String::as_str)),
            Err(e) => gaps.push(gap(ObjectClass::Alias, address, &e)),
        }
        for right in [Right::FullAccess, Right::SendAs, Right::SendOnBehalf] {
            match self.delegates(path, right).await {
                Ok((found, unknown)) => {
                    view.delegations.extend(found);
                    gaps.extend(unknown.into_iter().map(|number| Gap {
                        class: ObjectClass::Delegation,
                        subject: address.to_string(),
                        reason: format!("{} belongs to number {number}, which is no account", right.word()),
                    }));
                }
                Err(e) => gaps.push(gap(ObjectClass::Delegation, address, &e)),
            }
        }
        if self.dialect.protocols {
            match self.find(&path.join(&["protocol"])).await {
                Ok(found) => view.imap_enabled = found.as_ref().and_then(|v| v.flag("IMAP")),
                Err(e) => gaps.push(gap(ObjectClass::Account, format!("{address}/protocol"), &e)),
            }
        }
        if self.dialect.shared {
            match self.find(&path.join(&["archive"])).await {
                Ok(found) => view.archive = found.is_some(),
                Err(e) => gaps.push(gap(ObjectClass::Archive, address, &e)),
            }
        }
    }

    /// Who has a right on an account; numbers that belong to nobody are given back apart.
    async fn delegates(&self, account: &ApiPath, right: Right) -> Result<(Vec<Delegation>, Vec<String>), Failure> {
        let (mut found, mut unknown) = (Vec::new(), Vec::new());
        for number in self.site.client.names(&account.join(&[right_word(right)])).await? {
            let whose = match number.parse() {
                Ok(n) => self.whose(Directory::Accounts, n).await?,
                Err(_) => Address::parse(&number).ok(),
            };
            match whose {
                Some(to) => found.push(Delegation { to, right }),
                None => unknown.push(number),
            }
        }
        Ok((found, unknown))
    }

    /// One group with members and managers.
    pub(super) async fn read_group(&self, group: &Address) -> Result<Option<GroupView>, Failure> {
        let path = self.base.join(&["mailingList", &group.to_string()]);
        let Some(value) = self.find(&path).await? else { return Ok(None) };
        let mut members = self.people(&path.join(&["member", "account"]), "memberEmailAddress").await?;
        members.extend(self.people(&path.join(&["member", "contact"]), "memberEmailAddress").await?);
        let managers = self.people(&path.join(&["manager", "account"]), "managerEmailAddress").await?;
        Ok(Some(GroupView { settings: settings(&value), members, managers, state: object_state(&value) }))
    }

    /// The addresses behind a list of numbers below a group.
    async fn people(&self, list: &ApiPath, field: &str) -> Result<BTreeSet<Address>, Failure> {
        let mut out = BTreeSet::new();
        for number in self.site.client.names(list).await? {
            if let Some(row) = self.find(&list.join(&[&number])).await? {
                out.extend(row.address(field));
            }
        }
        Ok(out)
    }
}

fn profile(value: &Value) -> Profile {
    Profile {
        display_name: value.text("displayName").map(str::to_owned),
        first_name: value.text("firstName").map(str::to_owned),
        last_name: value.text("lastName").map(str::to_owned),
        quota_octets: quota(value),
        hidden: value.flag("hiddenFromGAL"),
    }
}

/// The size limit: GB, counted in binary, whole on Exchange and Email Pro and a double on MX Plan.
#[expect(clippy::cast_precision_loss, reason = "2^30 is exact in a double")]
pub(super) fn quota(value: &Value) -> Option<u64> {
    octets(value.number("quota")? * GIB as f64).filter(|n| *n > 0)
}

fn settings(value: &Value) -> GroupSettings {
    GroupSettings {
        display_name: value.text("displayName").map(str::to_owned),
        members_only: value.flag("senderAuthentification"),
        join: value.text("joinRestriction").and_then(|word| match word {
            "open" => Some(GroupJoin::Open),
            "closed" => Some(GroupJoin::Closed),
            "approvalRequired" => Some(GroupJoin::Approval),
            _ => None,
        }),
        leave: value.text("departRestriction").and_then(|word| match word {
            "open" => Some(GroupLeave::Open),
            "closed" => Some(GroupLeave::Closed),
            _ => None,
        }),
        hidden: value.flag("hiddenFromGAL"),
        max_receive_mb: value.whole("maxReceiveSize"),
    }
}

pub(super) fn contact(value: &Value) -> ContactView {
    ContactView {
        display_name: value.text("displayName").map(str::to_owned),
        first_name: value.text("firstName").map(str::to_owned),
        last_name: value.text("lastName").map(str::to_owned),
        hidden: value.flag("hiddenFromGAL"),
    }
}
