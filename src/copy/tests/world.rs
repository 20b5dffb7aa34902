//! A mail store in memory that fails where a test wants it to.

mod append;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex},
    time::Duration,
};

use async_trait::async_trait;
use tokio::time::Instant;

use crate::{
    copy::store::{
        Answer, Appended, Change, Fetch, Fetched, FlagGroup, FlagsOf, FolderVerb, Listed, Listing, Look, Meta, Opened,
        Outgoing, Refusal, Store, StoreError, StoreErrorKind, Told, Why,
    },
    imap::{Body, InternalDate, Known, Quirk},
    model::{FolderPath, FolderStatus},
};

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Message {
    pub(super) flags: BTreeSet<String>,
    pub(super) date: String,
    pub(super) bytes: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub(super) struct Folder {
    pub(super) validity: u32,
    pub(super) next: u32,
    pub(super) messages: BTreeMap<u32, Message>,
    pub(super) modseq: u64,
    pub(super) subscribed: bool,
}

/// What happens to messages whose append is cut off.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Landing {
    Never,
    Now,
    /// When the folder is opened for the second time after.
    Late,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Batch {
    Multi,
    Single,
}

/// Something that happens when an append begins.
#[derive(Clone, Default)]
pub(super) struct Hook(Option<Arc<OnAppend>>);

type OnAppend = dyn Fn(&mut Inner) + Send + Sync;

impl Hook {
    pub(super) fn new(hook: impl Fn(&mut Inner) + Send + Sync + 'static) -> Self {
        Self(Some(Arc::new(hook)))
    }
}

impl std::fmt::Debug for Hook {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Hook")
    }
}

#[derive(Debug)]
pub(super) struct Inner {
    pub(super) folders: BTreeMap<String, Folder>,
    pub(super) uidplus: bool,
    pub(super) batch: Batch,
    /// APPENDUID names the UID before the right one.
    pub(super) lies: bool,
    /// Stored messages get another header line.
    pub(super) alters: bool,
    /// Names that differ in case are one folder.
    pub(super) folds: bool,
    pub(super) keywords: bool,
    pub(super) room: Option<usize>,
    /// A message with this text is refused.
    pub(super) refuses: Option<&'static str>,
    /// A message with this text breaks the connection, when sent or when read.
    pub(super) breaks: Option<&'static str>,
    /// The n-th append command (from 1) is cut off after half of its messages.
    pub(super) cut: Option<(u64, Landing)>,
    /// The connection cannot be made any more after the cut.
    pub(super) dead_after_cut: bool,
    /// Expunge this UID of this folder when its body is asked for.
    pub(super) vanishes: Option<(String, u32)>,
    pub(super) dead: bool,
    /// The next batch is refused, though so many of it were stored.
    pub(super) half_refused: Option<usize>,
    /// A message with this text gets an OK and is not stored.
    pub(super) swallows: Option<&'static str>,
    /// Every batch is refused.
    pub(super) refuses_batches: bool,
    pub(super) learned: BTreeSet<Quirk>,
    hook: Hook,
    /// APPEND commands.
    pub(super) appends: u64,
    /// Messages that were stored and acknowledged.
    pub(super) appended: u64,
    /// Commands that changed something.
    pub(super) changes: u64,
    /// How long a connection may be silent between two commands.
    pub(super) idles: Option<Duration>,
    /// How long an append takes.
    pub(super) slow: Duration,
    /// Commands that are put off once, and for how long.
    pub(super) puts_off: BTreeMap<&'static str, Duration>,
    /// Connections that were made.
    pub(super) connections: u64,
    /// Commands that did nothing.
    pub(super) noops: u64,
    /// Bodies handed out.
    pub(super) reads: u64,
    late: Vec<(u32, String, Message)>,
    validity: u32,
}

#[derive(Clone)]
pub(super) struct World(pub(super) Arc<Mutex<Inner>>);

