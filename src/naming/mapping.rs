//! Which folder of the target each folder of the source goes to. Pure.
//!
//! Two folders of the source never share a folder of the target: what is counted on one side can then be counted on the
//! other.

use std::collections::{BTreeMap, BTreeSet};

use super::names::{self, Refused};
use crate::model::{FolderPath, MailFilter, SpecialUse};

/// One folder of a mailbox, as far as mapping is concerned.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Folder {
    /// Its path as it was listed.
    pub path: FolderPath,
    /// Its name on the wire, decoded to Unicode.
    pub name: String,
    /// Its purpose, where the server says.
    pub special_use: Option<SpecialUse>,
}

/// The folders of one mailbox and how it forms names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Tree {
    /// The hierarchy delimiter; `None` for a flat name space.
    pub delimiter: Option<char>,
    /// The prefix of personal folders (RFC 2342) with its delimiter, such as `INBOX.`; empty for none.
    pub prefix: String,
    /// The folders.
    pub folders: Vec<Folder>,
}

impl Tree {
    /// The path without the components of the prefix.
    fn logical<'a>(&self, path: &'a FolderPath) -> &'a [String] {
        let prefix: Vec<&str> = match self.delimiter {
            Some(d) => self.prefix.split(d).filter(|part| !part.is_empty()).collect(),
            None => Vec::new(),
        };
        let starts = path.0.len() > prefix.len() && prefix.iter().zip(&path.0).all(|(a, b)| a.eq_ignore_ascii_case(b));
        if starts { path.0.get(prefix.len()..).unwrap_or(&path.0) } else { &path.0 }
    }

    /// The folders with a purpose, one per purpose: by the server's attribute first, then by the best known name.
    fn roles(&self) -> BTreeMap<SpecialUse, &Folder> {
        let mut roles: BTreeMap<SpecialUse, &Folder> = BTreeMap::new();
        let mut sorted: Vec<&Folder> = self.folders.iter().filter(|f| !f.path.is_inbox()).collect();
        sorted.sort_by(|a, b| a.path.cmp(&b.path));
        for folder in &sorted {
            if let Some(role) = folder.special_use {
                roles.entry(role).or_insert(folder);
            }
        }
        sorted.sort_by_key(|f| self.logical(&f.path).last().map_or(usize::MAX, |name| names::rank(name)));
        for folder in sorted.into_iter().filter(|f| f.special_use.is_none()) {
            if let Some(role) = self.role_by_name(&folder.path) {
                roles.entry(role).or_insert(folder);
            }
        }
        roles
    }

    fn role_by_name(&self, path: &FolderPath) -> Option<SpecialUse> {
        match self.logical(path) {
            [name] => names::role(name),
            [root, name] if ["[Gmail]", "[Google Mail]"].contains(&root.as_str()) => names::role(name),
            _ => None,
        }
    }

    fn root(&self) -> String {
        self.prefix.clone()
    }
}

/// What was learned of the target while folders were made there.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Learned {
    /// The target takes names for one that differ only in case or composition.
    pub folds: bool,
    /// Folders of the source whose plain name the target refused.
    pub strict: BTreeSet<FolderPath>,
    /// Folders of the source that the target would not have below another folder.
    pub flat: BTreeSet<FolderPath>,
    /// Folders of the source whose name was refused in both ways: it is too long for the target, or too deep.
    pub short: BTreeSet<FolderPath>,
    /// Names at the target that earlier passes chose; they stay.
    pub known: BTreeMap<FolderPath, String>,
    /// Folders of the source that are to have another name, as components without the target's prefix.
    pub renamed: BTreeMap<FolderPath, Vec<String>>,
}

/// Where one folder of the source goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pair {
    /// The folder at the source.
    pub source: FolderPath,
    /// The name at the target, in Unicode, with the target's prefix and delimiter.
    pub target: String,
    /// Whether the target has it already.
    pub exists: bool,
    /// What a person should know about the name.
    pub remark: Option<String>,
}

/// Maps every folder of the source. The result is in the order of source paths, and no two folders share a target.
#[must_use]
pub fn map_folders(source: &Tree, target: &Tree, learned: &Learned) -> Vec<Pair> {
    let mut mapper = Mapper {
        source,
        target,
        learned,
        existing: target.folders.iter().map(|f| f.name.as_str()).collect(),
        taken: BTreeSet::new(),
        chosen: BTreeMap::new(),
    };
    let mut paths: Vec<&FolderPath> = source.folders.iter().map(|f| &f.path).collect();
    paths.sort();
    paths.dedup();
    for path in &paths {
        if let Some(name) = learned.known.get(*path) {
            mapper.choose(path, name.clone(), None);
        }
    }
    for path in &paths {
        if !mapper.chosen.contains_key(*path) && (path.is_inbox() || learned.renamed.contains_key(*path)) {
            mapper.map_named(path);
        }
    }
    mapper.map_roles();
    for path in &paths {
        if !mapper.chosen.contains_key(*path) {
            mapper.map_plain(path);
        }
    }
    mapper.chosen.into_values().collect()
}

struct Mapper<'a> {
    source: &'a Tree,
    target: &'a Tree,
    learned: &'a Learned,
    existing: BTreeSet<&'a str>,
    taken: BTreeSet<String>,
    chosen: BTreeMap<FolderPath, Pair>,
}

