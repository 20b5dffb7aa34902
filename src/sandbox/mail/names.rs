//! Folder names on the wire: modified UTF-7 (RFC 3501 5.1.3) and patterns of LIST (RFC 9051 6.3.9).
//!
//! Written apart from the client's own, so that a mistake cannot hide by being made on both sides.

use base64::{
    Engine as _,
    alphabet::IMAP_MUTF7,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};

const BASE64: GeneralPurpose = GeneralPurpose::new(
    &IMAP_MUTF7,
    GeneralPurposeConfig::new().with_encode_padding(false).with_decode_padding_mode(DecodePaddingMode::RequireNone),
);

/// Unicode to modified UTF-7.
pub(super) fn encode(name: &str) -> String {
    let mut out = String::with_capacity(name.len());
    let mut shifted: Vec<u8> = Vec::new();
    let flush = |out: &mut String, shifted: &mut Vec<u8>| {
        if !shifted.is_empty() {
            out.push('&');
            out.push_str(&BASE64.encode(&*shifted));
            out.push('-');
            shifted.clear();
        }
    };
    for c in name.chars() {
        if matches!(c, ' '..='~') {
            flush(&mut out, &mut shifted);
            out.push(c);
            if c == '&' {
                out.push('-');
            }
        } else {
            shifted.extend(c.encode_utf16(&mut [0; 2]).iter().flat_map(|u| u.to_be_bytes()));
        }
    }
    flush(&mut out, &mut shifted);
    out
}

/// Modified UTF-7 to Unicode; `None` for what is not well formed.
pub(super) fn decode(wire: &[u8]) -> Option<String> {
    let mut out = String::new();
    let mut rest = std::str::from_utf8(wire).ok()?;
    while let Some((plain, shifted)) = rest.split_once('&') {
        out.push_str(plain);
        let (inner, after) = shifted.split_once('-')?;
        if inner.is_empty() {
            out.push('&');
        } else {
            let bytes = BASE64.decode(inner).ok()?;
            let (units, odd) = bytes.as_chunks::<2>();
            if !odd.is_empty() {
                return None;
            }
            let units: Vec<u16> = units.iter().map(|&u| u16::from_be_bytes(u)).collect();
            out.push_str(&String::from_utf16(&units).ok()?);
        }
        rest = after;
    }
    out.push_str(rest);
    out.bytes().all(|b| b != 0 && b != b'\r' && b != b'\n').then_some(out)
}

/// Whether a name fits a pattern: `*` stands for anything, `%` for anything within one level.
pub(super) fn matches(pattern: &str, name: &str, delimiter: char) -> bool {
    let pattern: Vec<char> = pattern.chars().collect();
    let name: Vec<char> = name.chars().collect();
    // One row per prefix of the pattern: which prefixes of the name it can match. No backtracking, so `****` is harmless.
    let mut row = vec![false; name.len() + 1];
    row[0] = true;
    for p in pattern {
        let mut next = vec![false; name.len() + 1];
        for i in 0..=name.len() {
            let left = i.checked_sub(1);
            let within = |l: usize| name[l] != delimiter;
            next[i] = match p {
                '*' => row[i] || left.is_some_and(|l| next[l]),
                '%' => row[i] || left.is_some_and(|l| next[l] && within(l)),
                c => left.is_some_and(|l| row[l] && name[l] == c),
            };
        }
        row = next;
    }
    row.last().copied().unwrap_or(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_survive_the_wire() {
        for (name, wire) in [
            ("INBOX", "INBOX"),
            ("Größe & Maße", "Gr&APYA3w-e &- Ma&AN8-e"),
            ("日本語", "&ZeVnLIqe-"),
            ("Emoji 📬", "Emoji &2D3c7A-"),
            ("a\"b\\c", "a\"b\\c"),
        ] {
            assert_eq!(encode(name), wire);
            assert_eq!(decode(wire.as_bytes()).as_deref(), Some(name));
        }
        for bad in ["&", "&abc", "&a-", "&2D0-", "Gr\u{f6}\n"] {
            assert_eq!(decode(bad.as_bytes()), None, "{bad:?}");
        }
    }

    #[test]
    fn patterns_match_as_the_standard_says() {
        for (pattern, name, yes) in [
            ("*", "a/b/c", true),
            ("%", "a", true),
            ("%", "a/b", false),
            ("a/%", "a/b", true),
            ("a/%", "a/b/c", false),
            ("a*c", "a/b/c", true),
            ("INBOX", "INBOX", true),
            ("", "", true),
            ("%/%", "a/b", true),
            ("***********************x", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", false),
        ] {
            assert_eq!(matches(pattern, name, '/'), yes, "{pattern} {name}");
        }
    }
}
