//! What adapters make of answers as the platforms give them.

use rehome::{
    model::{Change, CreateBy, ObjectClass, ObjectState, PlatformKind, PlatformView, Right},
    provider::{DomainReady, PlatformConfig, Probe, Scope, open, open_reader},
};
use serde_json::{Value, json};
use wiremock::{
    Mock, ResponseTemplate,
    matchers::{header, method, path, query_param},
};

use super::api::{Api, SERVICE, account, addr, at, domain, from_env, scope, service, shown};

const JOHN: &str = "john.smith@mydomain.ovh";
const JANE: &str = "jane@mydomain.ovh";
const EX: &str = "/1.0/email/exchange/hosted-ab12345-1/service/hosted-ab12345-1";

async fn observe(config: &PlatformConfig, scope: &Scope) -> PlatformView {
    let view = open_reader(config).unwrap().observe(scope).await;
    view.map_err(|e| shown(&e)).unwrap()
}

/// The domain of the API reference, whose texts come in several forms.
fn exchange_domain() -> Value {
    json!({
        "name": "mydomain.ovh", "type": "nonAuthoritative", "mxRelay": "mx1.mail.ovh.net", "state": "ok",
        "domainValidated": false, "cnameToCheck": "ab1cd-check", "taskPendingId": 0,
        "expectedMX": ["mx0.mail.ovh.net"], "expectedSPF": "v=spf1 include:mx.ovh.com ~all",
        "expectedAutodiscoverSRV": "0 0 443 ex5.mail.ovh.net.",
        "dkimDiagnostics": { "state": "aStateOfTomorrow", "errorCode": null, "message": null },
    })
}

async fn exchange() -> (Api, PlatformConfig) {
    let api = Api::start().await;
    api.get(
        EX,
        json!({ "domain": "hosted-ab12345-1", "hostname": "ex5.mail.ovh.net", "offer": "hosted", "state": "ok",
        "minPasswordLength": 12, "complexityEnabled": true }),
    )
    .await;
    api.get(&format!("{EX}/domain"), json!(["mydomain.ovh"])).await;
    api.get(&format!("{EX}/domain/mydomain.ovh"), exchange_domain()).await;
    api.get(&format!("{EX}/domain/mydomain.ovh/dkim"), json!(["ovhex123456-selector1"])).await;
    let key = json!({
        "selectorName": "ovhex123456-selector1", "status": "waitingRecord", "recordType": "CNAME",
        "customerRecord": "ovhex123456-selector1._domainkey.mydomain.ovh",
        "targetRecord": "ovhex123456-selector1._domainkey.1675.ac.dkim.mail.ovh.net",
    });
    api.get(&format!("{EX}/domain/mydomain.ovh/dkim/ovhex123456-selector1"), key).await;
    api.get(&format!("{EX}/domain/mydomain.ovh/disclaimer"), json!({ "content": "<p>x</p>", "outsideOnly": true }))
        .await;
    api.get(&format!("{EX}/account"), json!([JOHN, JANE, "3f9a1c2b@CONFIGUREME.me"])).await;
    let slot = json!({ "configured": false, "state": "ok", "accountLicense": "standard", "quota": 50, "id": 9 });
    api.get(&format!("{EX}/account/3f9a1c2b%40CONFIGUREME.me"), slot).await;
    let mut john = account(JOHN);
    john["quota"] = json!(50);
    john["forwardingEmail"] = json!("desk@partner.example");
    john["storeCopyOfEmail"] = json!(true);
    let john_at = format!("{EX}/account/john.smith%40mydomain.ovh");
    api.get(&john_at, john).await;
    api.get(&format!("{EX}/account/jane%40mydomain.ovh"), account(JANE)).await;
    api.get(&format!("{john_at}/alias"), json!(["j.smith@mydomain.ovh"])).await;
    api.get(&format!("{john_at}/protocol"), json!({ "IMAP": false, "POP": true })).await;
    for (right, ids) in [("fullAccess", json!([12])), ("sendAs", json!([12, 99])), ("sendOnBehalfTo", json!([]))] {
        api.get(&format!("{john_at}/{right}"), ids).await;
    }
    for (id, names) in [("12", json!([JANE])), ("99", json!([]))] {
        let mock = Mock::given(method("GET")).and(path(format!("{EX}/account"))).and(query_param("id", id));
        mock.respond_with(ResponseTemplate::new(200).set_body_json(names)).with_priority(1).mount(&api.server).await;
    }
    let config = api.config(PlatformKind::OvhExchange, "hosted-ab12345-1");
    (api, config)
}

