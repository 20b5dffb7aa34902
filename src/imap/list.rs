//! Folders: their names, purposes and numbers, in as few round trips as the server allows.

use std::collections::{BTreeSet, VecDeque};

use super::{
    conn::{Aside, Command, Step},
    error::{ImapError, ImapErrorKind},
    name::WireName,
    quirks::Quirk,
    reader::{Reader, sendable},
    response::{ListLine, Response, StatusLine},
};
use crate::model::{FolderPath, FolderStatus, SpecialUse};

/// STATUS commands under way at the same time.
const WINDOW: usize = 32;

/// One folder as it was listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// The name as text, with the server's delimiter.
    pub wire_name: String,
    /// The name to send back.
    pub name: WireName,
    /// Its parts. The prefix of a name space is part of it.
    pub path: FolderPath,
    /// The hierarchy delimiter; `None` for a flat name space.
    pub delimiter: Option<char>,
    /// Whether it can be opened.
    pub selectable: bool,
    /// Whether there is no such folder: only a subscription to it, or folders below it.
    pub non_existent: bool,
    /// Whether folders below it are impossible (`\NoInferiors`).
    pub no_inferiors: bool,
    /// Its purpose, where the server says.
    pub special_use: Option<SpecialUse>,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Its numbers; `None` when it cannot be opened, its status was refused, or nobody asked.
    pub status: Option<FolderStatus>,
}

/// How much of each folder is asked for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ListDetail {
    /// Names and attributes.
    Names,
    /// The numbers of STATUS too.
    #[default]
    Status,
    /// Octets as well, where the server tells them (RFC 8438). Some servers read every message for that.
    Sizes,
}

/// A name space of the account's own folders (RFC 2342).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Namespace {
    /// What stands before every name: `INBOX.`, or nothing.
    pub prefix: String,
    /// The hierarchy delimiter; `None` for a flat name space.
    pub delimiter: Option<char>,
}

impl Reader {
    /// The name spaces of the account's own folders; none where the server does not tell. After [`Reader::list`] the
    /// answer is there already.
    ///
    /// # Errors
    /// When the server does not answer OK, or answers what cannot be read.
    pub async fn namespace(&mut self) -> Result<Vec<Namespace>, ImapError> {
        if !self.conn.capabilities.namespace() {
            return Ok(Vec::new());
        }
        if self.conn.namespaces.is_none() {
            self.ask_namespace().await?;
        }
        let space = |(prefix, delimiter): &(Vec<u8>, Option<char>)| Namespace {
            prefix: WireName::from_wire(prefix.clone()).decoded(),
            delimiter: *delimiter,
        };
        Ok(self.conn.namespaces.iter().flatten().map(space).collect())
    }

    async fn ask_namespace(&mut self) -> Result<(), ImapError> {
        let command = Command::new(&self.conn, "NAMESPACE", "");
        let mut odd = None;
        let mut each = |response| {
            if let Response::Malformed { name: "NAMESPACE", words } = response {
                odd = Some(words);
            }
        };
        self.conn.run(command, &mut each).await?;
        if self.conn.namespaces.is_none() {
            let text = odd.map_or_else(|| "no answer".to_owned(), |words| format!("an odd answer: {words:?}"));
            return Err(self.conn.error("NAMESPACE", ImapErrorKind::Protocol(text)));
        }
        Ok(())
    }

    /// Every folder with its numbers.
    ///
    /// # Errors
    /// When the list is not complete for certain. A folder whose status is refused has `status: None`.
    pub async fn list(&mut self) -> Result<Vec<Listed>, ImapError> {
        self.list_with(ListDetail::Status).await
    }

    /// Every folder, in the order of the server.
    ///
    /// # Errors
    /// As [`Reader::list`].
    pub async fn list_with(&mut self, detail: ListDetail) -> Result<Vec<Listed>, ImapError> {
        let items = (detail != ListDetail::Names).then(|| self.status_items(detail == ListDetail::Sizes));
        if self.conn.capabilities.namespace() && self.conn.namespaces.is_none() {
            // Whoever lists folders also wants to know how names are formed: one round trip for both.
            self.conn.check("LIST")?;
            let command = Command::new(&self.conn, "NAMESPACE", "");
            self.conn.queue_aside(command, Aside::Nothing);
        }
        let extended = self.conn.capabilities.list_extended() && !self.quirks.knows(Quirk::ListOptionsRefused);
        let mut found = if extended { self.list_extended(items.as_deref()).await? } else { None };
        if found.is_none() {
            found = Some(self.list_plain().await?);
        }
        let mut gathered = found.unwrap_or_default();
        if let Some(items) = &items {
            self.fill_status(&mut gathered, items).await?;
        }
        Ok(gathered.folders)
    }

