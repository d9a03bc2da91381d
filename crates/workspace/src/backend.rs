//! The ways to give a job its tree, and how one is asked for by name.

use std::fmt;
use std::str::FromStr;

/// How a workspace comes about. Best first, which is also the order of `Ord`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Backend {
    /// overlayfs mounted with the privileges the process already has.
    OverlayRoot,
    /// overlayfs mounted in an unprivileged user namespace, with `userxattr`.
    OverlayUser,
    /// Every file cloned with `FICLONE`: no data is copied, but every file is created.
    Reflink,
    /// Every file copied.
    Copy,
}

impl Backend {
    /// All of them, best first.
    pub const ALL: [Backend; 4] = [
        Backend::OverlayRoot,
        Backend::OverlayUser,
        Backend::Reflink,
        Backend::Copy,
    ];

    /// The name settings use.
    pub fn name(self) -> &'static str {
        match self {
            Backend::OverlayRoot => "overlay-root",
            Backend::OverlayUser => "overlay-user",
            Backend::Reflink => "reflink",
            Backend::Copy => "copy",
        }
    }

    /// Whether the tree is mounted rather than written out.
    pub fn is_overlay(self) -> bool {
        matches!(self, Backend::OverlayRoot | Backend::OverlayUser)
    }
}

impl fmt::Display for Backend {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl FromStr for Backend {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        let found = Backend::ALL
            .into_iter()
            .find(|backend| backend.name() == text);
        found.ok_or_else(|| UnknownBackend(text.to_owned()))
    }
}

/// What the user asks for: a backend, a family of them, or whichever works best.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Wanted {
    /// The best that works (`auto`).
    #[default]
    Best,
    /// Either overlay backend (`overlay`).
    Overlay,
    /// This one or none.
    Exactly(Backend),
}

impl FromStr for Wanted {
    type Err = UnknownBackend;

    fn from_str(text: &str) -> Result<Self, UnknownBackend> {
        match text {
            "auto" => Ok(Wanted::Best),
            "overlay" => Ok(Wanted::Overlay),
            _ => text.parse().map(Wanted::Exactly),
        }
    }
}

impl fmt::Display for Wanted {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Wanted::Best => f.write_str("auto"),
            Wanted::Overlay => f.write_str("overlay"),
            Wanted::Exactly(backend) => backend.fmt(f),
        }
    }
}

/// A name that is no backend.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "unknown workspace backend {0:?}; there are auto, overlay, overlay-root, overlay-user, \
     reflink and copy"
)]
pub struct UnknownBackend(pub String);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_backend_is_found_by_its_name() {
        for backend in Backend::ALL {
            assert_eq!(backend.name().parse(), Ok(backend));
            assert_eq!(backend.name().parse(), Ok(Wanted::Exactly(backend)));
        }
        assert_eq!("overlay".parse(), Ok(Wanted::Overlay));
        assert_eq!("auto".parse(), Ok(Wanted::Best));
    }

    #[test]
    fn another_name_is_refused_and_the_message_lists_the_known_ones() {
        let error = "btrfs".parse::<Wanted>().unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown workspace backend \"btrfs\"; there are auto, overlay, overlay-root, \
             overlay-user, reflink and copy"
        );
    }
}