#[tokio::test]
async fn an_exchange_service_is_read_whole() {
    let (api, config) = exchange().await;
    let team = format!("{EX}/mailingList/team%40mydomain.ovh");
    api.get(&format!("{EX}/mailingList"), json!(["team@mydomain.ovh"])).await;
    let group = json!({ "displayName": "Team", "joinRestriction": "approvalRequired", "departRestriction": "open",
        "senderAuthentification": true, "hiddenFromGAL": false, "maxReceiveSize": 20, "state": "ok", "taskPendingId": 0 });
    api.get(&team, group).await;
    api.get(&format!("{team}/alias"), json!(["crew@mydomain.ovh"])).await;
    api.get(&format!("{EX}/protocol"), json!({ "IMAP": false, "POP": true, "activeSyncPolicy": "allow" })).await;
    for (list, rows) in
        [("member/account", json!([1])), ("member/contact", json!([2])), ("manager/account", json!([1]))]
    {
        api.get(&format!("{team}/{list}"), rows).await;
    }
    api.get(&format!("{team}/member/account/1"), json!({ "memberEmailAddress": JOHN })).await;
    api.get(&format!("{team}/member/contact/2"), json!({ "memberEmailAddress": "bob@partner.example" })).await;
    api.get(&format!("{team}/manager/account/1"), json!({ "managerEmailAddress": JOHN })).await;
    api.get(&format!("{EX}/externalContact"), json!(["bob@partner.example"])).await;
    api.get(
        &format!("{EX}/externalContact/bob%40partner.example"),
        json!({ "displayName": "Bob", "hiddenFromGAL": true }),
    )
    .await;

    api.get(&format!("{EX}/sharedAccount"), json!(["sales@mydomain.ovh"])).await;
    api.get(&format!("{EX}/sharedAccount/sales%40mydomain.ovh/alias"), json!(["shop@mydomain.ovh"])).await;
    api.get(&format!("{EX}/resourceAccount"), json!(["room1@mydomain.ovh"])).await;
    api.get(&format!("{EX}/publicFolder"), json!(["\\Orders", "\\Orders\\2019"])).await;
    let archive = json!({ "currentUsage": 0, "quota": 50, "state": "ok", "taskPendingId": 0 });
    api.get(&format!("{EX}/account/john.smith%40mydomain.ovh/archive"), archive).await;

    let view = observe(&config, &scope(&[JOHN])).await;
    insta::assert_json_snapshot!("exchange_service_read_whole", view);
    assert_eq!(view.imap_enabled, Some(false), "the switch of the service, beside that of each account");
    let alias = &view.shared[&addr("crew@mydomain.ovh")];
    assert_eq!(alias.kind, rehome::model::SharedKind::GroupAlias, "another address of a group is an address taken");
    assert_eq!(view.capabilities.password_length.0, 12);
}

#[tokio::test]
async fn only_accounts_in_scope_are_read_one_by_one() {
    let (api, config) = exchange().await;
    let scope = Scope { redirections: false, groups: false, contacts: false, ..scope(&[JOHN]) };
    let view = observe(&config, &scope).await;
    assert!(view.accounts[&addr(JOHN)].detailed && !view.accounts[&addr(JANE)].detailed);
    assert_eq!(api.count("GET", &format!("{EX}/account/jane%40mydomain.ovh")).await, 0);
    assert_eq!(api.count("GET", &format!("{EX}/externalContact")).await, 0);
}

