//! Looking at a mailbox. Nothing here changes anything on a server.

use std::{collections::VecDeque, fmt, time::Duration};

use super::{
    capability::Capabilities,
    code::Code,
    conn::{Aside, Command, Conn, Done},
    error::{ImapError, ImapErrorKind},
    list::Listed,
    name::WireName,
    quirks::Quirks,
    response::{Response, Status, StatusKind},
};

/// A connection for looking.
pub struct Reader {
    pub(super) conn: Conn,
    pub(super) quirks: Quirks,
    pub(super) selected: Option<Selected>,
    pub(super) compressed: bool,
    pub(super) compress_refused: bool,
    pub(super) earlier: Option<Earlier>,
    /// Whether a folder was opened over the connection.
    pub(super) entered: bool,
    /// Whether the server was asked to tell what vanishes.
    pub(super) resync: bool,
}

/// What an earlier holder of a connection had listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Earlier {
    /// The folders with their numbers, as [`Reader::list`] gave them.
    pub folders: Vec<Listed>,
    /// How long the server took for them.
    pub took: Duration,
}

impl fmt::Debug for Reader {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Reader").field("endpoint", &self.conn.endpoint).finish_non_exhaustive()
    }
}

/// A folder as it was when it was opened.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Selected {
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// UIDNEXT; `None` where the server does not tell.
    pub uid_next: Option<u32>,
    /// The number of messages.
    pub exists: u32,
    /// HIGHESTMODSEQ; `None` without CONDSTORE or for a folder that keeps none.
    pub highest_modseq: Option<u64>,
    /// The flags that messages of the folder have.
    pub flags: Vec<String>,
    /// The flags that can be stored; `\*` stands for new keywords. `None` where the server does not tell, which means
    /// all of `flags` (RFC 9051 7.1).
    pub permanent_flags: Option<Vec<String>>,
    /// Whether the server says that the folder cannot be changed here.
    pub read_only: bool,
    /// Whether UIDs do not last (RFC 4315 4).
    pub uid_not_sticky: bool,
}

impl Reader {
    pub(super) fn new(conn: Conn, quirks: Quirks) -> Self {
        Self {
            conn,
            quirks,
            selected: None,
            compressed: false,
            compress_refused: false,
            earlier: None,
            entered: false,
            resync: false,
        }
    }

    /// What was listed before the connection changed hands, some seconds ago; given once.
    pub fn take_earlier(&mut self) -> Option<Earlier> {
        self.earlier.take()
    }

    /// How long the login took: a round trip or two, and less of the server's own work than most commands.
    #[must_use]
    pub fn distance(&self) -> Option<Duration> {
        self.conn.distance
    }

    /// `host:port`.
    #[must_use]
    pub fn endpoint(&self) -> &str {
        &self.conn.endpoint
    }

    /// What the server offers after login.
    #[must_use]
    pub fn capabilities(&self) -> &Capabilities {
        &self.conn.capabilities
    }

    /// What was learned about the server.
    #[must_use]
    pub fn quirks(&self) -> &Quirks {
        &self.quirks
    }

    /// Whether the connection takes further commands, as far as is known without asking the server.
    #[must_use]
    pub fn is_usable(&self) -> bool {
        self.conn.is_usable()
    }

    /// Texts that the server wants a person to read; each is given once.
    pub fn take_alerts(&mut self) -> Vec<String> {
        std::mem::take(&mut self.conn.alerts).into_iter().collect()
    }

    /// The folder that is open, as it was when it was opened.
    #[must_use]
    pub fn selected(&self) -> Option<&Selected> {
        self.selected.as_ref()
    }

    /// Opens a folder for reading. `\Recent` and `\Seen` of its messages stay as they are.
    ///
    /// # Errors
    /// `No` with [`Code::NonExistent`] or without when there is no such folder; `Protocol` when the server tells no
    /// UIDVALIDITY or no number of messages, since nothing could be concluded from such a folder. No folder is open
    /// then.
    pub async fn examine(&mut self, name: &WireName) -> Result<Selected, ImapError> {
        self.open("EXAMINE", name).await
    }

    pub(super) async fn open(&mut self, verb: &'static str, name: &WireName) -> Result<Selected, ImapError> {
        let command = self.opening(verb, name)?;
        let mut seen = Opening::of(verb);
        let done = self.conn.run(command, &mut |response| seen.take(response)).await?;
        self.finish(verb, seen, done)
    }

    /// The command that opens a folder. Whichever was open is not any more.
    pub(super) fn opening(&mut self, verb: &'static str, name: &WireName) -> Result<Command, ImapError> {
        self.selected = None;
        self.entered = true;
        let command = Command::new(&self.conn, verb, "").string(sendable(&self.conn, verb, name)?);
        Ok(if self.conn.capabilities.condstore() { command.text(" (CONDSTORE)") } else { command })
    }

