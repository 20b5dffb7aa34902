//! A mail store over IMAP.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::store::{
    Answer, Appended, Change, Fetch, Fetched, FolderVerb, Listed, Listing, Look, Meta, Opened, Outgoing, Refusal,
    Store, StoreError, StoreErrorKind, Why,
};
use crate::{
    imap::{
        self, AppendMessage, AppendMode, AppendOutcome, Code, Connector, FolderCommand, ImapError, ImapErrorKind,
        InternalDate, Reader, RefusalKind, StoreMode, UidRange, WireName, Writer,
    },
    model::FolderStatus,
};

/// Names as the server wrote them, by their text.
type Names = Arc<Mutex<BTreeMap<String, WireName>>>;

/// One mailbox of an IMAP server.
pub(super) struct ImapStore {
    connector: Connector,
    names: Names,
}

impl ImapStore {
    pub(super) fn new(connector: Connector) -> Self {
        Self { connector, names: Names::default() }
    }
}

#[async_trait]
impl Store for ImapStore {
    fn place(&self) -> String {
        self.connector.endpoint.to_string()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        let reader = self.connector.connect().await?;
        Ok(Box::new(Looking { reader, names: Arc::clone(&self.names) }))
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        let writer = self.connector.connect_writer().await?;
        Ok(Box::new(Changing { writer, names: Arc::clone(&self.names) }))
    }
}

fn wire(names: &Names, folder: &str) -> WireName {
    let known = names.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
    known.unwrap_or_else(|| WireName::encode(folder))
}

/// Everything that reads. What it opens it examines, unless it is part of a connection for changes.
struct Looking {
    reader: Reader,
    names: Names,
}

#[async_trait]
impl Look for Looking {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        list(&mut self.reader, &self.names).await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        Ok(self.reader.status(&wire(&self.names, folder)).await?)
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        Ok(opened(self.reader.examine(&wire(&self.names, folder)).await?))
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.reader.fetch_meta(UidRange { first, last }).await?))
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.reader.fetch_some(uids).await?))
    }

    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        changed(&mut self.reader, since).await
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        bodies(&mut self.reader, uids).await
    }
}

async fn list(reader: &mut Reader, names: &Names) -> Result<Listing, StoreError> {
    let space = reader.namespace().await?.into_iter().next();
    let folders = reader.list().await?;
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.extend(folders.iter().map(|f| (f.wire_name.clone(), f.name.clone())));
    let listed = folders.iter().find_map(|f| f.delimiter);
    Ok(Listing {
        delimiter: space.as_ref().and_then(|s| s.delimiter).or(listed),
        prefix: space.map(|s| s.prefix).unwrap_or_default(),
        folders: folders.into_iter().map(listed_folder).collect(),
    })
}

fn opened(selected: imap::Selected) -> Opened {
    Opened {
        uid_validity: selected.uid_validity,
        uid_next: selected.uid_next.unwrap_or_default(),
        messages: selected.exists,
        highest_modseq: selected.highest_modseq,
        permanent: selected.permanent_flags.map(|flags| Arc::new(flags.into_iter().collect())),
    }
}

fn metas(metas: Vec<imap::MessageMeta>) -> Vec<Meta> {
    let meta = |m: imap::MessageMeta| Meta {
        uid: m.uid,
        flags: m.flags,
        date: m.internal_date,
        size: m.size.unwrap_or_default(),
    };
    metas.into_iter().map(meta).collect()
}

async fn changed(reader: &mut Reader, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
    if reader.selected().is_none_or(|s| s.highest_modseq.is_none()) {
        return Ok(None);
    }
    Ok(Some(metas(reader.fetch_changed(UidRange::ALL, since).await?)))
}

async fn bodies(reader: &mut Reader, uids: &[u32]) -> Fetch {
    let mut out = Fetch::default();
    let mut bodies = match reader.fetch_bodies(uids) {
        Ok(bodies) => bodies,
        Err(error) => return Fetch { error: Some(error.into()), ..out },
    };
    loop {
        match bodies.next().await {
            Ok(None) => return out,
            Ok(Some(imap::Fetched::Message(m))) => out.got.push((m.uid, Fetched::Body(m.body))),
            Ok(Some(imap::Fetched::Gone(uid))) => out.got.push((uid, Fetched::Gone)),
            Ok(Some(imap::Fetched::Failed { uid, error })) => {
                out.got.push((uid, Fetched::Unreadable(error.kind.to_string())));
            }
            Err(error) => return Fetch { error: Some(error.into()), ..out },
        }
    }
}

fn listed_folder(folder: imap::Listed) -> Listed {
    Listed {
        name: folder.wire_name,
        path: folder.path,
        selectable: folder.selectable,
        subscribed: folder.subscribed,
        special_use: folder.special_use,
        status: folder.status,
    }
}

/// The same and everything that changes.
struct Changing {
    writer: Writer,
    names: Names,
}

#[async_trait]
impl Look for Changing {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        list(&mut self.writer, &self.names).await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        Ok(self.writer.status(&wire(&self.names, folder)).await?)
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        Ok(opened(self.writer.select(&wire(&self.names, folder)).await?))
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.writer.fetch_meta(UidRange { first, last }).await?))
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.writer.fetch_some(uids).await?))
    }

    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        changed(&mut self.writer, since).await
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        bodies(&mut self.writer, uids).await
    }
}

