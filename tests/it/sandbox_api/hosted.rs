//! Exchange, Email Pro, new MX Plan.

use std::time::Duration;

use rand::{Rng as _, SeedableRng as _, rngs::SmallRng};
use rehome::sandbox::api::world::TaskStatus;
use serde_json::{Value, json};

use super::harness::{EMAIL_PRO, EXCHANGE, MX_PLAN, Stage, domain, exchange, furnish, pro};

#[tokio::test]
async fn a_placeholder_is_filled_renamed_and_reset() {
    let stage = Stage::new().await;
    let slot = stage.slot(EMAIL_PRO);
    assert!(slot.ends_with("@configureme.me"));
    assert_eq!(stage.get(&pro(&format!("/account/{slot}"))).await.ok()["configured"], false);

    let body = json!({ "login": "max", "domain": "blue.example", "displayName": "Max" });
    assert_eq!(stage.put(&pro(&format!("/account/{slot}")), body).await.ok(), Value::Null);
    stage.api.idle().await;
    let account = stage.get(&pro("/account/max%40blue.example")).await.ok();
    assert_eq!((&account["configured"], &account["displayName"]), (&json!(true), &json!("Max")));
    stage.get(&pro(&format!("/account/{slot}"))).await.refused(404);

    let body = json!({ "password": "Sandbox-0001" });
    let task = stage.post(&pro("/account/max%40blue.example/changePassword"), body).await.ok();
    assert_eq!(task["function"], "changePassword");
    stage.api.idle().await;
    assert_eq!(stage.mail.get(EMAIL_PRO, "max@blue.example").unwrap().password, "Sandbox-0001");
    let done = stage.get(&pro(&format!("/task/{}", task["id"]))).await.ok();
    assert_eq!(done["status"], "done");
    assert!(done["finishDate"].is_string());

    stage.put(&pro("/account/max%40blue.example"), json!({ "login": "max01" })).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.mail.get(EMAIL_PRO, "max01@blue.example").unwrap().password, "Sandbox-0001");
    stage.get(&pro("/account/max%40blue.example")).await.refused(404);

    stage.delete(&pro("/account/max01%40blue.example")).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.mail.get(EMAIL_PRO, "max01@blue.example"), None);
    let names = stage.get(&pro("/account")).await.ok();
    assert_eq!(names.as_array().unwrap().len(), 4, "the slot is back");
    assert!(!names.as_array().unwrap().contains(&json!(slot)), "under another name");
}

#[tokio::test]
async fn a_change_is_void_and_invisible_until_its_task_is_done() {
    let stage = Stage::with(furnish(7), Duration::from_secs(3_600)).await;
    let (old, new) = (exchange("/account/john%40blue.example"), exchange("/account/john01%40blue.example"));
    assert_eq!(stage.get(&old).await.ok()["taskPendingId"], 0);
    assert_eq!(stage.put(&old, json!({ "login": "john01" })).await.ok(), Value::Null);
    stage.get(&new).await.refused(404);
    let account = stage.get(&old).await.ok();
    assert_eq!(account["primaryEmailAddress"], "john@blue.example");
    let id = account["taskPendingId"].as_u64().filter(|id| *id > 0).unwrap();
    assert_eq!(stage.get(&exchange("/account/john%40blue.example/tasks")).await.ok(), json!([id]));
    let task = stage.get(&exchange(&format!("/task/{id}"))).await.ok();
    assert_eq!((&task["function"], &task["status"]), (&json!("setAccount"), &json!("todo")));
    assert!(stage.mail.get(EXCHANGE, "john@blue.example").is_some());

    stage.put(&old, json!({ "displayName": "x" })).await.refused(409);
    stage
        .post(&exchange("/account/john%40blue.example/alias"), json!({ "alias": "j@blue.example" }))
        .await
        .refused(409);
    stage.api.edit(|w| w.settings.refuse_busy = false);
    stage.put(&old, json!({ "displayName": "x" })).await.ok();
}

