//! What can be asked of a live run.

use serde::{Deserialize, Serialize};

use crate::copy::LiveLimits;

/// One line from a client.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "do", rename_all = "snake_case", deny_unknown_fields)]
pub(in crate::cli) enum Request {
    /// How far the run is.
    Status {},
    /// Begin nothing new, and stop reading and sending mail, until `resume`.
    Pause {
        /// Who asks.
        by: String,
    },
    /// Go on.
    Resume {
        /// Who asks.
        by: String,
    },
    /// Every event from now on, one per line, until the run or the connection ends.
    Events {},
    /// Change the limits of this run; what is left out stays. With nothing in it, tells them.
    Limits(LiveLimits),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_are_read_as_documented() {
        let read = |text: &str| serde_json::from_str::<Request>(text);
        assert_eq!(read(r#"{"do":"status"}"#).unwrap(), Request::Status {});
        assert_eq!(read(r#"{"do":"pause","by":"ada"}"#).unwrap(), Request::Pause { by: "ada".to_owned() });
        let limits = LiveLimits { bytes_per_second: Some(1000), connections: None };
        assert_eq!(read(r#"{"do":"limits","bytes_per_second":1000}"#).unwrap(), Request::Limits(limits));
        for wrong in [r#"{"do":"stop"}"#, "{}", r#"{"do":"limits","bytes_per_second":-1}"#, "null", "[1,2"] {
            assert!(read(wrong).is_err(), "{wrong}");
        }
    }
}
