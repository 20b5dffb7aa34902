//! Opening a folder and listing its messages in one round trip.

use std::collections::BTreeMap;

use super::{
    code::Code,
    conn::{Command, Step},
    error::ImapError,
    fetch::{MessageMeta, merge, meta},
    name::WireName,
    reader::{Opening, Reader, Selected},
    response::{FetchLine, Response, Status},
};

impl Reader {
    /// Opens a folder for reading and lists its messages: all of them, or those that are new or have other flags since a
    /// HIGHESTMODSEQ. The second command does not wait for the answer to the first; servers must carry them out in this
    /// order (RFC 9051 5.5).
    ///
    /// The list is `None` when anything about it is odd, so that nobody takes it for complete: ask again with
    /// [`Reader::fetch_meta`] or [`Reader::fetch_changed`], which know what to do then.
    ///
    /// # Errors
    /// As [`Reader::examine`].
    pub async fn survey(
        &mut self,
        name: &WireName,
        since: Option<u64>,
    ) -> Result<(Selected, Option<Vec<MessageMeta>>), ImapError> {
        let opening = self.opening("EXAMINE", name)?;
        let since = since.map(|n| format!(" (CHANGEDSINCE {n})")).unwrap_or_default();
        let items = format!(" 1:* (UID FLAGS INTERNALDATE RFC822.SIZE){since}");
        let listing = Command::new(&self.conn, "UID FETCH", &items);
        self.conn.check("EXAMINE")?;
        let (first, second) = (self.conn.queue(opening), self.conn.queue(listing));
        let mut seen = Opening::of("EXAMINE");
        let mut lines: BTreeMap<u32, FetchLine> = BTreeMap::new();
        let (mut opened, mut listed, mut whole) = (None, false, true);
        let opened = loop {
            if let Some(result) = opened.take_if(|_| listed) {
                break result?;
            }
            match self.conn.step().await? {
                Step::Untagged(response) if opened.is_none() => seen.take(response),
                Step::Untagged(Response::Fetch(line)) => {
                    if let Some(uid) = line.uid {
                        merge(lines.entry(uid).or_default(), line);
                    }
                }
                Step::Untagged(Response::Malformed { name: "FETCH", .. }) => whole = false,
                Step::Untagged(Response::Untagged(Status { code: Some(Code::MessageLimit { .. }), .. })) => {
                    whole = false;
                }
                Step::Untagged(_) => {}
                Step::Tagged { tag, result } if tag == first => opened = Some(result),
                Step::Tagged { tag, result } if tag == second => {
                    let limited = |code: &Option<Code>| matches!(code, Some(Code::MessageLimit { .. }));
                    whole &= opened.is_some() && result.is_ok_and(|done| !limited(&done.code));
                    listed = true;
                }
                Step::Tagged { .. } => {}
            }
        };
        self.conn.drain("UID FETCH").await?;
        let selected = self.finish("EXAMINE", seen, opened)?;
        // Changes cannot be told of a folder that keeps no modification sequences.
        whole &= since.is_empty() || selected.highest_modseq.is_some();
        whole &= lines.values().all(|line| line.flags.is_some());
        let metas = whole.then(|| lines.into_iter().map(|(uid, line)| meta(uid, line)).collect());
        Ok((selected, metas))
    }
}
