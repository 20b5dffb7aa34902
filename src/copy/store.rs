//! What the engine needs of a mail store, so that it can be tried against stores that fail in every way.
//!
//! Reading and changing are two connections and two traits: the source is only ever given as a [`Look`]. No method has
//! a default, because stores stand around stores, and one that forgot to ask the inner one would go unnoticed.

use std::{
    collections::{BTreeMap, BTreeSet},
    error::Error,
    fmt,
    sync::Arc,
    time::Duration,
};

use async_trait::async_trait;

use crate::{
    imap::{Body, InternalDate, Known, Quirk, UidRange},
    model::{Digest, FolderPath, FolderStatus, SpecialUse},
};

/// One mailbox that connections can be made to.
#[async_trait]
pub(super) trait Store: Send + Sync {
    /// Where it is, for people.
    fn place(&self) -> String;

    /// A connection that reads.
    async fn look(&self) -> Result<Box<dyn Look>, StoreError>;

    /// A connection that reads and changes.
    async fn change(&self) -> Result<Box<dyn Change>, StoreError>;

    /// One more connection that reads, when the server and its limits have room for it now. It gives its place back
    /// when it is dropped.
    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError>;

    /// One more connection that changes, when the server and its limits have room for it now.
    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError>;
}

/// A connection that sends no command that changes anything.
#[async_trait]
pub(super) trait Look: Send + Sync {
    /// The folders and how names are formed.
    async fn list(&mut self) -> Result<Listing, StoreError>;

    /// The status of a folder, fresh.
    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError>;

    /// Opens a folder, or looks again when it is open; what arrived meanwhile can be seen afterwards.
    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError>;

    /// Opens a folder and lists what is not known of its messages, at once. The list is `None` where the store cannot do
    /// both at once; nothing follows from that.
    async fn survey(&mut self, folder: &str, known: Known) -> Result<(Opened, Option<Told>), StoreError>;

    /// The messages of the open folder from one UID to another, ascending.
    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError>;

    /// The same without sizes, which are 0 then.
    async fn sweep(&mut self, first: u32, last: u32) -> Result<Vec<Meta>, StoreError>;

    /// Some messages of the open folder, ascending.
    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError>;

    /// Opens a folder, or looks again when it is open, and gives the flags of some of its messages. A message that is not
    /// there, or whose flags the server leaves out, is left out.
    async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), StoreError>;

    /// The messages of the open folder that are new or whose flags changed since a HIGHESTMODSEQ, ascending; `None`
    /// where the store keeps no such record.
    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError>;

    /// The labels of the messages of the open folder, where the store has labels.
    async fn labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, StoreError>;

    /// Numbers of the messages of the open folder that are the same in every folder, where the store has labels.
    async fn gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, StoreError>;

    /// The bodies of messages of the open folder.
    async fn bodies(&mut self, uids: &[u32]) -> Fetch;

    /// Does nothing, so that the connection is not taken for one that nobody needs.
    async fn noop(&mut self) -> Result<(), StoreError>;

    /// Whether an extra connection should be closed when it has finished what it is at: others need its place.
    fn is_surplus(&self) -> bool;

    /// Ends the work over this connection. The next copy of the mailbox may go on with it.
    fn keep(self: Box<Self>);
}

/// A connection that changes a target. What it opens, it opens for changes.
#[async_trait]
pub(super) trait Change: Look {
    /// Makes a folder.
    async fn create(&mut self, folder: &str) -> Result<(), StoreError>;

    /// Makes folders, or subscribes to them, in their order and without waiting for each. Which of them were done;
    /// nothing is concluded from the others.
    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError>;

    /// Subscribes a folder.
    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError>;

    /// Appends messages in order: as many at once as the store takes, or `each` with an answer of its own. One result per
    /// message, in order.
    async fn append(&mut self, folder: &str, messages: &[Outgoing], each: bool) -> Answer;

    /// Replaces the flags of messages of the open folder, for each group of messages by its own.
    async fn set_flags(&mut self, groups: &[FlagGroup]) -> Result<(), StoreError>;

    /// The largest message the store takes, where it says.
    fn append_limit(&self) -> Option<u64>;

    /// Whether the store takes messages with octets of zero.
    fn takes_nul(&self) -> bool;

    /// Whether each message waits for the store's consent, so that one connection is idle most of the time.
    fn waits(&self) -> bool;

    /// Takes note of a fact about the store, for all connections to it.
    fn learn(&self, quirk: Quirk);
}

/// What is done with a folder.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FolderVerb {
    /// It is made.
    Create,
    /// It is subscribed.
    Subscribe,
}

/// The folders of a store.
#[derive(Clone, Debug, Default)]
pub(super) struct Listing {
    pub(super) delimiter: Option<char>,
    pub(super) prefix: String,
    /// Messages have labels that say in which folders they are shown, and may be in no other folder than `\All`.
    pub(super) labels: bool,
    pub(super) folders: Vec<Listed>,
    /// How far the server is: the shortest time in which it answered.
    pub(super) distance: Duration,
    /// It was told a moment ago, to a look that this run took before it began to copy.
    pub(super) earlier: bool,
}

