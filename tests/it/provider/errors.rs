//! Error bodies of the API, as people read them.

use rehome::{
    model::{Credentials, PlatformId, PlatformKind, ServiceState},
    provider::{ErrorClass, PlatformConfig, ProviderError, open, open_reader},
};
use serde_json::{Value, json};
use wiremock::ResponseTemplate;

use super::api::{Api, SERVICE, account, at, scope, shown, update};

const JOHN: &str = "john.smith@mydomain.ovh";

async fn put_answers(answer: ResponseTemplate) -> ProviderError {
    let api = Api::email_pro().await;
    api.get(&at(JOHN), account(JOHN)).await;
    api.raw("PUT", &at(JOHN), answer).await;
    open(&api.pro()).unwrap().perform(&update("Johnny"), None).await.unwrap_err()
}

fn body(status: u16, body: Value) -> ResponseTemplate {
    ResponseTemplate::new(status).insert_header("X-Ovh-QueryID", "EU.ext-1.abc").set_body_json(body)
}

#[tokio::test]
async fn a_missing_grant_names_method_and_path() {
    let error = put_answers(body(
        403,
        json!({ "errorCode": "NOT_GRANTED_CALL", "httpCode": "403 Forbidden", "message": "This call has not been granted" }),
    ))
    .await;
    insta::assert_snapshot!(shown(&error), @"
    account.update john.smith@mydomain.ovh on pro
    PUT /email/pro/emailpro-ab12345-1/account/john.smith%40mydomain.ovh answered 403 NOT_GRANTED_CALL: This call has not been granted (query EU.ext-1.abc)
    help: make a consumer key that grants `PUT /email/pro/emailpro-ab12345-1/account/john.smith%40mydomain.ovh`; `/email/*` covers all that rehome asks for
    class: Denied
    ");
}

#[tokio::test]
async fn missing_rights_of_a_policy_are_listed() {
    let error = put_answers(body(
        403,
        json!({
            "class": "Client::Forbidden", "message": "User not granted for this request",
            "details": { "unauthorizedActionsByIAM": "emailPro:apiovh:account/edit" },
        }),
    ))
    .await;
    insta::assert_snapshot!(shown(&error), @"
    account.update john.smith@mydomain.ovh on pro
    PUT /email/pro/emailpro-ab12345-1/account/john.smith%40mydomain.ovh answered 403 Client::Forbidden: User not granted for this request (query EU.ext-1.abc)
    help: add these rights to the IAM policy of the identity: emailPro:apiovh:account/edit
    class: Denied
    ");
}

#[tokio::test]
async fn every_error_code_has_its_class_and_help() {
    let rows = [
        (
            400,
            json!({ "message": "Invalid signature" }),
            ErrorClass::Denied,
            "check `application_secret` and the clock",
        ),
        (400, json!({ "class": "Client::BadRequest::Invalid", "message": "bad login" }), ErrorClass::Refused, ""),
        (401, json!({ "message": "who?" }), ErrorClass::Denied, "check `client_id`"),
        (
            403,
            json!({ "errorCode": "NOT_CREDENTIAL", "message": "x" }),
            ErrorClass::Denied,
            "consumer key is not valid",
        ),
        (
            403,
            json!({ "errorCode": "INVALID_CREDENTIAL", "message": "x" }),
            ErrorClass::Denied,
            "consumer key is not valid",
        ),
        (
            403,
            json!({ "errorCode": "INVALID_KEY", "message": "x" }),
            ErrorClass::Denied,
            "application key is not valid",
        ),
        (403, json!({ "errorCode": "FORBIDDEN", "message": "x" }), ErrorClass::Denied, "give the identity the right"),
        (404, json!({ "message": "The requested object does not exist" }), ErrorClass::NotFound, ""),
        (409, json!({ "message": "already used" }), ErrorClass::Conflict, ""),
        (460, json!({ "message": "This service is expired" }), ErrorClass::Refused, "renew the service"),
        (500, json!({ "message": "oops" }), ErrorClass::InDoubt, "running it again is safe"),
        (302, json!({}), ErrorClass::Unreachable, "check `endpoint`"),
    ];
    for (status, json, class, help) in rows {
        let error = put_answers(body(status, json)).await;
        assert_eq!(error.class, class, "{}", shown(&error));
        let said = error.help.clone().unwrap_or_default();
        assert!(said.contains(help) && (help.is_empty() == said.is_empty()), "{status}: {said}");
        assert!(shown(&error).contains("(query EU.ext-1.abc)"));
    }
}

#[tokio::test]
async fn bodies_that_are_not_json_are_quoted_and_never_a_panic() {
    let html = "<html><head><title>504</title></head>\n<body>Gateway   Time-out</body></html>";
    for (status, text) in [(504, html), (400, "{\"message\": \"half"), (500, ""), (404, "\u{1}\u{2}"), (409, "[]")] {
        let answer = ResponseTemplate::new(status).insert_header("X-Ovh-QueryID", "EU.q").set_body_string(text);
        let error = put_answers(answer).await;
        let said = shown(&error);
        assert!(said.contains(&format!("answered {status}")) && said.contains("(query EU.q)"), "{said}");
    }
    let said = shown(&put_answers(ResponseTemplate::new(504).set_body_string(html)).await);
    assert!(
        said.contains("a body that is not JSON: `<html><head><title>504</title></head> <body>Gateway Time-out"),
        "{said}"
    );
}

#[tokio::test]
async fn a_success_without_json_is_nonsense_to_a_read_and_in_doubt_to_a_write() {
    let answer = || ResponseTemplate::new(200).insert_header("X-Ovh-QueryID", "EU.q").set_body_string("<html>portal");
    let error = put_answers(answer()).await;
    assert_eq!(error.class, ErrorClass::InDoubt);
    insta::assert_snapshot!(shown(&error), @"
    account.update john.smith@mydomain.ovh on pro
    PUT /email/pro/emailpro-ab12345-1/account/john.smith%40mydomain.ovh: answered 200 with a body that is not JSON: `<html>portal` (query EU.q)
    class: InDoubt
    ");
    let api = Api::start().await;
    api.raw("GET", &format!("/1.0/email/pro/{SERVICE}"), answer()).await;
    let error = open_reader(&api.pro()).unwrap().observe(&scope(&[])).await.unwrap_err();
    assert_eq!(error.class, ErrorClass::Unreachable);
}

#[tokio::test]
async fn a_service_that_is_not_there_is_answered_with_those_that_are() {
    let api = Api::start().await;
    api.get("/1.0/email/pro", json!(["emailpro-ab12345-2", "emailpro-ab12345-3"])).await;
    let error = open_reader(&api.pro()).unwrap().observe(&scope(&[])).await.unwrap_err();
    insta::assert_snapshot!(shown(&error), @"
    reading pro
    there is no service at /email/pro/emailpro-ab12345-1
    help: these credentials see: emailpro-ab12345-2, emailpro-ab12345-3
    class: NotFound
    ");
}

#[tokio::test]
async fn an_expired_service_is_shown_as_such_and_hides_nothing() {
    let api = Api::start().await;
    let base = format!("/1.0/email/pro/{SERVICE}");
    api.answer("GET", &base, 460, json!({ "message": "This service is expired" })).await;
    let view = open_reader(&api.pro()).unwrap().observe(&scope(&[])).await.unwrap();
    assert_eq!(view.service.state, ServiceState::Unavailable("expired".to_owned()));
    assert!(!view.complete(rehome::model::ObjectClass::Account));
}

#[tokio::test]
async fn a_task_that_fails_is_the_changes_failure() {
    let api = Api::email_pro().await;
    api.get(&at(JOHN), account(JOHN)).await;
    let task = json!({ "id": 7, "function": "changePassword", "status": "todo" });
    api.answer("POST", &format!("{}/changePassword", at(JOHN)), 200, task).await;
    let task = |status| json!({ "id": 7, "function": "changePassword", "status": status });
    let path = format!("/1.0/email/pro/{SERVICE}/task/7");
    for status in ["todo", "doing", "aWordOfTomorrow"] {
        api.get_times(&path, task(status), 1).await;
    }
    api.get(&path, task("error")).await;
    let change = rehome::model::Change::AccountPassword {
        address: super::api::addr(JOHN),
        password: Box::new(super::api::from_env()),
    };
    let secret = rehome::model::Secret::new("Long-enough-1".to_owned());
    let error = open(&api.pro()).unwrap().perform(&change, Some(&secret)).await.unwrap_err();
    insta::assert_snapshot!(shown(&error), @"
    account.password john.smith@mydomain.ovh on pro
    the platform's task changePassword ended as error
    class: Refused
    ");
}

#[test]
fn a_platform_that_cannot_be_opened_says_what_is_missing() {
    let config = PlatformConfig {
        service: Some("x".to_owned()),
        credentials: Credentials::default(),
        ..PlatformConfig::new(PlatformId::from("pro"), PlatformKind::OvhEmailPro)
    };
    let error = open_reader(&config).err().unwrap();
    insta::assert_snapshot!(shown(&error), @"
    opening platform pro
    credentials lack application_key, application_secret, consumer_key
    help: give `application_key`, `application_secret` and `consumer_key`, or `client_id` and `client_secret` of a service account
    class: Denied
    ");
}