#[tokio::test]
async fn a_part_that_cannot_be_listed_is_a_gap_with_its_reason() {
    let (api, config) = exchange().await;
    let denied = json!({ "errorCode": "NOT_GRANTED_CALL", "message": "This call has not been granted" });
    let refuse = ResponseTemplate::new(403).set_body_json(denied);
    let mock = Mock::given(method("GET")).and(path(format!("{EX}/externalContact"))).respond_with(refuse);
    mock.with_priority(1).mount(&api.server).await;
    let view = observe(&config, &scope(&[JOHN])).await;
    assert!(!view.complete(ObjectClass::Contact) && view.complete(ObjectClass::Account));
    let gap = view.gaps.iter().find(|g| g.class == ObjectClass::Contact).unwrap();
    assert!(gap.reason.contains("403 NOT_GRANTED_CALL"), "{gap:?}");
    assert!(!view.complete(ObjectClass::Shared) && !view.complete(ObjectClass::PublicFolder));
    let right = view.gaps.iter().find(|g| g.class == ObjectClass::Delegation).unwrap();
    assert_eq!(right.reason, "send-as belongs to number 99, which is no account");
    assert!(!view.complete(ObjectClass::Group), "the list of groups answered 404");
}

#[tokio::test]
async fn an_account_that_is_listed_and_not_there_stays_listed() {
    let api = Api::email_pro().await;
    api.get(&format!("/1.0/email/pro/{SERVICE}/account"), json!([JOHN])).await;
    let view = observe(&api.pro(), &scope(&[JOHN])).await;
    assert!(!view.accounts[&addr(JOHN)].detailed);
    assert!(!view.complete(ObjectClass::Account));
}

#[tokio::test]
async fn a_dedicated_exchange_makes_accounts_on_demand() {
    let api = Api::start().await;
    api.get(EX, json!({ "offer": "dedicatedCluster", "state": "ok" })).await;
    let view = observe(&api.config(PlatformKind::OvhExchange, "hosted-ab12345-1"), &Scope::default()).await;
    assert_eq!(view.capabilities.create, CreateBy::Request);
}

#[tokio::test]
async fn states_of_every_kind_have_their_meaning() {
    let cases = [
        (json!({ "state": "ok", "taskPendingId": null }), ObjectState::Ok),
        (json!({ "state": "ok", "taskPendingId": 0 }), ObjectState::Ok),
        (json!({ "state": "ok", "taskPendingId": 5 }), ObjectState::Busy),
        (json!({ "state": "reopening", "taskPendingId": 0 }), ObjectState::Busy),
        (json!({ "state": "aStateOfTomorrow" }), ObjectState::Busy),
        (json!({ "state": "unknown" }), ObjectState::Unavailable("unknown".to_owned())),
        (json!({ "state": "suspended" }), ObjectState::Unavailable("suspended".to_owned())),
        (json!({ "state": "internalMigration" }), ObjectState::Unavailable("internalMigration".to_owned())),
    ];
    for (fields, state) in cases {
        let api = Api::email_pro().await;
        api.get(&format!("/1.0/email/pro/{SERVICE}/account"), json!([JOHN])).await;
        api.get(&at(JOHN), fields.clone()).await;
        let view = observe(&api.pro(), &scope(&[JOHN])).await;
        assert_eq!(view.accounts[&addr(JOHN)].state, state, "{fields}");
    }
}

#[tokio::test]
async fn a_domain_waits_for_its_proof() {
    let (_api, config) = exchange().await;
    let reader = open_reader(&config).unwrap();
    let ready = reader.domain_ready(&domain("mydomain.ovh")).await.unwrap();
    let DomainReady::Waiting(why) = ready else { panic!("{ready:?}") };
    assert!(why.contains("ab1cd-check.mydomain.ovh CNAME ovh.com"), "{why}");
    assert!(matches!(reader.domain_ready(&domain("other.ovh")).await.unwrap(), DomainReady::Failed(_)));
}

const LEGACY: &str = "/1.0/email/domain/mydomain.ovh";

