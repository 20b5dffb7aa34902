//! Where the policy of a name stands, and which domain organises it (RFC 9989 4.10).

use super::{dkim::tags, dmarc::is_record};

/// From so many labels on, a walk jumps (RFC 9989 4.10).
const LONG: usize = 8;

/// The names of a walk up the tree: the name itself, then one label less each, eight at most. A name of eight labels and
/// more goes on with its last seven.
pub(in crate::dns) fn names(name: &str) -> Vec<String> {
    let labels: Vec<&str> = name.split('.').collect();
    let first = if labels.len() >= LONG { labels.len() - (LONG - 1) } else { 1 };
    let rest = (first..labels.len()).filter_map(|at| labels.get(at..));
    std::iter::once(labels.as_slice()).chain(rest).map(|labels| labels.join(".")).collect()
}

/// What a record says of the tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::dns) struct Policy {
    /// The record.
    pub(in crate::dns) text: String,
    /// `y` for a registry, `n` for an organisation (RFC 9989 4.7).
    pub(in crate::dns) psd: Option<bool>,
    p: String,
    sp: Option<String>,
    np: Option<String>,
}

impl Policy {
    /// Reads a DMARC record; nothing for other texts.
    pub(in crate::dns) fn read(text: &str) -> Option<Self> {
        let tags = tags(text).filter(|_| is_record(text))?;
        let known = |tag: &str| {
            let word = tags.get(tag)?.to_ascii_lowercase();
            ["none", "quarantine", "reject"].contains(&word.as_str()).then_some(word)
        };
        let psd = match tags.get("psd").map(|v| v.to_ascii_lowercase()).as_deref() {
            Some("y") => Some(true),
            Some("n") => Some(false),
            _ => None,
        };
        // Without a policy it counts as `none`, if there is anybody to tell (4.10.1).
        let p = known("p").or_else(|| tags.contains_key("rua").then(|| "none".to_owned()))?;
        Some(Self { text: text.to_owned(), psd, p, sp: known("sp"), np: known("np") })
    }

    /// Which tag holds for a name below, and what it says: another policy for names that exist than for others.
    pub(in crate::dns) fn below(&self, exists: bool) -> (&'static str, &str) {
        match (&self.np, &self.sp) {
            (Some(np), _) if !exists => ("np", np),
            (_, Some(sp)) => ("sp", sp),
            _ => ("p", &self.p),
        }
    }
}

/// The organizational domain of the first name of a walk (RFC 9989 4.10.2): `walk` is what was found on it, in its order.
pub(in crate::dns) fn organization(start: &str, walk: &[(String, Policy)]) -> String {
    for (name, policy) in walk {
        match policy.psd {
            Some(false) => return name.clone(),
            Some(true) if name != start => {
                let labels: Vec<&str> = start.split('.').collect();
                let keep = name.split('.').count() + 1;
                let below = labels.get(labels.len().saturating_sub(keep)..).unwrap_or_default();
                return below.join(".");
            }
            _ => {}
        }
    }
    // The fewest labels come last.
    walk.last().map_or_else(|| start.to_owned(), |(name, _)| name.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn policy(text: &str) -> Policy {
        Policy::read(text).unwrap()
    }

    #[test]
    fn a_walk_asks_eight_times_at_most() {
        assert_eq!(names("a.example.org"), ["a.example.org", "example.org", "org"]);
        let seven = names("1.2.3.4.5.6.7");
        assert_eq!((seven.len(), seven[1].as_str()), (7, "2.3.4.5.6.7"));
        let eight = names("0.1.2.3.4.5.6.7");
        assert_eq!((eight.len(), eight[1].as_str()), (8, "1.2.3.4.5.6.7"));
        let twelve = names("a.b.c.d.e.1.2.3.4.5.6.7");
        assert_eq!((twelve.len(), twelve[1].as_str(), twelve[7].as_str()), (8, "1.2.3.4.5.6.7", "7"));
    }

    #[test]
    fn who_organises_a_name_is_said_by_the_records_above_it() {
        let found = |rows: &[(&str, &str)]| rows.iter().map(|(n, t)| ((*n).to_owned(), policy(t))).collect::<Vec<_>>();
        let org = |start: &str, rows: &[(&str, &str)]| organization(start, &found(rows));
        let plain = "v=DMARC1; p=none";
        assert_eq!(org("a.b.example.org", &[]), "a.b.example.org");
        assert_eq!(org("a.b.example.org", &[("a.b.example.org", plain), ("example.org", plain)]), "example.org");
        assert_eq!(
            org("a.b.example.org", &[("b.example.org", "v=DMARC1; p=none; psd=n"), ("example.org", plain)]),
            "b.example.org"
        );
        assert_eq!(org("a.b.bank", &[("bank", "v=DMARC1; p=reject; psd=y")]), "b.bank");
        assert_eq!(org("bank", &[("bank", "v=DMARC1; p=reject; psd=y")]), "bank", "not one below itself");
    }

    #[test]
    fn names_below_have_a_policy_of_their_own() {
        let all = policy("v=DMARC1; p=reject; sp=quarantine; np=none");
        assert_eq!((all.below(true), all.below(false)), (("sp", "quarantine"), ("np", "none")));
        assert_eq!(policy("v=DMARC1; p=reject; sp=none").below(false), ("sp", "none"));
        assert_eq!(policy("v=DMARC1; rua=mailto:a@x.org").below(true), ("p", "none"));
        assert_eq!(Policy::read("v=DMARC1"), None);
        assert_eq!(Policy::read("v=spf1 -all"), None);
    }
}
