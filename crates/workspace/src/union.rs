//! The merged view of a stack of directories, computed from outside any mount.
//!
//! The rules are overlayfs's (kernel documentation `filesystems/overlayfs.rst`, "Upper and Lower",
//! "whiteouts and opaque directories"): the topmost entry of a name wins; directories of one name
//! merge downwards until something that is no directory, a whiteout or an opaque directory ends
//! the stack. Symbolic links are entries like any other and are never followed.

use std::collections::BTreeMap;
use std::ffi::{CStr, CString, OsStr};
use std::fs::File;
use std::io::Read;
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{SystemTime, UNIX_EPOCH};

use rustix::fs::{
    AtFlags, FileType, Mode, OFlags, RawDir, Stat, fgetxattr, flistxattr, openat, readlinkat,
    statat,
};
use rustix::io::Errno;

use crate::error::{At, TreeError};
use crate::layer::{Content, Layer};
use crate::{beneath, parallel};

/// A stack of directories seen as one tree.
#[derive(Debug)]
pub struct Union {
    /// Topmost first.
    roots: Vec<Root>,
}

/// One entry of a [`Union`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Relative to the root of the tree; never empty.
    pub path: PathBuf,
    /// What it is.
    pub kind: Kind,
    /// Bytes of a file, length of a link's target, of no meaning otherwise.
    pub size: u64,
    /// Permission bits, with set-id and sticky bits.
    pub mode: u32,
    /// The user and the group it belongs to.
    pub owner: (u32, u32),
    /// When its content last changed.
    pub mtime: Time,
    /// When anything about the inode last changed. Cannot be set by a job.
    pub ctime: Time,
    /// The inode number, on the file system of its directory.
    pub inode: u64,
    /// The number of names the inode has.
    pub links: u64,
    /// Which directory of the stack it comes from.
    pub origin: Origin,
    /// Of a directory a walk has been in, that nothing below it takes part in.
    pub inside: Option<Inside>,
}

/// What a walk saw of a directory that only one directory of the stack has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Inside {
    /// How many entries are directly in it; it holds nothing else, not even what stands for an absence.
    pub entries: usize,
    /// It bears the mark that hides what is below it, and no other mark of an overlay.
    pub marked: bool,
}

/// What an entry is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A regular file.
    File,
    /// A directory.
    Dir,
    /// A symbolic link.
    Symlink,
    /// A named pipe.
    Fifo,
    /// A socket.
    Socket,
    /// A character or block device.
    Device,
}

/// A directory of the stack.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Origin {
    /// The layer of this index, lowest first as they were given.
    Layer(usize),
    /// The writable directory.
    Upper,
}

/// A time stamp of a file. Seconds are since 1970 and may be negative.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Time {
    /// Whole seconds.
    pub seconds: i64,
    /// The rest, below 1 000 000 000.
    pub nanos: u32,
}

/// What [`Union::walk`] found.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Walk {
    /// In order of path, component by component; a directory comes before what is in it.
    pub entries: Vec<Entry>,
    /// Directories among the entries that could not be read, so that nothing in them is listed: a
    /// job may leave directories without permissions, or deeper than paths reach.
    pub unreadable: Vec<PathBuf>,
    /// As in an [`Entry`], of the directory the walk began in.
    pub inside: Option<Inside>,
}

impl IntoIterator for Walk {
    type Item = Entry;
    type IntoIter = std::vec::IntoIter<Entry>;

    fn into_iter(self) -> Self::IntoIter {
        self.entries.into_iter()
    }
}

impl Union {
    /// The view of `layers`, lowest first.
    ///
    /// # Errors
    ///
    /// A layer that cannot be opened.
    pub fn of_layers(layers: &[Layer]) -> Result<Self, TreeError> {
        let mut roots = Vec::with_capacity(layers.len() + 1);
        for (index, layer) in layers.iter().enumerate().rev() {
            roots.push(Root::open(
                &layer.path,
                Origin::Layer(index),
                layer.content,
                Marks::Any,
            )?);
        }
        Ok(Union { roots })
    }

    /// The view of `layers`, lowest first, below the upper directory of an overlay.
    ///
    /// # Errors
    ///
    /// A directory that cannot be opened.
    pub fn of_overlay(layers: &[Layer], upper: &Path) -> Result<Self, TreeError> {
        let mut union = Union::of_layers(layers)?;
        union.roots.insert(
            0,
            Root::open(upper, Origin::Upper, Content::Borrowed, Marks::Any)?,
        );
        Ok(union)
    }