async fn legacy() -> (Api, PlatformConfig) {
    let api = Api::start().await;
    api.get(
        LEGACY,
        json!({ "domain": "mydomain.ovh", "status": "ok", "offer": "MXPLAN 100",
        "migratedMXPlanServiceName": null, "allowedAccountSize": [5_000_000_000_u64] }),
    )
    .await;
    api.get(&format!("{LEGACY}/account"), json!(["john.smith"])).await;
    api.get(
        &format!("{LEGACY}/account/john.smith"),
        json!({ "accountName": "john.smith", "email": JOHN,
        "description": "John Smith", "size": 5_000_000_000_u64, "isBlocked": false }),
    )
    .await;
    let used = json!({ "quota": 123_456, "emailCount": 7, "date": null });
    api.get(&format!("{LEGACY}/account/john.smith/usage"), used).await;
    api.get(&format!("{LEGACY}/account/john.smith/filter"), json!(["to the desk"])).await;
    api.get(&format!("{LEGACY}/task/account"), json!([])).await;
    api.get(&format!("{LEGACY}/task/redirection"), json!([])).await;
    api.get(&format!("{LEGACY}/redirection"), json!(["398284990", "398284991", "398284992"])).await;
    for (id, from, to) in [
        ("398284990", "info@mydomain.ovh", JOHN),
        ("398284991", JOHN, JOHN),
        ("398284992", JOHN, "desk@partner.example"),
    ] {
        api.get(&format!("{LEGACY}/redirection/{id}"), json!({ "id": id, "from": from, "to": to })).await;
    }
    api.get(&format!("{LEGACY}/mailingList"), json!(["team"])).await;
    api.get(
        &format!("{LEGACY}/mailingList/team"),
        json!({ "name": "team", "ownerEmail": JOHN,
        "options": { "moderatorMessage": false, "subscribeByModerator": true, "usersPostOnly": true } }),
    )
    .await;
    api.get(&format!("{LEGACY}/mailingList/team/subscriber"), json!([JOHN, "bob@partner.example"])).await;
    api.get(&format!("{LEGACY}/mailingList/team/moderator"), json!([JOHN])).await;
    let line =
        "ovhmo1-selector1._domainkey.mydomain.ovh CNAME ovhmo1-selector1._domainkey.123403.aj.dkim.mail.ovh.net.";
    api.get(
        &format!("{LEGACY}/dkim"),
        json!({ "activeSelector": null, "autoconfig": false, "status": "disabled",
        "selectors": [{ "selectorName": "ovhmo1-selector1", "status": "toSet", "cname": line }] }),
    )
    .await;
    api.get(&format!("{LEGACY}/responder"), json!(["john.smith", "info"])).await;
    let config = api.config(PlatformKind::OvhMxplanLegacy, "mydomain.ovh");
    (api, config)
}

#[tokio::test]
async fn a_legacy_domain_is_read_whole() {
    let (_api, config) = legacy().await;
    let view = observe(&config, &scope(&[JOHN])).await;
    let redirections = &view.redirections;
    assert!(redirections[&addr(JOHN)].keep_copy, "a row to itself is the copy that stays");
    assert_eq!(redirections[&addr(JOHN)].to, [addr("desk@partner.example")].into());
    assert!(!redirections[&addr("info@mydomain.ovh")].keep_copy);
    insta::assert_json_snapshot!("legacy_domain_read_whole", view);
    assert_eq!(view.responders, Some([addr(JOHN), addr("info@mydomain.ovh")].into()));
    assert_eq!(view.accounts[&addr(JOHN)].filters, ["to the desk".to_owned()].into());
    assert_eq!(view.mailbox_sizes, [5_000_000_000].into());
}

#[tokio::test]
async fn a_redirection_gains_rows_before_it_loses_any() {
    let (api, config) = legacy().await;
    let sent = json!({ "id": "77", "account": JOHN, "action": "add", "type": "forward" });
    api.answer("POST", &format!("{LEGACY}/redirection"), 200, sent.clone()).await;
    api.answer("DELETE", &format!("{LEGACY}/redirection/398284992"), 200, sent).await;
    let change = Change::RedirectionSet { from: addr(JOHN), to: [addr(JANE)].into(), keep_copy: true };
    let mut config = config;
    config.patience.longest = std::time::Duration::from_millis(50);
    let provider = open(&config).unwrap();
    assert_eq!(provider.probe(&change).await.unwrap(), Probe::NotDone);
    // The canned rows never change, so that the wait for the effect ends in a timeout; what was sent is what counts.
    provider.perform(&change, None).await.unwrap_err();
    let post = format!("POST {LEGACY}/redirection");
    assert_eq!(api.writes().await, [post, format!("DELETE {LEGACY}/redirection/398284992")]);
    let requests = api.requests().await;
    let body = &requests.iter().find(|r| r.method.as_str() == "POST").unwrap().body;
    let body: Value = serde_json::from_slice(body).unwrap();
    assert_eq!(body, json!({ "from": JOHN, "to": JANE, "localCopy": false }), "the copy is there already");
    let done = Change::RedirectionSet { from: addr(JOHN), to: [addr("desk@partner.example")].into(), keep_copy: true };
    assert_eq!(provider.probe(&done).await.unwrap(), Probe::Done);
}

