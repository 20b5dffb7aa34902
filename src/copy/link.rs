//! Connections to one side: made when needed, made again when lost, within bounds.

use std::{
    collections::{BTreeMap, BTreeSet},
    future::Future,
    sync::Arc,
    time::Duration,
};

use tokio_util::sync::CancellationToken;

use super::{
    CopyError, CopyErrorClass, Side,
    alive::meanwhile,
    clock::minute,
    envelope,
    pace::Pace,
    reading::read_window,
    sticking::Sticking,
    store::{
        Change, Fetch, Fetched, FlagsOf, Listing, Look, Meta, Opened, Store, StoreError, StoreErrorKind, Told, Why,
        digest,
    },
    window::{WindowSize, cut},
};
use crate::{
    imap::{Body, Known, Quirk},
    journal::ledger::{Ledger, LedgerError},
    model::{Address, Digest, Event, EventSink, FolderStatus},
};

/// How patient and how greedy a copy is.
#[derive(Clone, Copy, Debug)]
pub(super) struct Tuning {
    /// How long a message may be on its way after its connection was lost.
    pub(super) settle: Duration,
    /// How often a lost connection is made again before giving up.
    pub(super) attempts: u32,
    /// The pause before the second attempt; it grows fourfold each time.
    pub(super) first_pause: Duration,
    /// What is read and sent together.
    pub(super) window: WindowSize,
    /// How many folders of one mailbox are copied at the same time.
    pub(super) lanes: usize,
}

impl Tuning {
    pub(super) fn new(settle: Duration) -> Self {
        Self { settle, attempts: 5, first_pause: Duration::from_millis(250), window: WindowSize::default(), lanes: 4 }
    }
}

/// What every part of one copy needs.
pub(super) struct Context<'a> {
    pub(super) account: &'a Address,
    pub(super) ledger: Ledger,
    pub(super) events: &'a dyn EventSink,
    pub(super) cancel: CancellationToken,
    pub(super) tuning: Tuning,
    pub(super) pace: Arc<Pace>,
    /// How the target keeps flags.
    pub(super) sticking: Sticking,
}

impl Context<'_> {
    /// Runs a call of the ledger where it may block.
    pub(super) async fn ledger<T: Send + 'static>(
        &self,
        call: impl FnOnce(&Ledger) -> Result<T, LedgerError> + Send + 'static,
    ) -> Result<T, CopyError> {
        match self.ledger.off_thread(call).await {
            Ok(result) => {
                result.map_err(|source| CopyError::Ledger { account: self.account.clone(), source: Box::new(source) })
            }
            // The runtime is going down, or the call panicked: either way nothing may be sent.
            Err(_) => Err(self.interrupted()),
        }
    }

    pub(super) fn interrupted(&self) -> CopyError {
        CopyError::Interrupted { account: self.account.clone() }
    }

    /// Fails when somebody asked to stop.
    pub(super) fn go_on(&self) -> Result<(), CopyError> {
        if self.cancel.is_cancelled() { Err(self.interrupted()) } else { Ok(()) }
    }

    /// Waits, unless somebody asks to stop.
    pub(super) async fn pause(&self, duration: Duration) -> Result<(), CopyError> {
        tokio::select! {
            () = self.cancel.cancelled() => Err(self.interrupted()),
            () = tokio::time::sleep(duration) => Ok(()),
        }
    }

    /// Obeys a server that asks for patience.
    async fn throttled(&self, host: &str, hint: Option<Duration>, text: &str) -> Result<(), CopyError> {
        let later = |from| CopyError::Later {
            account: self.account.clone(),
            text: format!("{host} asks to be left alone until about {}: {text}", minute(from)),
        };
        let pause = self.pace.ask(host, hint).map_err(later)?;
        let millis = u64::try_from(pause.as_millis()).unwrap_or(u64::MAX);
        self.events.emit(Event::Throttled { host: host.to_owned(), reason: text.to_owned(), millis });
        self.pause(pause).await
    }
}

/// Counts attempts at one thing.
pub(super) struct Tries {
    n: u32,
    doing: String,
}

