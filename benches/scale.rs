//! A spec of many accounts in many files: read and validated, planned against an inventory in memory, rendered as
//! Markdown, all in one process. `cargo bench --bench scale [ACCOUNTS] [FILES]`; without numbers, half the size and then
//! the whole, each in a process of its own.
#![expect(clippy::unwrap_used, clippy::print_stdout, reason = "a program that measures and prints")]

use std::{
    fmt::Write as _,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use rehome::{
    model::{
        AccountView, DomainType, DomainView, Inventory, ObjectState, PlatformId, PlatformKind, PlatformView,
        ServiceState, ServiceView, Slot, SlotId, State,
    },
    plan::{Header, plan},
    provider::capabilities_of,
    report::plan_markdown,
    spec::{self, Spec},
};

const HEAD: &str = "version: 1\nplatforms:\n  old: { kind: ovh-exchange, service: old-1, credentials: { client_id: { env: ID }, \
                    client_secret: { env: SECRET } } }\n  new: { kind: ovh-email-pro, service: new-1, credentials: { \
                    same_as: old } }\ndefaults:\n  password: { generate: { deliver: { file: \"secrets/{address}\" } } }\n  \
                    mail: { source_password: { env: \"OLD_{address}\" } }\n";

/// One file per domain.
fn write(folder: &Path, accounts: usize, files: usize) {
    fs::write(folder.join("platforms.yaml"), HEAD).unwrap();
    let each = accounts.div_ceil(files.max(1));
    for file in 0..files {
        let mut text = format!(
            "version: 1\ndomains:\n  domain{file:03}.example: {{ platform: new, migrate: {{ from: old }} }}\naccounts:\n"
        );
        for n in (file * each..accounts).take(each) {
            let _ = writeln!(
                text,
                "  user{n:06}@domain{file:03}.example: {{ name: User {n}, aliases: [alias{n:06}@domain{file:03}.example] }}"
            );
        }
        fs::write(folder.join(format!("domain{file:03}.yaml")), text).unwrap();
    }
}

/// What the platforms would tell: everybody on the old one, a slot for each on the new one.
fn inventory(spec: &Spec) -> Inventory {
    let view = |kind| {
        let service = ServiceView { name: "service".to_owned(), state: ServiceState::Ok, imap: None, offer: None };
        let mut view = PlatformView::new(kind, service, capabilities_of(kind));
        for name in spec.domains.keys() {
            let domain = DomainView {
                remote_id: None,
                kind: Some(DomainType::NonAuthoritative),
                mx_relay: None,
                state: ObjectState::Ok,
                ownership: None,
                expected: Vec::new(),
                footer: None,
            };
            view.domains.insert(name.clone(), domain);
        }
        view
    };
    let (mut old, mut new) = (view(PlatformKind::OvhExchange), view(PlatformKind::OvhEmailPro));
    for (n, (address, account)) in spec.accounts.iter().enumerate() {
        let seen = AccountView {
            aliases: account.aliases.clone().unwrap_or_default(),
            used_octets: Some(1 << 23),
            detailed: true,
            ..AccountView::listed()
        };
        old.accounts.insert(address.clone(), seen);
        new.slots.push(Slot { id: SlotId::from(format!("{n:06}@configureme.me")), offer: None, quota_octets: None });
    }
    let platforms = [(PlatformId::from("old"), old), (PlatformId::from("new"), new)].into();
    Inventory { platforms, ..Inventory::default() }
}

/// The most memory that this process has had, in MiB.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|l| l.strip_prefix("VmHWM:")).unwrap_or_default();
    line.trim().trim_end_matches(" kB").parse::<u64>().unwrap_or_default() / 1024
}

/// The time that all threads have had processors, where the system tells, in steps of 10 ms: on a busy machine the clock
/// on the wall says little.
fn processor() -> Duration {
    let told = fs::read_to_string("/proc/self/stat").unwrap_or_default();
    let fields = told.rsplit_once(") ").map_or("", |(_, rest)| rest).split(' ').skip(11).take(2);
    Duration::from_millis(10 * fields.filter_map(|ticks| ticks.parse::<u64>().ok()).sum::<u64>())
}

/// Wall and processors.
type Sum = (Duration, Duration);

fn timed<T>(what: &str, sum: &mut Sum, run: impl FnOnce() -> T) -> T {
    let (start, began) = (Instant::now(), processor());
    let out = run();
    let (wall, used) = (start.elapsed(), processor() - began);
    *sum = (sum.0 + wall, sum.1 + used);
    let [wall, used] = [wall, used].map(|d| d.as_secs_f64() * 1e3);
    println!("{what:<28} {wall:>8.0} ms {used:>8.0} ms   peak {:>5} MiB", peak());
    out
}

fn main() {
    let numbers: Vec<usize> = std::env::args().skip(1).filter_map(|a| a.parse().ok()).collect();
    match numbers.as_slice() {
        [] => {
            println!("{:<28} {:>11} {:>11}", "", "wall", "processors");
            for size in [["25000", "250"], ["50000", "500"]] {
                assert!(Command::new(std::env::current_exe().unwrap()).args(size).status().unwrap().success());
            }
        }
        [accounts] => measure(*accounts, 500),
        [accounts, files, ..] => measure(*accounts, *files),
    }
}

fn measure(accounts: usize, files: usize) {
    let folder = tempfile::tempdir().unwrap();
    write(folder.path(), accounts, files);
    let mut sum = (Duration::ZERO, Duration::ZERO);
    let loaded = timed("read and validate", &mut sum, || spec::load(folder.path())).unwrap();
    let seen = inventory(&loaded.spec);
    println!("{:<28} {:>23}   peak {:>5} MiB", "(the inventory in memory)", "", peak());
    let made = timed("plan", &mut sum, || plan(&loaded.spec, &seen, &State::default(), Header::default()));
    let text = timed("Markdown in 65,000 octets", &mut sum, || plan_markdown(&made, Some(65_000)).text);
    println!(
        "{accounts} accounts in {files} files, {} actions, {} octets: {:.2} s ({:.2} s of processors), {} MiB",
        made.body.actions.len(),
        text.len(),
        sum.0.as_secs_f64(),
        sum.1.as_secs_f64(),
        peak()
    );
}
