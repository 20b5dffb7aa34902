//! Who writes which zone, put together from the spec.

use std::{collections::BTreeMap, net::SocketAddr, sync::Arc};

use async_trait::async_trait;

use super::{context::Context, failure::Failure};
use crate::{
    diag::{self, Exit},
    dns::Client,
    model::{DnsView, Domain, PlatformKind, Question, RecordSet, Verdict, Work},
    observe,
    plan::Plan,
    provider::{self, Authorities, UpdateConfig, ZoneWriter},
    spec::{DomainSpec, OVH_ZONE, RFC_2136, Spec, UpdateSpec},
};

/// Asks the authoritative servers of one domain, or those that are asked instead of them.
pub(super) struct Servers(pub(super) Vec<SocketAddr>);

#[async_trait]
impl Authorities for Servers {
    async fn ask(&self, domain: &Domain, question: &Question) -> Vec<(String, Result<Option<RecordSet>, String>)> {
        let view = Client::default().ask_each(domain, &[question.clone()].into(), &self.0).await;
        said(&view, question)
    }
}

/// What each server says to a question.
pub(super) fn said(view: &DnsView, question: &Question) -> Vec<(String, Result<Option<RecordSet>, String>)> {
    if let Some(failure) = &view.failure {
        return vec![("no server".to_owned(), Err(failure.clone()))];
    }
    let one = |(name, server): (&String, &crate::model::ServerView)| {
        let answer = match server.answers.get(question) {
            Some(Verdict::Found { values, ttl }) => {
                Ok(Some(RecordSet { values: values.iter().cloned().collect(), ttl: *ttl }))
            }
            Some(verdict) if verdict.is_missing() => Ok(None),
            other => Err(format!("{other:?}")),
        };
        (name.clone(), answer)
    };
    view.servers.iter().map(one).collect()
}

impl Context {
    /// Opens the writers of all zones that a plan changes. Sends nothing yet.
    pub(super) fn zone_writers(
        &self,
        spec: &Spec,
        plan: &Plan,
        servers: &[SocketAddr],
    ) -> Result<BTreeMap<Domain, Box<dyn ZoneWriter>>, Failure> {
        let mut out = BTreeMap::new();
        for action in &plan.body.actions {
            let Work::Zone(change) = &action.work else { continue };
            let domain = &change.domain;
            if let (Some(wish), false) = (spec.domains.get(domain), out.contains_key(domain))
                && let Some(writer) = self.zone_writer(spec, domain, wish, servers)?
            {
                out.insert(domain.clone(), writer);
            }
        }
        Ok(out)
    }

    fn zone_writer(
        &self,
        spec: &Spec,
        domain: &Domain,
        wish: &DomainSpec,
        servers: &[SocketAddr],
    ) -> Result<Option<Box<dyn ZoneWriter>>, Failure> {
        let asked = Arc::new(Servers(observe::dns_servers(spec, domain, servers)));
        match (wish.dns.manage.as_deref(), &wish.dns.update) {
            (Some(OVH_ZONE), _) => {
                let mut platforms =
                    [Some(&wish.platform), wish.migrate.as_ref().map(|m| &m.from)].into_iter().flatten();
                let has_api = |id: &&crate::model::PlatformId| {
                    spec.platforms.get(*id).is_some_and(|p| p.kind != PlatformKind::Imap)
                };
                let Some(id) = platforms.find(has_api) else { return Ok(None) };
                let configs = self.configs(spec)?;
                let Some(config) = configs.get(id) else { return Ok(None) };
                Ok(Some(provider::open_ovh_zone(config, asked)?))
            }
            (Some(RFC_2136), Some(update)) => {
                let config = self.update_config(spec, domain, update)?;
                Ok(Some(provider::open_updates(&config, asked)?))
            }
            _ => Ok(None),
        }
    }

    fn update_config(&self, spec: &Spec, domain: &Domain, update: &UpdateSpec) -> Result<UpdateConfig, Failure> {
        let secret = self.env.secret(&update.secret, &spec.base).map_err(|e| {
            let reason = diag::chain(&e).join(": ");
            Failure::new(Exit::Denied, format!("the TSIG key of {domain} ({}) cannot be had: {reason}", update.secret))
                .help("put it where the spec says")
        })?;
        let server = observe::server_address(&update.server).ok_or_else(|| {
            Failure::new(Exit::Invalid, format!("`{}` is not the address of a server", update.server))
        })?;
        Ok(UpdateConfig {
            server,
            zone: update.zone.clone(),
            key: update.key.clone(),
            algorithm: update.algorithm.clone(),
            secret,
            patience: self.patience(),
        })
    }
}
