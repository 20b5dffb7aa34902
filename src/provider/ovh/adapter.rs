//! What every OVHcloud platform does the same way: look, refuse what it cannot hold, change, and wait for the effect.

use std::sync::atomic::{AtomicU32, Ordering};

use async_trait::async_trait;

use super::{
    client::{ReadClient, WriteClient},
    failure::Failure,
    wait::{Look, until},
};
use crate::{
    model::{Capabilities, Change, Domain, ImapEndpoint, PlatformId, PlatformKind, PlatformView, Secret},
    provider::{
        DomainReady, ErrorClass, Probe, Provider, ProviderError, Reader, Scope, capability::capabilities_of, supports,
    },
};

/// The platform that an adapter is for.
#[derive(Clone)]
pub(super) struct Site {
    pub(super) id: PlatformId,
    pub(super) kind: PlatformKind,
    pub(super) client: ReadClient,
    /// Where mailboxes are opened, when the spec says.
    pub(super) imap: Option<ImapEndpoint>,
}

/// What a look at the object of a change found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Seen {
    /// The change is made.
    Done,
    /// It is not, and nothing is under way.
    NotDone(String),
    /// A task runs on the object: look again later.
    Busy(String),
    /// The object that should change is not there.
    Missing(String),
    /// Something else is in the way.
    Clash(String),
}

/// How a change ends.
pub(super) enum Made {
    /// Its effect shows in what can be read: wait for it.
    Watch,
    /// It was waited for already, or cannot be read back.
    Settled,
}

/// One kind of OVHcloud platform. Reading takes nothing; changing takes a client that can write, which only
/// [`Writing`] holds.
#[async_trait]
pub(super) trait Adapter: Send + Sync {
    fn site(&self) -> &Site;
    async fn view(&self, scope: &Scope) -> Result<PlatformView, Failure>;
    async fn endpoint(&self) -> Result<ImapEndpoint, Failure>;
    async fn seen(&self, change: &Change) -> Result<Seen, Failure>;
    async fn ready(&self, domain: &Domain) -> Result<DomainReady, Failure>;
    /// Fails when the service is not there or takes no changes.
    async fn service_ok(&self) -> Result<(), Failure>;
    async fn make(&self, write: &WriteClient, change: &Change, password: Option<&Secret>) -> Result<Made, Failure>;
}

/// Looks at a platform.
pub(super) struct Reading<A>(pub(super) A);

/// Changes a platform.
pub(super) struct Writing<A> {
    reading: Reading<A>,
    client: WriteClient,
}

impl<A: Adapter> Writing<A> {
    pub(super) fn new(adapter: A) -> Self {
        let client = WriteClient::new(adapter.site().client.clone());
        Self { reading: Reading(adapter), client }
    }

    async fn run(&self, change: &Change, password: Option<&Secret>) -> Result<(), Failure> {
        let adapter = &self.reading.0;
        let kind = adapter.site().kind;
        if !supports(&capabilities_of(kind), change) {
            return Err(Failure::Stopped {
                what: format!("{} has no way to do this", kind.title()),
                class: ErrorClass::Unsupported,
                help: Some("see docs/platforms.md for what each platform can hold".to_owned()),
            });
        }
        adapter.service_ok().await?;
        match quiet(adapter, change).await? {
            Seen::Done => return Ok(()),
            Seen::NotDone(_) => {}
            Seen::Busy(what) => return Err(Failure::stopped(ErrorClass::Timeout, what)),
            Seen::Missing(what) => return Err(Failure::stopped(ErrorClass::NotFound, what)),
            Seen::Clash(what) => return Err(Failure::stopped(ErrorClass::Conflict, what)),
        }
        match adapter.make(&self.client, change, password).await? {
            Made::Settled => Ok(()),
            Made::Watch => watch(adapter, change).await.map_err(Failure::after_sending),
        }
    }
}

