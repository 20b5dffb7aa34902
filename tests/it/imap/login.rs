//! Logging in, and what must never leave or be believed.

use rehome::{
    imap::{Connector, Credential, ImapErrorKind, Login, Quirk, TlsProblem},
    model::{AccessMethod, Address, ImapEndpoint, ImapSecurity, Secret, SecretRef},
};

use super::script::{Scripted, connector, logged_in};

fn login(user: &str, authzid: Option<&str>, password: &str) -> Login {
    Login {
        user: user.into(),
        authzid: authzid.map(Into::into),
        credential: Credential::Password(Secret::new(password.into())),
    }
}

async fn fails(script: &str) -> (ImapErrorKind, String) {
    let server = Scripted::start([script]).await;
    let error = server.connector().connect().await.unwrap_err();
    server.done().await;
    let text = error.to_string();
    (error.kind, text)
}

#[tokio::test]
async fn capabilities_are_read_again_after_login() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1 LITERAL+ UIDPLUS] hello
        C: $ LOGIN \"u\" \"p\"
        S: $ OK in
        C: $ CAPABILITY
        S: * CAPABILITY IMAP4rev1 NAMESPACE x\\\\y  AUTH=
        S: $ OK done"])
    .await;
    let reader = server.connector().connect().await.unwrap();
    assert!(reader.capabilities().namespace() && !reader.capabilities().literal_plus());
    server.done().await;
}

#[tokio::test]
async fn plain_goes_with_the_command_where_that_is_offered_and_after_consent_otherwise() {
    // base64 of "boss\0admin\0p"
    for script in [
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello
         C: $ AUTHENTICATE PLAIN Ym9zcwBhZG1pbgBw
         S: $ OK [CAPABILITY IMAP4rev1] in",
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello
         C: $ AUTHENTICATE PLAIN
         S: * OK [ALERT] be quick
         S: +
         C: Ym9zcwBhZG1pbgBw
         S: * CAPABILITY IMAP4rev1
         S: $ OK in",
    ] {
        let server = Scripted::start([script]).await;
        let connector = Connector { login: login("admin", Some("boss"), "p"), ..server.connector() };
        connector.connect().await.unwrap();
        server.done().await;
    }
}

#[tokio::test]
async fn a_server_that_does_not_take_plain_gets_login_and_is_remembered() {
    let script = "
        S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello
        C: $ AUTHENTICATE PLAIN …
        S: $ BAD what?
        C: $ LOGIN \"u\" \"p\"
        S: $ OK [CAPABILITY IMAP4rev1] in";
    let again = "
        S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN SASL-IR] hello
        C: $ LOGIN \"u\" \"p\"
        S: $ OK [CAPABILITY IMAP4rev1] in";
    let server = Scripted::start([script, again]).await;
    let connector = server.connector();
    connector.connect().await.unwrap();
    assert!(connector.quirks.knows(Quirk::SaslPlainRefused));
    connector.clone().connect().await.unwrap();
    server.done().await;
}

#[tokio::test]
async fn odd_passwords_go_as_literals() {
    let plain = "
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: $ LOGIN \"u\" {4}
        S: * OK still here
        S: + go on
        C: a\"\\b
        S: $ OK [CAPABILITY IMAP4rev1] in";
    let unwaited = "
        S: * OK [CAPABILITY IMAP4rev1 LITERAL-] hello
        C: $ LOGIN {5+}
        C: jürg {5+}
        C: a\"é\\
        S: $ OK [CAPABILITY IMAP4rev1] in";
    let server = Scripted::start([plain, unwaited]).await;
    let first = Connector { login: login("u", None, "a\"\\b"), ..server.connector() };
    first.connect().await.unwrap();
    let second = Connector { login: login("jürg", None, "a\"é\\"), ..server.connector() };
    second.connect().await.unwrap();
    server.done().await;
}

#[tokio::test]
async fn a_refusal_is_told_in_the_servers_words_without_the_password() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: $ LOGIN \"u\" \"tr0ub4dor\"
        S: $ NO [AUTHENTICATIONFAILED] LOGIN u tr0ub4dor failed\\x1b[2J"])
    .await;
    let connector = Connector { login: login("u", None, "tr0ub4dor"), ..server.connector() };
    let error = connector.connect().await.unwrap_err();
    let shown = format!("{error} {error:?} {connector:?}");
    assert!(!shown.contains("tr0ub4dor") && !shown.contains('\x1b'), "{shown}");
    let text = error.to_string().replace(&connector.endpoint.port.to_string(), "PORT");
    insta::assert_snapshot!(text, @"LOGIN at 127.0.0.1:PORT: the login was refused: [AUTHENTICATIONFAILED] LOGIN u *** failed [2J");
    server.done().await;
}