/// What is known of a message at the target by reading it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Content {
    pub(super) uid: u32,
    pub(super) digest: Digest,
    pub(super) envelope: Option<Digest>,
    pub(super) octets: u64,
}

impl Content {
    pub(super) fn of(uid: u32, body: &Body) -> Self {
        Self { uid, digest: digest(body), envelope: envelope_of(body), octets: body.len() }
    }
}

/// The envelope key of a body, from its first octets.
pub(super) fn envelope_of(body: &Body) -> Option<Digest> {
    use std::io::Read as _;
    let mut head = Vec::new();
    body.reader().take(64 << 10).read_to_end(&mut head).ok()?;
    envelope::key(&head)
}

/// The connection to one side: made when it is needed, and made again when it was lost. That to the source can only
/// read.
pub(super) struct Link<'a> {
    pub(super) context: &'a Context<'a>,
    side: Side,
    store: Arc<dyn Store>,
    connection: Option<Connection>,
    opened: Option<(String, Opened)>,
    /// What came along when the folder was opened.
    listed: Option<Listed>,
    /// How many connections were made; a new one is trusted anew.
    pub(super) generation: u64,
    /// The connection on which a UID that the server told after APPEND was looked at and named the right message.
    pub(super) proved: Option<u64>,
}

/// What came along when the folder was opened, and what was known then. `None` when nothing did that can be relied on.
struct Listed {
    known: Known,
    told: Option<Told>,
}

enum Connection {
    Look(Box<dyn Look>),
    Change(Box<dyn Change>),
}

impl Connection {
    fn look(&mut self) -> &mut dyn Look {
        match self {
            Self::Look(look) => look.as_mut(),
            Self::Change(change) => change.as_mut(),
        }
    }
}

impl<'a> Link<'a> {
    pub(super) fn new(context: &'a Context<'a>, side: Side, store: Arc<dyn Store>) -> Self {
        Self { context, side, store, connection: None, opened: None, listed: None, generation: 0, proved: None }
    }

    pub(super) fn place(&self) -> String {
        self.store.place()
    }

    pub(super) fn fail(&self, doing: &str, error: StoreError) -> CopyError {
        if error.kind == StoreErrorKind::Later {
            return CopyError::Later { account: self.context.account.clone(), text: error.to_string() };
        }
        let class = match error.kind {
            StoreErrorKind::Lost | StoreErrorKind::Refused(Why::Later | Why::Throttled(_)) => {
                CopyErrorClass::Unreachable
            }
            StoreErrorKind::Denied => CopyErrorClass::Denied,
            StoreErrorKind::Refused(Why::Full) => CopyErrorClass::Full,
            StoreErrorKind::Refused(_) | StoreErrorKind::Later | StoreErrorKind::Fatal => CopyErrorClass::Failed,
        };
        CopyError::Store {
            side: self.side,
            account: self.context.account.clone(),
            doing: doing.to_owned(),
            class,
            source: error.source,
        }
    }

    pub(super) fn tries(&self, doing: impl Into<String>) -> Tries {
        Tries { n: 0, doing: doing.into() }
    }

    /// Decides whether a failed attempt is made again, and waits before it is.
    pub(super) async fn again(&mut self, tries: &mut Tries, error: StoreError) -> Result<(), CopyError> {
        if let StoreErrorKind::Refused(Why::Throttled(hint)) = error.kind {
            return self.throttled(hint, &error.to_string()).await;
        }
        let retry = matches!(error.kind, StoreErrorKind::Lost | StoreErrorKind::Refused(Why::Later));
        tries.n += 1;
        if error.kind == StoreErrorKind::Lost {
            self.disconnect();
        }
        if !retry || tries.n >= self.context.tuning.attempts {
            return Err(self.fail(&tries.doing, error));
        }
        let factor = 4_u32.saturating_pow(tries.n - 1);
        self.context.pause(self.context.tuning.first_pause.saturating_mul(factor)).await
    }

    /// Forgets the connection; the next command makes a new one.
    pub(super) fn disconnect(&mut self) {
        self.connection = None;
        self.listed = None;
    }

