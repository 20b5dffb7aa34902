//! Who may do what with a folder (RFC 4314).

use super::{
    conn::Command,
    error::{ImapError, ImapErrorKind},
    name::WireName,
    reader::{Reader, sendable},
    response::Response,
    writer::Writer,
};

/// What one identifier may do with a folder.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Granted {
    /// Who: a login, a group or another word of the server. One that begins with `-` takes rights away.
    pub identifier: String,
    /// The rights, one letter each, as the server tells them (RFC 4314 2.1).
    pub rights: String,
}

impl Reader {
    /// Who has rights on a folder. `None` where the server keeps none, or does not tell this user.
    ///
    /// # Errors
    /// When the connection fails or the answer cannot be read. A refusal is `None`.
    pub async fn granted(&mut self, name: &WireName) -> Result<Option<Vec<Granted>>, ImapError> {
        if !self.conn.capabilities.acl() {
            return Ok(None);
        }
        let command = Command::new(&self.conn, "GETACL", "").string(sendable(&self.conn, "GETACL", name)?);
        let (mut found, mut odd) = (None, None);
        let mut each = |response| match response {
            Response::Acl { name: about, rights } if WireName::from_wire(about.clone()) == *name => {
                found = Some(rights)
            }
            Response::Malformed { name: "ACL", words } => odd = Some(words),
            _ => {}
        };
        match self.conn.run(command, &mut each).await {
            Ok(_) => {}
            Err(e) if e.is_refusal() => return Ok(None),
            Err(e) => return Err(e),
        }
        if let Some(words) = odd {
            return Err(self
                .conn
                .error("GETACL", ImapErrorKind::Protocol(format!("an answer cannot be read: {words}"))));
        }
        let text = |octets: Vec<u8>| String::from_utf8_lossy(&octets).into_owned();
        let granted = |(who, rights)| Granted { identifier: text(who), rights: text(rights) };
        Ok(found.map(|list| list.into_iter().map(granted).collect()))
    }
}

impl Writer {
    /// Gives an identifier rights on a folder, beside those that it has.
    ///
    /// # Errors
    /// When the server refuses. `Invalid` for an identifier or rights that cannot be sent.
    pub async fn grant(&mut self, name: &WireName, more: &Granted) -> Result<(), ImapError> {
        let conn = &mut self.conn;
        let odd = more.identifier.is_empty() || more.identifier.bytes().any(|b| b < b' ' || b == 0x7f);
        if odd || !more.rights.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit()) {
            let text = format!("the rights {:?} of {:?} cannot be sent", more.rights, more.identifier);
            return Err(conn.error("SETACL", ImapErrorKind::Invalid(text)));
        }
        let command = Command::new(conn, "SETACL", "")
            .string(sendable(conn, "SETACL", name)?)
            .string(more.identifier.as_bytes())
            .string(format!("+{}", more.rights).as_bytes());
        conn.run(command, &mut |_| ()).await.map(drop)
    }
}
