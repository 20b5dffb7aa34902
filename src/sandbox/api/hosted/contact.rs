//! External contacts of a service's directory.

use serde_json::{Value, json};

use crate::sandbox::api::{
    agenda::Job,
    call::{Answer, Problem, Reply, address},
    fields,
    world::{Contact, EPOCH, object},
};

use super::{At, date};

const READ_ONLY: &[&str] =
    &["externalEmailAddress", "creationDate", "id", "organization2010", "state", "taskPendingId"];

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let contacts = at.service()?.contacts.values();
            let names: Vec<String> = contacts
                .filter(|c| at.call.lets("externalEmailAddress", &c.address.to_string()))
                .filter(|c| at.call.lets("id", &c.id.to_string()))
                .map(|c| c.address.to_string())
                .collect();
            Ok(Reply::json(&json!(names)))
        }
        ("POST", []) => create(at),
        ("GET", [email]) => Ok(Reply::json(&render(at, &find(at, email)?))),
        ("PUT", [email]) => set(at, email),
        ("DELETE", [email]) => remove(at, email),
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, text: &str) -> Result<Contact, Problem> {
    let wanted = address(text)?;
    at.service()?.contact(&wanted).cloned().ok_or_else(|| Problem::absent("externalEmailAddress", text))
}

fn render(at: &At<'_>, contact: &Contact) -> Value {
    let mut object = contact.fields.clone();
    for (name, value) in [
        ("externalEmailAddress", json!(contact.address.to_string())),
        ("id", json!(contact.id)),
        ("creationDate", json!(date(EPOCH))),
        ("state", json!("ok")),
        ("taskPendingId", json!(at.core.world.pending(&key(at, contact.id)))),
    ] {
        object.insert(name.to_owned(), value);
    }
    Value::Object(object)
}

fn key(at: &At<'_>, id: u64) -> String {
    object(at.name, "contact", id)
}

fn create(at: &mut At<'_>) -> Answer {
    let wanted = address(at.call.text("externalEmailAddress")?)?;
    if at.service()?.contact(&wanted).is_some() || at.service()?.account(&wanted).is_some() {
        return Err(Problem::conflict(&format!("The address {wanted} is already used")));
    }
    let picked = fields::pick(at.call.object()?, fields::CONTACT, READ_ONLY)?;
    let mut contact =
        Contact { id: at.core.world.id(), address: wanted.clone(), fields: fields::blank(fields::CONTACT) };
    contact.fields.insert("displayName".to_owned(), json!(wanted.to_string()));
    contact.fields.extend(picked);
    let service = at.name.to_owned();
    let job = Job::new("addExternalContact", at.name, key(at, contact.id), &wanted, move |world| {
        if let Some(service) = world.hosted.get_mut(&service)
            && service.contact(&contact.address).is_none()
        {
            service.contacts.insert(contact.id, contact);
        }
    });
    at.task(job)
}

fn set(at: &mut At<'_>, email: &str) -> Answer {
    let contact = find(at, email)?;
    at.idle(&key(at, contact.id), "contact", email)?;
    let picked = fields::pick(at.call.object()?, fields::CONTACT, READ_ONLY)?;
    let (service, id) = (at.name.to_owned(), contact.id);
    let job = Job::new("setExternalContact", at.name, key(at, id), &contact.address, move |world| {
        if let Some(contact) = world.hosted.get_mut(&service).and_then(|s| s.contacts.get_mut(&id)) {
            contact.fields.extend(picked);
        }
    });
    at.quietly(job)
}

fn remove(at: &mut At<'_>, email: &str) -> Answer {
    let contact = find(at, email)?;
    at.idle(&key(at, contact.id), "contact", email)?;
    let (service, id) = (at.name.to_owned(), contact.id);
    let job = Job::new("deleteExternalContact", at.name, key(at, id), &contact.address, move |world| {
        if let Some(service) = world.hosted.get_mut(&service) {
            service.contacts.remove(&id);
            service.groups.values_mut().for_each(|g| {
                g.contacts.remove(&id);
            });
        }
    });
    at.task(job)
}
