//! Gates: what keeps actions from beginning although nothing is wrong. A gate is waited at, never failed at.

use std::{collections::BTreeSet, fmt, str::FromStr};

use jiff::{
    ToSpan as _,
    civil::{DateTime, Weekday},
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize, de};
use thiserror::Error;

use super::{Action, Phase, Work};

/// The gates of a spec, and of every plan that is made from it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Gates {
    /// When actions may begin: inside any of these. At any time when there are none.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub windows: Vec<Window>,
    /// What waits until somebody has approved it.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub approval: BTreeSet<ApprovalGate>,
}

impl Gates {
    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.windows.is_empty() && self.approval.is_empty()
    }

    /// The gates that hold at least one of these actions.
    #[must_use]
    pub fn of(&self, actions: &[Action]) -> Self {
        if actions.is_empty() {
            return Self::default();
        }
        let held = |gate: &ApprovalGate| actions.iter().any(|action| gate.holds(action));
        Self { windows: self.windows.clone(), approval: self.approval.iter().copied().filter(held).collect() }
    }
}

/// A class of actions that waits until somebody has approved it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ApprovalGate {
    /// Domains on the target.
    Domain,
    /// Renames and creates.
    Account,
    /// Aliases, redirections, groups, delegations, contacts, footers.
    Dependent,
    /// Mail.
    Copy,
    /// Proofs.
    Verify,
    /// Renames into place.
    Cutover,
    /// What becomes of the source.
    Retire,
    /// What takes an earlier run back.
    Rollback,
    /// Records of zones, in whatever phase they are written.
    Dns,
}

impl ApprovalGate {
    /// All of them, in the order of a plan.
    pub const ALL: [Self; 9] = [
        Self::Domain,
        Self::Account,
        Self::Dependent,
        Self::Copy,
        Self::Verify,
        Self::Cutover,
        Self::Retire,
        Self::Rollback,
        Self::Dns,
    ];

    /// The word in a spec and on the command line.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Account => "account",
            Self::Dependent => "dependent",
            Self::Copy => "copy",
            Self::Verify => "verify",
            Self::Cutover => "cutover",
            Self::Retire => "retire",
            Self::Rollback => "rollback",
            Self::Dns => "dns",
        }
    }

    /// Whether an action waits at it.
    #[must_use]
    pub fn holds(self, action: &Action) -> bool {
        let phase = match self {
            Self::Domain => Phase::Domain,
            Self::Account => Phase::Account,
            Self::Dependent => Phase::Dependent,
            Self::Copy => Phase::Copy,
            Self::Verify => Phase::Verify,
            Self::Cutover => Phase::Cutover,
            Self::Retire => Phase::Retire,
            Self::Rollback => Phase::Rollback,
            Self::Dns => return matches!(action.work, Work::Zone(_)),
        };
        action.phase == phase
    }
}

impl fmt::Display for ApprovalGate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// Hours of the day, in the time of a place: `22:00-06:00 Europe/Paris`, `Sat,Sun 00:00-24:00 UTC`.
///
/// Days are those on which it opens: `Fri 22:00-06:00` ends on Saturday morning.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Window {
    /// Bit 0 is Monday.
    days: u8,
    /// Minutes after midnight.
    from: u16,
    /// Minutes after midnight; not after `from` when it ends on the next day.
    until: u16,
    /// The name of the time zone, as IANA's database has it.
    zone: String,
}

/// Why a text is no window.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WindowError {
    /// It has another shape.
    #[error("`{0}` is no window of time")]
    Shape(String),
    /// A day has another name.
    #[error("`{0}` is no day of the week")]
    Day(String),
    /// An hour is none.
    #[error("`{0}` is no time of day")]
    Time(String),
    /// It begins when it ends.
    #[error("a window that begins when it ends, at {0}, is either always open or never")]
    Nothing(String),
}

const EVERY_DAY: u8 = 0b111_1111;
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

impl Window {
    /// The name of its time zone.
    #[must_use]
    pub fn zone(&self) -> &str {
        &self.zone
    }

    /// Whether it is open at a time of its zone.
    #[must_use]
    pub fn is_open(&self, now: DateTime) -> bool {
        let minute = minute_of(now);
        if self.from < self.until {
            return self.opens_on(now.weekday()) && (self.from..self.until).contains(&minute);
        }
        let began_today = self.opens_on(now.weekday()) && minute >= self.from;
        began_today || (self.opens_on(now.weekday().previous()) && minute < self.until)
    }

    /// When it opens next after a time of its zone at which it is not open.
    #[must_use]
    pub fn next(&self, now: DateTime) -> Option<DateTime> {
        let minute = minute_of(now);
        (0..=7_i64).find_map(|ahead| {
            let day = now.date().checked_add(ahead.days()).ok()?;
            let later = ahead > 0 || minute < self.from;
            let at = (later && self.opens_on(day.weekday())).then_some(self.from)?;
            let (hour, minute) = (i8::try_from(at / 60).ok()?, i8::try_from(at % 60).ok()?);
            Some(day.at(hour, minute, 0, 0))
        })
    }

    fn opens_on(&self, day: Weekday) -> bool {
        self.days & (1 << day.to_monday_zero_offset()) != 0
    }
}

fn minute_of(now: DateTime) -> u16 {
    u16::try_from(i16::from(now.hour()) * 60 + i16::from(now.minute())).unwrap_or(0)
}

impl FromStr for Window {
    type Err = WindowError;

