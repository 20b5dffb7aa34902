//! Login.

use zeroize::Zeroizing;

use super::{
    capability::Capabilities,
    code::Code,
    conn::{Aside, Command, Conn, Done},
    connector::capability,
    error::{ImapError, ImapErrorKind},
    hint::Hint,
    quirks::{Quirk, Quirks},
    response::Response,
    sasl::{self, Bearer, TokenSource},
};
use crate::model::{AccessMethod, Address, Secret};

/// Who logs in. Formatting it never shows a secret.
#[derive(Clone, Debug)]
pub struct Login {
    /// The name that the secret belongs to.
    pub user: String,
    /// Whose mailbox is opened, when that is not `user` (RFC 4616).
    pub authzid: Option<String>,
    /// The password or token.
    pub credential: Credential,
}

/// What proves who logs in.
#[derive(Clone, Debug)]
pub enum Credential {
    /// A password.
    Password(Secret),
    /// A bearer token (RFC 6750), read anew for each login.
    Token(TokenSource),
}

impl Login {
    /// A user with a password.
    #[must_use]
    pub fn password(user: impl Into<String>, password: Secret) -> Self {
        Self { user: user.into(), authzid: None, credential: Credential::Password(password) }
    }

    /// A user with a token.
    #[must_use]
    pub fn token(user: impl Into<String>, tokens: TokenSource) -> Self {
        Self { user: user.into(), authzid: None, credential: Credential::Token(tokens) }
    }

    /// Whose mailbox is opened.
    #[must_use]
    pub fn mailbox(&self) -> &str {
        self.authzid.as_deref().unwrap_or(&self.user)
    }

    /// Mechanisms that take a token, and the first message of each, for a client of another make.
    #[must_use]
    pub fn bearer_messages(&self, endpoint: &str, token: &Secret) -> [(&'static str, Zeroizing<String>); 2] {
        [Bearer::XOAuth2, Bearer::OAuthBearer].map(|m| (m.name(), m.clear(self, endpoint, token)))
    }

    /// The login for a mailbox by its access method: the account itself, `account*master`, or an administrator with the
    /// account as authorisation identity. The secret is what [`AccessMethod::password`] points to; a token is used as it
    /// is until somebody puts a [`TokenSource`] in its place that reads it anew.
    #[must_use]
    pub fn for_access(method: &AccessMethod, account: &Address, secret: Secret) -> Self {
        match method {
            AccessMethod::Password { .. } => Self::password(account.to_string(), secret),
            AccessMethod::Named { user, .. } => Self::password(user.clone(), secret),
            AccessMethod::Master { user, separator, .. } => {
                Self::password(format!("{account}{separator}{user}"), secret)
            }
            AccessMethod::Authzid { user, .. } => Self {
                user: user.clone(),
                authzid: Some(account.to_string()),
                credential: Credential::Password(secret),
            },
            AccessMethod::Token { user, .. } => {
                let user = user.clone().unwrap_or_else(|| account.to_string());
                Self::token(user, TokenSource::fixed(secret))
            }
        }
    }
}

/// Logs in and learns the capabilities that hold afterwards.
pub(super) async fn log_in(conn: &mut Conn, login: &Login, quirks: &Quirks) -> Result<(), ImapError> {
    match &login.credential {
        Credential::Password(password) => with_password(conn, login, password, quirks).await,
        Credential::Token(tokens) => with_token(conn, login, tokens).await,
    }
}

async fn with_password(conn: &mut Conn, login: &Login, password: &Secret, quirks: &Quirks) -> Result<(), ImapError> {
    let texts = [login.user.as_str(), login.authzid.as_deref().unwrap_or_default(), password.expose()];
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
    let mut result = if plain {
        let command = authenticate(conn, " PLAIN", sasl::plain(login, password));
        Some(conn.run(command, &mut each).await)
    } else {
        None
    };
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
            let command = Command::new(conn, "LOGIN", "").string(login.user.as_bytes()).secret(password.expose());
            conn.run(command, &mut each).await
        }
    };
    match result {
        Ok(done) => relearn(conn, done, learned).await,
        Err(e) => Err(refused(e, password)),
    }
}

