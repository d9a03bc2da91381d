//! The index: an SQLite database in WAL mode. Its schema is part of the format version.

use std::fs::File;
use std::time::Duration;

use rusqlite::Connection;

use crate::error::{IoContext, Result, StoreError};
use crate::layout::{FORMAT, Layout};

/// Longer than any transaction takes, even on a slow disk.
const BUSY: Duration = Duration::from_secs(30);

const SCHEMA: &str = "
-- An adopted tree. `boot` is NULL once its files are synced; until then it names the boot whose
-- page cache holds them, and the row counts only during that boot.
CREATE TABLE trees (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    bytes INTEGER NOT NULL,
    files INTEGER NOT NULL,
    manifest BLOB NOT NULL,
    hashed INTEGER NOT NULL DEFAULT 0,
    boot TEXT
) STRICT;
CREATE INDEX trees_unsettled ON trees (boot) WHERE boot IS NOT NULL;

-- What a key points at: the newest usable row of (kind, project, key).
CREATE TABLE entries (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    kind TEXT NOT NULL,
    project TEXT NOT NULL,
    key TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    files INTEGER NOT NULL,
    created INTEGER NOT NULL,
    used INTEGER NOT NULL,
    note TEXT NOT NULL
) STRICT;
CREATE INDEX entries_by_key ON entries (kind, project, key, id);

-- The layers of an entry; position 0 is the lowest.
CREATE TABLE layers (
    entry INTEGER NOT NULL,
    position INTEGER NOT NULL,
    tree INTEGER NOT NULL,
    PRIMARY KEY (entry, position)
) STRICT, WITHOUT ROWID;
CREATE INDEX layers_by_tree ON layers (tree);

CREATE TABLE artifacts (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    run INTEGER NOT NULL,
    job TEXT NOT NULL,
    attempt INTEGER NOT NULL,
    name TEXT NOT NULL,
    type TEXT NOT NULL,
    tree INTEGER NOT NULL,
    created INTEGER NOT NULL,
    expires INTEGER
) STRICT;
CREATE INDEX artifacts_by_run ON artifacts (run, job, attempt);
CREATE INDEX artifacts_by_tree ON artifacts (tree);

-- `owner` is alive while staging/OWNER.lock is locked.
CREATE TABLE leases (
    id INTEGER PRIMARY KEY,
    owner TEXT NOT NULL,
    run INTEGER NOT NULL,
    entry INTEGER,
    artifact INTEGER
) STRICT;
CREATE INDEX leases_by_entry ON leases (entry);
CREATE INDEX leases_by_artifact ON leases (artifact);

CREATE TABLE counters (
    name TEXT PRIMARY KEY,
    value INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE runs (
    id INTEGER PRIMARY KEY,
    project TEXT NOT NULL,
    iid INTEGER NOT NULL,
    parent INTEGER,
    created INTEGER NOT NULL,
    finished INTEGER,
    status TEXT NOT NULL,
    note TEXT NOT NULL,
    UNIQUE (project, iid)
) STRICT;

CREATE TABLE blobs (
    digest BLOB PRIMARY KEY,
    packed BLOB NOT NULL,
    stored INTEGER NOT NULL
) STRICT;

CREATE TABLE names (
    space TEXT NOT NULL,
    name TEXT NOT NULL,
    digest BLOB NOT NULL,
    stored INTEGER NOT NULL,
    PRIMARY KEY (space, name)
) STRICT, WITHOUT ROWID;
CREATE INDEX names_by_digest ON names (digest);
";

/// Opens the index; makes it if it is new.
pub(crate) fn open(layout: &Layout) -> Result<Connection> {
    let mut connection = Connection::open(layout.index())?;
    connection.busy_timeout(BUSY)?;
    connection.set_prepared_statement_cache_capacity(64);
    match version(&connection)? {
        FORMAT => {}
        0 => create(layout, &mut connection)?,
        found => {
            let path = layout.root().to_owned();
            return Err(StoreError::Format {
                path,
                found,
                supported: FORMAT,
            });
        }
    }
    Ok(connection)
}

fn version(connection: &Connection) -> Result<u32> {
    Ok(connection.pragma_query_value(None, "user_version", |row| row.get(0))?)
}

/// Switching to WAL does not wait for other processes, so a file lock makes them take turns.
fn create(layout: &Layout, connection: &mut Connection) -> Result<()> {
    let path = layout.root().join("format");
    let lock = File::open(&path).at("open", &path)?;
    lock.lock().at("lock", &path)?;
    if version(connection)? != 0 {
        return Ok(());
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    let transaction = connection.transaction()?;
    transaction.execute_batch(SCHEMA)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()?;
    Ok(())
}
