//! Mail to rehearse with: deterministic, realistic, odd.
//!
//! The same seed, person and number give the same bytes on every machine, and one mailbox never depends on another.
//! Everything that is known to break copies of mail is in it: see [`Oddity`].

mod content;
mod date;
mod layout;
mod message;

use std::{collections::BTreeSet, fmt};

use rand::{Rng, SeedableRng, rngs::SmallRng};
use sha2::{Digest, Sha256};

pub use date::InternalDate;
pub(in crate::sandbox) use date::month;
pub use message::Oddity;

use self::{
    content::Content,
    layout::{FOLDERS, Layout},
    message::Composer,
};
use crate::model::{Address, FolderPath, SpecialUse};

/// Somebody whose mailbox is made up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Person {
    /// The address; it also decides the content.
    pub address: Address,
    /// The name people read.
    pub name: String,
}

/// One folder with its mail.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FolderMail {
    /// Its path.
    pub path: FolderPath,
    /// Its purpose. A store puts such mail into its own folder for that purpose.
    pub special_use: Option<SpecialUse>,
    /// Whether it is subscribed.
    pub subscribed: bool,
    /// Whether it can hold messages; a folder that cannot is only the parent of others.
    pub selectable: bool,
    /// Its messages in the order of their UIDs.
    pub messages: Vec<Message>,
}

/// One message as a server stores it.
#[derive(Clone, PartialEq, Eq)]
pub struct Message {
    /// The bytes as sent over IMAP: lines end with CRLF.
    pub bytes: Vec<u8>,
    /// System flags and keywords, such as `\Seen` and `$Forwarded`.
    pub flags: BTreeSet<String>,
    /// When the server got it.
    pub internal_date: InternalDate,
}

impl fmt::Debug for Message {
    /// The size instead of the bytes: a mailbox is too much to read.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Message({} octets, {:?}, {})", self.bytes.len(), self.flags, self.internal_date)
    }
}

/// A source of made-up mailboxes.
#[derive(Clone, Debug)]
pub struct Corpus {
    seed: u64,
    content: Content,
}

impl Corpus {
    /// Everything that follows depends on this number alone.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self { seed, content: Content::new(&mut rng(seed, "content")) }
    }

    /// A mailbox of that many messages. From 30 messages on every [`Oddity`] occurs.
    #[must_use]
    pub fn mailbox(&self, person: &Person, messages: usize) -> Vec<FolderMail> {
        let mut rng = rng(self.seed, &person.address.key());
        let counts = layout::spread(messages);
        let mut composer = Composer::new(&self.content, person, messages);
        let folder = |(layout, count): (&Layout, usize)| FolderMail {
            path: FolderPath(layout.path.iter().map(|&s| s.to_owned()).collect()),
            special_use: layout.special_use,
            subscribed: layout.subscribed,
            selectable: layout.weight.is_some(),
            messages: (0..count).map(|_| composer.next(&mut rng, layout.special_use)).collect(),
        };
        FOLDERS.iter().zip(counts).map(folder).collect()
    }
}

/// A generator for one purpose: other purposes never change what it gives.
fn rng(seed: u64, purpose: &str) -> SmallRng {
    let digest = Sha256::new().chain_update(seed.to_be_bytes()).chain_update(purpose).finalize();
    SmallRng::from_seed(digest.into())
}

