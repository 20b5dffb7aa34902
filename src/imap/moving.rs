//! Moving messages from one folder to another (RFC 6851). No message is ever outside of both.

use std::collections::BTreeMap;

use super::{
    code::{Code, CopyUid},
    conn::Command,
    error::{ImapError, ImapErrorKind},
    name::WireName,
    reader::sendable,
    response::{Response, Status},
    uid::{UidRange, chunks, expand},
    writer::Writer,
};

/// Where moved messages went, as far as the server tells: by the UID that each had, UIDVALIDITY and UID of now.
///
/// A UID that is not in it may have been moved all the same: servers need not tell (RFC 6851 4.3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Moved(pub BTreeMap<u32, (u32, u32)>);

impl Moved {
    fn learn(&mut self, code: Option<&Code>) {
        let Some(Code::CopyUid(copied)) = code else { return };
        let CopyUid { uid_validity, from, to } = copied.as_ref();
        let Some(span) = from.iter().map(UidRange::span).try_fold(0_u64, |sum, n| sum.checked_add(n?)) else { return };
        let Ok(span) = usize::try_from(span) else { return };
        if span > MOST {
            return;
        }
        if let Some((from, to)) = expand(from, span).zip(expand(to, span)) {
            self.0.extend(from.into_iter().zip(to.into_iter().map(|uid| (*uid_validity, uid))));
        }
    }
}

/// How many messages one command moves.
const MOST: usize = 500;

impl Writer {
    /// Moves messages of the folder that is open to another folder. UIDs that are not there are passed over by the
    /// server without a word, so that a move can be repeated.
    ///
    /// # Errors
    /// When the server refuses or the connection fails: some of them may have been moved, all others are where they
    /// were. `Invalid`, before anything is sent, when no folder is open or the server has no MOVE.
    pub async fn move_messages(&mut self, uids: &[u32], to: &WireName) -> Result<Moved, ImapError> {
        let reader = &mut **self;
        let invalid = |text: &str| ImapErrorKind::Invalid(text.to_owned());
        if reader.selected.is_none() {
            return Err(reader.conn.error("UID MOVE", invalid("no folder is open")));
        }
        if !reader.conn.capabilities.moves() {
            return Err(reader.conn.error("UID MOVE", invalid("the server has no MOVE (RFC 6851)")));
        }
        let name = sendable(&reader.conn, "UID MOVE", to)?;
        let mut moved = Moved::default();
        for chunk in chunks(uids, MOST, 3000) {
            let command = Command::new(&reader.conn, "UID MOVE", &format!(" {}", chunk.set)).string(name);
            let mut each = |response| {
                // It comes untagged, because EXPUNGE answers follow it (RFC 6851 4.3).
                if let Response::Untagged(Status { code, .. }) = response {
                    moved.learn(code.as_ref());
                }
            };
            let done = reader.conn.run(command, &mut each).await?;
            moved.learn(done.code.as_ref());
        }
        Ok(moved)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn learned(inside: &[u8]) -> BTreeMap<u32, (u32, u32)> {
        let mut moved = Moved::default();
        moved.learn(Some(&Code::parse(inside)));
        moved.0
    }

    #[test]
    fn places_are_learned_pair_by_pair_and_claims_that_do_not_fit_are_not() {
        assert_eq!(learned(b"COPYUID 7 3,5:6 10:12"), BTreeMap::from([(3, (7, 10)), (5, (7, 11)), (6, (7, 12))]));
        assert_eq!(learned(b"COPYUID 7 3:5 10:11"), BTreeMap::new());
        assert_eq!(learned(b"COPYUID 7 1:4294967295 1:4294967295"), BTreeMap::new());
        assert_eq!(learned(b"COPYUID 7 3"), BTreeMap::new());
    }
}
