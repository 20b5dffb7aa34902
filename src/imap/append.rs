//! APPEND: one message, many in one command, or many commands in flight.

use std::{collections::BTreeSet, fmt, time::Instant};

use super::{
    body::Body,
    code::Code,
    conn::{Command, Done, Step},
    date::InternalDate,
    error::{ImapError, ImapErrorKind},
    name::WireName,
    quirks::Quirk,
    reader::sendable,
    uid::expand,
    writer::{Writer, flag_list, stops},
};

/// Messages above this many octets wait for the server's consent even where they need not, because it may refuse them
/// before they are sent.
const WAIT_ABOVE: u64 = 256 * 1024;

/// A message to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AppendMessage {
    /// System flags and keywords.
    pub flags: BTreeSet<String>,
    /// When it arrived.
    pub internal_date: InternalDate,
    /// Its octets; sent as they are.
    pub body: Body,
}

/// Where a message went, as far as the server tells (RFC 4315). Without UIDPLUS nothing is told.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Appended {
    /// UIDVALIDITY of the folder.
    pub uid_validity: Option<u32>,
    /// The UID.
    pub uid: Option<u32>,
}

/// Why a message was refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// What kind of refusal.
    pub kind: RefusalKind,
    /// The response code, where the server sent one.
    pub code: Option<Code>,
    /// The server's words, or ours.
    pub text: String,
}

/// Kinds of refusals.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RefusalKind {
    /// The server said NO.
    No,
    /// The server said BAD.
    Bad,
    /// The server wants a pause of so many milliseconds, where it says how long.
    Throttled(Option<u64>),
    /// It cannot be written in IMAP, and was not sent: a flag, a date.
    Invalid,
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.code {
            Some(code) => write!(f, "[{code}] {}", self.text),
            None => f.write_str(&self.text),
        }
    }
}

/// What became of one message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum AppendOutcome {
    /// It is stored: the server said OK to its very command.
    Appended(Appended),
    /// It is not stored. Under [`AppendMode::Multi`] the refusal is of the whole command, and which message is to blame
    /// is not known; servers that break RFC 3502 may have stored a part, so look before sending again.
    Refused(Refusal),
    /// Its command was under way when the connection failed: it may be stored, now or a little later.
    InDoubt,
    /// Nothing of it was sent.
    NotSent,
}

/// How messages were sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AppendMode {
    /// All in one command, all or nothing (RFC 3502).
    Multi,
    /// Many commands in flight.
    Pipelined,
    /// One command after the other.
    Single,
}

/// What became of many messages, in their order.
#[derive(Debug)]
pub struct AppendReport {
    /// How they were sent.
    pub mode: AppendMode,
    /// One outcome for each message.
    pub outcomes: Vec<AppendOutcome>,
    /// What broke the connection, when something did.
    pub error: Option<ImapError>,
}

impl Writer {
    /// How [`Writer::append_many`] sends more than one message to this server.
    #[must_use]
    pub fn append_mode(&self) -> AppendMode {
        let caps = self.capabilities();
        if caps.multiappend() && caps.literal_plus() && !self.quirks.knows(Quirk::MultiappendUnreliable) {
            AppendMode::Multi
        } else if caps.unwaited_literal().is_some() {
            AppendMode::Pipelined
        } else {
            AppendMode::Single
        }
    }

    /// Stores one message.
    ///
    /// # Errors
    /// A refusal (`No`, `Bad`, `Throttled`, `Invalid`) means that it is not stored; `Unusable` means that nothing was
    /// sent; anything else means that nobody knows.
    pub async fn append(&mut self, folder: &WireName, message: &AppendMessage) -> Result<Appended, ImapError> {
        let conn = &self.conn;
        sendable(conn, "APPEND", folder)?;
        let head = head(message).map_err(|text| conn.error("APPEND", ImapErrorKind::Invalid(text)))?;
        let command = Command::new(conn, "APPEND", "").string(folder.raw()).text(&head);
        let command = command.message(&message.body, wait_above(message));
        let done = self.conn.run(command, &mut |_| ()).await?;
        Ok(self.places(&done, 1).into_iter().next().unwrap_or_default())
    }

