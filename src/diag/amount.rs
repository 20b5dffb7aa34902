//! Amounts as people read them.

use jiff::Timestamp;

/// Octets in binary units with one decimal: `6.9 GiB`. Below one KiB, plain octets.
#[must_use]
pub fn size(octets: u64) -> String {
    const UNITS: [(&str, u32); 4] = [("TiB", 40), ("GiB", 30), ("MiB", 20), ("KiB", 10)];
    for (unit, shift) in UNITS {
        let one = 1u64 << shift;
        if octets >= one {
            let tenth = octets % one * 10 / one;
            return format!("{}.{tenth} {unit}", octets / one);
        }
    }
    format!("{octets} octets")
}

/// A number with separators of thousands: `56,511`.
#[must_use]
pub fn count(n: u64) -> String {
    let digits = n.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}

/// A number and its noun: `1 action`, `2,000 actions`, `3 mailboxes`.
#[must_use]
pub fn plural(n: usize, noun: &str) -> String {
    let ending = match n {
        1 => "",
        _ if noun.ends_with('x') => "es",
        _ => "s",
    };
    format!("{} {noun}{ending}", count(n as u64))
}

/// A time as people say it, in its largest whole unit: `5 minutes`, `2 hours`, `90 seconds`.
#[must_use]
pub fn duration(seconds: u64) -> String {
    let units = [(86_400, "day"), (3_600, "hour"), (60, "minute")];
    let whole = units.into_iter().find(|(unit, _)| seconds >= *unit && seconds.is_multiple_of(*unit));
    let (n, noun) = whole.map_or((seconds, "second"), |(unit, noun)| (seconds / unit, noun));
    plural(usize::try_from(n).unwrap_or(usize::MAX), noun)
}

/// A moment as people write it, to the second: `2026-11-30 17:04:05Z`.
#[must_use]
pub fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%SZ").to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn amounts_are_readable_at_their_edges() {
        let sizes = [0, 1023, 1024, 1536, (1 << 30) - 1, 1 << 30, u64::MAX];
        let shown = sizes.map(size);
        assert_eq!(shown, ["0 octets", "1023 octets", "1.0 KiB", "1.5 KiB", "1023.9 MiB", "1.0 GiB", "16777215.9 TiB"]);
        assert_eq!([0, 999, 1000, 1_234_567].map(count), ["0", "999", "1,000", "1,234,567"]);
        assert_eq!((plural(1, "action"), plural(1200, "action")), ("1 action".into(), "1,200 actions".into()));
        assert_eq!((plural(1, "mailbox"), plural(3, "mailbox")), ("1 mailbox".into(), "3 mailboxes".into()));
    }
}
