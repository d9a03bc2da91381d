//! Several layers seen as one tree, by overlayfs's rules, without mounting anything.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs::{self, Metadata};
use std::io;
use std::path::{Path, PathBuf};

use crate::error::{IoContext, Result, StoreError};
use crate::overlay;

/// Layers, topmost first.
#[derive(Clone, Copy, Debug)]
pub(crate) struct View<'a> {
    layers: &'a [PathBuf],
}

/// What a name in a merged directory is.
#[derive(Debug)]
pub(crate) enum Seen {
    /// The topmost layer that knows the name deletes it.
    Hidden,
    /// A file, link or other non-directory.
    Leaf { path: PathBuf, meta: Metadata },
    /// The directories that merge, topmost first. `cut`: something ends the merge, so that
    /// further layers below these would not show through.
    Directory {
        parts: Vec<PathBuf>,
        meta: Metadata,
        cut: bool,
    },
}

/// Bytes and number of files and links of a tree.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Totals {
    pub(crate) bytes: u64,
    pub(crate) files: u64,
}

impl Totals {
    pub(crate) fn add(&mut self, meta: &Metadata) {
        self.files += 1;
        if meta.is_file() {
            self.bytes += meta.len();
        }
    }

    pub(crate) fn plus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes + other.bytes,
            files: self.files + other.files,
        }
    }

    pub(crate) fn minus(self, other: Self) -> Self {
        Self {
            bytes: self.bytes.saturating_sub(other.bytes),
            files: self.files.saturating_sub(other.files),
        }
    }
}

impl<'a> View<'a> {
    pub(crate) fn new(layers: &'a [PathBuf]) -> Self {
        Self { layers }
    }

    /// What the layers show at a path; `None`: nothing.
    pub(crate) fn at(self, path: &Path) -> Result<Option<Seen>> {
        let mut parts: Vec<PathBuf> = self.layers.to_vec();
        let mut seen = None;
        let mut names = path.iter().peekable();
        while let Some(name) = names.next() {
            match look_up(&parts, name)? {
                Some(Seen::Directory {
                    parts: below,
                    meta,
                    cut,
                }) => {
                    if names.peek().is_none() {
                        seen = Some(Seen::Directory {
                            parts: below,
                            meta,
                            cut,
                        });
                        break;
                    }
                    parts = below;
                }
                Some(leaf @ Seen::Leaf { .. }) if names.peek().is_none() => seen = Some(leaf),
                _ => return Ok(None),
            }
        }
        Ok(seen)
    }

    /// The totals of what the layers show at a path and below.
    pub(crate) fn measure(self, path: &Path) -> Result<Totals> {
        match self.at(path)? {
            None | Some(Seen::Hidden) => Ok(Totals::default()),
            Some(Seen::Leaf { meta, .. }) => {
                let mut totals = Totals::default();
                totals.add(&meta);
                Ok(totals)
            }
            Some(Seen::Directory { parts, .. }) => measure(&parts),
        }
    }
}

/// The names of a merged directory, in order.
pub(crate) fn merged(parts: &[PathBuf]) -> Result<BTreeMap<OsString, Seen>> {
    let mut names = BTreeMap::new();
    for (depth, part) in parts.iter().enumerate() {
        for entry in fs::read_dir(part).at("list", part)? {
            let name = entry.at("list", part)?.file_name();
            if names.contains_key(&name) {
                continue;
            }
            // The layers above this one do not know the name.
            let below = parts.get(depth..).unwrap_or_default();
            if let Some(seen) = look_up(below, &name)? {
                names.insert(name, seen);
            }
        }
    }
    Ok(names)
}

fn measure(parts: &[PathBuf]) -> Result<Totals> {
    let mut totals = Totals::default();
    for seen in merged(parts)?.into_values() {
        match seen {
            Seen::Hidden => {}
            Seen::Leaf { meta, .. } => totals.add(&meta),
            Seen::Directory { parts, .. } => totals = totals.plus(measure(&parts)?),
        }
    }
    Ok(totals)
}

fn look_up(parts: &[PathBuf], name: &std::ffi::OsStr) -> Result<Option<Seen>> {
    let mut directories: Vec<PathBuf> = Vec::new();
    let mut top: Option<Metadata> = None;
    let mut cut = false;
    for part in parts {
        let path = part.join(name);
        let meta = match fs::symlink_metadata(&path) {
            Ok(meta) => meta,
            Err(error) if error.kind() == io::ErrorKind::NotFound => continue,
            Err(error) => return Err(StoreError::io("inspect", &path, error)),
        };
        if !meta.is_dir() {
            if top.is_some() {
                cut = true;
                break;
            }
            return Ok(Some(match overlay::is_whiteout(&meta) {
                true => Seen::Hidden,
                false => Seen::Leaf { path, meta },
            }));
        }
        cut = overlay::is_opaque(&path)?;
        top.get_or_insert(meta);
        directories.push(path);
        if cut {
            break;
        }
    }
    Ok(top.map(|meta| Seen::Directory {
        parts: directories,
        meta,
        cut,
    }))
}