    /// Stores messages in their order, in the fastest way that the server offers. The caller bounds how many: all of
    /// them are in flight together, and under [`AppendMode::Multi`] one refusal costs all of them.
    ///
    /// After a refusal that concerns the folder or the account (quota, missing folder, limits, throttling) nothing
    /// further is begun.
    pub async fn append_many(&mut self, folder: &WireName, messages: &[AppendMessage]) -> AppendReport {
        let mode = self.append_mode();
        self.append_in(mode, folder, messages).await
    }

    /// The same without [`AppendMode::Multi`]: each message has a command, and an answer, of its own.
    pub async fn append_each(&mut self, folder: &WireName, messages: &[AppendMessage]) -> AppendReport {
        let mode = match self.append_mode() {
            AppendMode::Multi => AppendMode::Pipelined,
            other => other,
        };
        self.append_in(mode, folder, messages).await
    }

    async fn append_in(&mut self, mode: AppendMode, folder: &WireName, messages: &[AppendMessage]) -> AppendReport {
        let mut outcomes = vec![AppendOutcome::NotSent; messages.len()];
        if let Err(error) = self.conn.check("APPEND").and_then(|()| sendable(&self.conn, "APPEND", folder).map(drop)) {
            return AppendReport { mode, outcomes, error: Some(error) };
        }
        let mut ready: Vec<Item<'_>> = Vec::with_capacity(messages.len());
        for (at, (message, outcome)) in messages.iter().zip(&mut outcomes).enumerate() {
            match head(message) {
                Ok(head) => ready.push(Item { at, head, message }),
                Err(text) => {
                    *outcome = AppendOutcome::Refused(Refusal { kind: RefusalKind::Invalid, code: None, text });
                }
            }
        }
        let multi = mode == AppendMode::Multi && ready.len() > 1;
        let result = match multi {
            true => self.append_multi(folder, &ready, &mut outcomes).await,
            false => self.append_singly(folder, &ready, &mut outcomes).await,
        };
        let mode = if mode == AppendMode::Multi && !multi { AppendMode::Single } else { mode };
        AppendReport { mode, outcomes, error: result.err() }
    }

    async fn append_multi(
        &mut self,
        folder: &WireName,
        items: &[Item<'_>],
        outcomes: &mut [AppendOutcome],
    ) -> Result<(), ImapError> {
        let mut command = Command::new(&self.conn, "APPEND", "").string(folder.raw());
        for item in items {
            command = command.text(&item.head).message(&item.message.body, wait_above(item.message));
        }
        let set = |outcomes: &mut [AppendOutcome], item: &Item<'_>, outcome| {
            if let Some(slot) = outcomes.get_mut(item.at) {
                *slot = outcome;
            }
        };
        match self.conn.run(command, &mut |_| ()).await {
            Ok(done) => {
                for (item, place) in items.iter().zip(self.places(&done, items.len())) {
                    set(outcomes, item, AppendOutcome::Appended(place));
                }
                Ok(())
            }
            Err(e) => {
                let (outcome, error) = match refused(e) {
                    Ok(refusal) => (AppendOutcome::Refused(refusal), None),
                    Err(e) => (AppendOutcome::InDoubt, Some(e)),
                };
                for item in items {
                    set(outcomes, item, outcome.clone());
                }
                error.map_or(Ok(()), Err)
            }
        }
    }

