//! Who may call what: request signatures, rights of a consumer key, OAuth2 service accounts (API reference 1.2, 1.3).

use serde_json::{Value, json};
use sha1::{Digest, Sha1};

use super::{
    call::{Answer, Branch, Call, Problem, Reply, pairs},
    faults::glob,
    world::{Credential, CredentialState, EPOCH, Rule, World, hex, noise},
};

/// A request older or newer than this, in seconds, has no valid signature.
const TOLERANCE: i64 = 60;

/// Seconds that an access token is said to live.
const TOKEN_SECONDS: u32 = 3_599;

/// `$1$` and SHA-1 over what is signed.
fn signature(secret: &str, consumer: &str, call: &Call, timestamp: &str) -> String {
    let text = [secret, consumer, &call.method, &call.url, &call.raw, timestamp].join("+");
    format!("$1${}", hex(&Sha1::digest(text.as_bytes())))
}

fn is_open(call: &Call) -> bool {
    call.branch == Branch::V1
        && matches!(
            (call.method.as_str(), call.path.as_str()),
            ("GET", "/auth/time") | ("POST", "/auth/credential" | "/auth/oauth2/token")
        )
}

/// Lets a call in, or says why not.
pub(super) fn admit(world: &mut World, call: &Call) -> Result<(), Problem> {
    if is_open(call) {
        return Ok(());
    }
    if let Some(token) = call.header("authorization").and_then(|h| h.strip_prefix("Bearer ")) {
        let known = world.tokens.contains(token);
        return known.then_some(()).ok_or_else(|| Problem::new(401, "Client::Unauthorized", "Invalid access token"));
    }
    let Some(application) = call.header("x-ovh-application") else {
        return Err(Problem::coded(401, "Client::Unauthorized", "NOT_CREDENTIAL", "You must login first"));
    };
    if application != world.keys.application {
        return Err(Problem::coded(403, "Client::Forbidden", "INVALID_KEY", "This application key is invalid"));
    }
    let consumer = call.header("x-ovh-consumer").unwrap_or_default();
    let Some(credential) = world.credentials.get(consumer) else {
        return Err(Problem::coded(403, "Client::Forbidden", "INVALID_CREDENTIAL", "This credential does not exist"));
    };
    let timestamp = call.header("x-ovh-timestamp").unwrap_or_default();
    let now = world.now().as_second();
    let fresh = timestamp.parse::<i64>().is_ok_and(|t| (t - now).abs() <= TOLERANCE);
    if !fresh || call.header("x-ovh-signature") != Some(&signature(&world.keys.secret, consumer, call, timestamp)) {
        return Err(Problem::coded(400, "Client::BadRequest", "INVALID_SIGNATURE", "Invalid signature"));
    }
    if credential.state != CredentialState::Validated {
        return Err(Problem::coded(403, "Client::Forbidden", "INVALID_CREDENTIAL", "This credential is not valid"));
    }
    if call.path.starts_with("/auth/") || granted(&credential.rules, call) {
        return Ok(());
    }
    Err(Problem::coded(403, "Client::Forbidden", "NOT_GRANTED_CALL", "This call has not been granted"))
}

fn granted(rules: &[Rule], call: &Call) -> bool {
    let bare = call.path.strip_prefix("/v2").filter(|_| call.branch == Branch::V2).unwrap_or(&call.path);
    rules
        .iter()
        .any(|rule| glob(&rule.method, &call.method) && (glob(&rule.path, &call.path) || glob(&rule.path, bare)))
}

/// `/auth/...`
pub(super) fn route(world: &mut World, call: &Call, rest: &[&str]) -> Answer {
    match (call.method.as_str(), rest) {
        ("GET", ["time"]) => Ok(Reply::json(&Value::from(world.now().as_second()))),
        ("POST", ["credential"]) => credential(world, call),
        ("GET", ["currentCredential"]) => current(world, call),
        ("GET", ["details"]) => Ok(Reply::json(&details(world, call))),
        ("POST", ["oauth2", "token"]) => token(world, call),
        _ => Err(Problem::no_route()),
    }
}

