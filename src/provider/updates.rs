//! Zones that take dynamic updates (RFC 2136).

use std::sync::Arc;

use async_trait::async_trait;

use super::{
    Authorities, ErrorClass, Patience, Probe, ProviderError, UpdateConfig, ZoneWriter,
    ovh::{unserved, wait_until},
};
use crate::{
    dns::{UpdateError, Updater},
    model::ZoneChange,
};

/// Writes zones by dynamic updates.
pub(super) struct Updates {
    updater: Updater,
    authorities: Arc<dyn Authorities>,
    patience: Patience,
}

impl Updates {
    pub(super) fn open(config: &UpdateConfig, authorities: Arc<dyn Authorities>) -> Result<Self, ProviderError> {
        let key = (config.key.as_str(), config.algorithm.as_str(), &config.secret);
        let updater = Updater::new(config.server, config.zone.clone(), key)
            .map_err(|e| failed("opening the zones that are updated", e))?;
        Ok(Self { updater, authorities, patience: config.patience })
    }
}

fn failed(context: impl Into<String>, error: UpdateError) -> ProviderError {
    let (class, help) = match &error {
        UpdateError::Key(_) => (ErrorClass::Denied, "see `update` of the domain: key, algorithm and secret"),
        UpdateError::Stale(_) => (ErrorClass::Stale, "plan again: somebody changed it since the plan was made"),
        UpdateError::Refused(_) => (ErrorClass::Denied, "let the server take updates of this zone by this key"),
        UpdateError::Unreachable(_) => (ErrorClass::Unreachable, "check `update.server` and the network"),
        UpdateError::InDoubt(_) => (ErrorClass::InDoubt, "`rehome resume` looks whether it was made"),
        UpdateError::Malformed(_) => (ErrorClass::Refused, "write this record by hand"),
    };
    ProviderError { context: context.into(), class, help: Some(help.to_owned()), source: Some(Box::new(error)) }
}

#[async_trait]
impl ZoneWriter for Updates {
    async fn write(&self, change: &ZoneChange) -> Result<(), ProviderError> {
        let context = || format!("{} {}", change.kind(), change.subject());
        self.updater.set(change).await.map_err(|e| failed(context(), e))?;
        let what = format!("{} at the servers of {}", change.subject(), change.domain);
        wait_until(self.patience, &what, || unserved(self.authorities.as_ref(), change))
            .await
            .map_err(|e| ProviderError { context: context(), ..e })
    }

    async fn probe(&self, change: &ZoneChange) -> Result<Probe, ProviderError> {
        let context = || format!("finding out whether {} {} was made", change.kind(), change.subject());
        let now = self.updater.read(change).await.map_err(|e| failed(context(), e))?;
        if now == change.after {
            return Ok(match unserved(self.authorities.as_ref(), change).await {
                None => Probe::Done,
                Some(_) => Probe::NotDone,
            });
        }
        // An update is made wholly or not at all.
        let values = |set: &Option<crate::model::RecordSet>| set.as_ref().map(|s| s.values.clone());
        if values(&now) == values(&change.before) {
            return Ok(Probe::NotDone);
        }
        Ok(Probe::Unclear(format!("{} {} is neither as before nor as after it", change.name, change.rtype)))
    }
}
