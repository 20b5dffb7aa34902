//! Zones in an account of OVHcloud: edits of a working copy that nobody sees, then a refresh (API reference 3.1).

use std::{collections::BTreeSet, sync::Arc};

use async_trait::async_trait;
use serde_json::{Value, json};

use super::{
    client::{ReadClient, WriteClient},
    failure::Failure,
    json::Lenient as _,
    path::ApiPath,
    wait::{Look, until},
    zone_edits::{Edit, Entry, edits, entry, is_made},
};
use crate::{
    model::{Domain, Question, RecordSet, ZoneChange},
    provider::{Authorities, ErrorClass, PlatformConfig, Probe, ProviderError, ZoneWriter},
};

/// Writes zones through the API.
pub(super) struct OvhZone {
    client: WriteClient,
    authorities: Arc<dyn Authorities>,
}

impl OvhZone {
    pub(super) fn open(config: &PlatformConfig, authorities: Arc<dyn Authorities>) -> Result<Self, Failure> {
        Ok(Self { client: WriteClient::new(ReadClient::new(config)?), authorities })
    }

    /// The zone of the account that holds a name: the longest that fits.
    async fn zone_of(&self, name: &str) -> Result<Domain, Failure> {
        let zones = self.client.names(&ApiPath::v1(&["domain", "zone"])).await?;
        let holds = |zone: &&String| name == *zone || name.ends_with(&format!(".{zone}"));
        let best = zones.iter().filter(holds).max_by_key(|zone| zone.len());
        best.and_then(|zone| Domain::parse(zone).ok()).ok_or_else(|| Failure::Stopped {
            what: format!("no zone of this account holds {name}"),
            class: ErrorClass::NotFound,
            help: Some("use the keys of the account that has the zone, or leave `dns.manage` out".to_owned()),
        })
    }

    /// The records of one name and type in the working copy.
    async fn entries(&self, zone: &Domain, change: &ZoneChange) -> Result<Vec<Entry>, Failure> {
        let records = path(zone, &["record"]).query("subDomain", below(zone, &change.name));
        let mut out = Vec::new();
        for id in self.client.names(&records).await? {
            // A record that went while the others were read is not there.
            let Some(record) = self.client.find(&path(zone, &["record", &id])).await? else { continue };
            out.extend(entry(&id, &record, zone, change));
        }
        Ok(out)
    }

    /// What records have that say no TTL.
    async fn usual_ttl(&self, zone: &Domain) -> Result<u32, Failure> {
        let soa = self.client.get(&path(zone, &["soa"])).await?;
        Ok(soa.whole("ttl").and_then(|ttl| u32::try_from(ttl).ok()).unwrap_or(3600))
    }

    async fn make(&self, change: &ZoneChange) -> Result<(), Failure> {
        let zone = self.zone_of(&change.name).await?;
        let found = self.entries(&zone, change).await?;
        let list = edits(&found, change, self.usual_ttl(&zone).await?).map_err(|what| Failure::Stopped {
            what,
            class: ErrorClass::Stale,
            help: Some(REPLAN.to_owned()),
        })?;
        for (done, edit) in list.iter().enumerate() {
            let edited = self.edit(&zone, change, edit).await;
            edited.map_err(|e| if done == 0 { e } else { e.half_done() })?;
        }
        if !list.is_empty() || !self.deployed(&zone).await? {
            self.client.post(&path(&zone, &["refresh"]), &json!({})).await.map_err(Failure::half_done)?;
        }
        self.until_deployed(&zone).await.map_err(Failure::after_sending)?;
        self.until_served(change).await.map_err(Failure::after_sending)
    }

    async fn edit(&self, zone: &Domain, change: &ZoneChange, edit: &Edit) -> Result<(), Failure> {
        let done = match edit {
            Edit::Put { id, target, ttl } => {
                self.client.put(&path(zone, &["record", id]), &json!({ "target": target, "ttl": ttl })).await
            }
            Edit::Post { target, ttl } => {
                let body = json!({
                    "fieldType": change.rtype.word(), "subDomain": below(zone, &change.name), "target": target,
                    "ttl": ttl,
                });
                self.client.post(&path(zone, &["record"]), &body).await
            }
            Edit::Delete { id } => self.client.delete(&path(zone, &["record", id])).await,
        };
        done.map(|_: Value| ())
    }