#[tokio::test]
async fn an_address_has_one_holder_across_all_services_while_a_task_runs_too() {
    let stage = Stage::with(furnish(7), Duration::from_secs(3_600)).await;
    let slot = pro(&format!("/account/{}", stage.slot(EMAIL_PRO)));
    let claim = |login: &str| json!({ "login": login, "domain": "blue.example" });
    assert!(stage.put(&slot, claim("john")).await.refused(409).contains("already used"));
    stage.put(&exchange("/account/john%40blue.example"), json!({ "login": "john01" })).await.ok();
    stage.put(&slot, claim("john")).await.refused(409);
    stage.put(&slot, claim("john01")).await.refused(409);
    stage.put(&slot, claim("somebody")).await.ok();
    let alias = json!({ "alias": "somebody@blue.example" });
    stage.post(&exchange("/account/jane%40blue.example/alias"), alias).await.refused(409);
}

#[tokio::test]
async fn a_freed_address_can_be_taken_by_another_service() {
    let stage = Stage::new().await;
    stage.put(&exchange("/account/john%40blue.example"), json!({ "login": "john01" })).await.ok();
    stage.api.idle().await;
    let slot = stage.slot(EMAIL_PRO);
    stage.put(&pro(&format!("/account/{slot}")), json!({ "login": "john", "domain": "blue.example" })).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.mail.get(EXCHANGE, "john01@blue.example").unwrap().octets, 5_000);
    assert_eq!(stage.mail.get(EMAIL_PRO, "john@blue.example").unwrap().octets, 0);
}

#[tokio::test]
async fn a_reset_takes_aliases_rights_and_memberships_along() {
    let stage = Stage::new().await;
    let (john, jane) = (stage.id(EXCHANGE, "john@blue.example"), stage.id(EXCHANGE, "jane@blue.example"));
    let account = |rest: &str| exchange(&format!("/account/john%40blue.example{rest}"));
    stage.post(&account("/alias"), json!({ "alias": "j.smith@blue.example" })).await.ok();
    stage.post(&account("/fullAccess"), json!({ "allowedAccountId": jane })).await.ok();
    stage.post(&exchange("/account/jane%40blue.example/sendAs"), json!({ "allowAccountId": john })).await.ok();
    let group = json!({ "mailingListAddress": "team@blue.example", "departRestriction": "closed", "joinRestriction": "closed" });
    stage.post(&exchange("/mailingList"), group).await.ok();
    stage.api.idle().await;
    let team = exchange("/mailingList/team%40blue.example");
    stage.post(&format!("{team}/member/account"), json!({ "memberAccountId": john })).await.ok();
    stage.post(&format!("{team}/manager/account"), json!({ "managerAccountId": john })).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&account("/alias")).await.ok(), json!(["j.smith@blue.example"]));
    assert_eq!(stage.get(&account("/fullAccess")).await.ok(), json!([jane]));
    let member = stage.get(&format!("{team}/member/account/{john}")).await.ok();
    assert_eq!(member["memberEmailAddress"], "john@blue.example");
    assert_eq!(stage.get(&account("")).await.ok()["numberOfAliases"], 1);

    stage.delete(&account("")).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&exchange("/account/jane%40blue.example/sendAs")).await.ok(), json!([]));
    assert_eq!(stage.get(&format!("{team}/member/account")).await.ok(), json!([]));
    assert_eq!(stage.get(&format!("{team}/manager/account")).await.ok(), json!([]));
    let slot = stage.slot(EMAIL_PRO);
    let body = json!({ "login": "j.smith", "domain": "blue.example" });
    stage.put(&pro(&format!("/account/{slot}")), body).await.ok();
}

