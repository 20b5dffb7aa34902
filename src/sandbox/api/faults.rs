//! Faults that a test asks for: slowness, refusals, lost answers, nonsense.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One fault: which calls it meets, and what it does to them.
///
/// As JSON: `{"match": {"method": "PUT", "path": "/email/pro/*"}, "nth": 2, "kind": "status", "code": 503, "when": "after"}`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// The calls it meets.
    #[serde(rename = "match", default)]
    pub matches: Match,
    /// The first matching call that it meets, counted from 1 since the fault was set.
    #[serde(default = "one")]
    pub nth: u64,
    /// How many matching calls it meets from there on; 0 means all.
    #[serde(default = "one")]
    pub times: u64,
    /// What it does.
    #[serde(flatten)]
    pub kind: FaultKind,
    /// Whether the call still does its work.
    #[serde(default)]
    pub when: When,
}

fn one() -> u64 {
    1
}

impl Fault {
    /// A fault for the first call of that method and path.
    #[must_use]
    pub fn once(method: &str, path: &str, kind: FaultKind, when: When) -> Self {
        Self { matches: Match { method: method.to_owned(), path: path.to_owned() }, nth: 1, times: 1, kind, when }
    }
}

/// Calls by method and path, both with `*` for any run of characters.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Match {
    /// The method.
    pub method: String,
    /// The decoded path below the branch (`/email/...`, `/v2/zimbra/...`).
    pub path: String,
}

impl Default for Match {
    fn default() -> Self {
        Self { method: "*".to_owned(), path: "*".to_owned() }
    }
}

/// Before or after the effect of the call.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum When {
    /// The call does nothing.
    #[default]
    Before,
    /// The call does its work and its answer is lost.
    After,
}

/// What a fault does.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "snake_case")]
pub enum FaultKind {
    /// The call works, later.
    Latency {
        /// Milliseconds.
        ms: u64,
    },
    /// Another status, with the API's form of an error.
    Status {
        /// The status, such as 429 or 503.
        code: u16,
        /// `Retry-After`, in seconds.
        #[serde(default)]
        retry_after: Option<u64>,
    },
    /// The connection ends without an answer.
    Drop,
    /// 200 with the HTML of some proxy.
    Html,
    /// 200 with the first half of the answer.
    HalfJson,
    /// 200 with JSON of another type than the documented one.
    WrongType,
    /// The right answer; where it is a list, in another order, which an API never promised.
    Shuffled {
        /// Which other order.
        turn: usize,
    },
}

/// A fault and how often it met a call.
#[derive(Clone, Debug, Serialize)]
pub struct FaultRecord {
    /// The fault.
    #[serde(flatten)]
    pub fault: Fault,
    /// Matching calls since it was set.
    pub seen: u64,
    /// Calls it met.
    pub fired: u64,
}

/// The faults that are set. Clones share them.
#[derive(Clone, Debug, Default)]
pub struct Faults(Arc<Mutex<Vec<FaultRecord>>>);

impl Faults {
    fn lock(&self) -> MutexGuard<'_, Vec<FaultRecord>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sets one more.
    pub fn add(&self, fault: Fault) {
        self.lock().push(FaultRecord { fault, seen: 0, fired: 0 });
    }

    /// Takes all away.
    pub fn clear(&self) {
        self.lock().clear();
    }

    /// All of them, in the order they were set.
    #[must_use]
    pub fn list(&self) -> Vec<FaultRecord> {
        self.lock().clone()
    }

    /// Counts the call and gives the first fault that meets it.
    pub(super) fn meet(&self, method: &str, path: &str) -> Option<Fault> {
        let mut met = None;
        for record in self.lock().iter_mut() {
            let wanted = &record.fault.matches;
            if !glob(&wanted.method, method) || !glob(&wanted.path, path) {
                continue;
            }
            record.seen += 1;
            let due = record.seen >= record.fault.nth && (record.fault.times == 0 || record.fired < record.fault.times);
            if due && met.is_none() {
                record.fired += 1;
                met = Some(record.fault.clone());
            }
        }
        met
    }
}

/// The JSON of an answer with its list in another order. What is no list stays.
pub(super) fn shuffled(body: &str, turn: usize) -> String {
    let Ok(Value::Array(mut list)) = serde_json::from_str::<Value>(body) else { return body.to_owned() };
    let by = turn % list.len().max(1);
    list.rotate_left(by);
    list.reverse();
    Value::Array(list).to_string()
}

/// Whether `text` is `pattern` with any run of characters, slashes included, for each `*`; access rules read the same
/// way (API reference 1.2).
pub(super) fn glob(pattern: &str, text: &str) -> bool {
    let mut parts = pattern.split('*');
    let Some(mut rest) = parts.next().and_then(|head| text.strip_prefix(head)) else { return false };
    let Some(tail) = pattern.contains('*').then(|| pattern.rsplit('*').next().unwrap_or_default()) else {
        return rest.is_empty();
    };
    let middle: Vec<&str> = parts.collect();
    for part in middle.iter().take(middle.len().saturating_sub(1)) {
        let Some((_, after)) = rest.split_once(part) else { return false };
        rest = after;
    }
    rest.ends_with(tail)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stands_for_any_run_and_nothing_else_is_special() {
        for (pattern, text, expected) in [
            ("*", "", true),
            ("/email/*", "/email/pro/x", true),
            ("/email/pro", "/email/pro/x", false),
            ("/email/pro/*", "/email/pro", false),
            ("/email/*/account/*", "/email/pro/s/account/a@b.c", true),
            ("/email/*/account/*/alias", "/email/pro/s/account/a/alias", true),
            ("/a*a", "/a", false),
            ("/a.b", "/axb", false),
        ] {
            assert_eq!(glob(pattern, text), expected, "{pattern} {text}");
        }
    }

    #[test]
    fn a_fault_meets_the_nth_call_and_as_many_as_it_says() {
        let faults = Faults::default();
        faults.add(Fault { nth: 2, times: 2, ..Fault::once("PUT", "/a/*", FaultKind::Drop, When::Before) });
        let met: Vec<bool> = (0..5).map(|_| faults.meet("PUT", "/a/b").is_some()).collect();
        assert_eq!(met, [false, true, true, false, false]);
        assert!(faults.meet("GET", "/a/b").is_none());
        assert_eq!(faults.list()[0].seen, 5);
    }

    #[test]
    fn a_list_comes_in_another_order_and_nothing_else_changes() {
        assert_eq!(shuffled("[1,2,3]", 1), "[1,3,2]");
        assert_eq!(shuffled("[1,2,3]", 3), "[3,2,1]");
        assert_eq!(shuffled("[]", 1), "[]");
        assert_eq!(shuffled("{\"a\":[1,2]}", 1), "{\"a\":[1,2]}");
    }

    #[test]
    fn a_fault_reads_the_documented_json() {
        let fault: Fault = serde_json::from_str(
            r#"{"match":{"method":"POST","path":"/x"},"kind":"status","code":429,"retry_after":3,"when":"after"}"#,
        )
        .unwrap();
        assert_eq!(fault.kind, FaultKind::Status { code: 429, retry_after: Some(3) });
        assert_eq!((fault.nth, fault.times, fault.when), (1, 1, When::After));
    }
}
