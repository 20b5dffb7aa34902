//! What the ledger's rows look like to the copy engine.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use crate::model::{CopyCounts, Digest, FolderPath, FolderStatus};

/// The number of a folder row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FolderId(pub(super) i64);

/// The number of a window row.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WindowId(pub(super) i64);

/// The right to write the rows of one mailbox. A later [`begin`](super::Ledger::begin) takes it away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    pub(super) mailbox: i64,
    pub(super) epoch: i64,
}

/// What is known of one folder of a source.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderRow {
    /// Its number.
    pub id: FolderId,
    /// Its path at the source.
    pub path: FolderPath,
    /// UIDVALIDITY at the source that the message rows in use belong to; 0 before the first pass.
    pub source_validity: u32,
    /// The folder's name at the target as it is sent, decoded to Unicode; `None` before it was mapped.
    pub target: Option<String>,
    /// UIDVALIDITY at the target that the target UIDs belong to; 0 before the first pass.
    pub target_validity: u32,
    /// UIDs of the target below this may be adopted, because they were there before the first pass; 0 for none.
    pub adopt_below: u32,
    /// Whether UIDs that the target names in APPENDUID were found wrong, so that each window is settled by a scan.
    pub distrusted: bool,
    /// The source's status when the last complete pass began.
    pub status: Option<FolderStatus>,
    /// The sums of the last complete pass.
    pub counts: Option<CopyCounts>,
}

/// What became of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageState {
    /// It is to be copied; nothing of it was sent, or what was sent is proved not to have arrived.
    Planned,
    /// It is about to be sent, or was; whether it arrived is not known yet.
    Intent,
    /// The target has it by our doing.
    Acked,
    /// The target had an equal one already.
    Adopted,
    /// It is left out.
    Excluded,
    /// It could not be copied; a later pass tries again.
    Failed,
    /// It was deleted at the source before it could be read.
    Gone,
}

impl MessageState {
    /// The word in the database.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::Intent => "intent",
            Self::Acked => "acked",
            Self::Adopted => "adopted",
            Self::Excluded => "excluded",
            Self::Failed => "failed",
            Self::Gone => "gone",
        }
    }

    pub(super) fn from_word(word: &str) -> Option<Self> {
        [Self::Planned, Self::Intent, Self::Acked, Self::Adopted, Self::Excluded, Self::Failed, Self::Gone]
            .into_iter()
            .find(|s| s.word() == word)
    }

    /// Whether the target has, or once had, the message: it is never sent again.
    #[must_use]
    pub fn is_delivered(self) -> bool {
        matches!(self, Self::Acked | Self::Adopted)
    }
}

/// What is known of one message of a source.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct MessageRow {
    /// Its UID at the source.
    pub uid: u32,
    /// What became of it.
    pub state: MessageState,
    /// SHA-256 of its octets as they were read; `None` while it was never read.
    pub digest: Option<Digest>,
    /// How many octets were read.
    pub octets: u64,
    /// What the source announced when it was scanned: RFC822.SIZE, which may be an estimate.
    pub announced: u64,
    /// INTERNALDATE in seconds since 1970; with `announced` it tells a message from another under the same UID.
    pub date: Option<i64>,
    /// The flags at the source when they were last carried over.
    pub source_flags: BTreeSet<String>,
    /// The flags that the target was last given.
    pub target_flags: BTreeSet<String>,
    /// UIDVALIDITY and UID at the target; `None` when they are not known.
    pub target: Option<(u32, u32)>,
    /// For a failed or excluded message: a short stable word. For an adopted one [`MessageRow::WEAK`], or nothing.
    pub class: Option<String>,
    /// For a failed or excluded message: the words for people.
    pub reason: Option<String>,
}

impl MessageRow {
    /// The word for an adopted message that was known by header fields, date and size alone.
    pub const WEAK: &str = "weak";

    /// Whether the target was never seen to have its octets: it has a message that looks like it.
    #[must_use]
    pub fn is_weak(&self) -> bool {
        self.state == MessageState::Adopted && self.class.as_deref() == Some(Self::WEAK)
    }
}

/// A window whose outcome is not known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OpenWindow {
    /// Its number.
    pub id: WindowId,
    /// The folder.
    pub folder: FolderId,
    /// UIDVALIDITY of the source folder.
    pub source_validity: u32,
    /// UIDVALIDITY of the target folder when the window was opened.
    pub target_validity: u32,
    /// Nothing of this window can have a UID below this at the target.
    pub floor: u32,
    /// The messages without an outcome, by UID.
    pub intents: Vec<MessageRow>,
}

/// What a window is about to send.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Intent {
    /// The folder.
    pub folder: FolderId,
    /// UIDVALIDITY of the source folder.
    pub source_validity: u32,
    /// UIDVALIDITY of the target folder.
    pub target_validity: u32,
    /// UIDNEXT of the target folder after everything earlier was settled.
    pub floor: u32,
    /// The messages, in the order they are sent.
    pub messages: Vec<MessageRow>,
}

/// What became of messages, of one window or of none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settled {
    /// The window that they were sent in; `None` when nothing was sent.
    pub window: Option<WindowId>,
    /// The messages with their outcome.
    pub outcomes: Vec<MessageRow>,
}

/// What is put down together when a folder comes one step further.
#[derive(Clone, Copy, Debug, Default)]
pub struct Step<'a> {
    /// What is known of the folder now, where that changed.
    pub row: Option<&'a FolderRow>,
    /// What is over.
    pub over: &'a [Settled],
    /// What is sent next.
    pub next: Option<&'a Intent>,
}
