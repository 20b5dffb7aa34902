//! The proof that a mailbox arrived, by a client that shares no code with the one that copied it.

mod canonical;
mod client;
mod compare;

use std::collections::{BTreeMap, BTreeSet};

use tokio_util::sync::CancellationToken;

use self::{
    canonical::Canonical,
    client::{ClientError, Independent, Seen, SeenFolder},
    compare::{Missing, Sides, compare},
};
use super::{
    CopyError, CopyErrorClass, Side,
    filter::left_out,
    imap_store::ImapStore,
    mapping::{Learned, included, map_folders},
    store::{Fetched, Listed, Listing, Look, Store, StoreError},
    views,
};
use crate::{
    diag::{Finding, Severity, count},
    imap::{Connector, WireName},
    journal::ledger::{DoubleState, FolderRow, Ledger, MessageRow},
    model::{Address, Digest, Event, EventSink, FolderPath, FolderStatus, MailFilter, PlatformId},
};

/// What is to be compared.
#[derive(Clone)]
pub struct VerifyRequest<'a> {
    /// The address of the spec.
    pub account: &'a Address,
    /// The way to the source.
    pub source: Connector,
    /// The way to the target. It is only read.
    pub target: Connector,
    /// The platform of the source, and the source's address at this time.
    pub source_id: (PlatformId, Address),
    /// What was left out.
    pub filter: &'a MailFilter,
    /// What is known of every message; it tells new mail from doubled mail, and explains what is missing.
    pub ledger: &'a Ledger,
    /// Who is told.
    pub events: &'a dyn EventSink,
    /// Cancelled when the comparison should stop.
    pub cancel: CancellationToken,
    /// What makes another pass, for the advice of findings.
    pub again: &'a str,
}

/// What a comparison found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailVerification {
    /// What is different. Codes: `message-missing`, `message-set-aside` (a double that was moved by request),
    /// `message-removed` (delivered, and taken away at the target since; an
    /// error where the folder was made anew), `mailbox-emptied` (nothing that was delivered is left), `message-moved`, `message-failed` (recorded by the copy), `message-changed`, `message-extra`, `flags-differ`,
    /// `date-differs`, `folder-missing`, `folder-unread`, `not-subscribed`, `own-reader`.
    pub findings: Vec<Finding>,
    /// Messages of the source that were compared.
    pub messages: u64,
    /// The source's folders when the comparison began.
    pub seen: BTreeMap<FolderPath, FolderStatus>,
    /// Nothing is wrong: no finding is an error or could not be found out.
    pub ok: bool,
}

/// Reads every message of both sides and compares octets, dates, flags, folders and subscriptions.
///
/// # Errors
/// When a mailbox cannot be listed or logged into. A folder that cannot be read is a finding.
pub async fn verify_mailbox(request: VerifyRequest<'_>) -> Result<MailVerification, CopyError> {
    let listing = list(&request, Side::Source).await?;
    let whole = listing.clone();
    let (listing, views) = views::set_aside(listing, request.filter);
    let there = list(&request, Side::Target).await?;
    let account = request.account;
    let rows = request.ledger.known_folders(account, &request.source_id.0);
    let rows = rows.map_err(|source| CopyError::Ledger { account: account.clone(), source: Box::new(source) })?;
    let known = rows.iter().filter_map(|r| Some((r.path.clone(), r.target.clone()?))).collect();
    let pairs = map_folders(
        &super::folders::tree(&listing),
        &super::folders::tree(&there),
        &Learned {
            known,
            renamed: request.filter.renames(listing.folders.iter().map(|f| &f.path)),
            ..Learned::default()
        },
    );
    let mut work = Verification {
        source: Client::new(&request, Side::Source),
        target: Client::new(&request, Side::Target),
        findings: Vec::new(),
        messages: 0,
        done: 0,
        total: listing.folders.iter().filter_map(|f| f.status).map(|s| u64::from(s.messages)).sum(),
        missing: Vec::new(),
        delivered: 0,
        extra: BTreeMap::new(),
        aside: set_aside(&request)?,
        request: &request,
    };
    let names = work.target.list().await?;
    let targets: BTreeMap<&FolderPath, &str> = pairs.iter().map(|p| (&p.source, p.target.as_str())).collect();
    work.unlisted(&whole).await?;
    let mut seen: BTreeMap<FolderPath, FolderStatus> =
        views.into_iter().filter_map(|f| f.status.map(|s| (f.path, s))).collect();
    let once = once(&request, &listing, &rows).await?;
    for folder in listing.folders.iter().filter(|f| f.selectable && included(request.filter, &f.path)) {
        if request.cancel.is_cancelled() {
            return Err(CopyError::Interrupted { account: account.clone() });
        }
        seen.extend(folder.status.map(|s| (folder.path.clone(), s)));
        let target = targets.get(&folder.path).copied().unwrap_or(folder.name.as_str());
        let row = rows.iter().find(|r| r.path == folder.path);
        let elsewhere = match (&once, views::by_labels(&listing, request.filter, folder)) {
            (Some(once), _) => once.get(&folder.path).cloned().unwrap_or_default(),
            (None, true) => views::elsewhere(&listing, request.filter, &labels(&request, &folder.name).await?),
            (None, false) => BTreeSet::new(),
        };
        work.folder(folder, target, row, &names, &elsewhere).await?;
    }
    let removed = work.place_missing();
    work.emptied(removed);
    let bad = |f: &Finding| matches!(f.severity, Severity::Error | Severity::Unknown);
    Ok(MailVerification { ok: !work.findings.iter().any(bad), findings: work.findings, messages: work.messages, seen })
}

