//! Our own format: the contents of a cache in chunks named by their digests, and an index that says how to put them together.
//!
//! Where the contents are cut depends on what they are, so a cache that resembles one that is there already shares most of its
//! chunks with it, and only the others travel: up when saved, down when fetched by who has a similar cache. What is read is checked
//! against its name.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard, PoisonError, mpsc};
use std::time::{Duration, SystemTime};

use fastcdc::v2020::StreamCDC;
use tidegate_store::Entry;

use crate::error::{At, RemoteError, Result};
use crate::index::{Chunk, Index, LONGEST_CHUNK, LONGEST_INDEX};
use crate::name::{Naming, is_protected};
use crate::objects::{Objects, Stop};
use crate::place::{Limits, Placer, UnpackError, Unpacked};
use crate::source::{ItemKind, Source};

/// Chunks are at least so long, but for the last.
const SHORTEST: usize = 256 << 10;
/// Chunks are about so long.
const USUAL: usize = 1 << 20;
/// How many chunks travel at once.
const LANES: usize = 8;
/// A chunk that is older is written again when a new cache needs it: nobody who tidies up takes it for left over then.
pub(crate) const RENEWED_AFTER: Duration = Duration::from_secs(24 * 3600);
/// Packed chunks are hardly longer than unpacked ones.
const LONGEST_PACKED: u64 = LONGEST_CHUNK as u64 + (64 << 10);

/// What travelled when a cache was saved.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Sent {
    /// Objects that were written.
    pub objects: u64,
    /// Objects that were there already.
    pub known: u64,
    /// Bytes that were written.
    pub bytes: u64,
}

/// What came with a cache.
pub(crate) struct Fetched {
    pub(crate) note: String,
    /// Bytes that travelled.
    pub(crate) travelled: u64,
}

/// Caches of a project in our own format.
pub(crate) struct Chunked<'a> {
    pub(crate) objects: &'a dyn Objects,
    pub(crate) naming: &'a Naming,
}

