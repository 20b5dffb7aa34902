//! What becomes of messages that are appended: stored, refused, cut off, swallowed.

use super::{Batch, Inner, Landing, Message, contains, lost};
use crate::{
    copy::store::{Answer, Appended, Refusal, Why},
    imap::Quirk,
};

impl Inner {
    pub(super) fn append(&mut self, folder: &str, messages: Vec<Message>, each: bool) -> (Answer, bool) {
        let folder = &self.key(folder);
        let known = self.learned.contains(&Quirk::MultiappendUnreliable);
        let multi = self.batch == Batch::Multi && !each && !known;
        self.appends += 1;
        self.changes += 1;
        let hook = self.hook.clone();
        if let Some(hook) = hook.0 {
            hook(self);
        }
        let n = messages.len();
        let unknown = |closed| Answer { results: vec![Appended::Unknown { closed }; n], error: Some(lost()) };
        if let Some((at, landing)) = self.cut
            && self.appends == at
        {
            // Half of a pipeline arrives, or the whole of a batch.
            let arrived = if multi { n } else { n.div_ceil(2) };
            for message in messages.into_iter().take(arrived) {
                match landing {
                    Landing::Never => {}
                    Landing::Now => drop(self.put(folder, message)),
                    Landing::Late => self.late.push((2, folder.clone(), message)),
                }
            }
            self.dead = self.dead_after_cut;
            return (unknown(false), true);
        }
        let bad = |w: &Self, m: &Message| {
            let full = w.room.is_some_and(|room| w.folders.values().map(|f| f.messages.len()).sum::<usize>() >= room);
            let why = if full { Some(Why::Full) } else { None };
            why.or(w.refuses.filter(|text| contains(&m.bytes, text)).map(|_| Why::Rejected))
        };
        let breaks = |w: &Self, m: &Message| w.breaks.is_some_and(|text| contains(&m.bytes, text));
        let refusal = |why| Refusal { why, text: "no".to_owned() };
        if multi {
            if messages.iter().any(|m| breaks(self, m)) {
                return (unknown(true), true);
            }
            if self.refuses_batches && n > 1 {
                return (
                    Answer { results: vec![Appended::BatchRefused(refusal(Why::Rejected)); n], error: None },
                    false,
                );
            }
            let room = self.room.map(|room| room - self.folders.values().map(|f| f.messages.len()).sum::<usize>());
            let over = room.is_some_and(|room| messages.len() > room).then_some(Why::Full);
            if let Some(stored) = self.half_refused.take_if(|_| n > 1) {
                for message in messages.into_iter().take(stored) {
                    self.put(folder, message);
                }
                let refused = Appended::BatchRefused(refusal(Why::Rejected));
                return (Answer { results: vec![refused; n], error: None }, false);
            }
            if let Some(why) = over.or_else(|| messages.iter().find_map(|m| bad(self, m))) {
                let one = if n > 1 { Appended::BatchRefused(refusal(why)) } else { Appended::Refused(refusal(why)) };
                return (Answer { results: vec![one; n], error: None }, false);
            }
        }
        let mut results = Vec::new();
        for message in messages {
            if breaks(self, &message) {
                results.resize(n, Appended::Unknown { closed: true });
                return (Answer { results, error: Some(lost()) }, true);
            }
            results.push(match bad(self, &message) {
                Some(why) => Appended::Refused(refusal(why)),
                None => Appended::Stored(self.store(folder, message)),
            });
        }
        (Answer { results, error: None }, false)
    }

    fn store(&mut self, folder: &str, mut message: Message) -> Option<(u32, u32)> {
        if self.swallows.is_some_and(|text| contains(&message.bytes, text)) {
            return None;
        }
        self.appended += 1;
        if self.alters {
            message.bytes.splice(0..0, *b"X-Seen-By: me\r\n");
        }
        let uid = self.put(folder, message);
        let validity = self.folders.get(folder).unwrap().validity;
        self.uidplus.then_some((validity, if self.lies { uid.saturating_sub(1) } else { uid }))
    }
}
