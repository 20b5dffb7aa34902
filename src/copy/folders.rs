//! Making the target's folders.

use std::collections::{BTreeMap, BTreeSet};

use super::{
    CopyError,
    link::Link,
    mapping::{Folder, Learned, Pair, Tree, included, map_folders},
    names,
    store::{FolderVerb, Listed, Listing, StoreError, StoreErrorKind, Why},
};
use crate::{
    journal::ledger::Lease,
    model::{FolderPath, MailFilter},
};

/// Where the folders of the source go, once the target has them.
#[derive(Default)]
pub(super) struct Prepared {
    /// By source path.
    pub(super) pairs: BTreeMap<FolderPath, Pair>,
    /// Folders that the target will not have, with its words.
    pub(super) refused: BTreeMap<FolderPath, String>,
}

/// The tree that mapping needs of a listing.
pub(super) fn tree(listing: &Listing) -> Tree {
    let folder = |f: &Listed| Folder { path: f.path.clone(), name: f.name.clone(), special_use: f.special_use };
    Tree {
        delimiter: listing.delimiter,
        prefix: listing.prefix.clone(),
        folders: listing.folders.iter().map(folder).collect(),
    }
}

/// Maps the folders and makes those that are missing.
///
/// `removed` are folders that earlier passes filled and that the target's user has taken away since: they are not made
/// again before there is new mail for them.
pub(super) async fn prepare(
    lease: Lease,
    target: &mut Link<'_>,
    source: &Listing,
    there: &Listing,
    filter: &MailFilter,
    mut learned: Learned,
    removed: &BTreeSet<FolderPath>,
) -> Result<Prepared, CopyError> {
    let source_tree = tree(source);
    let mut target_tree = tree(there);
    let mut out = Prepared::default();
    let mut remarks: BTreeMap<FolderPath, String> = BTreeMap::new();
    let mut selectable: BTreeSet<String> =
        there.folders.iter().filter(|f| f.selectable).map(|f| f.name.clone()).collect();
    let wanted: BTreeSet<&FolderPath> =
        source.folders.iter().filter(|f| f.selectable && included(filter, &f.path)).map(|f| &f.path).collect();
    let plain =
        at_once(lease, target, &source_tree, &target_tree, &mut learned, (&wanted, &selectable, removed)).await?;
    for pair in plain {
        selectable.insert(pair.target.clone());
        target_tree.folders.push(Folder { path: pair.source.clone(), name: pair.target, special_use: None });
    }
    loop {
        let pairs = map_folders(&source_tree, &target_tree, &learned);
        let next = pairs.iter().find(|p| {
            wanted.contains(&p.source)
                && !selectable.contains(&p.target)
                && !removed.contains(&p.source)
                && !out.refused.contains_key(&p.source)
        });
        let fresh = |p: &&Pair| wanted.contains(&p.source) && learned.known.get(&p.source) != Some(&p.target);
        let chosen: Vec<(FolderPath, String)> =
            pairs.iter().filter(fresh).map(|p| (p.source.clone(), p.target.clone())).collect();
        if !chosen.is_empty() {
            // On disk before any folder is made: what is made changes what a later run would choose.
            remarks.extend(pairs.iter().filter_map(|p| Some((p.source.clone(), p.remark.clone()?))));
            learned.known.extend(chosen.iter().cloned());
            target.context.ledger(move |l| l.choose_targets(lease, &chosen)).await?;
        }
        let Some(pair) = next else {
            let told = |p: Pair| Pair { remark: p.remark.or_else(|| remarks.remove(&p.source)), ..p };
            out.pairs = pairs.into_iter().map(told).map(|p| (p.source.clone(), p)).collect();
            break;
        };
        match make(target, pair, &selectable, &learned, target_tree.delimiter).await? {
            Made::Yes => {
                selectable.insert(pair.target.clone());
                let folder = Folder { path: pair.source.clone(), name: pair.target.clone(), special_use: None };
                target_tree.folders.push(folder);
            }
            Made::Folds => {
                learned.folds = true;
                learned.known.remove(&pair.source);
            }
            Made::Refused(text) => {
                learned.known.remove(&pair.source);
                let path = &pair.source;
                let another = learned.strict.insert(path.clone())
                    || learned.flat.insert(path.clone())
                    || learned.short.insert(path.clone());
                if !another {
                    out.refused.insert(path.clone(), text);
                }
            }
        }
    }
    Ok(out)
}

