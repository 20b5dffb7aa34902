//! Messages: what is known about them, and their bodies as a stream.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use super::{
    body::Body,
    code::Code,
    conn::{Command, Step},
    date::InternalDate,
    error::{ImapError, ImapErrorKind},
    name::WireName,
    reader::{Pipeline, Reader},
    response::{FetchLine, Response, Status},
    uid::{Chunk, UidRange, chunks},
};

/// Messages of one command for bodies. Small, because a refusal costs the whole command.
const BODIES: usize = 64;
/// Octets of one set of UIDs: Exchange takes lines of 4 KiB.
pub(super) const SET: usize = 3_000;
/// Commands for bodies under way at the same time, so that the server is never idle.
const WINDOW: usize = 4;

/// What a server says of a message without its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MessageMeta {
    /// The UID.
    pub uid: u32,
    /// System flags and keywords, as sent. `\Recent` is left out: it belongs to a session, not to a message.
    pub flags: BTreeSet<String>,
    /// Whether the server left the flags out, so that `flags` being empty says nothing.
    pub flags_missing: bool,
    /// When it arrived; `None` when the server sent NIL or nothing.
    pub internal_date: Option<InternalDate>,
    /// RFC822.SIZE; some servers only estimate it. `None` when the server sent none.
    pub size: Option<u64>,
    /// MODSEQ, with CONDSTORE.
    pub modseq: Option<u64>,
}

/// One message with its body.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FetchedMessage {
    /// The UID.
    pub uid: u32,
    /// Its flags at this moment, without `\Recent`; `None` when the server left them out.
    pub flags: Option<BTreeSet<String>>,
    /// When it arrived; `None` when the server sent NIL or nothing.
    pub internal_date: Option<InternalDate>,
    /// Its octets.
    pub body: Body,
}

/// What became of one UID that was asked for.
#[derive(Debug)]
pub enum Fetched {
    /// Here it is.
    Message(FetchedMessage),
    /// The server has no such message any more; it was asked twice.
    Gone(u32),
    /// The server has the message and does not give it out.
    Failed {
        /// The UID.
        uid: u32,
        /// Why.
        error: ImapError,
    },
}

impl Reader {
    /// Everything but the bodies, by ascending UID. Messages that are not there are left out.
    ///
    /// # Errors
    /// When the list is not complete for certain: any failure, any answer that cannot be read.
    pub async fn fetch_meta(&mut self, uids: UidRange) -> Result<Vec<MessageMeta>, ImapError> {
        self.metas(uids, "INTERNALDATE RFC822.SIZE", "").await
    }

    /// The same without sizes, which some servers read every message for.
    ///
    /// # Errors
    /// As [`Reader::fetch_meta`].
    pub async fn fetch_flags_and_dates(&mut self, uids: UidRange) -> Result<Vec<MessageMeta>, ImapError> {
        self.metas(uids, "INTERNALDATE", "").await
    }

    /// The same for single messages, by ascending UID.
    ///
    /// # Errors
    /// As [`Reader::fetch_meta`].
    pub async fn fetch_some(&mut self, uids: &[u32]) -> Result<Vec<MessageMeta>, ImapError> {
        self.must_be_open()?;
        let mut all: BTreeMap<u32, FetchLine> = BTreeMap::new();
        for chunk in chunks(uids, usize::MAX, SET) {
            let (Some(first), Some(last)) = (chunk.uids.first(), chunk.uids.last()) else { continue };
            let items = format!(" {} (UID FLAGS INTERNALDATE RFC822.SIZE)", chunk.set);
            let (part, limit) = self.scan(&items, UidRange::new(*first, *last)).await?;
            if limit.is_some() {
                let text = "it stopped in the middle of a short list".to_owned();
                return Err(self.conn.error("UID FETCH", ImapErrorKind::Protocol(text)));
            }
            all.extend(part);
        }
        Ok(all.into_iter().map(|(uid, line)| meta(uid, line)).collect())
    }

