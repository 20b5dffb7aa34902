//! Folders that go to the target under another name: shown before anything is made.

use std::collections::BTreeSet;

use super::{decide::Case, draft::Draft, world::World};
use crate::{
    model::{Address, MailboxView, NoteKind},
    naming::mapping::{Folder, Learned, Tree, included, map_folders},
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
    let pairs = map_folders(&tree(from), &tree(to), &Learned::default());
    // That a folder goes to the target's own of the same purpose is what everybody expects.
    let remarks: Vec<String> =
        pairs.into_iter().filter(|p| !p.exists && copied.contains(&p.source)).filter_map(|p| p.remark).collect();
    if remarks.is_empty() {
        return;
    }
    let mut message = remarks.iter().take(SHOWN).cloned().collect::<Vec<_>>().join("; ");
    if remarks.len() > SHOWN {
        message.push_str(&format!("; and {} more", remarks.len() - SHOWN));
    }
    let help = "nothing has to be done; the names are kept by every later pass".to_owned();
    draft.note(NoteKind::Info, "folder-renamed", case.address.key(), message, Some(help));
}
