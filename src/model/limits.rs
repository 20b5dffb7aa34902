//! What a mail platform allows, or a person allows rehome, in connections and traffic.

use serde::{Deserialize, Serialize};

/// Limits of a platform's IMAP service. `None` is what is known of the host, or else no limit; 0 is no limit.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct MailLimits {
    /// Octets of messages read from one mailbox in 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub download_per_day: Option<u64>,
    /// Octets of messages sent to one mailbox in 24 hours.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub upload_per_day: Option<u64>,
    /// Connections to the host, over all mailboxes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections: Option<u32>,
    /// Connections with one login.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub connections_per_login: Option<u32>,
    /// Octets of messages in a second, in each direction, for one mailbox.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second: Option<u64>,
}

impl MailLimits {
    /// Whether nothing is said.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}