    /// The view of one plain directory, in which whiteouts and the like mean nothing.
    ///
    /// # Errors
    ///
    /// The directory cannot be opened.
    pub fn of_plain(dir: &Path) -> Result<Self, TreeError> {
        let root = Root::open(dir, Origin::Upper, Content::Borrowed, Marks::None)?;
        Ok(Union { roots: vec![root] })
    }

    /// Everything below `prefix` (the empty path: the whole tree), without `prefix` itself.
    ///
    /// Nothing when `prefix` is no directory of the tree. 50 000 files take about as long as two
    /// threads need to `lstat` them.
    ///
    /// # Errors
    ///
    /// A directory that cannot be read for another reason than its permissions.
    pub fn walk(&self, prefix: &Path) -> Result<Walk, TreeError> {
        let Some(roots) = self.directory(prefix)? else {
            return Ok(Walk::default());
        };
        let ids = AtomicUsize::new(1);
        let start = Task {
            id: 0,
            path: prefix.to_path_buf(),
            roots,
        };
        let listings = parallel::grow(vec![start], |task, add| self.list(task, add, &ids))?;
        Ok(flatten(listings, ids.into_inner()))
    }

    /// The entry at `path`, or `None` when there is none: also when a component on the way is no
    /// directory, such as a symbolic link.
    ///
    /// # Errors
    ///
    /// A directory that cannot be read.
    pub fn lookup(&self, path: &Path) -> Result<Option<Entry>, TreeError> {
        let (Some(parent), Some(name)) = (path.parent(), path.file_name()) else {
            return Ok(None);
        };
        if !beneath::is_inside(path) {
            return Ok(None);
        }
        let Some(roots) = self.directory(parent)? else {
            return Ok(None);
        };
        Ok(self.find(&roots, parent, name)?.map(|(entry, _)| entry))
    }

    /// Opens the regular file at `path` for reading, following no symbolic link.
    ///
    /// # Errors
    ///
    /// No regular file there (`NotFound`), or it cannot be opened.
    pub fn open(&self, path: &Path) -> Result<File, TreeError> {
        let missing = || TreeError::new("open file", path, Errno::NOENT);
        let entry = self.lookup(path)?.filter(|entry| entry.kind == Kind::File);
        let entry = entry.ok_or_else(missing)?;
        self.open_entry(&entry).map(File::from)
    }

    /// The content of the regular file at `path`; see [`Union::open`].
    ///
    /// # Errors
    ///
    /// As [`Union::open`].
    pub fn read(&self, path: &Path) -> Result<Vec<u8>, TreeError> {
        let mut content = Vec::new();
        self.open(path)?
            .read_to_end(&mut content)
            .at("read file", path)?;
        Ok(content)
    }

    /// The target of the symbolic link `entry`.
    ///
    /// # Errors
    ///
    /// It is no link any more.
    pub fn link_target(&self, entry: &Entry) -> Result<CString, TreeError> {
        let (dir, name) = self.open_parent(entry)?;
        readlinkat(&dir, &name, Vec::new()).at("read link", &entry.path)
    }

    /// Where `entry` is on disk. For messages, and for reading what cannot have been made by a
    /// job: the path may lead through links that somebody put there later.
    pub fn real_path(&self, entry: &Entry) -> Option<PathBuf> {
        self.root(entry.origin)
            .map(|root| root.path.join(&entry.path))
    }

    /// What is known of the files of a directory of the stack.
    pub(crate) fn content(&self, origin: Origin) -> Content {
        self.root(origin)
            .map_or(Content::Borrowed, |root| root.content)
    }

    /// Opens the regular file `entry` for reading.
    pub(crate) fn open_entry(&self, entry: &Entry) -> Result<OwnedFd, TreeError> {
        let root = self.root_of(entry)?;
        beneath::open(&root.fd, &entry.path, READ).at("open file", &entry.path)
    }