    fn status_items(&self, sizes: bool) -> String {
        let mut items = "(MESSAGES UIDNEXT UIDVALIDITY".to_owned();
        if self.conn.capabilities.condstore() {
            items.push_str(" HIGHESTMODSEQ");
        }
        if sizes && self.conn.capabilities.status_size() {
            items.push_str(" SIZE");
        }
        items.push(')');
        items
    }

    /// One command for everything. `None` when the server advertises the options and does not take them.
    async fn list_extended(&mut self, items: Option<&str>) -> Result<Option<Gathered>, ImapError> {
        let caps = &self.conn.capabilities;
        let mut options = "SUBSCRIBED".to_owned();
        if caps.special_use() {
            options.push_str(" SPECIAL-USE");
        }
        if let Some(items) = items.filter(|_| caps.list_status()) {
            options.push_str(" STATUS ");
            options.push_str(items);
        }
        let command = Command::new(&self.conn, "LIST", &format!(r#" "" "*" RETURN ({options})"#));
        let mut gathered = Gathered::default();
        match self.conn.run(command, &mut |response| gathered.take(response)).await {
            Ok(_) => {
                self.whole(&gathered)?;
                Ok(Some(gathered))
            }
            Err(e) if matches!(e.kind, ImapErrorKind::Bad { .. }) => {
                self.quirks.learn(Quirk::ListOptionsRefused);
                Ok(None)
            }
            Err(e) => Err(e),
        }
    }

    /// LIST for what exists, LSUB for what is subscribed.
    async fn list_plain(&mut self) -> Result<Gathered, ImapError> {
        let mut gathered = Gathered::default();
        let list = Command::new(&self.conn, "LIST", r#" "" "*""#);
        self.conn.run(list, &mut |response| gathered.take(response)).await?;
        let lsub = Command::new(&self.conn, "LSUB", r#" "" "*""#);
        let mut subscribed: Vec<ListLine> = Vec::new();
        let mut odd = None;
        let mut each = |response| match response {
            // Some servers answer LSUB with LIST lines.
            Response::Lsub(line) | Response::List(line) => subscribed.push(line),
            Response::Malformed { name: name @ ("LSUB" | "LIST"), words } => odd = Some((name, words)),
            _ => {}
        };
        match self.conn.run(lsub, &mut each).await {
            Ok(_) => {}
            // A server without subscriptions (IMAP4rev2 has no LSUB) still has folders.
            Err(e) if e.is_refusal() && !matches!(e.kind, ImapErrorKind::Throttled { .. }) => {}
            Err(e) => return Err(e),
        }
        gathered.odd = gathered.odd.or(odd);
        self.whole(&gathered)?;
        for line in subscribed {
            // `\Noselect` in LSUB means "not subscribed itself, but something below it is" (RFC 3501 6.3.9).
            if line.attributes.iter().any(|a| a.eq_ignore_ascii_case("\\Noselect")) {
                continue;
            }
            let name = WireName::from_wire(line.name.clone());
            match gathered.folders.iter_mut().find(|f| f.name == name) {
                Some(folder) => folder.subscribed = true,
                None => gathered.folders.push(Listed {
                    selectable: false,
                    non_existent: true,
                    subscribed: true,
                    ..listed(line)
                }),
            }
        }
        Ok(gathered)
    }

    /// A folder must not be missing because its line was odd.
    fn whole(&self, gathered: &Gathered) -> Result<(), ImapError> {
        match &gathered.odd {
            None => Ok(()),
            Some((name, words)) => {
                let text = format!("a {name} answer that cannot be read: {words:?}");
                Err(self.conn.error("LIST", ImapErrorKind::Protocol(text)))
            }
        }
    }

    /// Numbers that came with the list, and STATUS for what they left out.
    async fn fill_status(&mut self, gathered: &mut Gathered, items: &str) -> Result<(), ImapError> {
        for line in std::mem::take(&mut gathered.statuses) {
            let name = WireName::from_wire(line.name.clone());
            if let Some(folder) = gathered.folders.iter_mut().find(|f| f.name == name) {
                folder.status = status(&line);
            }
        }
        let folders = &mut gathered.folders;
        let mut missing: VecDeque<usize> =
            folders.iter().enumerate().filter(|(_, f)| f.selectable && f.status.is_none()).map(|(at, _)| at).collect();
        let mut open: Vec<(u64, usize)> = Vec::new();
        self.conn.check("STATUS")?;
        loop {
            while open.len() < WINDOW
                && let Some(at) = missing.pop_front()
            {
                let Some(folder) = folders.get(at) else { continue };
                let command = Command::new(&self.conn, "STATUS", "").string(folder.name.raw());
                open.push((self.conn.queue(command.text(" ").text(items)), at));
            }
            if open.is_empty() {
                return self.conn.drain("STATUS").await;
            }
            match self.conn.step().await? {
                Step::Untagged(Response::StatusOf(line)) => {
                    let name = WireName::from_wire(line.name.clone());
                    let asked =
                        open.iter().map(|(_, at)| *at).find(|at| folders.get(*at).is_some_and(|f| f.name == name));
                    if let Some(folder) = asked.and_then(|at| folders.get_mut(at)) {
                        folder.status = status(&line);
                    }
                }
                Step::Untagged(_) => {}
                Step::Tagged { tag, result } => {
                    open.retain(|(t, _)| *t != tag);
                    match result {
                        // A folder that does not tell its numbers is still a folder.
                        Err(e) if !matches!(e.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. }) => {
                            return Err(e);
                        }
                        _ => {}
                    }
                }
            }
        }
    }

    /// The numbers of one folder.
    ///
    /// # Errors
    /// When the server refuses, or answers OK without the number of messages and UIDVALIDITY.
    pub async fn status(&mut self, name: &WireName) -> Result<FolderStatus, ImapError> {
        self.status_with(name, false).await
    }

    /// The numbers of one folder, with octets where the server tells them.
    ///
    /// # Errors
    /// As [`Reader::status`].
    pub async fn status_with(&mut self, name: &WireName, sizes: bool) -> Result<FolderStatus, ImapError> {
        let items = self.status_items(sizes);
        let octets = sendable(&self.conn, "STATUS", name)?;
        let command = Command::new(&self.conn, "STATUS", "").string(octets).text(" ").text(&items);
        let (mut found, mut twin) = (None, None);
        // A server that takes two spellings for one folder may answer with its own.
        let folded = name.decoded().to_lowercase();
        let mut each = |response| {
            let Response::StatusOf(line) = response else { return };
            let told = WireName::from_wire(line.name.clone());
            if told == *name {
                found = status(&line);
            } else if told.decoded().to_lowercase() == folded {
                twin = status(&line);
            }
        };
        self.conn.run(command, &mut each).await?;
        found.or(twin).ok_or_else(|| {
            let text = "its STATUS answer has no number of messages or no UIDVALIDITY".to_owned();
            self.conn.error("STATUS", ImapErrorKind::Protocol(text))
        })
    }
}

/// What a LIST command brought.
#[derive(Default)]
struct Gathered {
    folders: Vec<Listed>,
    statuses: Vec<StatusLine>,
    odd: Option<(&'static str, String)>,
    seen: BTreeSet<Vec<u8>>,
}

impl Gathered {
    fn take(&mut self, response: Response) {
        match response {
            // Servers with several name spaces list INBOX more than once.
            Response::List(line) if line.name.is_empty() || !self.seen.insert(key(&line.name)) => {}
            Response::List(line) => self.folders.push(listed(line)),
            Response::StatusOf(line) => self.statuses.push(line),
            Response::Malformed { name: name @ ("LIST" | "LSUB"), words } => self.odd = Some((name, words)),
            _ => {}
        }
    }
}

fn key(name: &[u8]) -> Vec<u8> {
    if name.eq_ignore_ascii_case(b"INBOX") { b"INBOX".to_vec() } else { name.to_vec() }
}

fn listed(line: ListLine) -> Listed {
    let has = |name: &str| line.attributes.iter().any(|a| a.eq_ignore_ascii_case(name));
    let non_existent = has("\\NonExistent");
    let special_use = line.attributes.iter().find_map(|a| match a.to_ascii_lowercase().as_str() {
        "\\all" | "\\allmail" => Some(SpecialUse::All),
        "\\archive" => Some(SpecialUse::Archive),
        "\\drafts" => Some(SpecialUse::Drafts),
        // Also a view by a mark on messages: those that the server holds to be important (RFC 8457).
        "\\flagged" | "\\starred" | "\\important" => Some(SpecialUse::Flagged),
        "\\junk" | "\\spam" => Some(SpecialUse::Junk),
        "\\sent" => Some(SpecialUse::Sent),
        "\\trash" => Some(SpecialUse::Trash),
        _ => None,
    });
    let selectable = !non_existent && !has("\\Noselect");
    let (no_inferiors, subscribed) = (has("\\NoInferiors"), has("\\Subscribed"));
    let name = WireName::from_wire(line.name);
    Listed {
        wire_name: name.decoded(),
        path: name.path(line.delimiter),
        name,
        delimiter: line.delimiter,
        selectable,
        non_existent,
        no_inferiors,
        special_use,
        subscribed,
        status: None,
    }
}

fn status(line: &StatusLine) -> Option<FolderStatus> {
    Some(FolderStatus {
        uid_validity: line.uid_validity?,
        uid_next: line.uid_next.unwrap_or_default(),
        messages: line.messages?,
        highest_modseq: line.highest_modseq,
        octets: line.size,
    })
}
