//! A mail store over IMAP.

use std::{
    collections::{BTreeMap, BTreeSet},
    io,
    sync::{Arc, Mutex, PoisonError},
    time::{Duration, Instant},
};

use async_trait::async_trait;
use jiff::Timestamp;

use super::{
    network::{Network, crowded},
    pace::LOCKOUT,
    slots::{Door, Permit},
    store::{
        Answer, Appended, Change, Fetch, Fetched, FlagGroup, FlagsOf, FolderVerb, Listed, Listing, Look, Meta, Opened,
        Outgoing, Refusal, Store, StoreError, StoreErrorKind, Told, Why,
    },
};
use crate::{
    imap::{
        self, AppendMessage, AppendMode, AppendOutcome, Code, Compression, Connector, FolderCommand, Hint, ImapError,
        ImapErrorKind, InternalDate, Known, Quirk, Reader, RefusalKind, StoreMode, UidRange, WireName, Writer,
    },
    model::FolderStatus,
};

/// Names as the server wrote them, by their text.
type Names = Arc<Mutex<BTreeMap<String, WireName>>>;

/// One mailbox of an IMAP server.
pub(super) struct ImapStore {
    connector: Arc<Connector>,
    door: Door,
    names: Names,
    /// Whether what an earlier look listed will do for the first listing.
    earlier: bool,
}

impl ImapStore {
    /// A mailbox whose connections nobody else counts.
    pub(super) fn new(connector: Connector) -> Self {
        let door = Network::default().door(&connector);
        Self { earlier: false, ..Self::behind(door, connector) }
    }

    /// A mailbox whose connections are counted, and whose first listing may be that of a look that was taken just now.
    pub(super) fn behind(door: Door, connector: Connector) -> Self {
        Self { connector: Arc::new(connector), door, names: Names::default(), earlier: true }
    }

    async fn looking(&self, permit: Permit) -> Result<Box<dyn Look>, StoreError> {
        let mut client = self.connector.connect().await.inspect_err(|e| self.notice(e))?;
        if !self.earlier {
            client.take_earlier();
        }
        Ok(Box::new(self.session(client, permit)))
    }

    async fn changing(&self, permit: Permit) -> Result<Box<dyn Change>, StoreError> {
        let client = self.connector.connect_writer().await.inspect_err(|e| self.notice(e))?;
        Ok(Box::new(self.session(client, permit)))
    }

    fn session<C>(&self, client: C, permit: Permit) -> Session<C> {
        let (home, names) = (Arc::clone(&self.connector), Arc::clone(&self.names));
        Session { client, home, names, link: self.link(), permit }
    }

    /// What is measured of the link; a server on this machine needs no measuring.
    fn link(&self) -> Option<Compression> {
        (!self.connector.is_local()).then(|| self.connector.compression.clone())
    }

    /// Learns from a refused connection how many the server takes. The permit of the refused one is still held.
    fn notice(&self, error: &ImapError) {
        if let Some(scope) = crowded(error) {
            self.door.refused(scope);
        }
    }
}

#[async_trait]
impl Store for ImapStore {
    fn place(&self) -> String {
        self.connector.endpoint.to_string()
    }

    async fn look(&self) -> Result<Box<dyn Look>, StoreError> {
        self.looking(self.door.acquire()).await
    }

    async fn change(&self) -> Result<Box<dyn Change>, StoreError> {
        self.changing(self.door.acquire()).await
    }

    async fn extra_look(&self) -> Result<Option<Box<dyn Look>>, StoreError> {
        let Some(permit) = self.door.try_extra() else { return Ok(None) };
        optional(self.looking(permit).await)
    }

    async fn extra_change(&self) -> Result<Option<Box<dyn Change>>, StoreError> {
        let Some(permit) = self.door.try_extra() else { return Ok(None) };
        optional(self.changing(permit).await)
    }
}

