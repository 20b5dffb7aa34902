//! One connection: commands out, responses in, both at the same time. Nothing but the tagged OK of the very command
//! counts as success, and a connection whose state is in doubt takes no more commands.

use std::{
    collections::VecDeque,
    future::{Future, poll_fn},
    io,
    pin::pin,
    task::{Context, Poll},
    time::Duration,
};

use bytes::{Bytes, BytesMut};
use rand::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use zeroize::Zeroizing;

use super::{
    body::{Body, SPILL_ABOVE, Sink},
    capability::Capabilities,
    code::Code,
    error::{ImapError, ImapErrorKind, throttled},
    frame::{Framer, Piece},
    output::{Out, Output},
    quirks::{Quirk, Quirks},
    quota::Roots,
    response::{Response, Status, StatusKind},
    token::Frame,
};

/// Input that is kept before somebody takes it.
const INPUT: usize = 64 * 1024;
/// Literals of one response that are kept in memory together.
const LITERALS_IN_MEMORY: u64 = 8 * SPILL_ABOVE;
/// Alerts that are kept until somebody takes them.
const ALERTS: usize = 16;

/// How long a server that said goodbye has to close the connection.
const AFTER_BYE: Duration = Duration::from_secs(5);

/// A byte stream, protected or not.
pub(super) trait Stream: AsyncRead + AsyncWrite + Send + Sync + Unpin {}

impl<T: AsyncRead + AsyncWrite + Send + Sync + Unpin> Stream for T {}

/// A command that was sent and not answered yet.
struct Open {
    tag: u64,
    command: &'static str,
    /// Whether a literal went with it before the server could object to what stands before it.
    unasked: bool,
    /// Nobody waits for its answer, which is taken note of when it comes.
    aside: Option<Aside>,
}

/// What follows from the refusal of a command that nobody waits for.
pub(super) enum Aside {
    /// Nothing: whoever wants to know asks again.
    Nothing,
    /// The server is known by it.
    Teaches(Quirks, Quirk),
}

/// A connection.
pub(super) struct Conn {
    pub(super) endpoint: String,
    pub(super) capabilities: Capabilities,
    pub(super) alerts: VecDeque<String>,
    /// The name spaces of the account's own folders, once the server has told them: prefix and delimiter of each.
    pub(super) namespaces: Option<Vec<(Vec<u8>, Option<char>)>>,
    /// What was told of a quota that was asked for ahead.
    pub(super) roots: Option<Roots>,
    /// How long the login took: a round trip or two, and little work for the server.
    pub(super) distance: Option<Duration>,
    stream: Box<dyn Stream>,
    /// The longest time in which nothing may move.
    pub(super) idle: Duration,
    input: BytesMut,
    framer: Framer,
    output: Output,
    /// Tags begin with this. It is drawn, so that no text in a message can pass for one of our commands.
    prefix: String,
    next_tag: u64,
    open: VecDeque<Open>,
    dead: Option<String>,
    bye: Option<Status>,
    /// What a server is answered that explains its refusal in the middle of AUTHENTICATE.
    pub(super) farewell: Option<&'static [u8]>,
}

/// The tagged OK of a command.
#[derive(Debug)]
pub(super) struct Done {
    pub(super) code: Option<Code>,
}

/// A command being put together.
pub(super) struct Command {
    name: &'static str,
    text: BytesMut,
    parts: Vec<Out>,
    unwaited: Option<u64>,
    unasked: bool,
}

impl Command {
    /// Begins a command; `args` follow the verb.
    pub(super) fn new(conn: &Conn, name: &'static str, args: &str) -> Self {
        let mut text = BytesMut::from(name.as_bytes());
        text.extend_from_slice(args.as_bytes());
        Self { name, text, parts: Vec::new(), unwaited: conn.capabilities.unwaited_literal(), unasked: false }
    }

    pub(super) fn text(mut self, text: &str) -> Self {
        self.text.extend_from_slice(text.as_bytes());
        self
    }

