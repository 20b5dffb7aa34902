//! DNS zones.

use rehome::sandbox::api::PublicDns as _;
use serde_json::{Value, json};

use super::harness::Stage;

fn blue(rest: &str) -> String {
    format!("/1.0/domain/zone/blue.example{rest}")
}

#[tokio::test]
async fn records_are_invisible_until_the_zone_is_refreshed() {
    let stage = Stage::new().await;
    assert_eq!(stage.dns.lookup("blue.example", "MX"), ["10 mx.old.example"]);
    let id = stage.get(&blue("/record?fieldType=MX&subDomain=")).await.ok()[0].clone();
    stage.put(&blue(&format!("/record/{id}")), json!({ "target": "1 mx0.mail.ovh.net." })).await.ok();
    let spf = json!({ "fieldType": "SPF", "subDomain": "", "target": "\"v=spf1 include:mx.ovh.com ~all\"", "ttl": 0 });
    let made = stage.post(&blue("/record"), spf).await.ok();
    assert_eq!(made["zone"], "blue.example");
    assert_eq!(stage.get(&blue("/status")).await.ok()["isDeployed"], false);
    assert_eq!(stage.dns.lookup("blue.example", "MX"), ["10 mx.old.example"]);

    assert_eq!(stage.call("POST", &blue("/refresh"), None).await.unwrap().ok(), Value::Null);
    stage.api.idle().await;
    assert_eq!(stage.get(&blue("/status")).await.ok()["isDeployed"], true);
    assert_eq!(stage.dns.lookup("blue.example", "MX"), ["1 mx0.mail.ovh.net"]);
    assert_eq!(stage.dns.lookup("blue.example", "TXT"), ["v=spf1 include:mx.ovh.com ~all"]);
    assert!(stage.get(&blue("/export")).await.ok().as_str().unwrap().contains("IN MX\t1 mx0.mail.ovh.net."));
    assert_eq!(stage.get(&blue("/history")).await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn what_cannot_stand_together_is_refused_and_types_do_not_change() {
    let stage = Stage::new().await;
    let cname = |sub: &str| json!({ "fieldType": "CNAME", "subDomain": sub, "target": "ovh.com." });
    stage.post(&blue("/record"), cname("")).await.refused(409);
    let made = stage.post(&blue("/record"), cname("ab1cd-check")).await.ok();
    stage.post(&blue("/record"), cname("ab1cd-check")).await.refused(409);
    let path = blue(&format!("/record/{}", made["id"]));
    stage.put(&path, json!({ "fieldType": "TXT", "target": "x" })).await.refused(400);
    stage.post(&blue("/record"), json!({ "fieldType": "MX", "subDomain": "@", "target": "1 a." })).await.refused(400);
    stage.delete(&path).await.ok();
    stage.get(&path).await.refused(404);
    assert_eq!(stage.get("/1.0/domain/zone").await.ok(), json!(["blue.example"]));
    stage.get("/1.0/domain/zone/none.example/record").await.refused(404);
}

#[tokio::test]
async fn two_refreshes_do_not_queue() {
    let stage = Stage::with(super::harness::furnish(7), std::time::Duration::from_secs(3_600)).await;
    stage.call("POST", &blue("/refresh"), None).await.unwrap().ok();
    stage.call("POST", &blue("/refresh"), None).await.unwrap().refused(409);
    assert_eq!(stage.get(&blue("/status")).await.ok()["isDeployed"], false);
}
