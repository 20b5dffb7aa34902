//! Login.

use base64::{Engine, engine::general_purpose::STANDARD};
use zeroize::Zeroizing;

use super::{
    capability::Capabilities,
    code::Code,
    conn::{Command, Conn, Done},
    connector::capability,
    error::{ImapError, ImapErrorKind},
    hint::Hint,
    quirks::{Quirk, Quirks},
    response::Response,
};
use crate::model::{AccessMethod, Address, Secret};

/// Who logs in. Formatting it never shows the password.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name that the password belongs to.
    pub user: String,
    /// Whose mailbox is opened, when that is not `user` (RFC 4616).
    pub authzid: Option<String>,
    /// The password.
    pub password: Secret,
}

impl Login {
    /// A user with a password.
    #[must_use]
    pub fn password(user: impl Into<String>, password: Secret) -> Self {
        Self { user: user.into(), authzid: None, password }
    }

    /// Whose mailbox is opened.
    #[must_use]
    pub fn mailbox(&self) -> &str {
        self.authzid.as_deref().unwrap_or(&self.user)
    }

    /// The login for a mailbox by its access method: the account itself, `account*master`, or an administrator with the
    /// account as authorisation identity. The secret is what [`AccessMethod::password`] points to.
    #[must_use]
    pub fn for_access(method: &AccessMethod, account: &Address, password: Secret) -> Self {
        match method {
            AccessMethod::Password { .. } => Self::password(account.to_string(), password),
            AccessMethod::Named { user, .. } => Self::password(user.clone(), password),
            AccessMethod::Master { user, separator, .. } => {
                Self::password(format!("{account}{separator}{user}"), password)
            }
            AccessMethod::Authzid { user, .. } => {
                Self { user: user.clone(), authzid: Some(account.to_string()), password }
            }
        }
    }
}

/// Logs in and learns the capabilities that hold afterwards.
pub(super) async fn log_in(conn: &mut Conn, login: &Login, quirks: &Quirks) -> Result<(), ImapError> {
    let texts = [login.user.as_str(), login.authzid.as_deref().unwrap_or_default(), login.password.expose()];
    if texts.iter().any(|t| t.contains('\0')) {
        return Err(conn.error("LOGIN", ImapErrorKind::Invalid("a name or password holds a NUL".to_owned())));
    }
    let mut learned = None;
    let mut each = |response| {
        if let Response::Capability(words) = response {
            learned = Some(words);
        }
    };
    let caps = &conn.capabilities;
    let plain = caps.auth_plain() && (login.authzid.is_some() || !quirks.knows(Quirk::SaslPlainRefused));
    let mut result = if plain { Some(sasl_plain(conn, login, &mut each).await) } else { None };
    if let Some(Err(e)) = &result
        && matches!(e.kind, ImapErrorKind::Bad { .. })
        && login.authzid.is_none()
        && !conn.capabilities.login_disabled()
    {
        quirks.learn(Quirk::SaslPlainRefused);
        result = None;
    }
    let result = match result {
        Some(result) => result,
        None if login.authzid.is_some() => return Err(no_way(conn, "AUTH=PLAIN, which acting for another needs")),
        None if conn.capabilities.login_disabled() => return Err(no_way(conn, "a login with a password")),
        None => {
            let command = Command::new(conn, "LOGIN", "").string(login.user.as_bytes()).secret(login.password.expose());
            conn.run(command, &mut each).await
        }
    };
    match result {
        Ok(done) => relearn(conn, done, learned).await,
        Err(e) => Err(refused(e, login)),
    }
}

fn no_way(conn: &Conn, what: &str) -> ImapError {
    let text = format!("the server does not offer {what} on this connection");
    conn.error("LOGIN", ImapErrorKind::Auth { code: None, text })
}

async fn sasl_plain(
    conn: &mut Conn,
    login: &Login,
    each: &mut (dyn FnMut(Response) + Send),
) -> Result<Done, ImapError> {
    let authzid = login.authzid.as_deref().unwrap_or_default();
    let message = Zeroizing::new(format!("{authzid}\0{}\0{}", login.user, login.password.expose()));
    let encoded = Zeroizing::new(STANDARD.encode(message.as_bytes()).into_bytes());
    let command = Command::new(conn, "AUTHENTICATE", " PLAIN");
    let command =
        if conn.capabilities.sasl_ir() { command.text(" ").secret_text(encoded) } else { command.answer(encoded) };
    conn.run(command, each).await
}

/// A refusal in the server's words, without the password should the server repeat it.
fn refused(mut error: ImapError, login: &Login) -> ImapError {
    let hide = |text: String| match login.password.expose() {
        "" => text,
        password => text.replace(password, "***"),
    };
    error.kind = match error.kind {
        // Words such as "too many connections" say nothing against the password.
        ImapErrorKind::No { code: None | Some(Code::Alert), text } if Hint::of_login(None, &text).is_some() => {
            ImapErrorKind::Throttled { millis: None, text: hide(text) }
        }
        ImapErrorKind::No { code, text } | ImapErrorKind::Bad { code, text }
            if !code.as_ref().is_some_and(Code::is_transient) =>
        {
            ImapErrorKind::Auth { code, text: hide(text) }
        }
        ImapErrorKind::No { code, text } => ImapErrorKind::No { code, text: hide(text) },
        ImapErrorKind::Bad { code, text } => ImapErrorKind::Bad { code, text: hide(text) },
        ImapErrorKind::Bye { code, text } => ImapErrorKind::Bye { code, text: hide(text) },
        ImapErrorKind::Throttled { millis, text } => ImapErrorKind::Throttled { millis, text: hide(text) },
        ImapErrorKind::Protocol(text) => ImapErrorKind::Protocol(hide(text)),
        other => other,
    };
    error
}

/// What a server offers before login says nothing of what it offers afterwards.
async fn relearn(conn: &mut Conn, done: Done, learned: Option<Vec<String>>) -> Result<(), ImapError> {
    let words = match done.code {
        Some(Code::Capability(words)) => Some(words),
        _ => learned,
    };
    match words {
        Some(words) => {
            conn.capabilities = Capabilities::new(words);
            Ok(())
        }
        None => capability(conn).await,
    }
}

/// Says who we are where that is offered; some servers open no mailbox for the nameless.
pub(super) async fn introduce(conn: &mut Conn, quirks: &Quirks) -> Result<(), ImapError> {
    if !conn.capabilities.id() || quirks.knows(Quirk::IdRefused) {
        return Ok(());
    }
    let args = format!(r#" ("name" "rehome" "version" "{}")"#, env!("CARGO_PKG_VERSION"));
    let command = Command::new(conn, "ID", &args);
    match conn.run(command, &mut |_| ()).await {
        Err(e) if e.is_refusal() => {
            quirks.learn(Quirk::IdRefused);
            Ok(())
        }
        other => other.map(|_| ()),
    }
}
