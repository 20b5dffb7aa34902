//! `domains:` as it was written.

use super::{account::Defaults, leaf::List, read::record};
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
