//! The screens under `docs/screens`: what the renderers make of a plan for three people and one for 300. `REHOME_UPDATE=1`
//! writes them. The page of a plan is opened in a browser.

use std::{
    fs,
    path::{Path, PathBuf},
};

use rehome::{
    model::{ActionId, CopyCounts, Delegation, DomainType, Event, FailedMessage, PlatformKind, Right, RunId},
    plan::Plan,
    report::{self, Graph, Options, Style, event_json, plan_graph, plan_html, plan_json, plan_markdown, plan_text},
    spec::{SourceFate, Strategy},
};

use serde_json::json;
use sha2::{Digest as _, Sha256};

use super::world::{World, a, d};
use crate::browser::Browser;

/// Three people, one with everything.
fn three() -> Plan {
    let mut world = World::moving(PlatformKind::OvhExchange, PlatformKind::OvhEmailPro, Strategy::Swap);
    for (local, name, messages) in
        [("jane", "Jane Doe", 9_877), ("john", "John Smith", 31_204), ("max", "Max Weber", 540)]
    {
        world = world.wants(local).has("old", local, messages);
        world.account(local).profile.display_name = Some(name.to_owned());
    }
    world.view("new").domains.clear();
    world.view("old").domains.get_mut(&d("mydomain.ovh")).unwrap().kind = Some(DomainType::NonAuthoritative);
    world.migrate().source = SourceFate::Reset;
    world.seen("old", "john").aliases = [a("j.smith"), a("sales")].into();
    world.account("john").aliases = Some([a("j.smith"), a("sales")].into());
    world.account("john").delegates = Some([Delegation { to: a("jane"), right: Right::FullAccess }].into());
    world.plan()
}

/// 300 people of four domains.
fn three_hundred() -> Plan {
    let mut world = World::swap();
    let domain = d("mydomain.ovh");
    let others = ["second.example", "third.example", "fourth.example"].map(d);
    for other in &others {
        let wish = world.spec.domains[&domain].clone();
        world.spec.domains.insert(other.clone(), wish);
        for platform in ["old", "new"] {
            let view = world.view(platform).domains[&domain].clone();
            world.view(platform).domains.insert(other.clone(), view);
        }
    }
    for n in 0..300_usize {
        let place = match n {
            0..200 => "mydomain.ovh",
            200..270 => "second.example",
            270..295 => "third.example",
            _ => "fourth.example",
        };
        let name = format!("person{n:03}@{place}");
        world = world.wants(&name).has("old", &name, 200 + u32::try_from(n * 37 % 9_000).unwrap());
        world.slot(&format!("slot{n:05}@configureme.me"), None);
    }
    world.plan()
}

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/screens")
}

#[test]
fn the_screens_are_what_the_program_prints() {
    let (small, large) = (three(), three_hundred());
    let options = Options { width: 100, ..Options::default() };
    let screens = [
        ("3-people.txt", plan_text(&small, &options)),
        ("3-people.md", plan_markdown(&small, Some(65_000)).text),
        ("3-people.html", plan_html(&small)),
        ("3-people.mmd", plan_graph(&small, Graph::Mermaid)),
        ("3-people.json", String::from_utf8(plan_json(&small)).unwrap()),
        ("300-people.txt", plan_text(&large, &options)),
        ("300-people.md", plan_markdown(&large, Some(65_000)).text),
        ("300-people.html", plan_html(&large)),
        ("300-people.mmd", plan_graph(&large, Graph::Mermaid)),
    ];
    for (name, text) in screens {
        let path = folder().join(name);
        if std::env::var_os("REHOME_UPDATE").is_some() {
            fs::create_dir_all(folder()).unwrap();
            fs::write(&path, &text).unwrap();
        }
        assert!(fs::read_to_string(&path).unwrap_or_default() == text, "{name}: run this test with REHOME_UPDATE=1");
    }
}

