//! What is sent, how often, and by whom.

use std::io::Read as _;

use rehome::{
    model::{Change, Credentials, PlatformKind, Secret},
    provider::{ErrorClass, Probe, open, open_reader},
};
use serde_json::json;
use sha1::{Digest as _, Sha1};
use wiremock::ResponseTemplate;

use super::api::{Api, SERVICE, account, addr, at, from_env, scope, service, shown, update};

const JOHN: &str = "john.smith@mydomain.ovh";

/// John's account now, and with another display name once the PUT was sent.
async fn john_renamed_by_put(api: &Api, looks_before: u64) {
    api.get_times(&at(JOHN), account(JOHN), looks_before).await;
    let mut after = account(JOHN);
    after["displayName"] = json!("Johnny");
    api.get(&at(JOHN), after).await;
}

#[tokio::test]
async fn what_is_signed_is_what_is_sent_in_the_servers_time() {
    let api = Api::email_pro().await;
    john_renamed_by_put(&api, 2).await;
    api.answer("PUT", &at(JOHN), 200, json!(null)).await;
    open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap();

    let requests = api.requests().await;
    let times = requests.iter().filter(|r| r.url.path() == "/1.0/auth/time").collect::<Vec<_>>();
    assert_eq!(times.len(), 1, "the clock is asked once");
    assert!(times[0].headers.get("x-ovh-signature").is_none() && times[0].headers.get("x-ovh-consumer").is_none());
    for r in requests.iter().filter(|r| r.url.path() != "/1.0/auth/time") {
        let header = |name: &str| r.headers.get(name).unwrap().to_str().unwrap();
        assert_eq!((header("x-ovh-application"), header("x-ovh-consumer")), ("AK", "CK"));
        let stamp: i64 = header("x-ovh-timestamp").parse().unwrap();
        // Both clocks tell whole seconds, so that their difference may be one too small.
        assert!((1_457_018_880..1_460_000_000).contains(&stamp), "the server's time, not ours: {stamp}");
        let host = r.headers.get("host").unwrap().to_str().unwrap();
        let query = r.url.query().map(|q| format!("?{q}")).unwrap_or_default();
        let url = format!("http://{host}{}{query}", r.url.path());
        let body = String::from_utf8(r.body.clone()).unwrap();
        let signed = format!("AS+CK+{}+{url}+{body}+{stamp}", r.method);
        let sum: String = Sha1::digest(signed.as_bytes()).iter().map(|b| format!("{b:02x}")).collect();
        assert_eq!(header("x-ovh-signature"), format!("$1${sum}"), "{signed}");
    }
    let put = requests.iter().find(|r| r.method.as_str() == "PUT").unwrap();
    assert_eq!(put.headers.get("content-type").unwrap(), "application/json;charset=utf-8");
    assert_eq!(put.body, br#"{"displayName":"Johnny"}"#, "only what changes is sent");
}

fn service_account(api: &Api) -> rehome::provider::PlatformConfig {
    let pair = [("client_id", "the-id"), ("client_secret", "the-secret")];
    let mut config = api.pro();
    config.credentials =
        Credentials(pair.into_iter().map(|(k, v)| (k.to_owned(), Secret::new(v.to_owned()))).collect());
    config.oauth_token_url = Some(format!("{}/token", api.server.uri()));
    config
}

fn token(value: &str, expires_in: u64) -> ResponseTemplate {
    ResponseTemplate::new(200).set_body_json(
        json!({ "access_token": value, "token_type": "Bearer", "expires_in": expires_in, "scope": "all" }),
    )
}

#[tokio::test]
async fn a_token_is_used_until_it_ends() {
    let api = Api::email_pro().await;
    api.raw("POST", "/token", token("t1", 3599)).await;
    let reader = open_reader(&service_account(&api)).unwrap();
    reader.imap_endpoint().await.unwrap();
    reader.imap_endpoint().await.unwrap();
    assert_eq!(api.count("POST", "/token").await, 1);
    let requests = api.requests().await;
    let form = String::from_utf8(requests[0].body.clone()).unwrap();
    assert_eq!(form, "grant_type=client_credentials&client_id=the-id&client_secret=the-secret&scope=all");
    let asked = requests.iter().find(|r| r.method.as_str() == "GET").unwrap();
    assert_eq!(asked.headers.get("authorization").unwrap(), "Bearer t1");
    assert!(asked.headers.get("x-ovh-signature").is_none());
}

#[tokio::test]
async fn an_ended_token_is_replaced_before_the_next_call() {
    let api = Api::email_pro().await;
    api.raw("POST", "/token", token("short", 0)).await;
    let reader = open_reader(&service_account(&api)).unwrap();
    reader.imap_endpoint().await.unwrap();
    reader.imap_endpoint().await.unwrap();
    assert_eq!(api.count("POST", "/token").await, 2);
}

#[tokio::test]
async fn a_refused_token_is_replaced_once() {
    let api = Api::start().await;
    api.times("POST", "/token", token("old", 3599), 1).await;
    api.raw("POST", "/token", token("new", 3599)).await;
    let base = format!("/1.0/email/pro/{SERVICE}");
    api.times("GET", &base, ResponseTemplate::new(401).set_body_json(json!({ "message": "token expired" })), 1).await;
    api.get_times(&base, service("ok"), 1).await;
    api.answer("GET", &base, 401, json!({ "class": "Client::Unauthorized", "message": "no" })).await;
    let reader = open_reader(&service_account(&api)).unwrap();
    reader.imap_endpoint().await.unwrap();
    assert_eq!(api.count("POST", "/token").await, 2);
    let error = reader.imap_endpoint().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Denied);
    assert_eq!(api.count("POST", "/token").await, 3, "and not in a loop");
}

