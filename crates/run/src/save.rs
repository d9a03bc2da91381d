//! Saving one cache of a job.
//!
//! What a job made itself is moved out of its tree where nothing later wants it, whole directories in one step. Where an entry was
//! restored and the same patterns are saved again, only what the job changed is looked at and stored, as a layer above that
//! entry; nothing is then walked but what the job wrote.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_exec::{JobVariables, TraceWriter};
use tidegate_pipeline::{CacheOutcome, PushIf};
use tidegate_store::{Entry, NewEntry};
use tidegate_workspace::{Kind, Layer, Mode, Origin, TreeError, Union, What, collect};

use crate::cache::ResolvedCache;
use crate::files::{Found, Wanted, entries_below, find, found_line};
use crate::gather::{complain, gather};
use crate::saved_by::SavedBy;
use crate::snapshot::layers;
use crate::storage::{JobStorage, Patterns, say};

/// How the files to save differ from the entry that was restored: additions and changes only.
struct Delta {
    /// Paths that are new or changed, sorted.
    paths: Vec<PathBuf>,
    /// What the patterns mean now.
    counts: Vec<u64>,
}

impl JobStorage {
    /// Saves the cache at `at`; `None` where there is nothing to save.
    pub(crate) fn save_one(
        &self,
        at: usize,
        key: &Arc<str>,
        variables: &JobVariables,
        trace: &mut TraceWriter<'_>,
    ) -> Result<Option<CacheOutcome>, String> {
        let Some(cache) = self.caches.get(at) else {
            return Ok(None);
        };
        let exact = cache.found.as_ref().filter(|found| found.exact);
        if cache.spec.push_if == PushIf::Miss && exact.is_some() {
            trace.line("The cache was restored under its own key; push_if: miss saves nothing.");
            return Ok(Some(CacheOutcome::UpToDate));
        }
        let patterns = Patterns::of_cache(&cache.spec, variables);
        patterns.said.iter().for_each(|text| trace.warning(text));
        if let Some(found) = &cache.found
            && let Some(delta) = self.delta(&found.entry, &patterns).map_err(text)?
        {
            return self.save_delta(cache, key, &patterns, &delta, trace);
        }
        let later = self.later(at, variables);
        let mode = self.mode(&patterns, &later);
        self.save_whole(cache, key, &patterns, mode, trace)
    }

    /// The patterns of what may still be taken from the tree after the cache at `at`.
    fn later(&self, at: usize, variables: &JobVariables) -> Vec<Patterns> {
        let caches = self.caches.iter().skip(at + 1);
        let caches = caches.map(|cache| Patterns::of_cache(&cache.spec, variables));
        let uploads = self.uploads.iter();
        let uploads = uploads.map(|artifact| Patterns::of_artifact(artifact, variables));
        caches.chain(uploads).collect()
    }

    fn save_whole(
        &self,
        cache: &ResolvedCache,
        key: &str,
        patterns: &Patterns,
        mode: Mode,
        trace: &mut TraceWriter<'_>,
    ) -> Result<Option<CacheOutcome>, String> {
        // Before the tree is looked at: that takes the disk as long as it takes the processor.
        let early = self.store.settle_early();
        let union = self.workspace.union().map_err(text)?;
        let found = self.find(&union, patterns).map_err(text)?;
        say(&found.said, trace);
        if found.entries.is_empty() {
            trace.warning("No files to cache.");
            return Ok(None);
        }
        let exact = cache.found.as_ref().filter(|found| found.exact);
        if let Some(exact) = exact
            && cache.spec.push_if == PushIf::Changed
            && self.is_up_to_date(&found, &exact.entry).map_err(text)?
        {
            return Ok(Some(up_to_date(trace)));
        }
        let entries = found.entries.iter();
        let made = entries.filter(|entry| entry.origin == Origin::Upper);
        let bytes = made.map(|entry| entry.size).sum();
        let settling = self.store.settle_soon(bytes, early);
        let staging = self.store.staging().map_err(text)?;
        let tree = staging.tree("cache").map_err(text)?;
        let note = self.note_of(patterns, &found.counts);
        let tree = gather(&union, found.entries, tree, mode, trace)?;
        let new = NewEntry {
            project: &self.project,
            key,
            note: &note,
        };
        let entry = self.store.put_cache(new, tree).map_err(text)?;
        if let Some(settling) = settling {
            settling.saved();
        }
        self.keep(entry);
        trace.info("Created cache");
        Ok(Some(CacheOutcome::Saved))
    }

    fn save_delta(
        &self,
        cache: &ResolvedCache,
        key: &str,
        patterns: &Patterns,
        delta: &Delta,
        trace: &mut TraceWriter<'_>,
    ) -> Result<Option<CacheOutcome>, String> {
        let Some(base) = &cache.found else {
            return Ok(None);
        };
        let counted = patterns.paths.iter().zip(&delta.counts);
        let said = counted.map(|(pattern, count)| found_line(pattern, *count, &self.project_dir));
        say(&said.collect::<Vec<_>>(), trace);
        if delta.paths.is_empty() && base.exact && cache.spec.push_if == PushIf::Changed {
            return Ok(Some(up_to_date(trace)));
        }
        let staging = self.store.staging().map_err(text)?;
        let tree = staging.tree("cache").map_err(text)?;
        let union = self.workspace.union().map_err(text)?;
        let taken = collect(&union, &delta.paths, tree.path(), Mode::Link).map_err(text)?;
        complain(&taken.refused, trace);
        let note = self.note_of(patterns, &delta.counts);
        let new = NewEntry {
            project: &self.project,
            key,
            note: &note,
        };
        let put = self.store.put_cache_delta(new, &base.entry, tree, &[]);
        self.keep(put.map_err(text)?);
        trace.info("Created cache");
        Ok(Some(CacheOutcome::Saved))
    }

