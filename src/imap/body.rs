//! Bodies of messages: small ones in memory, large ones in a file that has no name.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    sync::{Arc, Mutex, PoisonError},
};

use bytes::{Bytes, BytesMut};
use sha2::{Digest, Sha256};
use tokio::task::JoinHandle;

/// Bodies up to this many octets stay in memory.
pub const SPILL_ABOVE: u64 = 1 << 20;

/// The octets of one message, exactly as the server sent them. Cloning shares them.
#[derive(Clone)]
pub struct Body {
    store: Store,
    digest: [u8; 32],
    has_nul: bool,
}

#[derive(Clone)]
enum Store {
    Memory(Bytes),
    File(Arc<Scratch>, u64),
}

/// A file that has no name. It is kept for the next body when nobody needs it any more: to write over a file takes a
/// fifth of the time that a new one takes.
struct Scratch(Arc<File>);

static SPARE: Mutex<Vec<Arc<File>>> = Mutex::new(Vec::new());

/// How many files are kept, and of which size at most.
const SPARES: usize = 4;
const SPARE_OCTETS: u64 = 32 << 20;

impl Scratch {
    fn new() -> io::Result<Self> {
        let spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner).pop();
        // A new one is made at once: a system call.
        spare.map_or_else(|| tempfile::tempfile().map(Arc::new), Ok).map(Self)
    }
}

impl Drop for Scratch {
    fn drop(&mut self) {
        if self.0.metadata().is_ok_and(|file| file.len() <= SPARE_OCTETS) {
            let mut spare = SPARE.lock().unwrap_or_else(PoisonError::into_inner);
            if spare.len() < SPARES {
                spare.push(Arc::clone(&self.0));
            }
        }
    }
}

impl Store {
    fn len(&self) -> u64 {
        match self {
            Self::Memory(octets) => octets.len() as u64,
            Self::File(_, length) => *length,
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Body({} octets)", self.len())
    }
}

impl PartialEq for Body {
    /// Bodies are equal when their digests are.
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest && self.len() == other.len()
    }
}

impl Eq for Body {}

impl From<Bytes> for Body {
    fn from(octets: Bytes) -> Self {
        let digest = Sha256::digest(&octets).into();
        Self { has_nul: memchr::memchr(0, &octets).is_some(), store: Store::Memory(octets), digest }
    }
}

impl From<Vec<u8>> for Body {
    fn from(octets: Vec<u8>) -> Self {
        Bytes::from(octets).into()
    }
}

impl Body {
    /// How many octets it has. Taken from what was read, never from what a server announced elsewhere.
    #[must_use]
    pub fn len(&self) -> u64 {
        self.store.len()
    }

    /// Whether it has none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// SHA-256 of the octets, computed while they were read.
    #[must_use]
    pub fn digest(&self) -> &[u8; 32] {
        &self.digest
    }

    /// Whether a NUL octet is in it. No literal of IMAP may hold one, and some servers close the connection over it.
    #[must_use]
    pub fn has_nul(&self) -> bool {
        self.has_nul
    }

    /// The octets, when they are in memory.
    #[must_use]
    pub fn bytes(&self) -> Option<&Bytes> {
        match &self.store {
            Store::Memory(octets) => Some(octets),
            Store::File(..) => None,
        }
    }

    /// Reads it from the start. Every reader has its own place.
    #[must_use]
    pub fn reader(&self) -> BodyReader {
        BodyReader { store: self.store.clone(), at: 0 }
    }
}

/// Reads a [`Body`]. Reading from a file blocks, though rarely, since the file was just written.
#[derive(Clone, Debug)]
pub struct BodyReader {
    store: Store,
    at: u64,
}

impl BodyReader {
    /// How many octets are left to be read.
    pub(super) fn left(&self) -> u64 {
        self.store.len().saturating_sub(self.at)
    }

    /// Leaves octets out that were read otherwise.
    pub(super) fn skip(&mut self, octets: usize) {
        self.at += octets as u64;
    }

    /// As many octets as are left, at most so many.
    pub(super) fn room(&self, most: usize) -> usize {
        usize::try_from(self.left()).unwrap_or(usize::MAX).min(most)
    }