    /// A blank and a string: quoted when it is plain, a literal otherwise.
    pub(super) fn string(mut self, octets: &[u8]) -> Self {
        self.text.extend_from_slice(b" ");
        if octets.iter().all(|b| (b' '..=b'~').contains(b) && !matches!(b, b'"' | b'\\')) && octets.len() < 1000 {
            self.text.extend_from_slice(b"\"");
            self.text.extend_from_slice(octets);
            self.text.extend_from_slice(b"\"");
            return self;
        }
        let announced = self.announce(octets.len() as u64, u64::MAX);
        announced.part(Out::Text(Bytes::copy_from_slice(octets)))
    }

    /// The same for a secret.
    pub(super) fn secret(mut self, secret: &str) -> Self {
        self.text.extend_from_slice(b" ");
        let plain = secret.bytes().all(|b| (b' '..=b'~').contains(&b) && !matches!(b, b'"' | b'\\'));
        if plain && secret.len() < 1000 {
            return self.part(Out::Secret(Zeroizing::new(format!("\"{secret}\"").into_bytes())));
        }
        let announced = self.announce(secret.len() as u64, u64::MAX);
        announced.part(Out::Secret(Zeroizing::new(secret.as_bytes().to_vec())))
    }

    /// A blank and a message. One above `wait_above` waits for the server's consent, so that a refusal is cheap.
    pub(super) fn message(mut self, body: &Body, wait_above: u64) -> Self {
        // Octets of zero go in a literal8 only (RFC 3516 4.4).
        self.text.extend_from_slice(if body.has_nul() { b" ~" } else { b" " });
        self.announce(body.len(), wait_above).part(Out::Body(body.clone()))
    }

    /// Waits for the server, then sends a secret line.
    pub(super) fn answer(mut self, secret: Zeroizing<Vec<u8>>) -> Self {
        self.text.extend_from_slice(b"\r\n");
        self.part(Out::Wait).part(Out::Secret(secret))
    }

    pub(super) fn secret_text(self, secret: Zeroizing<Vec<u8>>) -> Self {
        self.part(Out::Secret(secret))
    }

    fn announce(mut self, length: u64, wait_above: u64) -> Self {
        let unwaited = self.unwaited.is_some_and(|limit| length <= limit.min(wait_above));
        let plus = if unwaited { "+" } else { "" };
        self.text.extend_from_slice(format!("{{{length}{plus}}}\r\n").as_bytes());
        self.unasked |= unwaited;
        if unwaited { self } else { self.part(Out::Wait) }
    }

    fn part(mut self, out: Out) -> Self {
        if !self.text.is_empty() {
            self.parts.push(Out::Text(self.text.split().freeze()));
        }
        self.parts.push(out);
        self
    }
}

impl Conn {
    pub(super) fn new(endpoint: String, stream: Box<dyn Stream>, idle: Duration) -> Self {
        Self {
            endpoint,
            capabilities: Capabilities::default(),
            alerts: VecDeque::new(),
            namespaces: None,
            roots: None,
            distance: None,
            stream,
            idle,
            input: BytesMut::with_capacity(INPUT),
            framer: Framer::default(),
            output: Output::default(),
            prefix: (0..6).map(|_| char::from(rand::rng().random_range(b'a'..=b'z'))).collect(),
            next_tag: 1,
            open: VecDeque::new(),
            dead: None,
            bye: None,
            farewell: None,
        }
    }

    /// An error of a command; the connection goes on.
    pub(super) fn error(&self, command: &'static str, kind: ImapErrorKind) -> ImapError {
        ImapError::new(&self.endpoint, command, kind)
    }

    /// An error after which nobody can tell what the server will say next.
    pub(super) fn broken(&mut self, command: &'static str, kind: ImapErrorKind) -> ImapError {
        let error = self.error(command, kind);
        if self.dead.is_none() {
            self.dead = Some(format!("{command} failed before: {}", error.kind));
        }
        error
    }

    pub(super) fn is_usable(&self) -> bool {
        self.dead.is_none() && self.is_settled()
    }

    /// Gives back the memory for what is read and sent, until something is.
    pub(super) fn rest(&mut self) {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        self.output.rest();
    }

    /// Whether nobody waits for an answer.
    fn is_settled(&self) -> bool {
        self.open.iter().all(|open| open.aside.is_some())
    }