    async fn deployed(&self, zone: &Domain) -> Result<bool, Failure> {
        let status = self.client.get(&path(zone, &["status"])).await?;
        let errors = status.texts("errors");
        if !errors.is_empty() {
            return Err(Failure::Stopped {
                what: format!("{zone} cannot be published: {}", errors.join("; ")),
                class: ErrorClass::Refused,
                help: Some("correct the zone in the console; what was changed is not visible yet".to_owned()),
            });
        }
        Ok(status.flag("isDeployed").unwrap_or(false))
    }

    /// A refresh that fails looks like one that worked, so the state is asked for.
    async fn until_deployed(&self, zone: &Domain) -> Result<(), Failure> {
        let what = format!("publishing {zone}");
        until(self.client.patience(), &what, || async {
            Ok(match self.deployed(zone).await? {
                true => Look::There(()),
                false => Look::NotYet("it is not deployed yet".to_owned()),
            })
        })
        .await
    }

    /// Waits until every authoritative server answers with what was written.
    async fn until_served(&self, change: &ZoneChange) -> Result<(), Failure> {
        let what = format!("{} at the servers of {}", change.subject(), change.domain);
        until(self.client.patience(), &what, || async {
            Ok(match unserved(self.authorities.as_ref(), change).await {
                None => Look::There(()),
                Some(seen) => Look::NotYet(seen),
            })
        })
        .await
    }
}

const REPLAN: &str = "plan again: somebody changed it since the plan was made";

/// Which server does not answer with a change yet, and what it says; `None` when all do.
pub(in crate::provider) async fn unserved(authorities: &dyn Authorities, change: &ZoneChange) -> Option<String> {
    let question = Question { name: change.name.clone(), rtype: change.rtype };
    let answers = authorities.ask(&change.domain, &question).await;
    if answers.is_empty() {
        return Some("no authoritative server could be found".to_owned());
    }
    let list = |set: &Option<RecordSet>| match set {
        None => "nothing".to_owned(),
        Some(set) => format!("{} (TTL {})", set.values.iter().cloned().collect::<Vec<_>>().join(", "), set.ttl),
    };
    answers.into_iter().find_map(|(server, said)| match said {
        Ok(set) if same(&set, &change.after) => None,
        Ok(set) => Some(format!("{server} answers {}", list(&set))),
        Err(why) => Some(format!("{server} gives no answer: {why}")),
    })
}

/// Whether two sets are the same; letters of names have no case.
fn same(one: &Option<RecordSet>, other: &Option<RecordSet>) -> bool {
    let fold = |set: &Option<RecordSet>| -> Option<(BTreeSet<String>, u32)> {
        set.as_ref().map(|s| (s.values.iter().map(|v| v.to_ascii_lowercase()).collect(), s.ttl))
    };
    fold(one) == fold(other)
}

fn path(zone: &Domain, rest: &[&str]) -> ApiPath {
    ApiPath::v1(&["domain", "zone", zone.as_str()]).join(rest)
}

/// A name as the API writes it: without its zone, empty for the zone itself.
fn below<'n>(zone: &Domain, name: &'n str) -> &'n str {
    name.strip_suffix(zone.as_str()).unwrap_or(name).trim_end_matches('.')
}

#[async_trait]
impl ZoneWriter for OvhZone {
    async fn write(&self, change: &ZoneChange) -> Result<(), ProviderError> {
        self.make(change).await.map_err(|e| e.during(format!("{} {}", change.kind(), change.subject())))
    }

    async fn probe(&self, change: &ZoneChange) -> Result<Probe, ProviderError> {
        let looked = async {
            let zone = self.zone_of(&change.name).await?;
            let found = self.entries(&zone, change).await?;
            let usual = self.usual_ttl(&zone).await?;
            Ok(match edits(&found, change, usual) {
                Err(what) => Probe::Unclear(what),
                Ok(_) if !is_made(&found, change, usual) => Probe::NotDone,
                // Written and not visible everywhere: making it again only waits.
                Ok(_) if !self.deployed(&zone).await? => Probe::NotDone,
                Ok(_) => match unserved(self.authorities.as_ref(), change).await {
                    None => Probe::Done,
                    Some(_) => Probe::NotDone,
                },
            })
        };
        let context = || format!("finding out whether {} {} was made", change.kind(), change.subject());
        looked.await.map_err(|e: Failure| e.during(context()))
    }
}
