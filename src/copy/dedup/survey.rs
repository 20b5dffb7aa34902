//! Finds equal messages. Only reads.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;
use tokio_util::sync::CancellationToken;

use super::DedupError;
use crate::{
    copy::mapping::included,
    diag,
    imap::{Connector, Fetched, ImapError, InternalDate, Listed, MessageMeta, Reader, UidRange},
    model::{Digest, FolderPath, MailFilter, SpecialUse},
};

/// The folder that doubles are set aside in, each below it under the name of the folder it was in.
pub const ROOT: &str = "Rehome-Doubles";

/// Bodies asked for at once.
const BATCH: usize = 200;

/// What was found in a mailbox.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Survey {
    /// Login and server.
    pub place: String,
    /// Messages in the folders that were looked into.
    pub messages: u64,
    /// Folders that hold doubles, in the order of their names.
    pub folders: Vec<FolderDoubles>,
    /// What could not be looked into, and why, for people.
    pub unread: Vec<String>,
    /// Why doubles cannot be moved on this server, when they cannot.
    pub obstacle: Option<String>,
}

/// The doubles of one folder.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct FolderDoubles {
    /// The folder.
    pub folder: FolderPath,
    /// Its name as it is sent, in Unicode.
    pub name: String,
    /// UIDVALIDITY.
    pub uid_validity: u32,
    /// The name of the folder that its doubles are set aside in, as it is sent, in Unicode.
    pub aside: String,
    /// Equal messages, by the UID of the one that stays.
    pub groups: Vec<Group>,
}

/// Messages whose octets are all equal.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Group {
    /// SHA-256 of the octets.
    pub digest: Digest,
    /// How many those are, of one message.
    pub octets: u64,
    /// The one that stays: the lowest UID that is not marked as deleted.
    pub kept: One,
    /// The others, by UID.
    pub extra: Vec<One>,
    /// Not all have the same flags.
    pub flags_differ: bool,
    /// Not all arrived at the same time.
    pub dates_differ: bool,
}

/// One message of a group.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct One {
    /// Its UID.
    pub uid: u32,
    /// Its flags and keywords.
    pub flags: BTreeSet<String>,
    /// INTERNALDATE in seconds since 1970.
    pub date: Option<i64>,
}

impl FolderDoubles {
    /// How many messages are more than one of each group.
    #[must_use]
    pub fn extra(&self) -> u64 {
        self.groups.iter().map(|g| g.extra.len() as u64).sum()
    }

    /// The octets of those.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.groups.iter().map(|g| g.extra.len() as u64 * g.octets).sum()
    }
}

impl Survey {
    /// How many messages are more than one of each group, in all folders.
    #[must_use]
    pub fn extra(&self) -> u64 {
        self.folders.iter().map(FolderDoubles::extra).sum()
    }

    /// The octets of those.
    #[must_use]
    pub fn octets(&self) -> u64 {
        self.folders.iter().map(FolderDoubles::octets).sum()
    }

    /// Every double: folder, UIDVALIDITY, UID of the double, UID of the one that stays.
    #[must_use]
    pub fn keys(&self) -> BTreeSet<(String, u32, u32, u32)> {
        let of = |f: &FolderDoubles| {
            let pairs = f.groups.iter().flat_map(|g| g.extra.iter().map(|one| (one.uid, g.kept.uid)));
            pairs.map(|(uid, kept)| (f.name.clone(), f.uid_validity, uid, kept)).collect::<Vec<_>>()
        };
        self.folders.iter().flat_map(of).collect()
    }

    /// The id of the plan to set these very messages aside, and no others. Mail that is no double does not change it.
    #[must_use]
    pub fn plan(&self) -> String {
        let folder = |f: &FolderDoubles| {
            let group = |g: &Group| (g.digest, g.kept.uid, g.extra.iter().map(|one| one.uid).collect::<Vec<u32>>());
            (f.name.clone(), f.uid_validity, f.aside.clone(), f.groups.iter().map(group).collect::<Vec<_>>())
        };
        let body = (&self.place, self.folders.iter().map(folder).collect::<Vec<_>>());
        // Numbers, texts and digests: JSON has room for all of them.
        Digest::of(&serde_json::to_vec(&body).unwrap_or_default()).hex()
    }
}