    /// The flags of single messages. A message that is not there, or whose flags the server leaves out, is left out.
    ///
    /// # Errors
    /// As [`Reader::fetch_meta`].
    pub async fn fetch_flags(&mut self, uids: &[u32]) -> Result<BTreeMap<u32, BTreeSet<String>>, ImapError> {
        self.must_be_open()?;
        let mut all = BTreeMap::new();
        for chunk in chunks(uids, usize::MAX, SET) {
            let (Some(first), Some(last)) = (chunk.uids.first(), chunk.uids.last()) else { continue };
            let items = format!(" {} (UID FLAGS)", chunk.set);
            let (part, _) = self.scan(&items, UidRange::new(*first, *last)).await?;
            all.extend(part.into_iter().filter_map(|(uid, line)| Some((uid, lasting(line.flags?)))));
        }
        Ok(all)
    }

    /// Only messages that are new or whose flags changed since a HIGHESTMODSEQ (RFC 7162 3.1.4). Vanished messages are
    /// not told.
    ///
    /// # Errors
    /// As [`Reader::fetch_meta`]; `Invalid` when the open folder keeps no modification sequences.
    pub async fn fetch_changed(&mut self, uids: UidRange, since: u64) -> Result<Vec<MessageMeta>, ImapError> {
        if self.selected.as_ref().is_none_or(|s| s.highest_modseq.is_none()) {
            let text = "the open folder keeps no modification sequences".to_owned();
            return Err(self.conn.error("UID FETCH", ImapErrorKind::Invalid(text)));
        }
        self.metas(uids, "INTERNALDATE RFC822.SIZE", &format!(" (CHANGEDSINCE {since})")).await
    }

    async fn metas(&mut self, uids: UidRange, wanted: &str, modifier: &str) -> Result<Vec<MessageMeta>, ImapError> {
        self.must_be_open()?;
        let modseq = self.selected.as_ref().is_some_and(|s| s.highest_modseq.is_some());
        let modseq = if modseq { " MODSEQ" } else { "" };
        let mut all: BTreeMap<u32, FetchLine> = BTreeMap::new();
        let mut todo = vec![uids];
        while let Some(range) = todo.pop() {
            let items = format!(" {range} (UID FLAGS {wanted}{modseq}){modifier}");
            let (part, limit) = self.scan(&items, range).await?;
            if let Some(limit) = limit {
                todo.push(self.beyond(range, &part, limit)?);
            }
            all.extend(part);
        }
        // No flags told is not the same as none set.
        let bare: Vec<u32> = all.iter().filter(|(_, line)| line.flags.is_none()).map(|(uid, _)| *uid).collect();
        for chunk in chunks(&bare, usize::MAX, SET) {
            let command = Command::new(&self.conn, "UID FETCH", &format!(" {} (UID FLAGS)", chunk.set));
            let mut each = |response| {
                if let Response::Fetch(line) = response
                    && let Some(have) = line.uid.and_then(|uid| all.get_mut(&uid))
                {
                    merge(have, line);
                }
            };
            self.conn.run(command, &mut each).await?;
        }
        Ok(all.into_iter().map(|(uid, line)| meta(uid, line)).collect())
    }

    /// One command, and the UID where the server stopped if it did (RFC 9738).
    async fn scan(
        &mut self,
        items: &str,
        range: UidRange,
    ) -> Result<(BTreeMap<u32, FetchLine>, Option<u32>), ImapError> {
        let mut part: BTreeMap<u32, FetchLine> = BTreeMap::new();
        let mut odd = None;
        let mut limit: Option<Code> = None;
        let command = Command::new(&self.conn, "UID FETCH", items);
        let mut each = |response| match response {
            // `n:*` always names the last message, even below n.
            Response::Fetch(line) => {
                if let Some(uid) = line.uid.filter(|uid| range.contains(*uid)) {
                    merge(part.entry(uid).or_default(), line);
                }
            }
            Response::Malformed { name: "FETCH", words } => odd = Some(words),
            Response::Untagged(Status { code: Some(code @ Code::MessageLimit { .. }), .. }) => limit = Some(code),
            _ => {}
        };
        let done = match self.conn.run(command, &mut each).await {
            Ok(done) => done.code,
            Err(e) => match e.code() {
                Some(code @ Code::MessageLimit { uid: Some(_), .. }) => Some(code.clone()),
                _ => return Err(e),
            },
        };
        if let Some(words) = odd {
            return Err(self.unreadable(&words));
        }
        match done.filter(|c| matches!(c, Code::MessageLimit { .. })).or(limit) {
            None => Ok((part, None)),
            Some(Code::MessageLimit { uid: Some(uid), .. }) => Ok((part, Some(uid))),
            Some(_) => {
                let text = "it limits the number of messages without saying where it stopped".to_owned();
                Err(self.conn.error("UID FETCH", ImapErrorKind::Protocol(text)))
            }
        }
    }

