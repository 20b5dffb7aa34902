//! `/email/domain/{domain}`: the redirections and mailing lists of a domain. It is the whole of legacy MX Plan, and
//! serves the domains of new MX Plan too.
//!
//! A redirection is one row per destination; "keep a copy" is a row from an address to itself. Tasks have no state of
//! their own: they are listed while they run.

use std::collections::BTreeSet;

use futures::{StreamExt as _, stream};
use serde_json::{Value, json};

use super::{
    adapter::{Made, Seen},
    client::{PARALLEL, ReadClient, WriteClient},
    failure::Failure,
    json::{Lenient as _, addresses, label},
    path::ApiPath,
    records,
    v1::gap,
    wait::{Look, until},
};
use crate::{
    model::{
        Address, Change, Domain, ExpectedRecord, Gap, GroupJoin, GroupSettings, GroupView, ObjectClass, ObjectState,
        PlatformView, RedirectionView,
    },
    provider::{ErrorClass, Scope},
};

/// The redirections and lists of one domain.
pub(super) struct DomainService {
    client: ReadClient,
    domain: Domain,
    base: ApiPath,
}

/// One row of the redirections.
struct Row {
    id: String,
    from: Address,
    to: Address,
}

impl DomainService {
    pub(super) fn new(client: ReadClient, domain: Domain) -> Self {
        let base = ApiPath::v1(&["email", "domain", domain.as_str()]);
        Self { client, domain, base }
    }

    pub(super) fn base(&self) -> &ApiPath {
        &self.base
    }

    /// Waits until a task has ended. `kind` is the list that it is in while it runs.
    pub(super) async fn task(&self, kind: &str, reply: &Value) -> Result<(), Failure> {
        let Some(id) = reply.get("id").and_then(label) else { return Ok(()) };
        let running = self.base.join(&["task", kind]);
        let stated = self.base.join(&["task", "all", &id]);
        let (running, stated, id) = (&running, &stated, &id);
        let end = until(self.client.patience(), "a task of the platform", || async move {
            let status = self.client.find(stated).await?.and_then(|t| t.text("status").map(str::to_owned));
            match status.as_deref() {
                Some("done") => return Ok(Look::There(())),
                Some(bad @ ("cancelled" | "customerError" | "ovhError")) => {
                    return Err(Failure::stopped(ErrorClass::Refused, format!("the platform's task ended as {bad}")));
                }
                Some(word) => return Ok(Look::NotYet(format!("the task is {word}"))),
                None => {}
            }
            if self.client.names(running).await?.contains(id) {
                return Ok(Look::NotYet("the task is running".to_owned()));
            }
            Ok(Look::There(()))
        });
        end.await.map_err(Failure::after_sending)
    }

    /// The rows of one address, or all.
    async fn rows(&self, from: Option<&Address>) -> Result<Vec<Row>, Failure> {
        let list = self.base.join(&["redirection"]);
        let asked = match from {
            Some(from) => list.clone().query("from", &from.to_string()),
            None => list.clone(),
        };
        let ids = self.client.names(&asked).await?;
        let list = &list;
        let reads = stream::iter(ids.into_iter().map(|id| async move {
            let row = self.client.find(&list.join(&[&id])).await?;
            Ok::<_, Failure>(row.and_then(|row| Some(Row { id, from: row.address("from")?, to: row.address("to")? })))
        }));
        let mut reads = reads.buffered(PARALLEL);
        let mut rows = Vec::new();
        while let Some(row) = reads.next().await {
            rows.extend(row?.filter(|row| from.is_none_or(|from| row.from == *from)));
        }
        Ok(rows)
    }

    pub(super) async fn look_redirection(
        &self,
        from: &Address,
        to: &BTreeSet<Address>,
        keep_copy: bool,
    ) -> Result<Seen, Failure> {
        let have: BTreeSet<Address> = self.rows(Some(from)).await?.into_iter().map(|row| row.to).collect();
        let same = have == wanted(from, to, keep_copy);
        Ok(if same { Seen::Done } else { Seen::NotDone(format!("{from} goes to {}", spell(&have))) })
    }

    /// Makes the rows of an address be exactly these. New ones come first, so that its mail always goes somewhere.
    pub(super) async fn redirect(
        &self,
        write: &WriteClient,
        from: &Address,
        to: &BTreeSet<Address>,
        keep_copy: bool,
    ) -> Result<Made, Failure> {
        let list = self.base.join(&["redirection"]);
        let rows = self.rows(Some(from)).await?;
        let want = wanted(from, to, keep_copy);
        let missing = |target: &Address| !rows.iter().any(|row| row.to == *target);
        let mut copy = want.contains(from) && missing(from);
        let mut sent = false;
        for target in want.iter().filter(|target| *target != from && missing(target)) {
            let body = json!({ "from": from.to_string(), "to": target.to_string(), "localCopy": copy });
            self.change(write.post(&list, &body).await, sent).await?;
            (copy, sent) = (false, true);
        }
        if copy {
            let body = json!({ "from": from.to_string(), "to": from.to_string(), "localCopy": false });
            self.change(write.post(&list, &body).await, sent).await?;
            sent = true;
        }
        for row in rows.iter().filter(|row| !want.contains(&row.to)) {
            self.change(write.delete(&list.join(&[&row.id])).await, sent).await?;
            sent = true;
        }
        Ok(Made::Watch)
    }