impl World {
    pub(super) fn new(validity: u32) -> Self {
        let inner = Inner {
            folders: BTreeMap::new(),
            uidplus: true,
            batch: Batch::Multi,
            lies: false,
            alters: false,
            folds: false,
            keywords: true,
            room: None,
            refuses: None,
            breaks: None,
            cut: None,
            dead_after_cut: false,
            vanishes: None,
            dead: false,
            half_refused: None,
            swallows: None,
            refuses_batches: false,
            learned: BTreeSet::new(),
            hook: Hook::default(),
            appends: 0,
            appended: 0,
            changes: 0,
            idles: None,
            slow: Duration::ZERO,
            puts_off: BTreeMap::new(),
            connections: 0,
            noops: 0,
            reads: 0,
            late: Vec::new(),
            validity,
        };
        let world = Self(Arc::new(Mutex::new(inner)));
        world.make("INBOX");
        world
    }

    pub(super) fn with<T>(&self, f: impl FnOnce(&mut Inner) -> T) -> T {
        f(&mut self.0.lock().unwrap())
    }

    /// Has this called whenever an append begins.
    pub(super) fn on_append(&self, hook: Hook) {
        self.with(|w| w.hook = hook);
    }

    pub(super) fn make(&self, name: &str) {
        self.with(|w| w.make(name));
    }

    pub(super) fn put(&self, folder: &str, flags: &[&str], date: &str, bytes: &str) -> u32 {
        let message = Message {
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            date: date.to_owned(),
            bytes: bytes.as_bytes().to_vec(),
        };
        self.with(|w| w.put(folder, message))
    }

    /// Every message, in UID order by folder.
    pub(super) fn mail(&self) -> BTreeMap<String, Vec<Message>> {
        let list = |f: &Folder| f.messages.values().cloned().collect();
        self.with(|w| w.folders.iter().map(|(n, f)| (n.clone(), list(f))).collect())
    }
}

impl Inner {
    /// Mail from outside.
    pub(super) fn deliver(&mut self, folder: &str, date: &str, bytes: &str) {
        let message = Message { flags: BTreeSet::new(), date: date.to_owned(), bytes: bytes.as_bytes().to_vec() };
        self.put(folder, message);
    }

    fn make(&mut self, name: &str) {
        self.validity += 1;
        let folder = Folder { validity: self.validity, next: 1, modseq: 1, ..Folder::default() };
        self.folders.insert(name.to_owned(), folder);
    }

    fn put(&mut self, folder: &str, message: Message) -> u32 {
        let folder = self.folders.get_mut(folder).unwrap();
        let uid = folder.next;
        folder.next += 1;
        folder.modseq += 1;
        folder.messages.insert(uid, message);
        uid
    }

    fn key(&self, name: &str) -> String {
        let same = |n: &&String| n.to_lowercase() == name.to_lowercase();
        self.folders.keys().find(same).filter(|_| self.folds).cloned().unwrap_or_else(|| name.to_owned())
    }

    fn find(&self, name: &str) -> Result<&Folder, StoreError> {
        self.folders.get(&self.key(name)).ok_or_else(|| refused(Why::NoFolder))
    }

    fn land(&mut self) {
        for (mut wait, folder, message) in std::mem::take(&mut self.late) {
            wait -= 1;
            if wait == 0 {
                self.put(&folder, message);
            } else {
                self.late.push((wait, folder, message));
            }
        }
    }
}

fn refused(why: Why) -> StoreError {
    StoreError { kind: StoreErrorKind::Refused(why), source: "refused".into() }
}

fn lost() -> StoreError {
    StoreError { kind: StoreErrorKind::Lost, source: "the connection broke".into() }
}

fn status(folder: &Folder) -> FolderStatus {
    FolderStatus {
        uid_validity: folder.validity,
        uid_next: folder.next,
        messages: u32::try_from(folder.messages.len()).unwrap(),
        highest_modseq: Some(folder.modseq),
        octets: None,
    }
}

struct Connection {
    world: World,
    open: Option<String>,
    broken: bool,
    last: Instant,
}

#[async_trait]
impl Store for World {
    fn place(&self) -> String {
        "memory".to_owned()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        self.connect().map(|made| Box::new(made) as _)
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        self.connect().map(|made| Box::new(made) as _)
    }

    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError> {
        self.look().await.map(Some)
    }

    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError> {
        self.change().await.map(Some)
    }
}