    /// Gmail's labels of every message of the open folder, by UID: `\Inbox` and its like, and the names of folders.
    ///
    /// # Errors
    /// As [`Reader::fetch_meta`]; `Invalid` when the server has no labels.
    pub async fn fetch_labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, ImapError> {
        self.must_be_gmail()?;
        let (lines, _) = self.scan(&format!(" {} (UID X-GM-LABELS)", UidRange::ALL), UidRange::ALL).await?;
        let label = |raw: Vec<u8>| match raw.first() {
            Some(b'\\') => raw.iter().map(|b| char::from(*b)).collect(),
            _ => WireName::from_wire(raw).decoded(),
        };
        let labels = |line: FetchLine| line.labels.unwrap_or_default().into_iter().map(label).collect();
        Ok(lines.into_iter().map(|(uid, line)| (uid, labels(line))).collect())
    }

    /// Gmail's numbers of the messages of the open folder, by UID. A message has the same number in every folder.
    ///
    /// # Errors
    /// As [`Reader::fetch_labels`].
    pub async fn fetch_gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, ImapError> {
        self.must_be_gmail()?;
        let (lines, _) = self.scan(&format!(" {} (UID X-GM-MSGID)", UidRange::ALL), UidRange::ALL).await?;
        Ok(lines.into_iter().filter_map(|(uid, line)| Some((uid, line.gmail_id?))).collect())
    }

    fn must_be_gmail(&self) -> Result<(), ImapError> {
        self.must_be_open()?;
        if self.conn.capabilities.gmail() {
            return Ok(());
        }
        let text = "the server has no labels".to_owned();
        Err(self.conn.error("UID FETCH", ImapErrorKind::Invalid(text)))
    }

    /// What is left of a range when the server stopped at a UID, upwards or downwards.
    fn beyond(&self, range: UidRange, part: &BTreeMap<u32, FetchLine>, stopped: u32) -> Result<UidRange, ImapError> {
        let lowest = part.keys().next().copied().unwrap_or(stopped);
        let highest = part.keys().next_back().copied().unwrap_or(stopped);
        let down = lowest >= stopped && stopped > range.first;
        let up = highest <= stopped && range.last.is_none_or(|last| last > stopped) && stopped < u32::MAX;
        match (down, up) {
            (true, _) if range.contains(stopped) => Ok(UidRange { first: range.first, last: Some(stopped - 1) }),
            (_, true) if range.contains(stopped) => Ok(UidRange { first: stopped + 1, last: range.last }),
            _ => {
                let text = format!("it says that it stopped at UID {stopped}, which fits nothing that it sent");
                Err(self.conn.error("UID FETCH", ImapErrorKind::Protocol(text)))
            }
        }
    }

    fn must_be_open(&self) -> Result<(), ImapError> {
        if self.selected.is_some() {
            return Ok(());
        }
        Err(self.conn.error("UID FETCH", ImapErrorKind::Invalid("no folder is open".to_owned())))
    }

    fn unreadable(&self, words: &str) -> ImapError {
        let text = format!("a FETCH answer that cannot be read: {words:?}");
        self.conn.error("UID FETCH", ImapErrorKind::Protocol(text))
    }