#[tokio::test]
async fn each_right_has_its_own_field_and_send_rights_exclude_each_other() {
    let stage = Stage::new().await;
    let jane = stage.id(EXCHANGE, "jane@blue.example");
    let path = |right: &str| exchange(&format!("/account/john%40blue.example/{right}"));
    stage.post(&path("sendAs"), json!({ "allowedAccountId": jane })).await.refused(400);
    stage.post(&path("fullAccess"), json!({ "allowAccountId": jane })).await.refused(400);
    stage.post(&path("sendAs"), json!({ "allowAccountId": jane })).await.ok();
    stage.api.idle().await;
    stage.post(&path("sendOnBehalfTo"), json!({ "allowAccountId": jane })).await.refused(409);
    stage.delete(&path(&format!("sendAs/{jane}"))).await.ok();
    stage.api.idle().await;
    stage.post(&path("sendOnBehalfTo"), json!({ "allowAccountId": jane })).await.ok();
}

#[tokio::test]
async fn imap_is_switched_by_the_protocol_object() {
    let stage = Stage::new().await;
    let path = exchange("/account/john%40blue.example/protocol");
    assert_eq!(stage.get(&path).await.ok()["IMAP"], true);
    stage.put(&path, json!({ "IMAP": false })).await.ok();
    stage.api.idle().await;
    assert!(!stage.mail.get(EXCHANGE, "john@blue.example").unwrap().imap);
    assert_eq!(stage.get(&path).await.ok()["IMAP"], false);
}

#[tokio::test]
async fn a_second_authority_for_a_domain_is_refused() {
    let stage = Stage::new().await;
    let body = json!({ "name": "grey.example", "type": "authoritative" });
    stage.post(&exchange("/domain"), body).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&exchange("/domain/grey.example")).await.ok()["type"], "authoritative");
    let body = json!({ "name": "grey.example", "type": "nonAuthoritative", "mxRelay": "mx1.mail.ovh.net" });
    assert!(stage.post(&pro("/domain"), body.clone()).await.refused(409).contains("Authoritative domain detected"));
    let change = json!({ "type": "nonAuthoritative", "mxRelay": "mx1.mail.ovh.net" });
    stage.put(&exchange("/domain/grey.example"), change).await.ok();
    stage.api.idle().await;
    stage.post(&pro("/domain"), body).await.ok();
    stage.api.idle().await;
    stage.put(&exchange("/domain/grey.example"), json!({ "type": "authoritative" })).await.refused(409);
    stage.delete(&exchange("/domain/grey.example")).await.ok();
    stage.delete(&exchange("/domain/blue.example")).await.refused(409);
}

#[tokio::test]
async fn a_domain_takes_accounts_once_its_record_is_visible() {
    let stage = Stage::new().await;
    stage.api.edit(|w| w.settings.validate_domains = true);
    stage.post(&pro("/domain"), json!({ "name": "grey.example", "type": "nonAuthoritative" })).await.ok();
    stage.api.idle().await;
    let waiting = stage.get(&pro("/domain/grey.example")).await.ok();
    assert_eq!(waiting["domainValidated"], false);
    let label = waiting["cnameToCheck"].as_str().unwrap().to_owned();
    let slot = pro(&format!("/account/{}", stage.slot(EMAIL_PRO)));
    let body = json!({ "login": "max", "domain": "grey.example" });
    stage.put(&slot, body.clone()).await.refused(409);
    stage.dns.set(&format!("{label}.grey.example"), "CNAME", &["ovh.com"]);
    let ready = stage.get(&pro("/domain/grey.example")).await.ok();
    assert_eq!((&ready["domainValidated"], &ready["cnameToCheck"]), (&json!(true), &Value::Null));
    stage.put(&slot, body).await.ok();
}

