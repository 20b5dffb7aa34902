//! Which folders a made-up mailbox has, and how mail spreads over them.

use crate::model::SpecialUse;

/// One folder of every made-up mailbox.
pub(super) struct Layout {
    pub(super) path: &'static [&'static str],
    pub(super) special_use: Option<SpecialUse>,
    pub(super) subscribed: bool,
    /// Its share of the mail; `None` for a folder that can hold none.
    pub(super) weight: Option<usize>,
}

const fn folder(path: &'static [&'static str], weight: usize) -> Layout {
    Layout { path, special_use: None, subscribed: true, weight: Some(weight) }
}

const fn special(path: &'static [&'static str], special_use: SpecialUse, weight: usize) -> Layout {
    Layout { path, special_use: Some(special_use), subscribed: true, weight: Some(weight) }
}

const fn unsubscribed(path: &'static [&'static str], weight: usize) -> Layout {
    Layout { path, special_use: None, subscribed: false, weight: Some(weight) }
}

const fn parent(path: &'static [&'static str]) -> Layout {
    Layout { path, special_use: None, subscribed: false, weight: None }
}

/// Parents come before their children, as a server would create them.
pub(super) const FOLDERS: [Layout; 21] = [
    folder(&["INBOX"], 30),
    special(&["Sent"], SpecialUse::Sent, 14),
    special(&["Drafts"], SpecialUse::Drafts, 2),
    special(&["Trash"], SpecialUse::Trash, 5),
    special(&["Junk"], SpecialUse::Junk, 3),
    special(&["Archive"], SpecialUse::Archive, 6),
    folder(&["Archive", "2019"], 5),
    folder(&["Archive", "2024"], 8),
    parent(&["Projekte"]),
    folder(&["Projekte", "Größe & Maße"], 6),
    folder(&["Projekte", "Zürich", "Angebote \"neu\""], 3),
    folder(&["日本語"], 2),
    folder(&["日本語", "受信箱"], 3),
    folder(&["Family & Friends"], 3),
    folder(&["Zażółć gęślą"], 1),
    unsubscribed(&["Lists", "rust-lang"], 5),
    unsubscribed(&["Lists", "a~b c'd"], 1),
    folder(&["Leer"], 0),
    folder(&["tief", "er", "und", "noch", "tiefer"], 1),
    folder(&["Emoji 📬"], 1),
    folder(&["2026"], 1),
];

/// How many messages each folder of [`FOLDERS`] gets.
pub(super) fn spread(messages: usize) -> Vec<usize> {
    let total: usize = FOLDERS.iter().filter_map(|f| f.weight).sum();
    let mut counts: Vec<usize> = FOLDERS.iter().map(|f| messages * f.weight.unwrap_or(0) / total).collect();
    let rest = messages - counts.iter().sum::<usize>();
    // What the division leaves over goes to the folders that got nothing, so that small mailboxes are spread as well.
    let mut left = rest;
    for (count, layout) in counts.iter_mut().zip(&FOLDERS) {
        if left > 0 && *count == 0 && layout.weight.is_some_and(|w| w > 0) {
            *count = 1;
            left -= 1;
        }
    }
    if let Some(inbox) = counts.first_mut() {
        *inbox += left;
    }
    counts
}