    /// The next octets of a file, as far as there is room, where the system still has them: the disk is not waited for
    /// then. Gives how many these are.
    pub(super) fn read_at_hand(&mut self, out: &mut [u8]) -> Option<usize> {
        let Store::File(file, _) = &self.store else { return None };
        // What hinders this is met again by whoever reads otherwise.
        let n = at_hand(&file.0, out, self.at).filter(|n| *n > 0)?;
        self.skip(n);
        Some(n)
    }
}

#[cfg(target_os = "linux")]
fn at_hand(file: &File, out: &mut [u8], at: u64) -> Option<usize> {
    use rustix::io::{ReadWriteFlags, preadv2};
    preadv2(file, &mut [io::IoSliceMut::new(out)], at, ReadWriteFlags::NOWAIT).ok()
}

#[cfg(not(target_os = "linux"))]
fn at_hand(_file: &File, _out: &mut [u8], _at: u64) -> Option<usize> {
    None
}

impl fmt::Debug for Store {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Memory(_) => "Memory",
            Self::File(..) => "File",
        })
    }
}

impl Read for BodyReader {
    fn read(&mut self, out: &mut [u8]) -> io::Result<usize> {
        let n = match &self.store {
            Store::Memory(octets) => {
                let at = usize::try_from(self.at).unwrap_or(usize::MAX);
                octets.get(at..).unwrap_or_default().read(out)?
            }
            Store::File(file, _) => {
                let room = self.room(out.len());
                let n = read_at(&file.0, out.get_mut(..room).unwrap_or_default(), self.at)?;
                if n == 0 && room > 0 {
                    return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "the temporary file was cut short"));
                }
                n
            }
        };
        self.at += n as u64;
        Ok(n)
    }
}

#[cfg(unix)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::unix::fs::FileExt::read_at(file, out, at)
}

#[cfg(unix)]
fn write_at(file: &File, octets: &[u8], at: u64) -> io::Result<()> {
    std::os::unix::fs::FileExt::write_all_at(file, octets, at)
}

#[cfg(windows)]
fn write_at(file: &File, mut octets: &[u8], mut at: u64) -> io::Result<()> {
    while !octets.is_empty() {
        let n = std::os::windows::fs::FileExt::seek_write(file, octets, at)?;
        octets = octets.get(n..).unwrap_or_default();
        at += n as u64;
    }
    Ok(())
}

#[cfg(windows)]
fn read_at(file: &File, out: &mut [u8], at: u64) -> io::Result<usize> {
    std::os::windows::fs::FileExt::seek_read(file, out, at)
}

/// Takes the octets of one literal as they come.
pub(super) struct Sink {
    hasher: Sha256,
    has_nul: bool,
    to: SinkStore,
    length: u64,
}

enum SinkStore {
    Memory(BytesMut),
    File(Spill),
}

/// A file that is written off the async threads, a stretch at a time, while the next one is being received.
struct Spill {
    file: Arc<Scratch>,
    written: u64,
    stretch: BytesMut,
    writing: Option<JoinHandle<io::Result<BytesMut>>>,
}

/// How many octets are written at a time.
const STRETCH: usize = 512 << 10;

impl Spill {
    fn new() -> io::Result<Self> {
        Ok(Self { file: Arc::new(Scratch::new()?), written: 0, stretch: BytesMut::new(), writing: None })
    }

    async fn write(&mut self, mut chunk: &[u8]) -> io::Result<()> {
        while !chunk.is_empty() {
            let room = STRETCH.saturating_sub(self.stretch.len()).max(1);
            let (now, later) = chunk.split_at(room.min(chunk.len()));
            self.stretch.extend_from_slice(now);
            chunk = later;
            if self.stretch.len() >= STRETCH {
                self.flush().await?;
            }
        }
        Ok(())
    }

    async fn flush(&mut self) -> io::Result<()> {
        let empty = self.settled().await?;
        let full = std::mem::replace(&mut self.stretch, empty);
        let (file, at) = (Arc::clone(&self.file), self.written);
        self.written += full.len() as u64;
        self.writing = Some(tokio::task::spawn_blocking(move || {
            write_at(&file.0, &full, at)?;
            let mut empty = full;
            empty.clear();
            Ok(empty)
        }));
        Ok(())
    }

