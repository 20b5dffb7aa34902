//! A host that only speaks IMAP: it has no control plane, so its accounts are there already and stay as they are.

use async_trait::async_trait;

use super::{
    DomainReady, ErrorClass, PlatformConfig, Probe, Provider, ProviderError, Reader, Scope, capability::capabilities_of,
};
use crate::model::{
    AccountView, Capabilities, Change, Domain, Gap, ImapEndpoint, ObjectClass, PlatformId, PlatformKind, PlatformView,
    Secret, ServiceState, ServiceView,
};

/// One such host.
pub(super) struct ImapHost {
    id: PlatformId,
    endpoint: Option<ImapEndpoint>,
}

impl ImapHost {
    pub(super) fn new(config: &PlatformConfig) -> Self {
        Self { id: config.id.clone(), endpoint: config.imap.clone() }
    }
}

#[async_trait]
impl Reader for ImapHost {
    fn kind(&self) -> PlatformKind {
        PlatformKind::Imap
    }

    fn capabilities(&self) -> Capabilities {
        capabilities_of(PlatformKind::Imap)
    }

    /// The accounts in scope are taken to be there: whether they are shows when they are opened. There may be others.
    async fn observe(&self, scope: &Scope) -> Result<PlatformView, ProviderError> {
        let service = ServiceView {
            name: self.endpoint.as_ref().map_or_else(|| self.id.to_string(), |e| e.host.clone()),
            state: ServiceState::Ok,
            imap: self.endpoint.clone(),
            offer: None,
        };
        let mut view = PlatformView::new(PlatformKind::Imap, service, self.capabilities());
        view.accounts = scope.accounts.iter().map(|address| (address.clone(), AccountView::listed())).collect();
        view.gaps.push(Gap {
            class: ObjectClass::Account,
            subject: String::new(),
            reason: "an IMAP host has no list of its accounts".to_owned(),
        });
        Ok(view)
    }

    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError> {
        self.endpoint.clone().ok_or_else(|| ProviderError {
            context: format!("platform {} has no IMAP host", self.id),
            class: ErrorClass::NotFound,
            help: Some("write its `imap:` host into the spec".to_owned()),
            source: None,
        })
    }

    async fn probe(&self, _change: &Change) -> Result<Probe, ProviderError> {
        Ok(Probe::NotDone)
    }

    async fn domain_ready(&self, _domain: &Domain) -> Result<DomainReady, ProviderError> {
        Ok(DomainReady::Ready)
    }
}

#[async_trait]
impl Provider for ImapHost {
    async fn perform(&self, change: &Change, _password: Option<&Secret>) -> Result<(), ProviderError> {
        Err(ProviderError {
            context: format!(
                "{} {} on {}: an IMAP host has no control plane",
                change.kind(),
                change.subject(),
                self.id
            ),
            class: ErrorClass::Unsupported,
            help: Some("make the change in the host's own console, then run again".to_owned()),
            source: None,
        })
    }
}
