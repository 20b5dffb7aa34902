//! What a disk holds of a file when the power fails: all that was synced, and any part of what was not.
//!
//! The record is that of `strace`, of every call by which a program changed the file or had it synced.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    path::{Path, PathBuf},
};

use rand::{Rng as _, rngs::SmallRng};

/// A disk writes this much at once or not at all.
const SECTOR: usize = 512;

/// The calls of the program that are recorded.
pub const CALLS: &str = "pwrite64,pwritev,write,lseek,ftruncate,fsync,fdatasync,unlink,rename";

/// A change of a file that no sync has covered yet.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Change {
    Write(usize, Vec<u8>),
    Length(usize),
    Gone,
}

/// One file on the disk.
#[derive(Clone, Debug, Default)]
struct Content {
    /// What was synced; `None` when it is not there.
    synced: Option<Vec<u8>>,
    open: Vec<Change>,
}

/// What is left of the changes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Left {
    Nothing,
    /// Any sectors of them.
    Some,
    Everything,
}

/// The files of a folder, as a record tells of them.
#[derive(Clone, Debug, Default)]
pub struct Disk {
    files: BTreeMap<PathBuf, Content>,
    /// Syncs that were done.
    pub syncs: usize,
    /// The most writes that one thread made.
    pub writes: u32,
}

fn apply(content: &mut Option<Vec<u8>>, change: &Change) {
    match change {
        Change::Gone => *content = None,
        Change::Length(length) => content.get_or_insert_default().resize(*length, 0),
        Change::Write(at, octets) => {
            let content = content.get_or_insert_default();
            content.resize(content.len().max(at + octets.len()), 0);
            content[*at..at + octets.len()].copy_from_slice(octets);
        }
    }
}

impl Disk {
    /// A disk that holds these files of a folder, as far as they are there, all of them synced.
    pub fn of(folder: &Path, names: &[&str]) -> Self {
        let file = |name: &&str| {
            let path = folder.join(name);
            let content = Content { synced: fs::read(&path).ok(), open: Vec::new() };
            (path, content)
        };
        Self { files: names.iter().map(file).collect(), ..Self::default() }
    }

    /// Takes up a record: `strace -f -y -xx`. A sync covers what was written before it began, once it has ended; a call
    /// that never ended may have done something or nothing.
    pub fn take(&mut self, record: &str) {
        let mut begun: BTreeMap<&str, String> = BTreeMap::new();
        let mut at: BTreeMap<PathBuf, usize> = BTreeMap::new();
        let mut writes: BTreeMap<&str, u32> = BTreeMap::new();
        let mut syncing: BTreeMap<&str, usize> = BTreeMap::new();
        for line in record.lines() {
            let Some((thread, call)) = line.trim_start().split_once(' ') else { continue };
            let call = call.trim_start();
            if let Some(start) = call.strip_suffix(" <unfinished ...>") {
                if let Some(path) = path_of(start).filter(|_| is_sync(start)) {
                    syncing.insert(thread, self.files.entry(path).or_default().open.len());
                }
                begun.insert(thread, start.to_owned());
                continue;
            }
            let whole = match call.strip_prefix("<... ").and_then(|rest| rest.split_once("resumed>")) {
                Some((_, rest)) => begun.remove(thread).unwrap_or_default() + rest,
                None => call.to_owned(),
            };
            if whole.starts_with("pwrite64(") {
                *writes.entry(thread).or_default() += 1;
            }
            self.call(&whole, &mut at, syncing.remove(thread));
        }
        for call in begun.into_values().filter(|call| !is_sync(call)) {
            self.call(&call, &mut at, None);
        }
        self.writes = self.writes.max(writes.into_values().max().unwrap_or(0));
    }

    fn call(&mut self, call: &str, at: &mut BTreeMap<PathBuf, usize>, covered: Option<usize>) {
        let Some((name, _)) = call.split_once('(') else { return };
        if call.contains(") = -1 ") {
            return;
        }
        let Some(path) = path_of(call) else { return };
        let file = self.files.entry(path.clone()).or_default();
        let last = |text: &str| -> usize {
            let inner = text.rsplit_once(')').map_or(text, |(inner, _)| inner);
            inner.rsplit(", ").next().unwrap().trim().parse().unwrap()
        };
        match name {
            "pwrite64" => file.open.push(Change::Write(last(call), octets(call))),
            "write" => {
                let octets = octets(call);
                let from = at.entry(path).or_default();
                file.open.push(Change::Write(*from, octets.clone()));
                *from += octets.len();
            }
            "lseek" => {
                let now = call.rsplit_once("= ").and_then(|(_, n)| n.trim().parse().ok()).unwrap();
                at.insert(path, now);
            }
            "ftruncate" => file.open.push(Change::Length(last(call))),
            "unlink" => file.open.push(Change::Gone),
            "fsync" | "fdatasync" => {
                let covered = covered.unwrap_or(file.open.len());
                for change in file.open.drain(..covered.min(file.open.len())) {
                    apply(&mut file.synced, &change);
                }
                self.syncs += 1;
            }
            // A thread that is gone says nothing of what it was at.
            "???" => {}
            other => panic!("{other} is not understood: {call}"),
        }
    }