#[tokio::test]
async fn a_wrong_client_secret_is_said_and_not_shown() {
    let api = Api::start().await;
    api.answer("POST", "/token", 400, json!({ "error": "invalid_client", "error_description": "unknown client" }))
        .await;
    let error = open_reader(&service_account(&api)).unwrap().imap_endpoint().await.unwrap_err();
    let text = shown(&error).replace(&api.server.uri(), "https://tokens");
    assert!(!text.contains("the-secret"));
    insta::assert_snapshot!(text, @r"
    asking pro where its mailboxes are opened
    POST https://tokens/token answered 401 invalid_client: unknown client
    help: check `client_id` and `client_secret`, or the three keys
    class: Denied
    ");
}

#[tokio::test]
async fn reads_are_repeated_while_the_platform_has_trouble() {
    for status in [408, 429, 500, 502, 503] {
        let api = Api::start().await;
        let base = format!("/1.0/email/pro/{SERVICE}");
        let trouble = ResponseTemplate::new(status).insert_header("Retry-After", "0").set_body_string("<html>");
        api.times("GET", &base, trouble, 3).await;
        api.get(&base, service("ok")).await;
        let endpoint = open_reader(&api.pro()).unwrap().imap_endpoint().await.unwrap();
        assert_eq!((endpoint.host.as_str(), endpoint.port), ("pro1.mail.ovh.net", 993), "{status}");
        assert_eq!(api.count("GET", &base).await, 4, "{status}");
    }
}

#[tokio::test]
async fn reads_give_up_in_the_end() {
    let api = Api::start().await;
    let base = format!("/1.0/email/pro/{SERVICE}");
    api.answer("GET", &base, 503, json!({ "message": "maintenance" })).await;
    let error = open_reader(&api.pro()).unwrap().imap_endpoint().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
    assert_eq!(api.count("GET", &base).await, 6);
}

#[tokio::test]
async fn a_long_retry_after_is_not_waited_for() {
    let api = Api::start().await;
    let base = format!("/1.0/email/pro/{SERVICE}");
    let wait =
        ResponseTemplate::new(429).insert_header("Retry-After", "86400").set_body_json(json!({ "message": "slow" }));
    api.raw("GET", &base, wait).await;
    let error = open_reader(&api.pro()).unwrap().imap_endpoint().await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Throttled);
    assert_eq!(api.count("GET", &base).await, 1);
}

#[tokio::test]
async fn a_write_that_may_have_been_done_is_not_repeated() {
    for status in [408, 500, 502, 503, 504] {
        let api = Api::email_pro().await;
        api.get(&at(JOHN), account(JOHN)).await;
        api.answer("PUT", &at(JOHN), status, json!({ "message": "internal error" })).await;
        let error = open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap_err();
        assert_eq!(error.class, ErrorClass::InDoubt, "{status}");
        assert_eq!(api.count("PUT", &at(JOHN)).await, 1, "{status}");
    }
}

#[tokio::test]
async fn a_write_is_repeated_when_nothing_was_done() {
    let busy = "This pop is already being processed: john@mydomain.ovh, please try later";
    let refusals = [
        ResponseTemplate::new(429).insert_header("Retry-After", "0").set_body_json(json!({ "message": "too many" })),
        ResponseTemplate::new(409).set_body_json(json!({ "message": busy })),
        ResponseTemplate::new(409)
            .set_body_json(json!({ "class": "Client::Conflict::UndesiredObjectStatus", "message": "not READY" })),
        ResponseTemplate::new(409).set_body_json(json!({ "message": "There is a pending task on this account" })),
    ];
    for refusal in refusals {
        let api = Api::email_pro().await;
        john_renamed_by_put(&api, 1).await;
        api.times("PUT", &at(JOHN), refusal, 2).await;
        api.answer("PUT", &at(JOHN), 200, json!(null)).await;
        open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap();
        assert_eq!(api.count("PUT", &at(JOHN)).await, 3);
    }
}

