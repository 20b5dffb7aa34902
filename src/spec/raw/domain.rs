//! `domains:` as it was written.

use super::{
    account::Defaults,
    leaf::{List, Number},
    read::record,
    secret::Secret,
    span::Span,
};
use crate::{
    model::{self, DnsTopic, DomainType},
    spec::types::{Presence, SourceFate, Strategy},
};

record! {
    /// One mail domain.
    Domain, "a domain" {
        /// The platform that its accounts should be on.
        #[schemars(required)]
        "platform" => platform: String,
        /// Whether the platform should have it. The default is present.
        "state" => state: Presence,
        /// Whether the platform is the only one of the domain. Left out, it is not managed.
        "type" => kind: DomainType,
        /// Where mail for unknown recipients goes.
        "mx_relay" => mx_relay: String,
        /// Where its accounts come from.
        "migrate" => migrate: Migrate,
        /// Its DNS.
        "dns" => dns: Dns,
        /// Text below outgoing mail. Left out, it is not managed.
        "footer" => footer: Footer,
        /// What its accounts have unless they say otherwise. Overrides the defaults at the top.
        "defaults" => defaults: Defaults,
    }
}

record! {
    /// How the accounts of a domain move.
    Migrate, "`migrate`" {
        /// The platform that they are on.
        #[schemars(required)]
        "from" => from: String,
        /// The order of steps. The default depends on the two platforms.
        "strategy" => strategy: Strategy,
        /// The local part that one side has while the other has the real one, with {local} in it.
        /// The default is "{local}01".
        "provisional" => provisional: String,
        /// The domain of provisional names. The default is the domain itself.
        "provisional_domain" => provisional_domain: model::Domain,
        /// What becomes of the source once its mail is proved to be at the target. The default is keep.
        "source" => source: SourceFate,
    }
}

record! {
    /// The DNS of a domain.
    Dns, "`dns`" {
        /// Who may write the zone. Left out, nobody: records are checked only.
        #[schemars(extend("enum" = super::document::ZONE_WRITERS))]
        "manage" => manage: String,
        /// What is checked.
        "verify" => verify: List<DnsTopic>,
        /// Resolvers that `verify` asks too (address, tls://HOST or https://HOST/PATH), to say where they still have
        /// another answer; they are also asked for the records of others.
        "resolvers" => resolvers: List<String>,
        /// The servers to ask (address, or address:port) instead of those that the delegation names.
        "servers" => servers: List<String>,
        /// What `manage` may write. The default is every record of the domain's mail.
        "records" => records: List<DnsTopic>,
        /// The TTL of what is written, in seconds. Left out, the one that is there is kept.
        "ttl" => ttl: Number,
        /// The mail servers to publish ("10 mx.example.net") instead of those that the platform names.
        "mx" => mx: List<String>,
        /// The DMARC record to publish. Left out, one that is there is left alone.
        "dmarc" => dmarc: String,
        /// How the zone is updated, with `manage: rfc2136`.
        "update" => update: Update,
        /// How the MX is moved (strategy parallel).
        "cutover" => cutover: Cutover,
    }
}

record! {
    /// Signed dynamic updates of a zone.
    Update, "`update`" {
        /// The primary server (address, or address:port).
        #[schemars(required)]
        "server" => server: String,
        /// The zone. The default is the one that holds the domain.
        "zone" => zone: model::Domain,
        /// The name of the TSIG key.
        #[schemars(required)]
        "key" => key: String,
        /// The algorithm of the key. The default is hmac-sha256.
        #[schemars(extend("enum" = TSIG_ALGORITHMS))]
        "algorithm" => algorithm: String,
        /// The key in Base64.
        #[schemars(required)]
        "secret" => secret: Secret,
    }
}

/// The algorithms of TSIG keys that are strong enough (RFC 8945 6).
pub(in crate::spec) const TSIG_ALGORITHMS: [&str; 3] = ["hmac-sha256", "hmac-sha384", "hmac-sha512"];

record! {
    /// How the MX of a domain moves.
    Cutover, "`cutover`" {
        /// The TTL of the MX around the move, in seconds. The default is 300.
        "ttl" => ttl: Number,
        /// How long resolvers are trusted to keep a record beyond its TTL, in seconds. The default is 3600.
        "margin" => margin: Number,
        /// Whether a person has to say `rehome cutover approve` before the MX moves. The default is true.
        "approve" => approve: bool,
        /// Resolvers (address, tls://HOST or https://HOST/PATH) that must have the new MX before the move counts as seen.
        "resolvers" => resolvers: List<String>,
        /// A test message through the new mail servers. Left out, none is sent.
        "probe" => probe: Probe,
    }
}

record! {
    /// A test message through the new mail servers, right after the MX has moved.
    Probe, "`probe`" {
        /// The account of the domain that it is sent to. It has to arrive in its new mailbox.
        #[schemars(required)]
        "account" => account: model::Address,
        /// How long it may take (15m, 1h). The move is taken back then. The default is 15m.
        "confirm" => confirm: Span,
        /// Who sends it. The default is nobody (the null sender), to whom no error message is returned.
        "from" => from: model::Address,
    }
}

record! {
    /// Text that the platform adds below outgoing mail.
    Footer, "`footer`" {
        /// HTML.
        "html" => html: String,
        /// Only on mail that leaves the organisation. The default is false.
        "outside_only" => outside_only: bool,
        /// Whether there should be one. The default is present.
        "state" => state: Presence,
    }
}
