//! Faults, and counters that prove which effect happened.

use rehome::sandbox::api::{Fault, FaultKind, When};
use serde_json::{Value, json};

use super::harness::{Stage, exchange};

const EFFECT: &str = "effect.setAccount hosted-ab12345-1 john@blue.example";
const CALL: &str = "mutating.PUT /email/exchange/hosted-ab12345-1/service/hosted-ab12345-1/account/john@blue.example";

async fn set(stage: &Stage) -> reqwest::Result<super::harness::Got> {
    let path = exchange("/account/john%40blue.example");
    stage.call("PUT", &path, Some(json!({ "displayName": "John" }))).await
}

fn fault(kind: FaultKind, when: When) -> Fault {
    Fault::once("PUT", "/email/exchange/*", kind, when)
}

#[tokio::test]
async fn a_5xx_before_the_effect_leaves_no_effect_and_one_after_it_does() {
    for (when, effects) in [(When::Before, 0), (When::After, 1)] {
        let stage = Stage::new().await;
        stage.api.faults().add(fault(FaultKind::Status { code: 503, retry_after: None }, when));
        assert_eq!(set(&stage).await.unwrap().status, 503);
        stage.api.idle().await;
        assert_eq!((stage.count(CALL), stage.count(EFFECT)), (1, effects), "{when:?}");
        set(&stage).await.unwrap().ok();
        stage.api.idle().await;
        assert_eq!((stage.count(CALL), stage.count(EFFECT)), (2, effects + 1), "the fault was for one call");
    }
}

#[tokio::test]
async fn a_dropped_connection_gives_no_answer_and_the_effect_is_there_or_not() {
    for (when, effects) in [(When::Before, 0), (When::After, 1)] {
        let stage = Stage::new().await;
        stage.api.faults().add(fault(FaultKind::Drop, when));
        assert!(set(&stage).await.is_err());
        stage.api.idle().await;
        assert_eq!(stage.count(EFFECT), effects, "{when:?}");
        stage.get("/1.0/me").await.ok();
    }
}

#[tokio::test]
async fn too_many_requests_say_when_to_come_back_or_not() {
    let stage = Stage::new().await;
    for retry_after in [Some(2), None] {
        let body = json!({ "match": { "method": "GET", "path": "/me" }, "kind": "status", "code": 429, "retry_after": retry_after });
        assert_eq!(stage.plain("POST", "/sandbox/faults", &body.to_string()).await.status, 200);
        let got = stage.get("/1.0/me").await;
        assert_eq!(got.status, 429);
        let header = got.headers.get("Retry-After").map(|v| v.to_str().unwrap().to_owned());
        assert_eq!(header, retry_after.map(|s: u64| s.to_string()));
    }
    assert_eq!(stage.plain("GET", "/sandbox/faults", "").await.ok()[0]["fired"], 1);
}

#[tokio::test]
async fn wrong_bodies_are_html_half_json_or_another_type() {
    let stage = Stage::new().await;
    let path = exchange("");
    let whole = stage.get(&path).await.ok();
    for kind in [FaultKind::Html, FaultKind::HalfJson, FaultKind::WrongType] {
        stage.api.faults().add(Fault::once("GET", "*", kind.clone(), When::After));
        let got = stage.get(&path).await;
        assert_eq!(got.status, 200);
        match kind {
            FaultKind::WrongType => assert!(got.body.is_string()),
            _ => assert!(serde_json::from_str::<Value>(&got.text).is_err(), "{}", got.text),
        }
    }
    assert_eq!(stage.get(&path).await.ok(), whole);
}

#[tokio::test]
async fn faults_are_taken_away_together() {
    let stage = Stage::new().await;
    let all =
        Fault { times: 0, ..Fault::once("*", "*", FaultKind::Status { code: 500, retry_after: None }, When::Before) };
    stage.api.faults().add(all);
    assert_eq!(stage.get("/1.0/me").await.status, 500);
    assert_eq!(stage.get("/1.0/me").await.status, 500);
    assert_eq!(stage.plain("DELETE", "/sandbox/faults", "").await.status, 200);
    stage.get("/1.0/me").await.ok();
    stage.api.faults().add(Fault::once("*", "*", FaultKind::Latency { ms: 1 }, When::Before));
    stage.get("/1.0/me").await.ok();
}

#[tokio::test]
async fn reads_are_no_mutating_calls_and_controls_are_not_counted() {
    let stage = Stage::new().await;
    stage.get(&exchange("/account")).await.ok();
    stage.plain("GET", "/1.0/auth/time", "").await.ok();
    stage.api.counters().add("imap.exchange.APPEND");
    let shown = stage.plain("GET", "/sandbox/counters", "").await.ok();
    assert_eq!(shown["total"], json!({ "api": 2, "mutating": 0, "effect": 0, "imap": 1, "dns": 0 }));
    set(&stage).await.unwrap().ok();
    stage.api.idle().await;
    let shown = stage.plain("GET", "/sandbox/counters", "").await.ok();
    assert_eq!(shown["total"]["mutating"], 1);
    assert_eq!(shown["counts"]["effect"]["setAccount hosted-ab12345-1 john@blue.example"], 1);
    let world = stage.plain("GET", "/sandbox/world", "").await.ok();
    assert_eq!(world, stage.api.dump().await);
    let john = &world["hosted"]["hosted-ab12345-1"]["accounts"]["john@blue.example"];
    assert_eq!((&john["octets"], &john["fields"]["displayName"]), (&json!(5_000), &json!("John")));
}