    /// Whether an answer is still to come, awaited or not.
    pub(super) fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// Whether octets were read that belong to no response yet.
    pub(super) fn has_input(&self) -> bool {
        !self.input.is_empty() || self.framer.inside()
    }

    /// Puts a layer around the stream. Nothing may be under way.
    pub(super) fn wrap(&mut self, layer: impl FnOnce(Box<dyn Stream>) -> Box<dyn Stream>) {
        let bare = std::mem::replace(&mut self.stream, Box::new(tokio::io::empty()));
        self.stream = layer(bare);
    }

    pub(super) fn into_stream(self) -> Box<dyn Stream> {
        self.stream
    }

    /// Makes sure that the next command starts from a known state.
    pub(super) fn check(&mut self, command: &'static str) -> Result<(), ImapError> {
        let clear = self.is_settled() && (self.output.is_empty() || !self.open.is_empty());
        if self.dead.is_none() && !clear {
            // Somebody stopped waiting for an answer that is still under way.
            self.dead = Some("an earlier command was abandoned".to_owned());
        }
        match &self.dead {
            None => Ok(()),
            Some(reason) => Err(self.error(command, ImapErrorKind::Unusable(reason.clone()))),
        }
    }

    /// Queues a command. It is written while responses are read.
    pub(super) fn queue(&mut self, command: Command) -> u64 {
        let tag = self.next_tag;
        self.next_tag += 1;
        tracing::trace!(endpoint = %self.endpoint, tag, command = command.name, "send");
        self.output.push(Out::Text(Bytes::from(format!("{}{tag} ", self.prefix))));
        for part in command.parts {
            self.output.push(part);
        }
        let mut tail = command.text;
        tail.extend_from_slice(b"\r\n");
        self.output.push(Out::Text(tail.freeze()));
        self.output.push(Out::End(tag));
        self.open.push_back(Open { tag, command: command.name, unasked: command.unasked, aside: None });
        tag
    }

    /// Queues a command that goes out together with the next one, and whose answer nobody waits for.
    pub(super) fn queue_aside(&mut self, command: Command, aside: Aside) {
        self.queue(command);
        if let Some(open) = self.open.back_mut() {
            open.aside = Some(aside);
        }
    }