/// What a terminal with colours shows, as a page: the few sequences that the renderer uses.
fn terminal(text: &str) -> String {
    let mut out = String::from(
        "<!doctype html><meta charset=utf-8><style>body{margin:0;background:#11161c;color:#e4e9ef}pre{margin:0;padding:\
         20px 24px;font:14px/1.45 'DejaVu Sans Mono',monospace}.b{font-weight:700}.g{color:#6fd397}.y{color:#e6b75a}.c{\
         color:#7db7ff}.r{color:#ff9d95}.d{opacity:.6}</style><pre>",
    );
    let escaped = text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;");
    let mut parts = escaped.split('\u{1b}');
    out.push_str(parts.next().unwrap());
    for part in parts {
        let (code, rest) = part.strip_prefix('[').and_then(|p| p.split_once('m')).unwrap();
        let class = match code {
            "1" => "b",
            "2" => "d",
            "31" => "r",
            "32" => "g",
            "33" => "y",
            "36" => "c",
            "0" => "",
            other => panic!("the renderer uses {other}"),
        };
        let tag = if class.is_empty() { "</span>".to_owned() } else { format!("<span class={class}>") };
        out.push_str(&tag);
        out.push_str(rest);
    }
    out + "</pre>"
}

/// Pictures of terminal and page. A browser's pictures differ from machine to machine, so what is compared is what they
/// were taken of: its SHA-256 stands in `pictures.txt`. `REHOME_UPDATE=1` takes them anew.
#[test]
fn the_pictures_are_of_what_the_program_prints() {
    let (small, large) = (three(), three_hundred());
    let colored = Options { width: 110, style: Style::Color, ..Options::default() };
    let pages = [
        ("3-people-terminal.png", terminal(&plan_text(&small, &colored)), "1000,1140"),
        ("3-people-page.png", plan_html(&small), "1200,1000"),
        ("300-people-terminal.png", terminal(&plan_text(&large, &colored)), "1000,1140"),
        ("300-people-page.png", plan_html(&large), "1200,1000"),
    ];
    let digest = |page: &str| Sha256::digest(page.as_bytes()).iter().map(|b| format!("{b:02x}")).collect::<String>();
    let list: String = pages.iter().map(|(name, page, _)| format!("{}  {name}\n", digest(page))).collect();
    let known = folder().join("pictures.txt");
    if std::env::var_os("REHOME_UPDATE").is_some() {
        let place = tempfile::tempdir().unwrap();
        let Some(browser) = Browser::find(place.path()) else { return };
        for (name, page, size) in &pages {
            let file = place.path().join("page.html");
            fs::write(&file, page).unwrap();
            let picture = format!("--screenshot={}", folder().join(name).display());
            browser.open(&[&picture, &format!("--window-size={size}"), "--hide-scrollbars"], &file, "");
        }
        fs::write(&known, &list).unwrap();
    }
    assert_eq!(fs::read_to_string(&known).unwrap_or_default(), list, "run this test with REHOME_UPDATE=1");
    let shown = fs::read_to_string(folder().join("README.md")).unwrap();
    for (name, _, _) in pages {
        let picture = fs::read(folder().join(name)).unwrap();
        assert!(picture.starts_with(b"\x89PNG") && shown.contains(name), "{name}");
    }
}