impl Chunked<'_> {
    /// Saves an entry of the store: first all chunks, then the index that needs them. With what travelled, the version of the index.
    pub(crate) fn keep(&self, entry: &Entry, stop: Stop<'_>) -> Result<(Sent, Option<String>)> {
        let source = Source::of_entry(entry)?;
        let directory = self.naming.own_directory(is_protected(&entry.key))?;
        let (chunks, mut sent) = self.send_chunks(&source, &directory, stop)?;
        let (files, bytes) = source.totals();
        let index = Index {
            key: entry.key.clone(),
            note: entry.note.clone(),
            files,
            bytes,
            chunks,
            items: source.items,
        };
        let packed = index.to_bytes().at("pack", Path::new("an index"))?;
        sent.objects += 1;
        sent.bytes += packed.len() as u64;
        let name = self.naming.own_index(&entry.key)?;
        let version = self.objects.write(&name, packed)?;
        Ok((sent, version))
    }

    /// Cuts the contents on this thread and sends what is missing on others.
    fn send_chunks(
        &self,
        source: &Source,
        directory: &str,
        stop: Stop<'_>,
    ) -> Result<(Vec<Chunk>, Sent)> {
        // As many as there are lanes wait at most, so that memory does not grow with the tree.
        let (give, take) = mpsc::sync_channel::<(blake3::Hash, Vec<u8>)>(LANES);
        let take = Mutex::new(take);
        let stopped = AtomicBool::new(false);
        let lane = || -> Result<Sent> {
            let mut sent = Sent::default();
            loop {
                let next = locked(&take).recv();
                let Ok((digest, content)) = next else {
                    return Ok(sent);
                };
                if stopped.load(Ordering::Relaxed) {
                    continue;
                }
                if let Err(error) = self.send_chunk(directory, digest, &content, &mut sent) {
                    stopped.store(true, Ordering::Relaxed);
                    // The others are drained, or who cuts would wait forever.
                    while locked(&take).recv().is_ok() {}
                    return Err(error);
                }
            }
        };
        std::thread::scope(|scope| {
            let lanes: Vec<_> = (0..LANES).map(|_| scope.spawn(lane)).collect();
            let mut chunks = Vec::new();
            let mut met = BTreeSet::new();
            let mut cut = Ok(());
            for piece in cutter(source.contents()) {
                let piece = match piece {
                    Ok(piece) => piece,
                    Err(error) => {
                        cut = Err(error).at("read", Path::new("the cache in the store"));
                        break;
                    }
                };
                let digest = blake3::hash(&piece);
                let length = piece.len() as u32;
                chunks.push(Chunk { digest, length });
                if stopped.load(Ordering::Relaxed) {
                    break;
                }
                if stop() {
                    // What waits in the channel is not sent any more.
                    stopped.store(true, Ordering::Relaxed);
                    cut = Err(RemoteError::Stopped);
                    break;
                }
                if met.insert(*digest.as_bytes()) && give.send((digest, piece)).is_err() {
                    break;
                }
            }
            drop(give);
            let mut all = Sent::default();
            let mut failed = cut;
            for lane in lanes {
                match lane.join() {
                    Ok(Ok(sent)) => all = all.plus(sent),
                    Ok(Err(error)) => failed = Err(error),
                    Err(panic) => std::panic::resume_unwind(panic),
                }
            }
            failed.map(|()| (chunks, all))
        })
    }

    fn send_chunk(
        &self,
        directory: &str,
        digest: blake3::Hash,
        content: &[u8],
        sent: &mut Sent,
    ) -> Result<()> {
        let name = chunk_name(directory, digest);
        if let Some(there) = self.objects.facts(&name)? {
            let age = SystemTime::now().duration_since(there.modified);
            if age.unwrap_or_default() < RENEWED_AFTER {
                sent.known += 1;
                return Ok(());
            }
        }
        let packed = zstd::encode_all(content, 3).at("pack", Path::new("a chunk"))?;
        sent.objects += 1;
        sent.bytes += packed.len() as u64;
        self.objects.write(&name, packed).map(|_| ())
    }

    /// The index of a key.
    fn index(&self, key: &str) -> Result<Option<Index>> {
        let index = self.index_at(&self.naming.own_index(key)?)?;
        match index {
            Some(index) if index.key != key => Err(RemoteError::Damaged {
                key: key.to_owned(),
                why: format!("it is the index of `{}`", index.key.escape_debug()),
            }),
            index => Ok(index),
        }
    }

    /// The index in the object of this name.
    pub(crate) fn index_at(&self, name: &str) -> Result<Option<Index>> {
        let Some(bytes) = self.objects.read(name, LONGEST_INDEX)? else {
            return Ok(None);
        };
        let index = Index::from_bytes(&bytes).map_err(|why| RemoteError::Damaged {
            key: name.to_owned(),
            why,
        });
        index.map(Some)
    }

    /// Makes the tree of a cache in the empty directory `into`. Chunks of the entry `similar` need not travel; `scratch` is a place
    /// for them.
    pub(crate) fn fetch(
        &self,
        key: &str,
        into: &Path,
        scratch: &Path,
        similar: Option<&Entry>,
        limits: Limits,
    ) -> Result<Option<Fetched>> {
        let Some(index) = self.index(key)? else {
            return Ok(None);
        };
        let total: u64 = index.chunks.iter().map(|c| u64::from(c.length)).sum();
        if total > limits.bytes {
            let what = format!("{} bytes", limits.bytes);
            return Err(UnpackError::TooMuch { what }.into());
        }
        let here = match similar {
            Some(entry) => Here::of(entry, &index.chunks, scratch)?,
            None => Here::default(),
        };
        let directory = self.naming.own_directory(is_protected(key))?;
        let lanes = Lanes::new(&index.chunks);
        let made = std::thread::scope(|scope| {
            for _ in 0..LANES {
                scope.spawn(|| lanes.work(|chunk| self.chunk(key, &directory, chunk, &here)));
            }
            let _stop = StopOnDrop(&lanes);
            place(&index, &mut Ordered::new(&lanes), into, limits)
        });
        let (problem, travelled) = lanes.end();
        match (problem, made) {
            // What ended the stream says more than that it ended.
            (Some(problem), _) => Err(problem),
            (None, made) => Ok(Some(Fetched {
                note: made.map(|_| index.note)?,
                travelled,
            })),
        }
    }

    /// The bytes of a chunk, checked, and how many of them travelled.
    fn chunk(
        &self,
        key: &str,
        directory: &str,
        chunk: Chunk,
        here: &Here,
    ) -> Result<(Vec<u8>, u64)> {
        if let Some(content) = here.read(chunk)? {
            return Ok((content, 0));
        }
        let damaged = |why: &str| RemoteError::Damaged {
            key: key.to_owned(),
            why: format!("{why}: chunk {}", chunk.digest.to_hex()),
        };
        let name = chunk_name(directory, chunk.digest);
        let packed = self.objects.read(&name, LONGEST_PACKED)?;
        let packed = packed.ok_or_else(|| damaged("a part is missing"))?;
        let mut content = Vec::with_capacity(chunk.length as usize);
        let unpacker = zstd::Decoder::new(packed.as_slice());
        unpacker
            // What it says of its length is not believed.
            .and_then(|unpacker| {
                let mut unpacker = unpacker.take(u64::from(chunk.length) + 1);
                unpacker.read_to_end(&mut content)
            })
            .map_err(|_| damaged("a part cannot be unpacked"))?;
        if blake3::hash(&content) != chunk.digest || content.len() != chunk.length as usize {
            return Err(damaged("a part is not what it was"));
        }
        Ok((content, packed.len() as u64))
    }
}