    /// Opens the directory that holds `entry`, in the directory of the stack it comes from.
    pub(crate) fn open_parent(&self, entry: &Entry) -> Result<(OwnedFd, CString), TreeError> {
        let root = self.root_of(entry)?;
        let parent = entry.path.parent().unwrap_or(Path::new(""));
        let flags = OFlags::PATH | OFlags::DIRECTORY;
        let dir = beneath::open(&root.fd, parent, flags).at("open directory", parent)?;
        let name = entry.path.file_name().unwrap_or_default().as_bytes();
        let name = CString::new(name)
            .map_err(|_| Errno::INVAL)
            .at("open file", &entry.path)?;
        Ok((dir, name))
    }

    /// The root directory of the stack that `origin` names.
    pub(crate) fn root_fd(&self, origin: Origin) -> Option<BorrowedFd<'_>> {
        self.root(origin).map(|root| root.fd.as_fd())
    }

    /// Whether this is one plain directory.
    pub(crate) fn is_plain(&self) -> bool {
        self.roots.iter().all(|root| root.marks == Marks::None)
    }

    /// Whether a directory in the upper directory hides those below it.
    pub(crate) fn is_opaque(&self, dir: BorrowedFd<'_>) -> bool {
        opacity(dir) == Opacity::Opaque
    }

    fn root(&self, origin: Origin) -> Option<&Root> {
        self.roots.iter().find(|root| root.origin == origin)
    }

    fn root_of(&self, entry: &Entry) -> Result<&Root, TreeError> {
        let foreign = || TreeError::new("find the layer of", &entry.path, Errno::INVAL);
        self.root(entry.origin).ok_or_else(foreign)
    }

    /// The roots in which `path` is a directory of the merged tree, topmost first.
    pub(crate) fn directory(&self, path: &Path) -> Result<Option<Vec<usize>>, TreeError> {
        let mut roots: Vec<usize> = (0..self.roots.len()).collect();
        let mut at = PathBuf::new();
        for component in path.components() {
            let Component::Normal(name) = component else {
                return Ok(None);
            };
            match self.find(&roots, &at, name)? {
                Some((entry, below)) if entry.kind == Kind::Dir => roots = below,
                _ => return Ok(None),
            }
            at.push(name);
        }
        Ok(Some(roots))
    }

    /// The entry `name` of the directory `dir`, which exists in `roots`; for a directory, also the
    /// roots it is merged from.
    pub(crate) fn find(
        &self,
        roots: &[usize],
        dir: &Path,
        name: &OsStr,
    ) -> Result<Option<(Entry, Vec<usize>)>, TreeError> {
        let mut found: Option<(Entry, Vec<usize>)> = None;
        for index in roots {
            let Some(root) = self.roots.get(*index) else {
                continue;
            };
            let parent = beneath::open_dir(&root.fd, dir).at("read directory", dir)?;
            let opacity = root.opacity(parent.as_fd());
            match statat(&parent, name, AtFlags::SYMLINK_NOFOLLOW) {
                Err(Errno::NOENT | Errno::NAMETOOLONG) => {}
                Err(errno) => return Err(errno).at("look at", &dir.join(name)),
                Ok(stat) if root.hides(&stat, parent.as_fd(), name, opacity) => break,
                Ok(stat) => match &mut found {
                    None => {
                        let entry = Entry::new(dir.join(name), &stat, root.origin);
                        if entry.kind != Kind::Dir {
                            return Ok(Some((entry, Vec::new())));
                        }
                        found = Some((entry, vec![*index]));
                    }
                    Some((_, below)) if is_dir(&stat) => below.push(*index),
                    Some(_) => break,
                },
            }
            if opacity == Opacity::Opaque {
                break;
            }
        }
        Ok(found)
    }

    /// The entries of the directory `dir`, which exists in `roots`, in order of path.
    pub(crate) fn children(&self, dir: &Path, roots: Vec<usize>) -> Result<Vec<Entry>, TreeError> {
        let task = Task {
            id: 0,
            path: dir.to_path_buf(),
            roots,
        };
        let listing = self.list(task, &mut Vec::new(), &AtomicUsize::new(1))?;
        Ok(listing
            .entries
            .into_iter()
            .map(|(entry, _)| entry)
            .collect())
    }

    fn list(
        &self,
        task: Task,
        add: &mut Vec<Task>,
        ids: &AtomicUsize,
    ) -> Result<Listing, TreeError> {
        let mut names: BTreeMap<CString, Found> = BTreeMap::new();
        let mut listing = Listing {
            id: task.id,
            ..Listing::default()
        };
        let last = task.roots.len().saturating_sub(1);
        let mut marked = None;
        for (place, index) in task.roots.iter().enumerate() {
            let Some(root) = self.roots.get(*index) else {
                continue;
            };
            let dir = match beneath::open_dir(&root.fd, &task.path) {
                Ok(dir) => dir,
                Err(Errno::ACCESS | Errno::NAMETOOLONG) => {
                    // What it hides below cannot be known either.
                    listing.unreadable = Some(task.path.clone());
                    names.clear();
                    marked = None;
                    break;
                }
                Err(errno) => return Err(errno).at("read directory", &task.path),
            };
            let marking = root.marking(dir.as_fd());
            let opacity = marking.opacity;
            let reader = Reader {
                root,
                index: *index,
                opacity,
                path: &task.path,
            };
            reader.read(&dir, &mut names)?;
            marked = marking.is_plain.then_some(opacity == Opacity::Opaque);
            if opacity == Opacity::Opaque && place < last {
                break;
            }
        }
        let is_bare = last == 0 && names.values().all(|found| found.entry.is_some());
        listing.inside = marked.filter(|_| is_bare).map(|marked| Inside {
            entries: names.len(),
            marked,
        });
        listing.entries.reserve(names.len());
        for found in names.into_values() {
            let Some(entry) = found.entry else { continue };
            let child = (entry.kind == Kind::Dir).then(|| ids.fetch_add(1, Ordering::Relaxed));
            if let Some(id) = child {
                add.push(Task {
                    id,
                    path: entry.path.clone(),
                    roots: found.roots,
                });
            }
            listing.entries.push((entry, child));
        }
        Ok(listing)
    }
}

