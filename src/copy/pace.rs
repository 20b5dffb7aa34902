//! How a copy obeys servers that ask for patience. Nothing of it counts as an error.
//!
//! A pause that a server tells is kept to the millisecond; where it tells none, pauses double, without chance, from five
//! seconds to three minutes, and start anew when something was copied. A pause of more than ten minutes, or half an hour
//! of pauses in which nothing could be copied, is not slept through: the copy ends with the word "later".

use std::{
    collections::BTreeMap,
    sync::{Mutex, PoisonError},
    time::Duration,
};

use jiff::Timestamp;

use super::clock::Clock;

/// The longest pause that is waited for.
pub(super) const LONGEST_PAUSE: Duration = Duration::from_secs(600);
/// How long a host may put a copy off without letting anything through.
const LONGEST_STRETCH: Duration = Duration::from_secs(1800);
/// The first pause for a server that does not tell one.
const FIRST_PAUSE: Duration = Duration::from_secs(5);
/// The last of those.
const LAST_PAUSE: Duration = Duration::from_secs(180);
/// How long a lockout for used up traffic lasts that does not tell: Gmail lets an account in again after up to a day.
pub(super) const LOCKOUT: Duration = Duration::from_secs(24 * 3600);

/// The pauses of one copy, by host.
#[derive(Debug, Default)]
pub(super) struct Pace {
    clock: Clock,
    hosts: Mutex<BTreeMap<String, Stretch>>,
}

/// The pauses since a host last let something through.
#[derive(Clone, Copy, Debug, Default)]
struct Stretch {
    untold: u32,
    waited: Duration,
}

impl Pace {
    /// The pause to make for a host, or the time from which trying again makes sense when that is too far off.
    pub(super) fn ask(&self, host: &str, told: Option<Duration>) -> Result<Duration, Timestamp> {
        let mut hosts = self.hosts.lock().unwrap_or_else(PoisonError::into_inner);
        let stretch = hosts.entry(host.to_owned()).or_default();
        let pause = told.unwrap_or_else(|| {
            let pause = FIRST_PAUSE.saturating_mul(2_u32.saturating_pow(stretch.untold)).min(LAST_PAUSE);
            stretch.untold += 1;
            pause
        });
        stretch.waited = stretch.waited.saturating_add(pause);
        if pause > LONGEST_PAUSE || stretch.waited > LONGEST_STRETCH {
            *stretch = Stretch::default();
            return Err(self.clock.after(pause));
        }
        Ok(pause)
    }

    /// A host let something through.
    pub(super) fn progress(&self, host: &str) {
        self.hosts.lock().unwrap_or_else(PoisonError::into_inner).remove(host);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn untold_pauses_double_to_a_bound_and_start_anew_after_progress() {
        let pace = Pace::default();
        let seconds = |pace: &Pace| pace.ask("h", None).map(|d| d.as_secs());
        let first: Vec<_> = (0..8).map(|_| seconds(&pace).unwrap()).collect();
        assert_eq!(first, [5, 10, 20, 40, 80, 160, 180, 180]);
        pace.progress("h");
        assert_eq!(seconds(&pace), Ok(5));
        assert_eq!(pace.ask("other", None).unwrap().as_secs(), 5);
    }

    #[test]
    fn a_host_that_lets_nothing_through_ends_the_copy_within_half_an_hour() {
        for told in [None, Some(Duration::from_secs(299))] {
            let pace = Pace::default();
            let mut waited = Duration::ZERO;
            while let Ok(pause) = pace.ask("h", told) {
                waited += pause;
            }
            assert!(waited <= LONGEST_STRETCH && waited > LONGEST_STRETCH / 2, "{waited:?}");
        }
    }

    #[test]
    fn a_lockout_is_not_slept_through() {
        let pace = Pace::default();
        assert!(pace.ask("h", Some(LONGEST_PAUSE)).is_ok());
        assert!(pace.ask("h", Some(LOCKOUT)).unwrap_err() > Timestamp::now() + Duration::from_secs(80_000));
    }
}
