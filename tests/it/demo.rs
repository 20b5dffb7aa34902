//! `rehome demo` as somebody runs it who has just cloned the repository: no question, no network, and an end that says
//! where everything is and what to type next.

use std::{
    collections::BTreeMap,
    fs,
    path::Path,
    process::Command,
    time::{Duration, Instant},
};

use insta::assert_snapshot;
use tempfile::TempDir;

use super::{binary::Binary, world::pause};

/// No demo takes longer, unless it hangs.
const PATIENCE: Duration = Duration::from_secs(180);

struct Desk {
    folder: TempDir,
    program: Binary,
}

impl Desk {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let temporary = folder.path().join("tmp");
        fs::create_dir(&temporary).unwrap();
        let variables = [("HOME", folder.path()), ("TMPDIR", &temporary)];
        let variables: BTreeMap<String, String> =
            variables.map(|(name, path)| (name.to_owned(), path.display().to_string())).into();
        Self { program: Binary::new(folder.path(), variables), folder }
    }

    /// What was said without what differs from run to run.
    fn settled(&self, text: &str) -> String {
        let text = text.replace(&self.folder.path().display().to_string(), "[HOME]");
        let mut out = String::new();
        for word in text.split_inclusive([' ', '\n']) {
            let (bare, end) = word.split_at(word.trim_end().len());
            match bare.split_once("rehome-demo-") {
                Some((before, rest)) => {
                    let tail = rest.find('/').map_or("", |at| &rest[at..]);
                    out.push_str(&format!("{before}rehome-demo-[X]{tail}{end}"));
                }
                None => out.push_str(word),
            }
        }
        out
    }
}

/// The lines that name the commands, in order.
fn commands(text: &str) -> String {
    text.lines().filter(|line| line.starts_with("$ ")).collect::<Vec<_>>().join("\n")
}

/// From the last line that begins so.
fn from_last<'t>(text: &'t str, start: &str) -> &'t str {
    text.rfind(start).map_or(text, |at| &text[at..])
}

#[test]
fn the_demo_asks_nothing_and_ends_with_where_things_are_and_what_to_type_next() {
    let desk = Desk::new();
    let ran = desk.program.run(&["demo"]).expect(0);
    let said = desk.settled(&ran.stdout);
    assert_snapshot!(commands(&said), @r"
    $ rehome validate [HOME]/tmp/rehome-demo-[X]/rehome.yaml
    $ rehome plan [HOME]/tmp/rehome-demo-[X]/rehome.yaml --out [HOME]/tmp/rehome-demo-[X]/plan.json
    $ rehome apply [HOME]/tmp/rehome-demo-[X]/plan.json
    $ rehome verify [HOME]/tmp/rehome-demo-[X]/rehome.yaml
    $ rehome plan [HOME]/tmp/rehome-demo-[X]/rehome.yaml --detailed-exitcode
    ");
    let end = from_last(&said, "\nDone in ").trim();
    let (took, rest) = end.split_once(" s. ").unwrap();
    assert!(took.starts_with("Done in "), "{end}");
    assert_snapshot!(rest, @r"
    Moved, verified, and the second plan is empty.
    The spec, the saved plan, the journal and the new passwords are in [HOME]/tmp/rehome-demo-[X]

    Next:

      rehome journal show --spec [HOME]/tmp/rehome-demo-[X]/rehome.yaml
          what was done, in which order
      rehome demo --keep
          the same, and the sandbox stays for you to try commands on
      rehome init
          a spec of your own to start from
    ");
    assert!(said.contains("Nothing to do: what the spec describes is so."), "{said}");

    // What it names is there, and what it says to type works.
    let made: Vec<_> = fs::read_dir(desk.folder.path().join("tmp")).unwrap().map(|e| e.unwrap().path()).collect();
    let [made] = made.as_slice() else { panic!("{made:?}") };
    for file in ["rehome.yaml", "plan.json", ".rehome/journal.db", "secrets/john.smith@blue.example"] {
        assert!(made.join(file).exists(), "{file}");
    }
    let spec = made.join("rehome.yaml").display().to_string();
    let shown = desk.program.run(&["journal", "show", "--spec", &spec]).expect(0);
    assert!(shown.stdout.contains("account.create"), "{}", shown.stdout);
}

#[test]
fn the_demo_can_be_kept_and_its_world_is_there_until_ctrl_c() {
    let desk = Desk::new();
    let mut running = desk.program.start("keep", &["demo", "--keep"]).unwrap();
    let begun = Instant::now();
    let said = |path: &Path| fs::read_to_string(path).unwrap_or_default();
    while !said(&running.out).contains("The sandbox keeps running until Ctrl-C") {
        assert!(begun.elapsed() < PATIENCE && running.child.try_wait().unwrap().is_none(), "{}", said(&running.out));
        pause();
    }
    let told = said(&running.out);
    let folder = told.lines().find_map(|l| l.trim().strip_prefix("set -a; . ")?.split("/sandbox.env").next()).unwrap();
    // As it says: in another shell, with the variables that it wrote.
    let shell =
        format!("set -a; . {folder}/sandbox.env; set +a; exec \"$0\" plan {folder}/rehome.yaml --detailed-exitcode");
    let binary = crate::binary::program();
    let plan = Command::new("sh").arg("-c").arg(&shell).arg(binary).output().unwrap();
    assert_eq!(plan.status.code(), Some(0), "{}", String::from_utf8_lossy(&plan.stdout));
    assert!(Command::new("kill").args(["-INT", &running.child.id().to_string()]).status().unwrap().success());
    running.wait().expect(0);
}

/// In a network namespace there is nothing but loopback: whatever goes elsewhere fails.
#[test]
fn the_demo_needs_no_network() {
    let desk = Desk::new();
    let binary = crate::binary::program();
    let alone = |words: &str| {
        let mut command = Command::new("unshare");
        command.args(["--net", "sh", "-c", &format!("ip link set lo up && {words}")]).arg(&binary);
        command.env("HOME", desk.folder.path()).env("TMPDIR", desk.folder.path().join("tmp"));
        command.output()
    };
    if !alone("true").is_ok_and(|out| out.status.success()) {
        eprintln!("SKIPPED: no right to make a network namespace");
        return;
    }
    let ran = alone("exec \"$0\" demo").unwrap();
    assert_eq!(ran.status.code(), Some(0), "{}", String::from_utf8_lossy(&ran.stderr));
    assert!(String::from_utf8_lossy(&ran.stdout).contains("the second plan is empty"));
}