impl Entry {
    pub(crate) fn new(path: PathBuf, stat: &Stat, origin: Origin) -> Self {
        Entry {
            path,
            kind: Kind::of(stat),
            size: stat.st_size.try_into().unwrap_or(0),
            mode: stat.st_mode & 0o7777,
            owner: (stat.st_uid, stat.st_gid),
            mtime: Time::modified(stat),
            ctime: Time::changed(stat),
            inode: stat.st_ino,
            links: u64::from(stat.st_nlink as u32),
            origin,
            inside: None,
        }
    }
}

impl Kind {
    pub(crate) fn of(stat: &Stat) -> Self {
        match FileType::from_raw_mode(stat.st_mode) {
            FileType::RegularFile => Kind::File,
            FileType::Directory => Kind::Dir,
            FileType::Symlink => Kind::Symlink,
            FileType::Fifo => Kind::Fifo,
            FileType::Socket => Kind::Socket,
            _ => Kind::Device,
        }
    }
}

impl Time {
    /// What the clock that stamps files says.
    pub(crate) fn now() -> Self {
        let since = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Time {
            seconds: since.as_secs().try_into().unwrap_or(i64::MAX),
            nanos: since.subsec_nanos(),
        }
    }

    pub(crate) fn modified(stat: &Stat) -> Self {
        Time {
            seconds: stat.st_mtime,
            nanos: stat.st_mtime_nsec as u32,
        }
    }

    pub(crate) fn changed(stat: &Stat) -> Self {
        Time {
            seconds: stat.st_ctime,
            nanos: stat.st_ctime_nsec as u32,
        }
    }
}

#[derive(Debug)]
struct Root {
    path: PathBuf,
    fd: OwnedFd,
    origin: Origin,
    content: Content,
    marks: Marks,
}

/// Whether overlayfs's marks mean anything in a directory.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Marks {
    None,
    Any,
}

/// What a directory says of those below it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Opacity {
    Merges,
    Opaque,
    /// It merges, and plain files in it may be whiteouts by attribute.
    HoldsWhiteouts,
}

/// The marks of overlayfs a directory bears.
#[derive(Debug, Clone, Copy)]
struct Marking {
    opacity: Opacity,
    /// There are no others: but for its opacity it is a directory like any other, wherever it is moved.
    is_plain: bool,
}

impl Root {
    fn open(
        path: &Path,
        origin: Origin,
        content: Content,
        marks: Marks,
    ) -> Result<Self, TreeError> {
        let fd = beneath::open_root(path).at("open layer", path)?;
        Ok(Root {
            path: path.to_path_buf(),
            fd,
            origin,
            content,
            marks,
        })
    }

