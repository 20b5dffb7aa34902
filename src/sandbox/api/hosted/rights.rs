//! Delegations: numeric ids, and a body field that is not called the same for all three.

use serde_json::json;

use crate::sandbox::api::{
    agenda::Job,
    call::{Answer, Problem, Reply},
    world::{EPOCH, Right, object},
};

use super::{At, date, with_account};

pub(super) fn route(at: &mut At<'_>, email: &str, segment: &str, rest: &[&str]) -> Answer {
    let right = Right::from_segment(segment).ok_or_else(Problem::no_route)?;
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let rights = &at.account(email)?.rights;
            let ids: Vec<u64> = rights.iter().filter(|(r, _)| *r == right).map(|(_, id)| *id).collect();
            Ok(Reply::json(&json!(ids)))
        }
        ("POST", []) => grant(at, email, right),
        ("GET", [id]) => {
            let (account, to) = (at.account(email)?, number(id)?);
            if !account.rights.contains(&(right, to)) {
                return Err(Problem::absent("allowedAccountId", id));
            }
            let pending = at.core.world.pending(&key(at, account.id, right, to));
            Ok(Reply::json(&json!({ "allowedAccountId": to, "creationDate": date(EPOCH), "taskPendingId": pending })))
        }
        ("DELETE", [id]) => revoke(at, email, right, number(id)?),
        _ => Err(Problem::no_route()),
    }
}

pub(super) fn number(text: &str) -> Result<u64, Problem> {
    text.parse().map_err(|_| Problem::absent("id", text))
}

fn key(at: &At<'_>, id: u64, right: Right, to: u64) -> String {
    object(&at.account_key(id), right.segment(), to)
}

fn grant(at: &mut At<'_>, email: &str, right: Right) -> Answer {
    let account = at.writable(email)?;
    let to = at.call.long(right.field())?;
    let delegate = at.account_by_id(to)?.address.clone();
    let excluded = match right {
        Right::SendAs => Some(Right::SendOnBehalfTo),
        Right::SendOnBehalfTo => Some(Right::SendAs),
        Right::FullAccess => None,
    };
    if account.rights.contains(&(right, to)) || excluded.is_some_and(|r| account.rights.contains(&(r, to))) {
        return Err(Problem::conflict(&format!("{delegate} already has a right on {email}")));
    }
    if to == account.id || !account.configured {
        return Err(Problem::bad("A right needs two configured accounts"));
    }
    let subject = key(at, account.id, right, to);
    at.idle(&subject, "right", email)?;
    let (service, id) = (at.name.to_owned(), account.id);
    let label = format!("{} {delegate}", account.address);
    let job = Job::new(&format!("add{}", right.task()), at.name, subject, label, move |world| {
        with_account(world, &service, id, |a| {
            a.rights.insert((right, to));
        });
    });
    at.task(job)
}

fn revoke(at: &mut At<'_>, email: &str, right: Right, to: u64) -> Answer {
    let account = at.writable(email)?;
    if !account.rights.contains(&(right, to)) {
        return Err(Problem::absent("allowedAccountId", &to.to_string()));
    }
    let subject = key(at, account.id, right, to);
    at.idle(&subject, "right", email)?;
    let (service, id) = (at.name.to_owned(), account.id);
    let delegate = at.account_by_id(to).map_or_else(|_| to.to_string(), |a| a.address.to_string());
    let label = format!("{} {delegate}", account.address);
    let job = Job::new(&format!("delete{}", right.task()), at.name, subject, label, move |world| {
        with_account(world, &service, id, |a| {
            a.rights.remove(&(right, to));
        });
    });
    at.task(job)
}
