//! Where the API is, by endpoint id or URL.

use url::Url;

use super::{
    failure::Failure,
    path::{ApiPath, Branch},
};

/// One installation of the API.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoint {
    v1: String,
    v2: String,
    /// Where service accounts get tokens, where that is known.
    pub(super) token_url: Option<String>,
    /// Where a person makes application and consumer keys.
    pub(super) create_token: Option<String>,
    /// Whether it serves North America, whose mail servers have other names.
    pub(super) canada: bool,
}

impl Endpoint {
    /// Reads `ovh-eu`, `ovh-ca`, `ovh-us` or an URL ending in `/1.0`.
    pub(super) fn parse(text: Option<&str>) -> Result<Self, Failure> {
        let known = |host: &str, token_host: &str, canada| Self {
            v1: format!("https://{host}/1.0"),
            v2: format!("https://{host}/v2"),
            token_url: Some(format!("https://{token_host}/auth/oauth2/token")),
            create_token: Some(format!("https://{host}/createToken/")),
            canada,
        };
        match text.unwrap_or("ovh-eu") {
            "ovh-eu" => Ok(known("eu.api.ovh.com", "www.ovh.com", false)),
            "ovh-ca" => Ok(known("ca.api.ovh.com", "ca.ovh.com", true)),
            "ovh-us" => Ok(known("api.us.ovhcloud.com", "us.ovhcloud.com", false)),
            other => Self::from_url(other),
        }
    }

    fn from_url(text: &str) -> Result<Self, Failure> {
        let bad = || {
            Failure::config(
                format!("`{text}` is no endpoint of the OVHcloud API"),
                "use `ovh-eu`, `ovh-ca`, `ovh-us` or an URL that ends in `/1.0`",
            )
        };
        let trimmed = text.trim_end_matches('/');
        let root = trimmed.strip_suffix("/1.0").ok_or_else(bad)?;
        let url = Url::parse(trimmed).map_err(|_| bad())?;
        if !matches!(url.scheme(), "http" | "https") || !url.has_host() || url.query().is_some() {
            return Err(bad());
        }
        if url.scheme() == "http" && !is_loopback(&url) {
            return Err(Failure::config(
                format!("`{text}` would send credentials without TLS"),
                "use `https`; plain `http` is only for a sandbox on this machine",
            ));
        }
        Ok(Self {
            v1: trimmed.to_owned(),
            v2: format!("{root}/v2"),
            token_url: None,
            create_token: None,
            canada: false,
        })
    }

    /// The full URL of a path: what is signed and what is sent.
    pub(super) fn url(&self, path: &ApiPath) -> Result<Url, Failure> {
        let base = match path.branch {
            Branch::V1 => &self.v1,
            Branch::V2 => &self.v2,
        };
        let text = format!("{base}{path}");
        Url::parse(&text).map_err(|_| Failure::config(format!("`{text}` is no URL"), "check the endpoint"))
    }

    /// Whether it is on this machine; a proxy of the environment then does not apply.
    pub(super) fn is_local(&self) -> bool {
        Url::parse(&self.v1).is_ok_and(|url| is_loopback(&url))
    }
}

fn is_loopback(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_branches_lie_beside_each_other() {
        for (text, v1, v2) in [
            (None, "https://eu.api.ovh.com/1.0/a", "https://eu.api.ovh.com/v2/a"),
            (Some("ovh-us"), "https://api.us.ovhcloud.com/1.0/a", "https://api.us.ovhcloud.com/v2/a"),
            (Some("http://127.0.0.1:8/x/1.0/"), "http://127.0.0.1:8/x/1.0/a", "http://127.0.0.1:8/x/v2/a"),
        ] {
            let endpoint = Endpoint::parse(text).unwrap();
            assert_eq!(endpoint.url(&ApiPath::v1(&["a"])).unwrap().as_str(), v1);
            assert_eq!(endpoint.url(&ApiPath::v2(&["a"])).unwrap().as_str(), v2);
        }
    }

    #[test]
    fn credentials_never_travel_in_the_clear() {
        for bad in ["http://api.example.org/1.0", "ovh", "https://x/2.0", "ftp://x/1.0", "/1.0"] {
            assert!(Endpoint::parse(Some(bad)).is_err(), "{bad}");
        }
    }
}