impl World {
    fn connect(&self) -> Result<Connection, StoreError> {
        if self.with(|w| w.dead) {
            return Err(lost());
        }
        self.with(|w| w.connections += 1);
        Ok(Connection { world: self.clone(), open: None, broken: false, last: Instant::now() })
    }
}

impl Connection {
    fn alive(&mut self) -> Result<(), StoreError> {
        let silent = self.last.elapsed();
        self.broken |= self.world.with(|w| w.dead || w.idles.is_some_and(|most| silent > most));
        self.last = Instant::now();
        if self.broken { Err(lost()) } else { Ok(()) }
    }

    /// Fails when the command is put off.
    fn now(&self, command: &str) -> Result<(), StoreError> {
        let later = self.world.with(|w| w.puts_off.remove(command));
        later.map_or(Ok(()), |pause| Err(refused(Why::Throttled(Some(pause)))))
    }
}

#[async_trait]
impl Look for Connection {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        self.alive()?;
        self.now("LIST")?;
        let folder = |(name, folder): (&String, &Folder)| Listed {
            name: name.clone(),
            path: FolderPath(name.split('/').map(str::to_owned).collect()),
            selectable: true,
            subscribed: folder.subscribed,
            special_use: None,
            status: Some(status(folder)),
        };
        let folders = self.world.with(|w| w.folders.iter().map(folder).collect());
        Ok(Listing { delimiter: Some('/'), folders, ..Listing::default() })
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        self.alive()?;
        self.world.with(|w| w.find(folder).map(status))
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        self.alive()?;
        self.open = Some(folder.to_owned());
        self.world.with(|w| {
            w.land();
            let status = status(w.find(folder)?);
            let any = w.keywords.then(|| "\\*".to_owned());
            let permanent = any.into_iter().chain(["\\Seen".to_owned()]).collect();
            Ok(Opened {
                uid_validity: status.uid_validity,
                uid_next: status.uid_next,
                messages: status.messages,
                highest_modseq: status.highest_modseq,
                permanent: Some(Arc::new(permanent)),
            })
        })
    }

    async fn survey(&mut self, folder: &str, known: Known) -> Result<(Opened, Option<Told>), StoreError> {
        let opened = self.open(folder).await?;
        let Known::Nothing = known else { return Ok((opened, None)) };
        let metas = self.scan(1, None).await?;
        Ok((opened, Some(Told { metas, vanished: Vec::new() })))
    }

    async fn sweep(&mut self, first: u32, last: u32) -> Result<Vec<Meta>, StoreError> {
        let all = self.scan(first, Some(last)).await?;
        Ok(all.into_iter().map(|meta| Meta { size: 0, ..meta }).collect())
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        self.alive()?;
        let open = self.open.clone().unwrap();
        self.world.with(|w| {
            let folder = w.find(&open)?;
            let last_uid = folder.messages.keys().last().copied();
            // `first:*` always names the last message.
            let wanted = |uid: &u32| {
                (*uid >= first && last.is_none_or(|l| *uid <= l)) || (last.is_none() && Some(*uid) == last_uid)
            };
            let meta = |(uid, m): (&u32, &Message)| Meta {
                uid: *uid,
                flags: m.flags.clone(),
                date: Some(InternalDate::parse(&m.date)),
                size: m.bytes.len() as u64 + 3, // an estimate
            };
            Ok(folder.messages.iter().filter(|(uid, _)| wanted(uid)).map(meta).collect())
        })
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        let all = self.scan(1, None).await?;
        Ok(all.into_iter().filter(|m| uids.contains(&m.uid)).collect())
    }

    async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), StoreError> {
        let opened = self.open(folder).await?;
        let some = self.some(uids).await?;
        Ok((opened, some.into_iter().map(|m| (m.uid, m.flags)).collect()))
    }

    async fn changed(&mut self, _since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        self.alive()?;
        Ok(None)
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        let mut out = Fetch::default();
        let open = self.open.clone().unwrap();
        if let Err(error) = self.now("FETCH") {
            return Fetch { error: Some(error), ..out };
        }
        for uid in uids {
            if let Err(error) = self.alive() {
                return Fetch { error: Some(error), ..out };
            }
            let got = self.world.with(|w| {
                if w.vanishes == Some((open.clone(), *uid)) {
                    w.folders.get_mut(&open).unwrap().messages.remove(uid);
                }
                w.reads += 1;
                let message = w.find(&open).ok()?.messages.get(uid).cloned()?;
                Some((w.breaks.is_some_and(|text| contains(&message.bytes, text)), message))
            });
            match got {
                None => out.got.push((*uid, Fetched::Gone)),
                Some((true, _)) => self.broken = true,
                Some((false, message)) => out.got.push((*uid, Fetched::Body(Body::from(message.bytes)))),
            }
        }
        let error = self.alive().err();
        Fetch { error, ..out }
    }

    async fn noop(&mut self) -> Result<(), StoreError> {
        self.alive()?;
        self.world.with(|w| w.noops += 1);
        Ok(())
    }

    async fn labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, StoreError> {
        Ok(BTreeMap::new())
    }

    async fn gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, StoreError> {
        Ok(BTreeMap::new())
    }

    fn is_surplus(&self) -> bool {
        false
    }

    fn keep(self: Box<Self>) {}
}

