//! Moves doubles to where they are out of the way, and back. Every move is put down before it is made, and what became
//! of it is found out by looking, never guessed.

use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::{
    DedupError, FolderDoubles, Survey,
    survey::{Tree, obstacle, place_of},
};
use crate::{
    copy::pairing::Pool,
    diag::plural,
    imap::{Connector, Fetched, ImapError, Moved, UidRange, WireName, Writer},
    journal::ledger::{Double, DoubleId, DoubleState, Ledger, LedgerError},
    model::{Address, Digest},
};

/// Messages that are put down, and then moved, together.
const BATCH: usize = 200;

/// Whose doubles are moved.
pub struct DedupRequest<'a> {
    /// The address of the spec: with the mailbox, the identity of what is moved in the ledger.
    pub account: &'a Address,
    /// The way into the mailbox.
    pub connector: &'a Connector,
    /// What is known of every move. Whoever calls holds the workspace's lease.
    pub ledger: &'a Ledger,
    /// How long a move may be under way after its connection was lost.
    pub settle: Duration,
    /// Cancelled when nothing new should be begun.
    pub cancel: CancellationToken,
}

/// What was moved.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct Transferred {
    /// Messages that were moved.
    pub moved: u64,
    /// Messages that are in neither folder any more: somebody else took them away.
    pub gone: u64,
    /// What was not moved, and why, for people.
    pub remarks: Vec<String>,
}

/// Sets aside what a survey found and somebody agreed to, folder by folder. Of each group one message stays; it is looked
/// for again right before the others are moved.
///
/// What an earlier run left open is settled first. It can be repeated at any time, also after a crash.
///
/// # Errors
/// [`DedupError`]. What was moved until then is known.
pub async fn set_aside(request: &DedupRequest<'_>, found: &Survey) -> Result<Transferred, DedupError> {
    let mut mover = Mover::connect(request).await?;
    let tree = Tree::read(&mut mover.writer).await.map_err(|e| mover.failed("listing its folders", e))?;
    let mut begun = mover.begin(found, &tree).await?;
    for folder in &found.folders {
        mover.folder(folder, begun.remove(&folder.name).unwrap_or_default()).await?;
    }
    Ok(mover.end().await)
}

/// Brings back what was set aside and is still there. Each message keeps its flags and date, and has a new UID.
///
/// # Errors
/// [`DedupError`]. What was moved until then is known.
pub async fn bring_back(request: &DedupRequest<'_>) -> Result<Transferred, DedupError> {
    let mut mover = Mover::connect(request).await?;
    let mut folders: BTreeMap<(String, String, u32), Vec<Row>> = BTreeMap::new();
    for (id, double) in mover.rows()?.into_iter().filter(|(_, d)| d.state == DoubleState::Aside) {
        let key = (double.folder.clone(), double.aside.clone(), double.aside_validity);
        folders.entry(key).or_default().push((id, double));
    }
    let tree = Tree::read(&mut mover.writer).await.map_err(|e| mover.failed("listing its folders", e))?;
    for ((folder, aside, validity), rows) in folders {
        mover.go_on()?;
        mover.back((&folder, &aside, validity), rows, &tree).await?;
    }
    Ok(mover.end().await)
}

fn ledger_failed(request: &DedupRequest<'_>, source: LedgerError) -> DedupError {
    DedupError::Ledger { account: request.account.clone(), source: Box::new(source) }
}

/// A double and the number of its row.
type Row = (DoubleId, Double);

fn in_state(state: DoubleState, rows: Vec<Row>) -> Vec<Row> {
    rows.into_iter().map(|(id, d)| (id, Double { state, ..d })).collect()
}

/// The doubles of a folder as they are put down before they are moved.
fn planned(found: &FolderDoubles, (aside_validity, floor): (u32, u32)) -> impl Iterator<Item = Double> {
    found.groups.iter().flat_map(move |group| {
        group.extra.iter().map(move |one| Double {
            folder: found.name.clone(),
            validity: found.uid_validity,
            uid: one.uid,
            kept: group.kept.uid,
            digest: group.digest,
            octets: group.octets,
            aside: found.aside.clone(),
            aside_validity,
            aside_uid: None,
            floor,
            back: None,
            state: DoubleState::Moving,
        })
    })
}

