//! Changes of what hangs on accounts and domains: aliases, rights, groups, contacts, footers, forwards.

use serde_json::{Map, Value, json};

use super::{Directory, V1};
use crate::{
    model::{Address, Change, ContactView, Footer, GroupJoin, GroupLeave, GroupSettings, Right},
    provider::{
        ErrorClass,
        ovh::{
            adapter::Made,
            client::WriteClient,
            failure::Failure,
            path::ApiPath,
            wait::{Claim, claiming},
        },
    },
};

impl V1 {
    pub(super) fn alias(&self, account: &Address, alias: &Address) -> ApiPath {
        self.account(account).join(&["alias", &alias.to_string()])
    }

    pub(super) async fn make_part(&self, write: &WriteClient, change: &Change) -> Result<Made, Failure> {
        let reply = match change {
            Change::AliasAdd { account, alias } => {
                let body = json!({ "alias": alias.to_string() });
                let list = self.account(account).join(&["alias"]);
                claiming(write.patience(), Claim::Short, || write.post(&list, &body)).await?
            }
            Change::AliasRemove { account, alias } => write.delete(&self.alias(account, alias)).await?,
            Change::RedirectionSet { .. } | Change::RedirectionRemove { .. } => {
                return self.make_redirection(write, change).await;
            }
            Change::DelegationGrant { account, to, right } => {
                let number = self.must_number(to).await?;
                let path = self.account(account).join(&[right_word(*right)]);
                write.post(&path, &json!({ right_field(*right): number })).await?
            }
            Change::DelegationRevoke { account, to, right } => {
                let number = self.must_number(to).await?;
                let path = self.account(account).join(&[right_word(*right), &number.to_string()]);
                write.delete(&path).await?
            }
            Change::ContactAdd { contact, fields } => {
                let mut body = contact_fields(fields);
                set(&mut body, "externalEmailAddress", Value::from(contact.to_string()));
                write.post(&self.base.join(&["externalContact"]), &body).await?
            }
            Change::ContactUpdate { contact, fields } => {
                write.put(&self.contact(contact), &contact_fields(fields)).await?
            }
            Change::ContactRemove { contact } => write.delete(&self.contact(contact)).await?,
            Change::FooterSet { domain, footer } => {
                let path = self.domain(domain).join(&["disclaimer"]);
                let body = footer_fields(footer);
                match self.find(&path).await? {
                    Some(_) => write.put(&path, &body).await?,
                    None => write.post(&path, &body).await?,
                }
            }
            Change::FooterRemove { domain } => write.delete(&self.domain(domain).join(&["disclaimer"])).await?,
            _ => return self.make_group(write, change).await,
        };
        self.task(&reply).await?;
        Ok(Made::Watch)
    }

    fn contact(&self, contact: &Address) -> ApiPath {
        self.base.join(&["externalContact", &contact.to_string()])
    }

    fn group(&self, group: &Address) -> ApiPath {
        self.base.join(&["mailingList", &group.to_string()])
    }

    async fn make_redirection(&self, write: &WriteClient, change: &Change) -> Result<Made, Failure> {
        let (from, to, keep_copy) = match change {
            Change::RedirectionSet { from, to, keep_copy } => (from, Some(to), *keep_copy),
            Change::RedirectionRemove { from } => (from, None, false),
            _ => return Err(not_here()),
        };
        if self.dialect.domain_service {
            let wanted = to.cloned().unwrap_or_default();
            return self.domain_service(from.domain()).redirect(write, from, &wanted, keep_copy).await;
        }
        let target = to.and_then(|to| to.first());
        write.put(&self.account(from), &forward_fields(target, keep_copy)).await?;
        Ok(Made::Watch)
    }

    async fn make_group(&self, write: &WriteClient, change: &Change) -> Result<Made, Failure> {
        if self.dialect.domain_service {
            let Some(group) = group_of(change) else { return Err(not_here()) };
            return self.domain_service(group.domain()).make_list(write, change).await;
        }
        let reply = match change {
            Change::GroupCreate { group, settings } => {
                let mut body = json!({ "joinRestriction": "closed", "departRestriction": "closed" });
                merge(&mut body, group_fields(settings));
                set(&mut body, "mailingListAddress", Value::from(group.to_string()));
                write.post(&self.base.join(&["mailingList"]), &body).await?
            }
            Change::GroupUpdate { group, settings } => write.put(&self.group(group), &group_fields(settings)).await?,
            Change::GroupRemove { group } => write.delete(&self.group(group)).await?,
            Change::GroupMemberAdd { group, member } => {
                let (directory, number) = self.must_member(member).await?;
                let (word, field) = member_words(directory);
                let path = self.group(group).join(&["member", word]);
                write.post(&path, &json!({ field: number })).await?
            }
            Change::GroupManagerAdd { group, manager } => {
                let number = self.must_number(manager).await?;
                let path = self.group(group).join(&["manager", "account"]);
                write.post(&path, &json!({ "managerAccountId": number })).await?
            }
            Change::GroupMemberRemove { group, member } => match self.member(group, member).await? {
                Some((_, path)) => write.delete(&path).await?,
                None => Value::Null,
            },
            Change::GroupManagerRemove { group, manager } => match self.manager(group, manager).await? {
                Some((_, path)) => write.delete(&path).await?,
                None => Value::Null,
            },
            _ => return Err(not_here()),
        };
        self.task(&reply).await?;
        Ok(Made::Watch)
    }

