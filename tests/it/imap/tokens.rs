//! Logging in with bearer tokens.

use std::sync::{
    Arc,
    atomic::{AtomicUsize, Ordering},
};

use rehome::{
    imap::{Connector, ImapErrorKind, Login, TokenSource},
    model::Secret,
};

use super::script::Scripted;

/// Tokens `t1`, `t2`, ... one for each time it is asked.
fn fresh() -> (TokenSource, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let counter = Arc::clone(&asked);
    let source = TokenSource::new(move || {
        let n = counter.fetch_add(1, Ordering::SeqCst) + 1;
        Ok(Secret::new(format!("t{n}")))
    });
    (source, asked)
}

fn with(server: &Scripted, tokens: TokenSource) -> Connector {
    Connector { login: Login::token("u", tokens), ..server.connector() }
}

// base64 of "user=u\x01auth=Bearer t1\x01\x01" and "...t2..."
const X1: &str = "dXNlcj11AWF1dGg9QmVhcmVyIHQxAQE=";
const X2: &str = "dXNlcj11AWF1dGg9QmVhcmVyIHQyAQE=";

#[tokio::test]
async fn each_login_reads_the_token_anew() {
    let script = |message: &str| {
        format!(
            "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hello
             C: $ AUTHENTICATE XOAUTH2 {message}
             S: $ OK [CAPABILITY IMAP4rev1] in"
        )
    };
    let server = Scripted::start([script(X1), script(X2)]).await;
    let connector = with(&server, fresh().0);
    connector.connect().await.unwrap();
    connector.clone().connect().await.unwrap();
    server.done().await;
}

#[tokio::test]
async fn the_standards_mechanism_is_taken_where_both_are_offered_and_the_other_where_it_fails() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 AUTH=OAUTHBEARER] hello
        C: $ AUTHENTICATE OAUTHBEARER
        S: $ BAD what?
        C: $ AUTHENTICATE XOAUTH2
        S: +
        C: dXNlcj11AWF1dGg9QmVhcmVyIHQxAQE=
        S: $ OK [CAPABILITY IMAP4rev1] in"])
    .await;
    with(&server, fresh().0).connect().await.unwrap();
    server.done().await;
}

#[tokio::test]
async fn a_refused_token_is_answered_as_the_mechanism_says_and_read_anew_once() {
    // The challenge: {"status":"401","schemes":"bearer","scope":"https://mail.google.com/"}
    let challenge = "eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJodHRwczovL21haWwuZ29vZ2xlLmNvbS8ifQ==";
    let refusal = format!(
        "S: + {challenge}
         C:
         S: $ NO [AUTHENTICATIONFAILED] Invalid credentials"
    );
    let good = format!(
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hello
         C: $ AUTHENTICATE XOAUTH2 {X1}
         {refusal}
         C: $ AUTHENTICATE XOAUTH2 {X2}
         S: $ OK [CAPABILITY IMAP4rev1] in"
    );
    let server = Scripted::start([good]).await;
    with(&server, fresh().0).connect().await.unwrap();
    server.done().await;

    let bad = format!(
        "S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hello
         C: $ AUTHENTICATE XOAUTH2 {X1}
         {refusal}
         C: $ AUTHENTICATE XOAUTH2 {X2}
         {refusal}"
    );
    let server = Scripted::start([bad]).await;
    let (tokens, asked) = fresh();
    let error = with(&server, tokens).connect().await.unwrap_err();
    let ImapErrorKind::Auth { text, .. } = &error.kind else { panic!("{error}") };
    assert_eq!(
        text,
        "Invalid credentials (the token: `401`: it has expired or was revoked; it needs the scope https://mail.google.com/)"
    );
    assert_eq!(asked.load(Ordering::SeqCst), 2);
    server.done().await;
}

#[tokio::test]
async fn the_answer_to_an_explanation_of_oauthbearer_is_its_own() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1 AUTH=OAUTHBEARER SASL-IR] hello
        C: $ AUTHENTICATE OAUTHBEARER …
        S: + eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=
        C: AQ==
        S: $ NO no"])
    .await;
    let same = TokenSource::fixed(Secret::new("the-very-token".to_owned()));
    let error = with(&server, same).connect().await.unwrap_err();
    assert!(matches!(error.kind, ImapErrorKind::Auth { .. }), "{error}");
    assert!(error.to_string().contains("invalid_token"), "{error}");
    server.done().await;
}

#[tokio::test]
async fn a_server_that_repeats_the_token_does_not_get_it_into_the_error() {
    let server = Scripted::start(["
        S: * OK [CAPABILITY IMAP4rev1 AUTH=XOAUTH2 SASL-IR] hello
        C: $ AUTHENTICATE XOAUTH2 …
        S: $ NO who gave you the-very-token?"])
    .await;
    let same = TokenSource::fixed(Secret::new("the-very-token".to_owned()));
    let error = with(&server, same).connect().await.unwrap_err();
    assert!(!format!("{error} {error:?}").contains("the-very-token"), "{error}");
    server.done().await;
}

#[tokio::test]
async fn without_a_mechanism_for_tokens_nothing_is_sent() {
    let server = Scripted::start(["S: * OK [CAPABILITY IMAP4rev1 AUTH=PLAIN] hello"]).await;
    let (tokens, asked) = fresh();
    let error = with(&server, tokens).connect().await.unwrap_err();
    assert!(error.to_string().contains("OAUTHBEARER or XOAUTH2"), "{error}");
    assert_eq!(asked.load(Ordering::SeqCst), 0);
    assert!(server.done().await.is_empty());
}

#[tokio::test]
async fn too_many_connections_at_login_is_no_refused_password() {
    for (line, transient) in [
        ("NO Too many simultaneous connections. (Failure)", true),
        ("NO [ALERT] Too many simultaneous connections. (Failure)", true),
        ("NO [LIMIT] enough", true),
        ("NO [UNAVAILABLE] Maximum number of connections from user+IP exceeded", true),
        ("NO [AUTHENTICATIONFAILED] wrong", false),
        ("NO Invalid password, try again later", false),
    ] {
        let script = format!(
            "S: * OK [CAPABILITY IMAP4rev1] hello
             C: $ LOGIN \"u\" \"p\"
             S: $ {line}"
        );
        let server = Scripted::start([script]).await;
        let error = server.connector().connect().await.unwrap_err();
        assert_eq!(error.is_transient(), transient, "{line}: {error:?}");
        assert_eq!(matches!(error.kind, ImapErrorKind::Auth { .. }), !transient, "{line}: {error:?}");
        server.done().await;
    }
}
