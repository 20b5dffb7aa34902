//! A world as files: `tests/scenarios/<name>/` has `spec.yaml`, `inventory.json` and, where something was done before,
//! `state.json`. `spec.yaml` is read by the real reader.

use std::{
    collections::BTreeSet,
    fs,
    panic::{AssertUnwindSafe, catch_unwind, resume_unwind},
    path::{Path, PathBuf},
};

use rehome::{
    model::{Address, Delegation, PlatformKind, State},
    spec::{
        self, AccountSpec, ContactSpec, DomainSpec, FooterSpec, GroupSpec, Presence, RedirectionSpec, SourceFate,
        SourcePassword,
    },
};
use serde_json::{Value, json};

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
    let spec = read_spec(path);
    let json = |file: &str| fs::read(path.join(file)).unwrap();
    let inventory = serde_json::from_slice(&json("inventory.json")).unwrap();
    let state = if path.join("state.json").exists() {
        serde_json::from_slice(&json("state.json")).unwrap()
    } else {
        State::default()
    };
    World { spec, inventory, state }
}

/// The spec of a folder, by the real reader.
pub fn read_spec(path: &Path) -> spec::Spec {
    match spec::load(&path.join("spec.yaml")) {
        Ok(loaded) => loaded.spec,
        Err(problems) => panic!("{}", problems.render(false, 100)),
    }
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

/// JSON is YAML, so each object is a line of its own.
pub fn yaml(world: &World) -> String {
    let spec = &world.spec;
    let mut out = String::from("version: 1\nplatforms:\n");
    for (id, platform) in &spec.platforms {
        out.push_str(&format!("  {id}: {}\n", platform_yaml(platform.kind)));
    }
    let mut section = |name: &str, all: Vec<(String, Value)>| {
        out.push_str(&format!("{name}:\n"));
        all.into_iter().for_each(|(key, value)| out.push_str(&format!("  {key}: {value}\n")));
    };
    section("domains", spec.domains.iter().map(|(n, d)| (n.to_string(), domain(d))).collect());
    section("accounts", spec.accounts.iter().map(|(n, x)| (n.to_string(), account(n, x))).collect());
    section("redirections", spec.redirections.iter().map(|(n, r)| (n.to_string(), redirection(r))).collect());
    section("groups", spec.groups.iter().map(|(n, g)| (n.to_string(), group(g))).collect());
    section("contacts", spec.contacts.iter().map(|(n, c)| (n.to_string(), contact(c))).collect());
    out
}

/// An object without the fields that nothing is said of.
fn said(value: Value) -> Value {
    match value {
        Value::Object(fields) => {
            Value::Object(fields.into_iter().filter(|(_, v)| !v.is_null()).map(|(k, v)| (k, said(v))).collect())
        }
        other => other,
    }
}

fn absent(state: Presence) -> Option<Value> {
    (state == Presence::Absent).then(|| json!({ "state": "absent" }))
}

fn domain(spec: &DomainSpec) -> Value {
    let migrate = spec.migrate.as_ref().map(|m| {
        let source = if m.source == SourceFate::Reset { "reset" } else { "keep" };
        json!({ "from": m.from, "strategy": m.strategy.word(), "provisional": m.provisional, "source": source })
    });
    let footer = spec.footer.as_ref().map(|footer| match footer {
        FooterSpec::Present(f) => json!({ "html": f.html, "outside_only": f.outside_only }),
        FooterSpec::Absent => json!({ "state": "absent" }),
    });
    if spec.state == Presence::Absent {
        return json!({ "platform": spec.platform, "state": "absent" });
    }
    said(json!({
        "platform": spec.platform,
        "type": spec.kind,
        "mx_relay": spec.mx_relay,
        "migrate": migrate,
        "footer": footer,
    }))
}

fn account(address: &Address, spec: &AccountSpec) -> Value {
    let protect = spec.protect.then_some(true);
    if spec.state == Presence::Absent {
        return said(json!({ "state": "absent", "protect": protect }));
    }
    let local = address.local();
    let made = |file: String| json!({ "generate": { "deliver": { "file": file } } });
    let source = match &spec.mail.source_password {
        Some(SourcePassword::Given(_)) => Some(json!({ "env": format!("OLD_{}", local.to_uppercase()) })),
        Some(SourcePassword::Reset(_)) => Some(json!({ "reset": made(format!("secrets/{local}.old")) })),
        None => None,
    };
    let delegates = spec.delegates.as_ref().map(|all| {
        let one = |d: &Delegation| json!({ "to": d.to.to_string(), "rights": [d.right.word()] });
        all.iter().map(one).collect::<Vec<_>>()
    });
    said(json!({
        "name": spec.profile.display_name,
        "first_name": spec.profile.first_name,
        "last_name": spec.profile.last_name,
        "quota": spec.profile.quota_octets.map(|octets| format!("{} GB", octets >> 30)),
        "hidden": spec.profile.hidden,
        "password": made(format!("secrets/{local}")),
        "mail": { "source_password": source, "skip": spec.mail.skip.then_some(true) },
        "aliases": spec.aliases.as_ref().map(names),
        "delegates": delegates,
        "protect": protect,
    }))
}

fn redirection(spec: &RedirectionSpec) -> Value {
    absent(spec.state).unwrap_or_else(|| json!({ "to": names(&spec.to), "keep_copy": spec.keep_copy }))
}

fn group(spec: &GroupSpec) -> Value {
    let s = &spec.settings;
    absent(spec.state).unwrap_or_else(|| {
        said(json!({
            "name": s.display_name,
            "members_only": s.members_only,
            "join": s.join,
            "leave": s.leave,
            "hidden": s.hidden,
            "max_receive_mb": s.max_receive_mb,
            "members": spec.members.as_ref().map(names),
            "managers": spec.managers.as_ref().map(names),
        }))
    })
}

fn contact(spec: &ContactSpec) -> Value {
    let f = &spec.fields;
    if spec.state == Presence::Absent {
        return json!({ "state": "absent", "platform": spec.platform });
    }
    said(json!({
        "platform": spec.platform,
        "name": f.display_name,
        "first_name": f.first_name,
        "last_name": f.last_name,
        "hidden": f.hidden,
    }))
}

fn names(all: &BTreeSet<Address>) -> Vec<String> {
    all.iter().map(ToString::to_string).collect()
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
