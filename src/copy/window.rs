//! Cutting a folder into windows: what is read, put down, sent and settled together. Pure.

use std::ops::Range;

/// How large a window may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WindowSize {
    /// Messages.
    pub messages: usize,
    /// Octets, as announced.
    pub octets: u64,
}

impl Default for WindowSize {
    fn default() -> Self {
        Self { messages: 200, octets: 4 << 20 }
    }
}

/// Cuts a list of message sizes into ranges of consecutive messages. A message above the size is alone.
#[must_use]
pub fn cut(sizes: &[u64], limit: WindowSize) -> Vec<Range<usize>> {
    let mut out = Vec::new();
    let mut start = 0;
    let mut octets = 0_u64;
    for (i, size) in sizes.iter().enumerate() {
        let full = i - start >= limit.messages.max(1) || octets.saturating_add(*size) > limit.octets;
        if full && i > start {
            out.push(start..i);
            start = i;
            octets = 0;
        }
        octets = octets.saturating_add(*size);
    }
    if start < sizes.len() {
        out.push(start..sizes.len());
    }
    out
}

/// The halves of a range that holds more than one message.
#[must_use]
pub fn halves(range: &Range<usize>) -> Option<[Range<usize>; 2]> {
    let middle = range.start + range.len() / 2;
    (range.len() > 1).then_some([range.start..middle, middle..range.end])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn halving_ends_at_one_message() {
        assert_eq!(halves(&(0..3)), Some([0..1, 1..3]));
        assert_eq!(halves(&(4..5)), None);
    }

    proptest! {
        #[test]
        fn windows_cover_everything_in_order_within_their_bounds(
            sizes in proptest::collection::vec(0u64..400, 0..60), messages in 1usize..9, octets in 1u64..900,
        ) {
            let windows = cut(&sizes, WindowSize { messages, octets });
            let all: Vec<usize> = windows.iter().cloned().flatten().collect();
            prop_assert_eq!(all, (0..sizes.len()).collect::<Vec<_>>());
            for window in windows {
                let sum: u64 = sizes[window.clone()].iter().sum();
                prop_assert!(window.len() <= messages && (sum <= octets || window.len() == 1));
            }
        }
    }
}
