//! Texts that a server hands out in place of a message that it cannot convert. Pure.
//!
//! Exchange answers a FETCH with a small message of its own making. Copied, it would take the place of the real one and
//! look like success.

/// A text of this kind is short. A message of people about it is not taken for one: it begins with other words.
const LARGEST: usize = 16 << 10;

const SUBJECT: &[u8] = b"retrieval using the imap4 protocol failed for the following message";

const TEXTS: [&[u8]; 3] = [
    b"the message could not be retrieved using the imap4 protocol",
    b"this message could not be retrieved using the imap4 protocol",
    b"message could not be retrieved using the imap4 protocol",
];

/// Whether the server says here that it could not retrieve the message.
#[must_use]
pub fn is_placeholder(message: &[u8]) -> bool {
    if message.len() > LARGEST {
        return false;
    }
    let mut at = 0;
    for line in message.split_inclusive(|b| *b == b'\n') {
        at += line.len();
        let line = line.trim_ascii();
        if line.is_empty() {
            break;
        }
        if begins(line, b"subject:") && begins(line.get(8..).unwrap_or_default().trim_ascii_start(), SUBJECT) {
            return true;
        }
    }
    let text = message.get(at..).unwrap_or_default().trim_ascii_start();
    TEXTS.iter().any(|words| begins(text, words))
}

fn begins(text: &[u8], words: &[u8]) -> bool {
    text.get(..words.len()).is_some_and(|start| start.eq_ignore_ascii_case(words))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_of_the_server_are_known_and_texts_about_them_are_not() {
        assert!(is_placeholder(
            b"From: a@x\r\nSubject: Retrieval using the IMAP4 protocol failed for the following message: 57\r\n\r\nThe..."
        ));
        assert!(is_placeholder(b"Subject: x\r\n\r\nThis message could not be retrieved using the IMAP4 protocol. It"));
        for mail in [
            &b"Subject: Re: Retrieval using the IMAP4 protocol failed for the following message\r\n\r\nDid you see this?"[..],
            b"Subject: help\r\n\r\nIt says: This message could not be retrieved using the IMAP4 protocol.",
            b"X-Subject: Retrieval using the IMAP4 protocol failed for the following message\r\n\r\n",
            b"Subject:",
            b"",
        ] {
            assert!(!is_placeholder(mail), "{}", String::from_utf8_lossy(mail));
        }
        let long = [
            &b"Subject: Retrieval using the IMAP4 protocol failed for the following message\r\n\r\n"[..],
            &[b'x'; LARGEST],
        ];
        assert!(!is_placeholder(&long.concat()));
    }
}
