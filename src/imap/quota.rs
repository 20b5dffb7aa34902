//! Space: what is used and what may be used (RFC 9208), and the largest message of a mailbox (RFC 7889).

use super::{
    conn::{Aside, Command},
    error::{ImapError, ImapErrorKind},
    name::WireName,
    reader::{Reader, sendable},
    response::Response,
};

/// The storage quota that a folder counts against.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Quota {
    /// Octets in use.
    pub used: u64,
    /// Octets that may be used.
    pub limit: u64,
}

/// What the answers to GETQUOTAROOT have told so far.
#[derive(Debug, Default)]
pub(super) struct Roots {
    first: Option<Vec<u8>>,
    found: Option<Quota>,
}

impl Roots {
    pub(super) fn take(&mut self, response: Response) {
        match response {
            Response::QuotaRoot(roots) => self.first = self.first.take().or_else(|| roots.into_iter().next()),
            Response::Quota { root, resources } => {
                // STORAGE counts in units of 1024 octets (RFC 9208 5.1).
                let storage = resources.into_iter().find(|(name, ..)| name == "STORAGE");
                if let Some((_, used, limit)) = storage
                    && (self.found.is_none() || self.first.as_ref() == Some(&root))
                {
                    self.found = Some(Quota { used: used.saturating_mul(1024), limit: limit.saturating_mul(1024) });
                }
            }
            _ => {}
        }
    }
}

impl Reader {
    /// Asks for the storage quota of a folder together with the next command; [`Reader::quota`] then gives the answer.
    ///
    /// # Errors
    /// When the connection takes no command. Nothing else fails before the answer is asked for.
    pub fn ask_quota(&mut self, name: &WireName) -> Result<(), ImapError> {
        if self.conn.capabilities.quota() {
            self.conn.check("GETQUOTAROOT")?;
            let octets = sendable(&self.conn, "GETQUOTAROOT", name)?;
            let command = Command::new(&self.conn, "GETQUOTAROOT", "").string(octets);
            self.conn.queue_aside(command, Aside::Nothing);
            self.conn.roots = Some(Roots::default());
        }
        Ok(())
    }

    /// The storage quota of a folder. `None` where the server keeps or tells none. What was asked for ahead is given once.
    ///
    /// # Errors
    /// When the connection fails. A refusal is `None`.
    pub async fn quota(&mut self, name: &WireName) -> Result<Option<Quota>, ImapError> {
        if !self.conn.capabilities.quota() {
            return Ok(None);
        }
        if let Some(roots) = self.conn.roots.take()
            && !self.conn.is_open()
        {
            return Ok(roots.found);
        }
        let octets = sendable(&self.conn, "GETQUOTAROOT", name)?;
        let command = Command::new(&self.conn, "GETQUOTAROOT", "").string(octets);
        let mut roots = Roots::default();
        match self.conn.run(command, &mut |response| roots.take(response)).await {
            Ok(_) => Ok(roots.found),
            Err(e) if matches!(e.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The largest message that a folder takes: what the capability says of all, or what STATUS says of this one
    /// (RFC 7889 2). `None` where the server does not tell.
    ///
    /// # Errors
    /// When the connection fails. A refusal is `None`.
    pub async fn append_limit_of(&mut self, name: &WireName) -> Result<Option<u64>, ImapError> {
        let caps = &self.conn.capabilities;
        if let Some(limit) = caps.append_limit() {
            return Ok(Some(limit));
        }
        if !caps.has("APPENDLIMIT") {
            return Ok(None);
        }
        let octets = sendable(&self.conn, "STATUS", name)?;
        let command = Command::new(&self.conn, "STATUS", "").string(octets).text(" (APPENDLIMIT)");
        let mut limit = None;
        let mut each = |response| {
            if let Response::StatusOf(line) = response {
                limit = limit.or(line.append_limit);
            }
        };
        match self.conn.run(command, &mut each).await {
            Ok(_) => Ok(limit),
            Err(e) if matches!(e.kind, ImapErrorKind::No { .. } | ImapErrorKind::Bad { .. }) => Ok(None),
            Err(e) => Err(e),
        }
    }

    /// The UIDs of the messages of the open folder that have more than that many octets, ascending.
    ///
    /// # Errors
    /// When the server refuses or the connection fails.
    pub async fn search_larger(&mut self, octets: u64) -> Result<Vec<u32>, ImapError> {
        let command = Command::new(&self.conn, "UID SEARCH", &format!(" LARGER {octets}"));
        let mut found = Vec::new();
        let mut each = |response| {
            if let Response::Search(uids) = response {
                found.extend(uids);
            }
        };
        self.conn.run(command, &mut each).await?;
        found.sort_unstable();
        found.dedup();
        Ok(found)
    }
}
