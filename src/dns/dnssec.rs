//! Signatures, checked here and not believed from a resolver (RFC 4035 5): a chain of keys from a trust anchor down to
//! each answer.
//!
//! The chain is walked by the library; the questions go out by our own [`Client`], with checking disabled (CD), so that
//! a resolver which validates hands out what is broken instead of hiding it behind a failure.

use std::{
    collections::{BTreeMap, BTreeSet},
    pin::Pin,
    sync::Arc,
};

use base64::Engine as _;
use futures::{Stream, StreamExt as _, stream};
use hickory_proto::{
    dnssec::{Algorithm, Proof as Told, PublicKeyBuf, TrustAnchors},
    op::{DnsRequest, DnsRequestOptions, DnsResponse, Edns, Query, ResponseCode},
    rr::RecordType as WireType,
};
use hickory_resolver::net::{
    DnsError, NetError, dnssec::DnssecDnsHandle, runtime::TokioRuntimeProvider, xfer::DnsHandle,
};
use thiserror::Error;

use super::{
    check::{Complete as _, finding},
    lookup::{Client, PAYLOAD},
    nameserver::Nameserver,
    wire,
};
use crate::{
    diag::{Finding, Severity},
    model::{Question, Verdict},
};

/// How far an answer is proved.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    /// Its signatures do not hold, or some are missing that must be there.
    Bogus,
    /// It could not be found out.
    Unknown(String),
    /// It is proved that nobody signs it.
    Insecure,
    /// Every signature from the trust anchor to the answer holds.
    Secure,
}

/// Keys that are trusted without a signature.
#[derive(Clone)]
pub struct Anchors(Arc<TrustAnchors>);

/// Why a text holds no trust anchors.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum AnchorError {
    /// A line is no DNSKEY record.
    #[error("line {0} is no DNSKEY record such as `example.org. IN DNSKEY 257 3 13 BASE64`")]
    Line(usize),
    /// There is no record.
    #[error("there is no DNSKEY record")]
    Empty,
}

impl Anchors {
    /// The keys of the root zone (20326 and 38696) that the library ships.
    #[must_use]
    pub fn root() -> Self {
        Self(Arc::new(TrustAnchors::default()))
    }

    /// Reads DNSKEY records, one on a line, as zone files and `ldns-keygen` write them. Only these are trusted then.
    ///
    /// # Errors
    /// [`AnchorError`] names the first line that is none.
    pub fn parse(text: &str) -> Result<Self, AnchorError> {
        let mut anchors = TrustAnchors::empty();
        let mut some = false;
        for (at, line) in text.lines().enumerate() {
            let line = line.split(';').next().unwrap_or_default().trim();
            if !line.is_empty() {
                let (name, key) = anchor(line).ok_or(AnchorError::Line(at + 1))?;
                some |= anchors.insert_with_name(&key, name);
            }
        }
        if some { Ok(Self(Arc::new(anchors))) } else { Err(AnchorError::Empty) }
    }
}

fn anchor(line: &str) -> Option<(hickory_proto::rr::LowerName, PublicKeyBuf)> {
    let (before, after) = line.split_once("DNSKEY")?;
    let name = wire::name(before.split_whitespace().next()?)?;
    let mut words = after.split_whitespace();
    let flags: u16 = words.next()?.parse().ok()?;
    let protocol: u8 = words.next()?.parse().ok()?;
    let algorithm: u8 = words.next()?.parse().ok()?;
    let key = base64::engine::general_purpose::STANDARD.decode(words.collect::<String>()).ok()?;
    // A zone's key (RFC 4034 2.1.1); the SEP bit is a hint for people.
    let zone_key = flags & 0x0100 != 0 && protocol == 3 && !key.is_empty();
    zone_key.then(|| (name.into(), PublicKeyBuf::new(key, Algorithm::from_u8(algorithm))))
}

/// Proves answers. Keys that were proved are remembered, so many questions cost few walks.
#[derive(Clone)]
pub struct Validator(DnssecDnsHandle<Upstream>);

impl Validator {
    /// Asks these servers, in this order, until one answers: resolvers, or one server with authority for every zone
    /// between the anchor and the question.
    #[must_use]
    pub fn new(client: Client, servers: &[Nameserver], anchors: &Anchors) -> Self {
        let upstream = Upstream { client, servers: servers.to_vec().into() };
        Self(DnssecDnsHandle::with_trust_anchor(upstream, Arc::clone(&anchors.0)))
    }

    /// How far the answer to a question is proved, its absence included.
    pub async fn prove(&self, question: &Question) -> Proof {
        let Some(name) = wire::name(&question.name) else {
            return Proof::Unknown(format!("`{}` is not a domain name", question.name));
        };
        let query = Query::query(name, wire::wire_type(question.rtype));
        let mut options = DnsRequestOptions::default();
        options.use_edns = true;
        options.edns_set_dnssec_ok = true;
        match self.0.lookup(query, options).next().await {
            None => Proof::Unknown("there is no server to ask".to_owned()),
            Some(Ok(response)) => of(&response),
            Some(Err(NetError::Dns(DnsError::Nsec { proof, response, .. }))) => match of(&response) {
                // The library cannot follow every proof that a wildcard had to answer; that is no forgery.
                Proof::Secure if !response.answers.is_empty() => {
                    let reason = "the signatures of a wildcard hold; that no closer name exists could not be proved";
                    Proof::Unknown(reason.to_owned())
                }
                _ => told(proof),
            },
            Some(Err(NetError::Dns(DnsError::DnssecBogus))) => Proof::Bogus,
            Some(Err(error)) => Proof::Unknown(crate::diag::chain(&error).join(": ")),
        }
    }