fn contains(bytes: &[u8], text: &str) -> bool {
    bytes.windows(text.len()).any(|w| w == text.as_bytes())
}

#[async_trait]
impl Change for Connection {
    async fn create(&mut self, folder: &str) -> Result<(), StoreError> {
        self.alive()?;
        self.world.with(|w| {
            w.changes += 1;
            if w.folders.contains_key(&w.key(folder)) {
                return Err(refused(Why::Exists));
            }
            w.make(folder);
            Ok(())
        })
    }

    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError> {
        self.alive()?;
        self.world.with(|w| {
            w.changes += 1;
            let key = w.key(folder);
            w.folders.get_mut(&key).ok_or_else(|| refused(Why::NoFolder))?.subscribed = true;
            Ok(())
        })
    }

    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError> {
        let mut done = Vec::new();
        for folder in folders {
            let out = match verb {
                FolderVerb::Create => self.create(folder).await,
                FolderVerb::Subscribe => self.subscribe(folder).await,
            };
            match out {
                Err(error) if error.kind == StoreErrorKind::Lost => return Err(error),
                out => done.push(out.is_ok()),
            }
        }
        Ok(done)
    }

    async fn append(&mut self, folder: &str, messages: &[Outgoing], each: bool) -> Answer {
        if let Err(error) = self.alive() {
            return Answer { results: vec![Appended::NotSent; messages.len()], error: Some(error) };
        }
        let slow = self.world.with(|w| w.slow);
        if !slow.is_zero() {
            tokio::time::sleep(slow).await;
        }
        self.last = Instant::now();
        if let Some(pause) = self.world.with(|w| w.puts_off.remove("APPEND")) {
            let refusal = Refusal { why: Why::Throttled(Some(pause)), text: "not now".to_owned() };
            return Answer { results: vec![Appended::BatchRefused(refusal); messages.len()], error: None };
        }
        let stored: Vec<Message> = messages.iter().map(read).collect();
        let (answer, broken) = self.world.with(|w| w.append(folder, stored, each));
        self.broken = broken;
        answer
    }

    async fn set_flags(&mut self, groups: &[FlagGroup]) -> Result<(), StoreError> {
        self.alive()?;
        let open = self.open.clone().unwrap();
        self.world.with(|w| {
            w.changes += groups.len() as u64;
            for (uid, flags) in groups.iter().flat_map(|(uids, flags)| uids.iter().map(move |uid| (uid, flags))) {
                if let Some(message) = w.folders.get_mut(&open).unwrap().messages.get_mut(uid) {
                    message.flags.clone_from(flags);
                }
            }
            Ok(())
        })
    }

    fn append_limit(&self) -> Option<u64> {
        Some(5000)
    }

    fn takes_nul(&self) -> bool {
        false
    }

    fn waits(&self) -> bool {
        false
    }

    fn learn(&self, quirk: Quirk) {
        self.world.with(|w| {
            w.learned.insert(quirk);
        });
    }
}

fn read(out: &Outgoing) -> Message {
    use std::io::Read as _;
    let mut bytes = Vec::new();
    out.body.reader().read_to_end(&mut bytes).unwrap();
    let date = out.date.as_ref().unwrap().text().to_owned();
    Message { flags: out.flags.clone(), date, bytes }
}
