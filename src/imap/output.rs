//! What is still to be written: text, literals, and the places where the server must answer before more is sent.

use std::{
    collections::VecDeque,
    io::{self, Read},
    pin::Pin,
    task::{Context, Poll, ready},
};

use bytes::{Buf, Bytes, BytesMut};
use tokio::{io::AsyncWrite, task::JoinHandle};
use zeroize::Zeroizing;

use super::body::{Body, BodyReader};

const STAGE: usize = 64 * 1024;

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
    secret_staged: bool,
    unflushed: bool,
    /// The tag of the last command whose last octet was handed to the socket.
    pub(super) sent: u64,
}

/// A body in a file on its way to the socket.
struct Reading {
    left: u64,
    task: JoinHandle<(BodyReader, io::Result<Vec<u8>>)>,
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
        self.queue.is_empty() && self.stage.is_empty() && self.reading.is_none() && !self.unflushed
    }

    /// Whether the server must speak before anything more can be sent.
    pub(super) fn is_waiting(&self) -> bool {
        self.stage.is_empty()
            && !self.unflushed
            && self.reading.is_none()
            && matches!(self.queue.front(), Some(Out::Wait))
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
        if self.stage.is_empty() {
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
        let n = ready!(Pin::new(&mut *socket).poll_write(cx, &self.stage))?;
        if n == 0 {
            return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
        }
        if self.secret_staged {
            self.stage.iter_mut().take(n).for_each(|b| *b = 0);
        }
        self.stage.advance(n);
        self.unflushed = true;
        if self.stage.is_empty() {
            self.secret_staged = false;
            self.stage.clear();
        }
        Poll::Ready(Ok(n))
    }

    /// Moves output into the stage until it is full or something must be waited for. False while a file is being read.
    fn fill(&mut self, cx: &mut Context<'_>) -> io::Result<bool> {
        while self.stage.len() < STAGE {
            if let Some(reading) = &mut self.reading {
                let Poll::Ready(done) = Pin::new(&mut reading.task).poll(cx) else { return Ok(false) };
                let (reader, octets) = done.map_err(io::Error::other)?;
                let octets = octets?;
                reading.left = reading.left.saturating_sub(octets.len() as u64);
                self.stage.extend_from_slice(&octets);
                self.reading = (reading.left > 0).then(|| read(reader, reading.left));
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
                    Some(octets) => self.stage.extend_from_slice(octets),
                    None if body.is_empty() => {}
                    None => self.reading = Some(read(body.reader(), body.len())),
                },
            }
        }
        Ok(true)
    }
}

/// Reads the next part of a file off the async threads.
fn read(mut reader: BodyReader, left: u64) -> Reading {
    let size = usize::try_from(left).unwrap_or(usize::MAX).min(4 * STAGE);
    let task = tokio::task::spawn_blocking(move || {
        let mut octets = vec![0; size];
        let result = reader.read_exact(&mut octets).map(|()| octets);
        (reader, result)
    });
    Reading { left, task }
}