/// A lane that is not needed and that the server does not open now is no failure.
fn optional<T>(made: Result<T, StoreError>) -> Result<Option<T>, StoreError> {
    match made {
        Ok(made) => Ok(Some(made)),
        Err(e) if matches!(e.kind, StoreErrorKind::Refused(Why::Later | Why::Throttled(_)) | StoreErrorKind::Lost) => {
            Ok(None)
        }
        Err(e) => Err(e),
    }
}

/// Compresses a connection when the link is measured to be slow enough for it.
async fn compress(reader: &mut Reader, link: Option<&Compression>) -> Result<(), ImapError> {
    if link.is_some_and(Compression::pays) { reader.compress().await } else { Ok(()) }
}

fn wire(names: &Names, folder: &str) -> WireName {
    let known = names.lock().unwrap_or_else(PoisonError::into_inner).get(folder).cloned();
    known.unwrap_or_else(|| WireName::encode(folder))
}

/// One connection: a [`Reader`], which cannot change anything, or a [`Writer`].
struct Session<C> {
    client: C,
    /// What made it.
    home: Arc<Connector>,
    names: Names,
    link: Option<Compression>,
    /// Counts the connection.
    permit: Permit,
}

/// What both kinds of clients can do.
#[async_trait]
trait Client: Send + Sync {
    /// The half that reads.
    fn reader(&mut self) -> &mut Reader;

    /// The same connection, for looking.
    fn into_reader(self) -> Reader
    where
        Self: Sized;

    /// Opens a folder for what the client is for.
    async fn open(&mut self, name: &WireName) -> Result<imap::Selected, ImapError>;

    /// Opens a folder and lists it, where that goes together.
    async fn survey(&mut self, name: &WireName, known: Known) -> Result<Surveyed, ImapError>;

    /// Opens a folder and asks for flags, where that goes together.
    async fn flags(&mut self, name: &WireName, uids: &[u32]) -> Result<(imap::Selected, Option<FlagsOf>), ImapError>;
}

type Surveyed = (imap::Selected, Option<imap::Survey>);

#[async_trait]
impl Client for Reader {
    fn reader(&mut self) -> &mut Reader {
        self
    }

    fn into_reader(self) -> Reader {
        self
    }

    async fn open(&mut self, name: &WireName) -> Result<imap::Selected, ImapError> {
        self.examine(name).await
    }

    async fn survey(&mut self, name: &WireName, known: Known) -> Result<Surveyed, ImapError> {
        Reader::survey(self, name, known).await
    }

    async fn flags(&mut self, name: &WireName, uids: &[u32]) -> Result<(imap::Selected, Option<FlagsOf>), ImapError> {
        self.examine_flags(name, uids).await
    }
}

#[async_trait]
impl Client for Writer {
    fn reader(&mut self) -> &mut Reader {
        self
    }

    fn into_reader(self) -> Reader {
        Self::into_reader(self)
    }

    async fn open(&mut self, name: &WireName) -> Result<imap::Selected, ImapError> {
        self.select(name).await
    }

    async fn survey(&mut self, name: &WireName, _known: Known) -> Result<Surveyed, ImapError> {
        Ok((self.select(name).await?, None))
    }

    async fn flags(&mut self, name: &WireName, uids: &[u32]) -> Result<(imap::Selected, Option<FlagsOf>), ImapError> {
        self.select_flags(name, uids).await
    }
}

#[async_trait]
impl<C: Client> Look for Session<C> {
    async fn list(&mut self) -> Result<Listing, StoreError> {
        list(self.client.reader(), &self.names).await
    }

    async fn status(&mut self, folder: &str) -> Result<FolderStatus, StoreError> {
        Ok(self.client.reader().status(&wire(&self.names, folder)).await?)
    }

    async fn open(&mut self, folder: &str) -> Result<Opened, StoreError> {
        Ok(opened(self.client.open(&wire(&self.names, folder)).await?))
    }

