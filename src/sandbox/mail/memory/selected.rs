//! The selected folder: opening, closing, and what its session has been told.

use std::collections::BTreeSet;

use super::{
    args::{Arg, Command},
    fetch, flags,
    session::{Outcome, Refusal, Session, bad, no},
    set::{self, NumberSet},
    wire::Out,
    world::{Folder, Stored, World},
};

/// What a session believes about its folder.
#[derive(Debug)]
pub(super) struct Selected {
    pub(super) name: String,
    uid_validity: u32,
    pub(super) read_only: bool,
    /// The UIDs by sequence number.
    pub(super) uids: Vec<u32>,
    /// Changes of flags up to here were told.
    pub(super) modseq: u64,
}

impl Session {
    pub(super) fn select(&mut self, world: &mut World, args: &[Arg], read_only: bool, out: &mut Out) -> Outcome {
        let [name, options @ ..] = args else { return bad("SELECT takes a folder") };
        if let [options] = options {
            let options = options.list().unwrap_or_default();
            self.condstore |= options.iter().any(|o| o.word().as_deref() == Some("CONDSTORE"));
        }
        self.selected = None;
        let name = self.folder_name(world, name)?;
        let mailbox = self.mailbox(world)?;
        let Some(folder) = mailbox.folders.get(&name) else { return no("[NONEXISTENT] there is no such folder") };
        let known: Vec<String> = flags::SYSTEM
            .iter()
            .map(|f| (*f).to_owned())
            .chain(folder.keywords().iter().map(|k| (*k).to_owned()))
            .collect();
        out.line(format!("* FLAGS ({})", flags::write(&known)));
        let permanent = if read_only { String::new() } else { format!("{} \\*", flags::write(&known)) };
        out.line(format!("* OK [PERMANENTFLAGS ({permanent})] kept"));
        out.line(format!("* {} EXISTS", folder.messages.len()));
        out.line("* 0 RECENT");
        if let Some(at) = folder.messages.iter().position(|m| !m.flags.contains("\\Seen")) {
            out.line(format!("* OK [UNSEEN {}] first unseen", at + 1));
        }
        out.line(format!("* OK [UIDVALIDITY {}] valid", folder.uid_validity));
        out.line(format!("* OK [UIDNEXT {}] next", folder.uid_next));
        out.line(format!("* OK [HIGHESTMODSEQ {}] highest", folder.modseq));
        self.selected = Some(Selected {
            name,
            uid_validity: folder.uid_validity,
            read_only,
            uids: folder.messages.iter().map(|m| m.uid).collect(),
            modseq: folder.modseq,
        });
        Ok(format!("[{}] open", if read_only { "READ-ONLY" } else { "READ-WRITE" }))
    }