    async fn must_number(&self, account: &Address) -> Result<u64, Failure> {
        let number = self.number(Directory::Accounts, account).await?;
        number.ok_or_else(|| Failure::stopped(ErrorClass::NotFound, format!("there is no account {account}")))
    }

    async fn must_member(&self, member: &Address) -> Result<(Directory, u64), Failure> {
        self.member_number(member).await?.ok_or_else(|| {
            Failure::stopped(ErrorClass::NotFound, format!("{member} is neither an account nor a contact"))
                .or_help("add it as an external contact first")
        })
    }

    async fn member_number(&self, member: &Address) -> Result<Option<(Directory, u64)>, Failure> {
        for directory in [Directory::Accounts, Directory::Contacts] {
            if let Some(number) = self.number(directory, member).await? {
                return Ok(Some((directory, number)));
            }
        }
        Ok(None)
    }

    /// A member's number and where its membership is, whether it has one or not.
    pub(super) async fn member(&self, group: &Address, member: &Address) -> Result<Option<(u64, ApiPath)>, Failure> {
        let found = self.member_number(member).await?;
        Ok(found.map(|(directory, number)| {
            let (word, _) = member_words(directory);
            (number, self.group(group).join(&["member", word, &number.to_string()]))
        }))
    }

    /// The same for a manager.
    pub(super) async fn manager(&self, group: &Address, manager: &Address) -> Result<Option<(u64, ApiPath)>, Failure> {
        let found = self.number(Directory::Accounts, manager).await?;
        Ok(found.map(|n| (n, self.group(group).join(&["manager", "account", &n.to_string()]))))
    }
}

pub(in crate::provider::ovh) fn group_of(change: &Change) -> Option<&Address> {
    match change {
        Change::GroupCreate { group, .. }
        | Change::GroupUpdate { group, .. }
        | Change::GroupRemove { group }
        | Change::GroupMemberAdd { group, .. }
        | Change::GroupMemberRemove { group, .. }
        | Change::GroupManagerAdd { group, .. }
        | Change::GroupManagerRemove { group, .. } => Some(group),
        _ => None,
    }
}

fn not_here() -> Failure {
    Failure::stopped(ErrorClass::Unsupported, "this platform has no such change")
}

/// Both routes take both fields; only the one that fits the route is right.
fn member_words(directory: Directory) -> (&'static str, &'static str) {
    match directory {
        Directory::Accounts => ("account", "memberAccountId"),
        Directory::Contacts => ("contact", "memberContactId"),
    }
}

pub(super) fn right_word(right: Right) -> &'static str {
    match right {
        Right::FullAccess => "fullAccess",
        Right::SendAs => "sendAs",
        Right::SendOnBehalf => "sendOnBehalfTo",
    }
}

/// The field is `allowedAccountId` for full access and `allowAccountId` for the two others.
fn right_field(right: Right) -> &'static str {
    match right {
        Right::FullAccess => "allowedAccountId",
        Right::SendAs | Right::SendOnBehalf => "allowAccountId",
    }
}

pub(super) fn forward_fields(to: Option<&Address>, keep_copy: bool) -> Value {
    json!({ "forwardingEmail": to.map(ToString::to_string), "storeCopyOfEmail": keep_copy && to.is_some() })
}

pub(super) fn footer_fields(footer: &Footer) -> Value {
    json!({ "content": footer.html, "outsideOnly": footer.outside_only })
}

pub(super) fn contact_fields(fields: &ContactView) -> Value {
    let mut out = Map::new();
    let texts =
        [("displayName", &fields.display_name), ("firstName", &fields.first_name), ("lastName", &fields.last_name)];
    for (name, text) in texts {
        if let Some(text) = text {
            out.insert(name.to_owned(), Value::from(text.as_str()));
        }
    }
    if let Some(hidden) = fields.hidden {
        out.insert("hiddenFromGAL".to_owned(), Value::from(hidden));
    }
    Value::Object(out)
}

pub(super) fn group_fields(settings: &GroupSettings) -> Value {
    let mut out = Map::new();
    let mut put = |name: &str, value: Option<Value>| {
        if let Some(value) = value {
            out.insert(name.to_owned(), value);
        }
    };
    put("displayName", settings.display_name.clone().map(Value::from));
    put("senderAuthentification", settings.members_only.map(Value::from));
    put(
        "joinRestriction",
        settings.join.map(|join| {
            Value::from(match join {
                GroupJoin::Open => "open",
                GroupJoin::Closed => "closed",
                GroupJoin::Approval => "approvalRequired",
            })
        }),
    );
    put(
        "departRestriction",
        settings.leave.map(|leave| {
            Value::from(match leave {
                GroupLeave::Open => "open",
                GroupLeave::Closed => "closed",
            })
        }),
    );
    put("hiddenFromGAL", settings.hidden.map(Value::from));
    put("maxReceiveSize", settings.max_receive_mb.map(Value::from));
    Value::Object(out)
}

fn set(body: &mut Value, field: &str, value: Value) {
    if let Some(fields) = body.as_object_mut() {
        fields.insert(field.to_owned(), value);
    }
}

fn merge(fields: &mut Value, more: Value) {
    if let (Some(fields), Value::Object(more)) = (fields.as_object_mut(), more) {
        fields.extend(more);
    }
}
