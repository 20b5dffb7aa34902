//! Reading the list of a folder's messages part by part, so that a folder of a million costs no more memory than one of
//! ten thousand.

use super::{
    CopyError,
    link::Link,
    store::{Meta, Opened},
};

/// How many messages a part should have. What is listed of each, and known of it, takes more than a kibibyte together.
const PART: u32 = 4_000;

/// The parts of a folder, from the lowest UID to the highest.
pub(super) struct Parts {
    next: Option<u32>,
    /// The highest UID there can be; `None` where the server does not tell, and the folder is then one part.
    last: Option<u32>,
    span: u32,
    /// Messages below this UID are listed without their sizes.
    below: u32,
}

/// Whether a folder of so many messages is listed in one part.
pub(super) fn is_small(messages: u32) -> bool {
    messages <= 2 * PART
}

impl Parts {
    /// The parts of a folder that was just opened, and of which messages below a UID are known.
    pub(super) fn of(opened: &Opened, below: u32) -> Self {
        let last = opened.uid_next.checked_sub(1);
        // UIDs can lie far apart: a part is as wide as the folder is thin.
        let thin = u64::from(last.unwrap_or(0)) / u64::from(opened.messages.max(1));
        let span = u32::try_from(thin.max(1).saturating_mul(u64::from(PART))).unwrap_or(u32::MAX);
        let small = is_small(opened.messages);
        Self { next: (opened.messages > 0).then_some(1), last: last.filter(|_| !small), span, below }
    }

    /// The next part, with its range; `None` at the end.
    pub(super) async fn next(
        &mut self,
        link: &mut Link<'_>,
        folder: &str,
    ) -> Result<Option<((u32, u32), Vec<Meta>)>, CopyError> {
        let Some(first) = self.next else { return Ok(None) };
        let mut last = self.last.map(|end| first.saturating_add(self.span - 1).min(end));
        let metas = match &mut last {
            None => link.listing(folder, self.below).await?,
            Some(last) if first < self.below => {
                *last = self.below.saturating_sub(1).min(*last);
                link.sweep(folder, first, *last).await?
            }
            Some(last) => link.scan(folder, first, Some(*last)).await?,
        };
        self.next = match (last, self.last) {
            // What arrived since the folder was opened belongs to the next pass.
            (Some(last), Some(end)) if last < end => last.checked_add(1),
            _ => None,
        };
        if metas.len() < PART as usize / 4 {
            self.span = self.span.saturating_mul(4);
        } else if metas.len() > 2 * PART as usize {
            self.span = (self.span / 2).max(1);
        }
        Ok(Some(((first, last.unwrap_or(u32::MAX)), metas)))
    }
}