/// `GET /me`, as much of it as tells whose account this is.
pub(super) fn me(world: &World) -> Reply {
    Reply::json(
        &json!({ "nichandle": nichandle(world), "email": "owner@mail.example", "country": "FR", "state": "complete" }),
    )
}

/// The customer's name.
pub(super) fn nichandle(world: &World) -> String {
    format!("ab{}-ovh", 12_345 + world.seed % 10_000)
}

/// Asks for a consumer key. A person then has to agree; in the sandbox, a test sets its state.
fn credential(world: &mut World, call: &Call) -> Answer {
    let application = call.header("x-ovh-application").unwrap_or_default();
    if application != world.keys.application {
        return Err(Problem::coded(403, "Client::Forbidden", "INVALID_KEY", "This application key is invalid"));
    }
    let rules = call.object()?.get("accessRules").cloned().ok_or_else(|| Problem::missing("accessRules"))?;
    let rules: Vec<Rule> = serde_json::from_value(rules).map_err(|e| Problem::bad(&format!("accessRules: {e}")))?;
    let id = world.id();
    let consumer: String = hex(&noise(world.seed, &format!("consumer key {id}"))).chars().take(32).collect();
    world.credentials.insert(consumer.clone(), Credential { id, state: CredentialState::PendingValidation, rules });
    Ok(Reply::json(&json!({
        "consumerKey": consumer, "state": CredentialState::PendingValidation,
        "validationUrl": format!("http://sandbox.invalid/auth/?credentialToken={id}"),
    })))
}

fn current(world: &World, call: &Call) -> Answer {
    let consumer = call.header("x-ovh-consumer").unwrap_or_default();
    let credential = world.credentials.get(consumer).ok_or_else(|| Problem::absent("credential", "current"))?;
    Ok(Reply::json(&json!({
        "credentialId": credential.id, "applicationId": 1_000 + world.seed % 1_000, "status": credential.state,
        "rules": credential.rules, "creation": EPOCH.to_string(), "expiration": null, "lastUse": null,
        "allowedIPs": null, "ovhSupport": false,
    })))
}

fn details(world: &World, call: &Call) -> Value {
    let consumer = call.header("x-ovh-consumer").and_then(|key| world.credentials.get(key));
    let nic = nichandle(world);
    let (method, identity) = match consumer {
        Some(_) => ("account", format!("urn:v1:eu:identity:account:{nic}")),
        None => {
            let client = &world.keys.client_id;
            ("oauth2_client_credentials", format!("urn:v1:eu:identity:credential:{nic}/oauth2-{client}"))
        }
    };
    json!({
        "account": nic, "method": method, "identities": [identity], "allowedRoutes": consumer.map(|c| &c.rules),
        "description": null, "roles": null, "user": null,
    })
}

/// OAuth2 client credentials: a form in, a bearer token out (RFC 6749 4.4).
fn token(world: &mut World, call: &Call) -> Answer {
    let form = pairs(&call.raw);
    let field = |name: &str| form.get(name).map_or("", String::as_str);
    if field("grant_type") != "client_credentials" {
        return Ok(Reply::with_status(400, &json!({ "error": "unsupported_grant_type" })));
    }
    if field("client_id") != world.keys.client_id || field("client_secret") != world.keys.client_secret {
        return Ok(Reply::with_status(401, &json!({ "error": "invalid_client" })));
    }
    let id = world.id();
    let token = hex(&noise(world.seed, &format!("access token {id}")));
    world.tokens.insert(token.clone());
    Ok(Reply::json(&json!({
        "access_token": token, "token_type": "Bearer", "expires_in": TOKEN_SECONDS, "scope": "all",
    })))
}
