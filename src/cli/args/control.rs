//! Flags that reach a live run, or a mailbox without a spec.

use clap::Args as ClapArgs;

use super::SpecArg;

/// A mailbox that is opened without a spec.
#[derive(Debug, Clone, Default, ClapArgs)]
pub(in crate::cli) struct FromArgs {
    /// The source of a copy that was made without a spec: imap[s]://USER@HOST[:PORT]
    #[arg(long, value_name = "URL")]
    pub(in crate::cli) from: Option<String>,
    /// The source's password: env:NAME, file:PATH or command:PROGRAM
    #[arg(long, value_name = "REF", requires = "from", conflicts_with = "from_token")]
    pub(in crate::cli) from_password: Option<String>,
    /// A bearer token instead of the source's password: env:NAME, file:PATH or command:PROGRAM
    #[arg(long, value_name = "REF", requires = "from")]
    pub(in crate::cli) from_token: Option<String>,
    /// Send the password without TLS
    #[arg(long, requires = "from")]
    pub(in crate::cli) insecure: bool,
}

/// The limits of a live run.
#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct LimitsArgs {
    /// Octets of messages in a second, each way, for each mailbox, such as `2 MB`; 0 for no limit
    #[arg(long, value_name = "SIZE", env = "REHOME_BYTES_PER_SECOND")]
    pub(in crate::cli) bytes_per_second: Option<String>,
    /// Connections to each host; 0 for no limit
    #[arg(long, value_name = "N", env = "REHOME_CONNECTIONS")]
    pub(in crate::cli) connections: Option<u32>,
    #[command(flatten)]
    pub(in crate::cli) spec: SpecArg,
}
