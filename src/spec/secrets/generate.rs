//! New passwords.

use std::io;

use rand::{TryRngCore as _, rngs::OsRng};
use zeroize::Zeroizing;

use super::SecretError;
use crate::model::{Capabilities, Secret};

/// What a platform wants of a password.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PasswordPolicy {
    /// The fewest characters.
    pub min: u8,
    /// The most characters.
    pub max: u8,
}

impl PasswordPolicy {
    /// What a platform with these capabilities wants. Complexity is always given: every password has all four classes.
    #[must_use]
    pub fn of(capabilities: &Capabilities) -> Self {
        let (min, max) = capabilities.password_length;
        Self { min, max }
    }
}

/// Why a platform that wants passwords of that length, and mixed ones or not, will not take this one; nothing when it
/// may. Tells what is wanted, and nothing of the password.
#[must_use]
pub fn unfit((min, max): (u8, u8), mixed: bool, secret: &Secret) -> Option<String> {
    const KINDS: [fn(char) -> bool; 4] =
        [char::is_uppercase, char::is_lowercase, char::is_numeric, |c| !c.is_alphanumeric()];
    let text = secret.expose();
    let length = text.chars().count();
    if length < usize::from(min) || length > usize::from(max) {
        return Some(format!("passwords there have {min} to {max} characters"));
    }
    let kinds = KINDS.iter().filter(|kind| text.chars().any(**kind)).count();
    (mixed && kinds < 3)
        .then(|| "passwords there mix at least three of upper case, lower case, digits and others".to_owned())
}

impl Default for PasswordPolicy {
    /// What all supported platforms accept.
    fn default() -> Self {
        Self { min: 10, max: 30 }
    }
}

/// The usual length: about 140 bits.
const LENGTH: u8 = 24;

/// The classes, without characters that people confuse (`0 O 1 l I`) and without those that shells, IMAP and API forms
/// treat in a special way.
const CLASSES: [&[u8]; 4] = [b"ABCDEFGHJKLMNPQRSTUVWXYZ", b"abcdefghijkmnopqrstuvwxyz", b"23456789", b"-_.+=:"];

/// Draws a password from the randomness of the operating system: one of each class at least, and a letter first, so that
/// no program takes it for an option.
///
/// # Errors
/// [`SecretError::Policy`] when the policy leaves no room, [`SecretError::Randomness`] when there is none.
pub fn generate(policy: &PasswordPolicy) -> Result<Secret, SecretError> {
    let length = usize::from(LENGTH.clamp(policy.min.min(policy.max), policy.max));
    if policy.min > policy.max || length < CLASSES.len() {
        return Err(SecretError::Policy { min: policy.min, max: policy.max });
    }
    let all: Vec<u8> = CLASSES.concat();
    loop {
        let mut drawn = Zeroizing::new(String::with_capacity(length));
        for _ in 0..length {
            drawn.push(char::from(pick(&all)?));
        }
        let complete = CLASSES.iter().all(|class| drawn.bytes().any(|b| class.contains(&b)));
        // Drawing again instead of putting classes into places keeps every complete password equally likely.
        if complete && drawn.starts_with(|c: char| c.is_ascii_alphabetic()) {
            return Ok(Secret::new(drawn.as_str().to_owned()));
        }
    }
}

/// One of them, each equally likely: bytes above the largest multiple are drawn again.
fn pick(from: &[u8]) -> Result<u8, SecretError> {
    let count = u8::try_from(from.len()).unwrap_or(u8::MAX);
    let fair = u8::MAX - u8::MAX % count.max(1);
    loop {
        let mut byte = [0u8; 1];
        OsRng.try_fill_bytes(&mut byte).map_err(|e| SecretError::Randomness(io::Error::other(e)))?;
        let [byte] = byte;
        if byte < fair
            && let Some(chosen) = from.get(usize::from(byte % count))
        {
            return Ok(*chosen);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_have_all_classes_and_fit_their_policy() {
        for (min, max) in [(9, 30), (10, 64), (4, 4), (40, 64), (0, 8)] {
            for _ in 0..50 {
                let secret = generate(&PasswordPolicy { min, max }).unwrap();
                let text = secret.expose();
                assert!((usize::from(min)..=usize::from(max)).contains(&text.len()), "{min}..{max}");
                assert!(CLASSES.iter().all(|class| text.bytes().any(|b| class.contains(&b))));
                assert!(text.starts_with(|c: char| c.is_ascii_alphabetic()));
            }
        }
    }

    #[test]
    fn a_policy_without_room_is_refused() {
        for (min, max) in [(0, 3), (9, 8)] {
            assert!(matches!(generate(&PasswordPolicy { min, max }), Err(SecretError::Policy { .. })));
        }
    }

    #[test]
    fn a_password_that_a_platform_will_not_take_is_told_without_being_shown() {
        let told = |text: &str, mixed| unfit((9, 12), mixed, &Secret::new(text.to_owned()));
        for (text, mixed, fits) in [
            ("Ab3-efghi", true, true),
            ("abcdefgh-1", true, true),
            ("abcdefghi", true, false),
            ("abcdefghi", false, true),
            ("Ab3-", true, false),
            ("Ab3-efghijklm", true, false),
        ] {
            let why = told(text, mixed);
            assert_eq!(why.is_none(), fits, "{text}");
            assert!(why.is_none_or(|why| !why.contains(text)));
        }
    }

    #[test]
    fn two_passwords_differ() {
        let (a, b) = (generate(&PasswordPolicy::default()).unwrap(), generate(&PasswordPolicy::default()).unwrap());
        assert_ne!(a.expose(), b.expose());
    }
}
