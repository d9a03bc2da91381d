//! Blobs: bytes by digest, and names for them. Small things such as fetched includes.
//!
//! They live in the index itself: one transaction, no file each.

use std::time::SystemTime;

use rusqlite::{OptionalExtension, Transaction, params};

use crate::Store;
use crate::clock;
use crate::digest::Digest;
use crate::error::{Result, StoreError};

/// What a name stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Remembered {
    /// The digest of the bytes.
    pub digest: Digest,
    /// The bytes.
    pub bytes: Vec<u8>,
    /// When they were last given.
    pub stored: SystemTime,
}

impl Store {
    /// Keeps bytes under their digest. Doing so again changes nothing but their age.
    pub fn put_blob(&self, bytes: &[u8]) -> Result<Digest> {
        let packed = pack(bytes)?;
        let digest = Digest::of(bytes);
        self.write(|transaction| insert(transaction, digest, &packed))?;
        Ok(digest)
    }

    /// The bytes of a digest; checked, so that damage is an error and not another text.
    pub fn blob(&self, digest: Digest) -> Result<Option<Vec<u8>>> {
        let packed: Option<Vec<u8>> = self.read(|connection| {
            let mut statement =
                connection.prepare_cached("SELECT packed FROM blobs WHERE digest = ?")?;
            Ok(statement
                .query_row([digest.as_bytes()], |row| row.get(0))
                .optional()?)
        })?;
        packed.map(|packed| unpack(digest, &packed)).transpose()
    }

    /// Keeps bytes under a name of a space, say the address of a remote include.
    pub fn remember(&self, space: &str, name: &str, bytes: &[u8]) -> Result<Digest> {
        let packed = pack(bytes)?;
        let digest = Digest::of(bytes);
        self.write(|transaction| {
            insert(transaction, digest, &packed)?;
            transaction
                .prepare_cached(
                    "INSERT INTO names (space, name, digest, stored) VALUES (?1, ?2, ?3, ?4)
                     ON CONFLICT DO UPDATE SET digest = ?3, stored = ?4",
                )?
                .execute(params![space, name, digest.as_bytes(), clock::now()])?;
            Ok(digest)
        })
    }

    /// What a name stands for.
    pub fn recall(&self, space: &str, name: &str) -> Result<Option<Remembered>> {
        let row: Option<([u8; 32], i64)> = self.read(|connection| {
            let mut statement = connection
                .prepare_cached("SELECT digest, stored FROM names WHERE space = ? AND name = ?")?;
            let row = statement
                .query_row([space, name], |row| Ok((row.get(0)?, row.get(1)?)))
                .optional()?;
            Ok(row)
        })?;
        let Some((digest, stored)) = row else {
            return Ok(None);
        };
        let digest = Digest::from_bytes(digest);
        let Some(bytes) = self.blob(digest)? else {
            return Ok(None);
        };
        Ok(Some(Remembered {
            digest,
            bytes,
            stored: clock::from_micros(stored),
        }))
    }

    /// Removes names, and blobs no name stands for, that are older than `before`.
    pub fn forget_before(&self, before: SystemTime) -> Result<usize> {
        let before = clock::to_micros(before);
        self.write(|transaction| {
            let names = transaction.execute("DELETE FROM names WHERE stored < ?", [before])?;
            transaction.execute(
                "DELETE FROM blobs WHERE stored < ? AND digest NOT IN (SELECT digest FROM names)",
                [before],
            )?;
            Ok(names)
        })
    }
}

fn insert(transaction: &Transaction<'_>, digest: Digest, packed: &[u8]) -> Result<()> {
    transaction
        .prepare_cached(
            "INSERT INTO blobs (digest, packed, stored) VALUES (?1, ?2, ?3)
             ON CONFLICT DO UPDATE SET packed = ?2, stored = ?3",
        )?
        .execute(params![digest.as_bytes(), packed, clock::now()])?;
    Ok(())
}

fn pack(bytes: &[u8]) -> Result<Vec<u8>> {
    zstd::encode_all(bytes, 3)
        .map_err(|error| StoreError::io("pack", std::path::Path::new("a blob"), error))
}

fn unpack(digest: Digest, packed: &[u8]) -> Result<Vec<u8>> {
    let damaged = |why: &str| StoreError::Damaged {
        what: format!("blob {digest}"),
        why: why.to_owned(),
    };
    let bytes = zstd::decode_all(packed).map_err(|error| damaged(&error.to_string()))?;
    match Digest::of(&bytes) == digest {
        true => Ok(bytes),
        false => Err(damaged("its bytes have another digest")),
    }
}