    async fn survey(&mut self, folder: &str, known: Known) -> Result<(Opened, Option<Told>), StoreError> {
        let (selected, survey) = self.client.survey(&wire(&self.names, folder), known).await?;
        let told = survey.map(|survey| Told { metas: metas(survey.metas), vanished: survey.vanished });
        Ok((opened(selected), told))
    }

    async fn scan(&mut self, first: u32, last: Option<u32>) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.client.reader().fetch_meta(UidRange { first, last }).await?))
    }

    async fn sweep(&mut self, first: u32, last: u32) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.client.reader().fetch_flags_and_dates(UidRange::new(first, last)).await?))
    }

    async fn some(&mut self, uids: &[u32]) -> Result<Vec<Meta>, StoreError> {
        Ok(metas(self.client.reader().fetch_some(uids).await?))
    }

    async fn flags(&mut self, folder: &str, uids: &[u32]) -> Result<(Opened, FlagsOf), StoreError> {
        let (selected, flags) = self.client.flags(&wire(&self.names, folder), uids).await?;
        let flags = match flags {
            Some(flags) => flags,
            None => self.client.reader().fetch_flags(uids).await?,
        };
        Ok((opened(selected), flags))
    }

    async fn changed(&mut self, since: u64) -> Result<Option<Vec<Meta>>, StoreError> {
        let reader = self.client.reader();
        if reader.selected().is_none_or(|s| s.highest_modseq.is_none()) {
            return Ok(None);
        }
        Ok(Some(metas(reader.fetch_changed(UidRange::ALL, since).await?)))
    }

    async fn labels(&mut self) -> Result<BTreeMap<u32, BTreeSet<String>>, StoreError> {
        Ok(self.client.reader().fetch_labels().await?)
    }

    async fn gmail_ids(&mut self) -> Result<BTreeMap<u32, u64>, StoreError> {
        Ok(self.client.reader().fetch_gmail_ids().await?)
    }

    async fn bodies(&mut self, uids: &[u32]) -> Fetch {
        bodies(self.client.reader(), self.link.as_ref(), uids).await
    }

    async fn noop(&mut self) -> Result<(), StoreError> {
        Ok(self.client.reader().noop().await?)
    }

    fn is_surplus(&self) -> bool {
        self.permit.is_surplus()
    }

    fn keep(self: Box<Self>) {
        let Self { client, home, .. } = *self;
        home.keep(client.into_reader());
    }
}

