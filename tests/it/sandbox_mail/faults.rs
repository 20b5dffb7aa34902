//! What the in-memory server does beyond an ordinary tour: faults, other behaviours, sessions that see changes.

use std::sync::Arc;

use rehome::{
    model::Address,
    sandbox::{
        counters::Counters,
        mail::{MemoryStore, memory::Fault},
        store::MailStore,
    },
};
use tokio::{
    io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader},
    net::TcpStream,
};

const SERVICE: &str = "exchange";

fn anna() -> Address {
    Address::parse("anna@mydomain.ovh").unwrap()
}

async fn store() -> Arc<MemoryStore> {
    let store = MemoryStore::start(&[SERVICE.to_owned()], Counters::new()).await.unwrap();
    store.create(SERVICE, &anna(), "secret").await.unwrap();
    store
}

/// A connection that says exactly what a test says.
struct Raw(BufReader<TcpStream>);

impl Raw {
    async fn open(store: &MemoryStore) -> Self {
        let at = store.endpoint(SERVICE);
        let stream = TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
        let mut raw = Self(BufReader::new(stream));
        raw.line().await;
        raw.say("l LOGIN anna@mydomain.ovh secret").await;
        raw
    }

    async fn line(&mut self) -> String {
        let mut line = Vec::new();
        self.0.read_until(b'\n', &mut line).await.unwrap();
        String::from_utf8_lossy(&line).trim_end().to_owned()
    }

    async fn send(&mut self, text: &str) {
        self.0.get_mut().write_all(text.as_bytes()).await.unwrap();
    }

    /// Sends a command and gives all lines up to its end, or up to the end of the connection.
    async fn say(&mut self, command: &str) -> Vec<String> {
        let tag = command.split(' ').next().unwrap().to_owned() + " ";
        self.send(&format!("{command}\r\n")).await;
        let mut lines = Vec::new();
        loop {
            let line = self.line().await;
            let last = line.is_empty() || line.starts_with(&tag);
            lines.push(line);
            if last {
                return lines;
            }
        }
    }

    async fn append(&mut self, tag: &str, body: &str) -> String {
        let command = format!("{tag} APPEND INBOX {{{}+}}\r\n{body}", body.len());
        self.say(&command).await.pop().unwrap()
    }

    async fn is_over(&mut self) -> bool {
        self.0.read(&mut [0; 1]).await.is_ok_and(|n| n == 0)
    }
}

fn inbox(store: &MemoryStore) -> Vec<String> {
    let contents = store.contents(SERVICE, &anna()).unwrap();
    contents["INBOX"].iter().map(|m| String::from_utf8_lossy(&m.bytes).into_owned()).collect()
}

#[tokio::test]
async fn a_connection_that_breaks_before_storing_leaves_nothing() {
    let store = store().await;
    store.fail(SERVICE, Fault::DropBeforeAppend(2));
    let mut raw = Raw::open(&store).await;
    assert!(raw.append("a", "one").await.starts_with("a OK [APPENDUID"));
    assert_eq!(raw.append("b", "two").await, "");
    assert_eq!(inbox(&store), ["one"]);
    let mut again = Raw::open(&store).await;
    assert!(again.append("a", "two").await.starts_with("a OK"), "the fault is over once it has happened");
}

#[tokio::test]
async fn a_connection_that_breaks_after_storing_leaves_everything_but_the_answer() {
    let store = store().await;
    store.fail(SERVICE, Fault::DropAfterAppend(3));
    let mut raw = Raw::open(&store).await;
    assert!(raw.append("a", "one").await.starts_with("a OK"));
    let answer = raw.say("b APPEND INBOX (\\Seen) {3+}\r\ntwo () {5+}\r\nthree").await;
    assert_eq!(answer, [""]);
    assert_eq!(inbox(&store), ["one", "two", "three"], "one command is stored as a whole");
}