    /// Keeps what was saved for the jobs that come after this one.
    fn keep(&self, entry: Entry) {
        // Removed already: then it is missing, as it would be had it not been saved. Nor does a job fail that could save.
        let _ = self.pins.saved(&self.store, self.run, entry);
    }

    fn note_of(&self, patterns: &Patterns, counts: &[u64]) -> String {
        let counted = patterns.paths.iter().cloned().zip(counts.iter().copied());
        let saved = SavedBy {
            job: self.job_name.to_string(),
            found: counted.collect(),
            untracked: patterns.untracked,
        };
        saved.to_note()
    }

    /// What to save above `entry`, which was restored; `None` where only a look at everything can tell.
    ///
    /// A deletion needs everything, too: as a mark in a layer it would also hide what a later checkout brings.
    fn delta(&self, entry: &Entry, patterns: &Patterns) -> Result<Option<Delta>, TreeError> {
        let saved = SavedBy::from_note(&entry.note);
        if patterns.untracked || !saved.has_patterns(&patterns.paths, false) {
            return Ok(None);
        }
        let wanted = self.wanted(patterns);
        if !self.entry_is_all(entry, &wanted)? {
            return Ok(None);
        }
        let meanings = wanted.meanings();
        let mut counts: Vec<u64> = saved.found.iter().map(|(_, count)| *count).collect();
        let mut paths = Vec::new();
        for change in self.workspace.changes()? {
            let meant: Vec<bool> = meanings.iter().map(|m| m.includes(&change.path)).collect();
            if !meant.contains(&true) {
                continue;
            }
            match change.what {
                What::Deleted => return Ok(None),
                What::Modified => {}
                What::Added => {
                    let counted = counts.iter_mut().zip(&meant);
                    counted.for_each(|(count, meant)| *count += u64::from(*meant));
                }
            }
            paths.push(change.path);
        }
        Ok(Some(Delta { paths, counts }))
    }

    /// Whether all that the job was given of what is wanted is in the entry: the layers below have nothing that it lacks, those
    /// above nothing at all.
    fn entry_is_all(&self, entry: &Entry, wanted: &Wanted<'_>) -> Result<bool, TreeError> {
        let stack = &self.workspace.spec().layers;
        let is_own = |layer: &Layer| entry.layers.contains(&layer.path);
        let Some(first) = stack.iter().position(is_own) else {
            return Ok(false);
        };
        let (below, rest) = stack.split_at(first);
        let above = rest.get(entry.layers.len()..).unwrap_or_default();
        let own = rest.get(..entry.layers.len()).unwrap_or_default();
        if own.len() != entry.layers.len() || !own.iter().all(is_own) {
            return Ok(false);
        }
        let roots = wanted.roots();
        let wanted_in = |layers: &[Layer]| -> Result<Vec<PathBuf>, TreeError> {
            let entries = entries_below(&Union::of_layers(layers)?, &roots)?;
            let found = find(entries, wanted).entries.into_iter();
            let files = found.filter(|entry| entry.kind != Kind::Dir);
            Ok(files.map(|entry| entry.path).collect())
        };
        if !above.is_empty() && !wanted_in(above)?.is_empty() {
            return Ok(false);
        }
        let own = Union::of_layers(own)?;
        for path in wanted_in(below)? {
            if own.lookup(&path)?.is_none() {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Whether the files to save are exactly those of the entry that was restored: none changed, none added, none gone.
    fn is_up_to_date(&self, found: &Found, entry: &Entry) -> Result<bool, TreeError> {
        let restored = Union::of_layers(&layers(&entry.layers))?.walk(Path::new(""))?;
        let mut restored: BTreeMap<PathBuf, _> = restored
            .into_iter()
            .filter(|entry| entry.kind != Kind::Dir)
            .map(|entry| (entry.path.clone(), entry))
            .collect();
        for now in found.entries.iter().filter(|now| now.kind != Kind::Dir) {
            let Some(was) = restored.remove(&now.path) else {
                return Ok(false);
            };
            let alike = |e: &tidegate_workspace::Entry| (e.kind, e.mode, e.size, e.mtime);
            if alike(&was) != alike(now) {
                return Ok(false);
            }
        }
        if !restored.is_empty() {
            return Ok(false);
        }
        let changes = self.workspace.changes()?;
        let mut files = changes.iter().filter(|change| change.kind != Kind::Dir);
        let is_found = |path: &PathBuf| {
            let place = found.entries.binary_search_by(|entry| entry.path.cmp(path));
            place.is_ok()
        };
        Ok(!files.any(|change| is_found(&change.path)))
    }
}

fn up_to_date(trace: &mut TraceWriter<'_>) -> CacheOutcome {
    trace.line("Archive is up to date!");
    trace.info("Created cache");
    CacheOutcome::UpToDate
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
