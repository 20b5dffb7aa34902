//! What can be typed behind `rehome dns`.

use std::{
    net::{IpAddr, SocketAddr},
    path::PathBuf,
};

use clap::{Args as ClapArgs, Subcommand};

use crate::{dns::Nameserver, observe::server_address};

#[derive(Debug, Subcommand)]
pub(in crate::cli) enum DnsCommand {
    /// Whether an address may send for a domain: the whole of RFC 7208, with every lookup it takes
    Spf(SpfArgs),
    /// Everything that is wrong with the mail DNS of a domain, why, and what to publish
    Check(CheckArgs),
}

#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct CheckArgs {
    /// The domain
    pub(in crate::cli) domain: String,
    /// Ask this server instead of those that the domain is delegated to; can be given several times
    #[arg(long, value_name = "ADDR:PORT", value_parser = server)]
    pub(in crate::cli) server: Vec<SocketAddr>,
    /// The platform that mail should go to, such as `ovh-exchange`, `google` or `microsoft-365`
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) platform: Option<String>,
    /// The platform that mail moves away from: whether it may still send during the move
    #[arg(long, value_name = "KIND")]
    pub(in crate::cli) from: Option<String>,
    /// Also ask this resolver, and compare: an address, tls://HOST or https://HOST/PATH; can be given several times
    #[arg(long, value_name = "SERVER")]
    pub(in crate::cli) resolver: Vec<Nameserver>,
    /// Also check the signatures of the answers here (DNSSEC), from the root's keys down
    #[arg(long)]
    pub(in crate::cli) dnssec: bool,
    /// The same from these keys down: a file of DNSKEY records; can be given several times
    #[arg(long, value_name = "FILE")]
    pub(in crate::cli) trust_anchor: Vec<PathBuf>,
    /// Also look at the key of this selector; can be given several times
    #[arg(long, value_name = "NAME")]
    pub(in crate::cli) selector: Vec<String>,
}

#[derive(Debug, Clone, ClapArgs)]
pub(in crate::cli) struct SpfArgs {
    /// The domain whose record is asked for
    #[arg(allow_hyphen_values = true)]
    pub(in crate::cli) domain: String,
    /// The address that sends
    #[arg(long, value_name = "IP")]
    pub(in crate::cli) ip: IpAddr,
    /// The envelope sender; empty for a bounce [default: postmaster at the domain]
    #[arg(long, value_name = "ADDRESS", allow_hyphen_values = true)]
    pub(in crate::cli) sender: Option<String>,
    /// What the sending server calls itself [default: the domain]
    #[arg(long, value_name = "NAME", allow_hyphen_values = true)]
    pub(in crate::cli) helo: Option<String>,
    /// Ask this server alone: an address, tls://HOST or https://HOST/PATH [default: the resolvers of this machine]
    #[arg(long, value_name = "SERVER")]
    pub(in crate::cli) server: Option<Nameserver>,
}

fn server(text: &str) -> Result<SocketAddr, String> {
    server_address(text).ok_or_else(|| "give an address, or address:port".to_owned())
}