#[tokio::test]
async fn a_domain_that_moved_to_the_new_generation_says_where() {
    let api = Api::start().await;
    api.get(LEGACY, json!({ "status": "ok", "migratedMXPlanServiceName": "mxplan-ab12345-1" })).await;
    let config = api.config(PlatformKind::OvhMxplanLegacy, "mydomain.ovh");
    let create = Change::AccountReset { address: addr(JOHN) };
    let error = open(&config).unwrap().perform(&create, None).await.unwrap_err();
    assert!(shown(&error).contains("moved to `kind: ovh-mxplan`, `service: mxplan-ab12345-1`"));
    assert!(api.writes().await.is_empty());
}

const ZIMBRA: &str = "/v2/zimbra/platform/11111111-2222-3333-4444-555555555555";
const PLATFORM: &str = "11111111-2222-3333-4444-555555555555";

fn envelope(id: &str, checksum: &str, status: &str, current: Value) -> Value {
    json!({ "id": id, "checksum": checksum, "resourceStatus": status, "currentState": current.clone(),
        "targetSpec": current, "currentTasks": [] })
}

fn zimbra_account(email: &str, checksum: &str, name: &str) -> Value {
    envelope(
        "acc-1",
        checksum,
        "READY",
        json!({ "email": email, "displayName": name, "offer": "STARTER",
        "quota": { "used": 1_048_576.0, "available": 1_073_741_824.0 }, "detailedStatus": [], "hideInGal": false }),
    )
}

async fn zimbra() -> (Api, PlatformConfig) {
    let api = Api::start().await;
    api.get(ZIMBRA, envelope(PLATFORM, "p", "READY", json!({ "name": "ours" }))).await;
    let config = api.config(PlatformKind::OvhZimbra, PLATFORM);
    (api, config)
}

#[tokio::test]
async fn every_page_of_a_listing_is_read() {
    let (api, config) = zimbra().await;
    let page = |rows: Value, next: Option<&str>| {
        let answer = ResponseTemplate::new(200).set_body_json(rows);
        match next {
            Some(cursor) => answer.insert_header("X-Pagination-Cursor-Next", cursor),
            None => answer,
        }
    };
    let at = format!("{ZIMBRA}/account");
    let last = page(json!([zimbra_account("c@mydomain.ovh", "3", "C")]), None);
    for (cursor, answer) in
        [("two", page(json!([zimbra_account("b@mydomain.ovh", "2", "B")]), Some("three"))), ("three", last)]
    {
        let mock = Mock::given(method("GET")).and(path(at.clone())).and(header("X-Pagination-Cursor", cursor));
        mock.respond_with(answer).with_priority(1).mount(&api.server).await;
    }
    api.raw("GET", &at, page(json!([zimbra_account("a@mydomain.ovh", "1", "A")]), Some("two"))).await;
    let view = observe(&config, &Scope::default()).await;
    let names: Vec<String> = view.accounts.keys().map(ToString::to_string).collect();
    assert_eq!(names, ["a@mydomain.ovh", "b@mydomain.ovh", "c@mydomain.ovh"]);
}

