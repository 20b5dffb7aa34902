//! TXT records without any character string, as some servers send them.

/// The octets of a record between its owner and its data: type, class, TTL, length.
const FIXED: usize = 10;
const TXT: u16 = 16;

/// The message with an empty string in each TXT record that has none; `None` when there is no such record, or when
/// names point behind it and would point elsewhere afterwards.
pub(super) fn mended(message: &[u8]) -> Option<Vec<u8>> {
    let count = |at: usize| word(message, at).map(usize::from);
    let mut at = 12;
    for _ in 0..count(4)? {
        at = behind_name(message, at, usize::MAX)? + 4;
    }
    let mut out = message.get(..at)?.to_vec();
    let mut first = usize::MAX;
    for _ in 0..count(6)? + count(8)? + count(10)? {
        let fixed = behind_name(message, at, first)?;
        let length = usize::from(word(message, fixed + 8)?);
        let end = fixed + FIXED + length;
        if word(message, fixed)? == TXT && length == 0 {
            first = first.min(end);
            out.extend(message.get(at..fixed + 8)?);
            out.extend([0, 1, 0]);
        } else {
            out.extend(message.get(at..end)?);
        }
        at = end;
    }
    (first != usize::MAX).then_some(out)
}

fn word(message: &[u8], at: usize) -> Option<u16> {
    let octets = message.get(at..at + 2)?;
    Some(u16::from_be_bytes(octets.try_into().ok()?))
}

/// Where a name ends that does not point to `limit` or behind it.
fn behind_name(message: &[u8], mut at: usize, limit: usize) -> Option<usize> {
    loop {
        match message.get(at)? {
            0 => return Some(at + 1),
            pointer if pointer & 0xc0 == 0xc0 => {
                let target = usize::from(word(message, at)? & 0x3fff);
                return (target < limit).then_some(at + 2);
            }
            length => at += usize::from(*length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(records: &[&[u8]]) -> Vec<u8> {
        let mut out = vec![0, 7, 0x84, 0, 0, 1, 0, records.len() as u8, 0, 0, 0, 0];
        out.extend(b"\x01a\x02ex\x00\x00\x10\x00\x01");
        out.extend(records.concat());
        out
    }

    #[test]
    fn only_texts_without_strings_are_mended() {
        let full = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x02\x01x".as_slice();
        let empty = b"\xc0\x0c\x00\x10\x00\x01\x00\x00\x00\x3c\x00\x00".as_slice();
        assert_eq!(mended(&message(&[full])), None);
        let fixed = mended(&message(&[empty, full])).unwrap();
        assert_eq!(fixed.len(), message(&[empty, full]).len() + 1);
        for cut in 0..message(&[empty, full]).len() {
            assert_eq!(mended(&message(&[empty, full])[..cut]), None, "{cut}");
        }
    }
}
