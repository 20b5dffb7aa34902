//! What is wrong with a key, wherever it stands (RFC 6376 3.6.1, RFC 8301 3, RFC 8463).

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::dkim::{material, tags};
use crate::diag::Severity;

/// Below, verifiers take a signature for none; below the other, it is weak (RFC 8301 3.2).
const UNUSABLE: usize = 1024;
const WEAK: usize = 2048;

/// One thing that is wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct Wrong {
    /// The code of its finding.
    pub(in crate::dns) code: &'static str,
    /// How bad it is.
    pub(in crate::dns) severity: Severity,
    /// The fact.
    pub(in crate::dns) message: String,
    /// What to do.
    pub(in crate::dns) fix: &'static str,
}

/// Everything that is wrong with a key; nothing for a good one.
pub(in crate::dns) fn judge_key(record: &str) -> Vec<Wrong> {
    let say = |code, severity, message: &str, fix| vec![Wrong { code, severity, message: message.to_owned(), fix }];
    let again = "publish the record exactly as the platform shows it";
    let Some(tags) = tags(record) else {
        return say("dkim-syntax", Severity::Error, "it is no list of tags", again);
    };
    if tags.get("v").is_some_and(|v| v != "DKIM1" || !record.trim_start().starts_with('v')) {
        return say("dkim-syntax", Severity::Error, "`v=` has to be `DKIM1` and the first tag", again);
    }
    let Some(p) = tags.get("p").map(|p| material(p)) else {
        return say("dkim-syntax", Severity::Error, "it is no key: `p=` is missing", again);
    };
    if p.is_empty() {
        return say("dkim-revoked", Severity::Error, "the key is revoked", "let the platform make a new key");
    }
    let lists = |tag: &str, any: &[&str]| {
        tags.get(tag).is_none_or(|list| list.split(':').any(|item| any.contains(&item.trim())))
    };
    if !lists("h", &["sha256"]) {
        return say("dkim-unusable", Severity::Error, "`h=` leaves sha256 out, which signatures need", "remove `h=`");
    }
    if !lists("s", &["email", "*"]) {
        return say("dkim-unusable", Severity::Error, "`s=` leaves mail out", "remove `s=`");
    }
    let mut out = match tags.get("k").map_or("rsa", String::as_str) {
        "rsa" => rsa(&p),
        "ed25519" => match STANDARD.decode(&p) {
            Ok(key) if key.len() == 32 => Vec::new(),
            _ => say("dkim-syntax", Severity::Error, "an Ed25519 key has 32 octets", again),
        },
        other => say("dkim-unusable", Severity::Error, &format!("nobody knows keys of the kind `{other}`"), again),
    };
    let testing = tags.get("t").is_some_and(|flags| flags.split(':').any(|f| f.trim() == "y"));
    if testing {
        let message = "`t=y` says that the key is only tried out: receivers may ignore it";
        out.extend(say("dkim-testing", Severity::Warning, message, "remove `t=y` once mail is signed"));
    }
    out
}

fn rsa(p: &str) -> Vec<Wrong> {
    let say = |code, severity, message: String, fix| vec![Wrong { code, severity, message, fix }];
    let again = "publish the record exactly as the platform shows it";
    let der = match STANDARD.decode(p) {
        Ok(der) => der,
        Err(_) if p.contains("BEGIN") => {
            let message = "the lines `BEGIN` and `END` of a key file are in it".to_owned();
            return say("dkim-syntax", Severity::Error, message, "leave them out");
        }
        Err(_) => return say("dkim-syntax", Severity::Error, "the key is cut off or misspelt".to_owned(), again),
    };
    match modulus_bits(&der) {
        None => say("dkim-syntax", Severity::Error, "the key is no RSA key".to_owned(), again),
        Some(bits) if bits < UNUSABLE => {
            let message = format!("the key has {bits} bits: receivers ignore what it signs");
            say("dkim-unusable", Severity::Error, message, "let the platform make a key of 2048 bits")
        }
        Some(bits) if bits < WEAK => {
            let message = format!("the key has {bits} bits, and {WEAK} are usual");
            say("dkim-weak", Severity::Info, message, "let the platform make a key of 2048 bits")
        }
        Some(_) => Vec::new(),
    }
}

