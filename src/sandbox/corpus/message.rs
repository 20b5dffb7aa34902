//! One message after another.

use std::collections::BTreeSet;

use base64::{Engine as _, engine::general_purpose::STANDARD};
use jiff::Timestamp;
use rand::{Rng, rngs::SmallRng};

use super::{
    InternalDate, Message, Person,
    content::{Charset, Content},
    pick,
};
use crate::model::SpecialUse;

/// What is odd about a message. Each occurs once in a hundred messages, [`Oddity::Duplicate`] once in two hundred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Oddity {
    /// It has no `Message-ID`.
    NoMessageId,
    /// It has the `Message-ID` of another message, and another body.
    RepeatedMessageId,
    /// Another message has the same bytes, flags and date.
    Duplicate,
    /// Its last line has no line end.
    NoFinalNewline,
    /// It ends with its header.
    NoBody,
    /// A line has more than 20,000 octets.
    LongLine,
    /// A carriage return stands alone.
    BareCr,
    /// Its header has octets above 127 that are no UTF-8.
    Raw8BitHeader,
    /// Lines that mbox files and SMTP would change.
    FromAndDots,
    /// The server got it in 1971.
    Year1971,
    /// The server got it in 2026, and its `Date` says otherwise.
    Year2026,
}

impl Oddity {
    /// All of them.
    pub const ALL: [Self; 11] = [
        Self::NoMessageId,
        Self::RepeatedMessageId,
        Self::Duplicate,
        Self::NoFinalNewline,
        Self::NoBody,
        Self::LongLine,
        Self::BareCr,
        Self::Raw8BitHeader,
        Self::FromAndDots,
        Self::Year1971,
        Self::Year2026,
    ];

    /// The oddity of the n-th message of a mailbox, from 0.
    #[must_use]
    pub fn of(n: usize) -> Option<Self> {
        match n % 100 {
            3 => Some(Self::NoMessageId),
            6 => Some(Self::RepeatedMessageId),
            9 if n % 200 < 100 => Some(Self::Duplicate),
            11 => Some(Self::NoFinalNewline),
            13 => Some(Self::NoBody),
            15 => Some(Self::LongLine),
            17 => Some(Self::BareCr),
            19 => Some(Self::Raw8BitHeader),
            21 => Some(Self::FromAndDots),
            23 => Some(Self::Year1971),
            25 => Some(Self::Year2026),
            _ => None,
        }
    }
}

/// Offsets from UTC in minutes; several are no whole hours.
const ZONES: [i32; 9] = [0, 60, 120, -300, -480, 345, 330, 765, -210];
const SYSTEM: [(&str, f64); 3] = [("\\Seen", 0.75), ("\\Answered", 0.15), ("\\Flagged", 0.05)];
const KEYWORDS: [&str; 6] = ["$Forwarded", "$Label1", "NonJunk", "$MDNSent", "Junk", "Projekt-2024"];
/// 2003-01-01 and 2025-12-31, seconds since 1970.
const USUAL: std::ops::Range<i64> = 1_041_379_200..1_767_139_200;
const IN_1971: std::ops::Range<i64> = 32_000_000..62_000_000;
const IN_2026: std::ops::Range<i64> = 1_768_000_000..1_798_000_000;

/// Makes the messages of one mailbox.
pub(super) struct Composer<'a> {
    content: &'a Content,
    person: &'a Person,
    /// The number of the next message.
    n: usize,
    /// Whether the mailbox is big enough for attachments of megabytes.
    large: bool,
    /// A message that may be repeated, and its `Message-ID`.
    earlier: Option<(Message, String)>,
}

impl<'a> Composer<'a> {
    pub(super) fn new(content: &'a Content, person: &'a Person, messages: usize) -> Self {
        Self { content, person, n: 0, large: messages >= 1000, earlier: None }
    }

    /// The next message, for a folder of that purpose.
    pub(super) fn next(&mut self, rng: &mut SmallRng, folder: Option<SpecialUse>) -> Message {
        let oddity = Oddity::of(self.n);
        let n = self.n;
        self.n += 1;
        if let (Some(Oddity::Duplicate), Some((message, _))) = (oddity, &self.earlier) {
            return message.clone();
        }
        let internal_date = received(rng, oddity);
        let id = match (oddity, &self.earlier) {
            (Some(Oddity::RepeatedMessageId), Some((_, id))) => id.clone(),
            _ => format!("<{:016x}.{n}@mail{}.example.org>", rng.random::<u64>(), rng.random_range(0..9)),
        };
        let bytes = self.bytes(rng, n, oddity, &id, internal_date);
        let message = Message { bytes, flags: flags(rng, n, folder), internal_date };
        // The last plain message before each odd one is what that one repeats.
        if oddity.is_none() && message.bytes.len() < 20_000 {
            self.earlier = Some((message.clone(), id));
        }
        message
    }

    fn bytes(&self, rng: &mut SmallRng, n: usize, oddity: Option<Oddity>, id: &str, received: InternalDate) -> Vec<u8> {
        let charset = *pick(rng, &Charset::ALL);
        let mut out = self.header(rng, oddity, id, received);
        if oddity == Some(Oddity::NoBody) {
            out.extend_from_slice(b"\r\n");
            return out;
        }
        let size = self.size(rng, n);
        if size < 9000 {
            out.extend_from_slice(text_header(charset).as_bytes());
            out.extend_from_slice(&self.content.text(rng, size, charset));
        } else {
            let boundary = format!("=_{:016x}", rng.random::<u64>());
            let text = self.content.text(rng, (size / 10).min(8000), charset);
            out.extend_from_slice(
                format!("Content-Type: multipart/mixed; boundary=\"{boundary}\"\r\n\r\n--{boundary}\r\n").as_bytes(),
            );
            out.extend_from_slice(text_header(charset).as_bytes());
            out.extend_from_slice(&text);
            out.extend_from_slice(
                format!(
                    "--{boundary}\r\nContent-Type: application/pdf\r\nContent-Transfer-Encoding: base64\r\n\
                     Content-Disposition: attachment; filename*=utf-8''Anlage%20%C3%BC{n}.pdf\r\n\r\n"
                )
                .as_bytes(),
            );
            out.extend_from_slice(self.content.attachment(rng, size));
            out.extend_from_slice(format!("--{boundary}--\r\n").as_bytes());
        }
        finish(out, oddity)
    }

