//! A server in front of another that spoils what passes through it, in one way.

use std::{
    collections::BTreeMap,
    net::{Ipv4Addr, SocketAddr},
    sync::{Arc, Mutex},
};

use hickory_proto::{
    op::{Message, ResponseCode},
    rr::{Name, RData, Record, RecordType, rdata::CNAME},
    serialize::binary::{BinDecodable as _, BinEncodable as _},
};
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UdpSocket},
    task::JoinSet,
};

/// What becomes of an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Manner {
    /// It loses its authority.
    NoAuthority,
    /// It is a failure.
    Failing,
    /// Its first record lives shorter than the others, of which there is a second one.
    MixedTtl,
    /// Over UDP it is lost; over TCP it comes through.
    TcpOnly,
    /// Over UDP it is cut, and over TCP nobody answers.
    Cut,
    /// Its records belong to another name.
    OtherName,
    /// The TTLs have their highest bit set.
    HighTtl,
    /// Whoever asks for an alias at `_dmarc` gets one, whatever else stands there.
    AliasBeside,
    /// Of its records one comes, each in its turn.
    Rotating,
}

/// How often each question was answered.
type Turns = Arc<Mutex<BTreeMap<String, usize>>>;

pub struct Relay {
    pub address: SocketAddr,
    _tasks: JoinSet<()>,
}

impl Relay {
    pub async fn start(to: SocketAddr, manner: Manner) -> Self {
        let (tcp, udp) = loop {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            if let Ok(udp) = UdpSocket::bind(tcp.local_addr().unwrap()).await {
                break (tcp, udp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let mut tasks = JoinSet::new();
        let turns = Turns::default();
        let counted = Arc::clone(&turns);
        tasks.spawn(async move {
            let mut buffer = vec![0; 65_536];
            loop {
                let Ok((n, from)) = udp.recv_from(&mut buffer).await else { continue };
                if manner != Manner::TcpOnly {
                    let answer = spoilt(&asked(to, &buffer[..n]).await, manner, &counted);
                    let _gone = udp.send_to(&answer, from).await;
                }
            }
        });
        tasks.spawn(async move {
            loop {
                let Ok((mut stream, _)) = tcp.accept().await else { continue };
                if manner == Manner::Cut {
                    continue;
                }
                let Ok(length) = stream.read_u16().await else { continue };
                let mut request = vec![0; usize::from(length)];
                if stream.read_exact(&mut request).await.is_ok() {
                    let answer = spoilt(&asked(to, &request).await, manner, &turns);
                    let _gone = stream.write_u16(u16::try_from(answer.len()).unwrap()).await;
                    let _gone = stream.write_all(&answer).await;
                }
            }
        });
        Self { address, _tasks: tasks }
    }
}

/// Asks over TCP, so that nothing is cut.
async fn asked(to: SocketAddr, request: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).await.unwrap();
    stream.write_u16(u16::try_from(request.len()).unwrap()).await.unwrap();
    stream.write_all(request).await.unwrap();
    let mut answer = vec![0; usize::from(stream.read_u16().await.unwrap())];
    stream.read_exact(&mut answer).await.unwrap();
    answer
}

fn spoilt(answer: &[u8], manner: Manner, turns: &Turns) -> Vec<u8> {
    let mut message = Message::from_bytes(answer).unwrap();
    match manner {
        Manner::NoAuthority => message.metadata.authoritative = false,
        Manner::Failing => {
            message.metadata.response_code = ResponseCode::ServFail;
            message.answers.clear();
        }
        Manner::MixedTtl => {
            if let Some(first) = message.answers.first().cloned() {
                let mut second = first.clone();
                second.ttl = first.ttl / 2;
                message.answers.push(second);
            }
        }
        Manner::Cut => {
            message.metadata.truncation = true;
            message.answers.clear();
        }
        Manner::OtherName => {
            let other = Name::from_ascii("other.example.").unwrap();
            message.answers.iter_mut().for_each(|r| r.name = other.clone());
        }
        Manner::HighTtl => message.answers.iter_mut().for_each(|r| r.ttl |= 1 << 31),
        Manner::AliasBeside => {
            let asked = message.queries[0].clone();
            if asked.query_type() == RecordType::CNAME && asked.name().to_string().starts_with("_dmarc.") {
                let target = Name::from_ascii("policy.elsewhere.example.").unwrap();
                message.metadata.response_code = ResponseCode::NoError;
                message.authorities.clear();
                message.answers = vec![Record::from_rdata(asked.name().clone(), 300, RData::CNAME(CNAME(target)))];
            }
        }
        Manner::Rotating => {
            let question = message.queries[0].to_string();
            let mut turns = turns.lock().unwrap();
            let turn = turns.entry(question).or_insert(0);
            if message.answers.len() > 1 {
                let one = message.answers.swap_remove(*turn % message.answers.len());
                message.answers = vec![one];
            }
            *turn += 1;
        }
        Manner::TcpOnly => {}
    }
    message.to_bytes().unwrap()
}
