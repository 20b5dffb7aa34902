//! What a client needs to use a sandbox: the document of `--ready-file`.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use super::{
    Sandbox,
    residents::{EMAIL_PRO, EXCHANGE, EXCHANGE_2, MX_PLAN, ZIMBRA, mail_name},
};
use crate::model::{Address, Domain};

/// How to reach a running sandbox, as one JSON object. Its keys and passwords open nothing else.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// The endpoint of the API as OVHcloud's own SDKs take it: it ends in `/1.0`, and v2 is beside it below `/v2`.
    pub api: String,
    /// The application key.
    pub application_key: String,
    /// The application secret.
    pub application_secret: String,
    /// The consumer key.
    pub consumer_key: String,
    /// The service account's id, for clients that use OAuth2.
    pub client_id: String,
    /// The service account's secret.
    pub client_secret: String,
    /// Where mailboxes are opened, by service: its name, the domain of a legacy service, the id of a Zimbra platform.
    pub imap: BTreeMap<String, ReadyImap>,
    /// The name server: address and port, over UDP and TCP.
    pub dns: String,
    /// The mail server that delivers into the mailboxes: address and port.
    pub smtp: String,
    /// The domains.
    pub domains: BTreeSet<Domain>,
    /// The mailboxes.
    pub accounts: Vec<ReadyAccount>,
    /// The number that all of it comes from.
    pub seed: u64,
}

/// An IMAP server. It speaks without TLS, on loopback.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyImap {
    /// Its address.
    pub host: String,
    /// Its port.
    pub port: u16,
}

/// A mailbox that can be opened.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ReadyAccount {
    /// The service, as in [`Ready::imap`].
    pub service: String,
    /// The address, which is the login.
    pub address: Address,
    /// The name people read.
    pub name: String,
    /// The password.
    pub password: String,
}

impl Ready {
    pub(super) fn of(sandbox: &Sandbox) -> Self {
        let keys = sandbox.api().edit(|world| world.keys.clone());
        let (legacy, domains): (Vec<String>, BTreeSet<Domain>) = sandbox.api().edit(|world| {
            let legacy = world.legacy.values().filter(|l| l.migrated.is_none()).map(|l| l.domain.to_string());
            (legacy.collect(), world.zones.keys().cloned().collect())
        });
        let services = [EXCHANGE, EXCHANGE_2, EMAIL_PRO, MX_PLAN, ZIMBRA].map(ToOwned::to_owned);
        let imap = services.into_iter().chain(legacy).map(|service| {
            let endpoint = sandbox.mail().endpoint(&service);
            (service, ReadyImap { host: endpoint.host, port: endpoint.port })
        });
        let accounts = sandbox.residents().iter().map(|r| ReadyAccount {
            service: r.service.clone(),
            address: r.address.clone(),
            name: r.name.clone(),
            password: r.password.clone(),
        });
        Self {
            api: sandbox.api().endpoint(),
            application_key: keys.application,
            application_secret: keys.secret,
            consumer_key: keys.consumer,
            client_id: keys.client_id,
            client_secret: keys.client_secret,
            imap: imap.collect(),
            dns: sandbox.dns.address().to_string(),
            smtp: sandbox.smtp.address().to_string(),
            domains,
            accounts: accounts.collect(),
            seed: sandbox.options.seed,
        }
    }

    /// The same as environment variables, under the names that the specs of the demo refer to. A spec has all passwords
    /// in one line: `source_password: { env: "PASSWORD_{address}" }`.
    ///
    /// | variable | value |
    /// |---|---|
    /// | `OVH_ENDPOINT` | the endpoint of the API |
    /// | `OVH_APPLICATION_KEY`, `OVH_APPLICATION_SECRET`, `OVH_CONSUMER_KEY` | the keys |
    /// | `OVH_CLIENT_ID`, `OVH_CLIENT_SECRET` | the service account |
    /// | `SANDBOX_DNS` | address and port of the name server |
    /// | `SANDBOX_IMAP_EXCHANGE`, `..._EXCHANGE2`, `..._EMAILPRO`, `..._MXPLAN`, `..._LEGACY`, `..._ZIMBRA` | `host:port` |
    /// | `PASSWORD_JOHN_SMITH_BLUE_EXAMPLE` | the password of that address, upper case, `_` for what is no letter or digit |
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        let mut variables: BTreeMap<String, String> = [
            ("OVH_ENDPOINT", &self.api),
            ("OVH_APPLICATION_KEY", &self.application_key),
            ("OVH_APPLICATION_SECRET", &self.application_secret),
            ("OVH_CONSUMER_KEY", &self.consumer_key),
            ("OVH_CLIENT_ID", &self.client_id),
            ("OVH_CLIENT_SECRET", &self.client_secret),
            ("SANDBOX_DNS", &self.dns),
        ]
        .map(|(name, value)| (name.to_owned(), value.clone()))
        .into();
        for (service, imap) in &self.imap {
            let name = format!("SANDBOX_IMAP_{}", mail_name(service).to_uppercase());
            variables.insert(name, format!("{}:{}", imap.host, imap.port));
        }
        for account in &self.accounts {
            variables.insert(password_variable(&account.address), account.password.clone());
        }
        variables
    }

    /// The same for rehome itself: also where mailboxes are opened (`REHOME_IMAP_<platform>`, for platforms that go by
    /// the short names of [`mail_name`]), which name server is asked, and pauses that fit a platform without limits
    /// whose tasks are quick.
    #[must_use]
    pub fn variables(&self) -> BTreeMap<String, String> {
        let mut variables = self.environment();
        for (service, imap) in &self.imap {
            let name = format!("REHOME_IMAP_{}", mail_name(service).to_uppercase());
            variables.insert(name, format!("imap://{}:{}", imap.host, imap.port));
        }
        let smtp = self.smtp.rsplit(':').next().unwrap_or_default();
        for (name, value) in [
            ("REHOME_DNS_SERVERS", self.dns.as_str()),
            ("REHOME_SMTP_PORT", smtp),
            ("REHOME_REQUESTS_PER_MINUTE", "600000"),
            ("REHOME_TASK_PAUSE_MILLIS", "10"),
            ("REHOME_POLL_MILLIS", "200"),
            ("REHOME_SETTLE_MILLIS", "300"),
        ] {
            variables.insert(name.to_owned(), value.to_owned());
        }
        variables
    }
}

/// The variable that holds the password of an address.
fn password_variable(address: &Address) -> String {
    let word = |c: char| if c.is_ascii_alphanumeric() { c.to_ascii_uppercase() } else { '_' };
    format!("PASSWORD_{}", address.to_string().chars().map(word).collect::<String>())
}

impl Sandbox {
    /// [`Ready::environment`] of this sandbox.
    #[must_use]
    pub fn environment(&self) -> BTreeMap<String, String> {
        self.ready().environment()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_goes_by_the_address_in_upper_case() {
        let address = Address::parse("john.smith+a@blue.example").unwrap();
        assert_eq!(password_variable(&address), "PASSWORD_JOHN_SMITH_A_BLUE_EXAMPLE");
    }
}