/// Where a move begins and ends.
struct Leg {
    from: String,
    from_validity: u32,
    to: String,
    to_validity: u32,
    /// The move brings something back.
    returns: bool,
}

impl Leg {
    /// The leg that a row is on.
    fn of(d: &Double) -> Self {
        let returns = d.state == DoubleState::Returning;
        let (folder, aside) = ((d.folder.clone(), d.validity), (d.aside.clone(), d.aside_validity));
        let (from, to) = match returns {
            true => (aside, (folder.0, d.back.map_or(d.validity, |b| b.0))),
            false => (folder, aside),
        };
        Self { from: from.0, from_validity: from.1, to: to.0, to_validity: to.1, returns }
    }

    /// The UID at its beginning.
    fn uid(&self, d: &Double) -> u32 {
        if self.returns { d.aside_uid.unwrap_or(0) } else { d.uid }
    }

    /// The UID at its end, once it is known.
    fn landed(&self, d: &Double) -> Option<u32> {
        if self.returns { d.back.map(|b| b.1).filter(|uid| *uid > 0) } else { d.aside_uid }
    }

    fn stayed(&self, d: Double) -> Double {
        match self.returns {
            true => Double { state: DoubleState::Aside, back: None, ..d },
            false => Double { state: DoubleState::Stayed, ..d },
        }
    }

    fn arrived(&self, d: Double, uid: u32) -> Double {
        match self.returns {
            true => Double { state: DoubleState::Back, back: Some((self.to_validity, uid)), ..d },
            false => Double { state: DoubleState::Aside, aside_uid: Some(uid), ..d },
        }
    }
}

struct Mover<'a> {
    request: &'a DedupRequest<'a>,
    place: String,
    writer: Writer,
    out: Transferred,
}

impl<'a> Mover<'a> {
    /// Connects, and finds out what became of moves that nobody saw the end of.
    async fn connect(request: &'a DedupRequest<'a>) -> Result<Self, DedupError> {
        // A copy would look for what it has in doubt, and take one of these for it or miss one.
        let in_doubt = request.ledger.windows_in_doubt(request.account);
        if in_doubt.map_err(|e| ledger_failed(request, e))? > 0 {
            return Err(DedupError::CopyOpen { account: request.account.clone() });
        }
        let place = place_of(request.connector);
        let writer = request.connector.connect_writer().await.map_err(|source| DedupError::Imap {
            place: place.clone(),
            doing: "logging in".to_owned(),
            source: Box::new(source),
        })?;
        if let Some(why) = obstacle(&writer) {
            return Err(DedupError::CannotMove { place, why });
        }
        let mut mover = Self { request, place, writer, out: Transferred::default() };
        mover.settle_open().await?;
        Ok(mover)
    }

    async fn end(self) -> Transferred {
        self.writer.logout().await;
        self.out
    }

    fn failed(&self, doing: &str, source: ImapError) -> DedupError {
        DedupError::Imap { place: self.place.clone(), doing: doing.to_owned(), source: Box::new(source) }
    }

    fn go_on(&self) -> Result<(), DedupError> {
        if self.request.cancel.is_cancelled() {
            return Err(DedupError::Interrupted { place: self.place.clone() });
        }
        Ok(())
    }

    fn rows(&self) -> Result<Vec<Row>, DedupError> {
        let rows = self.request.ledger.doubles(self.request.account, Some(&self.place));
        rows.map_err(|e| ledger_failed(self.request, e))
    }