    /// One of several calls: once the first was sent, a failure leaves the change half made.
    async fn change(&self, reply: Result<Value, Failure>, sent: bool) -> Result<(), Failure> {
        match reply {
            Ok(reply) => self.task("redirection", &reply).await,
            Err(e) if sent => Err(e.half_done()),
            Err(e) => Err(e),
        }
    }

    fn list(&self, group: &Address) -> ApiPath {
        self.base.join(&["mailingList", group.local()])
    }

    pub(super) async fn look_list(&self, change: &Change) -> Result<Seen, Failure> {
        let list = |group: &Address| self.list(group);
        match change {
            Change::GroupCreate { group, .. } => self.there(&list(group)).await,
            Change::GroupRemove { group } => self.absent(&list(group)).await,
            Change::GroupUpdate { group, settings } => {
                let Some(value) = self.client.find(&list(group)).await? else {
                    return Ok(Seen::Missing(format!("there is no list {group}")));
                };
                let now = value.get("options").cloned().unwrap_or(Value::Null);
                let same = options(settings, &now)? == options(&GroupSettings::default(), &now)?;
                Ok(if same { Seen::Done } else { Seen::NotDone(format!("the options of {group} differ")) })
            }
            Change::GroupMemberAdd { group, member } => self.person(group, "subscriber", member).await,
            Change::GroupManagerAdd { group, manager } => self.person(group, "moderator", manager).await,
            Change::GroupMemberRemove { group, member } => {
                self.absent(&list(group).join(&["subscriber", &member.to_string()])).await
            }
            Change::GroupManagerRemove { group, manager } => {
                self.absent(&list(group).join(&["moderator", &manager.to_string()])).await
            }
            _ => Ok(Seen::Clash("a mailing list has no such change".to_owned())),
        }
    }

    async fn there(&self, path: &ApiPath) -> Result<Seen, Failure> {
        let found = self.client.find(path).await?.is_some();
        Ok(if found { Seen::Done } else { Seen::NotDone(format!("{path} is not there")) })
    }

    async fn absent(&self, path: &ApiPath) -> Result<Seen, Failure> {
        let found = self.client.find(path).await?.is_some();
        Ok(if found { Seen::NotDone(format!("{path} is still there")) } else { Seen::Done })
    }

    async fn person(&self, group: &Address, role: &str, person: &Address) -> Result<Seen, Failure> {
        let list = self.list(group);
        if self.client.find(&list.join(&[role, &person.to_string()])).await?.is_some() {
            return Ok(Seen::Done);
        }
        match self.client.find(&list).await? {
            Some(_) => Ok(Seen::NotDone(format!("{person} is no {role} of {group}"))),
            None => Ok(Seen::Missing(format!("there is no list {group}"))),
        }
    }

    pub(super) async fn make_list(&self, write: &WriteClient, change: &Change) -> Result<Made, Failure> {
        let reply = match change {
            Change::GroupCreate { group, settings } => {
                // The owner gets notices of the list; a group of ours has managers instead, added one by one.
                let body = json!({
                    "name": group.local(),
                    "language": "en",
                    "ownerEmail": format!("postmaster@{}", self.domain),
                    "options": options(settings, &Value::Null)?,
                });
                write.post(&self.base.join(&["mailingList"]), &body).await?
            }
            Change::GroupUpdate { group, settings } => {
                let now = self.client.get(&self.list(group)).await?;
                let options = options(settings, now.get("options").unwrap_or(&Value::Null))?;
                write.post(&self.list(group).join(&["changeOptions"]), &json!({ "options": options })).await?
            }
            Change::GroupRemove { group } => write.delete(&self.list(group)).await?,
            Change::GroupMemberAdd { group, member } => {
                let body = json!({ "email": member.to_string() });
                write.post(&self.list(group).join(&["subscriber"]), &body).await?
            }
            Change::GroupManagerAdd { group, manager } => {
                let body = json!({ "email": manager.to_string() });
                write.post(&self.list(group).join(&["moderator"]), &body).await?
            }
            Change::GroupMemberRemove { group, member } => {
                write.delete(&self.list(group).join(&["subscriber", &member.to_string()])).await?
            }
            Change::GroupManagerRemove { group, manager } => {
                write.delete(&self.list(group).join(&["moderator", &manager.to_string()])).await?
            }
            _ => return Err(Failure::stopped(ErrorClass::Unsupported, "a mailing list has no such change")),
        };
        self.task("mailinglist", &reply).await?;
        Ok(Made::Watch)
    }

