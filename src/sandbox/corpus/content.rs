//! Words, text and attachments.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use rand::{Rng, RngCore, rngs::SmallRng};

use super::pick;

const WORDS: [&str; 72] = [
    "the",
    "of",
    "and",
    "to",
    "in",
    "is",
    "that",
    "for",
    "it",
    "on",
    "are",
    "with",
    "they",
    "at",
    "from",
    "have",
    "this",
    "please",
    "we",
    "when",
    "there",
    "can",
    "your",
    "which",
    "their",
    "will",
    "about",
    "out",
    "then",
    "some",
    "these",
    "meeting",
    "invoice",
    "quarterly",
    "offer",
    "contract",
    "deadline",
    "attached",
    "regards",
    "tomorrow",
    "project",
    "budget",
    "team",
    "review",
    "draft",
    "delivery",
    "Größe",
    "Straße",
    "Übung",
    "Grüße",
    "für",
    "schöne",
    "müssen",
    "résumé",
    "façade",
    "naïve",
    "déjà",
    "été",
    "garçon",
    "mañana",
    "señor",
    "smörgåsbord",
    "coöperate",
    "über",
    "weiß",
    "Weiß",
    "Änderung",
    "Öffnung",
    "crème",
    "brûlée",
    "piñata",
    "jalapeño",
];

/// The charsets that text is written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Charset {
    Utf8,
    Latin1,
    Ascii,
    /// Japanese, in its own words.
    ShiftJis,
    /// Russian, in its own words.
    Koi8,
}

impl Charset {
    pub(super) const ALL: [Self; 5] = [Self::Utf8, Self::Latin1, Self::Ascii, Self::ShiftJis, Self::Koi8];

    pub(super) fn label(self) -> &'static str {
        match self {
            Self::Utf8 => "utf-8",
            Self::Latin1 => "iso-8859-1",
            Self::Ascii => "us-ascii",
            Self::ShiftJis => "shift_jis",
            Self::Koi8 => "koi8-r",
        }
    }
}

/// Greetings that are already bytes of their charset: `こんにちは、会議` and `Привет, договор`.
const SHIFT_JIS: &[u8] = b"\x82\xb1\x82\xf1\x82\xc9\x82\xbf\x82\xcd\x81A\x89\xef\x8bc";
const KOI8: &[u8] = b"\xf0\xd2\xc9\xd7\xc5\xd4, \xc4\xcf\xc7\xcf\xd7\xcf\xd2";

/// Material that messages are cut from: base64 is made once, because attachments are most of a mailbox.
#[derive(Clone, Debug)]
pub(super) struct Content {
    base64: Vec<u8>,
}

/// Characters on a line of base64, and with its line end.
const LINE: usize = 76;
const LINE_END: usize = LINE + 2;
/// Lines of base64 that are made: 3.7 MiB.
const LINES: usize = 50_000;

impl Content {
    pub(super) fn new(rng: &mut SmallRng) -> Self {
        let mut raw = vec![0; LINE / 4 * 3 * LINES];
        rng.fill_bytes(&mut raw);
        let encoded = STANDARD.encode(raw);
        let mut base64 = Vec::with_capacity(LINES * LINE_END);
        for line in encoded.as_bytes().chunks(LINE) {
            base64.extend_from_slice(line);
            base64.extend_from_slice(b"\r\n");
        }
        Self { base64 }
    }

    /// An attachment of about that many octets, line ends included. At most 3.7 MiB.
    pub(super) fn attachment(&self, rng: &mut SmallRng, octets: usize) -> &[u8] {
        let lines = (octets / LINE_END).clamp(1, LINES);
        let first = rng.random_range(0..=LINES - lines);
        self.base64.get(first * LINE_END..(first + lines) * LINE_END).unwrap_or_default()
    }

    /// Text of at least that many octets, in lines that end with CRLF.
    pub(super) fn text(&self, rng: &mut SmallRng, octets: usize, charset: Charset) -> Vec<u8> {
        let mut out = Vec::with_capacity(octets + 100);
        while out.len() < octets {
            let end = out.len() + *pick(rng, &[0, 30, 50, 60, 66, 70]);
            match charset {
                Charset::ShiftJis => out.extend_from_slice(SHIFT_JIS),
                Charset::Koi8 => out.extend_from_slice(KOI8),
                Charset::Utf8 | Charset::Latin1 | Charset::Ascii => {}
            }
            while out.len() < end {
                put_word(&mut out, pick::<&str>(rng, &WORDS), charset);
                out.push(b' ');
            }
            out.extend_from_slice(b"\r\n");
        }
        out
    }

    /// A subject as Unicode.
    pub(super) fn subject(&self, rng: &mut SmallRng) -> String {
        let words: Vec<&str> = (0..rng.random_range(2..8)).map(|_| *pick::<&str>(rng, &WORDS)).collect();
        words.join(" ")
    }
}

fn put_word(out: &mut Vec<u8>, word: &str, charset: Charset) {
    match charset {
        Charset::Utf8 => out.extend_from_slice(word.as_bytes()),
        // Latin-1 is the first 256 characters of Unicode.
        Charset::Latin1 => out.extend(word.chars().filter_map(|c| u8::try_from(u32::from(c)).ok())),
        _ => out.extend(word.bytes().filter(u8::is_ascii)),
    }
}
