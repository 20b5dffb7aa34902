//! What can be typed behind `rehome report`.

use std::path::PathBuf;

use clap::Args as ClapArgs;

#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct ReportArgs {
    /// The run, such as `run-000001` [default: the last]
    pub(in crate::cli) run: Option<String>,
    /// The spec whose journal it is
    #[arg(long, default_value = ".", env = "REHOME_SPEC")]
    pub(in crate::cli) spec: PathBuf,
    /// Write the record as HTML and Markdown, a page for each user and settings for mail programs into this folder
    /// [default: the record alone, on stdout]
    #[arg(long, value_name = "DIR", env = "REHOME_OUT")]
    pub(in crate::cli) out: Option<PathBuf>,
    /// Only the record, from the journal alone: no platform is asked where its users' mail programs connect
    #[arg(long, env = "REHOME_RECORD_ONLY")]
    pub(in crate::cli) record_only: bool,
}
