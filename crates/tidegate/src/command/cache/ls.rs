//! What is in the store: all caches, or one closely.

use std::time::SystemTime;

use serde_json::{Value, json};
use tidegate_run::SavedBy;
use tidegate_store::{Entry, EntryKind, ManifestEntry, Node};

use super::Caches;
use crate::amount::{age, bytes, unix};
use crate::cli::{Format, Global};
use crate::exit::{Exit, Failure};
use crate::store_args::{CacheInspectArgs, CacheLsArgs};
use crate::terminal::print;

/// Prints the caches of the project, or of all.
pub(super) fn list(global: &Global, args: &CacheLsArgs) -> Result<Exit, Failure> {
    let caches = Caches::open(global)?;
    let entries = match args.all {
        false => caches.entries()?,
        true => caches
            .store
            .entries(EntryKind::Cache, None)
            .map_err(|error| Failure::unusable(format!("failed to list the caches: {error}")))?,
    };
    print(&match args.format {
        Format::Json => {
            let entries: Vec<Value> = entries.iter().map(as_json).collect();
            format!("{}\n", json!({ "caches": entries }))
        }
        Format::Human if entries.is_empty() => "no caches\n".to_owned(),
        Format::Human => table(&entries, args.all),
    })?;
    Ok(Exit::Fine)
}

/// Prints one cache: who saved it, with which patterns, and on request its files.
pub(super) fn inspect(global: &Global, args: &CacheInspectArgs) -> Result<Exit, Failure> {
    let caches = Caches::open(global)?;
    let entry = caches.find(&args.key)?;
    let files = match args.files {
        true => paths(&caches, &entry)?,
        false => Vec::new(),
    };
    print(&match args.format {
        Format::Json => {
            let mut value = as_json(&entry);
            if let (true, Some(object)) = (args.files, value.as_object_mut()) {
                object.insert("paths".to_owned(), json!(files));
            }
            format!("{value}\n")
        }
        Format::Human => {
            let files: String = files.iter().map(|path| format!("  {path}\n")).collect();
            description(&entry) + &files
        }
    })?;
    Ok(Exit::Fine)
}

fn table(entries: &[Entry], with_project: bool) -> String {
    let now = SystemTime::now();
    let width = entries.iter().map(|entry| entry.key.chars().count()).max();
    let width = width.unwrap_or_default().min(60);
    let line = |entry: &Entry| {
        let project = match with_project {
            true => format!("  {}", entry.project),
            false => String::new(),
        };
        format!(
            "{:<width$}  {:>9}  {:>7} files  saved {}, used {}{project}\n",
            entry.key,
            bytes(entry.bytes),
            entry.files,
            age(entry.created, now),
            age(entry.last_used, now),
        )
    };
    entries.iter().map(line).collect()
}

fn description(entry: &Entry) -> String {
    let now = SystemTime::now();
    let saved = SavedBy::from_note(&entry.note);
    let mut text = format!(
        "key       {}\nproject   {}\nsize      {} in {} files\nsaved     {} by {}\nlast used {}\nlayers    {}\n",
        entry.key,
        entry.project,
        bytes(entry.bytes),
        entry.files,
        age(entry.created, now),
        match &*saved.job {
            "" => "hand",
            job => job,
        },
        age(entry.last_used, now),
        entry.layers.len(),
    );
    for (pattern, count) in &saved.found {
        text.push_str(&format!(
            "pattern   {pattern} ({count} files and directories)\n"
        ));
    }
    if saved.untracked {
        text.push_str("pattern   everything git does not track\n");
    }
    text
}

fn as_json(entry: &Entry) -> Value {
    let saved = SavedBy::from_note(&entry.note);
    json!({
        "key": entry.key,
        "project": entry.project,
        "bytes": entry.bytes,
        "files": entry.files,
        "layers": entry.layers.len(),
        "created": unix(entry.created),
        "last_used": unix(entry.last_used),
        "job": saved.job,
        "patterns": saved.found.iter().map(|(pattern, _)| pattern).collect::<Vec<_>>(),
        "untracked": saved.untracked,
    })
}

/// The merged view: paths of upper layers replace those of lower ones, deletions remove them.
fn paths(caches: &Caches, entry: &Entry) -> Result<Vec<String>, Failure> {
    let manifest = caches.store.manifest(entry);
    let manifest = manifest
        .map_err(|error| Failure::unusable(format!("failed to read what is in it: {error}")))?;
    let mut merged = std::collections::BTreeMap::new();
    for ManifestEntry { path, node, .. } in manifest {
        match node {
            Node::Whiteout | Node::Directory { opaque: true } => {
                merged.retain(|known: &std::path::PathBuf, _| !known.starts_with(&path));
                if matches!(node, Node::Directory { .. }) {
                    merged.insert(path, node);
                }
            }
            _ => {
                merged.insert(path, node);
            }
        }
    }
    let shown = |(path, node): (&std::path::PathBuf, &Node)| match node {
        Node::Directory { .. } => format!("{}/", path.display()),
        Node::Symlink { target } => format!("{} -> {}", path.display(), target.display()),
        Node::File { .. } | Node::Whiteout => path.display().to_string(),
    };
    Ok(merged.iter().map(shown).collect())
}