#[tokio::test]
async fn a_zimbra_platform_is_read_whole() {
    let (api, config) = zimbra().await;
    let dns = json!({
        "spf": "v=spf1 include:mx.ovh.com ~all", "autodiscover": "0 0 443 zimbra1.mail.ovh.net.",
        "mx": [{ "priority": 1, "target": "mx0.mail.ovh.net." }, { "priority": 5, "target": "mx1.mail.ovh.net." }],
        "dkim": { "cnames": [{ "name": "ovhmo-selector-1._domainkey.mydomain.ovh.", "value": "x.dkim.mail.ovh.net." }] },
        "ownership": { "cname": "zz9-check" },
    });
    let domain =
        json!({ "name": "mydomain.ovh", "status": "CREATING", "organizationId": "org-1", "expectedDNSConfig": dns });
    api.get(&format!("{ZIMBRA}/domain"), json!([envelope("dom-1", "d", "READY", domain)])).await;
    api.get(&format!("{ZIMBRA}/account"), json!([zimbra_account(JOHN, "1", "John Smith")])).await;
    let alias = json!({ "id": "al-1", "resourceStatus": "READY", "targetSpec": { "alias": "j.smith@mydomain.ovh", "targetId": "acc-1" },
        "currentState": { "alias": { "name": "j.smith" }, "target": { "id": "acc-1", "type": "ACCOUNT" } }, "currentTasks": [] });
    api.get(&format!("{ZIMBRA}/alias"), json!([alias])).await;
    let slot = |id: &str, offer: &str, account: Value, billing: &str| {
        json!({ "id": id, "resourceStatus": "UNKNOWN",
            "currentState": { "accountId": account, "offer": offer, "billingStatus": billing } })
    };
    api.get(
        &format!("{ZIMBRA}/slot"),
        json!([
            slot("s1", "STARTER", json!(null), "OK"),
            slot("s2", "PRO", json!(null), "OK"),
            slot("s3", "PRO", json!("acc-1"), "OK"),
            slot("s4", "PRO", json!(null), "SUSPENDED"),
        ]),
    )
    .await;
    let row =
        |id: &str, to: &str| envelope(id, "r", "READY", json!({ "source": "info@mydomain.ovh", "destination": to }));
    api.get(&format!("{ZIMBRA}/redirection"), json!([row("r1", JOHN), row("r2", JANE)])).await;
    let view = observe(&config, &scope(&[JOHN])).await;
    insta::assert_json_snapshot!("zimbra_platform_read_whole", view);
}

#[tokio::test]
async fn a_stale_checksum_is_read_again() {
    let (api, config) = zimbra().await;
    let list = format!("{ZIMBRA}/account");
    let one = format!("{ZIMBRA}/account/acc-1");
    api.get_times(&list, json!([zimbra_account(JOHN, "1", "John")]), 2).await;
    api.get(&list, json!([zimbra_account(JOHN, "3", "Johnny")])).await;
    api.get_times(&one, zimbra_account(JOHN, "1", "John"), 1).await;
    api.get(&one, zimbra_account(JOHN, "2", "John")).await;
    let stale = json!({ "class": "Client::PreconditionFailed::InvalidChecksum", "message": "checksum" });
    api.times("PUT", &one, ResponseTemplate::new(412).set_body_json(stale), 1).await;
    api.answer("PUT", &one, 200, json!({})).await;
    let change = super::api::update("Johnny");
    open(&config).unwrap().perform(&change, None).await.map_err(|e| shown(&e)).unwrap();
    let requests = api.requests().await;
    let sent: Vec<Value> = requests
        .iter()
        .filter(|r| r.method.as_str() == "PUT")
        .map(|r| serde_json::from_slice(&r.body).unwrap())
        .collect();
    assert_eq!(
        sent,
        [
            json!({ "targetSpec": { "displayName": "Johnny" }, "checksum": "1" }),
            json!({ "targetSpec": { "displayName": "Johnny" }, "checksum": "2" }),
        ]
    );
}

#[tokio::test]
async fn a_slot_taken_meanwhile_is_a_conflict() {
    let (api, config) = zimbra().await;
    api.get(&format!("{ZIMBRA}/account"), json!([])).await;
    let taken =
        json!({ "id": "s1", "resourceStatus": "READY", "currentState": { "accountId": "acc-9", "offer": "PRO" } });
    api.get(&format!("{ZIMBRA}/slot/s1"), taken).await;
    let create = Change::AccountCreate {
        address: addr(JOHN),
        slot: Some(rehome::model::SlotId::from("s1")),
        profile: Box::default(),
        password: Box::new(from_env()),
    };
    let secret = rehome::model::Secret::new("Long-enough-1".to_owned());
    let error = open(&config).unwrap().perform(&create, Some(&secret)).await.unwrap_err();
    assert_eq!(error.class, rehome::provider::ErrorClass::Conflict);
    assert!(api.writes().await.is_empty());
}

