//! What can happen between two runs of `rehome copy`, or in two at once, with the real program between real servers. The
//! judge is `tests/check_mail.py`, which shares nothing with the program.

use std::{collections::BTreeMap, fs, path::PathBuf, time::Duration};

use rehome::{
    imap::WireName,
    model::{Address, ImapEndpoint, ImapSecurity},
};
use tempfile::TempDir;

use super::{
    binary::{Binary, Ended, Running},
    imap::dovecot::{Dovecot, Setup},
    kills,
    sandbox_mail::python::{Side, compare},
};

const LOGIN: &str = "ann@between.example";

/// A source with mail, an empty target, and the program.
struct Field {
    source: Dovecot,
    target: Dovecot,
    folder: TempDir,
    program: Binary,
}

impl Field {
    async fn start() -> Option<Self> {
        let source = Dovecot::start(Setup::default()).await?;
        let target = Dovecot::start(Setup::default()).await?;
        kills::fill(&source, LOGIN).await;
        let folder = tempfile::tempdir().unwrap();
        let variables = [("PASSWORD", "secret"), ("REHOME_SETTLE_MILLIS", "300")];
        let variables: BTreeMap<String, String> =
            variables.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
        let program = Binary::new(folder.path(), variables);
        Some(Self { source, target, folder, program })
    }

    fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    fn begin(&self, name: &str) -> Running {
        let url = |server: &Dovecot| format!("imap://{}@127.0.0.1:{}", LOGIN.replace('@', "%40"), server.port);
        let words = [
            "copy".to_owned(),
            format!("--from={}", url(&self.source)),
            format!("--to={}", url(&self.target)),
            "--from-password=env:PASSWORD".to_owned(),
            "--to-password=env:PASSWORD".to_owned(),
            format!("--state={}", self.state().display()),
            "--quiet".to_owned(),
        ];
        let words: Vec<&str> = words.iter().map(String::as_str).collect();
        self.program.start(name, &words).unwrap()
    }

    fn copy(&self) -> Ended {
        self.begin("copy").wait()
    }

    /// Begins a copy and kills it after so long. Whether it was still under way.
    async fn killed(&self, after: Duration) -> bool {
        let mut running = self.begin("killed");
        tokio::time::sleep(after).await;
        let under_way = running.child.try_wait().unwrap().is_none();
        running.child.kill().unwrap();
        running.wait();
        under_way
    }

    /// Every message is at the target, as often as at the source.
    async fn judge(&self, told: &str) {
        let login = Address::parse(LOGIN).unwrap();
        let side = |server: &Dovecot| {
            let at = ImapEndpoint { host: "127.0.0.1".to_owned(), port: server.port, security: ImapSecurity::Plain };
            (at, login.clone())
        };
        let ((from, a), (to, b)) = (side(&self.source), side(&self.target));
        let from = Side { at: from, login: &a, password: "secret" };
        let to = Side { at: to, login: &b, password: "secret" };
        let ran = compare(&from, &to, &["--by-use", "--ignore-extra-folders"]).await;
        assert_eq!(ran.code, Some(0), "{told}: {}", ran.output);
    }

    async fn validity(&self, server: &Dovecot, folder: &str) -> u32 {
        let mut reader = server.connector(LOGIN, "secret").connect().await.unwrap();
        let opened = reader.examine(&WireName::encode(folder)).await.unwrap();
        reader.logout().await;
        opened.uid_validity
    }

    /// Gives folders of a server another UIDVALIDITY, and keeps their mail.
    async fn renumber(&self, server: &Dovecot, folders: &[&str]) {
        for folder in folders {
            let before = self.validity(server, folder).await;
            let next = (before + 1000).to_string();
            server.doveadm(&["mailbox", "update", "-u", LOGIN, "--uid-validity", &next, folder]);
            assert_ne!(self.validity(server, folder).await, before, "{folder}");
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn of_two_processes_on_one_mailbox_one_works_and_the_other_says_so() {
    let Some(field) = Field::start().await else { return };
    let (one, other) = (field.begin("one"), field.begin("other"));
    let (one, other) = (one.wait(), other.wait());
    let mut codes = [one.code(), other.code()];
    codes.sort_unstable();
    assert!(codes == [Some(0), Some(6)] || codes == [Some(0), Some(0)], "{codes:?}\n{one:?}\n{other:?}");
    field.judge("two at once").await;
    field.copy().expect(0);
    field.judge("two at once, and once more").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_journal_that_is_lost_costs_time_and_doubles_nothing() {
    let Some(field) = Field::start().await else { return };
    let mut under_way = 0;
    for after in [120, 250, 400] {
        under_way += u32::from(field.killed(Duration::from_millis(after)).await);
        // Whoever has no journal cannot know what is still on its way, so it has to have arrived.
        tokio::time::sleep(Duration::from_millis(300)).await;
        if field.state().exists() {
            fs::remove_dir_all(field.state()).unwrap();
        }
    }
    assert!(under_way > 0, "the test is about copies that are under way");
    field.copy().expect(0);
    field.judge("the journal was lost in the middle").await;
    fs::remove_dir_all(field.state()).unwrap();
    field.copy().expect(0);
    field.judge("the journal was lost after the end").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_renumbered_between_runs_are_known_by_content() {
    let Some(field) = Field::start().await else { return };
    field.copy().expect(0);
    field.renumber(&field.source, &["INBOX", "Projekte/Süd"]).await;
    field.copy().expect(0);
    field.judge("the source was renumbered").await;
    field.renumber(&field.target, &["INBOX"]).await;
    field.copy().expect(0);
    field.judge("a folder of the target was renumbered").await;
    field.renumber(&field.target, &["INBOX", "Sent", "Projekte/Süd", "Eins", "Leer"]).await;
    field.copy().expect(0);
    field.judge("all of the target was renumbered").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn folders_that_are_renumbered_after_a_kill_are_known_by_content() {
    let Some(field) = Field::start().await else { return };
    let mut under_way = 0;
    for after in [60, 110, 160] {
        under_way += u32::from(field.killed(Duration::from_millis(after)).await);
    }
    assert!(under_way > 0, "the test is about copies that are under way");
    tokio::time::sleep(Duration::from_millis(300)).await;
    field.renumber(&field.source, &["INBOX"]).await;
    field.renumber(&field.target, &["INBOX"]).await;
    field.copy().expect(0);
    field.judge("both sides were renumbered after a kill").await;
    field.copy().expect(0);
    field.judge("both sides were renumbered after a kill, and once more").await;
}

#[test]
fn the_page_about_recovery_names_tests_that_exist() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let page = fs::read_to_string(root.join("docs/recovery.md")).unwrap();
    let named: Vec<(&str, &str)> = page.split('`').filter_map(|word| word.split_once(".rs::")).collect();
    assert!(named.len() >= 25, "{named:?}");
    for (file, test) in named {
        let text = fs::read_to_string(root.join(format!("{file}.rs"))).unwrap_or_else(|e| panic!("{file}.rs: {e}"));
        assert!(text.contains(&format!("fn {test}(")), "{file}.rs has no test {test}");
    }
}
