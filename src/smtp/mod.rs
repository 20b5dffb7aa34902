//! F2: hands one message to the mail servers of a domain, as the servers of other people do (RFC 5321).
//!
//! It is small on purpose: one recipient, no queue, no authentication. What it knows exactly is what a move of an MX
//! needs to know: whether a server was reached, whether it refuses the *recipient* or only *this machine*, and at which
//! octet a message may have become the server's business. Until `DATA` nothing has happened; the caller writes its
//! intent down right before.
//!
//! TLS is opportunistic, as between mail servers: a certificate that does not hold is told and stops nothing, because
//! mail would be delivered all the same.

mod client;
mod reply;

pub use client::{Courier, Handed, Host, Letter, Protection, Timeouts};
pub use reply::{Reply, ReplyError};