/// The doubles that were set aside at the target, or are on their way there or back.
fn set_aside(request: &VerifyRequest<'_>) -> Result<BTreeMap<(String, Digest), u64>, CopyError> {
    let account = request.account;
    let rows = request.ledger.doubles(account, None);
    let rows = rows.map_err(|source| CopyError::Ledger { account: account.clone(), source: Box::new(source) })?;
    let mut out = BTreeMap::new();
    for (_, d) in rows.into_iter().filter(|(_, d)| !matches!(d.state, DoubleState::Back | DoubleState::Stayed)) {
        *out.entry((d.folder, d.digest)).or_default() += 1;
    }
    Ok(out)
}

fn failed(request: &VerifyRequest<'_>, side: Side, doing: &str, error: StoreError) -> CopyError {
    use super::store::StoreErrorKind;
    let class = match error.kind {
        StoreErrorKind::Lost => CopyErrorClass::Unreachable,
        StoreErrorKind::Denied => CopyErrorClass::Denied,
        StoreErrorKind::Later => CopyErrorClass::Later,
        _ => CopyErrorClass::Failed,
    };
    CopyError::Store { side, account: request.account.clone(), doing: doing.to_owned(), class, source: error.source }
}

fn connector<'a>(request: &'a VerifyRequest<'_>, side: Side) -> &'a Connector {
    match side {
        Side::Source => &request.source,
        Side::Target => &request.target,
    }
}

async fn list(request: &VerifyRequest<'_>, side: Side) -> Result<Listing, CopyError> {
    let store = ImapStore::new(connector(request, side).clone());
    let out = async { store.look().await?.list().await }.await;
    out.map_err(|e| failed(request, side, "listing its folders", e))
}

/// Where each message with labels is copied once: the messages of each folder that are copied from another one.
async fn once(
    request: &VerifyRequest<'_>,
    listing: &Listing,
    rows: &[FolderRow],
) -> Result<Option<BTreeMap<FolderPath, BTreeSet<u32>>>, CopyError> {
    let folders = views::preferred(listing, request.filter);
    if folders.is_empty() {
        return Ok(None);
    }
    let fail = |e| failed(request, Side::Source, "reading the numbers of messages", e);
    let mut look = ImapStore::new(request.source.clone()).look().await.map_err(fail)?;
    look.list().await.map_err(fail)?; // learns how the server writes names
    let mut all = Vec::new();
    for folder in folders {
        let opened = look.open(&folder.name).await.map_err(fail)?;
        let ids = if opened.messages == 0 { BTreeMap::new() } else { look.gmail_ids().await.map_err(fail)? };
        let known = rows.iter().find(|r| r.path == folder.path);
        let rows = known.map(|row| request.ledger.messages(row.id, opened.uid_validity)).transpose();
        let rows =
            rows.map_err(|source| CopyError::Ledger { account: request.account.clone(), source: Box::new(source) })?;
        let delivered = rows.into_iter().flat_map(BTreeMap::into_values).filter(is_delivered).map(|r| r.uid).collect();
        all.push(views::Shown { path: folder.path.clone(), ids, delivered });
    }
    Ok(Some(views::once(&all)))
}

