//! IMAP hosts as people type them: `imap[s]://[USER@]HOST[:PORT]`.

use url::Url;

use crate::model::{ImapEndpoint, ImapSecurity, PlatformId};

/// The variable that says where a platform's mailboxes are opened: `REHOME_IMAP_EXCHANGE` for `exchange`.
pub(super) fn variable(platform: &PlatformId) -> String {
    let upper = platform.as_str().to_ascii_uppercase();
    format!("REHOME_IMAP_{}", upper.replace(|c: char| !c.is_ascii_alphanumeric(), "_"))
}

/// Reads a host; a user in front of it is not allowed here.
pub(super) fn parse(text: &str) -> Result<ImapEndpoint, String> {
    let (user, endpoint) = parse_with_user(text)?;
    if user.is_some() { Err(format!("`{text}` must not name a user")) } else { Ok(endpoint) }
}

/// Reads a host and the user in front of it, decoded. `imaps` is the default scheme.
pub(super) fn parse_with_user(text: &str) -> Result<(Option<String>, ImapEndpoint), String> {
    let full = if text.contains("://") { text.to_owned() } else { format!("imaps://{text}") };
    let url = Url::parse(&full).map_err(|e| format!("`{text}` is not an URL: {e}"))?;
    let (security, port) = match url.scheme() {
        "imaps" => (ImapSecurity::Tls, 993),
        "imap" => (ImapSecurity::Plain, 143),
        "imap+starttls" => (ImapSecurity::Starttls, 143),
        other => return Err(format!("`{other}` is no scheme for mail: use imaps://, imap+starttls:// or imap://")),
    };
    if url.password().is_some() {
        return Err("a password must not stand in an URL: give it by reference".to_owned());
    }
    if !matches!(url.path(), "" | "/") || url.query().is_some() || url.fragment().is_some() {
        return Err(format!("`{text}` has more than user, host and port"));
    }
    let host = url.host_str().filter(|h| !h.is_empty()).ok_or_else(|| format!("`{text}` names no host"))?;
    let host = host.trim_start_matches('[').trim_end_matches(']').to_owned();
    let user = percent_encoding::percent_decode_str(url.username())
        .decode_utf8()
        .map_err(|_| format!("the user in `{text}` is not UTF-8"))?
        .into_owned();
    let endpoint = ImapEndpoint { host, port: url.port().unwrap_or(port), security };
    Ok(((!user.is_empty()).then_some(user), endpoint))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn imaps_is_the_default_and_ports_follow_the_scheme() {
        let (user, e) = parse_with_user("ann%40blue.example@mail.example").unwrap();
        assert_eq!((user.as_deref(), e.port, e.security), (Some("ann@blue.example"), 993, ImapSecurity::Tls));
        assert_eq!(parse("imap://127.0.0.1:2143").unwrap().port, 2143);
        assert_eq!(parse("imap+starttls://h").unwrap().security, ImapSecurity::Starttls);
        assert_eq!(parse("imaps://[::1]:9").unwrap().host, "::1");
    }

    #[test]
    fn a_user_may_have_an_at_sign_as_people_type_it() {
        let (user, e) = parse_with_user("imap://ann@blue.example@127.0.0.1:2143").unwrap();
        assert_eq!((user.as_deref(), e.host.as_str()), (Some("ann@blue.example"), "127.0.0.1"));
    }

    #[test]
    fn passwords_and_paths_are_refused() {
        for bad in ["imaps://a:b@h", "imaps://h/INBOX", "http://h", "imaps://", "imaps://h?x=1"] {
            assert!(parse_with_user(bad).is_err(), "{bad}");
        }
    }
}
