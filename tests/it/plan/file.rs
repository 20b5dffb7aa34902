//! The plan file and staleness.

use rehome::{
    diag::chain,
    plan::{Plan, PlanFileError, file, read_value, stale},
};

use super::world::{World, a, mailbox, p};

fn some_plan() -> Plan {
    World::swap().wants("john").has("old", "john", 12).plan()
}

#[test]
fn a_plan_survives_its_file() {
    let plan = some_plan();
    assert_eq!(file::from_bytes(&file::to_bytes(&plan)).unwrap(), plan);
}

#[test]
fn white_space_and_the_header_do_not_change_the_id_and_everything_else_does() {
    let plan = some_plan();
    let mut value: serde_json::Value = serde_json::from_slice(&file::to_bytes(&plan)).unwrap();
    value["header"]["created"] = "2030-01-01T00:00:00Z".into();
    assert_eq!(file::from_bytes(&serde_json::to_vec(&value).unwrap()).unwrap().id, plan.id);
    value["body"]["actions"][0]["reason"] = "because".into();
    let error = file::from_bytes(&serde_json::to_vec(&value).unwrap()).unwrap_err();
    assert!(matches!(error, PlanFileError::Edited { .. }));
    assert!(error.to_string().contains("was changed after it was made"), "{error}");
}

#[test]
fn the_id_is_the_digest_of_the_canonical_body() {
    use sha2::Digest as _;
    let plan = some_plan();
    // serde_json's own map is sorted here, so its compact form is the canonical one for text and integers.
    let canonical = serde_json::to_value(&plan.body).unwrap().to_string();
    let digest: [u8; 32] = sha2::Sha256::digest(canonical.as_bytes()).into();
    assert_eq!(plan.id.as_str(), rehome::model::Digest(digest).hex());
}

#[test]
fn what_is_no_plan_is_refused_with_what_to_do() {
    let bytes = file::to_bytes(&some_plan());
    let message = |bytes: &[u8]| chain(&file::from_bytes(bytes).unwrap_err()).remove(0);
    assert!(message(&bytes[..bytes.len() / 2]).contains("cut off"));
    for other in [&b""[..], b"hello", b"[]", b"{\"version\": 1}", b"version: 1\n"] {
        assert!(message(other).contains("not a plan file"), "{other:?}");
    }
    let newer = String::from_utf8(bytes.clone()).unwrap().replacen("\"format\": 1", "\"format\": 9", 1);
    assert!(message(newer.as_bytes()).contains("format 9"));
    let damaged = String::from_utf8(bytes).unwrap().replacen("\"phase\": \"account\"", "\"phase\": \"lunch\"", 1);
    assert!(message(damaged.as_bytes()).contains("damaged"));
}

#[test]
fn a_format_that_never_was_is_refused() {
    let text = String::from_utf8(file::to_bytes(&some_plan())).unwrap();
    let error = file::from_bytes(text.replace("\"format\": 1,", "\"format\": 0,").as_bytes()).unwrap_err();
    assert!(error.to_string().contains("not a plan file"), "{error}");
}

#[test]
fn a_plan_is_stale_when_something_it_read_has_changed() {
    let mut world = World::swap().wants("john").has("old", "john", 12);
    let plan = world.plan();
    assert!(stale(&plan, &world.inventory).is_empty());
    world.seen("old", "john").aliases.insert(a("new.alias"));
    let found = stale(&plan, &world.inventory);
    assert_eq!(found.len(), 1);
    assert_eq!((found[0].object.as_str(), found[0].field.as_str()), ("old/account/john@mydomain.ovh", "aliases"));
    assert_eq!((found[0].then.as_str(), found[0].now.as_str()), ("[]", "[\"new.alias@mydomain.ovh\"]"));
}

#[test]
fn an_object_that_came_or_went_makes_a_plan_stale() {
    let world = World::swap().wants("john").has("old", "john", 12);
    let plan = world.plan();
    let came = world.clone().has("new", "john", 0);
    let found = stale(&plan, &came.inventory);
    assert_eq!(
        (found[0].field.as_str(), found[0].then.as_str(), found[0].now.as_str()),
        ("presence", "absent", "present")
    );
    let mut gone = world.clone();
    gone.view("new").slots.clear();
    assert_eq!(stale(&plan, &gone.inventory)[0].object, "new/slot/slot1@configureme.me");
    let mut unread = world;
    unread.inventory.platforms.remove(&p("old"));
    assert_eq!(stale(&plan, &unread.inventory)[0].now, "could not be read");
}

#[test]
fn unrelated_drift_and_new_mail_never_make_a_plan_stale() {
    let mut world = World::swap().wants("john").has("old", "john", 12).wants("done").has("new", "done", 3);
    let plan = world.plan();
    world.seen("new", "done").aliases.insert(a("whatever"));
    world.seen("old", "john").used_octets = Some(99);
    world.inventory.mailboxes.insert((p("old"), a("john")), mailbox(13));
    world.slot("another@configureme.me", None);
    let world = world.has("old", "stranger", 1).has("new", "another", 1);
    assert_eq!(stale(&plan, &world.inventory), []);
}

#[test]
fn values_of_unknown_objects_are_empty() {
    let world = World::swap();
    for key in ["", "old", "old/account", "old/account/nonsense", "old/lunch/x", "gone/account/a@b.c"] {
        assert!(read_value(&world.inventory, key).is_empty(), "{key}");
    }
}