#[tokio::test]
async fn a_server_in_trouble_has_not_refused_the_password() {
    let (kind, _) = fails(
        "
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: $ LOGIN …
        S: $ NO [UNAVAILABLE] backend down",
    )
    .await;
    assert!(matches!(kind, ImapErrorKind::No { .. }), "{kind:?}");
    let (kind, _) = fails(
        "
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: $ LOGIN …
        S: * BYE too many connections from your IP",
    )
    .await;
    assert!(matches!(kind, ImapErrorKind::Bye { .. }), "{kind:?}");
    let (kind, _) = fails(
        "
        S: * OK [CAPABILITY IMAP4rev1] hello
        C: $ LOGIN …",
    )
    .await;
    assert!(matches!(kind, ImapErrorKind::Lost(_)), "{kind:?}");
}

#[tokio::test]
async fn no_password_is_sent_where_login_is_disabled() {
    let (kind, text) = fails("S: * OK [CAPABILITY IMAP4rev1 LOGINDISABLED STARTTLS] hello").await;
    assert!(matches!(kind, ImapErrorKind::Auth { .. }), "{text}");
}

#[tokio::test]
async fn acting_for_another_needs_plain() {
    let server = Scripted::start(["S: * OK [CAPABILITY IMAP4rev1] hello"]).await;
    let connector = Connector { login: login("admin", Some("boss"), "p"), ..server.connector() };
    assert!(connector.connect().await.unwrap_err().to_string().contains("AUTH=PLAIN"));
    server.done().await;
}

#[tokio::test]
async fn odd_greetings_are_refused() {
    let cases = [
        ("S: * PREAUTH [CAPABILITY IMAP4rev1] hello", "logged in already"),
        ("S: * BYE [UNAVAILABLE] come back later", "come back later"),
        ("S: 220 mail.example ESMTP", "no response"),
        ("S: * LIST () NIL x", "no IMAP greeting"),
        ("X", "connection was lost"),
    ];
    for (script, want) in cases {
        let (_, text) = fails(script).await;
        assert!(text.contains(want), "{script}: {text}");
    }
}

#[tokio::test]
async fn identification_is_sent_only_where_offered_and_its_refusal_is_no_matter() {
    let server = Scripted::start([logged_in(
        "ID",
        "C: $ ID (\"name\" \"rehome\" …
         S: $ BAD ID () not understood
         C: $ NOOP
         S: $ OK",
    )])
    .await;
    let connector = server.connector();
    connector.connect().await.unwrap().noop().await.unwrap();
    assert!(connector.quirks.knows(Quirk::IdRefused));
    server.done().await;
}

#[tokio::test]
async fn starttls_is_required_and_nothing_may_come_before_it() {
    let cases = [
        ("S: * OK [CAPABILITY IMAP4rev1] hello", "does not offer STARTTLS"),
        (
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
             C: $ STARTTLS
             S: $ OK go\\r\\n* CAPABILITY IMAP4rev1 AUTH=PLAIN",
            "behind its consent",
        ),
        (
            "S: * OK [CAPABILITY IMAP4rev1 STARTTLS] hello
             C: $ STARTTLS
             S: $ NO not today",
            "not today",
        ),
    ];
    for (script, want) in cases {
        let server = Scripted::start([script]).await;
        let error = connector(server.port, ImapSecurity::Starttls).connect().await.unwrap_err().to_string();
        assert!(error.contains(want), "{error}");
        let heard = server.done().await;
        assert!(heard.iter().all(|line| !line.contains("LOGIN") && !line.contains("AUTHENTICATE")), "{heard:?}");
    }
}

#[tokio::test]
async fn an_unprotected_connection_to_another_machine_is_refused_before_it_is_made() {
    let endpoint = ImapEndpoint { host: "192.0.2.1".into(), port: 143, security: ImapSecurity::Plain };
    let error = Connector::new(endpoint, login("u", None, "p")).connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Tls(TlsProblem::PlainRefused { .. })), "{error}");
}

#[test]
fn access_methods_become_logins() {
    let account = Address::parse("John@Example.org").unwrap();
    let password = SecretRef::Env("X".into());
    let made = |method: AccessMethod| {
        let login = Login::for_access(&method, &account, Secret::new("p".into()));
        (login.user, login.authzid)
    };
    assert_eq!(made(AccessMethod::Password { password: password.clone() }), ("John@example.org".into(), None));
    assert_eq!(
        made(AccessMethod::Master { user: "m".into(), separator: "*".into(), password: password.clone() }),
        ("John@example.org*m".into(), None)
    );
    assert_eq!(
        made(AccessMethod::Authzid { user: "a".into(), password }),
        ("a".into(), Some("John@example.org".into()))
    );
}

#[test]
fn connections_can_move_between_threads() {
    fn movable<T: Send>(_: &T) {}
    let c = connector(1, ImapSecurity::Plain);
    movable(&async {
        let mut w = c.connect_writer().await.unwrap();
        let mut bodies = w.fetch_bodies(&[1]).unwrap();
        let _ = bodies.next().await;
        let _ = w.append_many(&rehome::imap::WireName::inbox(), &[]).await;
        let _ = w.list().await;
    });
}
