//! What is still to be written: text, literals, and the places where the server must answer before more is sent.

use std::{
    collections::VecDeque,
    io::{self, IoSlice, Read as _},
    mem,
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{io::AsyncWrite, task::JoinHandle};
use zeroize::Zeroizing;

use super::body::{Body, BodyReader};

/// What is shorter is gathered, so that the socket is not asked to take it piece by piece.
const STAGE: usize = 64 * 1024;

/// How much of a file is read at a time.
const PART: usize = 4 * STAGE;

/// A piece of output.
pub(super) enum Out {
    Text(Bytes),
    Secret(Zeroizing<Vec<u8>>),
    Body(Body),
    /// Nothing more is sent until the server says `+`.
    Wait,
    /// The command with this tag is complete.
    End(u64),
}

/// The output of a connection. Commands follow each other without mixing.
#[derive(Default)]
pub(super) struct Output {
    queue: VecDeque<Out>,
    reading: Option<Reading>,
    stage: BytesMut,
    /// What follows the stage and is sent from where it is.
    direct: Bytes,
    secret_staged: bool,
    unflushed: bool,
    /// The tag of the last command whose last octet was handed to the socket.
    pub(super) sent: u64,
}

/// A body in a file on its way to the socket.
struct Reading {
    reader: BodyReader,
    /// The next part, read off the async threads because the disk has to be waited for.
    away: Option<JoinHandle<io::Result<BytesMut>>>,
    /// The memory of the part before, which the next one takes once that is sent.
    part: BytesMut,
}

impl Reading {
    fn new(reader: BodyReader) -> Self {
        Self { reader, away: None, part: BytesMut::new() }
    }

    fn poll_part(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Bytes>> {
        if self.away.is_none() {
            self.part.resize(self.reader.room(PART), 0);
            if let Some(n) = self.reader.read_at_hand(&mut self.part) {
                let octets = self.part.split_to(n).freeze();
                self.part.clear();
                return Poll::Ready(Ok(octets));
            }
        }
        let task = self.away.get_or_insert_with(|| {
            let (mut reader, mut part) = (self.reader.clone(), mem::take(&mut self.part));
            tokio::task::spawn_blocking(move || reader.read_exact(&mut part).map(|()| part))
        });
        let done = ready!(Pin::new(task).poll(cx));
        self.away = None;
        self.part = done.map_err(io::Error::other)??;
        self.reader.skip(self.part.len());
        Poll::Ready(Ok(self.part.split().freeze()))
    }
}

impl Output {
    /// Gives back the memory for what is sent, until something is.
    pub(super) fn rest(&mut self) {
        if self.stage.is_empty() && !self.secret_staged {
            self.stage = BytesMut::new();
        }
    }

    pub(super) fn push(&mut self, out: Out) {
        self.queue.push_back(out);
    }

    /// Whether everything was handed to the socket.
    pub(super) fn is_empty(&self) -> bool {
        self.queue.is_empty() && self.is_taken() && self.reading.is_none() && !self.unflushed
    }

    /// Whether the server must speak before anything more can be sent.
    pub(super) fn is_waiting(&self) -> bool {
        self.is_taken() && !self.unflushed && self.reading.is_none() && matches!(self.queue.front(), Some(Out::Wait))
    }

    /// Whether the socket has taken all that is ready for it.
    fn is_taken(&self) -> bool {
        self.stage.is_empty() && self.direct.is_empty()
    }

    /// Whether the command that is being sent has such a place further on.
    pub(super) fn waits_later(&self) -> bool {
        self.queue.iter().take_while(|out| !matches!(out, Out::End(_))).any(|out| matches!(out, Out::Wait))
    }

    /// The server said `+`. Whether that was expected.
    pub(super) fn go_on(&mut self) -> bool {
        let expected = self.is_waiting();
        if expected {
            self.queue.pop_front();
        }
        expected
    }

    /// The server refused the command whose literal waits: the rest of that command is not sent. What belongs to
    /// commands behind it stays.
    pub(super) fn refuse(&mut self) {
        while let Some(out) = self.queue.pop_front() {
            if let Out::End(tag) = out {
                self.sent = tag;
                return;
            }
        }
    }

    /// Writes as much as the socket takes. Ready with the octets written; pending while there is nothing to do.
    pub(super) fn poll_write<S: AsyncWrite + Unpin>(
        &mut self,
        cx: &mut Context<'_>,
        socket: &mut S,
    ) -> Poll<io::Result<usize>> {
        let staged = self.fill(cx)?;
        if self.is_taken() {
            if !self.unflushed {
                return Poll::Pending;
            }
            if !staged {
                return Poll::Pending; // a file is being read and will wake us
            }
            ready!(Pin::new(socket).poll_flush(cx))?;
            self.unflushed = false;
            return Poll::Ready(Ok(0));
        }
        let socket = Pin::new(&mut *socket);
        let n = ready!(match (self.stage.is_empty(), self.direct.is_empty()) {
            (_, true) => socket.poll_write(cx, &self.stage),
            (true, false) => socket.poll_write(cx, &self.direct),
            (false, false) => {
                socket.poll_write_vectored(cx, &[IoSlice::new(&self.stage), IoSlice::new(&self.direct)])
            }
        })?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        let staged = n.min(self.stage.len());
        if self.secret_staged {
            self.stage.iter_mut().take(staged).for_each(|b| *b = 0);
        }
        self.stage.advance(staged);
        self.direct.advance(n - staged);
        self.unflushed = true;
        if self.stage.is_empty() {
            self.secret_staged = false;
            self.stage.clear();
        }
        Poll::Ready(Ok(n))
    }

    /// Makes output ready until it is enough or something must be waited for. False while a file is being read.
    fn fill(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while self.stage.len() < STAGE && self.direct.is_empty() {
            if let Some(reading) = &mut self.reading {
                // Sent is sent: the next part is read to where it was.
                self.direct = Bytes::new();
                let Poll::Ready(octets) = reading.poll_part(cx) else { return Ok(false) };
                self.direct = octets?;
                if reading.reader.left() == 0 {
                    self.reading = None;
                }
                continue;
            }
            match self.queue.pop_front() {
                None => break,
                Some(Out::Wait) => {
                    self.queue.push_front(Out::Wait);
                    break;
                }
                Some(Out::End(tag)) => self.sent = tag,
                Some(Out::Text(octets)) => self.stage.extend_from_slice(&octets),
                Some(Out::Secret(octets)) => {
                    self.secret_staged = true;
                    self.stage.extend_from_slice(&octets);
                }
                Some(Out::Body(body)) => match body.bytes() {
                    Some(octets) if octets.len() >= STAGE => self.direct = octets.clone(),
                    Some(octets) => self.stage.extend_from_slice(octets),
                    None if body.is_empty() => {}
                    None => self.reading = Some(Reading::new(body.reader())),
                },
            }
        }
        Ok(true)
    }
}
