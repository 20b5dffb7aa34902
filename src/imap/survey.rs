//! Opening a folder and asking about its messages in one round trip.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    code::Code,
    conn::{Aside, Command, Step},
    error::{ImapError, ImapErrorKind},
    fetch::{MessageMeta, SET, lasting, merge, meta},
    name::WireName,
    quirks::Quirk,
    reader::{Opening, Reader, Selected},
    response::{FetchLine, Response, Status},
    uid::{UidRange, chunks},
};

/// The flags of messages, by UID.
pub(super) type FlagsOf = BTreeMap<u32, BTreeSet<String>>;

/// What is known of a folder when it is surveyed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Known {
    /// Nothing: everything is asked for.
    #[default]
    Nothing,
    /// What it held at this HIGHESTMODSEQ: what changed since is asked for.
    Modseq(u64),
    /// The messages below this UID: of those flags and dates are asked for, and of the others everything.
    Below(u32),
}

/// What a survey brought.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// The messages that were asked for, by ascending UID.
    pub metas: Vec<MessageMeta>,
    /// UIDs that are no more, where a HIGHESTMODSEQ was given and the server tells. Some may never have been.
    pub vanished: Vec<UidRange>,
}

/// What came behind the opening of a folder.
#[derive(Default)]
struct Brought {
    lines: BTreeMap<u32, FetchLine>,
    vanished: Vec<UidRange>,
    /// A part may be missing.
    odd: bool,
    /// A command was refused.
    refused: bool,
}

impl Brought {
    fn whole(&self) -> bool {
        !self.odd && !self.refused
    }
}

const ALL: &str = "(UID FLAGS INTERNALDATE RFC822.SIZE)";

impl Reader {
    /// Opens a folder for reading and lists what is not known of its messages. The commands that list do not wait for the
    /// answer to the first; servers must carry them out in this order (RFC 9051 5.5).
    ///
    /// There is no list when anything about it is odd, so that nobody takes it for complete: ask again with
    /// [`Reader::fetch_meta`] or [`Reader::fetch_changed`], which know what to do then.
    ///
    /// # Errors
    /// As [`Reader::examine`].
    pub async fn survey(&mut self, name: &WireName, known: Known) -> Result<(Selected, Option<Survey>), ImapError> {
        let resync = matches!(known, Known::Modseq(_)) && self.resyncs()?;
        let fetches = match known {
            // To the last UID there can be: `*` is the last that there is, and what vanished may lie above it.
            Known::Modseq(n) if resync => vec![format!(" 1:{} {ALL} (CHANGEDSINCE {n} VANISHED)", u32::MAX)],
            Known::Modseq(n) => vec![format!(" 1:* {ALL} (CHANGEDSINCE {n})")],
            Known::Below(next) if next > 1 => {
                vec![format!(" 1:{} (UID FLAGS INTERNALDATE)", next - 1), format!(" {next}:* {ALL}")]
            }
            Known::Nothing | Known::Below(_) => vec![format!(" 1:* {ALL}")],
        };
        let brought = self.open_and_fetch("EXAMINE", name, fetches).await;
        let (selected, brought) = brought.inspect_err(|e| self.learn_length(resync, e))?;
        if resync && brought.refused {
            self.quirks.learn(Quirk::ResyncRefused);
        }
        // Changes cannot be told of a folder that keeps no modification sequences.
        let told = !matches!(known, Known::Modseq(_)) || selected.highest_modseq.is_some();
        let whole = told && brought.whole() && brought.lines.values().all(|line| line.flags.is_some());
        let survey = whole.then(|| Survey {
            metas: brought.lines.into_iter().map(|(uid, line)| meta(uid, line)).collect(),
            vanished: brought.vanished,
        });
        Ok((selected, survey))
    }

