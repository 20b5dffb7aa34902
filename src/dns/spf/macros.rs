//! Strings with macros (RFC 7208 7.1), read once and expanded many times.

/// One piece of a macro string.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Part {
    /// Text as it is.
    Literal(String),
    /// `%{...}`.
    Macro {
        /// The letter in lower case.
        letter: char,
        /// Whether the value is escaped for a URL: the letter was written in upper case.
        escape: bool,
        /// How many parts from the right are kept; all when not given. Never zero.
        keep: Option<usize>,
        /// Whether the parts are reversed.
        reverse: bool,
        /// What the value is split at.
        delimiters: String,
    },
}

/// A string with macros.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MacroString(pub Vec<Part>);

/// Where a macro string stands, which decides what it may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Place {
    /// The target of a mechanism or modifier: it has to end like a domain name.
    Domain,
    /// The value of a modifier that nobody knows.
    Value,
    /// An explanation: spaces, and the letters `c`, `r` and `t` too.
    Explanation,
}

const DELIMITERS: &str = ".-+,/_=";

impl MacroString {
    /// Reads a macro string; the error is a part of a sentence.
    pub(super) fn parse(text: &str, place: Place) -> Result<Self, String> {
        let mut parts = Vec::new();
        let mut literal = String::new();
        let mut ends_in_macro = false;
        let mut rest = text.chars();
        while let Some(c) = rest.next() {
            ends_in_macro = false;
            if c != '%' {
                if !(c.is_ascii_graphic() || (c == ' ' && place == Place::Explanation)) {
                    return Err("a character is not allowed".to_owned());
                }
                literal.push(c);
                continue;
            }
            ends_in_macro = true;
            match rest.next() {
                Some('%') => literal.push('%'),
                Some('_') => literal.push(' '),
                Some('-') => literal.push_str("%20"),
                Some('{') => {
                    let (inside, after) =
                        rest.as_str().split_once('}').ok_or_else(|| "a macro has no `}`".to_owned())?;
                    if !literal.is_empty() {
                        parts.push(Part::Literal(std::mem::take(&mut literal)));
                    }
                    parts.push(read_macro(inside, place)?);
                    rest = after.chars();
                }
                _ => return Err("`%` has to be followed by `{`, `%`, `_` or `-`".to_owned()),
            }
        }
        if place == Place::Domain && !ends_in_macro && !ends_in_label(&literal) {
            return Err(format!("`{text}` is no domain name"));
        }
        if !literal.is_empty() {
            parts.push(Part::Literal(literal));
        }
        if parts.is_empty() && place == Place::Domain {
            return Err("the domain name is missing".to_owned());
        }
        Ok(Self(parts))
    }

    /// The text when there is no macro in it, so that it can be looked at without a message.
    #[must_use]
    pub fn literal(&self) -> Option<&str> {
        match self.0.as_slice() {
            [Part::Literal(text)] => Some(text),
            _ => None,
        }
    }
}

fn read_macro(inside: &str, place: Place) -> Result<Part, String> {
    let wrong = || format!("`%{{{inside}}}` is no macro");
    let mut chars = inside.chars();
    let written = chars.next().ok_or_else(wrong)?;
    let letter = written.to_ascii_lowercase();
    let known = "slodipvh".contains(letter) || (place == Place::Explanation && "crt".contains(letter));
    if !known {
        return Err(wrong());
    }
    let digits: String = chars.clone().take_while(char::is_ascii_digit).collect();
    let keep = match digits.as_str() {
        "" => None,
        zero if zero.chars().all(|c| c == '0') => return Err(wrong()),
        // More parts than a name can have are all of them.
        some => Some(some.parse().unwrap_or(usize::MAX)),
    };
    let rest: String = chars.skip(digits.len()).collect();
    let (reverse, delimiters) = match rest.strip_prefix(['r', 'R']) {
        Some(delimiters) => (true, delimiters),
        None => (false, rest.as_str()),
    };
    if !delimiters.chars().all(|c| DELIMITERS.contains(c)) {
        return Err(wrong());
    }
    let delimiters = if delimiters.is_empty() { "." } else { delimiters }.to_owned();
    Ok(Part::Macro { letter, escape: written.is_ascii_uppercase(), keep, reverse, delimiters })
}

/// Whether a text ends in a dot and a top label, perhaps with a final dot (`domain-end` of RFC 7208 7.1).
fn ends_in_label(text: &str) -> bool {
    let bare = text.strip_suffix('.').unwrap_or(text);
    let Some((_, top)) = bare.rsplit_once('.') else { return false };
    let inside = |c: char| c.is_ascii_alphanumeric() || c == '-';
    top.chars().all(inside)
        && !top.is_empty()
        && !top.starts_with('-')
        && !top.ends_with('-')
        && !top.chars().all(|c| c.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn targets_end_like_names_and_macros_are_spelt_exactly() {
        for good in [
            "example.com",
            "example.com.",
            "_spf.1-2",
            "%{d}",
            "%{d2r-}.x.org",
            "foo%%",
            "foo:bar/baz.example.com",
            "%{L5R+-}",
        ] {
            assert!(MacroString::parse(good, Place::Domain).is_ok(), "{good}");
        }
        for bad in ["", "foo", "foo-bar", "a.12", "a.-b", "a.b-", "a..", "%{d}com", "%{d", "%{}", "%(d)", "%", "%{d0}"]
        {
            assert!(MacroString::parse(bad, Place::Domain).is_err(), "{bad}");
        }
        for bad in ["%{x}", "%{c}", "%{d-r}", "%{d2x}", "a b.com", "ü.com"] {
            assert!(MacroString::parse(bad, Place::Domain).is_err(), "{bad}");
        }
        assert!(MacroString::parse("from %{c} at %{T}", Place::Explanation).is_ok());
        assert!(MacroString::parse("", Place::Value).is_ok());
    }
}
