//! Where users of a platform hand in the mail they send.
//!
//! No API of these platforms tells it, so it stands here as data, each row with the page that says so.

use crate::model::{ImapEndpoint, ImapSecurity, PlatformKind};

/// A server that takes mail from its own users (RFC 6409).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Submission {
    /// Host name.
    pub host: String,
    /// TCP port.
    pub port: u16,
    /// TLS from the first byte, or STARTTLS.
    pub security: ImapSecurity,
    /// Where its maker says so.
    pub reference: &'static str,
}

/// One row: the host is that of IMAP where the platform gives each service a server of its own.
struct Row {
    kind: PlatformKind,
    host: Option<&'static str>,
    /// Whether the same holds in North America; nobody says so of every row.
    canada: bool,
    port: u16,
    security: ImapSecurity,
    reference: &'static str,
}

const ROWS: [Row; 5] = [
    Row {
        kind: PlatformKind::OvhExchange,
        host: None,
        canada: true,
        port: 587,
        security: ImapSecurity::Starttls,
        reference: "github.com/ovh/docs: microsoft_exchange/exchange_starting_hosted (2023)",
    },
    Row {
        kind: PlatformKind::OvhEmailPro,
        host: None,
        canada: true,
        port: 587,
        security: ImapSecurity::Starttls,
        reference: "github.com/ovh/docs: email_pro/how_to_configure_thunderbird (2021)",
    },
    Row {
        kind: PlatformKind::OvhMxplan,
        host: Some("ssl0.ovh.net"),
        canada: true,
        port: 465,
        security: ImapSecurity::Tls,
        reference: "github.com/ovh/docs: mx_plan/how_to_configure_thunderbird_windows (2024)",
    },
    Row {
        kind: PlatformKind::OvhMxplanLegacy,
        host: Some("ssl0.ovh.net"),
        canada: true,
        port: 465,
        security: ImapSecurity::Tls,
        reference: "github.com/ovh/docs: mx_plan/how_to_configure_thunderbird_windows (2024)",
    },
    Row {
        kind: PlatformKind::OvhZimbra,
        host: Some("smtp.mail.ovh.net"),
        canada: false,
        port: 465,
        security: ImapSecurity::Tls,
        reference: "github.com/ovh/docs: zimbra/zimbra_mail_apps (2024)",
    },
];

/// Where users of a platform hand in mail, given where their mailboxes are opened. `None` where
/// nobody but the operator knows.
#[must_use]
pub fn submission_of(kind: PlatformKind, imap: &ImapEndpoint) -> Option<Submission> {
    let row = ROWS.iter().find(|row| row.kind == kind)?;
    if imap.host.ends_with(".ovh.ca") && !row.canada {
        return None;
    }
    Some(Submission {
        host: row.host.map_or_else(|| imap.host.clone(), ToOwned::to_owned),
        port: row.port,
        security: row.security,
        reference: row.reference,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn imap(host: &str) -> ImapEndpoint {
        ImapEndpoint { host: host.to_owned(), port: 993, security: ImapSecurity::Tls }
    }

    #[test]
    fn every_platform_with_a_control_plane_has_a_row_and_none_is_without_tls() {
        for kind in PlatformKind::ALL {
            let found = submission_of(kind, &imap("ex5.mail.ovh.net"));
            assert_eq!(found.is_none(), kind == PlatformKind::Imap, "{}", kind.word());
            if let Some(found) = found {
                assert_ne!(found.security, ImapSecurity::Plain);
                assert!(found.reference.starts_with("github.com/ovh/docs: "));
            }
        }
    }

    #[test]
    fn a_service_with_a_server_of_its_own_takes_mail_there() {
        let pro = submission_of(PlatformKind::OvhEmailPro, &imap("pro3.mail.ovh.net")).unwrap();
        assert_eq!((pro.host.as_str(), pro.port, pro.security), ("pro3.mail.ovh.net", 587, ImapSecurity::Starttls));
        assert_eq!(submission_of(PlatformKind::OvhZimbra, &imap("imap.mail.ovh.ca")), None, "nobody documents it");
    }
}
