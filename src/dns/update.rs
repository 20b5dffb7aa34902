//! Dynamic updates (RFC 2136), signed with TSIG (RFC 8945): one message that changes one set of records, or nothing.
//!
//! The message demands that the set is still what was read, so that whatever somebody changed meanwhile is never
//! overwritten. It goes over TCP, and an answer counts only when its signature holds.

use std::{collections::BTreeSet, io, net::SocketAddr, time::Duration};

use base64::{Engine as _, engine::general_purpose::STANDARD};
use hickory_proto::{
    op::{Message, MessageType, OpCode, Query, ResponseCode, UpdateMessage as _},
    rr::{DNSClass, Name, RData, Record, RecordType as WireType, TSigner, rdata::tsig::TsigAlgorithm},
    serialize::binary::{BinDecodable as _, BinEncodable as _},
};
use thiserror::Error;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::TcpStream,
    time::timeout,
};

use super::{lookup::Client, wire};
use crate::model::{Question, RecordSet, RecordType, Secret, ZoneChange};

/// How far the clocks may be apart, in seconds (RFC 8945 10).
const FUDGE: u16 = 300;
/// The wait for an answer: a primary may write to disk first.
const PATIENCE: Duration = Duration::from_secs(30);

/// Why an update was not made, or may not have been.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum UpdateError {
    /// The key cannot be used.
    #[error("the TSIG key cannot be used: {0}")]
    Key(String),
    /// The records are not what they were when they were read; nothing was changed.
    #[error("{0}")]
    Stale(String),
    /// The server refuses this key or update; nothing was changed.
    #[error("the server refuses it: {0}")]
    Refused(String),
    /// The server could not be reached; nothing was sent.
    #[error("{0}")]
    Unreachable(String),
    /// It was sent, and there is no answer that could be trusted: it may have been made.
    #[error("{0}")]
    InDoubt(String),
    /// It cannot be written as DNS data.
    #[error("{0}")]
    Malformed(String),
}

/// Updates zones at one server with one key.
#[derive(Clone)]
pub struct Updater {
    server: SocketAddr,
    zone: Option<String>,
    key: TSigner,
}

impl Updater {
    /// An updater with a key in Base64. Sends nothing yet.
    ///
    /// # Errors
    /// [`UpdateError::Key`] when name, algorithm or key make no sense.
    pub fn new(
        server: SocketAddr,
        zone: Option<String>,
        (name, algorithm, secret): (&str, &str, &Secret),
    ) -> Result<Self, UpdateError> {
        let algorithm = match algorithm {
            "hmac-sha256" => TsigAlgorithm::HmacSha256,
            "hmac-sha384" => TsigAlgorithm::HmacSha384,
            "hmac-sha512" => TsigAlgorithm::HmacSha512,
            other => return Err(UpdateError::Key(format!("`{other}` is no algorithm that is strong enough"))),
        };
        let octets =
            STANDARD.decode(secret.expose().trim()).map_err(|_| UpdateError::Key("it is not Base64".to_owned()))?;
        let name = wire::name(name).ok_or_else(|| UpdateError::Key(format!("`{name}` is no name of a key")))?;
        let key = TSigner::new(octets, algorithm, name, FUDGE).map_err(|e| UpdateError::Key(e.to_string()))?;
        Ok(Self { server, zone, key })
    }

    /// The set at the primary server now; `None` for no records.
    ///
    /// # Errors
    /// [`UpdateError::Unreachable`] when it does not tell.
    pub async fn read(&self, change: &ZoneChange) -> Result<Option<RecordSet>, UpdateError> {
        Ok(set_of(&self.records(&change.name, change.rtype).await?))
    }

    /// Makes a change: all of it, or nothing. A change that is made already is not made again.
    ///
    /// # Errors
    /// [`UpdateError::Stale`] when the set is neither that before the change nor that after it.
    pub async fn set(&self, change: &ZoneChange) -> Result<(), UpdateError> {
        let now = self.records(&change.name, change.rtype).await?;
        let seen = set_of(&now);
        if seen == change.after {
            return Ok(());
        }
        if values(&seen) != values(&change.before) {
            return Err(UpdateError::Stale(format!(
                "{} {} has {}, and had {} when the plan was made",
                change.name,
                change.rtype,
                shown(&seen),
                shown(&change.before)
            )));
        }
        let zone = self.zone_of(change).await?;
        let message = message(change, &now, &zone)?;
        self.send(message, change).await
    }

    /// The records of one name and type, word for word.
    async fn records(&self, name: &str, rtype: RecordType) -> Result<Vec<Record>, UpdateError> {
        let client = Client::default();
        let question = Question { name: name.to_owned(), rtype };
        let told =
            |why: String| UpdateError::Unreachable(format!("{} does not tell what {name} has: {why}", self.server));
        let answer = client.exchange(self.server, &question).await.map_err(|e| told(format!("{e:?}")))?;
        let code = answer.metadata.response_code;
        if !matches!(code, ResponseCode::NoError | ResponseCode::NXDomain) || !answer.metadata.authoritative {
            return Err(told(format!("it answers {code}, and only an answer with authority counts")));
        }
        let own = |r: &Record| wire::text(&r.name) == name && r.record_type() == wire::wire_type(rtype);
        Ok(answer.answers.into_iter().filter(own).collect())
    }