    /// The command that somebody waits for.
    fn awaited(&self) -> &'static str {
        let open = self.open.iter().find(|open| open.aside.is_none()).or(self.open.front());
        open.map_or("idle", |open| open.command)
    }

    /// Runs one command to its tagged OK. Everything untagged goes to `each`.
    pub(super) async fn run(
        &mut self,
        command: Command,
        each: &mut (dyn FnMut(Response) + Send),
    ) -> Result<Done, ImapError> {
        let name = command.name;
        self.check(name)?;
        self.queue(command);
        loop {
            match self.step().await? {
                Step::Tagged { result, .. } => {
                    if self.dead.is_none() {
                        self.drain(name).await?;
                    }
                    return result;
                }
                Step::Untagged(response) => each(response),
            }
        }
    }

    /// Whether anything of a command may have been sent.
    pub(super) fn was_begun(&self, tag: u64) -> bool {
        tag <= self.output.sent + 1
    }

    /// Writes what is left of a command that was answered before it was sent to its end.
    pub(super) async fn drain(&mut self, command: &'static str) -> Result<(), ImapError> {
        while !self.output.is_empty() && !self.output.is_waiting() {
            self.pump(command).await?;
            while self.input.len() > 4 * INPUT {
                self.response(command).await?; // only so that a flood does not pile up here
            }
        }
        Ok(())
    }

    /// The next answer while commands are open.
    pub(super) async fn step(&mut self) -> Result<Step, ImapError> {
        let command = self.awaited();
        if let Some(reason) = &self.dead {
            return Err(self.error(command, ImapErrorKind::Unusable(reason.clone())));
        }
        match self.response(command).await? {
            Response::Tagged { tag, status } => self.settle(&tag, status),
            Response::Namespace(spaces) => {
                self.namespaces = Some(spaces);
                Ok(Step::Untagged(Response::Other))
            }
            response @ (Response::QuotaRoot(_) | Response::Quota { .. }) => Ok(Step::Untagged(match &mut self.roots {
                Some(roots) => {
                    roots.take(response);
                    Response::Other
                }
                None => response,
            })),
            Response::Continue(text) => {
                if self.output.go_on() {
                    return Ok(Step::Untagged(Response::Other));
                }
                if command == "AUTHENTICATE" {
                    if let Some(farewell) = self.farewell.take() {
                        self.output.push(Out::Text(Bytes::from([farewell, b"\r\n"].concat())));
                        return Ok(Step::Untagged(Response::Continue(text)));
                    }
                    let text = "it asks for more than the mechanism has to say".to_owned();
                    return Err(self.broken(command, ImapErrorKind::Protocol(text)));
                }
                Ok(Step::Untagged(Response::Other))
            }
            other => Ok(Step::Untagged(other)),
        }
    }

    fn settle(&mut self, tag: &str, status: Status) -> Result<Step, ImapError> {
        let number = tag.strip_prefix(self.prefix.as_str()).and_then(|n| n.parse::<u64>().ok());
        let place = number.and_then(|n| self.open.iter().position(|o| o.tag == n));
        let Some(open) = place.and_then(|at| self.open.remove(at)) else {
            let command = self.awaited();
            return Err(self.broken(command, ImapErrorKind::Protocol(format!("an answer to the unknown tag {tag:?}"))));
        };
        let unsent = self.output.sent < open.tag;
        if status.kind == StatusKind::Ok {
            if unsent {
                let text = "it was accepted before it was sent to its end".to_owned();
                return Err(self.broken(open.command, ImapErrorKind::Protocol(text)));
            }
            return Ok(match open.aside {
                None => Step::Tagged { tag: open.tag, result: Ok(Done { code: status.code }) },
                Some(_) => Step::Untagged(Response::Other),
            });
        }
        if unsent && self.output.is_waiting() {
            self.output.refuse();
        } else if unsent && self.output.waits_later() {
            // The server gave up in the middle of a command that asks for its consent again further on.
            self.dead = Some(format!("{} was refused before it was sent to its end", open.command));
        }
        if status.kind == StatusKind::Bad && open.unasked {
            // Dovecot 2.3 does not skip the literal of a command that it cannot read, against RFC 7888 4: the message is
            // then taken for commands, and every answer may be to one of those.
            let text = format!("{} was not understood, and the server may have read on in its message", open.command);
            self.dead = Some(text);
        }
        let kind = refusal(status);
        match open.aside {
            Some(Aside::Teaches(quirks, quirk)) => quirks.learn(quirk),
            Some(Aside::Nothing) => {}
            None => return Ok(Step::Tagged { tag: open.tag, result: Err(self.error(open.command, kind)) }),
        }
        Ok(Step::Untagged(Response::Other))
    }

    /// The next response, whatever it is. Reads and writes at the same time.
    pub(super) async fn response(&mut self, command: &'static str) -> Result<Response, ImapError> {
        let frame = self.frame(command).await?;
        let response = Response::parse(&frame);
        match &response {
            Response::Tagged { status, .. } => self.notice(status),
            Response::Untagged(status) => {
                self.notice(status);
                if status.kind == StatusKind::Bye {
                    self.bye = Some(status.clone());
                }
            }
            Response::Malformed { name: "tagged response", words } => {
                let text = format!("a line that is no response: {words:?}");
                return Err(self.broken(command, ImapErrorKind::Protocol(text)));
            }
            _ => {}
        }
        Ok(response)
    }

    fn notice(&mut self, status: &Status) {
        if status.code == Some(Code::Alert) {
            tracing::warn!(endpoint = %self.endpoint, text = %status.text, "alert");
            if self.alerts.len() < ALERTS && !self.alerts.contains(&status.text) {
                self.alerts.push_back(status.text.clone());
            }
        }
    }

    async fn frame(&mut self, command: &'static str) -> Result<Frame, ImapError> {
        let mut frame = Frame::default();
        let mut open: Option<Sink> = None;
        let mut in_memory = 0;
        loop {
            let piece = match self.framer.next(&mut self.input) {
                Ok(Some(piece)) => piece,
                Ok(None) => {
                    self.pump(command).await?;
                    continue;
                }
                Err(e) => return Err(self.broken(command, ImapErrorKind::TooLong { what: e.what, limit: e.limit })),
            };
            if let (Piece::Literal(octets), Some(sink)) = (&piece, &mut open) {
                if let Err(e) = sink.write(octets).await {
                    return Err(self.broken(command, ImapErrorKind::Spill(e)));
                }
                continue;
            }
            if let Some(sink) = open.take() {
                match sink.finish().await {
                    Ok(body) => frame.literals.push(body),
                    Err(e) => return Err(self.broken(command, ImapErrorKind::Spill(e))),
                }
            }
            match piece {
                Piece::Text(text, length) => {
                    frame.texts.push(text);
                    open = match Sink::new(length, LITERALS_IN_MEMORY.saturating_sub(in_memory)) {
                        Ok(sink) => Some(sink),
                        Err(e) => return Err(self.broken(command, ImapErrorKind::Spill(e))),
                    };
                    in_memory += if length > SPILL_ABOVE { 0 } else { length };
                }
                Piece::End(text) => {
                    frame.texts.push(text);
                    return Ok(frame);
                }
                Piece::Literal(_) => {}
            }
        }
    }

    /// Waits until something was read or written.
    async fn pump(&mut self, command: &'static str) -> Result<(), ImapError> {
        if let Some(reason) = &self.dead {
            return Err(self.error(command, ImapErrorKind::Unusable(reason.clone())));
        }
        let idle = if self.bye.is_some() { self.idle.min(AFTER_BYE) } else { self.idle };
        let progress = {
            let Self { stream, output, input, .. } = self;
            tokio::time::timeout(
                idle,
                poll_fn(|cx| {
                    if let Poll::Ready(written) = output.poll_write(cx, stream) {
                        return Poll::Ready(written.map(|_| true));
                    }
                    poll_read(&mut **stream, cx, input)
                }),
            )
            .await
        };
        match progress {
            Ok(Ok(true)) => Ok(()),
            Ok(Ok(false)) => Err(self.closed(command, io::ErrorKind::UnexpectedEof.into())),
            Ok(Err(e)) => Err(self.closed(command, e)),
            Err(_) if self.bye.is_some() => Err(self.closed(command, io::ErrorKind::TimedOut.into())),
            Err(_) => Err(self.broken(command, ImapErrorKind::Timeout(idle))),
        }
    }

    /// The connection ended: with the server's goodbye if there was one.
    fn closed(&mut self, command: &'static str, error: io::Error) -> ImapError {
        let kind = match self.bye.take() {
            // Never as a mere refusal, not even of the kind "slow down": what was under way may have been done.
            Some(Status { code, text, .. }) => ImapErrorKind::Bye { code, text },
            None => ImapErrorKind::Lost(error),
        };
        self.broken(command, kind)
    }
}

/// What a step brought.
pub(super) enum Step {
    Tagged { tag: u64, result: Result<Done, ImapError> },
    Untagged(Response),
}

/// What a status other than OK means.
pub(super) fn refusal(status: Status) -> ImapErrorKind {
    let Status { kind, code, text } = status;
    if kind == StatusKind::Bye {
        return ImapErrorKind::Bye { code, text };
    }
    if let Some(millis) = throttled(&text) {
        return ImapErrorKind::Throttled { millis, text };
    }
    match kind {
        StatusKind::Bad => ImapErrorKind::Bad { code, text },
        _ => ImapErrorKind::No { code, text },
    }
}

/// Reads once; false at the end of the stream.
fn poll_read(stream: &mut dyn Stream, cx: &mut Context<'_>, input: &mut BytesMut) -> Poll<io::Result<bool>> {
    input.reserve(INPUT);
    // The future holds nothing between polls, so that a new one each time loses nothing.
    let mut stream = stream;
    let read = pin!(AsyncReadExt::read_buf(&mut stream, input));
    read.poll(cx).map_ok(|n| n > 0)
}
