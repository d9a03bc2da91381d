//! A tree as it is packed: what it consists of, in order of path, and the contents of its files.

use std::fs::File;
use std::io::{self, Read};
use std::os::unix::ffi::OsStringExt;
use std::path::{Path, PathBuf};

use tidegate_store::Entry;
use tidegate_workspace::{Kind, Layer, TreeError, Union};

use crate::place::Time;

/// One path of a tree.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Item {
    /// Relative to the tree.
    pub(crate) path: PathBuf,
    /// What is there.
    pub(crate) kind: ItemKind,
    /// Permission bits.
    pub(crate) mode: u32,
    /// When its content last changed.
    pub(crate) mtime: Time,
}

/// What a path is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ItemKind {
    /// A directory.
    Directory,
    /// A file of so many bytes.
    File(u64),
    /// A link and its text.
    Link(PathBuf),
}

/// A tree that does not change while it is read.
pub(crate) struct Source {
    union: Union,
    /// In order of path; a directory comes before what is in it.
    pub(crate) items: Vec<Item>,
}

impl Source {
    /// The merged tree of an entry of the store, which must be leased.
    pub(crate) fn of_entry(entry: &Entry) -> Result<Source, TreeError> {
        let lowest_first = entry.layers.iter().rev();
        let layers: Vec<Layer> = lowest_first.map(Layer::stored).collect();
        Source::of_union(Union::of_layers(&layers)?)
    }

    /// A plain directory.
    pub(crate) fn of_directory(directory: &Path) -> Result<Source, TreeError> {
        Source::of_union(Union::of_plain(directory)?)
    }

    /// What is neither file, directory nor link is left out, as GitLab's archiver does (reference `runner.md` §4.4).
    fn of_union(union: Union) -> Result<Source, TreeError> {
        let mut items = Vec::new();
        for entry in union.walk(Path::new(""))? {
            let kind = match entry.kind {
                Kind::Dir => ItemKind::Directory,
                Kind::File => ItemKind::File(entry.size),
                Kind::Symlink => {
                    let target = union.link_target(&entry)?.into_bytes();
                    ItemKind::Link(std::ffi::OsString::from_vec(target).into())
                }
                Kind::Fifo | Kind::Socket | Kind::Device => continue,
            };
            items.push(Item {
                path: entry.path,
                kind,
                mode: entry.mode & 0o7777,
                mtime: (entry.mtime.seconds, entry.mtime.nanos),
            });
        }
        Ok(Source { union, items })
    }

    /// The content of the file at `path`.
    pub(crate) fn open(&self, path: &Path) -> io::Result<File> {
        self.union
            .open(path)
            .map_err(|error| io::Error::other(error.to_string()))
    }

    /// The number of files and links, and the bytes of the files.
    pub(crate) fn totals(&self) -> (u64, u64) {
        self.items
            .iter()
            .fold((0, 0), |(files, bytes), item| match item.kind {
                ItemKind::Directory => (files, bytes),
                ItemKind::File(size) => (files + 1, bytes + size),
                ItemKind::Link(_) => (files + 1, bytes),
            })
    }

    /// The contents of all files, one behind the other in order of path.
    pub(crate) fn contents(&self) -> Contents<'_> {
        Contents {
            source: self,
            next: 0,
            open: None,
        }
    }
}

/// See [`Source::contents`]. A file that is not as long as it was is an error.
pub(crate) struct Contents<'s> {
    source: &'s Source,
    next: usize,
    open: Option<(File, u64)>,
}

impl Read for Contents<'_> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            if let Some((file, left)) = &mut self.open {
                let most = buffer
                    .len()
                    .min(usize::try_from(*left).unwrap_or(usize::MAX));
                if most > 0 {
                    let read = file.read(buffer.get_mut(..most).unwrap_or_default())?;
                    if read == 0 {
                        let text = "a file became shorter while it was read";
                        return Err(io::Error::new(io::ErrorKind::UnexpectedEof, text));
                    }
                    *left -= read as u64;
                    return Ok(read);
                }
                if buffer.is_empty() {
                    return Ok(0);
                }
            }
            let Some(item) = self.source.items.get(self.next) else {
                return Ok(0);
            };
            self.next += 1;
            self.open = match item.kind {
                ItemKind::File(size) if size > 0 => Some((self.source.open(&item.path)?, size)),
                _ => None,
            };
        }
    }
}
