//! What can be typed behind `rehome cutover`.

use std::path::PathBuf;

use clap::Subcommand;

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum CutoverCommand {
    /// Where each move of an MX stands, and for what it waits
    Status {
        /// The spec whose journal is read
        #[arg(default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// Let the MX of a domain move as soon as it is safe
    Approve {
        /// The domain
        domain: String,
        /// The spec whose journal keeps it
        #[arg(default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// Keep the MX of a domain from moving until it is approved
    Hold {
        /// The domain
        domain: String,
        /// The spec whose journal keeps it
        #[arg(default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
    /// Give up the move of the MX of a domain in this run
    Cancel {
        /// The domain
        domain: String,
        /// The spec whose journal keeps it
        #[arg(default_value = ".", env = "REHOME_SPEC")]
        spec: PathBuf,
    },
}