impl Mapper<'_> {
    fn key(&self, name: &str) -> String {
        if self.learned.folds || name.eq_ignore_ascii_case("INBOX") { names::folded(name) } else { name.to_owned() }
    }

    /// Takes a name if it is free.
    fn choose(&mut self, path: &FolderPath, name: String, remark: Option<String>) -> bool {
        if !self.taken.insert(self.key(&name)) {
            return false;
        }
        let exists = self.existing.contains(name.as_str());
        self.chosen.insert(path.clone(), Pair { source: path.clone(), target: name, exists, remark });
        true
    }

    fn map_roles(&mut self) {
        let theirs = self.target.roles();
        let ours = self.source.roles();
        for (role, folder) in &ours {
            // What Gmail keeps under no label is what others keep in an archive.
            let archive = *role == SpecialUse::All && !ours.contains_key(&SpecialUse::Archive);
            let place = theirs.get(role).or_else(|| theirs.get(&SpecialUse::Archive).filter(|_| archive));
            let Some(place) = place else { continue };
            if !self.chosen.contains_key(&folder.path) {
                let same = self.source.logical(&folder.path) == self.target.logical(&place.path);
                let remark = (!same).then(|| format!("`{}` goes to the target's own `{}`", folder.path, place.path));
                self.choose(&folder.path, place.name.clone(), remark);
            }
        }
    }

    /// The inbox, and what the filter gives another name.
    fn map_named(&mut self, path: &FolderPath) {
        match self.learned.renamed.get(path).map(Vec::as_slice) {
            None => drop(self.choose(path, "INBOX".to_owned(), None)),
            Some([one]) if one.eq_ignore_ascii_case("INBOX") => drop(self.choose(path, "INBOX".to_owned(), None)),
            Some(wanted) => self.place(path, (self.target.root(), wanted.to_vec()), wanted),
        }
    }

    fn map_plain(&mut self, path: &FolderPath) {
        let (source, place) = (self.source, self.parent(path));
        self.place(path, place, source.logical(path));
    }

    /// Gives a folder the name below a parent that is nearest to the wanted one; `whole` is its name without parents.
    fn place(&mut self, path: &FolderPath, (parent, rest): (String, Vec<String>), whole: &[String]) {
        let refused = Refused { delimiter: self.target.delimiter, strict: self.learned.strict.contains(path) };
        let escaped: Vec<String> = rest.iter().map(|c| names::escape(c, refused)).collect();
        let changed = escaped != rest;
        let name = match self.target.delimiter {
            Some(delimiter) if !self.learned.flat.contains(path) => parent + &escaped.join(&delimiter.to_string()),
            _ => {
                let slash = Refused { delimiter: Some('/'), ..refused };
                let whole = whole.iter().map(|c| names::escape(c, slash)).collect::<Vec<_>>();
                self.target.root() + &whole.join("=2F").replace(|c| Some(c) == self.target.delimiter, "_")
            }
        };
        let short = self.learned.short.contains(path);
        let name = if short { self.target.root() + &names::shortened(whole, self.target.delimiter) } else { name };
        let near = self.near(&name);
        let plain = near.unwrap_or(name);
        let mut candidate = plain.clone();
        let mut n = 1;
        while self.taken.contains(&self.key(&candidate)) {
            n += 1;
            candidate = format!("{plain} ({n})");
        }
        let flat = self.learned.flat.contains(path);
        let remark = if n > 1 {
            Some(format!("`{path}` goes to `{candidate}`, because another folder goes to `{plain}`"))
        } else if short {
            Some(format!("`{path}` goes to `{candidate}`, because the target takes no name that is as long or as deep"))
        } else if changed || flat {
            Some(format!("`{path}` goes to `{candidate}`, because the target cannot hold its name"))
        } else {
            None
        };
        self.choose(path, candidate, remark);
    }

    /// The name at the target of the nearest ancestor that has one, with its delimiter, and the components below it.
    fn parent(&self, path: &FolderPath) -> (String, Vec<String>) {
        let logical = self.source.logical(path);
        let cut = path.0.len() - logical.len();
        for n in (1..path.0.len()).rev() {
            let head = FolderPath(path.0.iter().take(n).cloned().collect());
            if n <= cut {
                break; // only the prefix is left
            }
            let Some(pair) = self.chosen.get(&head) else { continue };
            let Some(delimiter) = self.target.delimiter else { break };
            return (format!("{}{delimiter}", pair.target), path.0.iter().skip(n).cloned().collect());
        }
        (self.target.root(), logical.to_vec())
    }

    /// A folder that the target has under nearly the same name: another composition, or another case where the target
    /// does not tell cases apart.
    fn near(&self, name: &str) -> Option<String> {
        if self.existing.contains(name) {
            return None;
        }
        let form: fn(&str) -> String = if self.learned.folds { names::folded } else { names::composed };
        let wanted = form(name);
        let free = |n: &&&str| !self.taken.contains(&self.key(n));
        self.existing.iter().filter(free).find(|n| form(n) == wanted).map(|n| (*n).to_owned())
    }
}

/// Whether a filter leaves a folder in.
#[must_use]
pub fn included(filter: &MailFilter, path: &FolderPath) -> bool {
    filter.takes(path)
}

#[cfg(test)]
#[path = "mapping_tests.rs"]
mod tests;