/// Makes all folders that need no thought in one go: those whose name is nobody's twin. Gives those that the target
/// made; the others are made one by one.
async fn at_once(
    lease: Lease,
    target: &mut Link<'_>,
    source: &Tree,
    there: &Tree,
    learned: &mut Learned,
    (wanted, selectable, removed): (&BTreeSet<&FolderPath>, &BTreeSet<String>, &BTreeSet<FolderPath>),
) -> Result<Vec<Pair>, CopyError> {
    let pairs = map_folders(source, there, learned);
    let mut forms: BTreeMap<String, usize> = BTreeMap::new();
    for name in selectable.iter().chain(pairs.iter().map(|p| &p.target).filter(|name| !selectable.contains(*name))) {
        *forms.entry(names::folded(name)).or_default() += 1;
    }
    let plain = |p: &Pair| {
        wanted.contains(&p.source)
            && !selectable.contains(&p.target)
            && !removed.contains(&p.source)
            && forms.get(&names::folded(&p.target)) == Some(&1)
    };
    let plain: Vec<Pair> = pairs.into_iter().filter(plain).collect();
    if plain.len() < 2 {
        return Ok(Vec::new());
    }
    let chosen: Vec<(FolderPath, String)> = plain.iter().map(|p| (p.source.clone(), p.target.clone())).collect();
    learned.known.extend(chosen.iter().cloned());
    target.context.ledger(move |l| l.choose_targets(lease, &chosen)).await?;
    let names: Vec<String> = plain.iter().map(|p| p.target.clone()).collect();
    match target.change().await?.folders(FolderVerb::Create, &names).await {
        Ok(done) => Ok(plain.into_iter().zip(done).filter_map(|(pair, done)| done.then_some(pair)).collect()),
        Err(error) => {
            if error.kind == StoreErrorKind::Lost {
                target.disconnect();
            }
            Ok(Vec::new())
        }
    }
}

enum Made {
    Yes,
    /// The target takes this name for that of another folder.
    Folds,
    Refused(String),
}

async fn make(
    target: &mut Link<'_>,
    pair: &Pair,
    existing: &BTreeSet<String>,
    learned: &Learned,
    delimiter: Option<char>,
) -> Result<Made, CopyError> {
    let form = names::folded(&pair.target);
    let twin = existing.iter().any(|name| names::folded(name) == form);
    if twin && !learned.folds && target.status(&pair.target).await?.is_some() {
        return Ok(Made::Folds);
    }
    let text = match create(target, &pair.target).await? {
        None => return Ok(Made::Yes),
        Some(text) => text,
    };
    // Some servers want the parents first.
    let mut parents = Vec::new();
    if let Some(delimiter) = delimiter {
        let ends = pair.target.char_indices().filter(|(_, c)| *c == delimiter).map(|(i, _)| i);
        parents.extend(ends.filter_map(|i| pair.target.get(..i)).filter(|p| !p.is_empty() && !existing.contains(*p)));
    }
    if parents.is_empty() {
        return Ok(Made::Refused(text));
    }
    for parent in parents {
        create(target, parent).await?;
    }
    Ok(create(target, &pair.target).await?.map_or(Made::Yes, Made::Refused))
}

/// Makes one folder; the server's words when it refuses. A folder that is there already is made.
pub(super) async fn create(target: &mut Link<'_>, name: &str) -> Result<Option<String>, CopyError> {
    change(target, format!("making the folder `{name}`"), Verb::Create, name).await
}

/// Subscribes one folder; the server's words when it refuses.
pub(super) async fn subscribe(target: &mut Link<'_>, name: &str) -> Result<Option<String>, CopyError> {
    change(target, format!("subscribing to `{name}`"), Verb::Subscribe, name).await
}

#[derive(Clone, Copy)]
enum Verb {
    Create,
    Subscribe,
}

async fn change(target: &mut Link<'_>, doing: String, verb: Verb, name: &str) -> Result<Option<String>, CopyError> {
    let mut tries = target.tries(doing);
    loop {
        let connection = target.change().await?;
        let out = match verb {
            Verb::Create => connection.create(name).await,
            Verb::Subscribe => connection.subscribe(name).await,
        };
        match out {
            Ok(()) => return Ok(None),
            Err(StoreError { kind: StoreErrorKind::Refused(Why::Exists), .. }) => return Ok(None),
            Err(error @ StoreError { kind: StoreErrorKind::Refused(Why::Rejected | Why::NoFolder), .. }) => {
                return Ok(Some(error.to_string()));
            }
            Err(error) => {
                if error.kind == StoreErrorKind::Lost {
                    target.disconnect();
                }
                target.again(&mut tries, error).await?;
            }
        }
    }
}