#[tokio::test]
async fn the_new_mx_plan_has_a_fixed_domain_and_its_own_name_for_tasks() {
    let stage = Stage::new().await;
    let path = |rest: &str| format!("/1.0/email/mxplan/{MX_PLAN}{rest}");
    stage.post(&path("/domain"), json!({ "name": "x.example", "type": "authoritative" })).await.refused(404);
    let slot = stage.slot(MX_PLAN);
    stage.put(&path(&format!("/account/{slot}")), json!({ "login": "max", "quota": 6.0 })).await.refused(400);
    stage.put(&path(&format!("/account/{slot}")), json!({ "login": "max", "quota": 2.5 })).await.ok();
    stage.api.idle().await;
    let account = stage.get(&path("/account/max%40green.example")).await.ok();
    assert_eq!(account["quota"], 2.5);
    assert!(account.get("forwardingEmail").is_none());
    assert_eq!(stage.get(&path("/account/max%40green.example/task")).await.ok().as_array().unwrap().len(), 1);
    stage.get(&path("/account/max%40green.example/tasks")).await.refused(404);
    assert_eq!(stage.get(&path("")).await.ok()["isZimbra"], false);
}

#[tokio::test]
async fn unknown_fields_and_wrong_types_are_refused() {
    let stage = Stage::new().await;
    let path = exchange("/account/john%40blue.example");
    stage.put(&path, json!({ "displayname": "x" })).await.refused(400);
    stage.put(&path, json!({ "hiddenFromGAL": "yes" })).await.refused(400);
    stage.put(&path, json!({ "login": "j" })).await.refused(400);
    stage.put(&path, json!({ "domain": "elsewhere.example" })).await.refused(404);
    let body = json!({ "forwardingEmail": "desk@partner.example", "storeCopyOfEmail": true, "id": 1 });
    stage.put(&path, body).await.ok();
    stage.api.idle().await;
    let account = stage.get(&path).await.ok();
    assert_eq!(account["forwardingEmail"], "desk@partner.example");
    assert_eq!(account["currentUsage"], 5, "KB, from the mailbox itself");
}

#[tokio::test]
async fn contacts_and_footers_come_and_go() {
    let stage = Stage::new().await;
    let contact = json!({ "externalEmailAddress": "desk@partner.example", "displayName": "Desk" });
    stage.post(&pro("/externalContact"), contact).await.ok();
    let footer = json!({ "content": "<p>Blue</p>", "outsideOnly": true });
    stage.get(&exchange("/domain/blue.example/disclaimer")).await.refused(404);
    stage.post(&exchange("/domain/blue.example/disclaimer"), footer).await.ok();
    stage.api.idle().await;
    assert_eq!(stage.get(&pro("/externalContact")).await.ok(), json!(["desk@partner.example"]));
    let shown = stage.get(&exchange("/domain/blue.example/disclaimer")).await.ok();
    assert_eq!((&shown["content"], &shown["outsideOnly"]), (&json!("<p>Blue</p>"), &json!(true)));
    stage.delete(&exchange("/domain/blue.example/disclaimer")).await.ok();
    stage.delete(&pro("/externalContact/desk%40partner.example")).await.ok();
    stage.api.idle().await;
    stage.get(&exchange("/domain/blue.example/disclaimer")).await.refused(404);
    stage.get(&pro("/externalContact/desk%40partner.example")).await.refused(404);
}

#[tokio::test]
async fn a_task_that_fails_has_no_effect_and_frees_what_it_held() {
    let stage = Stage::new().await;
    stage.api.edit(|w| w.settings.failing.insert("setAccount".to_owned()));
    stage.put(&exchange("/account/john%40blue.example"), json!({ "login": "john01" })).await.ok();
    stage.api.idle().await;
    let account = stage.get(&exchange("/account/john%40blue.example")).await.ok();
    assert_eq!(account["taskPendingId"], 0);
    let ids = stage.get(&exchange("/account/john%40blue.example/tasks")).await.ok();
    assert_eq!(stage.get(&exchange(&format!("/task/{}", ids[0]))).await.ok()["status"], "error");
    assert!(stage.mail.get(EXCHANGE, "john@blue.example").is_some());
    let slot = stage.slot(EMAIL_PRO);
    stage.api.edit(|w| w.settings.failing.clear());
    stage.put(&pro(&format!("/account/{slot}")), json!({ "login": "john01", "domain": "blue.example" })).await.ok();
}