/// One folder as it was listed.
#[derive(Clone, Debug)]
pub(super) struct Listed {
    pub(super) name: String,
    pub(super) path: FolderPath,
    pub(super) selectable: bool,
    pub(super) subscribed: bool,
    pub(super) special_use: Option<SpecialUse>,
    pub(super) status: Option<FolderStatus>,
}

/// A folder that is open.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Opened {
    pub(super) uid_validity: u32,
    /// UIDNEXT; 0 when the server does not tell.
    pub(super) uid_next: u32,
    pub(super) messages: u32,
    /// HIGHESTMODSEQ, where the store keeps it.
    pub(super) highest_modseq: Option<u64>,
    /// The flags that can be stored, where the store says and the folder is open for changes.
    pub(super) permanent: Option<Arc<BTreeSet<String>>>,
}

/// What a survey told.
#[derive(Clone, Debug, Default)]
pub(super) struct Told {
    /// The messages that were asked for, ascending. Those that are known by their UID have no size.
    pub(super) metas: Vec<Meta>,
    /// UIDs that are no more, where changes were asked for and the store tells. Some may never have been.
    pub(super) vanished: Vec<UidRange>,
}

/// The flags of messages, by UID.
pub(super) type FlagsOf = BTreeMap<u32, BTreeSet<String>>;

/// Messages, by ascending UID, that get the same flags.
pub(super) type FlagGroup = (Vec<u32>, BTreeSet<String>);

/// What is known of a message without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Meta {
    pub(super) uid: u32,
    pub(super) flags: BTreeSet<String>,
    /// INTERNALDATE.
    pub(super) date: Option<InternalDate>,
    /// RFC822.SIZE, which may be an estimate.
    pub(super) size: u64,
}

/// A message to append.
#[derive(Clone, Debug)]
pub(super) struct Outgoing {
    pub(super) flags: BTreeSet<String>,
    pub(super) date: Option<InternalDate>,
    pub(super) body: Body,
}

impl Meta {
    /// INTERNALDATE in seconds since 1970.
    pub(super) fn seconds(&self) -> Option<i64> {
        self.date.as_ref().and_then(InternalDate::instant).map(|t| t.as_second())
    }
}

/// What asking for bodies brought, up to the failure if there was one.
#[derive(Debug, Default)]
pub(super) struct Fetch {
    pub(super) got: Vec<(u32, Fetched)>,
    pub(super) error: Option<StoreError>,
}

/// What asking for one body brought.
#[derive(Debug)]
pub(super) enum Fetched {
    /// Its octets.
    Body(Body),
    /// It was deleted after it was listed.
    Gone,
    /// The server does not hand it out; the text says how it failed.
    Unreadable(String),
}

/// What appending brought.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) results: Vec<Appended>,
    /// What broke the connection, when something did.
    pub(super) error: Option<StoreError>,
}

/// What became of one message that was to be appended.
#[derive(Clone, Debug)]
pub(super) enum Appended {
    /// It is stored, with (UIDVALIDITY, UID) where the server told.
    Stored(Option<(u32, u32)>),
    /// It is not stored, and the server said so for this very message.
    Refused(Refusal),
    /// The whole batch was refused; whether some of it was stored is not certain.
    BatchRefused(Refusal),
    /// Nothing of it was sent.
    NotSent,
    /// The connection failed before the server answered: it may be stored, now or a little later.
    Unknown {
        /// The server closed it in an orderly way, so that nothing is on its way any more.
        closed: bool,
    },
}

/// A server's no.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Refusal {
    pub(super) why: Why,
    pub(super) text: String,
}

/// What a refusal means for what comes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The mailbox is full.
    Full,
    /// The message is larger than the server takes.
    TooLarge,
    /// It may work later.
    Later,
    /// The server wants to be left alone for this long.
    Throttled(Option<Duration>),
    /// The folder is not there (any more).
    NoFolder,
    /// The folder is there already.
    Exists,
    /// Anything else.
    Rejected,
}

/// A store could not do what it was asked.
#[derive(Debug)]
pub(super) struct StoreError {
    pub(super) kind: StoreErrorKind,
    pub(super) source: Box<dyn Error + Send + Sync>,
}

/// What may be done about a failure.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum StoreErrorKind {
    /// The connection is gone. A new one may work.
    Lost,
    /// The server refused the command; the connection goes on.
    Refused(Why),
    /// The login was refused.
    Denied,
    /// A limit is used up: there is no use in trying before the time that the text tells.
    Later,
    /// A new connection will not help.
    Fatal,
}

impl fmt::Display for StoreError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.source.fmt(f)
    }
}

impl Error for StoreError {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        self.source.source()
    }
}

/// The digest of a body.
pub(super) fn digest(body: &Body) -> Digest {
    Digest(*body.digest())
}

/// The folder of that name in a listing.
pub(super) fn find<'a>(listing: &'a Listing, name: &str) -> Option<&'a Listed> {
    listing.folders.iter().find(|f| f.name == name)
}
