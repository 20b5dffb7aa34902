//! A world as files: `tests/scenarios/<name>/` has `spec.yaml`, `inventory.json` and, where something was done before,
//! `state.json`. `spec.yaml` is read by the real reader.

use std::{
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use rehome::{
    model::{Address, PlatformKind, Right, State},
    spec::{self, AccountSpec, Presence, SourceFate},
};

use crate::plan::world::World;

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/scenarios")
}

/// Every scenario, by its name.
pub fn all() -> Vec<(String, World)> {
    let mut names: Vec<PathBuf> = fs::read_dir(folder()).unwrap().map(|e| e.unwrap().path()).collect();
    names.sort();
    let name = |path: &Path| path.file_name().unwrap().to_string_lossy().into_owned();
    names.iter().filter(|path| path.is_dir()).map(|path| (name(path), read(path))).collect()
}

fn read(path: &Path) -> World {
    let spec = match spec::load(&path.join("spec.yaml")) {
        Ok(loaded) => loaded.spec,
        Err(problems) => panic!("{}", problems.render(false, 100)),
    };
    let json = |file: &str| fs::read(path.join(file)).unwrap();
    let inventory = serde_json::from_slice(&json("inventory.json")).unwrap();
    let state = if path.join("state.json").exists() {
        serde_json::from_slice(&json("state.json")).unwrap()
    } else {
        State::default()
    };
    World { spec, inventory, state }
}

/// The files of a world.
pub fn files(world: &World) -> Vec<(&'static str, String)> {
    let json = |value: serde_json::Value| format!("{}\n", serde_json::to_string_pretty(&value).unwrap());
    let mut out =
        vec![("spec.yaml", yaml(world)), ("inventory.json", json(serde_json::to_value(&world.inventory).unwrap()))];
    if world.state != State::default() {
        out.push(("state.json", json(serde_json::to_value(&world.state).unwrap())));
    }
    out
}

/// Runs a law; a world that breaks it is printed so that it can be pasted. The last one that is printed is the smallest.
#[expect(clippy::print_stderr, reason = "what failed is there to be pasted")]
pub fn shown(world: &World, law: impl FnOnce()) {
    if let Err(panic) = catch_unwind(AssertUnwindSafe(law)) {
        for (name, text) in files(world) {
            eprintln!("--- tests/scenarios/NAME/{name}\n{text}");
        }
        resume_unwind(panic);
    }
}

fn yaml(world: &World) -> String {
    let spec = &world.spec;
    let mut out = String::from("version: 1\nplatforms:\n");
    for (id, platform) in &spec.platforms {
        out.push_str(&format!("  {id}: {}\n", platform_yaml(platform.kind)));
    }
    out.push_str("domains:\n");
    for (name, domain) in &spec.domains {
        out.push_str(&format!("  {name}:\n    platform: {}\n", domain.platform));
        if let Some(m) = &domain.migrate {
            let source = if m.source == SourceFate::Reset { "reset" } else { "keep" };
            out.push_str(&format!(
                "    migrate: {{ from: {}, strategy: {}, provisional: \"{}\", source: {source} }}\n",
                m.from,
                m.strategy.word(),
                m.provisional
            ));
        }
    }
    out.push_str("accounts:\n");
    for (address, account) in &spec.accounts {
        out.push_str(&format!("  {address}:{}\n", account_yaml(address, account)));
    }
    out.push_str("redirections:\n");
    for (from, redirection) in &spec.redirections {
        let wish = if redirection.state == Presence::Absent {
            "{ state: absent }".to_owned()
        } else {
            format!("{{ to: [{}], keep_copy: {} }}", list(&redirection.to), redirection.keep_copy)
        };
        out.push_str(&format!("  {from}: {wish}\n"));
    }
    out.push_str("groups:\n");
    for (group, wish) in &spec.groups {
        let members = wish.members.as_ref().map(|m| format!("members: [{}]", list(m))).unwrap_or_default();
        let wish = if wish.state == Presence::Absent { "state: absent".to_owned() } else { members };
        out.push_str(&format!("  {group}: {{ {wish} }}\n"));
    }
    out
}

fn platform_yaml(kind: PlatformKind) -> String {
    let (word, service) = match kind {
        PlatformKind::OvhExchange => ("ovh-exchange", "ex-1"),
        PlatformKind::OvhEmailPro => ("ovh-email-pro", "pro-1"),
        PlatformKind::OvhMxplan => ("ovh-mxplan", "mx-1"),
        PlatformKind::OvhMxplanLegacy => ("ovh-mxplan-legacy", "mydomain.ovh"),
        PlatformKind::OvhZimbra => ("ovh-zimbra", "0b9c3d1e-0000-4000-8000-000000000000"),
        PlatformKind::Imap => return "{ kind: imap, imap: { host: imap.old.example } }".to_owned(),
    };
    let keys = "application_key: { env: K }, application_secret: { env: S }, consumer_key: { env: C }";
    format!("{{ kind: {word}, service: {service}, credentials: {{ {keys} }} }}")
}

fn account_yaml(address: &Address, account: &AccountSpec) -> String {
    if account.state == Presence::Absent {
        let protect = if account.protect { ", protect: true" } else { "" };
        return format!(" {{ state: absent{protect} }}");
    }
    let local = address.local();
    let mut out = format!(
        "\n    password: {{ generate: {{ deliver: {{ file: \"secrets/{local}\" }} }} }}\n    \
         mail: {{ source_password: {{ env: OLD_{} }} }}",
        local.to_uppercase()
    );
    if let Some(aliases) = &account.aliases {
        out.push_str(&format!("\n    aliases: [{}]", list(aliases)));
    }
    if let Some(delegates) = &account.delegates {
        let one = |right: Right| match right {
            Right::FullAccess => "full-access",
            Right::SendAs => "send-as",
            Right::SendOnBehalf => "send-on-behalf",
        };
        let all: Vec<String> =
            delegates.iter().map(|d| format!("{{ to: {}, rights: [{}] }}", d.to, one(d.right))).collect();
        out.push_str(&format!("\n    delegates: [{}]", all.join(", ")));
    }
    if account.protect {
        out.push_str("\n    protect: true");
    }
    out
}

fn list<'a>(all: impl IntoIterator<Item = &'a Address>) -> String {
    all.into_iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
}
