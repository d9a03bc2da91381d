//! What a run needs to go on in another process: files of its own, and the tree it started from.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;

use rusqlite::params;

use crate::Store;
use crate::entry::{Entry, EntryKind, NewEntry, base_trees, insert_entry, insert_layers};
use crate::error::{IoContext, Result, StoreError};
use crate::lease::Lease;
use crate::run::RunId;
use crate::view::Totals;

impl Store {
    /// The directory of a run, for what belongs to it alone; it goes when the run is removed.
    pub fn run_directory(&self, run: RunId) -> PathBuf {
        self.layout().run(run.0)
    }

    /// Keeps bytes as a file of a run that only its user may read. A crash leaves all of it or nothing.
    pub fn write_run_file(&self, run: RunId, name: &str, bytes: &[u8]) -> Result<()> {
        let path = self.run_directory(run).join(name);
        let temporary = path.with_extension("new");
        let mut options = File::options();
        options.write(true).create(true).truncate(true).mode(0o600);
        let mut file = options.open(&temporary).at("create", &temporary)?;
        file.write_all(bytes).at("write", &temporary)?;
        fs::rename(&temporary, &path).at("rename", &path)
    }

    /// Adds a line to a file of a run that only its user may read; the file is made where it is missing. A crash may leave a part of it.
    pub fn add_to_run_file(&self, run: RunId, name: &str, line: &str) -> Result<()> {
        let path = self.run_directory(run).join(name);
        let mut options = File::options();
        options.append(true).create(true).mode(0o600);
        let mut file = options.open(&path).at("create", &path)?;
        // At once, so that the lines of several writers do not mix.
        file.write_all(format!("{line}\n").as_bytes())
            .at("write", &path)
    }

    /// Reads a file of a run; `None`: it has none of that name.
    pub fn read_run_file(&self, run: RunId, name: &str) -> Result<Option<Vec<u8>>> {
        let path = self.run_directory(run).join(name);
        match fs::read(&path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            other => other.at("read", &path).map(Some),
        }
    }

    /// Keeps the tree a run starts from beyond the life of its process, also when a newer picture takes its place.
    ///
    /// It is the same tree under a key of the run; when the lease has ended it goes like any other snapshot, the least recently
    /// used first.
    pub fn keep_base(&self, base: &Entry, run: RunId) -> Result<Lease> {
        let key = base_key(run);
        let new = NewEntry {
            project: &base.project,
            key: &key,
            note: &base.note,
        };
        let totals = Totals {
            bytes: base.bytes,
            files: base.files,
        };
        let kept = self.write_unsettled(|transaction| {
            let trees = base_trees(self, transaction, base, base.layers.len())?;
            let id = insert_entry(
                transaction,
                EntryKind::Snapshot,
                new,
                totals,
                crate::clock::now(),
            )?;
            insert_layers(transaction, id, &trees)?;
            Ok(Entry { id, ..base.clone() })
        })?;
        self.lease(&kept, run)
    }

    /// The tree that [`Store::keep_base`] kept; `None`: it has been evicted.
    pub fn base_of(&self, run: RunId, project: &str) -> Result<Option<Entry>> {
        self.find_snapshot(project, &base_key(run))
    }

    /// Lets go of what [`Store::keep_base`] kept.
    pub(crate) fn forget_base(&self, run: RunId) -> Result<()> {
        let Some(record) = self.run(run)? else {
            return Ok(());
        };
        match self.base_of(run, &record.project)? {
            Some(base) => self.remove_entry(base.id).map(|_| ()),
            None => Ok(()),
        }
    }

    /// Notes that a run goes on.
    pub fn reopen_run(&self, run: RunId) -> Result<()> {
        let changed = self.write(|transaction| {
            let change = "UPDATE runs SET status = 'running', finished = NULL WHERE id = ?";
            Ok(transaction.execute(change, params![run.0 as i64])?)
        })?;
        match changed {
            0 => Err(StoreError::Gone {
                what: format!("run {run}"),
            }),
            _ => Ok(()),
        }
    }
}

fn base_key(run: RunId) -> String {
    // A key of a picture is a path, which never looks like this.
    format!("base of run {run}")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::run::NewRun;

    fn store() -> (tempfile::TempDir, Store) {
        let dir = tempfile::tempdir().unwrap();
        let store = Store::open(&dir.path().join("data")).unwrap();
        (dir, store)
    }

    fn begun(store: &Store) -> RunId {
        let new = NewRun {
            project: "p",
            parent: None,
            note: "",
        };
        store.begin_run(new).unwrap().0.id
    }

    fn snapshot(store: &Store, text: &str) -> Entry {
        let staging = store.staging().unwrap();
        let tree = staging.tree("tree").unwrap();
        fs::write(tree.path().join("file"), text).unwrap();
        let new = NewEntry {
            project: "p",
            key: "/home/p",
            note: "",
        };
        store.put_snapshot(new, tree).unwrap()
    }

    #[test]
    fn the_base_of_a_run_outlives_a_newer_picture_and_housekeeping() {
        let (_dir, store) = store();
        let run = begun(&store);
        let base = snapshot(&store, "old");
        drop(store.keep_base(&base, run).unwrap());
        snapshot(&store, "new");
        store.maintain(std::time::Duration::from_secs(5)).unwrap();

        let kept = store.base_of(run, "p").unwrap().expect("it is kept");

        assert_eq!(
            fs::read_to_string(kept.layers[0].join("file")).unwrap(),
            "old"
        );
        assert_eq!(store.base_of(RunId(run.0 + 1), "p").unwrap(), None);
    }

    #[test]
    fn a_file_of_a_run_is_for_its_user_alone() {
        let (_dir, store) = store();
        let run = begun(&store);
        store.write_run_file(run, "plan.json", b"one").unwrap();
        store.write_run_file(run, "plan.json", b"two").unwrap();

        let read = store.read_run_file(run, "plan.json").unwrap();

        assert_eq!(read.as_deref(), Some(&b"two"[..]));
        let path = store.run_directory(run).join("plan.json");
        assert_eq!(
            fs::metadata(path).unwrap().permissions().mode() & 0o777,
            0o600
        );
        assert_eq!(store.read_run_file(run, "other").unwrap(), None);
    }

    #[test]
    fn a_run_that_goes_on_is_not_finished() {
        let (_dir, store) = store();
        let run = begun(&store);
        store.finish_run(run, "manual").unwrap();
        store.reopen_run(run).unwrap();
        let record = store.run(run).unwrap().expect("it is there");
        assert_eq!((record.finished, &*record.status), (None, "running"));
        assert!(store.reopen_run(RunId(99)).is_err());
    }
}
