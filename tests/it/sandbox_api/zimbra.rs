//! Zimbra on v2.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{Stage, ZIMBRA, furnish, zimbra};

async fn create(stage: &Stage, email: &str) -> Value {
    let spec = json!({ "email": email, "offer": "PRO", "password": "Sandbox-0001", "displayName": "M" });
    stage.post(&zimbra("/account"), json!({ "targetSpec": spec })).await.ok()
}

#[tokio::test]
async fn an_account_is_created_renamed_and_deleted_and_frees_its_slot() {
    let stage = Stage::new().await;
    let made = create(&stage, "max@blue.example").await;
    assert_eq!(made["resourceStatus"], "CREATING");
    assert_eq!(made["currentTasks"].as_array().unwrap().len(), 1);
    stage.api.idle().await;
    let path = zimbra(&format!("/account/{}", made["id"].as_str().unwrap()));
    let shown = stage.get(&path).await.ok();
    assert_eq!((&shown["resourceStatus"], &shown["currentTasks"]), (&json!("READY"), &json!([])));
    assert_eq!(stage.get(&zimbra("/slot?used=true")).await.ok()[0]["currentState"]["email"], "max@blue.example");

    let alias = json!({ "targetSpec": { "alias": "m@blue.example", "targetId": made["id"] } });
    stage.post(&zimbra("/alias"), alias).await.ok();
    stage.api.idle().await;
    let rename = json!({ "checksum": shown["checksum"], "targetSpec": { "email": "max01@blue.example" } });
    let renamed = stage.put(&path, rename).await.ok();
    assert_eq!(renamed["resourceStatus"], "UPDATING");
    stage.api.idle().await;
    assert_eq!(stage.get(&path).await.ok()["currentState"]["email"], "max01@blue.example");
    assert_eq!(stage.mail.get(ZIMBRA, "max01@blue.example").unwrap().password, "Sandbox-0001");

    stage.delete(&path).await.ok();
    stage.api.idle().await;
    stage.get(&path).await.refused(404);
    assert_eq!(stage.get(&zimbra("/alias")).await.ok(), json!([]));
    assert_eq!(stage.get(&zimbra("/slot?used=false")).await.ok().as_array().unwrap().len(), 4);
    assert_eq!(stage.mail.get(ZIMBRA, "max01@blue.example"), None);
}

#[tokio::test]
async fn a_stale_checksum_is_refused_with_412() {
    let stage = Stage::new().await;
    let made = create(&stage, "max@blue.example").await;
    stage.api.idle().await;
    let path = zimbra(&format!("/account/{}", made["id"].as_str().unwrap()));
    let change = |checksum: &Value| json!({ "checksum": checksum, "targetSpec": { "displayName": "Max" } });
    let after = stage.put(&path, change(&made["checksum"])).await.ok();
    assert_ne!(after["checksum"], made["checksum"]);
    stage.api.idle().await;
    let class = stage.put(&path, change(&made["checksum"])).await.class(412);
    assert_eq!(class, "Client::PreconditionFailed::InvalidChecksum");
    stage.put(&path, change(&after["checksum"])).await.ok();
}

#[tokio::test]
async fn an_unsettled_object_takes_no_change() {
    let stage = Stage::with(furnish(7), Duration::from_secs(3_600)).await;
    let made = create(&stage, "max@blue.example").await;
    let path = zimbra(&format!("/account/{}", made["id"].as_str().unwrap()));
    let class = stage.put(&path, json!({ "targetSpec": { "displayName": "x" } })).await.class(409);
    assert_eq!(class, "Client::Conflict::UndesiredObjectStatus");
    let alias = json!({ "targetSpec": { "alias": "m@blue.example", "targetId": made["id"] } });
    let class = stage.post(&zimbra("/alias"), alias).await.class(409);
    assert_eq!(class, "Client::Conflict::AliasTargetObjectNotReady");
}