impl Sent {
    fn plus(self, other: Sent) -> Sent {
        Sent {
            objects: self.objects + other.objects,
            known: self.known + other.known,
            bytes: self.bytes + other.bytes,
        }
    }
}

/// The name of a chunk below the project's directory.
pub(crate) fn chunk_name(directory: &str, digest: blake3::Hash) -> String {
    let hex = digest.to_hex();
    let shard = hex.get(..2).unwrap_or_default();
    format!("{directory}/chunks/{shard}/{hex}")
}

/// The pieces of a stream.
fn cutter(contents: impl Read) -> impl Iterator<Item = io::Result<Vec<u8>>> {
    let pieces = StreamCDC::new(contents, SHORTEST, USUAL, LONGEST_CHUNK as usize);
    pieces.map(|piece| match piece {
        Ok(piece) => Ok(piece.data),
        Err(error) => Err(io::Error::other(error.to_string())),
    })
}

fn place(index: &Index, contents: &mut impl Read, into: &Path, limits: Limits) -> Result<Unpacked> {
    let mut placer = Placer::new(into, limits)?;
    for item in &index.items {
        match &item.kind {
            ItemKind::Directory => placer.directory(&item.path, item.mode, item.mtime)?,
            ItemKind::Link(target) => {
                placer.link(item.path.clone(), target.clone(), item.mtime)?;
            }
            ItemKind::File(size) => {
                let mut content = contents.by_ref().take(*size);
                let written = placer.file(&mut content, &item.path, item.mode, item.mtime)?;
                if written != *size {
                    let why = format!("`{}` ends too soon", item.path.display());
                    return Err(UnpackError::Damaged(why).into());
                }
            }
        }
    }
    Ok(placer.finish()?)
}

/// Chunks that are on this machine already, as parts of a similar cache.
#[derive(Default)]
struct Here {
    file: Option<File>,
    /// Where in the file, by digest.
    places: HashMap<[u8; 32], u64>,
}

impl Here {
    /// Cuts an entry as it would be cut for saving and sets aside what is wanted of it.
    fn of(entry: &Entry, wanted: &[Chunk], scratch: &Path) -> Result<Here> {
        let wanted: BTreeSet<&[u8; 32]> = wanted.iter().map(|c| c.digest.as_bytes()).collect();
        let path = scratch.join("similar");
        let mut file = File::options()
            .create_new(true)
            .read(true)
            .write(true)
            .open(&path)
            .at("create", &path)?;
        let mut places = HashMap::new();
        let mut end = 0;
        let source = Source::of_entry(entry)?;
        for piece in cutter(source.contents()) {
            let piece = piece.at("read", Path::new("the cache in the store"))?;
            let digest = *blake3::hash(&piece).as_bytes();
            if wanted.contains(&digest) && !places.contains_key(&digest) {
                file.write_all(&piece).at("write", &path)?;
                places.insert(digest, end);
                end += piece.len() as u64;
            }
        }
        Ok(Here {
            file: Some(file),
            places,
        })
    }

