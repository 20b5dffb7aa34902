//! APPEND with one message or many (RFC 9051 6.3.12, RFC 3502).

use std::collections::BTreeSet;

use bytes::Bytes;
use jiff::Timestamp;

use super::{
    Fault,
    args::Arg,
    flags,
    session::{Outcome, Refusal, Session, bad, no},
    set,
    world::{Service, World},
};
use crate::sandbox::corpus::InternalDate;

struct Incoming {
    flags: BTreeSet<String>,
    date: InternalDate,
    bytes: Bytes,
}

impl Session {
    pub(super) fn append(&mut self, world: &mut World, args: &[Arg]) -> Outcome {
        let [name, rest @ ..] = args else { return bad("APPEND takes a folder and messages") };
        let name = self.folder_name(world, name)?;
        let messages = self.read_messages(world, &name, rest)?;
        let service = self.service(world)?;
        let breaks_before = service.faults.iter_mut().any(|f| counts_down(f, messages.len(), true));
        let breaks_after = service.faults.iter_mut().any(|f| counts_down(f, messages.len(), false));
        if breaks_before {
            return Err(Refusal::Drop);
        }
        refused(service, &messages)?;
        let quota = service.behaviour.quota;
        let uidplus = !service.behaviour.without.contains("UIDPLUS");
        let mailbox = self.mailbox(world)?;
        let more: u64 = messages.iter().map(|m| m.bytes.len() as u64).sum();
        if quota.is_some_and(|q| mailbox.octets() + more > q) {
            return no("[OVERQUOTA] the mailbox is full");
        }
        let Some(folder) = mailbox.folders.get_mut(&name) else { return no("[TRYCREATE] there is no such folder") };
        let uids: Vec<u32> = messages.into_iter().map(|m| folder.add(m.bytes, m.flags, m.date)).collect();
        let validity = folder.uid_validity;
        if breaks_after {
            return Err(Refusal::Drop);
        }
        Ok(if uidplus { format!("[APPENDUID {validity} {}] stored", set::write(&uids)) } else { "stored".to_owned() })
    }

    fn service<'w>(&self, world: &'w mut World) -> Result<&'w mut Service, Refusal> {
        world.services.get_mut(&self.service).ok_or(Refusal::Drop)
    }

    /// `[flags] [date] literal`, once or more often.
    fn read_messages(&self, world: &mut World, name: &str, mut args: &[Arg]) -> Result<Vec<Incoming>, Refusal> {
        let multiple = !self.service(world)?.behaviour.without.contains("MULTIAPPEND");
        let known = self.mailbox(world)?.folders.get(name).map(|f| f.keywords()).unwrap_or_default();
        let mut out = Vec::new();
        while !args.is_empty() {
            let mut flags = BTreeSet::new();
            if let [Arg::List(list), rest @ ..] = args {
                flags = flags::read(list, &known).map_err(Refusal::Bad)?;
                args = rest;
            }
            let (date, bytes) = match args {
                [date, Arg::Text(bytes), rest @ ..]
                    if date.text().is_some_and(|d| d.parse::<InternalDate>().is_ok()) =>
                {
                    args = rest;
                    (date.text().and_then(|d| d.parse().ok()), bytes)
                }
                [Arg::Text(bytes), rest @ ..] => {
                    args = rest;
                    (None, bytes)
                }
                _ => return bad("APPEND takes flags, a date and a literal"),
            };
            let date = date.unwrap_or_else(|| InternalDate::new(Timestamp::now(), 0));
            out.push(Incoming { flags, date, bytes: bytes.clone() });
        }
        match out.len() {
            0 => bad("a message is missing"),
            2.. if !multiple => bad("one message at a time"),
            _ => Ok(out),
        }
    }
}

/// Whether a counting fault hits one of the next `messages`; it counts down otherwise.
fn counts_down(fault: &mut Fault, messages: usize, before: bool) -> bool {
    let left = match fault {
        Fault::DropBeforeAppend(left) if before => left,
        Fault::DropAfterAppend(left) if !before => left,
        _ => return false,
    };
    let was = *left;
    *left = left.saturating_sub(messages as u64);
    was > 0 && *left == 0
}

/// An atomic refusal: one message with a marker refuses the whole command, as MULTIAPPEND demands.
fn refused(service: &Service, messages: &[Incoming]) -> Result<(), Refusal> {
    for fault in &service.faults {
        if let Fault::RefuseAppend { marker, words } = fault
            && messages.iter().any(|m| contains(&m.bytes, marker))
        {
            return no(words.clone());
        }
    }
    Ok(())
}

pub(super) fn contains(bytes: &[u8], marker: &[u8]) -> bool {
    !marker.is_empty() && bytes.windows(marker.len()).any(|w| w == marker)
}