    /// Proves the answers to these questions, as findings: what is broken or unknown one by one, the rest in one each.
    pub async fn findings(&self, questions: &BTreeSet<Question>) -> Vec<Finding> {
        let mut proofs: BTreeMap<Proof, Vec<String>> = BTreeMap::new();
        for question in questions {
            let proof = self.prove(question).await;
            proofs.entry(proof).or_default().push(format!("{} {}", question.name, question.rtype));
        }
        proofs.into_iter().flat_map(|(proof, subjects)| told_of(&proof, &subjects)).collect()
    }
}

fn told_of(proof: &Proof, subjects: &[String]) -> Vec<Finding> {
    let first = subjects.first().map(String::as_str).unwrap_or_default();
    let all = subjects.join(", ");
    match proof {
        Proof::Bogus => {
            // Signatures hold from one moment to another by this machine's clock (RFC 4035 5.3.1).
            let fix = "see that this machine's clock is right; then sign the zone anew, or let the registry remove the \
                       DS record until it is right";
            let message = "the signatures do not hold: resolvers that check them take the answer for forged";
            let one = |subject: &String| finding("dnssec-bogus", Severity::Error, subject, message.to_owned()).fix(fix);
            subjects.iter().map(one).collect()
        }
        Proof::Unknown(reason) => {
            let message = "whether the answer is signed could not be found out".to_owned();
            let one = |subject: &String| {
                finding("dnssec-unknown", Severity::Unknown, subject, message.clone()).actual(reason.clone())
            };
            subjects.iter().map(one).collect()
        }
        Proof::Insecure => {
            let message = format!("not signed, and the zone above says so: {all}");
            vec![finding("dnssec-insecure", Severity::Info, first, message)]
        }
        Proof::Secure => {
            let message = format!("signed, and every signature holds from the trust anchor down: {all}");
            vec![finding("dnssec-secure", Severity::Ok, first, message)]
        }
    }
}

/// The weakest proof of what answers the question; of an absence, of what proves it.
fn of(response: &DnsResponse) -> Proof {
    let signed = |t: WireType| t != WireType::RRSIG;
    let answers = response.answers.iter().filter(|r| signed(r.record_type())).map(|r| r.proof).min();
    let absence = || response.authorities.iter().filter(|r| signed(r.record_type())).map(|r| r.proof).min();
    answers.or_else(absence).map_or_else(|| Proof::Unknown("the answer is empty".to_owned()), told)
}

fn told(proof: Told) -> Proof {
    match proof {
        Told::Secure => Proof::Secure,
        Told::Insecure => Proof::Insecure,
        Told::Bogus => Proof::Bogus,
        Told::Indeterminate => Proof::Unknown("no trust anchor leads there".to_owned()),
    }
}

/// Where the walk gets its records.
#[derive(Clone)]
struct Upstream {
    client: Client,
    servers: Arc<[Nameserver]>,
}

impl DnsHandle for Upstream {
    type Response = Pin<Box<dyn Stream<Item = Result<DnsResponse, NetError>> + Send>>;
    type Runtime = TokioRuntimeProvider;

    fn send(&self, request: DnsRequest) -> Self::Response {
        let this = self.clone();
        Box::pin(stream::once(async move { this.ask(request).await }))
    }
}

impl Upstream {
    async fn ask(&self, request: DnsRequest) -> Result<DnsResponse, NetError> {
        let (mut message, _) = request.into_parts();
        message.metadata.id = rand::random();
        message.metadata.recursion_desired = true;
        message.metadata.checking_disabled = true;
        message.edns.get_or_insert_with(Edns::new).set_max_payload(PAYLOAD).set_dnssec_ok(true);
        let mut last = "there is no server to ask".to_owned();
        for server in self.servers.iter() {
            match self.client.send(server, &message).await {
                Ok(answer)
                    if matches!(answer.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
                {
                    return DnsResponse::from_message(answer).map_err(NetError::from);
                }
                Ok(answer) => last = format!("{server} answered {}", answer.metadata.response_code),
                Err(silence) => last = format!("{server}: {}", super::check::why(&Verdict::from(silence))),
            }
        }
        Err(NetError::from(last))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn anchors_are_read_as_tools_write_them() {
        let key = "mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==";
        let line = format!("good.test.\t3600\tIN\tDNSKEY\t257 3 13 {key} ;{{id = 1 (ksk), size = 256b}}");
        assert!(Anchors::parse(&format!("; a comment\n\n{line}\n")).is_ok());
        assert!(Anchors::parse(&format!(". IN DNSKEY 257 3 13 {key}")).is_ok());
        assert_eq!(Anchors::parse("; none").err(), Some(AnchorError::Empty));
        for wrong in ["good.test. IN DS 1 13 2 00", "good.test. IN DNSKEY 257 3 13 !", "x. DNSKEY 0 3 13 AAAA"] {
            assert_eq!(Anchors::parse(wrong).err(), Some(AnchorError::Line(1)), "{wrong}");
        }
    }
}