    /// Opens a folder for changes, when it is still the one that is meant.
    async fn open(&mut self, name: &str, validity: u32) -> Result<Result<(), String>, DedupError> {
        match self.writer.select(&WireName::encode(name)).await {
            Ok(opened) if opened.uid_validity != validity => Ok(Err(format!("`{name}` was made anew meanwhile"))),
            Ok(opened) if opened.read_only => Ok(Err(format!("`{name}` cannot be changed"))),
            Ok(_) => Ok(Ok(())),
            Err(e) if e.is_refusal() => Ok(Err(format!("`{name}` cannot be opened: {}", e.kind))),
            Err(e) => Err(self.failed(&format!("opening {name}"), e)),
        }
    }

    /// Which of these the open folder still has.
    async fn present(&mut self, uids: &[u32]) -> Result<BTreeSet<u32>, DedupError> {
        let looked = async {
            self.writer.noop().await?;
            self.writer.fetch_some(uids).await
        };
        let metas = looked.await.map_err(|e| self.failed("looking for doubles", e))?;
        Ok(metas.into_iter().map(|m| m.uid).collect())
    }

    /// UIDVALIDITY and UIDNEXT.
    async fn end_of(&mut self, name: &str) -> Result<(u32, u32), DedupError> {
        let status = self.writer.status(&WireName::encode(name)).await;
        let status = status.map_err(|e| self.failed(&format!("asking for the status of {name}"), e))?;
        Ok((status.uid_validity, status.uid_next))
    }

    /// Makes the folders that doubles go to, and puts down everything that is about to be set aside, as one write: an
    /// acknowledgement then counts for the rest of a plan that was cut off.
    async fn begin(&mut self, found: &Survey, tree: &Tree) -> Result<BTreeMap<String, Vec<Row>>, DedupError> {
        let mut doubles = Vec::new();
        for folder in &found.folders {
            if !tree.folders.iter().any(|f| f.wire_name == folder.aside) {
                let made = self.writer.create(&WireName::encode(&folder.aside)).await;
                made.map_err(|e| self.failed(&format!("making the folder {}", folder.aside), e))?;
            }
            let end = self.end_of(&folder.aside).await?;
            doubles.extend(planned(folder, end));
        }
        let request = self.request;
        let ids = request.ledger.begin_aside(request.account, (&self.place, &found.plan()), &doubles);
        let ids = ids.map_err(|e| ledger_failed(request, e))?;
        let mut out: BTreeMap<String, Vec<Row>> = BTreeMap::new();
        for (id, d) in ids.into_iter().zip(doubles) {
            out.entry(d.folder.clone()).or_default().push((id, d));
        }
        Ok(out)
    }

    /// Sets the doubles of one folder aside.
    async fn folder(&mut self, found: &FolderDoubles, rows: Vec<Row>) -> Result<(), DedupError> {
        if let Err(why) = self.open(&found.name, found.uid_validity).await? {
            self.out.remarks.push(format!("{}: {why}", found.folder));
            return self.put_down(false, in_state(DoubleState::Stayed, rows));
        }
        for part in rows.chunks(BATCH) {
            self.go_on()?;
            let uids: Vec<u32> = part.iter().flat_map(|(_, d)| [d.uid, d.kept]).collect();
            let present = self.present(&uids).await?;
            let (there, gone): (Vec<Row>, Vec<Row>) = part.iter().cloned().partition(|(_, d)| present.contains(&d.uid));
            let (there, only): (Vec<Row>, Vec<Row>) = there.into_iter().partition(|(_, d)| present.contains(&d.kept));
            for kept in only.iter().map(|(_, d)| d.kept).collect::<BTreeSet<u32>>() {
                self.out.remarks.push(format!("{}: UID {kept} is gone, so its doubles stay", found.folder));
            }
            self.put_down(false, in_state(DoubleState::Gone, gone))?;
            self.put_down(false, in_state(DoubleState::Stayed, only))?;
            self.carry(there).await?;
        }
        Ok(())
    }