#[tokio::test]
async fn a_refused_write_is_not_repeated() {
    for (status, class) in [(400, ErrorClass::Refused), (403, ErrorClass::Denied), (409, ErrorClass::Conflict)] {
        let api = Api::email_pro().await;
        api.get(&at(JOHN), account(JOHN)).await;
        api.answer("PUT", &at(JOHN), status, json!({ "message": "no" })).await;
        let error = open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap_err();
        assert_eq!(error.class, class);
        assert_eq!(api.count("PUT", &at(JOHN)).await, 1);
    }
}

#[tokio::test]
async fn without_a_connection_nothing_was_sent() {
    let api = Api::email_pro().await;
    let mut config = api.pro();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    config.endpoint = Some(format!("http://{}/1.0", free.local_addr().unwrap()));
    drop(free);
    let error = open(&config).unwrap().perform(&update("Johnny"), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable, "{error:?}");
}

/// A server that answers reads and hangs up on the first write after it has read it.
fn hangs_up_on_writes() -> std::net::SocketAddr {
    use std::io::Write as _;
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let here = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { return };
            let mut request = [0; 4096];
            let Ok(n) = stream.read(&mut request) else { continue };
            let head = String::from_utf8_lossy(&request[..n]).into_owned();
            let body = match head.split(' ').nth(1) {
                Some("/1.0/auth/time") => "1457018881".to_owned(),
                Some(path) if path.contains("/account/") => account(JOHN).to_string(),
                _ => service("ok").to_string(),
            };
            if head.starts_with("GET") {
                let _ = write!(
                    stream,
                    "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
                    body.len()
                );
            }
        }
    });
    here
}

#[tokio::test]
async fn a_connection_lost_after_a_write_leaves_it_in_doubt() {
    let api = Api::start().await;
    let mut config = api.pro();
    config.endpoint = Some(format!("http://{}/1.0", hangs_up_on_writes()));
    let error = open(&config).unwrap().perform(&update("Johnny"), None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::InDoubt, "{error:?}");
}

#[tokio::test]
async fn readers_send_nothing_but_get() {
    let api = Api::email_pro().await;
    let base = format!("/1.0/email/pro/{SERVICE}");
    api.get(&format!("{base}/account"), json!([JOHN])).await;
    api.get(&format!("{base}/domain"), json!(["mydomain.ovh"])).await;
    api.get(&at(JOHN), account(JOHN)).await;
    let reader = open_reader(&api.pro()).unwrap();
    reader.observe(&scope(&[JOHN])).await.unwrap();
    reader.imap_endpoint().await.unwrap();
    assert_eq!(reader.probe(&update("Johnny")).await.unwrap(), Probe::NotDone);
    assert_eq!(reader.probe(&update("John Smith")).await.unwrap(), Probe::Done);
    reader.domain_ready(addr(JOHN).domain()).await.unwrap();
    assert!(api.writes().await.is_empty());
    assert!(api.requests().await.len() > 8);
}

#[tokio::test]
async fn a_change_that_is_made_is_not_made_again() {
    let api = Api::email_pro().await;
    api.get(&at(JOHN), account(JOHN)).await;
    open(&api.pro()).unwrap().perform(&update("John Smith"), None).await.unwrap();
    assert!(api.writes().await.is_empty());
}

#[tokio::test]
async fn a_configured_account_is_never_taken_for_a_slot() {
    let api = Api::email_pro().await;
    let create = Change::AccountCreate {
        address: addr("new@mydomain.ovh"),
        slot: Some(rehome::model::SlotId::from(JOHN)),
        profile: Box::default(),
        password: Box::new(from_env()),
    };
    let secret = Secret::new("Long-enough-1".to_owned());
    let error = open(&api.pro()).unwrap().perform(&create, Some(&secret)).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Refused);
    assert!(api.writes().await.is_empty());
}

#[tokio::test]
async fn a_password_against_the_services_policy_is_refused_before_the_slot_is_filled() {
    let api = Api::email_pro().await;
    let create = Change::AccountCreate {
        address: addr("new@mydomain.ovh"),
        slot: Some(rehome::model::SlotId::from("3f9a1c2b@configureme.me")),
        profile: Box::default(),
        password: Box::new(from_env()),
    };
    let error = open(&api.pro()).unwrap().perform(&create, Some(&Secret::new("short".to_owned()))).await.unwrap_err();
    let text = shown(&error);
    assert!(text.contains("at least 9 characters") && !text.contains("short"), "{text}");
    assert!(api.writes().await.is_empty());
}

