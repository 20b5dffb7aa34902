//! What of a message stays the same when a server rewrites it harmlessly. Pure.

use sha2::{Digest as _, Sha256};

use crate::{copy::envelope, model::Digest};

/// Two weaker digests of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Canonical {
    /// Over the header fields that servers leave alone and the text without blanks: equal when a server only added
    /// header lines, changed line ends, or wrapped encoded parts anew. `None` for a message without such fields.
    pub(super) text: Option<Digest>,
    /// Over the header fields alone.
    pub(super) envelope: Option<Digest>,
}

impl Canonical {
    pub(super) fn of(bytes: &[u8]) -> Self {
        let envelope = envelope::key(bytes);
        let body = body(bytes);
        let text = envelope.map(|key| {
            let mut hash = Sha256::new();
            hash.update(key.0);
            for word in body.split(u8::is_ascii_whitespace) {
                hash.update(word);
            }
            Digest(hash.finalize().into())
        });
        Self { text, envelope }
    }
}

/// What stands behind the first empty line.
fn body(bytes: &[u8]) -> &[u8] {
    let mut at = 0;
    for line in bytes.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        if matches!(line, b"\r\n" | b"\n") {
            break;
        }
    }
    bytes.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn added_lines_and_new_wrapping_make_no_difference_and_other_text_does() {
        let sent = Canonical::of(b"Message-ID: <1@x>\r\nDate: d\r\n\r\nAAAA\r\nBBBB\r\n");
        let kept = Canonical::of(b"X-Y: z\r\nMessage-ID: <1@x>\r\nDate: d\r\n\r\nAAAABBBB");
        let other = Canonical::of(b"Message-ID: <1@x>\r\nDate: d\r\n\r\nAAAABBBC");
        assert_eq!(sent, kept);
        assert_ne!(sent.text, other.text);
        assert_eq!(sent.envelope, other.envelope);
        assert_eq!(Canonical::of(b"no header").text, None);
    }
}
