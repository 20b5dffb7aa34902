//! One question to one server.
//!
//! A stub resolver is the wrong tool here: it hides the AA bit, clamps TTLs to a day, loses SRV records behind an alias
//! and turns a refusal into "no records". So questions are sent by hand, and every answer keeps its meaning.

use std::{collections::BTreeSet, io, net::SocketAddr, time::Duration};

use hickory_proto::{
    dnssec::rdata::DNSSECRData as Signature,
    op::{Edns, Message, MessageType, OpCode, Query, ResponseCode},
    rr::{DNSClass, RData, Record, RecordType as WireType, rdata::opt::EdnsOption},
    serialize::binary::{BinDecodable, BinEncodable},
};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UdpSocket},
    time::{Instant, timeout, timeout_at},
};

use super::{
    empty,
    nameserver::{Nameserver, Way},
    wire,
};
use crate::model::{Oddity, Question, Verdict};

/// The largest datagram that is asked for; larger ones get lost on the way (RFC 9715).
pub(super) const PAYLOAD: u16 = 1232;
/// How far aliases are followed.
const ALIASES: usize = 8;

/// How questions are asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Client {
    /// The wait for one answer. A silent server is asked three times, the last time without EDNS.
    pub timeout: Duration,
    /// Whether only answers with authority count. Off for questions to a resolver, which are then asked recursively.
    pub authority: bool,
}

impl Default for Client {
    /// Three seconds, with authority.
    fn default() -> Self {
        Self { timeout: Duration::from_secs(3), authority: true }
    }
}

/// What is seen beside a verdict.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Aside {
    /// What is odd about the answer.
    pub(super) oddities: BTreeSet<Oddity>,
    /// Whether the name is an alias, so that the records stand at another one.
    pub(super) aliased: bool,
}

/// Why there is no answer at all.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// Nobody answered in time.
    Timeout,
    /// The network refused.
    Unreachable(String),
    /// What came back is not a DNS message.
    Malformed(String),
}

impl From<io::Error> for Silence {
    fn from(e: io::Error) -> Self {
        Self::Unreachable(e.to_string())
    }
}

impl From<Silence> for Verdict {
    fn from(silence: Silence) -> Self {
        match silence {
            Silence::Timeout => Self::Timeout,
            Silence::Unreachable(reason) => Self::Unreachable { reason },
            Silence::Malformed(reason) => Self::Malformed { reason },
        }
    }
}

impl Client {
    /// Asks one server one question. Aliases are followed as far as this server knows them.
    pub async fn lookup(&self, server: impl Into<Nameserver>, question: &Question) -> Verdict {
        self.look(&server.into(), question, &mut Aside::default()).await
    }

    /// The same, with what is seen beside the answer written down.
    pub(super) async fn look(&self, server: &Nameserver, question: &Question, aside: &mut Aside) -> Verdict {
        let mut at = question.clone();
        if let Some(name) = wire::name(&at.name) {
            at.name = wire::text(&name);
        }
        let mut seen = BTreeSet::new();
        let mut slowest = 0;
        loop {
            if !seen.insert(at.name.clone()) || seen.len() > ALIASES {
                return Verdict::Loop;
            }
            let message = match self.exchange_by(server, &at, false).await {
                Ok((message, Transport::Tcp)) => {
                    aside.oddities.insert(Oddity::TcpOnly);
                    message
                }
                Ok((message, _)) => message,
                Err(silence) => return silence.into(),
            };
            match read(&message, &at, self.authority) {
                Read::Verdict(Verdict::Found { values, ttl }) => {
                    aside.aliased = seen.len() > 1 || end(&message, &at) != at.name;
                    // A resolver counts down, each record by itself perhaps.
                    aside.oddities.extend(mixed(&message, &at).filter(|_| self.authority));
                    return Verdict::Found { values, ttl: ttl.max(slowest) };
                }
                // The alias is a fact; that this server does not serve its target is none.
                Read::Verdict(Verdict::Refused | Verdict::Lame) if seen.len() > 1 => {
                    let reason =
                        format!("{} is an alias of {}, which this server does not serve", question.name, at.name);
                    aside.oddities.insert(Oddity::Away { name: question.name.clone(), target: at.name });
                    return Verdict::Unreachable { reason };
                }
                Read::Verdict(Verdict::ServFail) if !self.authority => return self.doubted(server, &at).await,
                Read::Verdict(Verdict::NxDomain) => {
                    let target = end(&message, &at);
                    if target != question.name.trim_end_matches('.').to_ascii_lowercase() {
                        aside.oddities.insert(Oddity::Dangling { name: question.name.clone(), target });
                    }
                    return Verdict::NxDomain;
                }
                Read::Verdict(verdict) => return verdict,
                Read::Alias { target, ttl } => {
                    slowest = slowest.max(ttl);
                    at.name = target;
                }
            }
        }
    }

