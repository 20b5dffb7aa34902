//! Signatures, clocks, rights, states of services.

use std::time::Duration;

use rehome::sandbox::api::world::{CredentialState, Rule};
use serde_json::json;

use super::harness::{EMAIL_PRO, Stage, client, exchange, furnish, pro, zimbra};

#[tokio::test]
async fn a_right_signature_is_let_in_on_all_three_branches() {
    let stage = Stage::new().await;
    assert_eq!(stage.get("/1.0/email/pro").await.ok(), json!([EMAIL_PRO]));
    assert_eq!(stage.get("/v1/email/pro").await.ok(), json!([EMAIL_PRO]));
    assert_eq!(stage.get("/v2/zimbra/platform").await.ok()[0]["resourceStatus"], "READY");
    let got = stage.get("/1.0/me").await;
    assert!(got.headers.contains_key("x-ovh-queryid"));
}

#[tokio::test]
async fn a_wrong_signature_is_refused_with_400() {
    let mut stage = Stage::new().await;
    stage.secret = "not the secret".to_owned();
    let got = stage.get("/1.0/me").await;
    assert_eq!(got.body["message"], "Invalid signature");
    assert_eq!(got.status, 400);
    assert!(got.headers.contains_key("x-ovh-queryid"));
}

#[tokio::test]
async fn the_clock_of_auth_time_is_the_one_that_signatures_are_checked_by() {
    let mut stage = Stage::new().await;
    stage.api.edit(|w| w.settings.clock_skew = 7_200);
    assert_eq!(stage.get("/1.0/me").await.refused(400), "Invalid signature");
    let told = stage.plain("GET", "/1.0/auth/time", "").await.ok().as_i64().unwrap();
    stage.clock = told - jiff::Timestamp::now().as_second();
    assert!((7_195..=7_205).contains(&stage.clock));
    stage.get("/1.0/me").await.ok();
}

#[tokio::test]
async fn unsigned_unknown_and_unvalidated_keys_are_told_apart() {
    let stage = Stage::new().await;
    assert_eq!(stage.plain("GET", "/1.0/me", "").await.body["errorCode"], "NOT_CREDENTIAL");
    let key = stage.api.edit(|w| w.keys.consumer.clone());
    stage.api.edit(|w| w.credentials.get_mut(&key).unwrap().state = CredentialState::Expired);
    let got = stage.get("/1.0/me").await;
    assert_eq!((got.status, got.body["errorCode"].as_str()), (403, Some("INVALID_CREDENTIAL")));
    stage.api.edit(|w| w.credentials.clear());
    assert_eq!(stage.get("/1.0/me").await.body["errorCode"], "INVALID_CREDENTIAL");
}

#[tokio::test]
async fn a_call_outside_the_rules_of_the_key_is_not_granted_and_does_nothing() {
    let stage = Stage::new().await;
    let rules = json!([{ "method": "GET", "path": "/email/*" }, { "method": "GET", "path": "/zimbra/*" }]);
    assert_eq!(stage.plain("PUT", "/sandbox/rights", &rules.to_string()).await.status, 200);
    stage.get(&pro("")).await.ok();
    stage.get(&zimbra("")).await.ok();
    let got = stage.put(&exchange("/account/john%40blue.example"), json!({ "displayName": "J" })).await;
    assert_eq!((got.status, got.body["errorCode"].as_str()), (403, Some("NOT_GRANTED_CALL")));
    stage.api.idle().await;
    assert_eq!(stage.count("effect.setAccount hosted-ab12345-1 john@blue.example"), 0);
    let current = stage.get("/1.0/auth/currentCredential").await.ok();
    assert_eq!(current["rules"], rules);
    assert_eq!(current["status"], "validated");
}

#[tokio::test]
async fn a_rule_for_a_path_does_not_cover_what_is_below_it() {
    let stage = Stage::new().await;
    let key = stage.api.edit(|w| w.keys.consumer.clone());
    stage.api.edit(|w| w.credentials.get_mut(&key).unwrap().rules = vec![Rule::new("GET", "/email/pro")]);
    stage.get("/1.0/email/pro").await.ok();
    stage.get(&pro("")).await.refused(403);
}

#[tokio::test]
async fn a_service_account_gets_a_token_that_both_branches_take() {
    let stage = Stage::new().await;
    let (id, secret) = stage.api.edit(|w| (w.keys.client_id.clone(), w.keys.client_secret.clone()));
    let form = |secret: &str| format!("grant_type=client_credentials&client_id={id}&client_secret={secret}&scope=all");
    assert_eq!(stage.plain("POST", "/1.0/auth/oauth2/token", &form("wrong")).await.status, 401);
    let token = stage.plain("POST", "/1.0/auth/oauth2/token", &form(&secret)).await.ok();
    assert_eq!(token["token_type"], "Bearer");
    let bearer = format!("Bearer {}", token["access_token"].as_str().unwrap());
    let http = client();
    for path in ["/1.0/email/pro", "/v2/zimbra/platform"] {
        let url = format!("http://{}{path}", stage.api.address());
        assert_eq!(http.get(&url).header("Authorization", &bearer).send().await.unwrap().status(), 200);
        assert_eq!(http.get(&url).header("Authorization", "Bearer x").send().await.unwrap().status(), 401);
    }
}

#[tokio::test]
async fn an_expired_service_answers_460_and_a_suspended_one_refuses_changes() {
    let stage = Stage::new().await;
    assert_eq!(stage.plain("PUT", &format!("/sandbox/service/{EMAIL_PRO}"), r#"{"expired":true}"#).await.status, 200);
    assert_eq!(stage.get(&pro("")).await.refused(460), "This service is expired");
    let body = r#"{"expired":false,"state":"suspended"}"#;
    assert_eq!(stage.plain("PUT", &format!("/sandbox/service/{EMAIL_PRO}"), body).await.status, 200);
    assert_eq!(stage.get(&pro("")).await.ok()["state"], "suspended");
    let slot = stage.slot(EMAIL_PRO);
    stage.put(&pro(&format!("/account/{slot}")), json!({ "displayName": "x" })).await.refused(403);
}

#[tokio::test]
async fn the_same_seed_makes_the_same_world_and_another_seed_another_one() {
    let dump = async |seed| Stage::with(furnish(seed), Duration::ZERO).await.api.dump().await;
    assert_eq!(dump(7).await, dump(7).await);
    assert_ne!(dump(7).await, dump(8).await);
}
