//! F1: the durable record of intents and outcomes, and the ledger of copied messages.

mod ledger;