    /// Asks one server one question and gives the whole answer, checked to be one to this question.
    pub(super) async fn exchange(
        &self,
        server: impl Into<Nameserver>,
        question: &Question,
    ) -> Result<Message, Silence> {
        self.exchange_with(&server.into(), question, false).await
    }

    /// What a resolver's failure means. When it answers as soon as it need not check signatures, and fails again when it
    /// has to, the signatures are what is wrong (RFC 4035 3.2.2, 5.5).
    async fn doubted(&self, server: &Nameserver, question: &Question) -> Verdict {
        let fine = |m: &Message| matches!(m.metadata.response_code, ResponseCode::NoError | ResponseCode::NXDomain);
        let unchecked = self.exchange_with(server, question, true).await.is_ok_and(|m| fine(&m));
        if !unchecked {
            return Verdict::ServFail;
        }
        match self.exchange_with(server, question, false).await {
            Ok(message) if message.metadata.response_code == ResponseCode::ServFail => Verdict::Bogus,
            Ok(message) => match read(&message, question, self.authority) {
                Read::Verdict(verdict) => verdict,
                Read::Alias { .. } => Verdict::ServFail,
            },
            Err(silence) => silence.into(),
        }
    }

    /// Whether the records that answer a question, and the aliases on the way to them, carry signatures. `None` without
    /// records, and where a resolver shows that it does not pass signatures on (RFC 3225 3).
    pub(super) async fn signed(&self, server: &Nameserver, question: &Question) -> Option<bool> {
        let mut request = self.request(question, true, false).ok()?;
        request.edns.get_or_insert_with(Edns::new).set_dnssec_ok(true);
        let answer = self.send(server, &request).await.ok()?;
        let passes = answer.edns.as_ref().is_some_and(|edns| edns.flags().dnssec_ok);
        let owner = end(&answer, question);
        let wanted = wire::wire_type(question.rtype);
        let there = of(&answer.answers, &owner).any(|r| r.record_type() == wanted);
        if !there || !(passes || answer.metadata.authoritative) {
            return None;
        }
        // An alias that a DNAME makes has no signature of its own (RFC 6672 5.3.1).
        let made = answer.answers.iter().any(|r| r.record_type() == WireType::DNAME);
        let own = |t: WireType| t != WireType::RRSIG && !(made && t == WireType::CNAME);
        let sets = answer.answers.iter().filter(|r| own(r.record_type()));
        let names: BTreeSet<(String, WireType)> = sets.map(|r| (wire::text(&r.name), r.record_type())).collect();
        Some(names.iter().all(|(name, rtype)| of(&answer.answers, name).any(|r| covers(r, *rtype))))
    }

    /// Sends a message as it is and gives the answer to it.
    pub(super) async fn send(&self, server: &Nameserver, request: &Message) -> Result<Message, Silence> {
        let Way::Plain(address) = server.0 else { return self.over_tls(&server.0, request).await };
        let mut outcome = self.over_udp(address, request).await;
        if matches!(outcome, Err(Silence::Timeout)) {
            outcome = self.over_udp(address, request).await;
        }
        match outcome {
            Ok(message) if message.metadata.truncation => self.over_tcp(address, request).await,
            other => other,
        }
    }