    /// Brings the doubles of one folder back.
    async fn back(
        &mut self,
        (folder, aside, aside_validity): (&str, &str, u32),
        rows: Vec<Row>,
        tree: &Tree,
    ) -> Result<(), DedupError> {
        let n = plural(rows.len(), "message");
        if !tree.folders.iter().any(|f| f.wire_name == folder && f.selectable) {
            self.out.remarks.push(format!("`{folder}` is not there any more: {n} stay in `{aside}`"));
            return Ok(());
        }
        if let Err(why) = self.open(aside, aside_validity).await? {
            self.out.remarks.push(format!("{n} cannot be brought back to `{folder}`: {why}"));
            return Ok(());
        }
        let uids: Vec<u32> = rows.iter().filter_map(|(_, d)| d.aside_uid).collect();
        let present = self.present(&uids).await?;
        let (there, gone): (Vec<_>, Vec<_>) =
            rows.into_iter().partition(|(_, d)| d.aside_uid.is_some_and(|uid| present.contains(&uid)));
        self.put_down(true, in_state(DoubleState::Gone, gone))?;
        for part in there.chunks(BATCH) {
            self.go_on()?;
            let (validity, floor) = self.end_of(folder).await?;
            let ids: Vec<DoubleId> = part.iter().map(|(id, _)| *id).collect();
            let begun = self.request.ledger.begin_return(&ids, validity, floor);
            begun.map_err(|e| ledger_failed(self.request, e))?;
            let under_way = |(id, d): &Row| {
                let back = Some((validity, 0));
                (*id, Double { state: DoubleState::Returning, back, floor, ..d.clone() })
            };
            self.carry(part.iter().map(under_way).collect()).await?;
        }
        Ok(())
    }

    /// Moves what was put down. The folder that it is in is open.
    async fn carry(&mut self, rows: Vec<Row>) -> Result<(), DedupError> {
        let Some(leg) = rows.first().map(|(_, d)| Leg::of(d)) else { return Ok(()) };
        let uids: Vec<u32> = rows.iter().map(|(_, d)| leg.uid(d)).collect();
        let (told, refusal) = match self.writer.move_messages(&uids, &WireName::encode(&leg.to)).await {
            Ok(told) => (told, None),
            Err(e) if e.is_refusal() => (Moved::default(), Some(e)),
            Err(e) => return Err(self.failed(&format!("moving messages of {} to {}", leg.from, leg.to), e)),
        };
        let still = self.present(&uids).await?;
        let outcomes = self.outcomes(&leg, rows, &still, &told).await?;
        self.put_down(leg.returns, outcomes)?;
        // A refused move may have moved a part, and the folder may have been left for the search.
        match refusal {
            Some(e) => Err(self.failed(&format!("moving messages of {} to {}", leg.from, leg.to), e)),
            None => self.open(&leg.from, leg.from_validity).await.map(drop),
        }
    }

    fn put_down(&mut self, returns: bool, outcomes: Vec<Row>) -> Result<(), DedupError> {
        if outcomes.is_empty() {
            return Ok(());
        }
        let put = self.request.ledger.settle_doubles(self.request.account, &outcomes);
        put.map_err(|e| ledger_failed(self.request, e))?;
        self.out.gone += outcomes.iter().filter(|(_, d)| d.state == DoubleState::Gone).count() as u64;
        let end = if returns { DoubleState::Back } else { DoubleState::Aside };
        self.out.moved += outcomes.iter().filter(|(_, d)| d.state == end).count() as u64;
        Ok(())
    }

    /// What became of moves: by what is still there, by what the server told, and else by looking where they lead.
    async fn outcomes(
        &mut self,
        leg: &Leg,
        rows: Vec<Row>,
        still: &BTreeSet<u32>,
        told: &Moved,
    ) -> Result<Vec<Row>, DedupError> {
        let mut out = Vec::with_capacity(rows.len());
        let mut unknown = Vec::new();
        for (id, d) in rows {
            let uid = leg.uid(&d);
            let place = told.0.get(&uid).filter(|(validity, _)| *validity == leg.to_validity);
            match place {
                _ if still.contains(&uid) => out.push((id, leg.stayed(d))),
                Some((_, uid)) => out.push((id, leg.arrived(d, *uid))),
                None => unknown.push((id, d)),
            }
        }
        if unknown.is_empty() {
            return Ok(out);
        }
        let mut pool = self.landed(leg, &unknown, &out).await?;
        for (id, d) in unknown {
            out.push(match pool.take(d.digest) {
                Some(uid) => (id, leg.arrived(d, uid)),
                None => (id, Double { state: DoubleState::Gone, ..d }),
            });
        }
        Ok(out)
    }

