//! COMPRESS=DEFLATE (RFC 4978), turned on where it pays.
//!
//! Compressing under TLS tells a listener how well something compresses. Here that is no way to a secret: the login is
//! over before the first octet is compressed, and nobody who listens chooses what stands beside it. It is still only
//! turned on for a link that is measured to be slow, since it costs both ends time.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll, ready},
    time::Duration,
};

use flate2::{Compress, Compression as Level, Decompress, FlushCompress, FlushDecompress, Status};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::{
    conn::{Command, Stream},
    error::{ImapError, ImapErrorKind},
    reader::Reader,
};

/// Octets of messages that have to be measured before anything is concluded.
const SAMPLE: u64 = 2 << 20;
/// A link of more octets per second than this is not the bottleneck.
const FAST: f64 = 4.0 * 1024.0 * 1024.0;
/// What compression has to gain to be worth its while.
const GAIN: f64 = 1.1;
/// Output that may wait for the socket.
const PENDING: usize = 128 * 1024;
const CHUNK: usize = 32 * 1024;

/// What was measured of the way to one server, shared by its connections.
#[derive(Clone, Debug, Default)]
pub struct Compression(Arc<Mutex<[Rate; 2]>>);

#[derive(Clone, Copy, Debug, Default)]
struct Rate {
    octets: u64,
    busy: Duration,
}

impl Rate {
    /// Octets per second; `None` until enough went over.
    fn known(self) -> Option<f64> {
        (self.octets >= SAMPLE).then(|| self.octets as f64 / self.busy.as_secs_f64().max(0.000_001))
    }
}

impl Compression {
    /// Notes that so many octets of messages went over a connection while it was waited for.
    pub fn note(&self, compressed: bool, octets: u64, busy: Duration) {
        let mut rates = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let [plain, deflated] = &mut *rates;
        let rate = if compressed { deflated } else { plain };
        rate.octets = rate.octets.saturating_add(octets);
        rate.busy = rate.busy.saturating_add(busy);
    }

    /// Whether a connection should compress: the link is slow, and compression has not been seen to gain nothing.
    #[must_use]
    pub fn pays(&self) -> bool {
        let [plain, deflated] = *self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let Some(plain) = plain.known().filter(|rate| *rate < FAST) else { return false };
        deflated.known().is_none_or(|rate| rate > plain * GAIN)
    }
}

impl Reader {
    /// Whether the connection is compressed.
    #[must_use]
    pub fn is_compressed(&self) -> bool {
        self.compressed
    }

    /// Compresses the connection from here on, in both directions. Nothing is done when it is compressed already or the
    /// server does not offer it; a refusal is no failure.
    ///
    /// # Errors
    /// When the connection fails.
    pub async fn compress(&mut self) -> Result<(), ImapError> {
        if self.compressed || self.compress_refused || !self.conn.capabilities.compress() {
            return Ok(());
        }
        let command = Command::new(&self.conn, "COMPRESS", " DEFLATE");
        match self.conn.run(command, &mut |_| ()).await {
            Ok(_) => {}
            Err(error) if error.is_refusal() && self.conn.is_usable() => {
                self.compress_refused = true;
                return Ok(());
            }
            Err(error) => return Err(error),
        }
        if self.conn.has_input() {
            // What stands behind the OK is compressed (RFC 4978 3), and nothing was asked for yet.
            let text = "it sent data behind its consent to compression, before it was asked anything".to_owned();
            return Err(self.conn.broken("COMPRESS", ImapErrorKind::Protocol(text)));
        }
        self.conn.wrap(|stream| Box::new(Deflated::new(stream)));
        self.compressed = true;
        tracing::debug!(endpoint = %self.conn.endpoint, "compressed");
        Ok(())
    }
}

/// A stream whose octets are compressed, without a zlib header (RFC 1951, RFC 4978 4).
pub(super) struct Deflated<S> {
    stream: S,
    deflate: Compress,
    /// Compressed, not written.
    out: Vec<u8>,
    written: usize,
    /// Something was compressed and not brought to an octet boundary yet.
    dirty: bool,
    inflate: Decompress,
    /// Read, not decompressed.
    input: Vec<u8>,
    taken: usize,
    /// The decompressor may hold more than it could hand out.
    full: bool,
}

impl<S> Deflated<S> {
    pub(super) fn new(stream: S) -> Self {
        Self {
            stream,
            deflate: Compress::new(Level::fast(), false),
            out: Vec::new(),
            written: 0,
            dirty: false,
            inflate: Decompress::new(false),
            input: Vec::new(),
            taken: 0,
            full: false,
        }
    }
}

impl<S: Stream> Deflated<S> {
    /// Writes what is compressed. Ready when nothing is left.
    fn poll_drain(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while let Some(rest) = self.out.get(self.written..).filter(|rest| !rest.is_empty()) {
            let n = ready!(Pin::new(&mut self.stream).poll_write(cx, rest))?;
            if n == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.written += n;
        }
        self.out.clear();
        self.written = 0;
        Poll::Ready(Ok(()))
    }

    /// Compresses everything, or brings what was compressed to an octet boundary.
    fn squeeze(&mut self, mut octets: &[u8], flush: FlushCompress) -> io::Result<()> {
        loop {
            self.out.reserve(CHUNK);
            let before = self.deflate.total_in();
            self.deflate.compress_vec(octets, &mut self.out, flush).map_err(io::Error::other)?;
            let taken = usize::try_from(self.deflate.total_in() - before).unwrap_or(usize::MAX);
            octets = octets.get(taken..).unwrap_or_default();
            // Room that is left says that the compressor has nothing more to give.
            if octets.is_empty() && self.out.len() < self.out.capacity() {
                return Ok(());
            }
        }
    }
}

