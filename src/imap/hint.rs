//! What a server's words ask for, beyond the refusal that carries them. Pure.
//!
//! Codes are believed before words. Words are those of the servers named in the table; a text that is in no row asks
//! for nothing, and stays what its status says it is.

use std::time::Duration;

use super::{
    code::Code,
    error::{ImapError, ImapErrorKind},
};

/// What a server asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hint {
    /// To be left alone for this long, or for a while when it does not say how long.
    Pause(Option<Duration>),
    /// It is busy: the same command may succeed a little later.
    Busy,
    /// To be left alone for hours: an allowance of the account is used up.
    Lockout,
    /// One connection of this login more than it takes.
    TooManyOfLogin,
    /// One connection from this machine, or to it in all, more than it takes.
    TooManyOfHost,
}

/// What the words mean, the first row that fits counting. Lower case. With the servers that are known to say it.
const WORDS: &[(&str, Hint)] = &[
    ("connections from user+ip exceeded", Hint::TooManyOfLogin), // Dovecot, mail_max_userip_connections
    ("too many simultaneous connections", Hint::TooManyOfLogin), // Gmail
    ("maximum number of connections from", Hint::TooManyOfHost), // Courier, MAXPERIP
    ("too many connections from", Hint::TooManyOfHost),          // Courier, Cyrus, proxies
    ("maximum number of connections", Hint::TooManyOfHost),
    ("connection limit", Hint::TooManyOfHost),
    ("too many connections", Hint::TooManyOfLogin),
    ("too many open connections", Hint::TooManyOfLogin),
    ("too many concurrent", Hint::TooManyOfLogin), // Stalwart, Zimbra
    ("too many sessions", Hint::TooManyOfLogin),
    ("too many open sessions", Hint::TooManyOfLogin), // Cyrus, maxlogins_per_user
    ("too many logins", Hint::TooManyOfLogin),
    ("command or bandwidth limits", Hint::Lockout), // Gmail
    ("bandwidth limit", Hint::Lockout),
    ("bandwidth exceeded", Hint::Lockout),
    ("[throttled]", Hint::Pause(None)), // Gmail puts it at the end of its text
    ("request is throttled", Hint::Pause(None)), // Exchange
    ("rate limit", Hint::Pause(None)),  // Yahoo, Fastmail, Stalwart
    ("too many requests", Hint::Pause(None)), // Stalwart
    ("server busy", Hint::Pause(None)), // Exchange
    ("server is busy", Hint::Pause(None)),
    ("too many commands", Hint::Pause(None)),
    ("system error", Hint::Busy), // Gmail, `System Error (Failure)`
    ("temporarily unavailable", Hint::Busy),
    ("temporary failure", Hint::Busy), // Dovecot, `Temporary authentication failure`
    ("temporary authentication failure", Hint::Busy),
    ("try again later", Hint::Busy),
];

impl Hint {
    /// What a status line asks for.
    #[must_use]
    pub fn of(code: Option<&Code>, text: &str) -> Option<Self> {
        let lower = text.to_ascii_lowercase();
        if let Some(told) = told(&lower) {
            return Some(Self::Pause(told));
        }
        let words = WORDS.iter().find(|(words, _)| lower.contains(words)).map(|(_, hint)| *hint);
        match code {
            // Of these codes the server means what it says; its words can only tell more.
            Some(Code::AuthenticationFailed | Code::AuthorizationFailed | Code::Expired) => None,
            Some(Code::Limit | Code::InUse | Code::Unavailable | Code::ServerBug) => words.or(Some(Self::Busy)),
            Some(Code::Other(name)) if name.eq_ignore_ascii_case("THROTTLED") => {
                Some(words.unwrap_or(Self::Pause(None)))
            }
            _ => words,
        }
    }

    /// What a failure asks for.
    #[must_use]
    pub fn of_error(error: &ImapError) -> Option<Self> {
        match &error.kind {
            ImapErrorKind::Throttled { millis: Some(millis), .. } => {
                Some(Self::Pause(Some(Duration::from_millis(*millis))))
            }
            ImapErrorKind::Throttled { millis: None, text } => Self::of(None, text).or(Some(Self::Pause(None))),
            ImapErrorKind::No { code, text }
            | ImapErrorKind::Bad { code, text }
            | ImapErrorKind::Bye { code, text } => Self::of(code.as_ref(), text),
            _ => None,
        }
    }

    /// What a refused login asks for: as [`Hint::of`], but words that also stand in refusals of a wrong password do not
    /// count, and `[LIMIT]` is about connections (RFC 5530 3).
    pub(super) fn of_login(code: Option<&Code>, text: &str) -> Option<Self> {
        match (Self::of(code, text), code) {
            (Some(Self::Busy), Some(Code::Limit)) => Some(Self::TooManyOfLogin),
            (Some(Self::Busy), None | Some(Code::Alert | Code::Other(_))) => None,
            (hint, _) => hint,
        }
    }