#[async_trait]
impl Change for Changing {
    async fn create(&mut self, folder: &str) -> Result<(), StoreError> {
        self.writer.create(&wire(&self.names, folder)).await?;
        Ok(())
    }

    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError> {
        let names: Vec<WireName> = folders.iter().map(|folder| wire(&self.names, folder)).collect();
        let verb = match verb {
            FolderVerb::Create => FolderCommand::Create,
            FolderVerb::Subscribe => FolderCommand::Subscribe,
        };
        Ok(self.writer.folders(verb, &names).await?)
    }

    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError> {
        Ok(self.writer.subscribe(&wire(&self.names, folder)).await?)
    }

    async fn append(&mut self, folder: &str, messages: &[Outgoing]) -> Answer {
        let name = wire(&self.names, folder);
        let items: Vec<AppendMessage> = messages.iter().map(message).collect();
        let report = self.writer.append_many(&name, &items).await;
        let closed = report.error.as_ref().is_some_and(closed_by_server);
        let whole = report.mode == AppendMode::Multi && messages.len() > 1;
        let results = report.outcomes.into_iter().map(|outcome| match outcome {
            AppendOutcome::Appended(place) => Appended::Stored(place.uid_validity.zip(place.uid)),
            AppendOutcome::Refused(r) if whole && r.kind != RefusalKind::Invalid => Appended::BatchRefused(refusal(r)),
            AppendOutcome::Refused(r) => Appended::Refused(refusal(r)),
            AppendOutcome::InDoubt => Appended::Unknown { closed },
            AppendOutcome::NotSent => Appended::NotSent,
        });
        Answer { results: results.collect(), error: report.error.map(StoreError::from) }
    }

    async fn set_flags(&mut self, uids: &[u32], flags: &BTreeSet<String>) -> Result<(), StoreError> {
        Ok(self.writer.store_flags(uids, StoreMode::Replace, flags.iter().map(String::as_str)).await?)
    }

    fn append_limit(&self) -> Option<u64> {
        self.writer.capabilities().append_limit()
    }
}

/// A message whose date the source does not tell, or tells in no way that can be sent, gets the date of its copy, as
/// APPEND without a date would give it.
fn message(out: &Outgoing) -> AppendMessage {
    let date = out.date.clone().filter(|d| d.wire().is_some());
    AppendMessage {
        flags: out.flags.clone(),
        internal_date: date.unwrap_or_else(|| InternalDate::at(Timestamp::now())),
        body: out.body.clone(),
    }
}

fn refusal(refusal: imap::Refusal) -> Refusal {
    let why = match refusal.kind {
        RefusalKind::Throttled(millis) => Why::Throttled(millis.map(Duration::from_millis)),
        RefusalKind::No | RefusalKind::Bad | RefusalKind::Invalid => why(refusal.code.as_ref(), &refusal.text),
    };
    Refusal { why, text: refusal.to_string() }
}

/// What a refusal means: by its code, and for the servers that send none by the words they are known to use.
fn why(code: Option<&Code>, text: &str) -> Why {
    match code {
        Some(Code::OverQuota) => return Why::Full,
        Some(Code::TooBig) => return Why::TooLarge,
        Some(Code::NonExistent | Code::TryCreate) => return Why::NoFolder,
        Some(Code::AlreadyExists) => return Why::Exists,
        Some(code) if code.is_transient() => return Why::Later,
        _ => {}
    }
    let text = text.to_ascii_lowercase();
    let says = |words: &[&str]| words.iter().any(|w| text.contains(w));
    if says(&["over quota", "quota exceeded", "exceeded quota", "mailbox is full", "mailbox full", "unavailable. 15"]) {
        Why::Full
    } else if says(&["too large", "too big", "exceeds maximum", "exceeds the maximum", "message size exceeds"]) {
        Why::TooLarge
    } else if says(&["already exists"]) {
        Why::Exists
    } else {
        Why::Rejected
    }
}

/// The server ended the connection itself, so that it has dealt with everything it had read.
fn closed_by_server(error: &ImapError) -> bool {
    match &error.kind {
        ImapErrorKind::Bye { .. } => true,
        ImapErrorKind::Lost(e) => e.kind() == io::ErrorKind::UnexpectedEof,
        _ => false,
    }
}

impl From<ImapError> for StoreError {
    fn from(error: ImapError) -> Self {
        let kind = match &error.kind {
            ImapErrorKind::Throttled { millis, .. } => {
                StoreErrorKind::Refused(Why::Throttled(millis.map(Duration::from_millis)))
            }
            ImapErrorKind::No { code, text } | ImapErrorKind::Bad { code, text } => {
                StoreErrorKind::Refused(why(code.as_ref(), text))
            }
            ImapErrorKind::Invalid(_) => StoreErrorKind::Refused(Why::Rejected),
            _ if error.is_transient() => StoreErrorKind::Lost,
            ImapErrorKind::Auth { .. } => StoreErrorKind::Denied,
            // After an answer that cannot be read, a new connection starts from known ground.
            ImapErrorKind::Protocol(_) | ImapErrorKind::TooLong { .. } => StoreErrorKind::Lost,
            _ => StoreErrorKind::Fatal,
        };
        Self { kind, source: Box::new(error) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn servers_without_codes_are_understood_by_their_words() {
        assert_eq!(why(None, "Server Unavailable. 15"), Why::Full);
        assert_eq!(why(None, "Message size exceeds fixed limit"), Why::TooLarge);
        assert_eq!(why(Some(&Code::InUse), "x"), Why::Later);
        assert_eq!(why(Some(&Code::TryCreate), "x"), Why::NoFolder);
        assert_eq!(why(None, "Command Argument Error. 11"), Why::Rejected);
    }
}
