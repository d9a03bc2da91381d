//! A read-only tree that takes part in a workspace.

use std::path::PathBuf;

/// One read-only tree. Nothing in this crate ever writes to it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Layer {
    /// The directory that holds the tree.
    pub path: PathBuf,
    /// Whether its files may be shared by hard link.
    pub content: Content,
}

/// What is known of a layer's files.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Content {
    /// Nobody ever writes to these inodes (a store entry, a base snapshot): [`collect`] may hard
    /// link them into another store entry.
    ///
    /// [`collect`]: crate::collect
    Stored,
    /// Somebody else may write to them: they are copied.
    Borrowed,
}

impl Layer {
    /// A layer of immutable store content.
    pub fn stored(path: impl Into<PathBuf>) -> Self {
        Layer {
            path: path.into(),
            content: Content::Stored,
        }
    }

    /// A layer whose files somebody else may write to.
    pub fn borrowed(path: impl Into<PathBuf>) -> Self {
        Layer {
            path: path.into(),
            content: Content::Borrowed,
        }
    }
}