/// The schema in the repository is the one that the code makes, and plans fit it. `REHOME_UPDATE=1` writes it.
#[test]
fn the_schema_of_plans_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(rehome::plan::schema::PATH);
    let text = rehome::plan::schema::text();
    if std::env::var_os("REHOME_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "run this test with REHOME_UPDATE=1");
    let validator = jsonschema::validator_for(&rehome::plan::schema::document()).unwrap();
    for plan in [three(), three_hundred()] {
        let value = serde_json::to_value(&plan).unwrap();
        let errors: Vec<_> = validator.iter_errors(&value).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{errors:#?}");
    }
}

/// The schema of events in the repository is the one that the code makes, and every event fits it.
#[test]
fn the_schema_of_events_is_true() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("specs/schema/event.json");
    let text = report::event_schema_text();
    if std::env::var_os("REHOME_UPDATE").is_some() {
        fs::write(&path, &text).unwrap();
    }
    assert_eq!(fs::read_to_string(&path).unwrap_or_default(), text, "run this test with REHOME_UPDATE=1");
    let validator = jsonschema::validator_for(&report::event_schema()).unwrap();
    let at = "2026-01-01T00:00:00Z".parse().unwrap();
    let forecast = report::Forecast { per_second: Some(12.34), remaining: Some(std::time::Duration::from_secs(9)) };
    let mut told = std::collections::BTreeSet::new();
    for event in every_event() {
        let line: serde_json::Value = serde_json::from_str(&event_json(&event, at, Some(&forecast))).unwrap();
        let errors: Vec<_> = validator.iter_errors(&line).map(|e| format!("{}: {e}", e.instance_path())).collect();
        assert!(errors.is_empty(), "{line}: {errors:#?}");
        told.insert(line["event"].as_str().unwrap().to_owned());
    }
    // Each kind is in the page, and each kind of the schema was tried.
    let page = fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/events.md")).unwrap();
    assert!(told.iter().all(|kind| page.contains(&format!("| `{kind}` |"))), "{told:?}");
    assert_eq!(text.matches("\"const\":").count(), told.len(), "{told:?}");
    for wrong in
        [json!({ "v": 1, "event": "warning", "message": "no time" }), json!({ "v": 1, "at": "x", "event": "y" })]
    {
        assert!(!validator.is_valid(&wrong), "{wrong}");
    }
}

/// One of each kind.
fn every_event() -> Vec<Event> {
    let action = || ActionId::from("account.create:new/ann@mydomain.ovh");
    let counts =
        CopyCounts { source: 2, copied: 1, failed: [("too-large".to_owned(), 1)].into(), ..CopyCounts::default() };
    let message = FailedMessage {
        folder: rehome::model::FolderPath::inbox(),
        uid_validity: 1,
        uid: 2,
        class: "too-large".to_owned(),
        reason: "552".to_owned(),
    };
    let (run, reason, gate) = (RunId("run-000001".to_owned()), "why".to_owned(), "hold".to_owned());
    vec![
        Event::RunStarted { run: run.clone(), plan: three().id, actions: 3, resumed: false, done: 0 },
        Event::ActionStarted { action: action() },
        Event::ActionWaiting { action: action(), reason: reason.clone() },
        Event::GateShut { gate: gate.clone(), reason: reason.clone(), actions: 2 },
        Event::GateOpened { gate, by: Some("ada".to_owned()) },
        Event::ActionDone { action: action(), detail: None, adopted: true },
        Event::ActionUndone { action: action(), reason: reason.clone() },
        Event::ActionFailed { action: action(), errors: vec![reason.clone()], help: None, blocked: vec![action()] },
        Event::CopyProgress { account: a("ann"), folder: "INBOX".to_owned(), done: 1, total: 2, octets: 3 },
        Event::FolderDone { account: a("ann"), folder: "INBOX".to_owned(), counts: counts.clone() },
        Event::MessageFailed { account: a("ann"), message },
        Event::CopyDone { account: a("ann"), counts },
        Event::VerifyProgress { account: a("ann"), done: 1, total: 2 },
        Event::Throttled { host: "imap.example".to_owned(), reason: reason.clone(), millis: 1_500 },
        Event::Warning { message: reason },
        Event::RunFinished { run, exit: 3, done: 1, failed: 1, pending: 1 },
    ]
}

#[test]
fn small_domains_stay_in_full_when_a_large_one_must_shrink() {
    let text = plan_markdown(&three_hundred(), Some(65_000)).text;
    assert!(text.len() <= 65_000, "{}", text.len());
    assert!(text.contains("<details><summary>fourth.example ("), "{text}");
    assert!(text.contains("| `+` | create | person299@fourth.example |"), "the small one is in full");
    assert!(!text.contains("| `+` | create | person000@mydomain.ovh |"), "the large one is not");
}