    async fn exchange_with(
        &self,
        server: &Nameserver,
        question: &Question,
        unchecked: bool,
    ) -> Result<Message, Silence> {
        self.exchange_by(server, question, unchecked).await.map(|(message, _)| message)
    }

    /// Sends a question and gives the answer, with the way it came by. A server that is silent over UDP may still answer
    /// over TCP.
    async fn exchange_by(
        &self,
        server: &Nameserver,
        question: &Question,
        unchecked: bool,
    ) -> Result<(Message, Transport), Silence> {
        let request = |edns| self.request(question, edns, unchecked);
        let Way::Plain(server) = server.0 else {
            let message = self.over_tls(&server.0, &padded(request(true)?)?).await?;
            return Ok((message, Transport::Usual));
        };
        let mut outcome = Err(Silence::Timeout);
        for edns in [true, true, false] {
            outcome = self.over_udp(server, &request(edns)?).await;
            match &outcome {
                Err(Silence::Timeout) => {}
                // Servers from before EDNS do not understand the question (RFC 6891 7).
                Ok(m) if edns && matches!(m.metadata.response_code, ResponseCode::FormErr | ResponseCode::NotImp) => {
                    outcome = self.over_udp(server, &request(false)?).await;
                    break;
                }
                _ => break,
            }
        }
        match outcome {
            Ok(message) if message.metadata.truncation => {
                self.over_tcp(server, &request(true)?).await.map(|m| (m, Transport::Usual))
            }
            Err(Silence::Timeout) => match self.over_tcp(server, &request(true)?).await {
                Ok(message) => Ok((message, Transport::Tcp)),
                Err(_) => Err(Silence::Timeout),
            },
            other => other.map(|m| (m, Transport::Usual)),
        }
    }

    fn request(&self, question: &Question, edns: bool, unchecked: bool) -> Result<Message, Silence> {
        let malformed = || Silence::Malformed(format!("`{}` is not a domain name", question.name));
        let name = wire::name(&question.name).ok_or_else(malformed)?;
        let mut message = Message::new(rand::random(), MessageType::Query, OpCode::Query);
        message.metadata.recursion_desired = !self.authority;
        message.metadata.checking_disabled = unchecked;
        message.add_query(Query::query(name, wire::wire_type(question.rtype)));
        if edns {
            let mut own = Edns::new();
            own.set_max_payload(PAYLOAD).set_version(0);
            message.set_edns(own);
        }
        Ok(message)
    }

    async fn over_udp(&self, server: SocketAddr, request: &Message) -> Result<Message, Silence> {
        let local = if server.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(local).await?;
        // A connected socket takes answers from this server alone.
        socket.connect(server).await?;
        socket.send(&encode(request)?).await?;
        let until = Instant::now() + self.timeout;
        let mut buffer = vec![0; 65_536];
        loop {
            let n = timeout_at(until, socket.recv(&mut buffer)).await.map_err(|_| Silence::Timeout)??;
            let bytes = buffer.get(..n).unwrap_or_default();
            // Forged or late answers are passed over: the right one may still come.
            if bytes.get(..2) != Some(&request.metadata.id.to_be_bytes()) {
                continue;
            }
            let message = decode(bytes)?;
            if answers(&message, request) {
                return Ok(message);
            }
        }
    }

    /// Over a way that is protected, and that has no datagrams which could be lost or cut.
    async fn over_tls(&self, way: &Way, request: &Message) -> Result<Message, Silence> {
        let bytes = timeout(self.timeout, way.exchange(&encode(request)?)).await.map_err(|_| Silence::Timeout)??;
        let message = decode(&bytes)?;
        if answers(&message, request) {
            return Ok(message);
        }
        Err(Silence::Malformed("the answer is to another question".to_owned()))
    }