    /// The bodies of messages, with their flags and dates. Nothing is marked as seen. Ask with [`Bodies::next`] until
    /// it says `None`; a stream that is dropped before that leaves the connection unusable.
    ///
    /// The order is that of the server. Every UID that was asked for is answered exactly once.
    ///
    /// # Errors
    /// `Invalid` when no folder is open.
    pub fn fetch_bodies(&mut self, uids: &[u32]) -> Result<Bodies<'_>, ImapError> {
        self.must_be_open()?;
        self.conn.check("UID FETCH")?;
        let waiting = chunks(uids, BODIES, SET).into();
        Ok(Bodies {
            reader: self,
            waiting,
            open: Pipeline::new(),
            odd: None,
            doubtful: BTreeMap::new(),
            ready: VecDeque::new(),
        })
    }

    /// Which of the UIDs the server still has. NOOP first, so that it may tell us what is gone.
    async fn present(&mut self, uids: &[u32]) -> Result<BTreeSet<u32>, ImapError> {
        self.noop().await?;
        let mut found = BTreeSet::new();
        let mut odd = None;
        for chunk in chunks(uids, usize::MAX, SET) {
            let command = Command::new(&self.conn, "UID FETCH", &format!(" {} (UID)", chunk.set));
            let mut each = |response| match response {
                Response::Fetch(line) => found.extend(line.uid),
                Response::Malformed { name: "FETCH", words } => odd = Some(words),
                _ => {}
            };
            self.conn.run(command, &mut each).await?;
        }
        match odd {
            None => Ok(found),
            Some(words) => Err(self.unreadable(&words)),
        }
    }
}

/// Items of one message can come in several answers, and change in between: what comes later holds.
pub(super) fn merge(have: &mut FetchLine, new: FetchLine) {
    have.uid = new.uid.or(have.uid);
    have.flags = new.flags.or(have.flags.take());
    have.internal_date = new.internal_date.or(have.internal_date.take());
    have.size = new.size.or(have.size);
    have.modseq = new.modseq.or(have.modseq);
    have.labels = new.labels.or(have.labels.take());
    have.gmail_id = new.gmail_id.or(have.gmail_id);
}

pub(super) fn meta(uid: u32, line: FetchLine) -> MessageMeta {
    MessageMeta {
        uid,
        flags_missing: line.flags.is_none(),
        flags: line.flags.map(lasting).unwrap_or_default(),
        internal_date: line.internal_date.as_deref().map(InternalDate::parse),
        size: line.size,
        modseq: line.modseq,
    }
}

pub(super) fn lasting(flags: Vec<String>) -> BTreeSet<String> {
    flags.into_iter().filter(|f| !f.eq_ignore_ascii_case("\\Recent")).collect()
}

/// A stream of bodies. See [`Reader::fetch_bodies`].
#[derive(Debug)]
pub struct Bodies<'r> {
    reader: &'r mut Reader,
    waiting: VecDeque<Chunk>,
    /// Commands under way, with the UIDs that they have not brought yet.
    open: Pipeline<BTreeSet<u32>>,
    odd: Option<String>,
    /// UIDs that were not brought, and the refusal if there was one.
    doubtful: BTreeMap<u32, Option<ImapError>>,
    ready: VecDeque<Fetched>,
}

