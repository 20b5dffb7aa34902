//! Legacy MX Plan and redirections.

use std::time::Duration;

use serde_json::{Value, json};

use super::harness::{EMAIL_PRO, Stage, furnish, pro};

fn red(rest: &str) -> String {
    format!("/1.0/email/domain/red.example{rest}")
}

#[tokio::test]
async fn an_account_is_listed_at_once_and_busy_until_its_task_leaves_the_list() {
    let stage = Stage::with(furnish(7), Duration::from_secs(3_600)).await;
    let body = json!({ "accountName": "max", "password": "Sandbox-0001" });
    let task = stage.post(&red("/account"), body).await.ok();
    assert_eq!((&task["action"], &task["name"]), (&json!("addAccount"), &json!("max")));
    assert_eq!(stage.get(&red("/account/max")).await.ok()["email"], "max@red.example");
    assert_eq!(stage.get(&red("/task/account")).await.ok(), json!([task["id"]]));
    let message =
        stage.post(&red("/account/max/changePassword"), json!({ "password": "Sandbox-0002" })).await.refused(409);
    assert_eq!(message, "This pop is already being processed: MAX@RED.EXAMPLE, please try later");
    stage.delete(&red("/account/max")).await.refused(409);
    stage.delete(&red("/account/rose")).await.ok();
}

#[tokio::test]
async fn an_account_lives_and_dies_with_its_mailbox() {
    let stage = Stage::new().await;
    let task = stage.post(&red("/account"), json!({ "accountName": "Max", "password": "Sandbox-0001" })).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&red("/task/account")).await.ok(), json!([]));
    assert_eq!(stage.get(&red(&format!("/task/all/{}", task["id"]))).await.ok()["status"], "done");
    assert_eq!(stage.mail.get("red.example", "max@red.example").unwrap().password, "Sandbox-0001");
    assert_eq!(stage.put(&red("/account/max"), json!({ "description": "Max" })).await.ok(), Value::Null);
    stage.put(&red("/account/max"), json!({ "accountName": "other", "login": "x" })).await.refused(400);
    stage.api.idle().await;
    assert_eq!(stage.get(&red("/account/rose/usage")).await.ok()["quota"], 70);
    stage.delete(&red("/account/max")).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.mail.get("red.example", "max@red.example"), None);
    assert_eq!(stage.get(&red("/summary")).await.ok()["account"], 1);
}

#[tokio::test]
async fn the_offer_limits_the_number_of_accounts() {
    let stage = Stage::new().await;
    for name in ["aa", "bb"] {
        stage.post(&red("/account"), json!({ "accountName": name, "password": "Sandbox-0001" })).await.ok();
    }
    stage.post(&red("/account"), json!({ "accountName": "cc", "password": "Sandbox-0001" })).await.refused(403);
    let green = "/1.0/email/domain/green.example";
    assert_eq!(stage.get(green).await.ok()["migratedMXPlanServiceName"], "mxplan-ab12345-1");
    stage
        .post(&format!("{green}/account"), json!({ "accountName": "aa", "password": "Sandbox-0001" }))
        .await
        .refused(403);
}

#[tokio::test]
async fn a_local_copy_is_a_second_row_from_the_address_to_itself() {
    let stage = Stage::new().await;
    let body = json!({ "from": "rose@red.example", "to": "desk@partner.example", "localCopy": true });
    let task = stage.post(&red("/redirection"), body.clone()).await.ok();
    assert!(task["id"].is_string());
    stage.api.idle().await;
    let ids = stage.get(&red("/redirection?from=rose%40red.example")).await.ok();
    assert_eq!(ids.as_array().unwrap().len(), 2);
    let mut targets = Vec::new();
    for id in ids.as_array().unwrap() {
        let row = stage.get(&red(&format!("/redirection/{}", id.as_str().unwrap()))).await.ok();
        targets.push(row["to"].as_str().unwrap().to_owned());
    }
    targets.sort();
    assert_eq!(targets, ["desk@partner.example", "rose@red.example"]);
    stage.post(&red("/redirection"), body).await.refused(409);
    let to = stage.get(&red("/redirection?to=desk%40partner.example")).await.ok();
    let path = red(&format!("/redirection/{}", to[0].as_str().unwrap()));
    stage.post(&format!("{path}/changeRedirection"), json!({ "to": "help@partner.example" })).await.ok();
    stage.delete(&path).await.refused(409);
    stage.api.idle().await;
    assert_eq!(stage.get(&path).await.ok()["to"], "help@partner.example");
    stage.delete(&path).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&red("/redirection")).await.ok().as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn lists_and_responders_are_kept() {
    let stage = Stage::new().await;
    let options = json!({ "moderatorMessage": false, "subscribeByModerator": true, "usersPostOnly": true });
    let list = json!({ "name": "team", "language": "en", "ownerEmail": "rose@red.example", "options": options });
    stage.post(&red("/mailingList"), list).await.ok();
    stage.api.idle().await;
    stage.post(&red("/mailingList/team/subscriber"), json!({ "email": "rose@red.example" })).await.ok();
    let responder = json!({ "account": "rose", "content": "away", "copy": true });
    stage.post(&red("/responder"), responder).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&red("/mailingList/team/subscriber")).await.ok(), json!(["rose@red.example"]));
    assert_eq!(stage.get(&red("/mailingList/team")).await.ok()["nbSubscribers"], 1);
    assert_eq!(stage.get(&red("/responder/rose")).await.ok()["content"], "away");
    let body = json!({ "accountName": "team", "password": "Sandbox-0001" });
    stage.post(&red("/account"), body).await.refused(409);
    stage.api.edit(|w| w.add_domain(EMAIL_PRO, &super::harness::domain("red.example"), false));
    let slot = stage.slot(EMAIL_PRO);
    stage
        .put(&pro(&format!("/account/{slot}")), json!({ "login": "rose", "domain": "red.example" }))
        .await
        .refused(409);
}