    async fn over_tcp(&self, server: SocketAddr, request: &Message) -> Result<Message, Silence> {
        let told = |e: Silence| match e {
            Silence::Unreachable(reason) => {
                Silence::Unreachable(format!("the answer needs TCP, which failed: {reason}"))
            }
            other => other,
        };
        let bytes = timeout(self.timeout, tcp(server, encode(request)?)).await.map_err(|_| Silence::Timeout)?;
        let message = decode(&bytes.map_err(|e| told(e.into()))?)?;
        if answers(&message, request) {
            return Ok(message);
        }
        Err(Silence::Malformed("the answer is to another question".to_owned()))
    }
}

/// The way that an answer came by.
enum Transport {
    /// As usual, TCP after a cut answer among it.
    Usual,
    /// By TCP alone.
    Tcp,
}

/// Filled up to a multiple of 128 octets, so that its length does not tell the name (RFC 8467 4.1).
fn padded(mut request: Message) -> Result<Message, Silence> {
    /// The number of the option (RFC 7830 3), and the octets of its head.
    const PADDING: (u16, usize) = (12, 4);
    let length = encode(&request)?.len() + PADDING.1;
    let missing = length.next_multiple_of(128) - length;
    if let Some(edns) = request.edns.as_mut() {
        edns.options_mut().insert(EdnsOption::Unknown(PADDING.0, vec![0; missing]));
    }
    Ok(request)
}

async fn tcp(server: SocketAddr, request: Vec<u8>) -> io::Result<Vec<u8>> {
    let mut stream = TcpStream::connect(server).await?;
    let length = u16::try_from(request.len()).map_err(|_| io::Error::other("the question is too long"))?;
    stream.write_all(&[length.to_be_bytes().as_slice(), &request].concat()).await?;
    let mut answer = vec![0; usize::from(stream.read_u16().await?)];
    stream.read_exact(&mut answer).await?;
    Ok(answer)
}

fn encode(message: &Message) -> Result<Vec<u8>, Silence> {
    message.to_bytes().map_err(|e| Silence::Malformed(e.to_string()))
}

fn decode(bytes: &[u8]) -> Result<Message, Silence> {
    let read = Message::from_bytes(bytes);
    // TXT without any string is wrong (RFC 1035 3.3.14) and published all the same; the library refuses the message.
    let read = read.or_else(|e| empty::mended(bytes).map_or(Err(e), |mended| Message::from_bytes(&mended)));
    read.map_err(|e| Silence::Malformed(format!("the answer cannot be read: {e}")))
}

/// Whether a message answers a request: same number, same question.
fn answers(message: &Message, request: &Message) -> bool {
    // Names are compared without case: some servers answer in their own.
    let same = |a: &Query, b: &Query| {
        a.query_type() == b.query_type()
            && a.query_class() == b.query_class()
            && wire::text(a.name()) == wire::text(b.name())
    };
    message.metadata.message_type == MessageType::Response
        && message.metadata.id == request.metadata.id
        && match (message.queries.as_slice(), request.queries.as_slice()) {
            ([a], [b]) => same(a, b),
            // Some servers leave the question out of a refusal.
            ([], _) => message.metadata.response_code != ResponseCode::NoError,
            _ => false,
        }
}

/// What a message says about a question.
enum Read {
    Verdict(Verdict),
    /// The name is an alias, and what it stands for is not in this message.
    Alias {
        target: String,
        ttl: u32,
    },
}