impl Bodies<'_> {
    /// What became of the next UID; `None` when every UID was answered.
    ///
    /// # Errors
    /// When the connection fails or the server asks for a pause. [`Bodies::unanswered`] then tells what is open; the
    /// connection must be dropped.
    pub async fn next(&mut self) -> Result<Option<Fetched>, ImapError> {
        loop {
            if let Some(done) = self.ready.pop_front() {
                return Ok(Some(done));
            }
            self.refill();
            if self.open.is_empty() {
                if self.doubtful.is_empty() {
                    return Ok(None);
                }
                self.resolve().await?;
                continue;
            }
            match self.reader.conn.step().await? {
                Step::Untagged(Response::Fetch(line)) => self.arrived(line)?,
                Step::Untagged(Response::Malformed { name: "FETCH", words }) => self.odd = Some(words),
                Step::Untagged(_) => {}
                Step::Tagged { tag, result } => self.settled(tag, result.map(drop))?,
            }
        }
    }

    /// The UIDs that were not answered, ascending.
    #[must_use]
    pub fn unanswered(&self) -> Vec<u32> {
        let ready = self.ready.iter().map(|f| match f {
            Fetched::Message(m) => m.uid,
            Fetched::Gone(uid) | Fetched::Failed { uid, .. } => *uid,
        });
        let waiting = self.waiting.iter().flat_map(|c| c.uids.iter().copied());
        let open = self.open.iter().flat_map(|(_, uids)| uids.iter().copied());
        let mut all: Vec<u32> = ready.chain(waiting).chain(open).chain(self.doubtful.keys().copied()).collect();
        all.sort_unstable();
        all
    }

    fn refill(&mut self) {
        while self.open.len() < WINDOW
            && let Some(chunk) = self.waiting.pop_front()
        {
            let args = format!(" {} (UID FLAGS INTERNALDATE BODY.PEEK[])", chunk.set);
            let command = Command::new(&self.reader.conn, "UID FETCH", &args);
            let tag = self.reader.conn.queue(command);
            self.open.push_back((tag, chunk.uids.into_iter().collect()));
        }
    }

    fn arrived(&mut self, line: FetchLine) -> Result<(), ImapError> {
        let Some(body) = line.body else { return Ok(()) }; // news about flags
        let Some(uid) = line.uid else {
            let text = "it sent a message without its UID".to_owned();
            return Err(self.reader.conn.broken("UID FETCH", ImapErrorKind::Protocol(text)));
        };
        if !self.open.iter_mut().any(|(_, uids)| uids.remove(&uid)) {
            return Ok(()); // nobody asked, or it came before
        }
        let Some(body) = body else {
            // Also what Dovecot says of a message that was deleted meanwhile.
            let text = "it has no body for this message (NIL)".to_owned();
            let error = self.reader.conn.error("UID FETCH", ImapErrorKind::Protocol(text));
            self.doubtful.insert(uid, Some(error));
            return Ok(());
        };
        self.ready.push_back(Fetched::Message(FetchedMessage {
            uid,
            flags: line.flags.map(lasting),
            internal_date: line.internal_date.as_deref().map(InternalDate::parse),
            body,
        }));
        Ok(())
    }

    /// A command ended. What it did not bring is asked for again in halves when it was refused, because one bad message
    /// must not cost the others.
    fn settled(&mut self, tag: u64, result: Result<(), ImapError>) -> Result<(), ImapError> {
        let at = self.open.iter().position(|(t, _)| *t == tag);
        let Some((_, rest)) = at.and_then(|at| self.open.remove(at)) else { return Ok(()) };
        let rest: Vec<u32> = rest.into_iter().collect();
        let odd = self.odd.take();
        match result {
            Ok(()) if rest.is_empty() => {}
            Ok(()) => {
                for uid in rest {
                    let error = odd.as_ref().map(|words| self.reader.unreadable(words));
                    self.doubtful.insert(uid, error);
                }
            }
            Err(e) if !matches!(e.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. }) => {
                self.waiting.extend(chunks(&rest, BODIES, SET)); // they stay unanswered
                return Err(e);
            }
            Err(e) => match rest.as_slice() {
                [] => {}
                [uid] => {
                    self.doubtful.insert(*uid, Some(e));
                }
                many => {
                    let (low, high) = many.split_at(many.len() / 2);
                    for half in [high, low] {
                        for chunk in chunks(half, BODIES, SET).into_iter().rev() {
                            self.waiting.push_front(chunk);
                        }
                    }
                }
            },
        }
        Ok(())
    }

    /// A message that did not come is gone only if the server, asked for it by name, does not know it either.
    async fn resolve(&mut self) -> Result<(), ImapError> {
        let uids: Vec<u32> = self.doubtful.keys().copied().collect();
        let present = self.reader.present(&uids).await?;
        for (uid, error) in std::mem::take(&mut self.doubtful) {
            self.ready.push_back(if present.contains(&uid) {
                let error = error.unwrap_or_else(|| {
                    let text = "it lists the message and does not send it".to_owned();
                    self.reader.conn.error("UID FETCH", ImapErrorKind::Protocol(text))
                });
                Fetched::Failed { uid, error }
            } else {
                Fetched::Gone(uid)
            });
        }
        Ok(())
    }
}
