//! Changing a mailbox. Nothing here deletes.

use std::{
    collections::VecDeque,
    fmt,
    ops::{Deref, DerefMut},
};

use super::{
    code::Code,
    conn::{Command, Step},
    error::{ImapError, ImapErrorKind},
    flight::Flight,
    name::WireName,
    reader::{Pipeline, Reader, Selected, sendable},
    response::Response,
    survey::FlagsOf,
    uid::chunks,
};

/// STORE commands under way at the same time.
const STORES: usize = 32;

/// A connection for looking and changing.
pub struct Writer {
    reader: Reader,
    pub(super) flight: Flight,
}

impl fmt::Debug for Writer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writer").field("endpoint", &self.reader.conn.endpoint).finish_non_exhaustive()
    }
}

impl Deref for Writer {
    type Target = Reader;
    fn deref(&self) -> &Reader {
        &self.reader
    }
}

impl DerefMut for Writer {
    fn deref_mut(&mut self) -> &mut Reader {
        &mut self.reader
    }
}

/// Whether a folder had to be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Created {
    /// It is new.
    New,
    /// It was there, under exactly this name.
    Existed,
}

/// What is done with many folders at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FolderCommand {
    /// CREATE.
    Create,
    /// SUBSCRIBE.
    Subscribe,
}

/// How flags are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMode {
    /// Beside those that are there.
    Add,
    /// In place of those that are there.
    Replace,
}

impl Writer {
    pub(super) fn new(reader: Reader) -> Self {
        Self { reader, flight: Flight::default() }
    }

    /// The same connection, for looking.
    #[must_use]
    pub fn into_reader(self) -> Reader {
        self.reader
    }

    /// Opens a folder for changing.
    ///
    /// # Errors
    /// As [`Reader::examine`]. Look at [`Selected::read_only`]: a server may open a folder and still take no changes.
    pub async fn select(&mut self, name: &WireName) -> Result<Selected, ImapError> {
        self.reader.open("SELECT", name).await
    }

    /// The same, with the flags of some of its messages; see [`Reader::examine_flags`].
    ///
    /// # Errors
    /// As [`Writer::select`].
    pub async fn select_flags(
        &mut self,
        name: &WireName,
        uids: &[u32],
    ) -> Result<(Selected, Option<FlagsOf>), ImapError> {
        self.reader.open_with_flags("SELECT", name, uids).await
    }

