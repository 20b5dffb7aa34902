//! Folders that go to the target under another name: shown before anything is made.

use std::collections::{BTreeMap, BTreeSet};

use super::{decide::Case, draft::Draft, world::World};
use crate::{
    model::{Address, MailboxView, NoteKind},
    naming::{
        mapping::{Folder, Learned, Pair, Tree, included, map_folders},
        names,
    },
};

/// How many folders one note names.
const SHOWN: usize = 5;

fn tree(view: &MailboxView) -> Tree {
    let folders = view.folders.iter().map(|(path, folder)| Folder {
        path: path.clone(),
        name: folder.wire_name.clone(),
        special_use: folder.special_use,
    });
    Tree { delimiter: view.delimiter, prefix: view.prefix.clone(), folders: folders.collect() }
}

/// Says which folders change their name, where both mailboxes were looked into. Later passes keep the names that the
/// first one chose.
pub(super) fn tell(world: &World<'_>, case: &Case<'_>, target: &Address, draft: &mut Draft) {
    let Some(source) = &case.source else { return };
    let Some(from) = world.open_mailbox(source.platform, &source.now) else { return };
    let Some(to) = world.open_mailbox(case.target, target) else { return };
    let filter = &case.account.mail.filter;
    let copied: BTreeSet<_> =
        from.folders.iter().filter(|(path, f)| f.selectable && included(filter, path)).map(|(path, _)| path).collect();
    let mut pairs = map_folders(&tree(from), &tree(to), &Learned::default());
    pairs.retain(|p| copied.contains(&p.source));
    let twins = twins(&pairs);
    // That a folder goes to the target's own of the same purpose is what everybody expects.
    let remarks: Vec<String> = pairs.into_iter().filter(|p| !p.exists).filter_map(|p| p.remark).collect();
    for (code, lines, help) in [
        ("folder-renamed", remarks, "nothing has to be done; the names are kept by every later pass"),
        (
            "folder-twins",
            twins,
            "nothing has to be done: they stay apart; give one another name with `rename` to choose it",
        ),
    ] {
        if lines.is_empty() {
            continue;
        }
        let mut message = lines.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
        if lines.len() > SHOWN {
            message.push_str(&format!("; and {} more", lines.len() - SHOWN));
        }
        draft.listing(NoteKind::Info, code, (case.address.key(), message), Some(help.to_owned()), lines);
    }
}

/// Folders whose names differ only in case or in how letters are composed, which some targets take for one.
fn twins(pairs: &[Pair]) -> Vec<String> {
    let mut forms: BTreeMap<String, Vec<&Pair>> = BTreeMap::new();
    for pair in pairs {
        forms.entry(names::folded(&pair.target)).or_default().push(pair);
    }
    let groups = forms.into_values().filter_map(|group| {
        let (first, rest) = group.split_first().filter(|(_, rest)| !rest.is_empty())?;
        let others: Vec<String> =
            rest.iter().zip(2..).map(|(p, n)| format!("`{}` goes to `{} ({n})`", p.source, p.target)).collect();
        Some(format!("where the target takes them for one, `{}` stays and {}", first.source, others.join(", ")))
    });
    groups.collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::FolderPath;

    #[test]
    fn names_that_differ_only_in_case_or_composition_are_told_with_where_they_would_go() {
        let pair = |name: &str| Pair {
            source: FolderPath(vec![name.to_owned()]),
            target: name.to_owned(),
            exists: false,
            remark: None,
        };
        let all = ["Caf\u{e9}", "Cafe\u{301}", "Work", "work", "WORK", "alone"].map(pair);
        assert_eq!(
            twins(&all),
            [
                "where the target takes them for one, `Caf\u{e9}` stays and `Cafe\u{301}` goes to `Cafe\u{301} (2)`",
                "where the target takes them for one, `Work` stays and `work` goes to `work (2)`, `WORK` goes to `WORK (3)`",
            ]
        );
    }
}