/// The labels of messages in a folder of the source.
async fn labels(request: &VerifyRequest<'_>, folder: &str) -> Result<BTreeMap<u32, BTreeSet<String>>, CopyError> {
    let store = ImapStore::new(request.source.clone());
    let out = async {
        let mut look = store.look().await?;
        look.list().await?; // learns how the server writes the name
        let opened = look.open(folder).await?;
        if opened.messages == 0 { Ok(BTreeMap::new()) } else { look.labels().await }
    };
    out.await.map_err(|e| failed(request, Side::Source, "reading labels", e))
}

/// The names of folders and of subscriptions at a side, as its server writes them.
type Names = (BTreeSet<String>, BTreeSet<String>);

/// The independent reader of one side, connected when needed.
struct Client<'a> {
    request: &'a VerifyRequest<'a>,
    side: Side,
    session: Option<Independent>,
}

impl<'a> Client<'a> {
    fn new(request: &'a VerifyRequest<'a>, side: Side) -> Self {
        Self { request, side, session: None }
    }

    fn fail(&self, doing: &str, error: ClientError) -> CopyError {
        let class = match &error {
            ClientError::Denied(_) => CopyErrorClass::Denied,
            ClientError::Connect(_) | ClientError::Lost(_) => CopyErrorClass::Unreachable,
            _ => CopyErrorClass::Failed,
        };
        CopyError::Store {
            side: self.side,
            account: self.request.account.clone(),
            doing: doing.to_owned(),
            class,
            source: Box::new(error),
        }
    }

    async fn session(&mut self) -> Result<&mut Independent, ClientError> {
        if self.session.is_none() {
            self.session = Some(Independent::connect(connector(self.request, self.side)).await?);
        }
        self.session.as_mut().ok_or(ClientError::Lost("the connection"))
    }

    async fn list(&mut self) -> Result<Names, CopyError> {
        let out = async { self.session().await?.list().await }.await;
        out.map_err(|e| {
            self.session = None;
            self.fail("listing its folders once more", e)
        })
    }

    /// Reads a folder. What the independent reader cannot read in two attempts is read by our own client, and the second
    /// result says why.
    async fn folder(&mut self, name: &str, each: impl Fn(u64) + Copy) -> Result<(SeenFolder, Option<String>), String> {
        let raw = WireName::encode(name);
        let wire = std::str::from_utf8(raw.raw()).unwrap_or(name);
        let mut last = String::new();
        for _ in 0..2 {
            let out = async { self.session().await?.folder(wire, each).await }.await;
            match out {
                Ok(folder) => return Ok((folder, None)),
                Err(error) => {
                    self.session = None;
                    last = crate::diag::chain(&error).join(": ");
                }
            }
        }
        let own = own_reader(connector(self.request, self.side), name).await.map_err(|e| format!("{last}; {e}"))?;
        Ok((own, Some(last)))
    }
}

/// Reads a folder through our own client, where the independent one cannot.
async fn own_reader(connector: &Connector, name: &str) -> Result<SeenFolder, StoreError> {
    let store = ImapStore::new(connector.clone());
    let mut look: Box<dyn Look> = store.look().await?;
    look.list().await?; // learns how the server writes the name
    let opened = look.open(name).await?;
    let mut out = SeenFolder { uid_validity: opened.uid_validity, messages: Vec::new() };
    if opened.messages == 0 {
        return Ok(out);
    }
    for metas in look.scan(1, None).await?.chunks(64) {
        let uids: Vec<u32> = metas.iter().map(|m| m.uid).collect();
        let fetch = look.bodies(&uids).await;
        if let Some(error) = fetch.error {
            return Err(error);
        }
        for (uid, got) in fetch.got {
            let (Fetched::Body(body), Some(meta)) = (got, metas.iter().find(|m| m.uid == uid)) else { continue };
            let mut bytes = Vec::new();
            std::io::Read::read_to_end(&mut body.reader(), &mut bytes)
                .map_err(|e| StoreError { kind: super::store::StoreErrorKind::Fatal, source: Box::new(e) })?;
            out.messages.push(Seen {
                uid,
                digest: Digest::of(&bytes),
                octets: bytes.len() as u64,
                canonical: Canonical::of(&bytes),
                date: meta.seconds(),
                flags: meta.flags.clone(),
            });
        }
    }
    Ok(out)
}

