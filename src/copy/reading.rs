//! Reading the bodies of a window, with messages that cannot be read isolated.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError,
    link::Link,
    store::{Fetched, Meta, StoreErrorKind, Why},
};

/// How often one message may break the connection before it is blamed.
const STRIKES: u32 = 3;

/// One message of a window, read.
#[derive(Debug)]
pub(super) struct Read {
    pub(super) meta: Meta,
    pub(super) got: Fetched,
}

/// Reads a window. A message that breaks the connection is found by halving: the connection is made again each time, and
/// when it cannot be made, no message is blamed.
pub(super) async fn read_window(link: &mut Link<'_>, folder: &str, metas: &[Meta]) -> Result<Vec<Read>, CopyError> {
    let mut got: BTreeMap<u32, Fetched> = BTreeMap::new();
    // Messages that broke the connection are not asked for again.
    let mut blamed: BTreeSet<u32> = BTreeSet::new();
    let mut strikes = 0;
    let mut stack: Vec<Vec<u32>> = vec![metas.iter().map(|m| m.uid).collect()];
    while let Some(uids) = stack.pop() {
        link.context.go_on()?;
        let fetch = link.bodies_once(folder, &uids).await?;
        let progress = !fetch.got.is_empty();
        got.extend(fetch.got);
        let rest: Vec<u32> = uids.into_iter().filter(|uid| !got.contains_key(uid)).collect();
        let (Some(error), Some(first)) = (fetch.error, rest.first().copied()) else { continue };
        strikes = if progress { 0 } else { strikes };
        match error.kind {
            StoreErrorKind::Refused(Why::Throttled(hint)) => {
                stack.push(rest);
                link.throttled(hint, &error.to_string()).await?;
            }
            StoreErrorKind::Lost | StoreErrorKind::Refused(_) if rest.len() > 1 && !progress => {
                let (low, high) = rest.split_at(rest.len() / 2);
                stack.push(high.to_vec());
                stack.push(low.to_vec());
                strikes = 0;
            }
            StoreErrorKind::Lost | StoreErrorKind::Refused(_) => {
                strikes += 1;
                if rest.len() == 1 && strikes >= STRIKES {
                    got.insert(first, Fetched::Unreadable(error.to_string()));
                    blamed.insert(first);
                    strikes = 0;
                } else {
                    stack.push(rest);
                    link.context.pause(link.context.tuning.first_pause).await?;
                }
            }
            StoreErrorKind::Denied | StoreErrorKind::Later | StoreErrorKind::Fatal => {
                return Err(link.fail(&format!("reading messages in `{folder}`"), error));
            }
        }
    }
    let refused: Vec<u32> = got
        .iter()
        .filter(|(uid, f)| matches!(f, Fetched::Unreadable(_)) && !blamed.contains(uid))
        .map(|(u, _)| *u)
        .collect();
    for uid in refused {
        // Some refusals last a moment only.
        link.context.go_on()?;
        let again = link.bodies_once(folder, &[uid]).await?;
        got.extend(again.got);
    }
    let silent = || Fetched::Unreadable("the server answered without the message".to_owned());
    Ok(metas.iter().map(|m| Read { meta: m.clone(), got: got.remove(&m.uid).unwrap_or_else(silent) }).collect())
}
