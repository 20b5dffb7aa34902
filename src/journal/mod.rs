//! F1: the durable record of intents and outcomes, and the ledger of copied messages.

pub mod ledger;

use std::sync::{Arc, Mutex};

/// The workspace's database, shared by the journal and the ledger.
pub type Db = Arc<Mutex<rusqlite::Connection>>;