struct Verification<'a> {
    request: &'a VerifyRequest<'a>,
    source: Client<'a>,
    target: Client<'a>,
    findings: Vec<Finding>,
    messages: u64,
    done: u64,
    total: u64,
    /// What is missing in its folder, with the folder at the source and at the target.
    missing: Vec<(String, String, Missing)>,
    /// Messages of the source that the ledger says were delivered.
    delivered: u64,
    /// What is at the target and answers to nothing, by content, with the folder.
    extra: BTreeMap<Digest, Vec<String>>,
    /// Doubles that were set aside, by the folder of the target that they were in and by content: how many.
    aside: BTreeMap<(String, Digest), u64>,
}

fn finding(code: &str, severity: Severity, subject: &str, message: String) -> Finding {
    Finding {
        code: code.to_owned(),
        severity,
        subject: subject.to_owned(),
        message,
        expected: None,
        actual: None,
        fix: None,
    }
}

impl Verification<'_> {
    /// Folders of the source that only the independent reader sees: the copy cannot have taken them.
    async fn unlisted(&mut self, listing: &Listing) -> Result<(), CopyError> {
        let ours: BTreeSet<Vec<u8>> =
            listing.folders.iter().map(|f| WireName::encode(&f.name).raw().to_vec()).collect();
        for name in self.source.list().await?.0 {
            let shown = WireName::from_wire(name.as_bytes()).decoded();
            if !ours.contains(name.as_bytes()) && !listing.folders.iter().any(|f| f.name == shown) {
                let message = "the independent reader sees this folder at the source, and the copy did not".to_owned();
                self.findings.push(finding("folder-missing", Severity::Error, &shown, message));
            }
        }
        Ok(())
    }

    async fn folder(
        &mut self,
        folder: &Listed,
        target: &str,
        row: Option<&FolderRow>,
        names: &Names,
        elsewhere: &BTreeSet<u32>,
    ) -> Result<(), CopyError> {
        let (folders, subscriptions) = names;
        let (name, subscribed) = (folder.name.as_str(), folder.subscribed);
        let shown = folder.path.to_string();
        let raw = WireName::encode(target);
        let wire = String::from_utf8_lossy(raw.raw()).into_owned();
        let Some(mut source) = self.read(Side::Source, &shown, name).await else { return Ok(()) };
        source.messages.retain(|m| !elsewhere.contains(&m.uid));
        let rows = match row {
            Some(row) => {
                let (ledger, id) = (self.request.ledger, row.id);
                let account = self.request.account;
                ledger
                    .messages(id, source.uid_validity)
                    .map_err(|e| CopyError::Ledger { account: account.clone(), source: Box::new(e) })?
            }
            None => BTreeMap::new(),
        };
        let filter = self.request.filter;
        source.messages.retain(|m| left_out(filter, rows.get(&m.uid), m.date, m.octets).is_none());
        let is_there = folders.contains(&wire) || folders.contains(target);
        if !is_there {
            let delivered = |m: &Seen| rows.get(&m.uid).is_some_and(is_delivered);
            let taken = row.is_some_and(|r| r.target_validity > 0) && source.messages.iter().all(delivered);
            let severity = if taken { Severity::Warning } else { Severity::Error };
            let mut found = finding("folder-missing", severity, &shown, "it is not at the target".to_owned());
            found.expected = Some(target.to_owned());
            self.findings.push(found);
        } else if subscribed && !subscriptions.contains(&wire) && !subscriptions.contains(target) {
            let message = format!("`{target}` is not subscribed at the target");
            self.findings.push(finding("not-subscribed", Severity::Warning, &shown, message));
        }
        let there = if is_there {
            match self.read(Side::Target, &shown, target).await {
                Some(there) => there,
                None => return Ok(()),
            }
        } else {
            SeenFolder::default()
        };
        self.messages += source.messages.len() as u64;
        self.delivered += source.messages.iter().filter(|m| rows.get(&m.uid).is_some_and(is_delivered)).count() as u64;
        let out = compare(&Sides {
            folder: &shown,
            target,
            target_validity: there.uid_validity,
            copied_validity: row.map_or(0, |r| r.target_validity),
            source: &source.messages,
            there: &there.messages,
            rows: &rows,
            again: self.request.again,
        });
        self.findings.extend(out.findings);
        self.missing.extend(out.missing.into_iter().map(|m| (shown.clone(), target.to_owned(), m)));
        for (_, digest) in out.extra {
            self.extra.entry(digest).or_default().push(target.to_owned());
        }
        Ok(())
    }

    async fn read(&mut self, side: Side, shown: &str, name: &str) -> Option<SeenFolder> {
        let (request, done, total) = (self.request, self.done, self.total);
        let counter = std::sync::atomic::AtomicU64::new(done);
        let each = |n: u64| {
            if side == Side::Source {
                let done = counter.fetch_add(n, std::sync::atomic::Ordering::Relaxed) + n;
                let account = request.account.clone();
                request.events.emit(Event::VerifyProgress { account, done, total: total.max(done) });
            }
        };
        let client = if side == Side::Source { &mut self.source } else { &mut self.target };
        let out = client.folder(name, &each).await;
        self.done = counter.into_inner();
        match out {
            Ok((folder, None)) => Some(folder),
            Ok((folder, Some(why))) => {
                let message =
                    format!("the {side} was read by rehome's own client, because the independent one could not: {why}");
                self.findings.push(finding("own-reader", Severity::Info, shown, message));
                Some(folder)
            }
            Err(why) => {
                let message = format!("the {side} could not be read: {why}");
                self.findings.push(finding("folder-unread", Severity::Unknown, shown, message));
                None
            }
        }
    }

    /// Looks for missing messages in the other folders, where the target's user may have moved them. Returns how many
    /// were delivered and are nowhere.
    fn place_missing(&mut self) -> u64 {
        let mut removed = 0;
        for (folder, target, missing) in std::mem::take(&mut self.missing) {
            let subject = format!("{folder} UID {}", missing.uid);
            let aside = self.aside.get_mut(&(target, missing.digest)).filter(|n| missing.delivered && **n > 0);
            if let Some(n) = aside {
                *n -= 1;
                self.delivered -= 1;
                let message = "it is a double that `rehome dedup` set aside".to_owned();
                self.findings.push(finding("message-set-aside", Severity::Info, &subject, message));
                continue;
            }
            let elsewhere = self.extra.get_mut(&missing.digest).and_then(Vec::pop);
            self.findings.push(match elsewhere {
                Some(place) => {
                    let message = format!("it is in `{place}` at the target");
                    finding("message-moved", Severity::Info, &subject, message)
                }
                None if missing.delivered => {
                    removed += 1;
                    // Users delete messages and folders; nobody but an accident makes a folder of the same name anew.
                    let (severity, message) = if missing.anew {
                        (Severity::Error, "it was delivered, and the folder at the target was made anew since")
                    } else {
                        (Severity::Warning, "it was delivered, and taken away at the target since")
                    };
                    finding("message-removed", severity, &subject, message.to_owned())
                }
                None => {
                    let mut found =
                        finding("message-missing", Severity::Error, &subject, "it is not at the target".to_owned());
                    found.fix = Some(self.request.again.to_owned());
                    found
                }
            });
        }
        removed
    }

    /// Tells that nothing of what was delivered is left. One message or another is a user's business, all of them are
    /// not.
    fn emptied(&mut self, removed: u64) {
        if removed == 0 || removed < self.delivered {
            return;
        }
        let account = self.request.account.to_string();
        let message = format!(
            "{} delivered, and none of them is at the target any more: somebody emptied the mailbox or made it anew",
            match removed {
                1 => "1 message was".to_owned(),
                n => format!("{} messages were", count(n)),
            }
        );
        let mut found = finding("mailbox-emptied", Severity::Error, &account, message);
        found.fix =
            Some("keep the source; find out who did it, or restore the target, before anything else".to_owned());
        self.findings.push(found);
    }
}

fn is_delivered(row: &MessageRow) -> bool {
    row.state.is_delivered()
}
