//! INTERNALDATE, kept exactly and read leniently.

use jiff::{Timestamp, civil::DateTime, tz::Offset};

const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// When a message arrived, as the server told it (RFC 9051 2.3.3).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InternalDate {
    text: String,
    read: Option<(DateTime, Offset)>,
}

impl InternalDate {
    /// Takes the server's text. One that cannot be read is kept as it is, without an instant.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        Self { text: text.to_owned(), read: read(text) }
    }

    /// The date for an instant, in UTC.
    #[must_use]
    pub fn at(instant: Timestamp) -> Self {
        let civil = Offset::UTC.to_datetime(instant);
        let mut date = Self { text: String::new(), read: Some((civil, Offset::UTC)) };
        date.text = date.wire().unwrap_or_default();
        date
    }

    /// The server's text, octet by octet.
    #[must_use]
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The instant, to the second. `None` when the text is no date.
    #[must_use]
    pub fn instant(&self) -> Option<Timestamp> {
        self.read.and_then(|(civil, offset)| offset.to_timestamp(civil).ok())
    }

    /// The date in the one form every server takes, with the zone as it was: `" 1-Jan-1971 00:00:00 +0530"` without the
    /// quotes. `None` when the text is no date that can be written with four digits of a year.
    #[must_use]
    pub fn wire(&self) -> Option<String> {
        let (civil, offset) = self.read?;
        if !(0..=9999).contains(&civil.year()) {
            return None;
        }
        let month = MONTHS.get(usize::try_from(civil.month() - 1).ok()?)?;
        let minutes = offset.seconds() / 60;
        let sign = if minutes < 0 { '-' } else { '+' };
        Some(format!(
            "{:>2}-{month}-{:04} {:02}:{:02}:{:02} {sign}{:02}{:02}",
            civil.day(),
            civil.year(),
            civil.hour(),
            civil.minute(),
            civil.second(),
            minutes.abs() / 60,
            minutes.abs() % 60
        ))
    }
}

fn read(text: &str) -> Option<(DateTime, Offset)> {
    let mut words = text.split_ascii_whitespace();
    let mut date = words.next()?.split('-');
    let day: i8 = date.next()?.parse().ok()?;
    let month_name = date.next()?;
    let month = MONTHS.iter().position(|m| m.eq_ignore_ascii_case(month_name))?;
    let year = year(date.next()?)?;
    let mut clock = words.next().unwrap_or("00:00:00").split(':');
    let mut part = || clock.next().map_or(Some(0), |t| t.parse::<i8>().ok());
    let (hour, minute, second) = (part()?, part()?, part()?);
    // Leap seconds exist in mail but not in civil time here.
    let second = second.min(59);
    let civil = DateTime::new(year, i8::try_from(month + 1).ok()?, day, hour, minute, second, 0).ok()?;
    Some((civil, words.next().and_then(zone).unwrap_or(Offset::UTC)))
}

/// Years of two and three digits come from servers that count from 1900 or cut the century off.
fn year(text: &str) -> Option<i16> {
    let number: i16 = text.parse().ok().filter(|n| *n >= 0)?;
    Some(match text.len() {
        2 if number < 70 => number + 2000,
        2 | 3 => number + 1900,
        _ => number,
    })
}

/// A zone of RFC 5322, the obsolete ones included. Anything else is taken for UTC by the caller.
fn zone(text: &str) -> Option<Offset> {
    let named = match text.to_ascii_uppercase().as_str() {
        "EDT" => Some(-4),
        "EST" | "CDT" => Some(-5),
        "CST" | "MDT" => Some(-6),
        "MST" | "PDT" => Some(-7),
        "PST" => Some(-8),
        _ => None,
    };
    if let Some(hours) = named {
        return Offset::from_seconds(hours * 3600).ok();
    }
    let (sign, digits) = match text.split_at_checked(1)? {
        ("+", rest) => (1, rest),
        ("-", rest) => (-1, rest),
        _ => return None,
    };
    let digits: String = digits.chars().filter(|c| *c != ':').collect();
    let number: i32 = digits.parse().ok().filter(|_| digits.len() == 4)?;
    Offset::from_seconds(sign * (number / 100 * 3600 + number % 100 * 60)).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn both(text: &str) -> (Option<String>, Option<String>) {
        let d = InternalDate::parse(text);
        (d.instant().map(|t| t.to_string()), d.wire())
    }

    #[test]
    fn dates_of_the_field_are_read_and_written_in_one_form() {
        let rows = [
            (" 7-Feb-1994 22:43:04 -0800", "1994-02-08T06:43:04Z", " 7-Feb-1994 22:43:04 -0800"),
            ("7-Feb-1994 22:43:04 -0800", "1994-02-08T06:43:04Z", " 7-Feb-1994 22:43:04 -0800"),
            ("07-FEB-1994 22:43:04 +0530", "1994-02-07T17:13:04Z", " 7-Feb-1994 22:43:04 +0530"),
            ("01-Jan-1904 00:00:00 +0000", "1904-01-01T00:00:00Z", " 1-Jan-1904 00:00:00 +0000"),
            ("31-Dec-2999 23:59:60 GMT", "2999-12-31T23:59:59Z", "31-Dec-2999 23:59:59 +0000"),
            ("17-Jul-99 02:44:25 EST", "1999-07-17T07:44:25Z", "17-Jul-1999 02:44:25 -0500"),
            ("17-Jul-2020 02:44:25", "2020-07-17T02:44:25Z", "17-Jul-2020 02:44:25 +0000"),
            ("17-Jul-2020 02:44:25 +02:00", "2020-07-17T00:44:25Z", "17-Jul-2020 02:44:25 +0200"),
            ("17-Jul-2020 02:44:25 +9999", "2020-07-17T02:44:25Z", "17-Jul-2020 02:44:25 +0000"),
        ];
        for (text, instant, wire) in rows {
            assert_eq!(both(text), (Some(instant.to_owned()), Some(wire.to_owned())), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_kept_without_an_instant() {
        for text in ["", "NIL", "32-Jan-2020 00:00:00 +0000", "1-Foo-2020 00:00:00 +0000", "1-Jan--5 0:0:0", "é-é-é"]
        {
            assert_eq!(both(text), (None, None), "{text}");
            assert_eq!(InternalDate::parse(text).text(), text);
        }
    }

    proptest! {
        #[test]
        fn reading_never_panics(text in any::<String>()) {
            let _ = both(&text);
        }

        #[test]
        fn an_instant_survives_writing_and_reading(seconds in -62_000_000_000_i64..200_000_000_000) {
            let at = Timestamp::from_second(seconds).unwrap();
            let wire = InternalDate::at(at).wire().unwrap();
            prop_assert_eq!(InternalDate::parse(&wire).instant(), Some(at));
        }
    }
}
