//! `rehome dns`: mail DNS of any domain, without a spec.

mod check;
mod spf;

use std::time::Duration;

use crate::{
    cli::{args::DnsCommand, context::Context, failure::Failure},
    diag::Exit,
    dns::Client,
};

/// Runs one of the commands.
pub(super) async fn run(context: &Context, command: DnsCommand) -> Result<Exit, Failure> {
    match command {
        DnsCommand::Check(args) => check::run(context, args).await,
        DnsCommand::Spf(args) => spf::run(context, args).await,
    }
}

/// How servers are asked: two seconds for each try, or `REHOME_DNS_TIMEOUT_MILLIS`.
fn client(context: &Context, authority: bool) -> Client {
    let millis = context.env.get("REHOME_DNS_TIMEOUT_MILLIS").and_then(|n| n.parse().ok());
    Client { timeout: Duration::from_millis(millis.unwrap_or(2000)), authority }
}