    /// Takes note of a folder that the server opened.
    pub(super) fn finish(&mut self, verb: &'static str, mut seen: Opening, done: Done) -> Result<Selected, ImapError> {
        if let Some(code) = done.code {
            seen.code(code);
        }
        let selected = seen.finish().map_err(|text| self.conn.error(verb, ImapErrorKind::Protocol(text)))?;
        self.selected = Some(selected.clone());
        Ok(selected)
    }

    /// Whether [`Reader::leave`] can do what it says. CLOSE would expunge in a folder that was opened for changes.
    pub(super) fn can_leave(&self) -> bool {
        self.selected.is_none() || self.conn.capabilities.unselect()
    }

    /// Leaves the folder that is open, together with the next command.
    pub(super) fn leave(&mut self) {
        if self.selected.take().is_some() {
            let command = Command::new(&self.conn, "UNSELECT", "");
            self.conn.queue_aside(command, Aside::Nothing);
        }
    }

    /// Does nothing, which keeps the connection alive and lets the server speak.
    ///
    /// # Errors
    /// When the server does not answer OK.
    pub async fn noop(&mut self) -> Result<(), ImapError> {
        let command = Command::new(&self.conn, "NOOP", "");
        self.conn.run(command, &mut |_| ()).await.map(drop)
    }

    /// Octets in use in the account, as the quota of this folder tells (RFC 9208). `None` where the server keeps or
    /// tells no quota of storage.
    ///
    /// # Errors
    /// When the connection fails. A refusal is `None`.
    pub async fn quota_used(&mut self, name: &WireName) -> Result<Option<u64>, ImapError> {
        Ok(self.quota(name).await?.map(|quota| quota.used))
    }

    /// Says goodbye. What fails here changes nothing any more.
    pub async fn logout(mut self) {
        if self.conn.is_usable() {
            let command = Command::new(&self.conn, "LOGOUT", "");
            let _ = self.conn.run(command, &mut |_| ()).await;
        }
    }
}

/// No string of IMAP can hold a NUL, and a line end in a name is of no good.
pub(super) fn sendable<'n>(conn: &Conn, verb: &'static str, name: &'n WireName) -> Result<&'n [u8], ImapError> {
    if name.raw().iter().any(|b| matches!(b, 0 | b'\r' | b'\n')) {
        let text = "the folder's name holds a line end or a NUL".to_owned();
        return Err(conn.error(verb, ImapErrorKind::Invalid(text)));
    }
    Ok(name.raw())
}

/// What a server says while it opens a folder.
#[derive(Default)]
pub(super) struct Opening {
    read_only: bool,
    uid_validity: Option<u32>,
    uid_next: Option<u32>,
    exists: Option<u32>,
    highest_modseq: Option<u64>,
    flags: Vec<String>,
    permanent_flags: Option<Vec<String>>,
    uid_not_sticky: bool,
}

impl Opening {
    pub(super) fn of(verb: &str) -> Self {
        Self { read_only: verb == "EXAMINE", ..Self::default() }
    }

    pub(super) fn take(&mut self, response: Response) {
        match response {
            Response::Exists(n) => self.exists = Some(n),
            Response::Flags(flags) => self.flags = flags,
            Response::Untagged(Status { kind: StatusKind::Ok | StatusKind::No, code: Some(code), .. }) => {
                self.code(code);
            }
            _ => {}
        }
    }

    fn code(&mut self, code: Code) {
        match code {
            // What came before spoke of the folder that was open.
            Code::Closed => *self = Self { read_only: self.read_only, ..Self::default() },
            Code::UidValidity(n) => self.uid_validity = Some(n),
            Code::UidNext(n) => self.uid_next = Some(n),
            Code::HighestModSeq(n) => self.highest_modseq = Some(n).filter(|n| *n > 0),
            Code::NoModSeq => self.highest_modseq = None,
            Code::PermanentFlags(flags) => self.permanent_flags = Some(flags),
            Code::ReadOnly => self.read_only = true,
            Code::UidNotSticky => self.uid_not_sticky = true,
            _ => {}
        }
    }

    fn finish(self) -> Result<Selected, String> {
        let uid_validity = self.uid_validity.filter(|n| *n > 0).ok_or("it opened a folder without UIDVALIDITY")?;
        let exists = self.exists.ok_or("it opened a folder without saying how many messages it has")?;
        Ok(Selected {
            uid_validity,
            uid_next: self.uid_next,
            exists,
            highest_modseq: self.highest_modseq,
            flags: self.flags,
            permanent_flags: self.permanent_flags,
            read_only: self.read_only,
            uid_not_sticky: self.uid_not_sticky,
        })
    }
}

/// Commands that may wait for their answers together.
pub(super) type Pipeline<T> = VecDeque<(u64, T)>;