    /// The open folder.
    pub(super) fn open<'w>(&self, world: &'w mut World) -> Result<(&'w mut Folder, &Selected), Refusal> {
        let Some(selected) = &self.selected else { return bad("no folder is open") };
        let mailbox = self.mailbox(world)?;
        match mailbox.folders.get_mut(&selected.name) {
            Some(folder) if folder.uid_validity == selected.uid_validity => Ok((folder, selected)),
            _ => Err(Refusal::Bye("the open folder is gone".to_owned())),
        }
    }

    /// The open folder, to change it.
    pub(super) fn writable<'w>(&self, world: &'w mut World) -> Result<(&'w mut Folder, &Selected), Refusal> {
        let (folder, selected) = self.open(world)?;
        if selected.read_only {
            return no("[READ-ONLY] the folder was opened read-only");
        }
        Ok((folder, selected))
    }

    /// The messages that a set names, as sequence number and UID, in order.
    pub(super) fn resolve(selected: &Selected, command: &Command, at: usize) -> Result<Vec<(usize, u32)>, Refusal> {
        let set = command.args.get(at).and_then(Arg::text).and_then(NumberSet::parse);
        let Some(set) = set else { return bad("a set of numbers was expected") };
        let numbered = selected.uids.iter().enumerate().map(|(i, uid)| (i + 1, *uid));
        if command.uid {
            let last = selected.uids.last().copied().unwrap_or(0);
            return Ok(numbered.filter(|(_, uid)| set.contains(*uid, last)).collect());
        }
        let last = u32::try_from(selected.uids.len()).unwrap_or(u32::MAX);
        if set.largest() > last {
            return bad("there is no message with that number");
        }
        Ok(numbered.filter(|(n, _)| u32::try_from(*n).is_ok_and(|n| set.contains(n, last))).collect())
    }

    /// Tells what others, or the last command, changed in the open folder.
    pub(super) fn tell_changes(&mut self, world: &mut World, expunges: bool, out: &mut Out) -> Result<(), Refusal> {
        if self.selected.is_none() {
            return Ok(());
        }
        let condstore = self.condstore;
        let (folder, _) = self.open(world)?;
        let Some(selected) = &mut self.selected else { return Ok(()) };
        if expunges {
            let gone: Vec<usize> = (0..selected.uids.len())
                .rev()
                .filter(|i| selected.uids.get(*i).is_some_and(|uid| folder.get(*uid).is_none()))
                .collect();
            for i in gone {
                selected.uids.remove(i);
                out.line(format!("* {} EXPUNGE", i + 1));
            }
        }
        let seen = selected.uids.last().copied().unwrap_or(0);
        let fresh: Vec<u32> = folder.messages.iter().map(|m| m.uid).filter(|uid| *uid > seen).collect();
        if !fresh.is_empty() {
            selected.uids.extend(fresh);
            out.line(format!("* {} EXISTS", selected.uids.len()));
            out.line("* 0 RECENT");
        }
        if folder.modseq > selected.modseq {
            for (i, uid) in selected.uids.iter().enumerate() {
                let changed = folder.get(*uid).filter(|m| m.modseq > selected.modseq && *uid <= seen);
                if let Some(message) = changed {
                    out.line(fetch::flags_line(i + 1, message, true, condstore));
                }
            }
            selected.modseq = folder.modseq;
        }
        Ok(())
    }

    pub(super) fn close(&mut self, world: &mut World, expunge: bool) -> Outcome {
        let (folder, selected) = self.open(world)?;
        if expunge && !selected.read_only {
            folder.remove(|m| m.flags.contains("\\Deleted"));
        }
        self.selected = None;
        Ok("closed".to_owned())
    }

    pub(super) fn expunge(&mut self, world: &mut World, command: &Command) -> Outcome {
        let (folder, selected) = self.writable(world)?;
        let among: Option<BTreeSet<u32>> = if command.uid {
            Some(Self::resolve(selected, command, 0)?.into_iter().map(|(_, uid)| uid).collect())
        } else {
            None
        };
        let due = |m: &Stored| m.flags.contains("\\Deleted") && among.as_ref().is_none_or(|a| a.contains(&m.uid));
        folder.remove(due);
        Ok("expunged".to_owned())
    }

    pub(super) fn store(&mut self, world: &mut World, command: &Command, out: &mut Out) -> Outcome {
        let condstore = self.condstore;
        let (folder, selected) = self.writable(world)?;
        let messages = Self::resolve(selected, command, 0)?;
        let (unchanged_since, rest) = match command.args.get(1..).unwrap_or_default() {
            [Arg::List(modifier), rest @ ..] => match modifier.as_slice() {
                [key, value] if key.word().as_deref() == Some("UNCHANGEDSINCE") => {
                    (value.text().and_then(|v| v.parse::<u64>().ok()), rest)
                }
                _ => return bad("the modifier is not known"),
            },
            rest => (None, rest),
        };
        let [item, values @ ..] = rest else { return bad("STORE takes an item and flags") };
        let item = item.word().unwrap_or_default();
        let silent = item.ends_with(".SILENT");
        let values = match values {
            [Arg::List(list)] => list,
            list => list,
        };
        let given = flags::read(values, &folder.keywords()).map_err(Refusal::Bad)?;
        let mut modified = Vec::new();
        for (number, uid) in messages {
            let Some(message) = folder.get(uid) else { continue };
            if unchanged_since.is_some_and(|limit| message.modseq > limit) {
                modified.push(if command.uid { uid } else { u32::try_from(number).unwrap_or(0) });
                continue;
            }
            let next = match item.trim_end_matches(".SILENT") {
                "FLAGS" => given.clone(),
                "+FLAGS" => message.flags.union(&given).cloned().collect(),
                "-FLAGS" => message.flags.difference(&given).cloned().collect(),
                _ => return bad("only FLAGS can be stored"),
            };
            folder.set_flags(uid, next);
            if let Some(message) = folder.get(uid).filter(|_| !silent) {
                out.line(fetch::flags_line(number, message, command.uid, condstore));
            }
        }
        // What was just told, or was asked not to be told, is not told again.
        let modseq = folder.modseq;
        if let Some(selected) = &mut self.selected {
            selected.modseq = modseq;
        }
        if modified.is_empty() {
            Ok("stored".to_owned())
        } else {
            Ok(format!("[MODIFIED {}] some", set::write(&modified)))
        }
    }

    /// COPY and MOVE (RFC 9051 6.4.7, 6.4.8).
    pub(super) fn copy(&mut self, world: &mut World, command: &Command, moves: bool, out: &mut Out) -> Outcome {
        let Some(target) = command.args.get(1) else { return bad("a folder is missing") };
        let target = self.folder_name(world, target)?;
        let (folder, selected) = if moves { self.writable(world)? } else { self.open(world)? };
        let uids: Vec<u32> = Self::resolve(selected, command, 0)?.into_iter().map(|(_, uid)| uid).collect();
        let messages: Vec<Stored> = uids.iter().filter_map(|uid| folder.get(*uid)).cloned().collect();
        let mailbox = self.mailbox(world)?;
        let Some(place) = mailbox.folders.get_mut(&target) else { return no("[TRYCREATE] there is no such folder") };
        let from: Vec<u32> = messages.iter().map(|m| m.uid).collect();
        let to: Vec<u32> = messages.into_iter().map(|m| place.add(m.bytes, m.flags, m.date)).collect();
        let code = format!("[COPYUID {} {} {}]", place.uid_validity, set::write(&from), set::write(&to));
        if moves {
            let (folder, _) = self.writable(world)?;
            folder.remove(|m| from.binary_search(&m.uid).is_ok());
        }
        if from.is_empty() {
            return Ok("nothing to do".to_owned());
        }
        if moves {
            out.line(format!("* OK {code} moved"));
            return Ok("moved".to_owned());
        }
        Ok(format!("{code} copied"))
    }
}