#[tokio::test]
async fn refusals_are_typed() {
    let stage = Stage::new().await;
    let post = async |email: &str, offer: &str, password: &str| {
        let spec = json!({ "email": email, "offer": offer, "password": password });
        stage.post(&zimbra("/account"), json!({ "targetSpec": spec })).await
    };
    let used = post("john@blue.example", "PRO", "Sandbox-0001").await.class(409);
    assert_eq!(used, "Client::Conflict::AccountEmailAddressAlreadyUsed");
    let weak = post("max@blue.example", "PRO", "sandbox").await.class(400);
    assert_eq!(weak, "Client::BadRequest::InvalidPasswordNotMatchingPolicy");
    let nowhere = post("max@nowhere.example", "PRO", "Sandbox-0001").await.class(404);
    assert_eq!(nowhere, "Client::NotFound::DomainNotFound");
    for name in ["aa", "bb"] {
        create(&stage, &format!("{name}@blue.example")).await;
    }
    let full = post("cc@blue.example", "PRO", "Sandbox-0001").await.class(400);
    assert_eq!(full, "Client::BadRequest::NoSlotAvailable");
    assert_eq!(stage.get("/v2/zimbra/platform/none/account").await.class(404), "Client::NotFound::PlatformNotFound");
}

#[tokio::test]
async fn pages_follow_each_other_by_cursor_until_there_is_none() {
    let stage = Stage::new().await;
    let (mut seen, mut cursor, mut pages) = (Vec::new(), None::<String>, 0);
    loop {
        let mut headers = vec![("X-Pagination-Size", "3")];
        if let Some(cursor) = &cursor {
            headers.push(("X-Pagination-Cursor", cursor));
        }
        let got = stage.call_with("GET", &zimbra("/slot"), None, &headers).await.unwrap();
        let next = got.headers.get("X-Pagination-Cursor-Next").map(|v| v.to_str().unwrap().to_owned());
        seen.extend(got.ok().as_array().unwrap().iter().map(|s| s["id"].as_str().unwrap().to_owned()));
        pages += 1;
        cursor = next;
        if cursor.is_none() {
            break;
        }
    }
    let all = stage.get(&zimbra("/slot")).await.ok();
    assert_eq!((pages, seen.len()), (2, all.as_array().unwrap().len()));
    seen.dedup();
    assert_eq!(seen.len(), 4);
}

#[tokio::test]
async fn a_domain_lives_in_an_organisation_and_is_diagnosed() {
    let stage = Stage::new().await;
    let organization = stage.get(&zimbra("/organization")).await.ok()[0]["id"].clone();
    let spec = |name: &str| {
        json!({ "targetSpec": {
            "name": name, "organizationId": organization, "autoConfigureMX": false, "autoConfigureSPF": false,
            "autoConfigureDKIM": false,
        } })
    };
    let made = stage.post(&zimbra("/domain"), spec("red.example")).await.ok();
    stage.api.idle().await;
    let id = made["id"].as_str().unwrap();
    let shown = stage.get(&zimbra(&format!("/domain/{id}"))).await.ok();
    assert_eq!(shown["resourceStatus"], "READY");
    assert_eq!(shown["currentState"]["expectedDNSConfig"]["mx"][0]["target"], "mx0.mail.ovh.net.");
    let rows = stage.post(&zimbra("/diagnostic/domain"), json!({ "domains": [id] })).await.ok();
    assert_eq!(rows[0]["result"]["mx"]["errors"][0]["code"], "NO_MX_RECORD");
    assert_eq!(
        stage
            .api
            .counters()
            .snapshot()
            .keys()
            .filter(|k| k.starts_with("mutating.POST") && k.contains("diagnostic"))
            .count(),
        0
    );
    stage.delete(&zimbra(&format!("/organization/{}", organization.as_str().unwrap()))).await.refused(409);
    let redirection = json!({ "targetSpec": { "source": "info@red.example", "destination": "desk@partner.example" } });
    stage.post(&zimbra("/redirection"), redirection.clone()).await.ok();
    stage.api.idle().await;
    stage.post(&zimbra("/redirection"), redirection).await.refused(409);
    let rows = stage.get(&zimbra("/redirection?source=info%40red.example")).await.ok();
    assert_eq!(rows[0]["currentState"]["destination"], "desk@partner.example");
}