    fn opacity(&self, dir: BorrowedFd<'_>) -> Opacity {
        self.marking(dir).opacity
    }

    fn marking(&self, dir: BorrowedFd<'_>) -> Marking {
        match self.marks {
            Marks::None => Marking {
                opacity: Opacity::Merges,
                is_plain: false,
            },
            Marks::Any => Marking::of(dir),
        }
    }

    /// Whether an entry stands for the absence of what is below it.
    fn hides(&self, stat: &Stat, dir: BorrowedFd<'_>, name: &OsStr, opacity: Opacity) -> bool {
        self.marks == Marks::Any
            && (is_whiteout(stat)
                || opacity == Opacity::HoldsWhiteouts
                    && stat.st_size == 0
                    && has_whiteout_attribute(dir, name))
    }
}

/// Reads one directory of one root into the names of a merged directory.
struct Reader<'a> {
    root: &'a Root,
    index: usize,
    opacity: Opacity,
    path: &'a Path,
}

/// What the merged directory has under one name.
#[derive(Default)]
struct Found {
    /// `None`: hidden by a whiteout.
    entry: Option<Entry>,
    /// For a directory, the roots it is merged from, topmost first.
    roots: Vec<usize>,
    /// Nothing further down takes part.
    closed: bool,
}

impl Reader<'_> {
    fn read(&self, dir: &OwnedFd, names: &mut BTreeMap<CString, Found>) -> Result<(), TreeError> {
        let mut buffer = [MaybeUninit::uninit(); 32 * 1024];
        let mut listing = RawDir::new(dir, &mut buffer);
        while let Some(entry) = listing.next() {
            let entry = entry.at("read directory", self.path)?;
            let name = entry.file_name();
            if name == c"." || name == c".." {
                continue;
            }
            match names.get_mut(name) {
                None => {
                    if let Some(found) = self.topmost(dir, name)? {
                        names.insert(name.to_owned(), found);
                    }
                }
                Some(found) if found.closed => {}
                Some(found) => match self.is_dir(dir, name, entry.file_type())? {
                    true => found.roots.push(self.index),
                    false => found.closed = true,
                },
            }
        }
        Ok(())
    }

    /// `None` when the name went away meanwhile.
    fn topmost(&self, dir: &OwnedFd, name: &CStr) -> Result<Option<Found>, TreeError> {
        let os_name = OsStr::from_bytes(name.to_bytes());
        let stat = match statat(dir, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => stat,
            Err(Errno::NOENT) => return Ok(None),
            Err(errno) => return Err(errno).at("look at", &self.path.join(os_name)),
        };
        if self.root.hides(&stat, dir.as_fd(), os_name, self.opacity) {
            return Ok(Some(Found {
                closed: true,
                ..Found::default()
            }));
        }
        let entry = Entry::new(self.path.join(os_name), &stat, self.root.origin);
        let is_dir = entry.kind == Kind::Dir;
        let roots = if is_dir { vec![self.index] } else { Vec::new() };
        Ok(Some(Found {
            entry: Some(entry),
            roots,
            closed: !is_dir,
        }))
    }

    fn is_dir(&self, dir: &OwnedFd, name: &CStr, known: FileType) -> Result<bool, TreeError> {
        if known != FileType::Unknown {
            return Ok(known == FileType::Directory);
        }
        let stat = statat(dir, name, AtFlags::SYMLINK_NOFOLLOW).at("look at", self.path)?;
        Ok(is_dir(&stat))
    }
}

struct Task {
    id: usize,
    path: PathBuf,
    roots: Vec<usize>,
}

#[derive(Default)]
struct Listing {
    id: usize,
    inside: Option<Inside>,
    /// By name; a directory with the id of its own listing.
    entries: Vec<(Entry, Option<usize>)>,
    unreadable: Option<PathBuf>,
}

