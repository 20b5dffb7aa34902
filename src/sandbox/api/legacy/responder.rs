//! Automatic answers.

use serde_json::{Value, json};

use crate::sandbox::api::{
    call::{Answer, Problem, Reply},
    world::Responder,
};

use super::At;

pub(super) fn route(at: &mut At<'_>, rest: &[&str]) -> Answer {
    match (at.call.method.as_str(), rest) {
        ("GET", []) => {
            let names = at.service()?.responders.keys().filter(|name| at.call.lets("account", name));
            Ok(Reply::json(&json!(names.collect::<Vec<_>>())))
        }
        ("POST", []) => {
            let name = at.call.text("account")?.to_ascii_lowercase();
            if at.service()?.responders.contains_key(&name) {
                return Err(Problem::conflict(&format!("{name} already has a responder")));
            }
            let content = at.call.text("content")?.to_owned();
            let value = |field: &str| at.call.body.get(field).cloned().unwrap_or(Value::Null);
            let copy = value("copy").as_bool().ok_or_else(|| Problem::missing("copy"))?;
            let copy_to = value("copyTo").as_str().map(ToOwned::to_owned);
            let responder = Responder { content, copy, copy_to, from: value("from"), to: value("to") };
            change(at, "addResponder", &name, Some(responder), true)
        }
        ("GET", [name]) => {
            let r = find(at, name)?;
            Ok(Reply::json(&json!({
                "account": name, "content": r.content, "copy": r.copy, "copyTo": r.copy_to, "from": r.from, "to": r.to,
            })))
        }
        ("PUT", [name]) => {
            let mut responder = find(at, name)?;
            for (field, value) in at.call.object()? {
                match field.as_str() {
                    "content" => value.as_str().unwrap_or_default().clone_into(&mut responder.content),
                    "from" => responder.from = value.clone(),
                    "to" => responder.to = value.clone(),
                    "account" | "copy" | "copyTo" => {}
                    _ => return Err(Problem::bad(&format!("Unknown parameter: {field}"))),
                }
            }
            change(at, "changeResponder", name, Some(responder), false)
        }
        ("DELETE", [name]) => {
            find(at, name)?;
            change(at, "deleteResponder", name, None, true)
        }
        _ => Err(Problem::no_route()),
    }
}

fn find(at: &At<'_>, name: &str) -> Result<Responder, Problem> {
    at.service()?.responders.get(name).cloned().ok_or_else(|| Problem::absent("account", name))
}

fn change(at: &mut At<'_>, function: &str, name: &str, next: Option<Responder>, tells: bool) -> Answer {
    let address = at.address(name)?;
    at.idle(&address)?;
    let key = name.to_owned();
    let job = at.job(function, &address, "responder", move |legacy| {
        match next {
            Some(responder) => legacy.responders.insert(key, responder),
            None => legacy.responders.remove(&key),
        };
    });
    if tells {
        return at.task(job);
    }
    at.core.accept(job);
    Ok(Reply::void())
}
