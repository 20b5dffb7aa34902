//! The date and time of IMAP.

use std::{fmt, str::FromStr};

use jiff::{Timestamp, civil, tz::Offset};

/// When a server got a message: an instant, and the zone it is told in (RFC 9051 2.3.3).
///
/// Two of them are equal when instant and zone are; clients compare [`InternalDate::instant`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InternalDate {
    instant: Timestamp,
    offset_minutes: i32,
}

/// The text is no IMAP date-time.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("this is no date of the form `17-Jul-1996 02:44:25 -0700`")]
pub struct DateError;

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];
const DAYS: [&str; 7] = ["Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"];

/// The number of a month (1 to 12) from its three letters, in any case.
pub(in crate::sandbox) fn month(word: &str) -> Option<i8> {
    let at = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(word))?;
    i8::try_from(at + 1).ok()
}

impl InternalDate {
    /// An instant told in a zone that many minutes east of UTC. Fractions of a second are cut off; zones beyond
    /// 14 hours are taken for UTC.
    #[must_use]
    pub fn new(instant: Timestamp, offset_minutes: i32) -> Self {
        let instant = Timestamp::from_second(instant.as_second()).unwrap_or(instant);
        Self { instant, offset_minutes: if offset_minutes.abs() <= 14 * 60 { offset_minutes } else { 0 } }
    }

    /// The instant.
    #[must_use]
    pub fn instant(self) -> Timestamp {
        self.instant
    }

    /// Minutes east of UTC.
    #[must_use]
    pub fn offset_minutes(self) -> i32 {
        self.offset_minutes
    }

    /// The year on the wall of its zone.
    #[must_use]
    pub fn year(self) -> i16 {
        self.civil().year()
    }

    /// The date on the wall of its zone, which is what SEARCH compares (RFC 9051 6.4.4).
    #[must_use]
    pub fn day(self) -> civil::Date {
        self.civil().date()
    }

    /// The form of a `Date:` header (RFC 5322 3.3).
    #[must_use]
    pub fn rfc5322(self) -> String {
        let c = self.civil();
        let day = DAYS.get(usize::try_from(c.weekday().to_monday_zero_offset()).unwrap_or(0)).unwrap_or(&"Mon");
        let (sign, hours, minutes) = self.zone();
        format!(
            "{day}, {} {} {:04} {:02}:{:02}:{:02} {sign}{hours:02}{minutes:02}",
            c.day(),
            self.month_word(),
            c.year(),
            c.hour(),
            c.minute(),
            c.second()
        )
    }

    fn civil(self) -> civil::DateTime {
        Offset::from_seconds(self.offset_minutes * 60).unwrap_or(Offset::UTC).to_datetime(self.instant)
    }

    fn month_word(self) -> &'static str {
        MONTHS.get(usize::try_from(self.civil().month() - 1).unwrap_or(0)).unwrap_or(&"Jan")
    }

    fn zone(self) -> (char, i32, i32) {
        let sign = if self.offset_minutes < 0 { '-' } else { '+' };
        (sign, self.offset_minutes.abs() / 60, self.offset_minutes.abs() % 60)
    }
}

impl fmt::Display for InternalDate {
    /// The form of IMAP: `17-Jul-1996 02:44:25 -0700`, one-digit days with a leading space.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let c = self.civil();
        let (sign, hours, minutes) = self.zone();
        let month = self.month_word();
        let (day, year, h, m, s) = (c.day(), c.year(), c.hour(), c.minute(), c.second());
        write!(f, "{day:>2}-{month}-{year:04} {h:02}:{m:02}:{s:02} {sign}{hours:02}{minutes:02}")
    }
}

impl FromStr for InternalDate {
    type Err = DateError;

    fn from_str(text: &str) -> Result<Self, DateError> {
        parse(text).ok_or(DateError)
    }
}

fn parse(text: &str) -> Option<InternalDate> {
    let mut words = text.split_ascii_whitespace();
    let (date, time, zone) = (words.next()?, words.next()?, words.next()?);
    let mut date = date.split('-');
    let (day, month_word, year) = (date.next()?, date.next()?, date.next()?);
    let mut time = time.split(':');
    let (hour, minute, second) = (time.next()?, time.next()?, time.next()?);
    let civil = civil::DateTime::new(
        year.parse().ok()?,
        month(month_word)?,
        day.parse().ok()?,
        hour.parse().ok()?,
        minute.parse().ok()?,
        second.parse().ok()?,
        0,
    )
    .ok()?;
    let digits = zone.strip_prefix(['+', '-']).filter(|d| d.len() == 4 && d.bytes().all(|b| b.is_ascii_digit()))?;
    let number: i32 = digits.parse().ok()?;
    let minutes = (number / 100 * 60 + number % 100) * if zone.starts_with('-') { -1 } else { 1 };
    if words.next().is_some() || minutes.abs() > 14 * 60 {
        return None;
    }
    let instant = Offset::from_seconds(minutes * 60).ok()?.to_timestamp(civil).ok()?;
    Some(InternalDate::new(instant, minutes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_back() {
        for text in [
            "17-Jul-1996 02:44:25 -0700",
            " 1-Jan-1971 00:00:00 +0000",
            "29-Feb-2024 23:59:59 +0545",
            "31-Dec-2026 12:00:00 -0330",
        ] {
            let date: InternalDate = text.parse().unwrap();
            assert_eq!(date.to_string(), text);
        }
        let date: InternalDate = "17-Jul-1996 02:44:25 -0700".parse().unwrap();
        assert_eq!(date.instant().to_string(), "1996-07-17T09:44:25Z");
        assert_eq!(date.rfc5322(), "Wed, 17 Jul 1996 02:44:25 -0700");
    }

    #[test]
    fn nonsense_is_refused() {
        for text in
            ["", "17-Jul-1996", "17-Foo-1996 02:44:25 -0700", "31-Feb-2024 00:00:00 +0000", "1-Jan-2020 0:0:0 1"]
        {
            assert!(text.parse::<InternalDate>().is_err(), "{text}");
        }
    }
}