#[tokio::test]
async fn a_service_that_takes_no_changes_gets_none() {
    let api = Api::start().await;
    api.get(&format!("/1.0/email/pro/{SERVICE}"), service("inMaintenance")).await;
    api.get(&at(JOHN), account(JOHN)).await;
    let error = open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap_err();
    assert!(shown(&error).contains("the service is inMaintenance"));
    assert!(api.writes().await.is_empty());
}

#[tokio::test]
async fn what_a_platform_cannot_hold_is_refused_without_a_call() {
    let api = Api::start().await;
    let rename = Change::AccountRename { from: addr(JOHN), to: addr("j@mydomain.ovh") };
    let config = api.config(PlatformKind::OvhMxplanLegacy, "mydomain.ovh");
    let error = open(&config).unwrap().perform(&rename, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported);
    let config = api.config(PlatformKind::Imap, "host");
    let error = open(&config).unwrap().perform(&rename, None).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unsupported);
    assert!(api.requests().await.is_empty());
}

#[tokio::test]
async fn an_address_that_lingers_elsewhere_is_claimed_again_for_a_while() {
    let api = Api::email_pro().await;
    let slot = "3f9a1c2b@configureme.me";
    let new = "new@mydomain.ovh";
    api.get(&at(slot), json!({ "configured": false, "state": "ok", "taskPendingId": 0 })).await;
    let gone = || ResponseTemplate::new(404).set_body_json(json!({ "message": "does not exist" }));
    api.times("GET", &at(new), gone(), 2).await;
    api.get(&at(new), account(new)).await;
    let used = ResponseTemplate::new(409).set_body_json(json!({ "message": "This address is already used" }));
    api.times("PUT", &at(slot), used, 3).await;
    api.answer("PUT", &at(slot), 200, json!(null)).await;
    api.answer("POST", &format!("{}/changePassword", at(new)), 200, json!({ "id": 1, "status": "todo" })).await;
    let create = Change::AccountCreate {
        address: addr(new),
        slot: Some(rehome::model::SlotId::from(slot)),
        profile: Box::default(),
        password: Box::new(from_env()),
    };
    let secret = Secret::new("Long-enough-1".to_owned());
    open(&api.pro()).unwrap().perform(&create, Some(&secret)).await.map_err(|e| shown(&e)).unwrap();
    assert_eq!(api.count("PUT", &at(slot)).await, 4);
}

/// An alias is freed on one platform and added on the next in one breath. Of an alias Zimbra says with 400 that it is
/// used, everybody else with 409.
#[tokio::test]
async fn an_alias_that_lingers_elsewhere_is_claimed_again_for_a_while() {
    let (account_path, alias) = (at("john.smith@mydomain.ovh"), "j.smith@mydomain.ovh");
    let change = Change::AliasAdd { account: addr("john.smith@mydomain.ovh"), alias: addr(alias) };
    for (status, class) in [(409, "Client::Conflict::Used"), (400, "Client::BadRequest::AliasAlreadyUsed")] {
        let api = Api::email_pro().await;
        api.get(&account_path, account("john.smith@mydomain.ovh")).await;
        let list = format!("{account_path}/alias");
        let row = format!("{list}/j.smith%40mydomain.ovh");
        api.times("GET", &row, ResponseTemplate::new(404).set_body_json(json!({ "message": "none" })), 1).await;
        api.get(&row, json!({ "alias": alias, "taskPendingId": 0 })).await;
        let used = ResponseTemplate::new(status).set_body_json(json!({ "class": class, "message": "already used" }));
        api.times("POST", &list, used, 2).await;
        api.answer("POST", &list, 200, json!({ "id": 1, "function": "addAlias", "status": "todo" })).await;
        open(&api.pro()).unwrap().perform(&change, None).await.map_err(|e| shown(&e)).unwrap();
        assert_eq!(api.count("POST", &list).await, 3, "{class}");
    }
}

#[tokio::test]
async fn a_password_that_the_platform_quotes_is_not_shown() {
    let api = Api::email_pro().await;
    api.get(&at(JOHN), account(JOHN)).await;
    let body = json!({ "message": "`Hunter2-hunter2` is too weak", "details": { "unauthorizedActionsByIAM": "Hunter2-hunter2" } });
    api.answer("POST", &format!("{}/changePassword", at(JOHN)), 400, body).await;
    let change = Change::AccountPassword { address: addr(JOHN), password: Box::new(from_env()) };
    let secret = Secret::new("Hunter2-hunter2".to_owned());
    let error = open(&api.pro()).unwrap().perform(&change, Some(&secret)).await.unwrap_err();
    let text = format!("{} {error:?}", shown(&error));
    assert!(text.contains("`***` is too weak") && !text.contains("Hunter2"), "{text}");
}
