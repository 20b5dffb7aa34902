//! Whether a certificate is the one that DNS promises (RFC 6698 2.1, RFC 7672 3.1).

use rustls::{pki_types::CertificateDer, server::ParsedCertificate};
use sha2::{Digest as _, Sha256, Sha512};

/// Whether one of these TLSA records (presentation form) fits the certificates that a mail server shows, its own first.
/// During a change of keys the old and the new record stand side by side, so one that fits is enough.
///
/// `None` when no record is usable for mail: senders then encrypt and check nothing (RFC 7672 2.2).
#[must_use]
pub fn tlsa_fits(records: &[String], chain: &[Vec<u8>]) -> Option<bool> {
    let usable: Vec<Promise> = records.iter().filter_map(|r| Promise::read(r)).collect();
    (!usable.is_empty()).then(|| usable.iter().any(|promise| promise.kept(chain)))
}

struct Promise {
    /// Whether it speaks of the server's own certificate (DANE-EE), not of an authority (DANE-TA).
    own: bool,
    /// Whether it speaks of the key alone.
    key: bool,
    /// 0 for the thing itself, 1 and 2 for its digests.
    matching: u8,
    data: String,
}

impl Promise {
    fn read(record: &str) -> Option<Self> {
        let words: Vec<&str> = record.split_whitespace().collect();
        let [usage, selector, matching, data @ ..] = words.as_slice() else { return None };
        let own = match *usage {
            "3" => true,
            "2" => false,
            // Usages 0 and 1 are not for mail (RFC 7672 3.1.3).
            _ => return None,
        };
        let key = match *selector {
            "0" => false,
            "1" => true,
            _ => return None,
        };
        let matching = matching.parse().ok().filter(|m: &u8| *m <= 2)?;
        let data = data.concat().to_ascii_lowercase();
        (!data.is_empty()).then_some(Self { own, key, matching, data })
    }

    fn kept(&self, chain: &[Vec<u8>]) -> bool {
        let shown = if self.own { chain.get(..1) } else { Some(chain) };
        shown.unwrap_or_default().iter().any(|certificate| {
            let thing = if self.key { key_of(certificate) } else { Some(certificate.clone()) };
            thing.is_some_and(|thing| self.data == self.digest(&thing))
        })
    }

    fn digest(&self, thing: &[u8]) -> String {
        let octets = match self.matching {
            1 => Sha256::digest(thing).to_vec(),
            2 => Sha512::digest(thing).to_vec(),
            _ => thing.to_vec(),
        };
        octets.iter().map(|b| format!("{b:02x}")).collect()
    }
}

/// The public key of a certificate with its algorithm (SubjectPublicKeyInfo).
fn key_of(certificate: &[u8]) -> Option<Vec<u8>> {
    let der = CertificateDer::from_slice(certificate);
    let parsed = ParsedCertificate::try_from(&der).ok()?;
    Some(parsed.subject_public_key_info().as_ref().to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hex(octets: &[u8]) -> String {
        octets.iter().map(|b| format!("{b:02x}")).collect()
    }

    #[test]
    fn a_record_fits_the_key_or_the_certificate_that_it_names() {
        let own = rcgen::generate_simple_self_signed(["mx.example".to_owned()]).unwrap();
        let other = rcgen::generate_simple_self_signed(["ca.example".to_owned()]).unwrap();
        let chain = [own.cert.der().to_vec(), other.cert.der().to_vec()];
        let key = rcgen::PublicKeyData::subject_public_key_info(&own.signing_key);
        let right = [
            format!("3 1 1 {}", hex(&Sha256::digest(&key))),
            format!("3 1 2 {}", hex(&Sha512::digest(&key)).to_uppercase()),
            format!("3 1 0 {}", hex(&key)),
            format!("3 0 1 {}", hex(&Sha256::digest(own.cert.der()))),
            format!("2 0 1 {}", hex(&Sha256::digest(other.cert.der()))),
        ];
        for record in right {
            assert_eq!(tlsa_fits(std::slice::from_ref(&record), &chain), Some(true), "{record}");
            let rollover = ["3 1 1 00".to_owned(), record];
            assert_eq!(tlsa_fits(&rollover, &chain), Some(true), "old and new side by side");
        }
        let authority_as_own = format!("3 0 1 {}", hex(&Sha256::digest(other.cert.der())));
        assert_eq!(tlsa_fits(&[authority_as_own], &chain), Some(false));
        assert_eq!(tlsa_fits(&["3 1 1 00ff".to_owned()], &chain), Some(false));
        assert_eq!(tlsa_fits(&["3 1 1 00ff".to_owned()], &[]), Some(false), "no certificate at all");
        for unusable in ["1 1 1 00", "0 0 1 00", "3 2 1 00", "3 1 9 00", "3 1 1", "x"] {
            assert_eq!(tlsa_fits(&[unusable.to_owned()], &chain), None, "{unusable}");
        }
    }
}