    /// Waits for the stretch that is being written, and gives its buffer back.
    async fn settled(&mut self) -> io::Result<BytesMut> {
        match self.writing.take() {
            None => Ok(BytesMut::with_capacity(STRETCH)),
            Some(task) => task.await.map_err(io::Error::other)?,
        }
    }

    async fn finish(mut self) -> io::Result<Arc<Scratch>> {
        self.flush().await?;
        self.settled().await?;
        Ok(self.file)
    }
}

impl Sink {
    /// A place for so many octets, in memory when they are few and the caller has room.
    pub(super) fn new(length: u64, room: u64) -> io::Result<Self> {
        let to = if length > SPILL_ABOVE.min(room) {
            SinkStore::File(Spill::new()?)
        } else {
            SinkStore::Memory(BytesMut::with_capacity(usize::try_from(length).unwrap_or_default()))
        };
        Ok(Self { hasher: Sha256::new(), has_nul: false, to, length: 0 })
    }

    pub(super) async fn write(&mut self, chunk: &[u8]) -> io::Result<()> {
        self.hasher.update(chunk);
        self.has_nul = self.has_nul || memchr::memchr(0, chunk).is_some();
        self.length += chunk.len() as u64;
        match &mut self.to {
            SinkStore::Memory(octets) => octets.extend_from_slice(chunk),
            SinkStore::File(spill) => spill.write(chunk).await?,
        }
        Ok(())
    }

    pub(super) async fn finish(self) -> io::Result<Body> {
        let store = match self.to {
            SinkStore::Memory(octets) => Store::Memory(octets.freeze()),
            SinkStore::File(spill) => Store::File(spill.finish().await?, self.length),
        };
        Ok(Body { store, digest: self.hasher.finalize().into(), has_nul: self.has_nul })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_large_body_goes_through_a_file_unchanged_and_can_be_read_twice() {
        let octets: Vec<u8> = (0..3_000_000_u32).map(|n| (n % 251) as u8).collect();
        let mut sink = Sink::new(octets.len() as u64, u64::MAX).unwrap();
        for chunk in octets.chunks(70_001) {
            sink.write(chunk).await.unwrap();
        }
        let body = sink.finish().await.unwrap();
        assert!(body.bytes().is_none() && body.has_nul());
        assert_eq!(body, Body::from(octets.clone()));
        let (mut a, mut b) = (body.reader(), body.clone().reader());
        let mut first = [0; 10];
        a.read_exact(&mut first).unwrap();
        let mut all = Vec::new();
        b.read_to_end(&mut all).unwrap();
        assert_eq!(all, octets);
        a.read_to_end(&mut all).unwrap();
        assert_eq!(all.len(), octets.len() * 2 - 10);
    }

    #[tokio::test]
    async fn a_body_in_a_file_that_held_a_longer_one_is_its_own() {
        let spilled = async |octets: Vec<u8>| {
            let mut sink = Sink::new(octets.len() as u64, 0).unwrap();
            sink.write(&octets).await.unwrap();
            sink.finish().await.unwrap()
        };
        let read = |body: &Body| {
            let mut all = Vec::new();
            body.reader().read_to_end(&mut all).unwrap();
            all
        };
        let long = spilled(vec![1; 2_000_000]).await;
        let kept = long.clone();
        drop(long);
        let short = spilled(vec![2; 1_000_000]).await;
        assert!(read(&kept) == vec![1; 2_000_000] && read(&short) == vec![2; 1_000_000]);
        drop(kept);
        assert!(read(&spilled(vec![3; 500_000]).await) == vec![3; 500_000]);
        assert!(read(&short) == vec![2; 1_000_000]);
    }

    #[tokio::test]
    async fn a_small_body_stays_in_memory() {
        let mut sink = Sink::new(6, u64::MAX).unwrap();
        sink.write(b"abc").await.unwrap();
        sink.write(b"def").await.unwrap();
        let body = sink.finish().await.unwrap();
        assert_eq!(body.bytes().map(|b| &b[..]), Some(&b"abcdef"[..]));
        assert_eq!(Sink::new(0, 0).unwrap().finish().await.unwrap(), Body::from(Vec::new()));
    }
}