    async fn append_singly(
        &mut self,
        folder: &WireName,
        items: &[Item<'_>],
        outcomes: &mut [AppendOutcome],
    ) -> Result<(), ImapError> {
        let pipelined = self.capabilities().unwaited_literal().is_some();
        let mut left = items.iter().peekable();
        let mut open: Vec<(u64, usize, u64)> = Vec::new();
        let (mut stop, mut octets) = (false, 0);
        self.flight.begin(Instant::now());
        loop {
            while !stop
                && (pipelined || open.is_empty())
                && let Some(item) =
                    left.next_if(|item| self.flight.has_room(open.len(), octets, item.message.body.len()))
            {
                let command = Command::new(&self.conn, "APPEND", "").string(folder.raw()).text(&item.head);
                let command = command.message(&item.message.body, wait_above(item.message));
                open.push((self.conn.queue(command), item.at, item.message.body.len()));
                octets += item.message.body.len();
            }
            if open.is_empty() {
                return self.conn.drain("APPEND").await;
            }
            let (tag, result) = match self.conn.step().await {
                Ok(Step::Untagged(_)) => continue,
                Ok(Step::Tagged { tag, result }) => (tag, result),
                Err(e) => {
                    for (tag, at, _) in open {
                        if let Some(slot) = outcomes.get_mut(at).filter(|_| self.conn.was_begun(tag)) {
                            *slot = AppendOutcome::InDoubt;
                        }
                    }
                    return Err(e);
                }
            };
            let Some(place) = open.iter().position(|(t, ..)| *t == tag) else { continue };
            let (_, at, size) = open.remove(place);
            octets -= size;
            let outcome = match result {
                Ok(done) => {
                    self.flight.landed(Instant::now());
                    AppendOutcome::Appended(self.places(&done, 1).into_iter().next().unwrap_or_default())
                }
                Err(e) => match refused(e) {
                    Ok(refusal) => {
                        let stops = matches!(refusal.kind, RefusalKind::Throttled(_)) || stops(refusal.code.as_ref());
                        if stops && !stop {
                            self.flight.refused();
                        }
                        stop |= stops;
                        AppendOutcome::Refused(refusal)
                    }
                    Err(e) => return Err(e),
                },
            };
            if let Some(slot) = outcomes.get_mut(at) {
                *slot = outcome;
            }
        }
    }

    /// Where so many messages went. A server that names another number of UIDs, or that names UIDs without offering to
    /// (RFC 4315), is not believed at all.
    fn places(&self, done: &Done, count: usize) -> Vec<Appended> {
        let nowhere = vec![Appended::default(); count];
        if !self.capabilities().uidplus() || self.quirks.knows(Quirk::AppendUidUnreliable) {
            return nowhere;
        }
        match &done.code {
            Some(Code::AppendUid { uid_validity, uids }) => match expand(uids, count) {
                Some(uids) => {
                    uids.into_iter().map(|uid| Appended { uid_validity: Some(*uid_validity), uid: Some(uid) }).collect()
                }
                None => nowhere,
            },
            _ => nowhere,
        }
    }
}

/// Above how many octets a message waits for the server's consent. A message with flags or a date that a server may not
/// understand always waits: Dovecot 2.3 answers BAD to those and then runs the lines of the message as commands.
fn wait_above(message: &AppendMessage) -> u64 {
    let years = 1970..=2037;
    let usual_date =
        message.internal_date.instant().is_some_and(|t| years.contains(&jiff::tz::Offset::UTC.to_datetime(t).year()));
    let usual_flag = |flag: &String| match flag.strip_prefix('\\') {
        Some(system) => ["Seen", "Answered", "Flagged", "Deleted", "Draft", "Recent"].contains(&system),
        None => flag.len() <= 32 && flag.bytes().all(|b| b.is_ascii_alphanumeric() || b"$_-.".contains(&b)),
    };
    if usual_date && message.flags.iter().all(usual_flag) { WAIT_ABOVE } else { 0 }
}

/// A message that can be sent, and its place among all.
struct Item<'m> {
    at: usize,
    head: String,
    message: &'m AppendMessage,
}

/// Flags and date. Both are always there: some servers limit messages that come without a flag list.
fn head(message: &AppendMessage) -> Result<String, String> {
    let flags = flag_list(message.flags.iter().map(String::as_str))?;
    let date = message.internal_date.wire();
    let date = date.ok_or_else(|| format!("{:?} is not a date", message.internal_date.text()))?;
    Ok(format!(" {flags} \"{date}\""))
}

/// A refusal, or the failure that it is not.
fn refused(error: ImapError) -> Result<Refusal, ImapError> {
    match error.kind {
        ImapErrorKind::No { code, text } => Ok(Refusal { kind: RefusalKind::No, code, text }),
        ImapErrorKind::Bad { code, text } => Ok(Refusal { kind: RefusalKind::Bad, code, text }),
        ImapErrorKind::Throttled { millis, text } => {
            Ok(Refusal { kind: RefusalKind::Throttled(millis), code: None, text })
        }
        _ => Err(error),
    }
}