#[tokio::test]
async fn poison_is_refused_with_its_words_and_the_rest_goes_on() {
    let store = store().await;
    let fault = Fault::RefuseAppend { marker: b"poison".to_vec(), words: "[CANNOT] not this one".to_owned() };
    store.fail(SERVICE, fault);
    let mut raw = Raw::open(&store).await;
    assert_eq!(raw.append("a", "a poisoned one").await, "a NO [CANNOT] not this one");
    let both = raw.say("b APPEND INBOX {3+}\r\none {6+}\r\npoison").await;
    assert_eq!(both, ["b NO [CANNOT] not this one"]);
    assert!(inbox(&store).is_empty(), "a command is refused as a whole");
    assert!(raw.append("c", "one").await.starts_with("c OK"));
    store.heal(SERVICE);
    assert!(raw.append("d", "poison").await.starts_with("d OK"));
}

#[tokio::test]
async fn a_full_mailbox_and_a_large_message_are_refused_with_their_codes() {
    let store = store().await;
    store.behave(SERVICE, |b| (b.quota, b.append_limit) = (Some(10), Some(8)));
    let mut raw = Raw::open(&store).await;
    assert!(raw.append("a", "12345678").await.starts_with("a OK"));
    assert!(raw.append("b", "123").await.starts_with("b NO [OVERQUOTA]"));
    assert!(raw.append("c", "123456789").await.starts_with("c NO [TOOBIG]"));
    assert!(raw.say("d APPEND INBOX {9}").await[0].starts_with("d NO [TOOBIG]"), "no continuation is given");
    assert_eq!(raw.say("e STATUS INBOX (APPENDLIMIT SIZE)").await[0], "* STATUS \"INBOX\" (APPENDLIMIT 8 SIZE 8)");
    assert_eq!(raw.say("f GETQUOTAROOT INBOX").await[1], "* QUOTA \"mail\" (STORAGE 1 0)");
}

#[tokio::test]
async fn bodies_break_off_or_cannot_be_read_when_told_to() {
    let store = store().await;
    let mut raw = Raw::open(&store).await;
    raw.append("a", "Subject: fine").await;
    raw.append("b", "Subject: rotten").await;
    raw.say("s SELECT INBOX").await;
    store.fail(SERVICE, Fault::Unreadable { marker: b"rotten".to_vec() });
    let answer = raw.say("f FETCH 1:2 BODY.PEEK[]").await;
    assert!(answer.last().unwrap().starts_with("f NO"), "{answer:?}");
    assert!(answer.iter().any(|l| l.contains("fine")), "{answer:?}");
    assert!(raw.say("g FETCH 1:2 FLAGS").await.last().unwrap().starts_with("g OK"));
    store.heal(SERVICE);
    store.fail(SERVICE, Fault::DropInFetch(2));
    let answer = raw.say("h UID FETCH 1:2 BODY.PEEK[]").await;
    assert!(!answer.iter().any(|l| l.starts_with("h ")), "{answer:?}");
    assert!(raw.is_over().await);
}

#[tokio::test]
async fn a_throttled_verb_comes_back() {
    let store = store().await;
    let words = "Request is throttled. Suggested Backoff Time: 10 milliseconds".to_owned();
    store.fail(SERVICE, Fault::Refuse { verb: "STATUS".to_owned(), words, times: 1 });
    let mut raw = Raw::open(&store).await;
    assert!(raw.say("a STATUS INBOX (MESSAGES)").await[0].starts_with("a NO Request is throttled"));
    assert!(raw.say("b STATUS INBOX (MESSAGES)").await[1].starts_with("b OK"));
}

