//! One way to ask, whoever answers.

use std::net::SocketAddr;

use async_trait::async_trait;
use hickory_resolver::system_conf::read_system_conf;

use super::lookup::Client;
use crate::model::{Question, Verdict};

/// Something that answers questions: a server, the system's resolvers, or a recorded world.
///
/// The answer keeps its whole meaning. Only [`Verdict::NoData`] and [`Verdict::NxDomain`] mean that a record is missing.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// Asks one question. Never fails: what went wrong is the verdict.
    async fn lookup(&self, question: &Question) -> Verdict;
}

/// Servers that are asked in turn until one knows.
#[derive(Clone, Debug)]
pub struct Servers {
    client: Client,
    addresses: Vec<SocketAddr>,
}

impl Servers {
    /// These servers, asked in this order.
    #[must_use]
    pub fn new(client: Client, addresses: Vec<SocketAddr>) -> Self {
        Self { client, addresses }
    }

    /// The resolvers that this machine uses.
    ///
    /// # Errors
    /// One sentence when the system names none.
    pub fn system(client: Client) -> Result<Self, String> {
        let (config, _) =
            read_system_conf().map_err(|e| format!("the resolvers of this machine cannot be found: {e}"))?;
        let addresses = config.name_servers().iter().map(|s| SocketAddr::new(s.ip, 53)).collect();
        Ok(Self::new(Client { authority: false, ..client }, addresses))
    }

    /// Who is asked, for people.
    #[must_use]
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }
}

#[async_trait]
impl Lookups for Servers {
    async fn lookup(&self, question: &Question) -> Verdict {
        let mut last = Verdict::Unreachable { reason: "there is no server to ask".to_owned() };
        for address in &self.addresses {
            last = self.client.lookup(*address, question).await;
            if last.is_known() || last == Verdict::Bogus {
                break;
            }
        }
        last
    }
}