    fn from_str(text: &str) -> Result<Self, WindowError> {
        let words: Vec<&str> = text.split_whitespace().collect();
        let (days, hours, zone) = match words.as_slice() {
            [hours, zone] => (EVERY_DAY, *hours, *zone),
            [days, hours, zone] => (parse_days(days)?, *hours, *zone),
            _ => return Err(WindowError::Shape(text.to_owned())),
        };
        let (from, until) = hours.split_once('-').ok_or_else(|| WindowError::Shape(text.to_owned()))?;
        let (from, until) = (parse_time(from, 23)?, parse_time(until, 24)?);
        if from == until {
            return Err(WindowError::Nothing(show_time(from)));
        }
        Ok(Self { days, from, until, zone: zone.to_owned() })
    }
}

fn parse_days(text: &str) -> Result<u8, WindowError> {
    let mut days = 0;
    for part in text.split(',') {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (parse_day(first)?, parse_day(last)?);
        let mut day = first;
        loop {
            days |= 1 << day;
            if day == last {
                break;
            }
            day = (day + 1) % 7;
        }
    }
    Ok(days)
}

fn parse_day(text: &str) -> Result<usize, WindowError> {
    let at = DAYS.iter().position(|day| day.eq_ignore_ascii_case(text));
    at.ok_or_else(|| WindowError::Day(text.to_owned()))
}

fn parse_time(text: &str, last_hour: u16) -> Result<u16, WindowError> {
    let wrong = || WindowError::Time(text.to_owned());
    let (hour, minute) = text.split_once(':').ok_or_else(wrong)?;
    let number = |digits: &str| -> Option<u16> {
        (digits.len() <= 2 && digits.bytes().all(|b| b.is_ascii_digit())).then(|| digits.parse().ok())?
    };
    let (hour, minute) = (number(hour).ok_or_else(wrong)?, number(minute).ok_or_else(wrong)?);
    let fits = hour <= last_hour && minute < 60 && (hour < 24 || minute == 0);
    if fits { Ok(hour * 60 + minute) } else { Err(wrong()) }
}

fn show_time(minutes: u16) -> String {
    format!("{:02}:{:02}", minutes / 60, minutes % 60)
}

impl fmt::Display for Window {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.days != EVERY_DAY {
            let named = DAYS.iter().enumerate().filter(|(at, _)| self.days & (1 << at) != 0);
            write!(f, "{} ", named.map(|(_, day)| *day).collect::<Vec<_>>().join(","))?;
        }
        write!(f, "{}-{} {}", show_time(self.from), show_time(self.until), self.zone)
    }
}

impl Serialize for Window {
    fn serialize<S: serde::Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Window {
    fn deserialize<D: serde::Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        String::deserialize(from)?.parse().map_err(de::Error::custom)
    }
}

impl JsonSchema for Window {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Window".into()
    }

    fn json_schema(_: &mut schemars::SchemaGenerator) -> schemars::Schema {
        schemars::json_schema!({
            "type": "string",
            "pattern": r"^\s*([A-Za-z,-]+\s+)?[0-9]{1,2}:[0-9]{2}-[0-9]{1,2}:[0-9]{2}\s+\S+\s*$",
            "examples": ["22:00-06:00 Europe/Paris", "Sat,Sun 00:00-24:00 UTC"],
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;

    fn window(text: &str) -> Window {
        text.parse().unwrap()
    }

    #[test]
    fn a_window_over_midnight_belongs_to_the_day_on_which_it_opens() {
        let friday = window("Fri 22:00-06:00 Europe/Paris");
        // 2026-11-20 is a Friday.
        assert!(!friday.is_open(date(2026, 11, 20).at(5, 0, 0, 0)));
        assert!(!friday.is_open(date(2026, 11, 20).at(21, 59, 59, 0)));
        assert!(friday.is_open(date(2026, 11, 20).at(22, 0, 0, 0)));
        assert!(friday.is_open(date(2026, 11, 21).at(5, 59, 0, 0)));
        assert!(!friday.is_open(date(2026, 11, 21).at(6, 0, 0, 0)));
        assert!(!friday.is_open(date(2026, 11, 21).at(22, 0, 0, 0)));
    }

    #[test]
    fn the_next_opening_is_found_however_far_it_is() {
        let daily = window("22:00-06:00 UTC");
        assert_eq!(daily.next(date(2026, 11, 20).at(7, 0, 0, 0)), Some(date(2026, 11, 20).at(22, 0, 0, 0)));
        let monday = window("Mon 09:30-10:00 UTC");
        assert_eq!(monday.next(date(2026, 11, 23).at(10, 0, 0, 0)), Some(date(2026, 11, 30).at(9, 30, 0, 0)));
    }

    #[test]
    fn windows_are_shown_as_they_are_written() {
        for text in ["22:00-06:00 Europe/Paris", "Sat,Sun 00:00-24:00 UTC", "Mon 08:05-09:00 UTC"] {
            assert_eq!(window(text).to_string(), text);
        }
        assert_eq!(window("sat-mon 1:00-2:00  UTC").to_string(), "Mon,Sat,Sun 01:00-02:00 UTC");
    }

    #[test]
    fn what_is_no_window_is_refused() {
        for text in [
            "",
            "22:00-06:00",
            "22-06 UTC",
            "22:00 06:00 UTC",
            "24:00-06:00 UTC",
            "22:00-24:01 UTC",
            "22:60-23:00 UTC",
            "10:00-10:00 UTC",
            "Foo 10:00-11:00 UTC",
            "+1:00-02:00 UTC",
            "Mon- 10:00-11:00 UTC",
            "a b c d",
        ] {
            assert!(text.parse::<Window>().is_err(), "{text}");
        }
    }
}
