//! Domains of a service: what they want in DNS, whether they take accounts, and their changes.

use serde_json::{Value, json};

use super::{Rest, V1, object_state, rest};
use crate::{
    model::{Change, Domain, DomainType, DomainView, ExpectedRecord, Footer, Gap, ObjectClass, ObjectState},
    provider::{
        DomainReady, ErrorClass,
        ovh::{
            adapter::{Made, Seen},
            client::WriteClient,
            failure::Failure,
            json::Lenient as _,
            records,
            v1::look::compare,
        },
    },
};

/// Where OVHcloud's other platforms take mail for recipients that one of them does not know.
const RELAY: &str = "mx1.mail.ovh.net";

impl V1 {
    /// One domain; keys and footer only when it is in scope.
    pub(super) async fn read_domain(
        &self,
        domain: &Domain,
        offer: Option<&str>,
        in_scope: bool,
        gaps: &mut Vec<Gap>,
    ) -> Result<Option<DomainView>, Failure> {
        let Some(value) = self.find(&self.domain(domain)).await? else { return Ok(None) };
        let mut expected = self.expected(domain, &value);
        let mut footer = None;
        if in_scope {
            match self.keys(domain).await {
                Ok(keys) => expected.extend(keys),
                Err(e) => gaps.push(super::view::gap(ObjectClass::Dns, domain, &e)),
            }
            match self.find(&self.domain(domain).join(&["disclaimer"])).await {
                Ok(found) => footer = found.as_ref().and_then(read_footer),
                Err(e) => gaps.push(super::view::gap(ObjectClass::Footer, domain, &e)),
            }
        }
        let ownership = waits_for(domain, &value, offer);
        let state = match object_state(&value) {
            ObjectState::Ok | ObjectState::Busy if ownership.is_some() => ObjectState::Waiting,
            other => other,
        };
        Ok(Some(DomainView {
            remote_id: None,
            kind: domain_type(&value),
            mx_relay: value.text("mxRelay").map(str::to_owned),
            state,
            ownership,
            expected,
            footer,
        }))
    }

    fn expected(&self, domain: &Domain, value: &Value) -> Vec<ExpectedRecord> {
        let canada = self.site.client.canada();
        let mut out = records::mx(domain, &value.texts("expectedMX"), canada);
        out.push(records::spf(domain, value.text("expectedSPF"), canada));
        out.extend(value.text("expectedAutodiscoverSRV").and_then(|told| records::autodiscover(domain, told)));
        if self.dialect.domain_service {
            out.extend(records::autodiscover(domain, "0 0 443 mailconfig.ovh.net"));
        }
        out
    }

    /// The aliases of the keys that sign; none where signing was never set up.
    async fn keys(&self, domain: &Domain) -> Result<Vec<ExpectedRecord>, Failure> {
        if self.dialect.domain_service {
            return self.domain_service(domain).keys().await;
        }
        if !self.dialect.dkim {
            return Ok(Vec::new());
        }
        let list = self.domain(domain).join(&["dkim"]);
        let mut out = Vec::new();
        for selector in self.site.client.names(&list).await? {
            let Some(key) = self.find(&list.join(&[&selector])).await? else { continue };
            if let (Some(name), Some(target)) = (key.text("customerRecord"), key.text("targetRecord")) {
                out.extend(records::dkim(domain, name, target));
            }
        }
        Ok(out)
    }

    pub(super) async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, Failure> {
        let Some(value) = self.find(&self.domain(domain)).await? else {
            return Ok(DomainReady::Failed(format!("the domain {domain} is not on {}", self.site.id)));
        };
        if let Some(record) = waits_for(domain, &value, None) {
            return Ok(DomainReady::Waiting(format!(
                "publish `{} {} {}`: the platform waits for this proof that the domain is yours",
                record.name, record.rtype, record.value
            )));
        }
        Ok(match rest(&value) {
            Rest::Still => DomainReady::Ready,
            Rest::Busy(why) => DomainReady::Waiting(format!("the platform prepares the domain: {why}")),
            Rest::Stuck(why) => DomainReady::Failed(format!("the domain is {why}")),
        })
    }

    pub(super) async fn look_domain(
        &self,
        domain: &Domain,
        kind: DomainType,
        relay: Option<&str>,
    ) -> Result<Seen, Failure> {
        let Some(value) = self.find(&self.domain(domain)).await? else {
            return Ok(Seen::Missing(format!("the domain {domain} is not on this service")));
        };
        let mut wanted = json!({ "type": type_word(kind) });
        if let (DomainType::NonAuthoritative, Some(relay), Some(fields)) = (kind, relay, wanted.as_object_mut()) {
            fields.insert("mxRelay".to_owned(), Value::from(relay));
        }
        Ok(compare(&value, &wanted, &format!("domain {domain}")))
    }

    pub(super) async fn make_domain(&self, write: &WriteClient, change: &Change) -> Result<Made, Failure> {
        match change {
            Change::DomainAdd { domain, kind, mx_relay } => {
                let mut body = type_fields(kind.unwrap_or(DomainType::NonAuthoritative), mx_relay.as_deref());
                if let Some(fields) = body.as_object_mut() {
                    fields.insert("name".to_owned(), Value::from(domain.as_str()));
                    // The zone is planned and reviewed here; the platform must not write it behind our back.
                    for part in ["configureMx", "configureSPF", "configureDKIM", "configureAutodiscover"] {
                        fields.insert(part.to_owned(), Value::from(false));
                    }
                }
                // The task may last until ownership is proved, which is a wait of its own.
                write.post(&self.base.join(&["domain"]), &body).await?;
            }
            Change::DomainUpdate { domain, kind, mx_relay } => {
                self.rested(&self.domain(domain), &format!("domain {domain}")).await?;
                write.put(&self.domain(domain), &type_fields(*kind, mx_relay.as_deref())).await?;
            }
            Change::DomainRemove { domain } => {
                let reply = write.delete(&self.domain(domain)).await?;
                self.task(&reply).await?;
            }
            _ => return Err(Failure::stopped(ErrorClass::Unsupported, "this is no change of a domain")),
        }
        Ok(Made::Watch)
    }
}

/// The record that proves ownership, while the platform waits for it.
fn waits_for(domain: &Domain, value: &Value, offer: Option<&str>) -> Option<ExpectedRecord> {
    if value.flag("domainValidated") == Some(true) {
        return None;
    }
    records::ownership(domain, value.text("cnameToCheck")?, offer == Some("provider"))
}

fn domain_type(value: &Value) -> Option<DomainType> {
    match value.text("type")? {
        "authoritative" => Some(DomainType::Authoritative),
        "nonAuthoritative" => Some(DomainType::NonAuthoritative),
        _ => None,
    }
}

fn type_word(kind: DomainType) -> &'static str {
    match kind {
        DomainType::Authoritative => "authoritative",
        DomainType::NonAuthoritative => "nonAuthoritative",
    }
}

/// A relay makes sense only for a domain that is not this platform's alone.
fn type_fields(kind: DomainType, relay: Option<&str>) -> Value {
    match kind {
        DomainType::Authoritative => json!({ "type": type_word(kind) }),
        DomainType::NonAuthoritative => json!({ "type": type_word(kind), "mxRelay": relay.unwrap_or(RELAY) }),
    }
}

fn read_footer(value: &Value) -> Option<Footer> {
    Some(Footer {
        html: value.text("content")?.to_owned(),
        outside_only: value.flag("outsideOnly").unwrap_or_default(),
    })
}