    /// Whether the server tells what vanished. It is asked to once, before the first folder is opened (RFC 5161 3.1), and
    /// the answer is not waited for.
    fn resyncs(&mut self) -> Result<bool, ImapError> {
        let caps = &self.conn.capabilities;
        if !caps.qresync() || !caps.enable() || self.quirks.knows(Quirk::ResyncRefused) {
            return Ok(false);
        }
        if !self.resync && !self.entered {
            self.conn.check("ENABLE")?;
            let command = Command::new(&self.conn, "ENABLE", " QRESYNC");
            self.conn.queue_aside(command, Aside::Teaches(self.quirks.clone(), Quirk::ResyncRefused));
            self.resync = true;
        }
        Ok(self.resync)
    }

    /// A list of what vanished that is longer than any line is not asked for again.
    fn learn_length(&self, resync: bool, error: &ImapError) {
        if resync && matches!(error.kind, ImapErrorKind::TooLong { .. }) {
            self.quirks.learn(Quirk::ResyncRefused);
        }
    }

    /// Opens a folder for reading and asks for the flags of some of its messages, in one round trip. Messages that are not
    /// there, or whose flags the server leaves out, are left out. `None` when anything about the answer is odd: ask again
    /// with [`Reader::fetch_flags`].
    ///
    /// # Errors
    /// As [`Reader::examine`].
    pub async fn examine_flags(
        &mut self,
        name: &WireName,
        uids: &[u32],
    ) -> Result<(Selected, Option<FlagsOf>), ImapError> {
        self.open_with_flags("EXAMINE", name, uids).await
    }

    pub(super) async fn open_with_flags(
        &mut self,
        verb: &'static str,
        name: &WireName,
        uids: &[u32],
    ) -> Result<(Selected, Option<FlagsOf>), ImapError> {
        let items = chunks(uids, usize::MAX, SET).into_iter().map(|chunk| format!(" {} (UID FLAGS)", chunk.set));
        let (selected, brought) = self.open_and_fetch(verb, name, items.collect()).await?;
        let whole = brought.whole();
        let asked: BTreeSet<u32> = uids.iter().copied().collect();
        let flags = |(uid, line): (u32, FetchLine)| Some((uid, lasting(line.flags?))).filter(|_| asked.contains(&uid));
        Ok((selected, whole.then(|| brought.lines.into_iter().filter_map(flags).collect())))
    }

    /// Opens a folder and sends FETCH commands behind it, all in one round trip.
    async fn open_and_fetch(
        &mut self,
        verb: &'static str,
        name: &WireName,
        fetches: Vec<String>,
    ) -> Result<(Selected, Brought), ImapError> {
        let opening = self.opening(verb, name)?;
        self.conn.check(verb)?;
        let first = self.conn.queue(opening);
        let mut open: BTreeSet<u64> = BTreeSet::new();
        for items in fetches {
            let command = Command::new(&self.conn, "UID FETCH", &items);
            open.insert(self.conn.queue(command));
        }
        let mut seen = Opening::of(verb);
        let (mut brought, mut opened) = (Brought::default(), None);
        let limited = |code: &Option<Code>| matches!(code, Some(Code::MessageLimit { .. }));
        let opened = loop {
            if let Some(result) = opened.take_if(|_| open.is_empty()) {
                break result?;
            }
            match self.conn.step().await? {
                Step::Untagged(response) if opened.is_none() => seen.take(response),
                Step::Untagged(Response::Fetch(line)) => {
                    if let Some(uid) = line.uid {
                        merge(brought.lines.entry(uid).or_default(), line);
                    }
                }
                Step::Untagged(Response::Vanished { earlier: true, uids }) => brought.vanished.extend(uids),
                Step::Untagged(Response::Malformed { name: "FETCH" | "VANISHED", .. }) => brought.odd = true,
                Step::Untagged(Response::Untagged(Status { code, .. })) => brought.odd |= limited(&code),
                Step::Untagged(_) => {}
                Step::Tagged { tag, result } if tag == first => opened = Some(result),
                Step::Tagged { tag, result } => {
                    open.remove(&tag);
                    brought.odd |= opened.is_none() || result.as_ref().is_ok_and(|done| limited(&done.code));
                    brought.refused |= result.is_err();
                }
            }
        };
        self.conn.drain("UID FETCH").await?;
        let selected = self.finish(verb, seen, opened)?;
        Ok((selected, brought))
    }
}