/// Looks for doubles in the folders that `filter` takes. A folder that cannot be read is told and does not stop the rest.
///
/// # Errors
/// When the mailbox cannot be opened or listed, or the connection is lost.
pub async fn survey(
    connector: &Connector,
    filter: &MailFilter,
    cancel: &CancellationToken,
) -> Result<Survey, DedupError> {
    let place = place_of(connector);
    let failed = |doing: &str| {
        let (place, doing) = (place.clone(), doing.to_owned());
        move |source: ImapError| DedupError::Imap { place, doing, source: Box::new(source) }
    };
    let mut reader = connector.connect().await.map_err(failed("logging in"))?;
    let tree = Tree::read(&mut reader).await.map_err(failed("listing its folders"))?;
    let mut out = Survey {
        place: place.clone(),
        messages: 0,
        folders: Vec::new(),
        unread: Vec::new(),
        obstacle: obstacle(&reader),
    };
    let mut folders: Vec<&Listed> = tree.folders.iter().filter(|f| f.selectable && !f.non_existent).collect();
    folders.sort_by(|a, b| a.path.cmp(&b.path));
    for folder in folders {
        if tree.is_aside(&folder.wire_name) || !included(filter, &folder.path) {
            continue;
        }
        if matches!(folder.special_use, Some(SpecialUse::All | SpecialUse::Flagged)) {
            out.unread.push(format!("{}: it shows messages of other folders", folder.path));
            continue;
        }
        if cancel.is_cancelled() {
            return Err(DedupError::Interrupted { place });
        }
        match in_folder(&mut reader, folder, tree.aside(folder), cancel, &mut out).await {
            Ok(found) => out.folders.extend(found.filter(|f| !f.groups.is_empty())),
            Err(error) if error.is_refusal() && reader.is_usable() => {
                out.unread.push(format!("{}: {}", folder.path, diag::chain(&error).join(": ")));
            }
            Err(error) => return Err(failed(&format!("reading {}", folder.path))(error)),
        }
    }
    reader.logout().await;
    if cancel.is_cancelled() { Err(DedupError::Interrupted { place }) } else { Ok(out) }
}

/// Login and server, as the ledger knows a mailbox whose doubles were moved.
pub(super) fn place_of(connector: &Connector) -> String {
    format!("{} at {}", connector.login.mailbox(), connector.endpoint)
}

/// Why doubles cannot be moved on this server.
pub(super) fn obstacle(reader: &Reader) -> Option<String> {
    if reader.capabilities().gmail() {
        return Some("its folders are labels, so that one message is shown in several of them".to_owned());
    }
    let why = "it has no MOVE (RFC 6851), and a message that is copied and deleted would have to be expunged";
    (!reader.capabilities().moves()).then(|| why.to_owned())
}

/// The folders of a mailbox and how names are formed.
pub(super) struct Tree {
    prefix: String,
    delimiter: Option<char>,
    pub(super) folders: Vec<Listed>,
}

impl Tree {
    pub(super) async fn read(reader: &mut Reader) -> Result<Self, ImapError> {
        let space = reader.namespace().await?.into_iter().next();
        let folders = reader.list().await?;
        let listed = folders.iter().find_map(|f| f.delimiter);
        let delimiter = space.as_ref().and_then(|s| s.delimiter).or(listed);
        Ok(Self { prefix: space.map(|s| s.prefix).unwrap_or_default(), delimiter, folders })
    }

    fn root(&self) -> String {
        format!("{}{ROOT}", self.prefix)
    }

    /// Whether a folder holds what was set aside.
    fn is_aside(&self, name: &str) -> bool {
        let separator = self.delimiter.unwrap_or(FLAT);
        name.strip_prefix(&self.root()).is_some_and(|rest| rest.is_empty() || rest.starts_with(separator))
    }

    /// The name under which the doubles of a folder are set aside.
    fn aside(&self, folder: &Listed) -> String {
        let name = folder.wire_name.strip_prefix(&self.prefix).filter(|rest| !rest.is_empty());
        format!("{}{}{}", self.root(), self.delimiter.unwrap_or(FLAT), name.unwrap_or(&folder.wire_name))
    }
}

/// What stands between the two parts of a name where folders cannot be inside each other.
const FLAT: char = '-';

async fn in_folder(
    reader: &mut Reader,
    folder: &Listed,
    aside: String,
    cancel: &CancellationToken,
    out: &mut Survey,
) -> Result<Option<FolderDoubles>, ImapError> {
    let opened = reader.examine(&folder.name).await?;
    out.messages += u64::from(opened.exists);
    if opened.exists < 2 {
        return Ok(None);
    }
    let metas = alike(reader.fetch_meta(UidRange::ALL).await?);
    let uids: Vec<u32> = metas.keys().copied().collect();
    let mut by_digest: BTreeMap<Digest, (u64, BTreeSet<u32>)> = BTreeMap::new();
    let mut unread = 0_usize;
    for part in uids.chunks(BATCH) {
        if cancel.is_cancelled() {
            return Ok(None);
        }
        let mut bodies = reader.fetch_bodies(part)?;
        while let Some(fetched) = bodies.next().await? {
            match fetched {
                Fetched::Message(m) => {
                    by_digest
                        .entry(Digest(*m.body.digest()))
                        .or_insert((m.body.len(), BTreeSet::new()))
                        .1
                        .insert(m.uid);
                }
                Fetched::Failed { .. } => unread += 1,
                Fetched::Gone(_) => {}
            }
        }
    }
    if unread > 0 {
        out.unread.push(format!("{}: {} cannot be read", folder.path, diag::plural(unread, "message")));
    }
    let mut groups: Vec<Group> =
        by_digest.into_iter().filter_map(|(digest, (octets, uids))| group(digest, octets, &uids, &metas)).collect();
    groups.sort_by_key(|g| g.kept.uid);
    let (path, name) = (folder.path.clone(), folder.wire_name.clone());
    Ok(Some(FolderDoubles { folder: path, name, uid_validity: opened.uid_validity, aside, groups }))
}

