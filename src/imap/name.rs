//! Names of mailboxes: modified UTF-7 (RFC 3501 5.1.3), and the names of servers that do not keep to it.

use std::fmt;

use base64::{Engine, alphabet, engine::general_purpose::GeneralPurpose};

use crate::model::FolderPath;

/// Base64 of modified UTF-7: `,` for `/`, no padding, bits behind the end must be zero so that one name has one form.
const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::IMAP_MUTF7,
    base64::engine::GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(base64::engine::DecodePaddingMode::RequireNone),
);

/// The name of a mailbox exactly as the server writes it, so that it can be sent back without loss. `INBOX` is compared
/// without case (RFC 9051 5.1), everything else octet by octet. It is shown decoded.
#[derive(Clone)]
pub struct WireName(Vec<u8>);

impl WireName {
    /// Takes a name as it stood on the wire, quotes and escapes removed.
    #[must_use]
    pub fn from_wire(raw: impl Into<Vec<u8>>) -> Self {
        Self(raw.into())
    }

    /// Encodes a name for a mailbox that is to be created or that is known by its text. The hierarchy delimiter of the
    /// server must already stand in it.
    #[must_use]
    pub fn encode(text: &str) -> Self {
        let mut out = Vec::with_capacity(text.len());
        let mut odd: Vec<u8> = Vec::new();
        for c in text.chars() {
            if (' '..='~').contains(&c) {
                flush(&mut odd, &mut out);
                out.push(c as u8);
                if c == '&' {
                    out.push(b'-');
                }
            } else {
                let mut units = [0; 2];
                odd.extend(c.encode_utf16(&mut units).iter().flat_map(|u| u.to_be_bytes()));
            }
        }
        flush(&mut odd, &mut out);
        Self(out)
    }

    /// The inbox.
    #[must_use]
    pub fn inbox() -> Self {
        Self(b"INBOX".to_vec())
    }

    /// The octets of the wire.
    #[must_use]
    pub fn raw(&self) -> &[u8] {
        &self.0
    }

    /// Whether this is the inbox.
    #[must_use]
    pub fn is_inbox(&self) -> bool {
        self.0.eq_ignore_ascii_case(b"INBOX")
    }

    /// The name as text. What is not well-formed modified UTF-7 is taken as the UTF-8 that it most likely is, and as
    /// Latin-1 when it is not that either.
    #[must_use]
    pub fn decoded(&self) -> String {
        decode(&self.0).unwrap_or_else(|| match std::str::from_utf8(&self.0) {
            Ok(text) => text.to_owned(),
            Err(_) => self.0.iter().map(|&b| char::from(b)).collect(),
        })
    }

    /// The parts of the name. A delimiter at the end, which some servers send for mailboxes that hold no messages, makes
    /// no part.
    #[must_use]
    pub fn path(&self, delimiter: Option<char>) -> FolderPath {
        let text = self.decoded();
        let Some(delimiter) = delimiter else { return FolderPath(vec![canonical_inbox(&text)]) };
        let trimmed = text.strip_suffix(delimiter).filter(|t| !t.is_empty()).unwrap_or(&text);
        let mut parts = trimmed.split(delimiter);
        let first = parts.next().map(canonical_inbox);
        FolderPath(first.into_iter().chain(parts.map(str::to_owned)).collect())
    }
}

fn canonical_inbox(part: &str) -> String {
    if part.eq_ignore_ascii_case("INBOX") { "INBOX".to_owned() } else { part.to_owned() }
}

fn flush(odd: &mut Vec<u8>, out: &mut Vec<u8>) {
    if !odd.is_empty() {
        out.push(b'&');
        out.extend_from_slice(BASE64.encode(&*odd).as_bytes());
        out.push(b'-');
        odd.clear();
    }
}

/// The text of well-formed modified UTF-7: only the one form that encoding the text again would give.
fn decode(raw: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(raw).ok().filter(|t| t.bytes().all(|b| (b' '..=b'~').contains(&b)))?;
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((plain, tail)) = rest.split_once('&') {
        out.push_str(plain);
        let (shifted, after) = tail.split_once('-')?;
        if shifted.is_empty() {
            out.push('&');
        } else {
            let octets = BASE64.decode(shifted).ok().filter(|o| o.len() % 2 == 0)?;
            let units = octets.chunks_exact(2).map(|pair| match pair {
                [high, low] => u16::from_be_bytes([*high, *low]),
                _ => 0,
            });
            for c in char::decode_utf16(units) {
                out.push(c.ok()?);
            }
        }
        rest = after;
    }
    out.push_str(rest);
    (WireName::encode(&out).0 == raw).then_some(out)
}

impl PartialEq for WireName {
    fn eq(&self, other: &Self) -> bool {
        self.0 == other.0 || (self.is_inbox() && other.is_inbox())
    }
}

impl Eq for WireName {}

impl fmt::Display for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.decoded())
    }
}

impl fmt::Debug for WireName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", self.decoded())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_examples_of_the_standard_decode() {
        for (wire, text) in [
            ("~peter/mail/&U,BTFw-/&ZeVnLIqe-", "~peter/mail/台北/日本語"),
            ("Entw&APw-rfe", "Entwürfe"),
            ("R&-D", "R&D"),
            ("&2D3cjA-", "💌"),
        ] {
            assert_eq!(WireName::from_wire(wire).decoded(), text);
            assert_eq!(WireName::encode(text).raw(), wire.as_bytes());
        }
    }

    #[test]
    fn names_of_servers_that_do_not_encode_are_taken_as_sent() {
        for raw in ["R&D", "&Jjo!", "&U,BTFw-&ZeVnLIqe-", "&AGEA-", "a&", "Entwürfe"] {
            let name = WireName::from_wire(raw);
            assert_eq!((name.decoded().as_str(), name.raw()), (raw, raw.as_bytes()));
        }
        assert_eq!(WireName::from_wire(*b"caf\xe9").decoded(), "café");
    }

    #[test]
    fn paths_are_split_after_decoding() {
        let path = |wire: &str| WireName::from_wire(wire).path(Some('/')).0;
        assert_eq!(path("inbox/Z&APw-rich"), ["INBOX", "Zürich"]);
        assert_eq!(path("Work/"), ["Work"]);
        assert_eq!(WireName::from_wire("a/b").path(None).0, ["a/b"]);
    }

    proptest! {
        #[test]
        fn every_text_survives(text in any::<String>()) {
            prop_assert_eq!(WireName::encode(&text).decoded(), text);
        }

        #[test]
        fn any_octets_are_shown_and_sent_back_unchanged(raw in any::<Vec<u8>>()) {
            let name = WireName::from_wire(raw.clone());
            let _ = (name.decoded(), name.path(Some('.')));
            prop_assert_eq!(name.raw(), &raw[..]);
        }
    }
}