/// Puts listings made in any order into the order of paths.
fn flatten(listings: Vec<Listing>, count: usize) -> Walk {
    let mut by_id: Vec<Option<Listing>> = Vec::new();
    by_id.resize_with(count, || None);
    let total = listings.iter().map(|listing| listing.entries.len()).sum();
    for listing in listings {
        let id = listing.id;
        if let Some(slot) = by_id.get_mut(id) {
            *slot = Some(listing);
        }
    }
    let mut walk = Walk {
        entries: Vec::with_capacity(total),
        unreadable: Vec::new(),
        inside: None,
    };
    let mut stack = Vec::new();
    let mut open = |id: usize, walk: &mut Walk| {
        let listing = by_id.get_mut(id).and_then(Option::take).unwrap_or_default();
        walk.unreadable.extend(listing.unreadable);
        (listing.inside, listing.entries.into_iter())
    };
    let (inside, entries) = open(0, &mut walk);
    walk.inside = inside;
    stack.push(entries);
    while let Some(top) = stack.last_mut() {
        match top.next() {
            None => {
                stack.pop();
            }
            Some((mut entry, child)) => {
                let child = child.map(|id| open(id, &mut walk));
                if let Some((inside, entries)) = child {
                    entry.inside = inside;
                    stack.push(entries);
                }
                walk.entries.push(entry);
            }
        }
    }
    walk
}

/// Reading, and not hanging on a pipe that took the file's place.
const READ: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK);

/// Opens the file `name` of the directory `dir`, following no symbolic link.
pub(crate) fn open_file(dir: impl AsFd, name: &CStr) -> Result<OwnedFd, Errno> {
    openat(
        dir,
        name,
        READ | OFlags::NOFOLLOW | OFlags::CLOEXEC,
        Mode::empty(),
    )
}

/// Entries in order of path, cut where the directory or the origin changes, so that one open
/// directory serves a whole piece; and into pieces small enough to share among threads.
pub(crate) fn siblings<'a, 'e>(entries: &'a [&'e Entry]) -> Vec<&'a [&'e Entry]> {
    let together =
        |a: &&Entry, b: &&Entry| a.origin == b.origin && a.path.parent() == b.path.parent();
    entries
        .chunk_by(together)
        .flat_map(|piece| piece.chunks(256))
        .collect()
}

fn is_dir(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::Directory
}

/// A character device with number 0/0.
pub(crate) fn is_whiteout(stat: &Stat) -> bool {
    FileType::from_raw_mode(stat.st_mode) == FileType::CharacterDevice && stat.st_rdev == 0
}

/// Names in the attribute namespaces of a privileged and an unprivileged overlay. Reading the
/// first needs privilege; without it no privileged overlay can have been made either.
pub(crate) const OPAQUE: [&CStr; 2] = [c"trusted.overlay.opaque", c"user.overlay.opaque"];
/// What the names of all marks begin with.
const MARK: [&[u8]; 2] = [b"trusted.overlay.", b"user.overlay."];
const WHITEOUT: [&CStr; 2] = [c"trusted.overlay.whiteout", c"user.overlay.whiteout"];

impl Marking {
    fn of(dir: BorrowedFd<'_>) -> Self {
        let mut names = [0; 512];
        // One question instead of one for each mark: most directories bear none.
        let listed = flistxattr(dir, &mut names).ok();
        let names = listed.and_then(|length| names.get(..length));
        let is_mark = |name: &&[u8]| MARK.iter().any(|start| name.starts_with(start));
        let marks = names.map(|names| names.split(|byte| *byte == 0).filter(is_mark).count());
        if marks == Some(0) {
            return Self {
                opacity: Opacity::Merges,
                is_plain: true,
            };
        }
        let opacity = opacity(dir);
        Self {
            opacity,
            is_plain: opacity == Opacity::Opaque && marks == Some(1),
        }
    }
}

fn opacity(dir: BorrowedFd<'_>) -> Opacity {
    let mut value = [0u8; 1];
    for name in OPAQUE {
        match fgetxattr(dir, name, &mut value) {
            Ok(1) if value == *b"y" => return Opacity::Opaque,
            Ok(1) if value == *b"x" => return Opacity::HoldsWhiteouts,
            _ => {}
        }
    }
    Opacity::Merges
}

fn has_whiteout_attribute(dir: BorrowedFd<'_>, name: &OsStr) -> bool {
    let Ok(file) = beneath::open(dir, Path::new(name), OFlags::RDONLY | OFlags::NONBLOCK) else {
        return false;
    };
    let mut value = [0u8; 1];
    WHITEOUT
        .iter()
        .any(|attribute| fgetxattr(&file, *attribute, &mut value).is_ok())
}