    /// Makes a folder, unless there is one of exactly this name.
    ///
    /// # Errors
    /// When the server refuses and there is no such folder.
    pub async fn create(&mut self, name: &WireName) -> Result<Created, ImapError> {
        let conn = &mut self.reader.conn;
        let command = Command::new(conn, "CREATE", "").string(sendable(conn, "CREATE", name)?);
        let refusal = match conn.run(command, &mut |_| ()).await {
            Ok(_) => return Ok(Created::New),
            Err(e) if matches!(e.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. }) => e,
            Err(e) => return Err(e),
        };
        // The word of a refusal is not proof: some servers say "exists" about a name that differs in case.
        if self.exists(name).await? { Ok(Created::Existed) } else { Err(refusal) }
    }

    async fn exists(&mut self, name: &WireName) -> Result<bool, ImapError> {
        let conn = &mut self.reader.conn;
        let command = Command::new(conn, "LIST", r#" """#).string(name.raw());
        let mut found = false;
        let mut each = |response| {
            if let Response::List(line) = response {
                let real = !line.attributes.iter().any(|a| a.eq_ignore_ascii_case("\\NonExistent"));
                found |= real && WireName::from_wire(line.name) == *name;
            }
        };
        conn.run(command, &mut each).await?;
        Ok(found)
    }

    /// Subscribes to a folder.
    ///
    /// # Errors
    /// When the server refuses.
    pub async fn subscribe(&mut self, name: &WireName) -> Result<(), ImapError> {
        let conn = &mut self.reader.conn;
        let command = Command::new(conn, "SUBSCRIBE", "").string(sendable(conn, "SUBSCRIBE", name)?);
        conn.run(command, &mut |_| ()).await.map(drop)
    }

    /// Makes or subscribes folders in their order, all in flight together, and tells which of them the server said OK
    /// to. What it refused is worth a look one by one.
    ///
    /// # Errors
    /// When the connection fails: some of them may have been done. `Invalid`, before anything is sent, for a name that
    /// cannot be sent.
    pub async fn folders(&mut self, verb: FolderCommand, names: &[WireName]) -> Result<Vec<bool>, ImapError> {
        let conn = &mut self.reader.conn;
        let word = match verb {
            FolderCommand::Create => "CREATE",
            FolderCommand::Subscribe => "SUBSCRIBE",
        };
        conn.check(word)?;
        for name in names {
            sendable(conn, word, name)?;
        }
        let mut done = vec![false; names.len()];
        let mut open: Pipeline<usize> = Pipeline::new();
        for (at, name) in names.iter().enumerate() {
            let command = Command::new(conn, word, "").string(name.raw());
            open.push_back((conn.queue(command), at));
        }
        while !open.is_empty() {
            let Step::Tagged { tag, result } = conn.step().await? else { continue };
            let Some(place) = open.iter().position(|(t, _)| *t == tag) else { continue };
            let at = open.remove(place).map_or(usize::MAX, |(_, at)| at);
            if let Some(slot) = done.get_mut(at) {
                *slot = match result {
                    Ok(_) => true,
                    Err(e) if e.is_refusal() => false,
                    Err(e) => return Err(e),
                };
            }
        }
        Ok(done)
    }

    /// Stores flags of messages of the folder that is open. UIDs that are not there are passed over by the server
    /// without a word, as the protocol wants it.
    ///
    /// # Errors
    /// When the server refuses; with many UIDs a part may have been stored. `Invalid` for a flag that cannot be
    /// written.
    pub async fn store_flags<'f>(
        &mut self,
        uids: &[u32],
        mode: StoreMode,
        flags: impl IntoIterator<Item = &'f str>,
    ) -> Result<(), ImapError> {
        self.store_all(mode, [(uids, flags)]).await
    }

    /// Stores flags of several groups of messages of the folder that is open, all in flight together.
    ///
    /// # Errors
    /// As [`Writer::store_flags`]: of several refusals the first one, when all were answered.
    pub async fn store_all<'u, 'f, F: IntoIterator<Item = &'f str>>(
        &mut self,
        mode: StoreMode,
        groups: impl IntoIterator<Item = (&'u [u32], F)>,
    ) -> Result<(), ImapError> {
        let conn = &mut self.reader.conn;
        if self.reader.selected.is_none() {
            return Err(conn.error("UID STORE", ImapErrorKind::Invalid("no folder is open".to_owned())));
        }
        let item = match mode {
            StoreMode::Add => "+FLAGS.SILENT",
            StoreMode::Replace => "FLAGS.SILENT",
        };
        let mut waiting = VecDeque::new();
        for (uids, flags) in groups {
            let list = flag_list(flags).map_err(|text| conn.error("UID STORE", ImapErrorKind::Invalid(text)))?;
            waiting.extend(chunks(uids, 1000, 3000).into_iter().map(|chunk| format!(" {} {item} {list}", chunk.set)));
        }
        conn.check("UID STORE")?;
        let (mut open, mut refused) = (0, None);
        loop {
            while open < STORES
                && let Some(args) = waiting.pop_front()
            {
                let command = Command::new(conn, "UID STORE", &args);
                conn.queue(command);
                open += 1;
            }
            if open == 0 {
                return refused.map_or(Ok(()), Err);
            }
            let Step::Tagged { result, .. } = conn.step().await? else { continue };
            open -= 1;
            match result {
                Ok(_) => {}
                Err(e) if e.is_refusal() => {
                    refused.get_or_insert(e);
                }
                Err(e) => return Err(e),
            }
        }
    }

    /// Says goodbye. What fails here changes nothing any more.
    pub async fn logout(self) {
        self.reader.logout().await;
    }
}

/// Flags in parentheses. `\Recent` is left out, since no client may set it; anything that is no flag is refused, so that
/// a flag can never become a command.
pub(super) fn flag_list<'f>(flags: impl IntoIterator<Item = &'f str>) -> Result<String, String> {
    let mut list = String::from("(");
    for flag in flags {
        if flag.eq_ignore_ascii_case("\\Recent") {
            continue;
        }
        let word = flag.strip_prefix('\\').unwrap_or(flag);
        let odd =
            |b: u8| !(b'!'..=b'~').contains(&b) || matches!(b, b'(' | b')' | b'{' | b'%' | b'*' | b'"' | b'\\' | b']');
        if word.is_empty() || word.bytes().any(odd) {
            return Err(format!("{flag:?} is not a flag that IMAP can carry"));
        }
        if list.len() > 1 {
            list.push(' ');
        }
        list.push_str(flag);
    }
    list.push(')');
    Ok(list)
}

/// Whether going on after such a refusal is pointless, whatever the message.
pub(super) fn stops(code: Option<&Code>) -> bool {
    code.is_some_and(|c| {
        c.is_transient() || matches!(c, Code::OverQuota | Code::TryCreate | Code::NonExistent | Code::NoPerm)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_can_never_become_a_command() {
        assert_eq!(flag_list(["\\Seen", "$Forwarded", "\\Recent"]).unwrap(), "(\\Seen $Forwarded)");
        assert_eq!(flag_list([]).unwrap(), "()");
        for bad in ["", "\\", "a b", "a)\r\nx LOGOUT", "é", "a\\b", "{3}", "*"] {
            assert!(flag_list([bad]).is_err(), "{bad:?}");
        }
    }
}