    /// Ends the work over the connection, which the next copy of the mailbox may go on with.
    pub(super) fn keep(self) {
        match self.connection {
            Some(Connection::Look(look)) => look.keep(),
            Some(Connection::Change(change)) => change.keep(),
            None => {}
        }
    }

    /// Makes the connection if there is none, once.
    pub(super) async fn connect(&mut self) -> Result<(), StoreError> {
        if self.connection.is_none() {
            self.connection = Some(match self.side {
                Side::Source => Connection::Look(self.store.look().await?),
                Side::Target => Connection::Change(self.store.change().await?),
            });
            self.generation += 1;
        }
        Ok(())
    }

    /// Makes the connection if the server and its limits have room for one that can be done without. Whether it is there.
    pub(super) async fn connect_extra(&mut self) -> Result<bool, StoreError> {
        self.connection = match self.side {
            Side::Source => self.store.extra_look().await?.map(Connection::Look),
            Side::Target => self.store.extra_change().await?.map(Connection::Change),
        };
        self.generation += 1;
        Ok(self.connection.is_some())
    }

    /// Whether others need the place of the connection.
    pub(super) fn is_surplus(&self) -> bool {
        match &self.connection {
            None => false,
            Some(Connection::Look(look)) => look.is_surplus(),
            Some(Connection::Change(change)) => change.is_surplus(),
        }
    }

    /// Whether each message that is sent waits for the target's consent, as far as a connection has told.
    pub(super) fn waits(&self) -> bool {
        matches!(&self.connection, Some(Connection::Change(change)) if change.waits())
    }

    /// Takes note of a fact about a target, for all connections to it.
    pub(super) fn learn(&self, quirk: Quirk) {
        if let Some(Connection::Change(change)) = &self.connection {
            change.learn(quirk);
        }
    }

    async fn looking(&mut self) -> Result<&mut dyn Look, StoreError> {
        self.connect().await?;
        self.connection.as_mut().map(Connection::look).ok_or_else(unconnected)
    }