impl<S: Stream> AsyncWrite for Deflated<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, octets: &[u8]) -> Poll<io::Result<usize>> {
        if self.out.len() - self.written > PENDING {
            ready!(self.poll_drain(cx))?;
        }
        let octets = octets.get(..CHUNK).unwrap_or(octets);
        self.squeeze(octets, FlushCompress::None)?;
        self.dirty |= !octets.is_empty();
        Poll::Ready(Ok(octets.len()))
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.dirty {
            self.squeeze(&[], FlushCompress::Sync)?;
            self.dirty = false;
        }
        ready!(self.poll_drain(cx))?;
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        ready!(self.as_mut().poll_flush(cx))?;
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }
}

impl<S: Stream> AsyncRead for Deflated<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if buf.remaining() == 0 {
            return Poll::Ready(Ok(()));
        }
        loop {
            let input = this.input.get(this.taken..).unwrap_or_default();
            if !input.is_empty() || this.full {
                let (before_in, before_out) = (this.inflate.total_in(), this.inflate.total_out());
                let room = buf.initialize_unfilled();
                let size = room.len() as u64;
                let status = this
                    .inflate
                    .decompress(input, room, FlushDecompress::None)
                    .map_err(|e| io::Error::new(io::ErrorKind::InvalidData, format!("bad compressed data: {e}")))?;
                let got = this.inflate.total_out() - before_out;
                this.taken += usize::try_from(this.inflate.total_in() - before_in).unwrap_or(usize::MAX);
                this.full = got == size;
                if got > 0 {
                    buf.advance(usize::try_from(got).unwrap_or_default());
                    return Poll::Ready(Ok(()));
                }
                if status == Status::StreamEnd {
                    return Poll::Ready(Ok(())); // the server ended the stream: nothing follows
                }
                let stuck = this.inflate.total_in() == before_in && this.taken < this.input.len();
                if stuck {
                    return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, "bad compressed data")));
                }
                continue;
            }
            this.input.resize(CHUNK, 0);
            this.taken = 0;
            let mut fresh = ReadBuf::new(&mut this.input);
            let read = Pin::new(&mut this.stream).poll_read(cx, &mut fresh);
            let n = fresh.filled().len();
            this.input.truncate(n);
            ready!(read)?;
            if n == 0 {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use tokio::io::{AsyncReadExt, AsyncWriteExt, duplex};

    use super::*;

    const MIB: u64 = 1 << 20;
    /// An empty stored block (RFC 1951 3.2.4), what is left of the octet before it, and the end of the block before.
    const MARK: usize = 8;

    #[test]
    fn it_pays_on_a_slow_link_alone_and_only_while_it_gains() {
        let link = Compression::default();
        link.note(false, MIB, Duration::from_secs(60));
        assert!(!link.pays(), "too little was seen");
        link.note(false, MIB, Duration::from_secs(60));
        assert!(link.pays());
        link.note(true, 2 * MIB, Duration::from_secs(60));
        assert!(link.pays(), "twice as fast");
        link.note(true, 20 * MIB, Duration::from_secs(1200));
        assert!(!link.pays(), "no gain");
        let fast = Compression::default();
        fast.note(false, 400 * MIB, Duration::from_secs(10));
        assert!(!fast.pays());
    }

    /// Sends pieces, each flushed, and reads each back before the next is sent. The pipe has to hold the end of a flush
    /// ([`MARK`]): a reader that has its octets does not come back for it, and the flush would never end.
    async fn there_and_back(pieces: Vec<Vec<u8>>, pipe: usize) {
        let (a, b) = duplex(pipe);
        let (mut a, mut b) = (Deflated::new(a), Deflated::new(b));
        for piece in pieces {
            let send = async {
                a.write_all(&piece).await.unwrap();
                a.flush().await.unwrap();
            };
            let mut got = vec![0; piece.len()];
            let take = async { b.read_exact(&mut got).await.map(drop) };
            let ((), taken) = tokio::join!(send, take);
            taken.unwrap();
            assert!(got == piece);
        }
        drop(a);
        assert_eq!(b.read(&mut [0; 9]).await.unwrap(), 0);
    }

    #[tokio::test]
    async fn what_was_flushed_can_be_read_before_more_is_sent() {
        let large: Vec<u8> =
            (0..3_000_000_u32).flat_map(|n| (n.wrapping_mul(2_654_435_761) >> 13).to_be_bytes()).collect();
        there_and_back(vec![b"a1 NOOP\r\n".to_vec(), vec![b'x'; 5_000_000], large, b"a2 NOOP\r\n".to_vec()], 1000)
            .await;
    }

    #[tokio::test]
    async fn nonsense_is_an_error_and_no_loop() {
        let (mut a, b) = duplex(1000);
        a.write_all(&[0xff; 200]).await.unwrap();
        drop(a);
        let mut out = Vec::new();
        assert!(Deflated::new(b).read_to_end(&mut out).await.is_err());
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(32))]
        #[test]
        fn any_pieces_arrive_as_they_were(
            pieces in proptest::collection::vec(proptest::collection::vec(any::<u8>(), 1..5000), 1..8),
            pipe in MARK..5000,
        ) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            runtime.block_on(there_and_back(pieces, pipe));
        }
    }
}