fn read(message: &Message, question: &Question, authority: bool) -> Read {
    let verdict = match message.metadata.response_code {
        ResponseCode::NoError | ResponseCode::NXDomain => None,
        ResponseCode::ServFail => Some(Verdict::ServFail),
        ResponseCode::Refused => Some(Verdict::Refused),
        ResponseCode::NotAuth => Some(Verdict::Lame),
        other => Some(Verdict::Malformed { reason: format!("the server answered {other}") }),
    };
    if let Some(verdict) = verdict {
        return Read::Verdict(verdict);
    }
    if authority && !message.metadata.authoritative {
        return Read::Verdict(Verdict::Lame);
    }
    let wanted = wire::wire_type(question.rtype);
    let mut owner = question.name.trim_end_matches('.').to_ascii_lowercase();
    let mut seen = BTreeSet::from([owner.clone()]);
    let mut slowest = 0;
    while wanted != WireType::CNAME
        && let Some((target, ttl)) = alias(&message.answers, &owner)
    {
        if !seen.insert(target.clone()) || seen.len() > ALIASES {
            return Read::Verdict(Verdict::Loop);
        }
        owner = target;
        slowest = slowest.max(ttl);
    }
    let own: Vec<&Record> = of(&message.answers, &owner).filter(|r| r.record_type() == wanted).collect();
    if own.is_empty() {
        let delegated = |r: &Record| r.record_type() == WireType::NS;
        let ended = |r: &Record| r.record_type() == WireType::SOA;
        return match message.metadata.response_code {
            ResponseCode::NXDomain => Read::Verdict(Verdict::NxDomain),
            // A pointer to other servers says nothing about the record.
            _ if !message.metadata.authoritative
                && message.authorities.iter().any(delegated)
                && !message.authorities.iter().any(ended) =>
            {
                Read::Verdict(Verdict::Lame)
            }
            _ if seen.len() > 1 => Read::Alias { target: owner, ttl: slowest },
            _ => Read::Verdict(Verdict::NoData),
        };
    }
    let mut values: Vec<String> = own.iter().filter_map(|r| wire::present(&r.data)).collect();
    if values.len() < own.len() {
        return Read::Verdict(Verdict::Malformed { reason: "a record cannot be read".to_owned() });
    }
    values.sort();
    values.dedup();
    // What changes becomes visible everywhere only when the longest has run out.
    let ttl = own.iter().map(|r| lifetime(r.ttl)).max().unwrap_or(0).max(slowest);
    Read::Verdict(Verdict::Found { values, ttl })
}

/// Where the aliases of a message lead from a question on; the name itself without any.
fn end(message: &Message, question: &Question) -> String {
    let mut owner = question.name.trim_end_matches('.').to_ascii_lowercase();
    let mut seen = BTreeSet::new();
    while seen.insert(owner.clone())
        && let Some((target, _)) = alias(&message.answers, &owner)
    {
        owner = target;
    }
    owner
}

/// Whether the records that answer a question have several TTLs, which those of one set must not (RFC 2181 5.2).
fn mixed(message: &Message, question: &Question) -> Option<Oddity> {
    let owner = end(message, question);
    let wanted = wire::wire_type(question.rtype);
    let ttls = of(&message.answers, &owner).filter(|r| r.record_type() == wanted).map(|r| lifetime(r.ttl));
    let ttls: BTreeSet<u32> = ttls.collect();
    let (lowest, highest) = (*ttls.first()?, *ttls.last()?);
    (lowest < highest).then(|| Oddity::MixedTtl { name: owner.clone(), rtype: question.rtype, lowest, highest })
}

fn alias(records: &[Record], owner: &str) -> Option<(String, u32)> {
    of(records, owner).find_map(|r| match &r.data {
        RData::CNAME(target) => Some((wire::text(&target.0), lifetime(r.ttl))),
        _ => None,
    })
}

/// Whether a record is the signature of records of a type (RFC 4034 3.1.1).
fn covers(record: &Record, rtype: WireType) -> bool {
    match &record.data {
        RData::DNSSEC(Signature::RRSIG(signature)) => signature.input().type_covered == rtype,
        _ => false,
    }
}

fn of<'a>(records: &'a [Record], owner: &'a str) -> impl Iterator<Item = &'a Record> {
    records.iter().filter(move |r| r.dns_class == DNSClass::IN && wire::text(&r.name) == owner)
}

/// A TTL with the highest bit set counts as zero (RFC 2181 8).
fn lifetime(ttl: u32) -> u32 {
    if ttl > i32::MAX as u32 { 0 } else { ttl }
}
