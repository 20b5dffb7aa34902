//! What can be typed behind `rehome dedup`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct DedupArgs {
    /// The account of the spec whose mailbox is looked through: the one that its mail goes to
    #[arg(value_name = "ADDRESS", required_unless_present = "at", conflicts_with = "at")]
    pub(in crate::cli) account: Option<String>,
    /// The mailbox, without a spec: imap[s]://USER@HOST[:PORT]
    #[arg(long, value_name = "URL", requires = "opened")]
    pub(in crate::cli) at: Option<String>,
    /// Its password: env:NAME, file:PATH or command:PROGRAM
    #[arg(long, value_name = "REF", requires = "at", group = "opened")]
    pub(in crate::cli) password: Option<String>,
    /// A bearer token instead of a password
    #[arg(long, value_name = "REF", requires = "at", group = "opened")]
    pub(in crate::cli) token: Option<String>,
    /// The folder that remembers what was moved; that of a copy to this mailbox if there was one
    /// [default: .rehome/dedup-<name>]
    #[arg(long, value_name = "DIR", requires = "at")]
    pub(in crate::cli) state: Option<PathBuf>,
    /// Allow a connection without TLS to another machine
    #[arg(long, env = "REHOME_INSECURE")]
    pub(in crate::cli) insecure: bool,
    /// Only these folders and what lies below them; `*`, `?` and `**` are wildcards; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub(in crate::cli) folder: Vec<String>,
    /// Not these folders nor what lies below them; can be given several times
    #[arg(long, value_name = "GLOB")]
    pub(in crate::cli) exclude: Vec<String>,
    /// Set the doubles aside, below the folder Rehome-Doubles; one of each stays
    #[arg(long = "move", conflicts_with = "restore")]
    pub(in crate::cli) moves: bool,
    /// The plan that was shown: these doubles may be moved, and no others
    #[arg(long, value_name = "PLAN", requires = "moves")]
    pub(in crate::cli) ack: Option<String>,
    /// Bring back what was set aside
    #[arg(long)]
    pub(in crate::cli) restore: bool,
    /// The spec whose account it is
    #[arg(long, default_value = ".", env = "REHOME_SPEC")]
    pub(in crate::cli) spec: PathBuf,
}
