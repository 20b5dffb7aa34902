//! Folders: names, creation, status, quota.

use super::{
    args::Arg,
    session::{Outcome, Refusal, Session, bad, no},
    wire::{Out, quoted},
    world::World,
};
use crate::sandbox::mail::{names, special_use};

impl Session {
    /// The full name in Unicode that an argument gives; the inbox in any case is `INBOX`.
    pub(super) fn folder_name(&self, world: &World, arg: &Arg) -> Result<String, Refusal> {
        let Some(name) = arg.bytes().and_then(names::decode) else {
            return bad("the folder name is not modified UTF-7");
        };
        let delimiter = self.delimiter(world);
        let mut levels = name.splitn(2, delimiter);
        let first = levels.next().unwrap_or_default();
        // Servers with an `INBOX.` prefix take it in any case as well.
        Ok(match levels.next() {
            _ if !first.eq_ignore_ascii_case("INBOX") => name,
            None => "INBOX".to_owned(),
            Some(rest) => format!("INBOX{delimiter}{rest}"),
        })
    }

    pub(super) fn delimiter(&self, world: &World) -> char {
        world.services.get(&self.service).map_or('/', |s| s.behaviour.delimiter)
    }

    pub(super) fn prefix(&self, world: &World) -> String {
        world.services.get(&self.service).map(|s| s.behaviour.prefix.clone()).unwrap_or_default()
    }

    pub(super) fn namespace(&self, world: &World, out: &mut Out) -> Outcome {
        let delimiter = quoted(&self.delimiter(world).to_string());
        out.line(format!("* NAMESPACE (({} {delimiter})) NIL NIL", quoted(&self.prefix(world))));
        Ok("done".to_owned())
    }

    pub(super) fn create(&mut self, world: &mut World, args: &[Arg]) -> Outcome {
        let [name, options @ ..] = args else { return bad("CREATE takes a folder") };
        let mut purpose = None;
        if let [Arg::List(options)] = options {
            purpose = match options.as_slice() {
                [key, Arg::List(uses)] if key.word().as_deref() == Some("USE") => {
                    uses.first().and_then(Arg::text).and_then(special_use)
                }
                _ => return bad("only USE may follow"),
            };
        }
        let delimiter = self.delimiter(world);
        let prefix = self.prefix(world);
        let name = self.folder_name(world, name)?;
        // A name that ends with the delimiter says that folders will come below it; those make it themselves.
        let parent_only = name.ends_with(delimiter);
        let name = name.trim_end_matches(delimiter).to_owned();
        if name.is_empty() || !name.starts_with(&prefix) || name.split(delimiter).any(str::is_empty) {
            return no("[CANNOT] the name does not fit");
        }
        if self.mailbox(world)?.folders.contains_key(&name) {
            return no("[ALREADYEXISTS] the folder is there already");
        }
        if parent_only {
            return Ok("done".to_owned());
        }
        let fresh = world.fresh_folder(purpose);
        self.mailbox(world)?.folders.insert(name, fresh);
        Ok("created".to_owned())
    }

    pub(super) fn delete(&mut self, world: &mut World, args: &[Arg]) -> Outcome {
        let [name] = args else { return bad("DELETE takes a folder") };
        let name = self.folder_name(world, name)?;
        if name == "INBOX" {
            return no("[CANNOT] the inbox stays");
        }
        if self.mailbox(world)?.folders.remove(&name).is_none() {
            return no("[NONEXISTENT] there is no such folder");
        }
        if self.selected.as_ref().is_some_and(|s| s.name == name) {
            self.selected = None;
        }
        Ok("deleted".to_owned())
    }