    /// How many octets were written and not synced.
    pub fn unsynced(&self) -> usize {
        let octets = |change: &Change| match change {
            Change::Write(_, octets) => octets.len(),
            Change::Length(_) | Change::Gone => 0,
        };
        self.files.values().flat_map(|f| &f.open).map(octets).sum()
    }

    /// The files as they are after the power failed.
    pub fn after(&self, left: Left, random: &mut SmallRng) -> BTreeMap<PathBuf, Vec<u8>> {
        let mut out = BTreeMap::new();
        for (path, file) in &self.files {
            let mut content = file.synced.clone();
            for change in &file.open {
                match (left, change) {
                    (Left::Nothing, _) => {}
                    (Left::Some, Change::Write(from, octets)) => {
                        for (n, part) in octets.chunks(SECTOR).enumerate() {
                            if random.random_bool(0.5) {
                                apply(&mut content, &Change::Write(from + n * SECTOR, part.to_vec()));
                            }
                        }
                    }
                    (Left::Some, change) if random.random_bool(0.5) => apply(&mut content, change),
                    (Left::Some, _) => {}
                    (Left::Everything, change) => apply(&mut content, change),
                }
            }
            out.extend(content.map(|content| (path.clone(), content)));
        }
        out
    }

    /// Puts the files in place; what is not on the disk is gone.
    pub fn restore(&self, left: Left, random: &mut SmallRng) {
        let files = self.after(left, random);
        let known: BTreeSet<&PathBuf> = self.files.keys().collect();
        for path in known {
            match files.get(path) {
                Some(content) => fs::write(path, content).unwrap(),
                None => drop(fs::remove_file(path)),
            }
        }
    }
}

fn is_sync(call: &str) -> bool {
    call.starts_with("fsync(") || call.starts_with("fdatasync(")
}

/// The file that a call is about: behind its descriptor, or named.
fn path_of(call: &str) -> Option<PathBuf> {
    let inner = call.split_once('(')?.1;
    if inner.starts_with('"') {
        return Some(PathBuf::from(String::from_utf8(octets(call)).ok()?));
    }
    let path = inner.split_once('<')?.1.split_once('>')?.0;
    let path = if path.contains("\\x") { String::from_utf8(hex(path)).ok()? } else { path.to_owned() };
    Some(PathBuf::from(path.trim_end_matches(" (deleted)")))
}

/// The octets in quotes, each written as `\x7f`.
fn octets(call: &str) -> Vec<u8> {
    hex(call.split('"').nth(1).unwrap_or_default())
}

fn hex(text: &str) -> Vec<u8> {
    text.split("\\x").skip(1).map(|digits| u8::from_str_radix(digits, 16).unwrap()).collect()
}

#[cfg(test)]
mod tests {
    use rand::SeedableRng as _;

    use super::*;

    #[test]
    fn what_was_not_synced_is_gone_and_what_was_is_there() {
        let record = "\
7 pwrite64(3</x/a>, \"\\x61\\x62\", 2, 0) = 2
7 fdatasync(3</x/a> <unfinished ...>
8 pwrite64(3</x/a>, \"\\x63\", 1, 0) = 1
7 <... fdatasync resumed>) = 0
8 write(4</x/b>, \"\\x64\", 1) = 1
8 unlink(\"\\x2f\\x78\\x2f\\x61\") = 0
8 pwrite64(3</x/a>, \"\\x65\", 1, 4 <unfinished ...>
";
        let mut disk = Disk::default();
        disk.take(record);
        let mut random = SmallRng::seed_from_u64(1);
        let file = |name: &str, text: &str| (PathBuf::from(name), text.as_bytes().to_vec());
        assert_eq!(disk.after(Left::Nothing, &mut random), BTreeMap::from([file("/x/a", "ab")]));
        let all = disk.after(Left::Everything, &mut random);
        assert_eq!(all, BTreeMap::from([file("/x/a", "\0\0\0\0e"), file("/x/b", "d")]));
        assert_eq!((disk.syncs, disk.unsynced(), disk.writes), (1, 3, 1));
    }
}