    async fn zone_of(&self, change: &ZoneChange) -> Result<Name, UpdateError> {
        let malformed = |text: &str| UpdateError::Malformed(format!("`{text}` is no domain name"));
        if let Some(zone) = &self.zone {
            return wire::name(zone).ok_or_else(|| malformed(zone));
        }
        let question = Question { name: change.name.clone(), rtype: RecordType::Soa };
        let answer = Client::default().exchange(self.server, &question).await;
        let answer =
            answer.map_err(|e| UpdateError::Unreachable(format!("{} does not tell its zone: {e:?}", self.server)))?;
        let apex = answer.answers.iter().chain(&answer.authorities).find(|r| matches!(r.data, RData::SOA(_)));
        let apex = apex.map(|r| r.name.clone());
        apex.ok_or_else(|| UpdateError::Refused(format!("{} has no zone that holds {}", self.server, change.name)))
    }

    async fn send(&self, mut message: Message, change: &ZoneChange) -> Result<(), UpdateError> {
        let now = u64::try_from(jiff::Timestamp::now().as_second()).unwrap_or_default();
        let malformed = |e: String| UpdateError::Malformed(format!("the update cannot be written: {e}"));
        let verifier = message.finalize(&self.key, now).map_err(|e| malformed(e.to_string()))?;
        let request = message.to_bytes().map_err(|e| malformed(e.to_string()))?;
        let unreached = |e: io::Error| UpdateError::Unreachable(format!("{} cannot be reached: {e}", self.server));
        let stream = timeout(PATIENCE, TcpStream::connect(self.server)).await;
        let mut stream = stream.map_err(|_| unreached(io::ErrorKind::TimedOut.into()))?.map_err(unreached)?;
        let doubt = |why: String| UpdateError::InDoubt(format!("{} took the update and {why}", self.server));
        let answer = timeout(PATIENCE, exchange(&mut stream, &request)).await;
        let answer = answer
            .map_err(|_| doubt("did not answer in time".to_owned()))?
            .map_err(|e| doubt(format!("then the connection failed: {e}")))?;
        let read = Message::from_bytes(&answer).map_err(|e| doubt(format!("its answer cannot be read: {e}")))?;
        if read.metadata.id != message.metadata.id || read.metadata.message_type != MessageType::Response {
            return Err(doubt("what came back is no answer to it".to_owned()));
        }
        let code = read.metadata.response_code;
        // A server that does not know the key cannot sign; it says so, and nothing was made (RFC 8945 5.2.1).
        if matches!(code, ResponseCode::NotAuth) {
            let why = "it does not know the key, or its clock is another";
            return Err(UpdateError::Refused(format!("{code}: {why}")));
        }
        match verifier {
            Some(mut verifier) => {
                verifier
                    .verify(&answer)
                    .map_err(|e| doubt(format!("the signature of its answer does not hold: {e}")))?;
            }
            None => return Err(malformed("it could not be signed".to_owned())),
        }
        judge(code, change)
    }
}

fn judge(code: ResponseCode, change: &ZoneChange) -> Result<(), UpdateError> {
    match code {
        ResponseCode::NoError => Ok(()),
        ResponseCode::NXRRSet | ResponseCode::YXRRSet | ResponseCode::NXDomain | ResponseCode::YXDomain => {
            Err(UpdateError::Stale(format!(
                "{} {} is no longer what it was when the plan was made ({code})",
                change.name, change.rtype
            )))
        }
        other => Err(UpdateError::Refused(other.to_string())),
    }
}