    /// What is at the end of a leg and belongs to no other row.
    async fn landed(&mut self, leg: &Leg, unknown: &[Row], known: &[Row]) -> Result<Pool, DedupError> {
        if self.open(&leg.to, leg.to_validity).await?.is_err() {
            return Ok(Pool::default());
        }
        let floor = unknown.iter().map(|(_, d)| d.floor).min().unwrap_or(1);
        let ends_here = |d: &Double| match leg.returns {
            true => d.folder == leg.to && d.back.is_some_and(|b| b.0 == leg.to_validity),
            false => d.aside == leg.to && d.aside_validity == leg.to_validity,
        };
        let mut taken: BTreeSet<u32> = known.iter().filter_map(|(_, d)| leg.landed(d)).collect();
        taken.extend(self.rows()?.iter().filter(|(_, d)| ends_here(d)).filter_map(|(_, d)| leg.landed(d)));
        let doing = format!("looking for messages in {}", leg.to);
        let metas = self.writer.fetch_meta(UidRange::from(floor)).await.map_err(|e| self.failed(&doing, e))?;
        let uids: Vec<u32> = metas.iter().map(|m| m.uid).filter(|uid| *uid >= floor && !taken.contains(uid)).collect();
        let mut contents = Vec::new();
        for part in uids.chunks(BATCH) {
            let read = async {
                let mut bodies = self.writer.fetch_bodies(part)?;
                let mut out = Vec::new();
                while let Some(fetched) = bodies.next().await? {
                    if let Fetched::Message(m) = fetched {
                        out.push((m.uid, Digest(*m.body.digest())));
                    }
                }
                Ok(out)
            };
            contents.extend(read.await.map_err(|e: ImapError| self.failed(&doing, e))?);
        }
        Ok(Pool::new(contents))
    }

    /// Finds out what became of moves that an earlier run began. A move that was received may be made after we look, so
    /// what is still there is looked at once more.
    async fn settle_open(&mut self) -> Result<(), DedupError> {
        let mut open: BTreeMap<(String, u32, String, u32, bool), Vec<Row>> = BTreeMap::new();
        let under_way = |d: &Double| matches!(d.state, DoubleState::Moving | DoubleState::Returning);
        for (id, d) in self.rows()?.into_iter().filter(|(_, d)| under_way(d)) {
            let leg = Leg::of(&d);
            let key = (leg.from, leg.from_validity, leg.to, leg.to_validity, leg.returns);
            open.entry(key).or_default().push((id, d));
        }
        let mut waited = false;
        for rows in open.into_values() {
            let Some(leg) = rows.first().map(|(_, d)| Leg::of(d)) else { continue };
            let uids: Vec<u32> = rows.iter().map(|(_, d)| leg.uid(d)).collect();
            let mut still = self.still(&leg, &uids).await?;
            if !still.is_empty() && !waited {
                tokio::time::sleep(self.request.settle).await;
                waited = true;
                still = self.still(&leg, &uids).await?;
            }
            let outcomes = self.outcomes(&leg, rows, &still, &Moved::default()).await?;
            self.put_down(leg.returns, outcomes)?;
        }
        Ok(())
    }

    async fn still(&mut self, leg: &Leg, uids: &[u32]) -> Result<BTreeSet<u32>, DedupError> {
        match self.open(&leg.from, leg.from_validity).await? {
            Ok(()) => self.present(uids).await,
            Err(_) => Ok(BTreeSet::new()),
        }
    }
}