    pub(super) fn rename(&mut self, world: &mut World, args: &[Arg]) -> Outcome {
        let [from, to] = args else { return bad("RENAME takes two folders") };
        let (from, to) = (self.folder_name(world, from)?, self.folder_name(world, to)?);
        let below = format!("{from}{}", self.delimiter(world));
        let fresh = world.fresh_folder(None);
        let mailbox = self.mailbox(world)?;
        if mailbox.folders.contains_key(&to) || to.starts_with(&below) {
            return no("[ALREADYEXISTS] the name is taken");
        }
        if from == "INBOX" {
            // Its mail moves, the inbox itself stays (RFC 9051 6.3.6).
            let inbox = mailbox.folders.insert(from, fresh);
            mailbox.folders.extend(inbox.map(|folder| (to, folder)));
            return Ok("moved".to_owned());
        }
        let moved: Vec<String> =
            mailbox.folders.keys().filter(|n| **n == from || n.starts_with(&below)).cloned().collect();
        if moved.is_empty() {
            return no("[NONEXISTENT] there is no such folder");
        }
        for old in moved {
            let new = format!("{to}{}", old.strip_prefix(&from).unwrap_or_default());
            if let Some(folder) = mailbox.folders.remove(&old) {
                mailbox.folders.insert(new, folder);
            }
        }
        Ok("renamed".to_owned())
    }

    pub(super) fn subscribe(&mut self, world: &mut World, args: &[Arg], on: bool) -> Outcome {
        let [name] = args else { return bad("a folder was expected") };
        let name = self.folder_name(world, name)?;
        let mailbox = self.mailbox(world)?;
        if on {
            mailbox.subscriptions.insert(name);
        } else {
            mailbox.subscriptions.remove(&name);
        }
        Ok("done".to_owned())
    }

    pub(super) fn status(&mut self, world: &mut World, args: &[Arg], out: &mut Out) -> Outcome {
        let [name, Arg::List(items)] = args else { return bad("STATUS takes a folder and items") };
        let name = self.folder_name(world, name)?;
        let line = self.status_line(world, &name, items)?;
        out.line(line);
        Ok("done".to_owned())
    }

    /// `* STATUS name (items)`
    pub(super) fn status_line(&self, world: &mut World, name: &str, items: &[Arg]) -> Result<String, Refusal> {
        let limit = world.services.get(&self.service).and_then(|s| s.behaviour.append_limit);
        let mailbox = self.mailbox(world)?;
        let Some(folder) = mailbox.folders.get(name) else { return no("[NONEXISTENT] there is no such folder") };
        let mut out = Vec::new();
        for item in items {
            let item = item.word().unwrap_or_default();
            let with = |flag| folder.messages.iter().filter(|m| m.flags.contains(flag)).count();
            let value = match item.as_str() {
                "MESSAGES" => folder.messages.len().to_string(),
                "RECENT" => "0".to_owned(),
                "UIDNEXT" => folder.uid_next.to_string(),
                "UIDVALIDITY" => folder.uid_validity.to_string(),
                "UNSEEN" => (folder.messages.len() - with("\\Seen")).to_string(),
                "DELETED" => with("\\Deleted").to_string(),
                "SIZE" => folder.octets().to_string(),
                "HIGHESTMODSEQ" => folder.modseq.to_string(),
                "APPENDLIMIT" => limit.map_or_else(|| "NIL".to_owned(), |l| l.to_string()),
                _ => return bad("the item is not known"),
            };
            out.push(format!("{item} {value}"));
        }
        Ok(format!("* STATUS {} ({})", quoted(&names::encode(name)), out.join(" ")))
    }

    pub(super) fn quota_root(&mut self, world: &mut World, args: &[Arg], out: &mut Out) -> Outcome {
        let [name] = args else { return bad("GETQUOTAROOT takes a folder") };
        let name = self.folder_name(world, name)?;
        out.line(format!("* QUOTAROOT {} \"mail\"", quoted(&names::encode(&name))));
        self.quota_line(world, out)
    }

    pub(super) fn quota(&mut self, world: &mut World, args: &[Arg], out: &mut Out) -> Outcome {
        match args {
            [root] if root.text() == Some("mail") => self.quota_line(world, out),
            _ => no("[NONEXISTENT] there is no such quota root"),
        }
    }

    /// STORAGE counts units of 1024 octets (RFC 9208 5.1).
    fn quota_line(&self, world: &mut World, out: &mut Out) -> Outcome {
        let limit = world.services.get(&self.service).and_then(|s| s.behaviour.quota);
        let used = self.mailbox(world)?.octets().div_ceil(1024);
        out.line(match limit {
            Some(limit) => format!("* QUOTA \"mail\" (STORAGE {used} {})", limit / 1024),
            None => "* QUOTA \"mail\" ()".to_owned(),
        });
        Ok("done".to_owned())
    }
}