/// The messages that can have an equal: a server says the same size of the same octets. One of unknown size makes all of
/// them candidates.
fn alike(metas: Vec<MessageMeta>) -> BTreeMap<u32, MessageMeta> {
    let unknown = metas.iter().any(|m| m.size.is_none());
    let mut sizes: BTreeMap<u64, u32> = BTreeMap::new();
    for size in metas.iter().filter_map(|m| m.size) {
        *sizes.entry(size).or_default() += 1;
    }
    let shared = |m: &MessageMeta| m.size.and_then(|s| sizes.get(&s)).is_some_and(|n| *n > 1);
    metas.into_iter().filter(|m| unknown || shared(m)).map(|m| (m.uid, m)).collect()
}

fn group(digest: Digest, octets: u64, uids: &BTreeSet<u32>, metas: &BTreeMap<u32, MessageMeta>) -> Option<Group> {
    let mut all: Vec<One> = uids
        .iter()
        .filter_map(|uid| metas.get(uid))
        .map(|m| {
            let date = m.internal_date.as_ref().and_then(InternalDate::instant).map(|t| t.as_second());
            One { uid: m.uid, flags: m.flags.clone(), date }
        })
        .collect();
    if all.len() < 2 {
        return None;
    }
    // Another program's EXPUNGE must not take the only one that is left.
    let deleted = |one: &One| one.flags.iter().any(|f| f.eq_ignore_ascii_case("\\Deleted"));
    let at = all.iter().position(|one| !deleted(one)).unwrap_or(0);
    let kept = all.remove(at);
    let flags_differ = all.iter().any(|one| one.flags != kept.flags);
    let dates_differ = all.iter().any(|one| one.date != kept.date);
    Some(Group { digest, octets, kept, extra: all, flags_differ, dates_differ })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::WireName;

    fn meta(uid: u32, size: Option<u64>, flags: &[&str]) -> MessageMeta {
        MessageMeta {
            uid,
            flags: flags.iter().map(|f| (*f).to_owned()).collect(),
            flags_missing: false,
            internal_date: None,
            size,
            modseq: None,
        }
    }

    #[test]
    fn only_messages_of_one_size_are_read_and_an_unknown_size_may_be_any() {
        let known = vec![meta(1, Some(5), &[]), meta(2, Some(6), &[]), meta(3, Some(5), &[])];
        assert_eq!(alike(known.clone()).into_keys().collect::<Vec<_>>(), [1, 3]);
        let one_unknown = [known, vec![meta(4, None, &[])]].concat();
        assert_eq!(alike(one_unknown).len(), 4);
    }

    #[test]
    fn the_oldest_stays_unless_it_is_marked_as_deleted() {
        let metas = alike(vec![meta(4, None, &["\\Deleted"]), meta(7, None, &["\\Seen"]), meta(9, None, &["\\Seen"])]);
        let all = group(Digest::of(b"x"), 1, &BTreeSet::from([4, 7, 9]), &metas).unwrap();
        assert_eq!((all.kept.uid, all.extra.iter().map(|o| o.uid).collect::<Vec<_>>()), (7, vec![4, 9]));
        assert!(all.flags_differ && !all.dates_differ);
        let pair = group(Digest::of(b"x"), 1, &BTreeSet::from([7, 9]), &metas).unwrap();
        assert_eq!((pair.kept.uid, pair.flags_differ), (7, false));
        assert_eq!(group(Digest::of(b"x"), 1, &BTreeSet::from([7]), &metas), None);
    }

    fn listed(name: &str) -> Listed {
        let wire = WireName::encode(name);
        Listed {
            wire_name: name.to_owned(),
            path: wire.path(Some('/')),
            name: wire,
            delimiter: None,
            selectable: true,
            non_existent: false,
            no_inferiors: false,
            special_use: None,
            subscribed: false,
            status: None,
        }
    }

    #[test]
    fn names_follow_the_servers_prefix_and_delimiter() {
        let tree = |prefix: &str, delimiter| Tree { prefix: prefix.to_owned(), delimiter, folders: Vec::new() };
        let dotted = tree("INBOX.", Some('.'));
        assert_eq!(dotted.aside(&listed("INBOX.Sent")), "INBOX.Rehome-Doubles.Sent");
        assert_eq!(dotted.aside(&listed("INBOX")), "INBOX.Rehome-Doubles.INBOX");
        assert!(dotted.is_aside("INBOX.Rehome-Doubles.Sent") && !dotted.is_aside("INBOX.Rehome-Doublet"));
        assert_eq!(tree("", Some('/')).aside(&listed("a/b")), "Rehome-Doubles/a/b");
        let flat = tree("", None);
        assert_eq!(flat.aside(&listed("a")), "Rehome-Doubles-a");
        assert!(flat.is_aside("Rehome-Doubles-a"));
    }
}