    /// Adds what this domain holds to a view.
    pub(super) async fn observe(&self, scope: &Scope, view: &mut PlatformView) {
        if scope.redirections {
            match self.rows(None).await {
                Ok(rows) => collect(rows, view),
                Err(e) => view.gaps.push(gap(ObjectClass::Redirection, &self.domain, &e)),
            }
        }
        if scope.groups
            && let Err(e) = self.observe_lists(view).await
        {
            view.gaps.push(gap(ObjectClass::Group, &self.domain, &e));
        }
    }

    async fn observe_lists(&self, view: &mut PlatformView) -> Result<(), Failure> {
        let names = match self.client.names(&self.base.join(&["mailingList"])).await {
            // A domain without a right to lists has no such part.
            Err(e) if e.status() == Some(404) => return Ok(()),
            other => other?,
        };
        for name in names {
            let Ok(group) = Address::new(&name, self.domain.clone()) else {
                view.gaps.push(Gap {
                    class: ObjectClass::Group,
                    subject: name,
                    reason: "its name is no usable local part".to_owned(),
                });
                continue;
            };
            match self.read_list(&group).await {
                Ok(Some(seen)) => {
                    view.groups.insert(group, seen);
                }
                Ok(None) => {}
                Err(e) => view.gaps.push(gap(ObjectClass::Group, &group, &e)),
            }
        }
        Ok(())
    }

    async fn read_list(&self, group: &Address) -> Result<Option<GroupView>, Failure> {
        let path = self.list(group);
        let Some(value) = self.client.find(&path).await? else { return Ok(None) };
        let options = value.get("options").cloned().unwrap_or(Value::Null);
        let members = self.client.names(&path.join(&["subscriber"])).await?;
        let managers = self.client.names(&path.join(&["moderator"])).await?;
        let settings = GroupSettings {
            members_only: options.flag("usersPostOnly"),
            join: options.flag("subscribeByModerator").map(|m| if m { GroupJoin::Approval } else { GroupJoin::Open }),
            ..GroupSettings::default()
        };
        Ok(Some(GroupView {
            settings,
            members: addresses(members.iter().map(String::as_str)),
            managers: addresses(managers.iter().map(String::as_str)),
            state: ObjectState::Ok,
        }))
    }

    /// The aliases of the keys that sign this domain's mail.
    pub(super) async fn keys(&self) -> Result<Vec<ExpectedRecord>, Failure> {
        let found = self.client.find(&self.base.join(&["dkim"])).await?.unwrap_or(Value::Null);
        let lines = found.members("selectors").iter().filter_map(|s| s.text("cname"));
        Ok(lines.filter_map(|line| records::dkim_line(&self.domain, line)).collect())
    }
}

/// The destinations of the rows that are wanted.
fn wanted(from: &Address, to: &BTreeSet<Address>, keep_copy: bool) -> BTreeSet<Address> {
    let mut out = to.clone();
    if keep_copy {
        out.insert(from.clone());
    }
    out
}

fn spell(addresses: &BTreeSet<Address>) -> String {
    if addresses.is_empty() {
        return "nobody".to_owned();
    }
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}

/// Rows by address; a row to itself is the copy that stays.
fn collect(rows: Vec<Row>, view: &mut PlatformView) {
    for row in rows {
        let entry = view
            .redirections
            .entry(row.from.clone())
            .or_insert_with(|| RedirectionView { to: BTreeSet::new(), keep_copy: false });
        if row.to == row.from {
            entry.keep_copy = true;
        } else {
            entry.to.insert(row.to);
        }
    }
}

/// A list's three switches: what is there, changed where it is wished.
fn options(settings: &GroupSettings, now: &Value) -> Result<Value, Failure> {
    let by_moderator = match settings.join {
        Some(GroupJoin::Closed) => {
            return Err(Failure::stopped(ErrorClass::Unsupported, "a mailing list cannot be closed to new members")
                .or_help("use `join: approval`, so that a manager decides"));
        }
        Some(GroupJoin::Approval) => true,
        Some(GroupJoin::Open) => false,
        None => now.flag("subscribeByModerator").unwrap_or(true),
    };
    let members_only = settings.members_only.or(now.flag("usersPostOnly")).unwrap_or(false);
    Ok(json!({
        "moderatorMessage": now.flag("moderatorMessage").unwrap_or(false),
        "subscribeByModerator": by_moderator,
        "usersPostOnly": members_only,
    }))
}
