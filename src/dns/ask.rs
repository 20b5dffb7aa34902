//! One way to ask, whoever answers.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::SocketAddr,
};

use async_trait::async_trait;
use futures::{StreamExt as _, stream};
use hickory_resolver::system_conf::read_system_conf;

use super::{lookup::Client, nameserver::Nameserver};
use crate::model::{DnsView, Question, ServerView, Verdict};

/// Questions that one server gets at a time.
const AT_ONCE: usize = 2;

/// Something that answers questions: a server, the system's resolvers, or a recorded world.
///
/// The answer keeps its whole meaning. Only [`Verdict::NoData`] and [`Verdict::NxDomain`] mean that a record is missing.
#[async_trait]
pub trait Lookups: Send + Sync {
    /// Asks one question. Never fails: what went wrong is the verdict.
    async fn lookup(&self, question: &Question) -> Verdict;

    /// Whether the records that answer a question carry signatures; `None` when nobody can tell.
    async fn signed(&self, _question: &Question) -> Option<bool> {
        None
    }
}

/// Servers that are asked in turn until one knows.
#[derive(Clone, Debug)]
pub struct Servers {
    client: Client,
    servers: Vec<Nameserver>,
}

impl Servers {
    /// These servers, asked in this order.
    #[must_use]
    pub fn new<S: Into<Nameserver>>(client: Client, servers: Vec<S>) -> Self {
        Self { client, servers: servers.into_iter().map(Into::into).collect() }
    }

    /// The resolvers that this machine uses.
    ///
    /// # Errors
    /// One sentence when the system names none.
    pub fn system(client: Client) -> Result<Self, String> {
        let (config, _) =
            read_system_conf().map_err(|e| format!("the resolvers of this machine cannot be found: {e}"))?;
        let addresses: Vec<SocketAddr> = config.name_servers().iter().map(|s| SocketAddr::new(s.ip, 53)).collect();
        Ok(Self::new(Client { authority: false, ..client }, addresses))
    }

    /// Who is asked for the records of others: these resolvers, the servers that are asked for everything, else the
    /// resolvers of this machine.
    ///
    /// # Errors
    /// One sentence when the system is to name them and names none.
    pub fn of_others(resolvers: &[Nameserver], servers: &[SocketAddr]) -> Result<Self, String> {
        let client = Client { authority: false, ..Client::default() };
        match (resolvers, servers) {
            ([], []) => Self::system(client),
            ([], servers) => Ok(Self::new(client, servers.to_vec())),
            (resolvers, _) => Ok(Self::new(client, resolvers.to_vec())),
        }
    }

    /// Who is asked.
    #[must_use]
    pub fn servers(&self) -> &[Nameserver] {
        &self.servers
    }

    /// Asks each server every question, and writes down who said what.
    pub async fn ask_each(&self, questions: &BTreeSet<Question>) -> DnsView {
        let asked = stream::iter(&self.servers).map(|server| async move {
            let answers = stream::iter(questions)
                .map(|question| async move { (question.clone(), self.client.lookup(server.clone(), question).await) })
                .buffer_unordered(AT_ONCE);
            (server.to_string(), ServerView { answers: answers.collect().await, ..ServerView::default() })
        });
        let servers: BTreeMap<String, ServerView> = asked.buffer_unordered(16).collect().await;
        DnsView { servers, ..DnsView::default() }
    }
}

#[async_trait]
impl Lookups for Servers {
    async fn lookup(&self, question: &Question) -> Verdict {
        let mut last = Verdict::Unreachable { reason: "there is no server to ask".to_owned() };
        for server in &self.servers {
            last = self.client.lookup(server.clone(), question).await;
            if last.is_known() || last == Verdict::Bogus {
                break;
            }
        }
        last
    }

    async fn signed(&self, question: &Question) -> Option<bool> {
        for server in &self.servers {
            let told = self.client.signed(server, question).await;
            if told.is_some() {
                return told;
            }
        }
        None
    }
}