#[test]
fn the_page_filters_in_a_browser() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::find(folder.path()) else { return };
    let page = folder.path().join("plan.html");
    fs::write(&page, plan_html(&three())).unwrap();
    let open = |what: &[&str], part: &str| browser.open(what, &page, part);
    let rows = |dom: &str| {
        let all = dom.split("<div class=\"row").skip(1).map(|row| row.split('>').next().unwrap().to_owned());
        // `rows` is what holds them.
        all.filter(|row| !row.starts_with('s') && !row.contains("hidden")).collect::<Vec<String>>()
    };
    let all = rows(&open(&["--dump-dom"], ""));
    assert_eq!(all.len(), three().body.actions.len());
    let graves = open(&["--dump-dom"], "#q=max&kind=!");
    assert_eq!(rows(&graves).len(), 1, "{:?}", rows(&graves));
    assert!(graves.contains(&format!("1 of {} actions", all.len())), "the count follows");
    let shot = folder.path().join("plan.png");
    open(&[&format!("--screenshot={}", shot.display())], "#q=john&theme=dark");
    assert!(fs::metadata(&shot).unwrap().len() > 10_000, "a picture of the page");
}

/// A page beside the others that holds one of them in a frame as wide as a phone, and writes what the frame says of
/// itself: a browser without a screen has no window that narrow.
fn on_a_phone(browser: &Browser<'_>, folder: &Path, page: &str, part: &str) -> (u32, u32, usize) {
    let frame = format!(
        "<!doctype html><meta charset=utf-8><iframe id=f width=390 height=844 style=border:0 src=\"{page}{part}\">\
         </iframe><pre id=out></pre><script>onload=()=>setTimeout(()=>{{const d=f.contentDocument,w=f.contentWindow;\
         const rows=[...d.querySelectorAll('.row')].filter(r=>r.offsetParent!==null).length;\
         out.textContent=`says ${{w.innerWidth}} ${{d.documentElement.scrollWidth}} ${{rows}} end`}},200)</script>"
    );
    let file = folder.join("phone.html");
    fs::write(&file, frame).unwrap();
    let allow = ["--allow-file-access-from-files", "--virtual-time-budget=20000", "--dump-dom"];
    let dom = browser.open(&allow, &file, "");
    let said =
        dom.split_once(">says ").and_then(|(_, rest)| rest.split_once(" end")).unwrap_or_else(|| panic!("{dom}"));
    let numbers: Vec<u32> = said.0.split(' ').map(|n| n.parse().unwrap()).collect();
    (numbers[0], numbers[1], numbers[2] as usize)
}

#[test]
fn the_page_of_300_people_fits_a_phone_and_filters_there() {
    let folder = tempfile::tempdir().unwrap();
    let Some(browser) = Browser::find(folder.path()) else { return };
    for (name, plan) in [("small.html", three()), ("large.html", three_hundred())] {
        fs::write(folder.path().join(name), plan_html(&plan)).unwrap();
        let (width, wide, rows) = on_a_phone(&browser, folder.path(), name, "");
        assert_eq!(width, 390, "the frame is as wide as a phone");
        assert!(wide <= width, "{name} is {wide} wide on a screen of {width}");
        assert!(rows > 0, "{name} shows something");
    }
    let (_, wide, rows) = on_a_phone(&browser, folder.path(), "large.html", "#q=person299");
    assert_eq!(rows, 5, "rename, create, copy in two passes and verify of one person");
    assert!(wide <= 390, "{wide}");
    let (_, _, none) = on_a_phone(&browser, folder.path(), "large.html", "#q=nobody");
    assert_eq!(none, 0);
}

#[test]
fn nothing_in_a_page_runs_or_loads_what_a_platform_says() {
    let mut plan = three();
    plan.body.actions[0].reason = "\"><script>alert(1)</script><img src=//evil.example>".into();
    plan.body.notes[0].message = "</style><script>x</script>".to_owned();
    let page = plan_html(&plan);
    assert_eq!(page.matches("<script>").count(), 1, "only its own");
    assert!(!page.contains("<img") && !page.contains("http://") && !page.contains("https://"));
}