    /// Whether it is about the number of connections.
    #[must_use]
    pub fn is_about_connections(self) -> bool {
        matches!(self, Self::TooManyOfLogin | Self::TooManyOfHost)
    }
}

/// The pause that a text asks for in numbers: `Some(None)` when it announces a number and none follows.
fn told(lower: &str) -> Option<Option<Duration>> {
    if let Some((_, rest)) = lower.split_once("suggested backoff time:") {
        return Some(number(rest).map(|(n, _)| Duration::from_millis(n)));
    }
    let places = ["try again in ", "retry in ", "retry after ", "retry-after: ", "wait for ", "blocked for "];
    places.iter().find_map(|place| {
        let (n, rest) = number(lower.split_once(place)?.1)?;
        let unit = match rest.trim_start() {
            rest if rest.starts_with("ms") || rest.starts_with("milli") => Duration::from_millis(1),
            rest if rest.starts_with("min") => Duration::from_secs(60),
            rest if rest.starts_with('h') => Duration::from_secs(3600),
            rest if rest.starts_with("day") => Duration::from_secs(86_400),
            _ => Duration::from_secs(1),
        };
        Some(Some(unit.saturating_mul(u32::try_from(n).unwrap_or(u32::MAX))))
    })
}

fn number(text: &str) -> Option<(u64, &str)> {
    let text = text.trim_start();
    let end = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (digits, rest) = text.split_at(end);
    Some((digits.parse().ok()?, rest))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::imap::code::split;

    fn of(line: &str) -> Option<Hint> {
        let (code, text) = split(line.as_bytes());
        Hint::of(code.as_ref(), &String::from_utf8_lossy(text))
    }

    fn seconds(n: u64) -> Option<Hint> {
        Some(Hint::Pause(Some(Duration::from_secs(n))))
    }

    #[test]
    fn the_hints_of_the_field_are_understood() {
        let table = [
            ("Request is throttled. Suggested Backoff Time: 299000 milliseconds", seconds(299)),
            ("AUTHENTICATE failed. Request is throttled. Suggested Backoff Time: soon", Some(Hint::Pause(None))),
            ("Server Busy. Please retry later", Some(Hint::Pause(None))),
            ("[UNAVAILABLE] Server Busy", Some(Hint::Pause(None))),
            ("[UNAVAILABLE] UID FETCH Server error - Please try again later", Some(Hint::Busy)),
            ("[THROTTLED] slow down", Some(Hint::Pause(None))),
            ("Session over limit [THROTTLED]", Some(Hint::Pause(None))),
            ("[OVERQUOTA] Account exceeded command or bandwidth limits. (Failure)", Some(Hint::Lockout)),
            ("[OVERQUOTA] Quota exceeded (mailbox for user is full)", None),
            ("System Error (Failure)", Some(Hint::Busy)),
            ("[ALERT] Too many simultaneous connections. (Failure)", Some(Hint::TooManyOfLogin)),
            (
                "[UNAVAILABLE] Maximum number of connections from user+IP exceeded (mail_max_userip_connections=10)",
                Some(Hint::TooManyOfLogin),
            ),
            ("Maximum number of connections from this address reached", Some(Hint::TooManyOfHost)),
            ("Too many connections from your IP", Some(Hint::TooManyOfHost)),
            ("[INUSE] Mailbox is locked", Some(Hint::Busy)),
            ("[LIMIT] enough", Some(Hint::Busy)),
            ("Rate limit reached, try again in 2 minutes", seconds(120)),
            ("Too many requests; retry after 30", seconds(30)),
            ("Account blocked for 3 hours", seconds(10_800)),
            ("[UNAVAILABLE] Temporary authentication failure. [host:2026-11-22]", Some(Hint::Busy)),
            ("[AUTHENTICATIONFAILED] Too many connections and a wrong password", None),
            ("Mailbox is full", None),
            ("Command Argument Error. 11", None),
            ("Unknown mailbox", None),
        ];
        for (line, hint) in table {
            assert_eq!(of(line), hint, "{line}");
        }
    }

    #[test]
    fn a_refused_password_is_not_taken_for_a_pause() {
        assert_eq!(Hint::of_login(None, "Invalid login or password, try again later"), None);
        assert_eq!(Hint::of_login(Some(&Code::Limit), "no"), Some(Hint::TooManyOfLogin));
        assert_eq!(Hint::of_login(Some(&Code::Unavailable), "down"), Some(Hint::Busy));
        assert_eq!(Hint::of_login(None, "Too many connections"), Some(Hint::TooManyOfLogin));
    }

    proptest::proptest! {
        #[test]
        fn no_text_does_harm(text in ".{0,80}", n in 0_u64..u64::MAX) {
            let _ = Hint::of(None, &text);
            let _ = Hint::of(None, &format!("try again in {n} days {text}"));
        }
    }
}