    fn read(&self, chunk: Chunk) -> Result<Option<Vec<u8>>> {
        let place = self.places.get(chunk.digest.as_bytes());
        let (Some(file), Some(place)) = (&self.file, place) else {
            return Ok(None);
        };
        let mut content = vec![0; chunk.length as usize];
        let read = file.read_exact_at(&mut content, *place);
        read.at("read", Path::new("the similar cache"))?;
        // An index may give one digest two lengths.
        Ok((blake3::hash(&content) == chunk.digest).then_some(content))
    }
}

/// Chunks on their way, fetched by several threads and read in order by one.
struct Lanes<'c> {
    chunks: &'c [Chunk],
    next: AtomicUsize,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// By position, those that arrived and have not been read.
    arrived: BTreeMap<usize, Vec<u8>>,
    /// The position that is read next.
    reading: usize,
    stopped: bool,
    problem: Option<RemoteError>,
    travelled: u64,
}

impl<'c> Lanes<'c> {
    fn new(chunks: &'c [Chunk]) -> Lanes<'c> {
        Lanes {
            chunks,
            next: AtomicUsize::new(0),
            state: Mutex::default(),
            changed: Condvar::new(),
        }
    }

    /// Fetches chunks until there are no more, not much further ahead than is read.
    fn work(&self, fetch: impl Fn(Chunk) -> Result<(Vec<u8>, u64)>) {
        loop {
            let at = self.next.fetch_add(1, Ordering::Relaxed);
            let Some(chunk) = self.chunks.get(at) else {
                return;
            };
            let mut state = locked(&self.state);
            while !state.stopped && at >= state.reading + 2 * LANES {
                state = self.wait(state);
            }
            if state.stopped {
                return;
            }
            drop(state);
            let fetched = fetch(*chunk);
            let mut state = locked(&self.state);
            match fetched {
                Ok((content, travelled)) => {
                    state.arrived.insert(at, content);
                    state.travelled += travelled;
                }
                Err(problem) => {
                    state.problem.get_or_insert(problem);
                    state.stopped = true;
                }
            }
            self.changed.notify_all();
        }
    }

    /// The next chunk; `None` after the last, or when one could not be fetched.
    fn take(&self) -> Option<Vec<u8>> {
        let mut state = locked(&self.state);
        loop {
            let at = state.reading;
            if at >= self.chunks.len() || state.problem.is_some() {
                return None;
            }
            if let Some(content) = state.arrived.remove(&at) {
                state.reading += 1;
                self.changed.notify_all();
                return Some(content);
            }
            state = self.wait(state);
        }
    }

    fn stop(&self) {
        locked(&self.state).stopped = true;
        self.changed.notify_all();
    }

    fn end(self) -> (Option<RemoteError>, u64) {
        let state = self.state.into_inner();
        let state = state.unwrap_or_else(PoisonError::into_inner);
        (state.problem, state.travelled)
    }

    fn wait<'s>(&self, state: MutexGuard<'s, State>) -> MutexGuard<'s, State> {
        self.changed
            .wait(state)
            .unwrap_or_else(PoisonError::into_inner)
    }
}

/// Lets the threads end when nobody reads any more, for whatever reason.
struct StopOnDrop<'l, 'c>(&'l Lanes<'c>);

impl Drop for StopOnDrop<'_, '_> {
    fn drop(&mut self) {
        self.0.stop();
    }
}

/// The contents as one stream.
struct Ordered<'l, 'c> {
    lanes: &'l Lanes<'c>,
    chunk: io::Cursor<Vec<u8>>,
}

impl<'l, 'c> Ordered<'l, 'c> {
    fn new(lanes: &'l Lanes<'c>) -> Self {
        Ordered {
            lanes,
            chunk: io::Cursor::default(),
        }
    }
}

impl Read for Ordered<'_, '_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            let read = self.chunk.read(buffer)?;
            if read > 0 || buffer.is_empty() {
                return Ok(read);
            }
            match self.lanes.take() {
                Some(chunk) => self.chunk = io::Cursor::new(chunk),
                None => return Ok(0),
            }
        }
    }
}

fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
