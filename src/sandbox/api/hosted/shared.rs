//! Shared mailboxes, resources, public folders, archives and switches of Exchange: to be read. Nothing here makes or changes them.

use serde_json::{Value, json};

use crate::{
    model::Address,
    sandbox::api::{
        call::{Answer, Problem, Reply, address},
        world::EPOCH,
    },
};

use super::{At, date};

pub(super) fn route(at: &At<'_>, rest: &[&str]) -> Answer {
    let service = at.service()?;
    let names = |all: &mut dyn Iterator<Item = &Address>| all.map(ToString::to_string).collect::<Vec<_>>();
    Ok(Reply::json(&match rest {
        ["sharedAccount"] => json!(names(&mut service.shared.keys())),
        ["sharedAccount", email] => {
            let (found, _) = shared(at, email)?;
            json!({
                "sharedEmailAddress": found.to_string(), "displayName": found.local(), "firstName": null,
                "initials": null, "lastName": null, "hiddenFromGAL": false, "mailingFilter": null, "quota": 5_000,
                "creationDate": date(EPOCH), "currentUsage": 0, "lastLogoffDate": null, "lastLogonDate": null,
                "spamDetected": false, "spamTicketNumber": null, "state": "ok", "taskPendingId": 0,
            })
        }
        ["sharedAccount", email, "alias"] => json!(names(&mut shared(at, email)?.1.iter())),
        ["resourceAccount"] => json!(names(&mut service.resources.iter())),
        ["resourceAccount", email] => {
            let wanted = address(email)?;
            let missing = || Problem::absent("resourceEmailAddress", email);
            let found = service.resources.get(&wanted).ok_or_else(missing)?;
            json!({
                "resourceEmailAddress": found.to_string(), "displayName": found.local(), "type": "room",
                "capacity": 8, "location": "", "creationDate": date(EPOCH), "state": "ok", "taskPendingId": 0,
            })
        }
        ["publicFolder"] => json!(service.public_folders),
        ["protocol"] => {
            let p = service.protocol;
            json!({
                "IMAP": p.imap, "POP": p.pop, "activeSync": p.active_sync, "webMail": p.web_mail,
                "activeSyncPolicy": "allow", "creationDate": date(EPOCH), "lastUpdate": null, "taskPendingId": 0,
            })
        }
        _ => return Err(Problem::no_route()),
    }))
}

fn shared<'c>(at: &'c At<'_>, email: &str) -> Result<(&'c Address, &'c std::collections::BTreeSet<Address>), Problem> {
    let wanted = address(email)?;
    at.service()?.shared.get_key_value(&wanted).ok_or_else(|| Problem::absent("sharedEmailAddress", email))
}

pub(super) fn archive(at: &At<'_>, email: &str) -> Answer {
    let account = at.account(email)?;
    if !account.archive {
        return Err(Problem::absent("archive", email));
    }
    let value: Value =
        json!({ "creationDate": date(EPOCH), "currentUsage": 0, "quota": 50, "state": "ok", "taskPendingId": 0 });
    Ok(Reply::json(&value))
}