async fn exchange(stream: &mut TcpStream, request: &[u8]) -> io::Result<Vec<u8>> {
    let length = u16::try_from(request.len()).map_err(|_| io::Error::other("the update is too long"))?;
    stream.write_all(&[length.to_be_bytes().as_slice(), request].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn set_of(records: &[Record]) -> Option<RecordSet> {
    let values: BTreeSet<String> = records.iter().filter_map(|r| wire::present(&r.data)).collect();
    let ttl = records.iter().map(|r| r.ttl).max()?;
    Some(RecordSet { values, ttl })
}

fn values(set: &Option<RecordSet>) -> BTreeSet<String> {
    set.iter().flat_map(|s| &s.values).cloned().collect()
}

fn shown(set: &Option<RecordSet>) -> String {
    match set {
        None => "nothing".to_owned(),
        Some(set) => set.values.iter().cloned().collect::<Vec<_>>().join(", "),
    }
}

/// The message: the set must be exactly what was read (RFC 2136 2.4.2, 2.4.3), then what goes, then what comes.
fn message(change: &ZoneChange, now: &[Record], zone: &Name) -> Result<Message, UpdateError> {
    let malformed = |text: &str| UpdateError::Malformed(format!("`{text}` is no data of a {} record", change.rtype));
    let name = wire::name(&change.name).ok_or_else(|| malformed(&change.name))?;
    if !zone.zone_of(&name) {
        return Err(UpdateError::Malformed(format!("{} is not in the zone {}", change.name, wire::text(zone))));
    }
    let rtype = wire::wire_type(change.rtype);
    let mut message = Message::new(rand::random(), MessageType::Query, OpCode::Update);
    message.add_zone(Query::query(zone.clone(), WireType::SOA));
    if now.is_empty() {
        message.add_pre_requisite(absent(&name, rtype));
    }
    for record in now {
        message.add_pre_requisite(Record::from_rdata(name.clone(), 0, record.data.clone()));
    }
    // An alias stands alone (RFC 1034 3.6.2): what somebody put beside it meanwhile stops the update.
    if change.before.is_none() {
        let conflict = if rtype == WireType::CNAME { WireType::ANY } else { WireType::CNAME };
        message.add_pre_requisite(absent(&name, conflict));
    }
    let kept = values(&change.after);
    for record in now.iter().filter(|r| wire::present(&r.data).is_none_or(|v| !kept.contains(&v))) {
        let mut gone = Record::from_rdata(name.clone(), 0, record.data.clone());
        gone.dns_class = DNSClass::NONE;
        message.add_update(gone);
    }
    let Some(after) = &change.after else { return Ok(message) };
    // A record that is added again takes the new TTL (RFC 2136 3.4.2.2), octet for octet as it was.
    if change.new_ttl().is_some() {
        for record in now.iter().filter(|r| wire::present(&r.data).is_some_and(|v| kept.contains(&v))) {
            message.add_update(Record::from_rdata(name.clone(), after.ttl, record.data.clone()));
        }
    }
    for value in change.added() {
        let data = wire::data(change.rtype, value).ok_or_else(|| malformed(value))?;
        message.add_update(Record::from_rdata(name.clone(), after.ttl, data));
    }
    Ok(message)
}

/// "There are no records of that type here" (RFC 2136 2.4.3), or with `ANY` "the name is not in use" (2.4.5).
fn absent(name: &Name, rtype: WireType) -> Record {
    let mut record = Record::update0(name.clone(), 0, rtype);
    record.dns_class = DNSClass::NONE;
    record
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Domain;

    fn change(rtype: RecordType, before: &[&str], after: &[&str], ttl: u32) -> ZoneChange {
        let set = |values: &[&str], ttl| {
            let values: BTreeSet<String> = values.iter().map(|v| (*v).to_owned()).collect();
            (!values.is_empty()).then_some(RecordSet { values, ttl })
        };
        let domain = Domain::parse("x.org").unwrap();
        ZoneChange { domain, name: "x.org".to_owned(), rtype, before: set(before, 60), after: set(after, ttl) }
    }

    fn rows(records: &[Record]) -> Vec<String> {
        records
            .iter()
            .map(|r| format!("{} {} {} {:?}", r.dns_class, r.ttl, r.record_type(), wire::present(&r.data)))
            .collect()
    }

    #[test]
    fn a_message_demands_what_was_read_and_touches_only_what_changes() {
        let change = change(RecordType::Txt, &["v=spf1 -all", "other"], &["v=spf1 a -all", "other"], 60);
        let now: Vec<Record> = ["v=spf1 -all", "other"]
            .map(|v| Record::from_rdata(wire::name("x.org").unwrap(), 60, wire::data(RecordType::Txt, v).unwrap()))
            .into();
        let made = message(&change, &now, &wire::name("x.org").unwrap()).unwrap();
        assert_eq!(rows(made.prerequisites()), [r#"IN 0 TXT Some("v=spf1 -all")"#, r#"IN 0 TXT Some("other")"#]);
        assert_eq!(rows(made.updates()), [r#"NONE 0 TXT Some("v=spf1 -all")"#, r#"IN 60 TXT Some("v=spf1 a -all")"#]);
    }

    #[test]
    fn a_new_alias_demands_that_nothing_is_there() {
        let made = message(&change(RecordType::Cname, &[], &["a.example"], 60), &[], &wire::name("x.org").unwrap());
        assert_eq!(rows(made.unwrap().prerequisites()), ["NONE 0 CNAME None", "NONE 0 ANY None"]);
        let outside = message(&change(RecordType::Cname, &[], &["a.example"], 60), &[], &wire::name("y.org").unwrap());
        assert!(matches!(outside, Err(UpdateError::Malformed(_))));
    }

    #[test]
    fn weak_keys_and_keys_that_are_none_are_refused_without_showing_them() {
        let at = "127.0.0.1:53".parse().unwrap();
        let secret = Secret::new("not base64!".to_owned());
        let wrong = Updater::new(at, None, ("key", "hmac-sha256", &secret)).err().unwrap();
        assert!(!wrong.to_string().contains("base64!"), "{wrong}");
        let good = Secret::new("AAAA".to_owned());
        assert!(matches!(Updater::new(at, None, ("key", "hmac-md5", &good)), Err(UpdateError::Key(_))));
        assert!(Updater::new(at, None, ("key", "hmac-sha512", &good)).is_ok());
    }
}
