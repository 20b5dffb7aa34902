//! How fast a copy goes and how long it will still take. Pure: whoever calls tells what time it is.

use std::time::Duration;

/// How quickly an older rate is forgotten: after this long it counts for about a third.
const MEMORY: f64 = 20.0;
/// Rates are taken over at least this many seconds; shorter stretches say more about buffers than about servers.
const STRETCH: f64 = 1.0;
/// No forecast reaches further than 30 days: by then something else will have happened.
const HORIZON: f64 = 30.0 * 86_400.0;

/// What can be said of a copy that goes on.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forecast {
    /// Messages settled per second, smoothed; `None` while too little was seen.
    pub per_second: Option<f64>,
    /// How long the rest will take; `None` before one percent of the work was seen, and while it stands still.
    pub remaining: Option<Duration>,
}

/// The pace of one copy, taken up step by step.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Pace {
    /// Seconds and messages when it was first seen.
    begun: Option<(f64, u64)>,
    /// Seconds and messages where the present stretch began.
    mark: (f64, u64),
    rate: Option<f64>,
}

impl Pace {
    /// Takes up how far the copy is at a time, counted from any fixed moment. Time and messages that go backwards are
    /// passed over.
    pub fn take(&mut self, at: Duration, done: u64, total: u64) -> Forecast {
        let at = at.as_secs_f64();
        let (_, first) = *self.begun.get_or_insert_with(|| {
            self.mark = (at, done);
            (at, done)
        });
        let (since, before) = self.mark;
        let stretch = at - since;
        if stretch >= STRETCH && done >= before {
            #[expect(clippy::cast_precision_loss, reason = "a rate for people needs no more than 52 bits")]
            let now = (done - before) as f64 / stretch;
            let weight = 1.0 - (-stretch / MEMORY).exp();
            self.rate = Some(self.rate.map_or(now, |rate| rate + weight * (now - rate)));
            self.mark = (at, done);
        }
        Forecast { per_second: self.rate, remaining: self.rate.and_then(|rate| eta(rate, first, done, total)) }
    }
}

/// How long the rest takes at a rate of messages per second. `first` is what was settled before the copy began.
///
/// `None` before one percent of the work is done, at a standstill, and for what no forecast should say: more than 30
/// days.
#[must_use]
pub fn eta(rate: f64, first: u64, done: u64, total: u64) -> Option<Duration> {
    let (work, gone) = (total.saturating_sub(first), done.saturating_sub(first));
    let rest = total.saturating_sub(done);
    if rest == 0 {
        return Some(Duration::ZERO);
    }
    if u128::from(gone) * 100 < u128::from(work) || gone == 0 || !rate.is_finite() || rate <= 0.0 {
        return None;
    }
    #[expect(clippy::cast_precision_loss, reason = "a forecast for people needs no more than 52 bits")]
    let seconds = rest as f64 / rate;
    (seconds <= HORIZON).then(|| Duration::from_secs_f64(seconds.ceil()))
}

/// A forecast for people: `120/s, about 4 min left`. Empty while nothing can be said.
#[must_use]
pub fn forecast_text(forecast: &Forecast) -> String {
    let rate = forecast
        .per_second
        .filter(|rate| *rate > 0.0)
        .map(|rate| if rate < 10.0 { format!("{rate:.1}/s") } else { format!("{rate:.0}/s") });
    let left = forecast.remaining.filter(|left| !left.is_zero()).map(|left| format!("about {} left", rounded(left)));
    [rate, left].into_iter().flatten().collect::<Vec<_>>().join(", ")
}

/// As exact as a forecast deserves.
fn rounded(left: Duration) -> String {
    let seconds = left.as_secs();
    match seconds {
        0..=90 => format!("{} s", seconds.div_ceil(5).max(1) * 5),
        91..=5400 => format!("{} min", seconds.div_ceil(60)),
        5401..=172_800 => format!("{} h", seconds.div_ceil(3600)),
        _ => format!("{} days", seconds.div_ceil(86_400)),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn seconds(n: u64) -> Duration {
        Duration::from_secs(n)
    }

    #[test]
    fn nothing_is_said_before_one_percent() {
        let mut pace = Pace::default();
        assert_eq!(pace.take(seconds(0), 0, 10_000), Forecast::default());
        let early = pace.take(seconds(10), 99, 10_000);
        assert_eq!((early.per_second, early.remaining), (Some(9.9), None));
        let later = pace.take(seconds(20), 199, 10_000);
        assert!(later.remaining.is_some());
    }

    #[test]
    fn what_was_settled_before_is_no_speed() {
        let mut pace = Pace::default();
        pace.take(seconds(0), 9_000, 10_000);
        let now = pace.take(seconds(10), 9_100, 10_000);
        assert_eq!(now.per_second, Some(10.0));
        assert_eq!(now.remaining, Some(seconds(90)));
        assert_eq!(forecast_text(&now), "10/s, about 90 s left");
    }

    #[test]
    fn a_standstill_fades_into_silence_and_the_end_is_zero() {
        let mut pace = Pace::default();
        pace.take(seconds(0), 0, 1000);
        pace.take(seconds(10), 500, 1000);
        let mut last = Duration::ZERO;
        for n in 2..60 {
            let Some(left) = pace.take(seconds(n * 10), 500, 1000).remaining else { break };
            assert!(left > last, "it only gets longer");
            last = left;
        }
        assert_eq!(pace.take(seconds(100_000_000), 500, 1000).remaining, None);
        assert_eq!(pace.take(seconds(100_000_001), 1000, 1000).remaining, Some(Duration::ZERO));
    }

    #[test]
    fn forecasts_are_as_exact_as_they_deserve() {
        let said = |n| rounded(seconds(n));
        assert_eq!([said(0), said(1), said(42), said(91)], ["5 s", "5 s", "45 s", "2 min"]);
        assert_eq!([said(3600), said(7200), said(200_000)], ["60 min", "2 h", "3 days"]);
    }

    proptest! {
        #[test]
        fn no_forecast_is_absurd(
            steps in proptest::collection::vec((0u64..100_000_000, any::<u64>(), any::<u64>()), 0..40),
        ) {
            let mut pace = Pace::default();
            for (millis, done, total) in steps {
                let forecast = pace.take(Duration::from_millis(millis), done, total);
                prop_assert!(forecast.per_second.is_none_or(|rate| rate.is_finite() && rate >= 0.0));
                prop_assert!(forecast.remaining.is_none_or(|left| left.as_secs_f64() <= HORIZON));
            }
        }

        #[test]
        fn a_steady_copy_is_foretold_to_the_second(rate in 1u64..5000, total in 100u64..1_000_000) {
            let mut pace = Pace::default();
            let steps = (total / rate).min(300);
            for n in 0..=steps {
                let done = n * rate;
                let Some(left) = pace.take(seconds(n), done, total).remaining else { continue };
                prop_assert!(left.as_secs().abs_diff((total - done).div_ceil(rate)) <= 1);
            }
        }
    }
}
