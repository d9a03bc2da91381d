//! Who is alive: one lock file for each open store, held for as long as it is open.
//!
//! Staging directories, trees that are not yet in the index, and leases carry the name of their
//! owner. The lock is the proof of life: the kernel lets go of it however a process ends, so
//! neither process ids that come round again nor a reboot can deceive.

use std::fs::{self, File, TryLockError};
use std::io;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use crate::error::{IoContext, Result, StoreError};
use crate::layout::Layout;

const LOCK: &str = ".lock";

/// The owner of everything one open store makes. Dropping it lets the lock go.
#[derive(Debug)]
pub(crate) struct Owner {
    name: String,
    directory: PathBuf,
    next: AtomicU64,
    lock: PathBuf,
    _held: File,
}

impl Owner {
    /// Takes a name nobody else has, and its lock.
    pub(crate) fn new(layout: &Layout) -> Result<Self> {
        // A sweeper must not see the lock file before it is locked.
        let _gate = gate(layout)?;
        let name = format!("{}-{}", std::process::id(), random_word());
        let lock = layout.staging().join(format!("{name}{LOCK}"));
        let held = File::create_new(&lock).at("create", &lock)?;
        held.lock().at("lock", &lock)?;
        let directory = layout.staging().join(&name);
        fs::create_dir(&directory).at("create", &directory)?;
        Ok(Self {
            name,
            directory,
            next: AtomicU64::new(0),
            lock,
            _held: held,
        })
    }

    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// A name that no other object of any owner has: `OWNER.N`.
    pub(crate) fn object_name(&self) -> String {
        format!(
            "{}.{}",
            self.name,
            self.next.fetch_add(1, Ordering::Relaxed)
        )
    }

    /// A new private directory on the file system of the store.
    pub(crate) fn private_directory(&self) -> Result<PathBuf> {
        let path = self
            .directory
            .join(self.next.fetch_add(1, Ordering::Relaxed).to_string());
        fs::create_dir(&path).at("create", &path)?;
        Ok(path)
    }
}

impl Drop for Owner {
    fn drop(&mut self) {
        // What guards still hold stays for the next sweep: a directory in use is not empty.
        if fs::remove_dir(&self.directory).is_ok() {
            let _ = fs::remove_file(&self.lock);
        }
    }
}

/// Whether the owner of that name still runs.
pub(crate) fn is_alive(layout: &Layout, owner: &str) -> Result<bool> {
    let path = layout.staging().join(format!("{owner}{LOCK}"));
    let file = match File::open(&path) {
        Ok(file) => file,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(false),
        Err(error) => return Err(StoreError::io("open", &path, error)),
    };
    match file.try_lock_shared() {
        Ok(()) => Ok(false),
        Err(TryLockError::WouldBlock) => Ok(true),
        Err(TryLockError::Error(error)) => Err(StoreError::io("lock", &path, error)),
    }
}

/// The owner part of an object's name.
pub(crate) fn owner_of(object: &str) -> &str {
    object.split_once('.').map_or(object, |(owner, _)| owner)
}

/// Renames what dead owners left in staging to the trash; returns how many directories.
pub(crate) fn sweep_staging(layout: &Layout) -> Result<usize> {
    let _gate = gate(layout)?;
    let staging = layout.staging();
    let mut swept = 0;
    for entry in fs::read_dir(&staging).at("list", &staging)? {
        let entry = entry.at("list", &staging)?;
        let name = entry.file_name().to_string_lossy().into_owned();
        if name.starts_with('.') {
            continue;
        }
        let owner = name.strip_suffix(LOCK).unwrap_or(&name);
        if is_alive(layout, owner)? {
            continue;
        }
        if name.ends_with(LOCK) {
            ignore_missing(fs::remove_file(entry.path())).at("remove", &entry.path())?;
        } else {
            let away = layout.trash().join(format!("{name}-{}", random_word()));
            ignore_missing(fs::rename(entry.path(), &away)).at("rename", &away)?;
            swept += 1;
        }
    }
    Ok(swept)
}

/// A word of 64 random bits, to tell names apart; not a secret.
pub(crate) fn random_word() -> String {
    use std::hash::{BuildHasher, Hasher};
    let state = std::collections::hash_map::RandomState::new();
    let mut hasher = state.build_hasher();
    hasher.write_u32(std::process::id());
    format!("{:016x}", hasher.finish())
}

pub(crate) fn ignore_missing(result: io::Result<()>) -> io::Result<()> {
    match result {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        other => other,
    }
}

/// Making an owner and sweeping owners exclude each other.
fn gate(layout: &Layout) -> Result<File> {
    let path = layout.staging().join(".gate");
    let file = File::options()
        .create(true)
        .append(true)
        .open(&path)
        .at("open", &path)?;
    file.lock().at("lock", &path)?;
    Ok(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_live_owner_survives_a_sweep_and_a_dead_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        let alive = Owner::new(&layout).unwrap();
        let kept = alive.private_directory().unwrap();
        let dead = layout.staging().join("4711-dead");
        fs::create_dir_all(dead.join("0/upper")).unwrap();
        fs::write(layout.staging().join("4711-dead.lock"), "").unwrap();

        assert_eq!(sweep_staging(&layout).unwrap(), 1);

        assert!(kept.is_dir());
        assert!(is_alive(&layout, alive.name()).unwrap());
        assert!(!dead.exists());
        assert!(!layout.staging().join("4711-dead.lock").exists());
        assert_eq!(fs::read_dir(layout.trash()).unwrap().count(), 1);
    }

    #[test]
    fn dropping_an_owner_ends_its_life_and_leaves_nothing() {
        let dir = tempfile::tempdir().unwrap();
        let layout = Layout::open(dir.path()).unwrap();
        let owner = Owner::new(&layout).unwrap();
        let name = owner.name().to_owned();
        drop(owner);
        assert!(!is_alive(&layout, &name).unwrap());
        assert_eq!(
            fs::read_dir(layout.staging()).unwrap().count(),
            1,
            "only the gate is left"
        );
    }

    #[test]
    fn an_object_name_tells_its_owner() {
        assert_eq!(owner_of("12-ab.7"), "12-ab");
    }
}
