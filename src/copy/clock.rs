//! The time of day, by the runtime's own clock, so that a day can pass in a test.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

/// The time of day: read once, and moved on by the runtime's clock, which never goes back.
#[derive(Clone, Copy, Debug)]
pub(super) struct Clock {
    began: Timestamp,
    at: Instant,
}

impl Default for Clock {
    fn default() -> Self {
        Self { began: Timestamp::now(), at: Instant::now() }
    }
}

impl Clock {
    pub(super) fn now(&self) -> Timestamp {
        self.after(Duration::ZERO)
    }

    /// The time this long from now.
    pub(super) fn after(&self, wait: Duration) -> Timestamp {
        let passed = self.at.elapsed().saturating_add(wait);
        self.began.checked_add(passed).unwrap_or(Timestamp::MAX)
    }
}

/// A time for people, to the minute, never too early.
pub(super) fn minute(time: Timestamp) -> String {
    let rounded = time.as_second().div_euclid(60).saturating_add(1).saturating_mul(60);
    let time = Timestamp::from_second(rounded).unwrap_or(time);
    time.strftime("%Y-%m-%d %H:%M UTC").to_string()
}
