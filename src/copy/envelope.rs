//! Knowing a message again when a server has changed its octets. Pure.

use std::collections::BTreeMap;

use crate::model::Digest;

/// Header fields that servers leave alone when they rewrite a message.
const FIELDS: [&str; 5] = ["message-id", "date", "from", "to", "subject"];

/// A digest of the header fields that survive rewriting, blanks and folding aside. `None` for a message that has neither
/// a Message-ID nor a Date: it cannot be told from another this way.
///
/// `head` is the start of the message; fields beyond it are not seen.
#[must_use]
pub fn key(head: &[u8]) -> Option<Digest> {
    let mut fields: BTreeMap<&str, Vec<u8>> = BTreeMap::new();
    let mut current: Option<&str> = None;
    for line in head.split(|b| *b == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.is_empty() {
            break;
        }
        if line.first().is_some_and(|b| matches!(b, b' ' | b'\t')) {
            if let Some(value) = current.and_then(|name| fields.get_mut(name)) {
                value.push(b' ');
                value.extend_from_slice(line);
            }
            continue;
        }
        let colon = line.iter().position(|b| *b == b':').unwrap_or(line.len());
        let (name, value) = line.split_at(colon);
        current = FIELDS.into_iter().find(|f| name.trim_ascii().eq_ignore_ascii_case(f.as_bytes()));
        if let Some(name) = current.filter(|name| !fields.contains_key(name)) {
            fields.insert(name, value.get(1..).unwrap_or_default().to_vec());
        } else {
            current = None;
        }
    }
    if !fields.contains_key("message-id") && !fields.contains_key("date") {
        return None;
    }
    let mut out = Vec::new();
    for (name, value) in fields {
        out.extend_from_slice(name.as_bytes());
        for word in value.split(u8::is_ascii_whitespace).filter(|w| !w.is_empty()) {
            out.push(b' ');
            out.extend_from_slice(word);
        }
        out.push(b'\n');
    }
    Some(Digest::of(&out))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn folding_and_added_fields_make_no_difference() {
        let sent = b"Message-ID: <1@x>\r\nSubject: a long\r\n subject\r\nFrom: a@x\r\n\r\nbody";
        let kept = b"X-Added: 1\r\nFrom: a@x\r\nSubject: a  long subject\r\nMessage-ID: <1@x>\r\n\r\nBODY";
        assert_eq!(key(sent), key(kept));
        assert!(key(sent).is_some());
        assert_ne!(key(sent), key(b"Message-ID: <1@x>\r\nSubject: another\r\nFrom: a@x\r\n\r\n"));
    }

    #[test]
    fn a_message_without_marks_is_nobody() {
        assert_eq!(key(b"Subject: hello\r\n\r\nx"), None);
        assert_eq!(key(b""), None);
        assert_eq!(key(b"\r\nMessage-ID: <1@x>"), None, "this is the body");
    }
}