#[tokio::test]
async fn a_rename_sets_nothing_but_the_name_and_frees_the_old_address() {
    let api = Api::email_pro().await;
    let old = at(JOHN);
    let new = at("john.smith01@mydomain.ovh");
    let gone = || ResponseTemplate::new(404).set_body_json(json!({ "message": "does not exist" }));
    // Before the PUT the old one is there; then a task runs; then the new one is there, with the old name as alias.
    api.times("GET", &new, gone(), 4).await;
    api.get(&new, account("john.smith01@mydomain.ovh")).await;
    api.get_times(&old, account(JOHN), 2).await;
    let mut busy = account(JOHN);
    busy["taskPendingId"] = json!(31);
    api.get_times(&old, busy, 1).await;
    api.raw("GET", &old, gone()).await;
    api.answer("PUT", &old, 200, json!(null)).await;
    let task = |status| json!({ "id": 31, "function": "setAccount", "status": status });
    let tasks = format!("/1.0/email/pro/{SERVICE}/task");
    api.get_times(&format!("{tasks}/31"), task("doing"), 1).await;
    api.get(&format!("{tasks}/31"), task("done")).await;
    let aliases = format!("{new}/alias");
    api.get_times(&aliases, json!([JOHN]), 1).await;
    api.get(&aliases, json!([])).await;
    api.answer("DELETE", &format!("{aliases}/john.smith%40mydomain.ovh"), 200, json!({ "id": 32, "status": "todo" }))
        .await;
    let rename = Change::AccountRename { from: addr(JOHN), to: addr("john.smith01@mydomain.ovh") };
    let provider = open(&api.pro()).unwrap();
    provider.perform(&rename, None).await.map_err(|e| shown(&e)).unwrap();
    assert_eq!(api.writes().await, [format!("PUT {old}"), format!("DELETE {aliases}/john.smith%40mydomain.ovh")]);
    let requests = api.requests().await;
    let put = requests.iter().find(|r| r.method.as_str() == "PUT").unwrap();
    assert_eq!(put.body, br#"{"domain":"mydomain.ovh","login":"john.smith01"}"#);
    assert_eq!(provider.probe(&rename).await.unwrap(), Probe::Done);
    assert_eq!(service("ok")["aFieldOfTomorrow"]["deep"], json!([1, 2]));
}

#[tokio::test]
async fn rights_use_each_routes_own_field() {
    for (right, route, field) in [
        (Right::FullAccess, "fullAccess", "allowedAccountId"),
        (Right::SendAs, "sendAs", "allowAccountId"),
        (Right::SendOnBehalf, "sendOnBehalfTo", "allowAccountId"),
    ] {
        let api = Api::email_pro().await;
        api.get(&at(JOHN), account(JOHN)).await;
        let mut jane = account(JANE);
        jane["id"] = json!(77);
        api.get(&at(JANE), jane).await;
        let list = format!("{}/{route}", at(JOHN));
        api.get(&list, json!([])).await;
        let one = format!("{list}/77");
        api.times("GET", &one, ResponseTemplate::new(404).set_body_json(json!({ "message": "no" })), 1).await;
        api.get(&one, json!({ "allowedAccountId": 77, "taskPendingId": 0 })).await;
        api.answer("POST", &list, 200, json!({ "id": 1, "function": "addX", "status": "todo" })).await;
        let grant = Change::DelegationGrant { account: addr(JOHN), to: addr(JANE), right };
        open(&api.pro()).unwrap().perform(&grant, None).await.map_err(|e| shown(&e)).unwrap();
        let requests = api.requests().await;
        let post = requests.iter().find(|r| r.method.as_str() == "POST").unwrap();
        let body: Value = serde_json::from_slice(&post.body).unwrap();
        assert_eq!(body, json!({ field: 77 }));
    }
}