#[tokio::test]
async fn a_rename_ends_open_sessions_and_a_deletion_as_well() {
    let store = store().await;
    let renamed = Address::parse("anna01@mydomain.ovh").unwrap();
    let mut raw = Raw::open(&store).await;
    raw.append("a", "one").await;
    store.rename(SERVICE, &anna(), &renamed).await.unwrap();
    assert_eq!(raw.say("b NOOP").await, ["* BYE the account was renamed", ""]);
    assert_eq!(store.contents(SERVICE, &renamed).unwrap()["INBOX"].len(), 1);
    store.rename(SERVICE, &renamed, &anna()).await.unwrap();
    let mut raw = Raw::open(&store).await;
    store.remove(SERVICE, &anna()).await.unwrap();
    assert_eq!(raw.say("b NOOP").await, ["* BYE the account is gone", ""]);
}

#[tokio::test]
async fn an_idle_session_is_told_of_new_mail() {
    let store = store().await;
    let mut idle = Raw::open(&store).await;
    idle.say("s SELECT INBOX").await;
    idle.send("i IDLE\r\n").await;
    assert_eq!(idle.line().await, "+ idling");
    Raw::open(&store).await.append("a", "one").await;
    assert_eq!(idle.line().await, "* 1 EXISTS");
    assert_eq!(idle.line().await, "* 0 RECENT");
    idle.send("DO").await;
    idle.send("NE\r\n").await;
    assert_eq!(idle.line().await, "i OK done");
}

#[tokio::test]
async fn a_service_can_have_an_inbox_prefix_and_lack_capabilities() {
    let store = MemoryStore::start(&["legacy".to_owned()], Counters::new()).await.unwrap();
    store.behave("legacy", |b| {
        (b.delimiter, b.prefix) = ('.', "INBOX.".to_owned());
        b.without = ["MULTIAPPEND", "UIDPLUS", "SPECIAL-USE"].map(str::to_owned).into();
    });
    store.create("legacy", &anna(), "secret").await.unwrap();
    let at = store.endpoint("legacy");
    let stream = TcpStream::connect((at.host.as_str(), at.port)).await.unwrap();
    let mut raw = Raw(BufReader::new(stream));
    assert!(!raw.line().await.contains("UIDPLUS"));
    assert!(!raw.say("l LOGIN anna@mydomain.ovh secret").await[0].contains("MULTIAPPEND"));
    assert_eq!(raw.say("n NAMESPACE").await[0], "* NAMESPACE ((\"INBOX.\" \".\")) NIL NIL");
    assert!(raw.say("c CREATE Projekte").await[0].starts_with("c NO [CANNOT]"));
    assert!(raw.say("d CREATE inbox.Projekte").await[0].starts_with("d OK"));
    let listed = raw.say("e LIST \"\" *").await;
    assert!(listed.contains(&"* LIST (\\HasNoChildren) \".\" \"INBOX.Projekte\"".to_owned()), "{listed:?}");
    assert!(listed.contains(&"* LIST (\\HasNoChildren) \".\" \"INBOX.Sent\"".to_owned()), "{listed:?}");
    assert_eq!(raw.append("f", "one").await, "f OK stored");
    assert!(raw.say("g APPEND INBOX {1+}\r\na {1+}\r\nb").await[0].starts_with("g BAD"));
}

#[tokio::test]
async fn changes_since_a_mod_sequence_are_fetched_alone() {
    let store = store().await;
    let mut raw = Raw::open(&store).await;
    raw.append("a", "one").await;
    raw.append("b", "two").await;
    let opened = raw.say("s SELECT INBOX (CONDSTORE)").await;
    assert!(opened.contains(&"* OK [HIGHESTMODSEQ 3] highest".to_owned()), "{opened:?}");
    raw.say("t UID STORE 1 +FLAGS.SILENT (\\Flagged)").await;
    let changed = raw.say("f UID FETCH 1:* (FLAGS) (CHANGEDSINCE 3)").await;
    assert_eq!(changed, ["* 1 FETCH (UID 1 FLAGS (\\Flagged) MODSEQ (4))", "f OK fetched"]);
    let refused = raw.say("u UID STORE 1 (UNCHANGEDSINCE 3) FLAGS (\\Seen)").await;
    assert_eq!(refused, ["u OK [MODIFIED 1] some"]);
}
