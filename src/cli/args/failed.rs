//! What can be typed behind `rehome failed`.

use std::path::PathBuf;

use clap::{Args as ClapArgs, Subcommand};

use super::{FromArgs, SpecArg};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum FailedCommand {
    /// Every message that could not be copied, and what will become of it
    List {
        #[command(flatten)]
        spec: SpecArg,
        /// Only this account
        #[arg(long, value_name = "ADDRESS")]
        account: Option<String>,
        /// Write them as a table to this file; `-` is stdout
        #[arg(long, value_name = "FILE")]
        csv: Option<PathBuf>,
    },
    /// One message: what is known of it, and its header as the source has it
    Show {
        #[command(flatten)]
        select: Select,
        #[command(flatten)]
        from: FromArgs,
    },
    /// Try messages again in the next run
    Retry(Select),
    /// Leave messages out from now on; they are counted as ignored
    Ignore {
        #[command(flatten)]
        select: Select,
        /// Why
        #[arg(long, value_name = "TEXT")]
        reason: String,
    },
}

/// Which failed messages.
#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct Select {
    /// The account
    #[arg(value_name = "ADDRESS")]
    pub(in crate::cli) account: String,
    /// Only in this folder of the source
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) folder: Option<String>,
    /// Only the message with this UID at the source; can be given several times
    #[arg(long, value_name = "N")]
    pub(in crate::cli) uid: Vec<u32>,
    /// Only failures of this class, such as `too-large`
    #[arg(long, value_name = "WORD")]
    pub(in crate::cli) class: Option<String>,
    /// The spec whose journal it is
    #[arg(long, default_value = ".", env = "REHOME_SPEC")]
    pub(in crate::cli) spec: PathBuf,
}
