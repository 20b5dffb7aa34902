//! Names of things that are not addresses.

use std::{borrow::Borrow, fmt};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::Text;

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident($held:ty)) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
        #[serde(transparent)]
        pub struct $name(pub $held);

        impl $name {
            /// The text of the id.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl From<&str> for $name {
            fn from(s: &str) -> Self {
                Self(s.into())
            }
        }

        impl From<String> for $name {
            fn from(s: String) -> Self {
                Self(s.into())
            }
        }
    };
}

text_id! {
    /// The name that a spec gives to one platform, such as `exchange`.
    PlatformId(Text)
}
text_id! {
    /// A readable, stable name of one action: `account.rename:exchange/john.smith@mydomain.ovh`.
    ActionId(Text)
}
text_id! {
    /// SHA-256 of a plan's canonical JSON body, in lower-case hex.
    PlanId(String)
}
text_id! {
    /// One execution of a plan, such as `run-000003`; unique within a workspace.
    RunId(String)
}
text_id! {
    /// A free place for an account on a platform: the address of a placeholder, or the id of a slot.
    SlotId(Text)
}

impl PlanId {
    /// The first 12 hex digits, which is what people see.
    #[must_use]
    pub fn short(&self) -> &str {
        self.0.get(..12).unwrap_or(&self.0)
    }
}

/// Which adapter drives a platform.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum PlatformKind {
    /// OVHcloud Hosted, Private or Provider Exchange.
    OvhExchange,
    /// OVHcloud Email Pro.
    OvhEmailPro,
    /// OVHcloud MX Plan, new generation (`/email/mxplan`).
    OvhMxplan,
    /// OVHcloud MX Plan, legacy (`/email/domain`).
    OvhMxplanLegacy,
    /// OVHcloud Zimbra (API v2).
    OvhZimbra,
    /// Any IMAP host whose accounts exist already; there is no control plane.
    Imap,
}

impl PlatformKind {
    /// Every kind, in the order people read them.
    pub const ALL: [Self; 6] =
        [Self::OvhExchange, Self::OvhEmailPro, Self::OvhMxplan, Self::OvhMxplanLegacy, Self::OvhZimbra, Self::Imap];

    /// The word used in a spec.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::OvhExchange => "ovh-exchange",
            Self::OvhEmailPro => "ovh-email-pro",
            Self::OvhMxplan => "ovh-mxplan",
            Self::OvhMxplanLegacy => "ovh-mxplan-legacy",
            Self::OvhZimbra => "ovh-zimbra",
            Self::Imap => "imap",
        }
    }

    /// The name people use in a sentence.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::OvhExchange => "Exchange",
            Self::OvhEmailPro => "Email Pro",
            Self::OvhMxplan => "MX Plan",
            Self::OvhMxplanLegacy => "MX Plan (legacy)",
            Self::OvhZimbra => "Zimbra",
            Self::Imap => "IMAP host",
        }
    }

    /// Reads the word used in a spec.
    #[must_use]
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|k| k.word() == word)
    }

    /// Whether both kinds deliver by address behind the same MX hosts, so that an address can exist only once across
    /// them (the mail platforms of OVHcloud).
    #[must_use]
    pub fn shares_routing_with(self, other: Self) -> bool {
        self != Self::Imap && other != Self::Imap
    }
}

impl fmt::Display for PlatformKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.word())
    }
}

/// A SHA-256 digest; 64 hex digits in JSON.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Digest(pub [u8; 32]);

impl From<Digest> for String {
    fn from(digest: Digest) -> Self {
        digest.hex()
    }
}

impl TryFrom<String> for Digest {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::from_hex(&text).ok_or("a digest is 64 hex digits")
    }
}

impl Digest {
    /// Digests a byte string.
    #[must_use]
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Lower-case hex.
    #[must_use]
    pub fn hex(&self) -> String {
        self.0.iter().fold(String::with_capacity(64), |mut out, b| {
            use fmt::Write as _;
            let _ = write!(out, "{b:02x}");
            out
        })
    }

    /// Reads 64 hex digits.
    #[must_use]
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut out = [0u8; 32];
        for (i, byte) in out.iter_mut().enumerate() {
            *byte = u8::from_str_radix(text.get(2 * i..2 * i + 2)?, 16).ok()?;
        }
        Some(Self(out))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.hex())
    }
}