    /// The listing of the mailbox.
    pub(super) async fn list(&mut self) -> Result<Listing, CopyError> {
        let mut tries = self.tries("listing its folders");
        loop {
            let out = async { self.looking().await?.list().await }.await;
            match out {
                Ok(listing) => return Ok(listing),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// The status of a folder; `None` when the server refuses to tell, as it does for a folder that is not there.
    pub(super) async fn status(&mut self, folder: &str) -> Result<Option<FolderStatus>, CopyError> {
        let mut tries = self.tries(format!("asking for the status of `{folder}`"));
        loop {
            let out = async { self.looking().await?.status(folder).await }.await;
            match out {
                Ok(status) => return Ok(Some(status)),
                Err(StoreError {
                    kind: StoreErrorKind::Refused(Why::NoFolder | Why::Rejected | Why::Exists), ..
                }) => {
                    return Ok(None);
                }
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// Opens a folder if another one, or none, is open. Fails when its UIDVALIDITY is not what it was when it was open
    /// the last time.
    pub(super) async fn open(&mut self, folder: &str) -> Result<Opened, CopyError> {
        if let Some((name, opened)) = self.opened.as_ref()
            && name == folder
            && self.connection.is_some()
        {
            return Ok(opened.clone());
        }
        self.refresh(folder).await
    }

    /// Opens a folder, again if it is open, so that what arrived meanwhile is seen.
    pub(super) async fn refresh(&mut self, folder: &str) -> Result<Opened, CopyError> {
        let mut tries = self.tries(format!("opening `{folder}`"));
        loop {
            let out = async { self.looking().await?.open(folder).await }.await;
            match out {
                Ok(opened) => return self.enter(folder, opened, None),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// Opens a folder, again if it is open, and lists what is not known of it in the same round trip where that can be
    /// done. [`Link::listing`] and [`Link::changed`] give what came along.
    pub(super) async fn survey(&mut self, folder: &str, known: Known) -> Result<Opened, CopyError> {
        if let Some((_, opened)) = self.opened.as_ref().filter(|(name, _)| name == folder)
            && self.listed.as_ref().is_some_and(|listed| listed.known == known)
        {
            // It was done ahead.
            return Ok(opened.clone());
        }
        let mut tries = self.tries(format!("opening `{folder}`"));
        loop {
            let out = async { self.looking().await?.survey(folder, known).await }.await;
            match out {
                Ok((opened, told)) => return self.enter(folder, opened, Some(Listed { known, told })),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// Takes note of the folder that is open now.
    fn enter(&mut self, folder: &str, opened: Opened, listed: Option<Listed>) -> Result<Opened, CopyError> {
        self.listed = listed;
        let before = self.opened.replace((folder.to_owned(), opened.clone()));
        match before.filter(|(name, _)| name == folder) {
            Some((name, was)) if was.uid_validity != opened.uid_validity => Err(CopyError::Renumbered {
                side: self.side,
                account: self.context.account.clone(),
                folder: name,
                was: was.uid_validity,
                now: opened.uid_validity,
            }),
            _ => Ok(opened),
        }
    }

    /// The messages of a folder from one UID to another.
    pub(super) async fn scan(&mut self, folder: &str, first: u32, last: Option<u32>) -> Result<Vec<Meta>, CopyError> {
        let mut tries = self.tries(format!("reading the list of messages in `{folder}`"));
        loop {
            self.open(folder).await?;
            let out = async { self.looking().await?.scan(first, last).await }.await;
            match out {
                // `n:*` also names the last message when it lies below n (RFC 9051 9, seq-range).
                Ok(mut metas) => {
                    metas.retain(|m| m.uid >= first && last.is_none_or(|l| m.uid <= l));
                    metas.sort_unstable_by_key(|m| m.uid);
                    metas.dedup_by_key(|m| m.uid);
                    return Ok(metas);
                }
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// All messages of a folder. Those below a UID may come without their sizes.
    pub(super) async fn listing(&mut self, folder: &str, below: u32) -> Result<Vec<Meta>, CopyError> {
        self.open(folder).await?;
        let fits = |l: &mut Listed| l.known == Known::Nothing || l.known == Known::Below(below);
        match self.listed.take_if(fits).and_then(|listed| listed.told) {
            Some(told) => Ok(told.metas),
            None => self.scan(folder, 1, None).await,
        }
    }

    /// The messages of a folder from one UID to another, without their sizes.
    pub(super) async fn sweep(&mut self, folder: &str, first: u32, last: u32) -> Result<Vec<Meta>, CopyError> {
        let mut tries = self.tries(format!("reading the flags of messages in `{folder}`"));
        loop {
            self.open(folder).await?;
            let out = async { self.looking().await?.sweep(first, last).await }.await;
            match out {
                Ok(mut metas) => {
                    metas.retain(|m| (first..=last).contains(&m.uid));
                    return Ok(metas);
                }
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// The labels of the messages of a folder.
    pub(super) async fn labels(&mut self, folder: &str) -> Result<BTreeMap<u32, BTreeSet<String>>, CopyError> {
        let mut tries = self.tries(format!("reading the labels of messages in `{folder}`"));
        loop {
            self.open(folder).await?;
            let out = async { self.looking().await?.labels().await }.await;
            match out {
                Ok(labels) => return Ok(labels),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// The numbers of the messages of a folder that are the same in every folder.
    pub(super) async fn gmail_ids(&mut self, folder: &str) -> Result<BTreeMap<u32, u64>, CopyError> {
        let mut tries = self.tries(format!("reading the numbers of messages in `{folder}`"));
        loop {
            self.open(folder).await?;
            let out = async { self.looking().await?.gmail_ids().await }.await;
            match out {
                Ok(ids) => return Ok(ids),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// Some messages of a folder.
    pub(super) async fn some(&mut self, folder: &str, uids: &[u32]) -> Result<Vec<Meta>, CopyError> {
        let mut tries = self.tries(format!("looking at messages in `{folder}`"));
        loop {
            self.open(folder).await?;
            let out = async { self.looking().await?.some(uids).await }.await;
            match out {
                Ok(metas) => return Ok(metas),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// Opens a folder, again if it is open, and gives the flags of some of its messages. One that is not there, or whose
    /// flags are not told, is left out.
    pub(super) async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), CopyError> {
        let mut tries = self.tries(format!("looking at flags in `{folder}`"));
        loop {
            let out = async { self.looking().await?.flags(folder, uids).await }.await;
            match out {
                Ok((opened, flags)) => return Ok((self.enter(folder, opened, None)?, flags)),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// What is new or has other flags in a folder since a HIGHESTMODSEQ, and what vanished where the server tells that;
    /// `None` where it tells nothing.
    pub(super) async fn changed(&mut self, folder: &str, since: u64) -> Result<Option<Told>, CopyError> {
        let mut tries = self.tries(format!("asking what changed in `{folder}`"));
        loop {
            self.open(folder).await?;
            let listed = self.listed.take_if(|l| l.known == Known::Modseq(since));
            if let Some(told) = listed.and_then(|listed| listed.told) {
                return Ok(Some(told));
            }
            let out = async { self.looking().await?.changed(since).await }.await;
            match out {
                Ok(metas) => return Ok(metas.map(|metas| Told { metas, vanished: Vec::new() })),
                Err(StoreError { kind: StoreErrorKind::Refused(Why::Rejected), .. }) => return Ok(None),
                Err(error) => self.again(&mut tries, error).await?,
            }
        }
    }

    /// One attempt at reading bodies; the connection is dropped when it was lost.
    pub(super) async fn bodies_once(&mut self, folder: &str, uids: &[u32]) -> Result<Fetch, CopyError> {
        self.open(folder).await?;
        let fetch = match self.looking().await {
            Ok(look) => look.bodies(uids).await,
            Err(error) => Fetch { error: Some(error), ..Fetch::default() },
        };
        if fetch.error.as_ref().is_some_and(|e| e.kind == StoreErrorKind::Lost) {
            self.disconnect();
        }
        Ok(fetch)
    }

    /// The contents of messages, read in windows and forgotten. What cannot be read is left out: it equals nothing.
    pub(super) async fn contents(&mut self, folder: &str, metas: &[Meta]) -> Result<Vec<Content>, CopyError> {
        let sizes: Vec<u64> = metas.iter().map(|m| m.size).collect();
        let mut out = Vec::with_capacity(metas.len());
        for range in cut(&sizes, self.context.tuning.window) {
            for read in read_window(self, folder, metas.get(range).unwrap_or_default()).await? {
                if let Fetched::Body(body) = read.got {
                    out.push(Content::of(read.meta.uid, &body));
                }
            }
        }
        Ok(out)
    }

    /// Obeys a server that asks for patience, and keeps the connection for when it is over.
    pub(super) async fn throttled(&mut self, hint: Option<Duration>, text: &str) -> Result<(), CopyError> {
        let (context, place) = (self.context, self.place());
        self.meanwhile(context.throttled(&place, hint, text)).await
    }

    /// Waits for something that is not this connection's, and keeps the connection alive meanwhile.
    pub(super) async fn meanwhile<T>(&mut self, wait: impl Future<Output = T>) -> T {
        let Some(connection) = self.connection.as_mut() else { return wait.await };
        let (out, kept) = meanwhile(connection.look(), wait).await;
        if let Err(error) = kept {
            tracing::debug!(%error, "an idle connection was lost");
            self.disconnect();
        }
        out
    }

    /// The connection for changes, made if there is none.
    pub(super) async fn change(&mut self) -> Result<&mut dyn Change, CopyError> {
        let mut tries = self.tries("connecting");
        while let Err(error) = self.connect().await {
            self.again(&mut tries, error).await?;
        }
        match self.connection.as_mut() {
            Some(Connection::Change(change)) => Ok(change.as_mut()),
            Some(Connection::Look(_)) | None => Err(self.context.interrupted()),
        }
    }
}

fn unconnected() -> StoreError {
    StoreError { kind: StoreErrorKind::Lost, source: "not connected".into() }
}
