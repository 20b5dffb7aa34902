//! The state of the emulated platforms, as plain data behind one mutex.
//!
//! Tests may set any field through [`Api::edit`](super::Api::edit): suspend a service, lock an account, take a right away.

mod build;
mod dump;
mod hosted;
mod keys;
mod legacy;
mod routing;
mod tasks;
mod zimbra;
mod zone;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use sha2::{Digest, Sha256};

use crate::model::{Address, Domain};

pub use hosted::{Account, Contact, Family, Group, Hosted, HostedDomain, Protocol, Right, object};
pub use keys::{Credential, CredentialState, Keys, Rule};
pub use legacy::{Legacy, LegacyAccount, MailingList, Redirection, Responder};
pub use tasks::{Task, TaskStatus};
pub use zimbra::{Organization, Platform, Resource, Slot, ZimbraAccount, ZimbraAlias, ZimbraDomain, ZimbraRedirection};
pub use zone::{Record, Zone};

pub(super) use hosted::hex;

/// The seeded content was made at this moment, whatever the clock says.
pub const EPOCH: Timestamp = Timestamp::constant(1_767_225_600, 0); // 2026-01-01T00:00:00Z

/// Everything that the API knows.
#[derive(Clone, Debug, Default)]
pub struct World {
    /// What all generated content comes from.
    pub seed: u64,
    /// Switches.
    pub settings: Settings,
    /// The application and the service account of the rehearsal.
    pub keys: Keys,
    /// Credentials by consumer key.
    pub credentials: BTreeMap<String, Credential>,
    /// Exchange, Email Pro and new MX Plan services by name.
    pub hosted: BTreeMap<String, Hosted>,
    /// `/email/domain` by domain: legacy MX Plan, and the redirections of any domain.
    pub legacy: BTreeMap<Domain, Legacy>,
    /// Zimbra platforms by id.
    pub zimbra: BTreeMap<String, Platform>,
    /// DNS zones of the same customer.
    pub zones: BTreeMap<Domain, Zone>,
    /// Tasks by id, done ones too.
    pub tasks: BTreeMap<u64, Task>,
    /// Objects that a task holds, by [`object`] key, and the task.
    pub busy: BTreeMap<String, u64>,
    /// Addresses that a running task will give to something.
    pub reserved: BTreeSet<Address>,
    /// Zones whose live copy changed and is to be handed to the name servers.
    pub unpublished: BTreeSet<Domain>,
    /// OAuth2 access tokens that were handed out.
    pub tokens: BTreeSet<String>,
    /// The last id that was given.
    pub last_id: u64,
}

/// Switches of the emulation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Seconds that the API's clock is ahead of the machine's.
    pub clock_skew: i64,
    /// Whether a new domain waits for its ownership record to be visible in DNS.
    pub validate_domains: bool,
    /// Task functions that end in `error` without an effect.
    pub failing: BTreeSet<String>,
    /// Whether a second write to an Exchange, Email Pro or MX Plan account that a task holds is refused with 409. The
    /// legacy service and Zimbra always refuse.
    pub refuse_busy: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { clock_skew: 0, validate_domains: false, failing: BTreeSet::new(), refuse_busy: true }
    }
}

impl World {
    /// A world without services.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        let keys = Keys::new(seed);
        let credentials = BTreeMap::from([(keys.consumer.clone(), Credential::full(seed))]);
        let last_id = 480_000 + seed % 1_000 * 10;
        Self { seed, keys, credentials, last_id, ..Self::default() }
    }

    /// The next numeric id.
    pub fn id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    /// The task that holds an object; 0 when none does, as the API says it.
    #[must_use]
    pub fn pending(&self, key: &str) -> u64 {
        self.busy.get(key).copied().unwrap_or(0)
    }

    /// The API's clock.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        Timestamp::now().saturating_add(jiff::SignedDuration::from_secs(self.settings.clock_skew)).unwrap_or(EPOCH)
    }

    /// A UUID that depends on the seed and the name alone.
    #[must_use]
    pub fn uuid(&self, name: &str) -> String {
        uuid(self.seed, name)
    }
}

/// Bytes that depend on the seed and the name alone.
pub(super) fn noise(seed: u64, name: &str) -> [u8; 32] {
    let mut hash = Sha256::new();
    hash.update(seed.to_be_bytes());
    hash.update(name.as_bytes());
    hash.finalize().into()
}

/// A version 4 UUID (RFC 9562 5.4) that depends on the seed and the name alone.
pub(super) fn uuid(seed: u64, name: &str) -> String {
    let mut bytes = noise(seed, name);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let text = hex(&bytes);
    format!("{}-{}-{}-{}-{}", &text[..8], &text[8..12], &text[12..16], &text[16..20], &text[20..32])
}