/// Logs in with a token. One that is refused is read anew once, since it may have expired between reading and sending.
async fn with_token(conn: &mut Conn, login: &Login, tokens: &TokenSource) -> Result<(), ImapError> {
    let offered = Bearer::offered(&conn.capabilities);
    let Some(mut mechanism) = offered.first().copied() else {
        return Err(no_way(conn, "OAUTHBEARER or XOAUTH2, which a login with a token needs"));
    };
    let mut token = tokens.token().await.map_err(|kind| conn.error("AUTHENTICATE", kind))?;
    let mut renewed = false;
    loop {
        let error = match bearer(conn, login, mechanism, &token).await {
            Ok((done, learned)) => return relearn(conn, done, learned).await,
            Err(error) => error,
        };
        let other = offered.iter().copied().find(|m| *m != mechanism);
        match (&error.kind, other) {
            (ImapErrorKind::Bad { .. }, Some(other)) if offered.first() == Some(&mechanism) && conn.is_usable() => {
                mechanism = other;
            }
            (ImapErrorKind::Auth { .. }, _) if !renewed && conn.is_usable() => {
                renewed = true;
                let again = tokens.token().await.map_err(|kind| conn.error("AUTHENTICATE", kind))?;
                if again.expose() == token.expose() {
                    return Err(error);
                }
                token = again;
            }
            (ImapErrorKind::Bad { .. }, _) => return Err(as_auth(error)),
            _ => return Err(error),
        }
    }
}

async fn bearer(
    conn: &mut Conn,
    login: &Login,
    mechanism: Bearer,
    token: &Secret,
) -> Result<(Done, Option<Vec<String>>), ImapError> {
    let message = mechanism.message(login, &conn.endpoint, token);
    let command = authenticate(conn, &format!(" {}", mechanism.name()), message);
    let (mut learned, mut challenge) = (None, None);
    let mut each = |response| match response {
        Response::Capability(words) => learned = Some(words),
        Response::Continue(text) => challenge = Some(text),
        _ => {}
    };
    conn.farewell = Some(mechanism.farewell());
    let result = conn.run(command, &mut each).await;
    conn.farewell = None;
    match result {
        Ok(done) => Ok((done, learned)),
        // Whether it is the server or the mechanism that is at fault is for the caller to find out.
        Err(error) if challenge.is_none() && matches!(error.kind, ImapErrorKind::Bad { .. }) => Err(error),
        Err(error) => {
            let mut error = refused(error, token);
            if let ImapErrorKind::Auth { text, .. } = &mut error.kind
                && let Some(why) = challenge.as_deref().and_then(sasl::explained)
            {
                let why = why.replace(token.expose(), "***");
                *text = format!("{text} (the token: {why})");
            }
            Err(error)
        }
    }
}

fn as_auth(mut error: ImapError) -> ImapError {
    if let ImapErrorKind::Bad { code, text } = error.kind {
        error.kind = ImapErrorKind::Auth { code, text };
    }
    error
}

/// AUTHENTICATE with its first message, which goes along at once where the server takes that (RFC 4959).
fn authenticate(conn: &Conn, mechanism: &str, message: Zeroizing<Vec<u8>>) -> Command {
    let command = Command::new(conn, "AUTHENTICATE", mechanism);
    if conn.capabilities.sasl_ir() { command.text(" ").secret_text(message) } else { command.answer(message) }
}

fn no_way(conn: &Conn, what: &str) -> ImapError {
    let text = format!("the server does not offer {what} on this connection");
    conn.error("LOGIN", ImapErrorKind::Auth { code: None, text })
}

/// A refusal in the server's words, without the secret should the server repeat it.
fn refused(mut error: ImapError, secret: &Secret) -> ImapError {
    let hide = |text: String| match secret.expose() {
        "" => text,
        secret => text.replace(secret, "***"),
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

/// Says who we are where that is offered; some servers open no mailbox for the nameless. It goes out with the next
/// command, and its answer is not waited for.
pub(super) fn introduce(conn: &mut Conn, quirks: &Quirks) {
    if !conn.capabilities.id() || quirks.knows(Quirk::IdRefused) {
        return;
    }
    let args = format!(r#" ("name" "rehome" "version" "{}")"#, env!("CARGO_PKG_VERSION"));
    let command = Command::new(conn, "ID", &args);
    conn.queue_aside(command, Aside::Teaches(quirks.clone(), Quirk::IdRefused));
}