async fn list(reader: &mut Reader, names: &Names) -> Result<Listing, StoreError> {
    let begun = Instant::now();
    let (folders, took, earlier) = match reader.take_earlier() {
        Some(imap::Earlier { folders, took }) => (folders, took, true),
        None => (reader.list().await?, begun.elapsed(), false),
    };
    let space = reader.namespace().await?.into_iter().next();
    let mut names = names.lock().unwrap_or_else(PoisonError::into_inner);
    names.extend(folders.iter().map(|f| (f.wire_name.clone(), f.name.clone())));
    let listed = folders.iter().find_map(|f| f.delimiter);
    Ok(Listing {
        delimiter: space.as_ref().and_then(|s| s.delimiter).or(listed),
        prefix: space.map(|s| s.prefix).unwrap_or_default(),
        labels: reader.capabilities().gmail(),
        folders: folders.into_iter().map(listed_folder).collect(),
        distance: reader.distance().map_or(took, |distance| distance.min(took)),
        earlier,
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

async fn bodies(reader: &mut Reader, link: Option<&Compression>, uids: &[u32]) -> Fetch {
    let mut out = Fetch::default();
    if let Err(error) = compress(reader, link).await {
        return Fetch { error: Some(error.into()), ..out };
    }
    let (began, compressed, mut octets) = (Instant::now(), reader.is_compressed(), 0);
    let mut bodies = match reader.fetch_bodies(uids) {
        Ok(bodies) => bodies,
        Err(error) => return Fetch { error: Some(error.into()), ..out },
    };
    loop {
        match bodies.next().await {
            Ok(None) => {
                if let Some(link) = link {
                    link.note(compressed, octets, began.elapsed());
                }
                return out;
            }
            Ok(Some(imap::Fetched::Message(m))) => {
                octets += m.body.len();
                out.got.push((m.uid, Fetched::Body(m.body)));
            }
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

#[async_trait]
impl Change for Session<Writer> {
    async fn create(&mut self, folder: &str) -> Result<(), StoreError> {
        self.client.create(&wire(&self.names, folder)).await?;
        Ok(())
    }

    async fn folders(&mut self, verb: FolderVerb, folders: &[String]) -> Result<Vec<bool>, StoreError> {
        let names: Vec<WireName> = folders.iter().map(|folder| wire(&self.names, folder)).collect();
        let verb = match verb {
            FolderVerb::Create => FolderCommand::Create,
            FolderVerb::Subscribe => FolderCommand::Subscribe,
        };
        Ok(self.client.folders(verb, &names).await?)
    }

    async fn subscribe(&mut self, folder: &str) -> Result<(), StoreError> {
        Ok(self.client.subscribe(&wire(&self.names, folder)).await?)
    }

    async fn append(&mut self, folder: &str, messages: &[Outgoing], each: bool) -> Answer {
        let name = wire(&self.names, folder);
        let items: Vec<AppendMessage> = messages.iter().map(message).collect();
        if let Err(error) = compress(self.client.reader(), self.link.as_ref()).await {
            return Answer { results: vec![Appended::NotSent; messages.len()], error: Some(error.into()) };
        }
        let began = Instant::now();
        let report = match each {
            false => self.client.append_many(&name, &items).await,
            true => self.client.append_each(&name, &items).await,
        };
        if let (Some(link), None) = (&self.link, &report.error) {
            let octets = items.iter().map(|m| m.body.len()).sum();
            link.note(self.client.is_compressed(), octets, began.elapsed());
        }
        let closed = report.error.as_ref().is_some_and(closed_by_server);
        let whole = report.mode == AppendMode::Multi && messages.len() > 1;
        let left =
            report.outcomes.iter().any(|o| matches!(o, AppendOutcome::Refused(r) if signed_out(r.code.as_ref())));
        let results = report.outcomes.into_iter().map(|outcome| match outcome {
            AppendOutcome::Appended(place) => Appended::Stored(place.uid_validity.zip(place.uid)),
            AppendOutcome::Refused(r) if signed_out(r.code.as_ref()) && !whole => Appended::NotSent,
            AppendOutcome::Refused(r) if whole && r.kind != RefusalKind::Invalid => Appended::BatchRefused(refusal(r)),
            AppendOutcome::Refused(r) => Appended::Refused(refusal(r)),
            AppendOutcome::InDoubt => Appended::Unknown { closed },
            AppendOutcome::NotSent => Appended::NotSent,
        });
        let results = results.collect();
        let error = match report.error {
            Some(error) => {
                // Whatever the server said at its end, what was under way is in doubt, and the connection is gone.
                Some(StoreError { kind: StoreErrorKind::Lost, ..StoreError::from(error) })
            }
            None => left.then(|| StoreError { kind: StoreErrorKind::Lost, source: "the login has expired".into() }),
        };
        Answer { results, error }
    }

    async fn set_flags(&mut self, groups: &[FlagGroup]) -> Result<(), StoreError> {
        let groups = groups.iter().map(|(uids, flags)| (uids.as_slice(), flags.iter().map(String::as_str)));
        Ok(self.client.store_all(StoreMode::Replace, groups).await?)
    }

    fn append_limit(&self) -> Option<u64> {
        self.client.capabilities().append_limit()
    }

    fn takes_nul(&self) -> bool {
        self.client.capabilities().binary()
    }

    fn waits(&self) -> bool {
        self.client.append_mode() == AppendMode::Single
    }

    fn learn(&self, quirk: Quirk) {
        self.client.quirks().learn(quirk);
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
    let hint = Hint::of(refusal.code.as_ref(), &refusal.text).and_then(asks);
    let why = match (refusal.kind, hint) {
        (_, Some(pause)) => Why::Throttled(pause),
        (RefusalKind::Throttled(millis), None) => Why::Throttled(millis.map(Duration::from_millis)),
        (RefusalKind::No | RefusalKind::Bad | RefusalKind::Invalid, None) => why(refusal.code.as_ref(), &refusal.text),
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

/// Whether a server asks to be left alone, and for how long where it tells.
fn patience(error: &ImapError) -> Option<Option<Duration>> {
    asks(Hint::of_error(error)?)
}

fn asks(hint: Hint) -> Option<Option<Duration>> {
    match hint {
        Hint::Pause(told) => Some(told),
        Hint::Lockout => Some(Some(LOCKOUT)),
        Hint::TooManyOfLogin | Hint::TooManyOfHost => Some(None),
        Hint::Busy => None,
    }
}

/// Whether the server took the login back.
fn signed_out(code: Option<&Code>) -> bool {
    matches!(code, Some(Code::AuthenticationFailed | Code::Expired))
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
            // A token that expires in the middle, say: the next connection logs in with a new one.
            _ if signed_out(error.code()) && !matches!(error.kind, ImapErrorKind::Auth { .. }) => StoreErrorKind::Lost,
            ImapErrorKind::Throttled { .. } | ImapErrorKind::Bye { .. } if patience(&error).is_some() => {
                StoreErrorKind::Refused(Why::Throttled(patience(&error).flatten()))
            }
            ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. } if patience(&error).is_some() => {
                StoreErrorKind::Refused(Why::Throttled(patience(&error).flatten()))
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

    fn of(kind: ImapErrorKind) -> StoreErrorKind {
        StoreError::from(ImapError { endpoint: "h:993".to_owned(), command: "FETCH", kind }).kind
    }

    #[test]
    fn a_login_that_expires_in_the_middle_is_a_lost_connection_and_a_refused_one_is_not() {
        let code = || Some(Code::AuthenticationFailed);
        let text = || "token expired".to_owned();
        assert_eq!(of(ImapErrorKind::No { code: code(), text: text() }), StoreErrorKind::Lost);
        assert_eq!(of(ImapErrorKind::Bye { code: Some(Code::Expired), text: text() }), StoreErrorKind::Lost);
        assert_eq!(of(ImapErrorKind::Auth { code: code(), text: text() }), StoreErrorKind::Denied);
    }

    #[test]
    fn what_servers_ask_for_becomes_a_pause() {
        let no = |code, text: &str| of(ImapErrorKind::No { code, text: text.to_owned() });
        let pause = |told| StoreErrorKind::Refused(Why::Throttled(told));
        assert_eq!(no(Some(Code::OverQuota), "Account exceeded command or bandwidth limits."), pause(Some(LOCKOUT)));
        assert_eq!(no(Some(Code::Unavailable), "Server Busy"), pause(None));
        assert_eq!(no(Some(Code::Unavailable), "down"), StoreErrorKind::Refused(Why::Later));
        assert_eq!(no(None, "Too many simultaneous connections."), pause(None));
        assert_eq!(no(Some(Code::OverQuota), "Quota exceeded"), StoreErrorKind::Refused(Why::Full));
        let bye = ImapErrorKind::Bye { code: None, text: "Session over limit, try again in 2 minutes".to_owned() };
        assert_eq!(of(bye), pause(Some(Duration::from_secs(120))));
    }

    #[test]
    fn servers_without_codes_are_understood_by_their_words() {
        assert_eq!(why(None, "Server Unavailable. 15"), Why::Full);
        assert_eq!(why(None, "Message size exceeds fixed limit"), Why::TooLarge);
        assert_eq!(why(Some(&Code::InUse), "x"), Why::Later);
        assert_eq!(why(Some(&Code::TryCreate), "x"), Why::NoFolder);
        assert_eq!(why(None, "Command Argument Error. 11"), Why::Rejected);
    }
}