/// One of a list that is never empty.
fn pick<'a, T>(rng: &mut SmallRng, list: &'a [T]) -> &'a T {
    &list[rng.random_range(0..list.len())]
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn person(address: &str) -> Person {
        Person { address: Address::parse(address).unwrap(), name: "Zoë O'Neill".to_owned() }
    }

    fn all(folders: &[FolderMail]) -> Vec<&Message> {
        folders.iter().flat_map(|f| &f.messages).collect()
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
        let a = Corpus::new(7).mailbox(&person("a@example.org"), 200);
        assert_eq!(a, Corpus::new(7).mailbox(&person("A@example.org"), 200));
        assert_ne!(a, Corpus::new(8).mailbox(&person("a@example.org"), 200));
        assert_ne!(a, Corpus::new(7).mailbox(&person("b@example.org"), 200));
    }

    #[test]
    fn a_mailbox_has_exactly_the_messages_that_were_asked_for() {
        for n in [0, 1, 2, 30, 333] {
            assert_eq!(all(&Corpus::new(1).mailbox(&person("a@example.org"), n)).len(), n);
        }
    }

    #[test]
    fn folders_have_every_shape_that_copies_stumble_over() {
        let folders = Corpus::new(1).mailbox(&person("a@example.org"), 300);
        let has = |p: &dyn Fn(&FolderMail) -> bool| folders.iter().any(p);
        assert!(has(&|f| !f.selectable));
        assert!(has(&|f| f.selectable && f.messages.is_empty()));
        assert!(has(&|f| !f.subscribed && f.selectable));
        assert!(has(&|f| f.path.0.len() >= 4));
        for odd in ["&", "\"", "日", "ß", "📬"] {
            assert!(has(&|f| f.path.to_string().contains(odd)), "{odd}");
        }
        for use_ in [SpecialUse::Sent, SpecialUse::Drafts, SpecialUse::Trash, SpecialUse::Junk, SpecialUse::Archive] {
            assert!(has(&|f| f.special_use == Some(use_)));
        }
        assert!(folders.iter().all(|f| f.messages.is_empty() || f.selectable));
    }

    #[test]
    fn messages_have_every_oddity_that_copies_stumble_over() {
        let folders = Corpus::new(1).mailbox(&person("a@example.org"), 400);
        let messages = all(&folders);
        let count = |p: &dyn Fn(&Message) -> bool| messages.iter().filter(|m| p(m)).count();
        let find = |bytes: &[u8], needle: &[u8]| bytes.windows(needle.len()).any(|w| w == needle);
        assert_eq!(count(&|m| !find(&m.bytes, b"Message-ID:")), 4);
        assert!(count(&|m| !m.bytes.ends_with(b"\n")) >= 4);
        assert!(count(&|m| m.bytes.ends_with(b"\r\n\r\n")) >= 4);
        assert!(count(&|m| m.bytes.split(|b| *b == b'\n').any(|l| l.len() > 10_000)) >= 4);
        assert!(count(&|m| m.bytes.windows(2).any(|w| w[0] == b'\r' && w[1] != b'\n')) >= 4);
        assert!(count(&|m| m.bytes.iter().any(|b| *b > 127) && std::str::from_utf8(&m.bytes).is_err()) >= 4);
        assert!(count(&|m| m.bytes.len() > 100_000) >= 4);
        assert_eq!(count(&|m| m.bytes.windows(2).any(|w| w[1] == b'\n' && w[0] != b'\r')), 0, "no bare LF");
        assert_eq!(count(&|m| m.bytes.contains(&0)), 0, "no NUL");

        let mut bodies: BTreeMap<&[u8], usize> = BTreeMap::new();
        let mut ids: BTreeMap<Vec<u8>, BTreeSet<&[u8]>> = BTreeMap::new();
        for m in &messages {
            *bodies.entry(&m.bytes).or_default() += 1;
            if let Some(id) = m.bytes.split(|b| *b == b'\n').find(|l| l.starts_with(b"Message-ID:")) {
                ids.entry(id.to_vec()).or_default().insert(&m.bytes);
            }
        }
        assert_eq!(bodies.values().filter(|n| **n > 1).count(), 2, "exact duplicates");
        assert_eq!(ids.values().filter(|b| b.len() > 1).count(), 4, "one Message-ID, different bodies");
    }

    #[test]
    fn flags_and_dates_cover_what_imap_has() {
        let folders = Corpus::new(1).mailbox(&person("a@example.org"), 400);
        let messages = all(&folders);
        for flag in ["\\Seen", "\\Answered", "\\Flagged", "\\Draft", "\\Deleted", "$Forwarded", "$Label1", "NonJunk"] {
            assert!(messages.iter().any(|m| m.flags.contains(flag)), "{flag}");
        }
        let years: BTreeSet<i16> = messages.iter().map(|m| m.internal_date.year()).collect();
        assert!(years.contains(&1971) && years.contains(&2026), "{years:?}");
        assert!(years.iter().all(|y| (1971..=2026).contains(y)), "{years:?}");
        let zones: BTreeSet<i32> = messages.iter().map(|m| m.internal_date.offset_minutes()).collect();
        assert!(zones.iter().any(|z| z % 60 != 0) && zones.len() > 4, "{zones:?}");
    }

    #[test]
    fn thirty_messages_already_have_every_oddity() {
        let seen: BTreeSet<_> = (0..30).filter_map(Oddity::of).collect();
        assert_eq!(seen.len(), Oddity::ALL.len());
    }
}