/// Looks once no task is running on the object.
async fn quiet<A: Adapter>(adapter: &A, change: &Change) -> Result<Seen, Failure> {
    let looked = until(adapter.site().client.patience(), "a task that was already running", || async {
        match adapter.seen(change).await {
            Ok(Seen::Busy(what)) => Ok(Look::NotYet(what)),
            other => Ok(Look::There(other)),
        }
    });
    looked.await?
}

/// How often an idle object may look unchanged before its change counts as swallowed.
const IDLE_LOOKS: u32 = 30;

/// Waits until the effect shows.
async fn watch<A: Adapter>(adapter: &A, change: &Change) -> Result<(), Failure> {
    let idle = AtomicU32::new(0);
    let what = format!("{} {}", change.kind(), change.subject());
    let effect = until(adapter.site().client.patience(), &what, || async {
        match adapter.seen(change).await? {
            Seen::Done => Ok(Look::There(())),
            Seen::NotDone(what) if idle.fetch_add(1, Ordering::Relaxed) >= IDLE_LOOKS => Err(Failure::Stopped {
                what: format!("the platform took the request, and its effect does not show: {what}"),
                class: ErrorClass::Timeout,
                help: Some("look at the object in the console, then make a new plan".to_owned()),
            }),
            Seen::NotDone(what) | Seen::Busy(what) | Seen::Missing(what) | Seen::Clash(what) => Ok(Look::NotYet(what)),
        }
    });
    effect.await
}

impl<A: Adapter> Reading<A> {
    fn name(&self) -> &PlatformId {
        &self.0.site().id
    }
}

#[async_trait]
impl<A: Adapter> Reader for Reading<A> {
    fn kind(&self) -> PlatformKind {
        self.0.site().kind
    }

    fn capabilities(&self) -> Capabilities {
        capabilities_of(self.kind())
    }

    async fn observe(&self, scope: &Scope) -> Result<PlatformView, ProviderError> {
        self.0.view(scope).await.map_err(|e| e.during(format!("reading {}", self.name())))
    }

    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError> {
        if let Some(told) = &self.0.site().imap {
            return Ok(told.clone());
        }
        let asked = self.0.endpoint().await;
        asked.map_err(|e| e.during(format!("asking {} where its mailboxes are opened", self.name())))
    }

    async fn probe(&self, change: &Change) -> Result<Probe, ProviderError> {
        if !supports(&self.capabilities(), change) {
            return Ok(Probe::NotDone);
        }
        let looked = async {
            self.0.service_ok().await?;
            quiet(&self.0, change).await
        };
        let context =
            || format!("finding out whether {} {} was made on {}", change.kind(), change.subject(), self.name());
        Ok(match looked.await.map_err(|e| e.during(context()))? {
            Seen::Done => Probe::Done,
            Seen::NotDone(_) => Probe::NotDone,
            Seen::Busy(what) | Seen::Missing(what) | Seen::Clash(what) => Probe::Unclear(what),
        })
    }

    async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, ProviderError> {
        self.0.ready(domain).await.map_err(|e| e.during(format!("reading domain {domain} of {}", self.name())))
    }
}

#[async_trait]
impl<A: Adapter> Reader for Writing<A> {
    fn kind(&self) -> PlatformKind {
        self.reading.kind()
    }

    fn capabilities(&self) -> Capabilities {
        self.reading.capabilities()
    }

    async fn observe(&self, scope: &Scope) -> Result<PlatformView, ProviderError> {
        self.reading.observe(scope).await
    }

    async fn imap_endpoint(&self) -> Result<ImapEndpoint, ProviderError> {
        self.reading.imap_endpoint().await
    }

    async fn probe(&self, change: &Change) -> Result<Probe, ProviderError> {
        self.reading.probe(change).await
    }

    async fn domain_ready(&self, domain: &Domain) -> Result<DomainReady, ProviderError> {
        self.reading.domain_ready(domain).await
    }
}

#[async_trait]
impl<A: Adapter> Provider for Writing<A> {
    async fn perform(&self, change: &Change, password: Option<&Secret>) -> Result<(), ProviderError> {
        let done = self.run(change, password).await;
        done.map_err(|e| e.during(format!("{} {} on {}", change.kind(), change.subject(), self.reading.name())))
    }
}
