//! Settings that mail programs read. They hold no password: every program asks for it.

use std::fmt::Write as _;

use sha1::{Digest as _, Sha1};

use super::{MailServers, User};
use crate::model::{Domain, ImapSecurity};

use super::super::html::escape;

/// The settings of a domain for Thunderbird and programs like it, to be served as
/// `https://autoconfig.DOMAIN/mail/config-v1.1.xml` (<https://wiki.mozilla.org/Thunderbird:Autoconfiguration:ConfigFileFormat>).
/// `None` where the server that takes mail is not known: the format demands one.
#[must_use]
pub fn autoconfig(domain: &Domain, servers: &MailServers) -> Option<String> {
    let smtp = servers.smtp.as_ref()?;
    let socket = |security| match security {
        ImapSecurity::Tls => "SSL",
        ImapSecurity::Starttls => "STARTTLS",
        ImapSecurity::Plain => "plain",
    };
    let server = |element: &str, kind: &str, host: &str, port: u16, security| {
        format!(
            "    <{element} type=\"{kind}\">\n      <hostname>{}</hostname>\n      <port>{port}</port>\n      \
             <socketType>{}</socketType>\n      <authentication>password-cleartext</authentication>\n      \
             <username>%EMAILADDRESS%</username>\n    </{element}>\n",
            escape(host),
            socket(security)
        )
    };
    let imap = &servers.imap;
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<clientConfig version=\"1.1\">\n  <emailProvider id=\"{name}\">\n    \
         <domain>{name}</domain>\n    <displayName>{shown}</displayName>\n    <displayShortName>{shown}</displayShortName>\n\
         {}{}  </emailProvider>\n</clientConfig>\n",
        server("incomingServer", "imap", &imap.host, imap.port, imap.security),
        server("outgoingServer", "smtp", &smtp.host, smtp.port, smtp.security),
        name = escape(domain.as_str()),
        shown = escape(&domain.unicode()),
    ))
}

/// A configuration profile for Apple's Mail (Apple Device Management, `com.apple.mail.managed`). Its identifiers come
/// from the address alone, so that a profile installed again replaces the one before. `None` where the server that takes
/// mail is not known: the format demands one.
#[must_use]
pub fn apple_profile(user: &User) -> Option<String> {
    let smtp = user.servers.smtp.as_ref()?;
    let imap = &user.servers.imap;
    let address = user.address.to_string();
    let name = user.name.clone().unwrap_or_else(|| user.address.local().to_owned());
    let tls = |security| security != ImapSecurity::Plain;
    let mut account = Dict::default();
    account.text("PayloadType", "com.apple.mail.managed");
    account.number("PayloadVersion", 1);
    account.text("PayloadIdentifier", &format!("rehome.mail.{}.account", user.address.key()));
    account.text("PayloadUUID", &uuid(&format!("mailto:{}#account", user.address.key())));
    account.text("PayloadDisplayName", &user.address.unicode());
    account.text("EmailAccountType", "EmailTypeIMAP");
    account.text("EmailAccountDescription", &user.address.unicode());
    account.text("EmailAccountName", &name);
    account.text("EmailAddress", &address);
    account.text("IncomingMailServerAuthentication", "EmailAuthPassword");
    account.text("IncomingMailServerHostName", &imap.host);
    account.number("IncomingMailServerPortNumber", imap.port);
    account.truth("IncomingMailServerUseSSL", tls(imap.security));
    account.text("IncomingMailServerUsername", &address);
    account.text("OutgoingMailServerAuthentication", "EmailAuthPassword");
    account.text("OutgoingMailServerHostName", &smtp.host);
    account.number("OutgoingMailServerPortNumber", smtp.port);
    account.truth("OutgoingMailServerUseSSL", tls(smtp.security));
    account.text("OutgoingMailServerUsername", &address);
    account.truth("OutgoingPasswordSameAsIncomingPassword", true);
    let mut profile = Dict::default();
    profile.text("PayloadType", "Configuration");
    profile.number("PayloadVersion", 1);
    profile.text("PayloadIdentifier", &format!("rehome.mail.{}", user.address.key()));
    profile.text("PayloadUUID", &uuid(&format!("mailto:{}", user.address.key())));
    profile.text("PayloadDisplayName", &format!("Mail for {}", user.address.unicode()));
    profile.text("PayloadDescription", "Sets up your mailbox on its new server. It holds no password.");
    profile.list("PayloadContent", &[account]);
    Some(format!(
        "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<!DOCTYPE plist PUBLIC \"-//Apple//DTD PLIST 1.0//EN\" \
         \"http://www.apple.com/DTDs/PropertyList-1.0.dtd\">\n<plist version=\"1.0\">\n{}</plist>\n",
        profile.close()
    ))
}

/// A dictionary of a property list.
#[derive(Default)]
struct Dict(String);

impl Dict {
    fn text(&mut self, key: &str, value: &str) {
        let _ = writeln!(self.0, "<key>{key}</key><string>{}</string>", escape(value));
    }

    fn number(&mut self, key: &str, value: u16) {
        let _ = writeln!(self.0, "<key>{key}</key><integer>{value}</integer>");
    }

    fn truth(&mut self, key: &str, value: bool) {
        let _ = writeln!(self.0, "<key>{key}</key><{value}/>");
    }

    fn list(&mut self, key: &str, items: &[Self]) {
        let items: String = items.iter().map(Self::close).collect();
        let _ = writeln!(self.0, "<key>{key}</key><array>\n{items}</array>");
    }

    fn close(&self) -> String {
        format!("<dict>\n{}</dict>\n", self.0)
    }
}

/// A name-based UUID (RFC 9562 5.5) of an URL: the same name gives the same UUID, everywhere and always.
fn uuid(url: &str) -> String {
    /// The name space of URLs (RFC 9562 6.6).
    const URLS: [u8; 16] =
        [0x6b, 0xa7, 0xb8, 0x11, 0x9d, 0xad, 0x11, 0xd1, 0x80, 0xb4, 0x00, 0xc0, 0x4f, 0xd4, 0x30, 0xc8];
    let digest = Sha1::new().chain_update(URLS).chain_update(url.as_bytes()).finalize();
    let mut out = String::with_capacity(36);
    for (at, byte) in digest.iter().take(16).enumerate() {
        if matches!(at, 4 | 6 | 8 | 10) {
            out.push('-');
        }
        let byte = match at {
            6 => byte & 0x0f | 0x50,
            8 => byte & 0x3f | 0x80,
            _ => *byte,
        };
        let _ = write!(out, "{byte:02X}");
    }
    out
}

#[cfg(test)]
mod tests {
    use super::uuid;

    #[test]
    fn names_give_the_uuids_that_the_standard_gives() {
        // Python's uuid.uuid5(uuid.NAMESPACE_URL, ...) says the same.
        assert_eq!(uuid("mailto:john@blue.example"), "D24037DD-3409-5BFD-9F91-5317AB4FE5C6");
    }
}
