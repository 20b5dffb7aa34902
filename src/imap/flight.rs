//! How many APPENDs are under way at the same time, learned from how the server keeps up. Pure.
//!
//! A far server is kept busy only by many; a near one gains nothing from them, and what is under way when a connection is
//! lost has to be looked for. So the number grows as long as more of them make messages land faster, and no further.

use std::time::Instant;

/// The number at the start.
const FIRST: usize = 64;
/// It grows no further than this.
const MOST: usize = 256;
/// Octets under way, but for one message that has more.
const OCTETS: u64 = 8 << 20;
/// More under way has to gain this much.
const GAIN: f64 = 1.1;
/// A server that has become this much slower gets fewer.
const LOSS: f64 = 0.5;

/// What was learned over one connection.
#[derive(Debug)]
pub(super) struct Flight {
    limit: usize,
    /// Messages per second, the last time that was measured.
    rate: Option<f64>,
    /// When the messages that are counted now began to land, and how many have.
    round: Option<(Instant, usize)>,
}

impl Default for Flight {
    fn default() -> Self {
        Self { limit: FIRST, rate: None, round: None }
    }
}

impl Flight {
    /// Whether one more message may go, with so many messages and octets under way.
    pub(super) fn has_room(&self, open: usize, octets: u64, next: u64) -> bool {
        open == 0 || (open < self.limit && octets.saturating_add(next) <= OCTETS)
    }

    /// Messages begin to go; before, nothing was under way.
    pub(super) fn begin(&mut self, now: Instant) {
        self.round = Some((now, 0));
    }

    /// The server took a message.
    pub(super) fn landed(&mut self, now: Instant) {
        let (since, landed) = self.round.unwrap_or((now, 0));
        if landed + 1 < self.limit {
            self.round = Some((since, landed + 1));
            return;
        }
        let seconds = now.saturating_duration_since(since).as_secs_f64().max(0.000_001);
        let rate = self.limit as f64 / seconds;
        match self.rate {
            Some(before) if rate < before * LOSS => self.limit = (self.limit / 2).max(1),
            Some(before) if rate < before * GAIN => {}
            _ => self.limit = (self.limit * 2).min(MOST),
        }
        self.rate = Some(rate);
        self.round = Some((now, 0));
    }

    /// The server refused a message because of what it is asked to do at the same time.
    pub(super) fn refused(&mut self) {
        *self = Self { limit: (self.limit / 2).max(1), rate: self.rate, round: None };
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// A server at a distance, which takes a while for each message, gets so many messages. Gives the limit at the end.
    fn after(flight: &mut Flight, messages: usize, distance: Duration, each: Duration) -> usize {
        let mut now = Instant::now();
        flight.begin(now);
        let (mut left, mut busy) = (messages, now);
        let mut open: std::collections::VecDeque<Instant> = std::collections::VecDeque::new();
        while left > 0 || !open.is_empty() {
            while left > 0 && flight.has_room(open.len(), 0, 1) {
                busy = busy.max(now + distance / 2) + each;
                open.push_back(busy + distance / 2);
                left -= 1;
            }
            now = open.pop_front().unwrap();
            flight.landed(now);
        }
        flight.limit
    }

    #[test]
    fn a_far_server_gets_many_at_a_time_and_a_near_one_few() {
        let (far, near) = (Duration::from_millis(40), Duration::from_micros(50));
        let each = Duration::from_micros(100);
        assert_eq!(after(&mut Flight::default(), 2000, far, each), MOST);
        assert!(after(&mut Flight::default(), 2000, near, each) <= 2 * FIRST);
    }

    #[test]
    fn a_server_that_slows_down_or_refuses_gets_fewer() {
        let mut flight = Flight::default();
        let (far, each) = (Duration::from_millis(40), Duration::from_micros(100));
        after(&mut flight, 2000, far, each);
        assert!(after(&mut flight, 2000, far, each * 50) < MOST);
        let before = flight.limit;
        flight.refused();
        assert_eq!(flight.limit, before / 2);
        (0..20).for_each(|_| flight.refused());
        assert!(flight.has_room(0, 0, u64::MAX) && !flight.has_room(1, 0, 1), "one goes always");
    }

    #[test]
    fn octets_under_way_are_bounded_but_for_one_message() {
        let flight = Flight::default();
        assert!(flight.has_room(0, 0, 100 << 20));
        assert!(flight.has_room(3, 4 << 20, 1 << 20) && !flight.has_room(3, 4 << 20, 5 << 20));
    }
}
