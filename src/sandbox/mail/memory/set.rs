//! Sets of numbers: `1:4,7,9:*` (RFC 9051 9, sequence-set).

use std::fmt::Write as _;

/// Ranges as they were written; `*` is [`u32::MAX`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NumberSet(Vec<(u32, u32)>);

impl NumberSet {
    /// Reads a set; `None` when it is none.
    pub(super) fn parse(text: &str) -> Option<Self> {
        let number = |word: &str| match word {
            "*" => Some(u32::MAX),
            _ if word.bytes().all(|b| b.is_ascii_digit()) => word.parse().ok().filter(|n| *n > 0),
            _ => None,
        };
        let range = |part: &str| match part.split_once(':') {
            Some((a, b)) => Some((number(a)?, number(b)?)),
            None => number(part).map(|n| (n, n)),
        };
        text.split(',').map(range).collect::<Option<Vec<_>>>().map(Self)
    }

    /// Whether a number is in it, when `*` stands for `last`.
    pub(super) fn contains(&self, number: u32, last: u32) -> bool {
        self.0.iter().any(|&(a, b)| {
            let (a, b) = (if a == u32::MAX { last } else { a }, if b == u32::MAX { last } else { b });
            (a.min(b)..=a.max(b)).contains(&number)
        })
    }

    /// The largest number that is written in it, `*` left aside.
    pub(super) fn largest(&self) -> u32 {
        self.0.iter().flat_map(|&(a, b)| [a, b]).filter(|n| *n != u32::MAX).max().unwrap_or(0)
    }
}

/// Numbers as a set, in their order: `4:6,9`.
pub(super) fn write(numbers: &[u32]) -> String {
    let mut out = String::new();
    let mut rest = numbers;
    while let Some((&first, _)) = rest.split_first() {
        let run = rest.iter().zip(first..).take_while(|(a, b)| **a == *b).count();
        let comma = if out.is_empty() { "" } else { "," };
        let last = rest.get(run - 1).copied().unwrap_or(first);
        let _infallible = if run == 1 { write!(out, "{comma}{first}") } else { write!(out, "{comma}{first}:{last}") };
        rest = rest.get(run..).unwrap_or_default();
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sets_are_read_and_written() {
        let set = NumberSet::parse("2:4,7,9:*").unwrap();
        let members: Vec<u32> = (1..=12).filter(|n| set.contains(*n, 12)).collect();
        assert_eq!(members, [2, 3, 4, 7, 9, 10, 11, 12]);
        assert_eq!(write(&members), "2:4,7,9:12");
        // `*` names the last message even when the range starts behind it.
        assert!(NumberSet::parse("100:*").unwrap().contains(12, 12));
        assert_eq!(set.largest(), 9);
        for bad in ["", "0", "a", "1,", "1:", "-1", "99999999999", "+1"] {
            assert_eq!(NumberSet::parse(bad), None, "{bad}");
        }
    }
}
