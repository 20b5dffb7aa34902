//! The emulated OVHcloud API: stateful, on loopback, with the API's own delays, refusals and traps.
//!
//! | file | reader's question |
//! |---|---|
//! | `world/` | what is the state? |
//! | `agenda` | when does a change take effect? |
//! | `server` | how does a request become an answer, and where do faults strike? |
//! | `auth` | who may call what? |
//! | `hosted/`, `legacy/`, `zimbra/`, `zone` | what does each product do? |
//! | `control` | what are the rehearsal's own routes below `/sandbox`? |
//!
//! Bodies, names, statuses and traps follow OVHcloud's published schemas; where those are silent the emulator is strict,
//! so that a client that passes here does not depend on luck.

mod agenda;
mod auth;
mod call;
mod control;
mod faults;
mod fields;
mod hosted;
mod legacy;
mod server;
mod wire;
pub mod world;
mod zimbra;
mod zone;

use std::{
    io,
    net::{Ipv4Addr, SocketAddr},
    sync::Arc,
    time::Duration,
};

use serde_json::Value;
use tokio::task::JoinHandle;

use crate::model::Domain;

use super::{counters::Counters, store::MailStore};

pub use faults::{Fault, FaultKind, FaultRecord, Faults, Match, When};
use server::Shared;
use world::{Record, World};

/// The DNS that the rest of the rehearsal sees.
pub trait PublicDns: Send + Sync {
    /// Makes `records` the content of a zone.
    fn publish(&self, zone: &Domain, serial: u32, name_servers: &[String], records: &[Record]);

    /// The data of all records of that name and type, in zone file form without the final dots of names.
    fn lookup(&self, name: &str, record_type: &str) -> Vec<String>;
}

/// What the API acts on besides its own state.
#[derive(Clone)]
pub struct Links {
    /// The mailboxes.
    pub mail: Arc<dyn MailStore>,
    /// The DNS.
    pub dns: Arc<dyn PublicDns>,
    /// Where calls and effects are counted.
    pub counters: Counters,
    /// From the acceptance of a change to its effect.
    pub task_delay: Duration,
}

/// A running API. It ends when it is dropped.
pub struct Api {
    shared: Arc<Shared>,
    address: SocketAddr,
    tasks: [JoinHandle<()>; 2],
}

impl Api {
    /// Listens on loopback at `port`, or at any free port for 0.
    ///
    /// # Errors
    /// When the port cannot be had.
    pub async fn start(world: World, links: Links, port: u16) -> io::Result<Self> {
        let listener = tokio::net::TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Shared::new(world, links));
        shared.publish_all();
        let worker = tokio::spawn(server::work(Arc::clone(&shared)));
        let server = tokio::spawn(server::listen(Arc::clone(&shared), listener));
        Ok(Self { shared, address, tasks: [worker, server] })
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The endpoint as OVHcloud's own SDKs take it: it ends in `/1.0`, and v2 is beside it below `/v2`.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://{}/1.0", self.address)
    }

    /// The faults that are set.
    #[must_use]
    pub fn faults(&self) -> &Faults {
        &self.shared.faults
    }

    /// The counters of calls (`api.<METHOD> <path>`) and effects (`effect.<task> <service> <object>`).
    #[must_use]
    pub fn counters(&self) -> &Counters {
        &self.shared.links.counters
    }

    /// Looks at the world, or changes it behind the back of every client.
    pub fn edit<R>(&self, change: impl FnOnce(&mut World) -> R) -> R {
        change(&mut self.shared.core().world)
    }

    /// The world as `GET /sandbox/world` shows it.
    pub async fn dump(&self) -> Value {
        self.shared.measure_all().await;
        self.shared.core().world.dump()
    }

    /// Waits until every accepted change has had its effect.
    pub async fn idle(&self) {
        while !self.shared.is_idle() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }

    /// Ends it; connections are closed and accepted changes are forgotten.
    pub fn stop(&self) {
        for task in &self.tasks {
            task.abort();
        }
    }
}

impl Drop for Api {
    fn drop(&mut self) {
        self.stop();
    }
}