#[tokio::test]
async fn a_locked_account_takes_no_change() {
    let stage = Stage::new().await;
    let lock = format!("/sandbox/service/{EXCHANGE}/account/john@blue.example");
    assert_eq!(stage.plain("PUT", &lock, r#"{"state":"suspended","spam":true}"#).await.status, 200);
    let account = stage.get(&exchange("/account/john%40blue.example")).await.ok();
    assert_eq!((&account["state"], &account["spamDetected"]), (&json!("suspended"), &json!(true)));
    stage.put(&exchange("/account/john%40blue.example"), json!({ "login": "john01" })).await.refused(409);
    stage.delete(&exchange("/account/john%40blue.example")).await.refused(409);
}

#[tokio::test]
async fn a_new_domain_configures_a_zone_of_the_same_customer() {
    let stage = Stage::new().await;
    stage.api.edit(|w| w.add_zone(&domain("grey.example"), &["dns1.sandbox.example"], &[]));
    let body = json!({
        "name": "grey.example", "type": "nonAuthoritative", "configureMx": true, "configureSPF": true,
        "configureAutodiscover": true,
    });
    stage.post(&exchange("/domain"), body).await.ok();
    stage.api.idle().await;
    let shown = stage.get(&exchange("/domain/grey.example")).await.ok();
    assert_eq!(
        (&shown["mxIsValid"], &shown["spfIsValid"], &shown["srvIsValid"]),
        (&json!(true), &json!(true), &json!(true))
    );
    let old = stage.get(&exchange("/domain/blue.example")).await.ok();
    assert_eq!((&old["mxIsValid"], &old["mxRecord"]), (&json!(false), &json!(["mx.old.example"])));
}

/// Whatever clients do at once, no address ever has two holders: the law that makes rename-then-create safe to rehearse.
#[tokio::test]
async fn no_storm_of_renames_and_aliases_gives_an_address_two_holders() {
    let stage = Stage::with(furnish(7), Duration::from_millis(2)).await;
    let mut rng = SmallRng::seed_from_u64(42);
    let (mut accepted, mut refused) = (0, 0);
    for _ in 0..300 {
        let service = if rng.random() { EXCHANGE } else { EMAIL_PRO };
        let below = if service == EXCHANGE { exchange } else { pro };
        let accounts: Vec<String> =
            stage.api.edit(|w| w.hosted[service].accounts.values().map(|a| a.address.to_string()).collect());
        let account = below(&format!("/account/{}", accounts[rng.random_range(0..accounts.len())]));
        let login = format!("user{}", rng.random_range(0..6));
        let got = match rng.random_range(0..4) {
            0 => stage.post(&format!("{account}/alias"), json!({ "alias": format!("{login}@blue.example") })).await,
            1 => stage.delete(&account).await,
            _ => stage.put(&account, json!({ "login": login, "domain": "blue.example" })).await,
        };
        match got.status {
            200 => accepted += 1,
            _ => refused += 1,
        }
        let mut held: Vec<String> = stage.api.edit(|w| {
            let accounts = w.hosted.values().flat_map(|s| s.accounts.values());
            accounts.flat_map(|a| a.aliases.iter().chain([&a.address]).map(ToString::to_string)).collect()
        });
        held.sort();
        let all = held.len();
        held.dedup();
        assert_eq!(held.len(), all);
    }
    assert!(accepted > 50 && refused > 50, "{accepted} {refused}");
    stage.api.idle().await;
    assert!(stage.api.edit(|w| w.tasks.values().all(|t| t.status() == TaskStatus::Done)));
    assert!(stage.api.edit(|w| w.reserved.is_empty() && w.busy.is_empty()));
}