/// The bits of the modulus in a `SubjectPublicKeyInfo` (RFC 5280 4.1), or in a bare `RSAPublicKey` (RFC 8017 A.1.1).
fn modulus_bits(der: &[u8]) -> Option<usize> {
    let (0x30, body, _) = element(der)? else { return None };
    let (tag, first, rest) = element(body)?;
    let integer = match tag {
        0x02 => first,
        0x30 => {
            let (0x03, bits, _) = element(rest)? else { return None };
            let (0x30, key, _) = element(bits.get(1..)?)? else { return None };
            let (0x02, integer, _) = element(key)? else { return None };
            integer
        }
        _ => return None,
    };
    let lead = integer.iter().position(|b| *b != 0)?;
    let digits = integer.get(lead..)?;
    let top = digits.first()?;
    Some(digits.len() * 8 - usize::try_from(top.leading_zeros()).ok()?)
}

/// One element of DER: its tag, its content, and what is behind it.
fn element(der: &[u8]) -> Option<(u8, &[u8], &[u8])> {
    let (&tag, rest) = der.split_first()?;
    let (&short, rest) = rest.split_first()?;
    let (length, rest) = match short {
        0..=0x7f => (usize::from(short), rest),
        0x81..=0x84 => {
            let octets = usize::from(short & 0x7f);
            let length = rest.get(..octets)?.iter().fold(0usize, |n, b| n << 8 | usize::from(*b));
            (length, rest.get(octets..)?)
        }
        _ => return None,
    };
    Some((tag, rest.get(..length)?, rest.get(length..)?))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A `SubjectPublicKeyInfo` whose modulus has that many octets.
    fn key(octets: usize) -> String {
        fn wrap(tag: u8, content: &[u8]) -> Vec<u8> {
            let length = u16::try_from(content.len()).unwrap().to_be_bytes();
            [&[tag, 0x82, length[0], length[1]], content].concat()
        }
        let integer = [wrap(2, &[&[0], vec![0xff; octets].as_slice()].concat()), wrap(2, &[1, 0, 1])].concat();
        let bits = wrap(3, &[vec![0], wrap(0x30, &integer)].concat());
        STANDARD.encode(wrap(0x30, &[wrap(0x30, b"\x06\x01\x2a"), bits].concat()))
    }

    #[test]
    fn keys_are_judged_by_what_verifiers_do_with_them() {
        let codes = |record: &str| judge_key(record).iter().map(|w| w.code).collect::<Vec<_>>().join(" ");
        let (good, old, tiny) = (key(256), key(128), key(64));
        assert_eq!(codes(&format!("v=DKIM1; k=rsa; p={good}")), "");
        assert_eq!(codes(&format!("p={}", good.replace('A', "A \t"))), "", "white space means nothing");
        assert_eq!(codes(&format!("p={old}")), "dkim-weak");
        assert_eq!(codes(&format!("p={tiny}")), "dkim-unusable");
        assert_eq!(codes(&format!("v=DKIM1; t=y:s; p={good}")), "dkim-testing");
        assert_eq!(codes(&format!("k=ed25519; p={}", STANDARD.encode([7; 32]))), "");
        assert_eq!(codes(&format!("h=sha1; p={good}")), "dkim-unusable");
        assert_eq!(codes(&format!("s=tlsrpt; p={good}")), "dkim-unusable");
        assert_eq!(codes(&format!("k=dsa; p={good}")), "dkim-unusable");
        assert_eq!(codes(&format!("p={good}; v=DKIM1")), "dkim-syntax");
        assert_eq!(codes(&format!("p={good}; p={good}")), "dkim-syntax");
        assert_eq!(codes("v=DKIM1; p="), "dkim-revoked");
        assert_eq!(codes("p=-----BEGIN PUBLIC KEY-----AAAA"), "dkim-syntax");
        assert_eq!(codes("k=ed25519; p=AAAA"), "dkim-syntax");
        assert_eq!(codes("p=AAAA"), "dkim-syntax");
        assert_eq!(codes("hello"), "dkim-syntax");
    }
}
