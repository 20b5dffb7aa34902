//! The way back of a run, by the executor: what was there before is there again, object by object. What is not must be
//! named by the plan of the way back, before anything of it is done.

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::Arc,
};

use rehome::{
    diag::Exit,
    journal::Standing,
    model::{Action, Address, Change, CreateBy, DomainView, Inventory, ObjectState, PlatformKind, Work},
    plan::{Header, Plan, lint, rollback},
};

use super::live::Live;
use crate::plan::world::World;

/// How far a way back led.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Back {
    /// To everything that was there.
    Whole,
    /// To everything but what its plan names.
    But,
}

/// Takes back a run that has just ended, and asks whether the world is the one before it.
pub async fn taken_back(world: &World, live: &Arc<Live>, first: &Plan) -> Back {
    let back = way_back(world, live, first);
    assert_eq!(lint(&back), Vec::<String>::new());
    let ended = live.inventory();
    let summary = live.apply(&back, None).await.expect("nobody dies here");
    assert_eq!(summary.exit, Exit::Ok, "{summary:#?}");
    let now = live.inventory();
    places(&world.inventory, &now);
    let again: BTreeSet<Address> = &twice(&now) - &(&twice(&world.inventory) | &twice(&ended));
    assert!(again.is_empty(), "the way back gave an address to two accounts: {again:?}");
    let aside: BTreeSet<String> = back.body.actions.iter().filter_map(moved_aside).collect();
    let named = named(&back, first);
    let (before, after) = (objects(&world.inventory), objects(&now));
    let keys: BTreeSet<&Object> = before.keys().chain(after.keys()).collect();
    let mut left = false;
    for key in keys.into_iter().filter(|key| before.get(*key) != after.get(*key)) {
        let kept = aside.iter().any(|name| key.1.contains(name));
        let told = named.iter().any(|(platform, name)| *platform == key.0 && key.1.contains(name));
        assert!(kept || told, "{key:?}: before {:?}, after {:?}", before.get(key), after.get(key));
        left |= told;
    }
    if left { Back::But } else { Back::Whole }
}

fn way_back(world: &World, live: &Live, first: &Plan) -> Plan {
    let journal = live.journal();
    let run = journal.run_of(&first.id).unwrap().expect("the plan was applied");
    let progress = journal.progress(&run.id).unwrap();
    let is_done = |action: &&Action| progress.get(&action.id).is_some_and(|p| p.standing == Standing::Done);
    let done: Vec<Action> = first.body.actions.iter().filter(is_done).cloned().collect();
    let state = journal.state().unwrap();
    rollback(&world.spec, &live.inventory(), &state, Header::default(), (&run.id, &done))
}

/// Addresses with an account on more than one platform behind the same MX.
fn twice(inventory: &Inventory) -> BTreeSet<Address> {
    let views = inventory.platforms.values().filter(|v| v.kind != PlatformKind::Imap);
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for address in views.flat_map(|v| v.accounts.keys()) {
        if !seen.insert(address) {
            twice.insert(address.clone());
        }
    }
    twice
}

/// A mailbox that took over an address is moved aside and kept, because mail came in since.
fn moved_aside(action: &Action) -> Option<String> {
    match &action.work {
        Work::Platform { change: Change::AccountRename { to, .. }, .. } if to.local().contains("-move") => {
            Some(to.to_string())
        }
        _ => None,
    }
}

/// What the way back says that it leaves: the objects of the actions that its notes name.
fn named(back: &Plan, first: &Plan) -> BTreeSet<(String, String)> {
    let mut out = BTreeSet::new();
    for note in &back.body.notes {
        let Some(action) = first.body.actions.iter().find(|a| a.id.as_str() == note.subject) else { continue };
        if let Work::Platform { platform, change } = &action.work {
            let subject = change.subject();
            out.extend(subject.split('/').take(1).map(|name| (platform.to_string(), name.to_owned())));
            if let Change::AccountRename { to, .. } = change {
                out.insert((platform.to_string(), to.key()));
            }
        }
    }
    out
}

/// Accounts and free slots together are as many as before, where an account fills a slot.
fn places(before: &Inventory, after: &Inventory) {
    for (platform, view) in before.platforms.iter().filter(|(_, v)| v.capabilities.create == CreateBy::Slot) {
        let now = &after.platforms[platform];
        let count = |v: &rehome::model::PlatformView| v.slots.len() + v.accounts.len();
        assert_eq!(count(now), count(view), "a slot of {platform} was lost or made");
    }
}

/// A platform, and what an object is called there with everything that it belongs to.
type Object = (String, String);

fn objects(inventory: &Inventory) -> BTreeMap<Object, String> {
    let mut out = BTreeMap::new();
    for (platform, view) in inventory.platforms.iter().filter(|(_, v)| v.kind != PlatformKind::Imap) {
        let mut put = |name: String, value: String| out.insert((platform.to_string(), name), value);
        for (domain, seen) in &view.domains {
            // A platform that has accepted a domain does not un-accept it.
            put(format!("domain {domain}"), format!("{:?}", DomainView { state: ObjectState::Ok, ..seen.clone() }));
        }
        for (address, seen) in &view.accounts {
            put(format!("account {address}"), format!("{:?} {:?}", seen.profile, seen.state));
            seen.aliases.iter().for_each(|alias| drop(put(format!("alias {alias} of {address}"), String::new())));
            for right in &seen.delegations {
                put(format!("right {} of {} on {address}", right.right.word(), right.to), String::new());
            }
        }
        for (from, seen) in &view.redirections {
            put(format!("redirection {from}"), format!("{seen:?}"));
        }
        for (group, seen) in &view.groups {
            put(format!("group {group}"), format!("{:?}", seen.settings));
            seen.members.iter().for_each(|who| drop(put(format!("member {who} of {group}"), String::new())));
            seen.managers.iter().for_each(|who| drop(put(format!("manager {who} of {group}"), String::new())));
        }
        for (contact, seen) in &view.contacts {
            put(format!("contact {contact}"), format!("{seen:?}"));
        }
    }
    for ((platform, address), seen) in &inventory.mailboxes {
        // Copies stay where they are: of what is not a source only the presence counts.
        let mail = if platform.as_str() == "old" { format!("{:?}", seen.folders) } else { String::new() };
        out.insert((platform.to_string(), format!("mailbox {address}")), mail);
    }
    out
}