    fn header(&self, rng: &mut SmallRng, oddity: Option<Oddity>, id: &str, received: InternalDate) -> Vec<u8> {
        let sender = rng.random_range(0..500);
        let late = rng.random_range(0..3 * 86_400);
        let written = Timestamp::from_second(received.instant().as_second() - late).unwrap_or(received.instant());
        let date = InternalDate::new(written, *pick(rng, &ZONES));
        // The identity, so that the case of an address never changes the mail.
        let to = self.person.address.key();
        let mut h = format!("Return-Path: <sender{sender}@example.net>\r\n");
        for hop in 0..rng.random_range(1..4) {
            let queue = rng.random::<u32>();
            h += &format!(
                "Received: from mx{hop}.example.net (mx{hop}.example.net [192.0.2.{}])\r\n\tby mail.example.org with \
                 ESMTPS id {queue:08X}\r\n\tfor <{to}>; {}\r\n",
                rng.random_range(1..255),
                received.rfc5322()
            );
        }
        h += &format!("From: \"Sender {sender}\" <sender{sender}@example.net>\r\n");
        h += &format!("To: {} <{to}>\r\n", encoded_word(&self.person.name));
        h += &format!("Subject: {}\r\nDate: {}\r\n", encoded_word(&self.content.subject(rng)), date.rfc5322());
        if oddity != Some(Oddity::NoMessageId) {
            h += &format!("Message-ID: {id}\r\n");
        }
        if rng.random_bool(0.3) {
            let (a, b) = (rng.random::<u64>(), rng.random::<u64>());
            h += &format!("References: <{a:016x}@example.net>\r\n <{b:016x}@example.net>\r\n");
        }
        let mut h = h.into_bytes();
        if oddity == Some(Oddity::Raw8BitHeader) {
            h.extend_from_slice(b"X-Mailer: Gr\xfc\xdfe ohne Kodierung\r\n");
        }
        h.extend_from_slice(b"MIME-Version: 1.0\r\n");
        h
    }

    /// Octets of a body: most are small, some have attachments, a few are large.
    fn size(&self, rng: &mut SmallRng, n: usize) -> usize {
        match n % 100 {
            _ if self.large && n % 500 == 77 => rng.random_range(1_000_000..3_000_000),
            33 | 66 => rng.random_range(100_000..300_000),
            _ if rng.random_bool(0.15) => rng.random_range(9_000..60_000),
            _ => rng.random_range(200..6_000),
        }
    }
}

fn received(rng: &mut SmallRng, oddity: Option<Oddity>) -> InternalDate {
    let range = match oddity {
        Some(Oddity::Year1971) => IN_1971,
        Some(Oddity::Year2026) => IN_2026,
        _ => USUAL,
    };
    let instant = Timestamp::from_second(rng.random_range(range)).unwrap_or(Timestamp::UNIX_EPOCH);
    InternalDate::new(instant, *pick(rng, &ZONES))
}

fn flags(rng: &mut SmallRng, n: usize, folder: Option<SpecialUse>) -> BTreeSet<String> {
    let mut out = BTreeSet::new();
    for (flag, share) in SYSTEM {
        if rng.random_bool(share) {
            out.insert(flag.to_owned());
        }
    }
    if folder == Some(SpecialUse::Drafts) {
        out.insert("\\Draft".to_owned());
    }
    // Marked for deletion, not expunged: the user still sees it, so a copy must keep it.
    if n % 50 == 29 {
        out.insert("\\Deleted".to_owned());
    }
    for keyword in KEYWORDS {
        if rng.random_bool(0.04) {
            out.insert(keyword.to_owned());
        }
    }
    if let Some(keyword) = KEYWORDS.get(n) {
        out.insert((*keyword).to_owned());
    }
    out
}

fn text_header(charset: Charset) -> String {
    let encoding = if charset == Charset::Ascii { "7bit" } else { "8bit" };
    format!("Content-Type: text/plain; charset={}\r\nContent-Transfer-Encoding: {encoding}\r\n\r\n", charset.label())
}

fn finish(mut out: Vec<u8>, oddity: Option<Oddity>) -> Vec<u8> {
    match oddity {
        Some(Oddity::NoFinalNewline) => {
            while out.ends_with(b"\r\n") {
                out.truncate(out.len() - 2);
            }
        }
        Some(Oddity::LongLine) => {
            out.extend(std::iter::repeat_n(b'x', 20_000));
            out.extend(std::iter::repeat_n("ü", 3000).flat_map(str::bytes));
            out.extend_from_slice(b"\r\n");
        }
        Some(Oddity::BareCr) => out.extend_from_slice(b"a bare \r in the middle\r\n"),
        Some(Oddity::FromAndDots) => {
            out.extend_from_slice(b"From here on it looks like a mailbox file\r\n>From\r\n.\r\n..\r\n");
        }
        _ => {}
    }
    out
}

/// A header value: as it is, or as one encoded word (RFC 2047).
fn encoded_word(text: &str) -> String {
    if text.is_ascii() { text.to_owned() } else { format!("=?UTF-8?B?{}?=", STANDARD.encode(text)) }
}
