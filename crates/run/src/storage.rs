//! Caches and artifacts of one job, between its work tree and the store.
//!
//! With layered work trees nothing is restored while a job runs: what it finds stands below its tree from the start, and the
//! stages only say so. What it leaves is linked out of its tree, never copied where linking is possible.

use std::path::{Path, PathBuf};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex, PoisonError};

use tidegate_exec::{JobVariables, Storage, StorageContext, StorageFailure, TraceWriter};
use tidegate_expr::Variable;
use tidegate_pipeline::{
    ArtifactSpec, Attempt, CacheOutcome, CachePolicy, CacheSpec, DependencySpec, EventKind,
    FailureReason, JobIdx, PushIf,
};
use tidegate_store::{Artifact, NewArtifact, NewEntry, RunId, Store};
use tidegate_workspace::{Change, Kind, Mode, Workspace, collect};

use crate::cache::{ResolvedCache, policy};
use crate::dotenv;
use crate::files::{Found, Wanted, find};
use crate::message::Message;

/// What a job's storage shares with the thread that started it.
#[derive(Clone, Default)]
pub(crate) struct Collected {
    /// Variables out of dotenv reports.
    pub(crate) dotenv: Arc<Mutex<Vec<Variable>>>,
}

/// [`Storage`] of one job.
pub(crate) struct JobStorage {
    pub(crate) store: Store,
    pub(crate) project: String,
    pub(crate) run: RunId,
    pub(crate) job: JobIdx,
    pub(crate) attempt: Attempt,
    pub(crate) job_name: Arc<str>,
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) project_dir: PathBuf,
    pub(crate) tracked: Arc<[PathBuf]>,
    pub(crate) caches: Vec<ResolvedCache>,
    pub(crate) artifacts: Vec<Artifact>,
    pub(crate) sender: SyncSender<Message>,
    pub(crate) collected: Collected,
}

impl Storage for JobStorage {
    fn restore_cache(
        &mut self,
        _: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        for cache in &self.caches {
            if cache.spec.paths.is_empty() && !cache.spec.untracked {
                continue;
            }
            for notice in &cache.notices {
                trace.warning(notice);
            }
            let key = match &cache.key {
                Ok(key) => key,
                Err(problem) => {
                    trace.warning(problem);
                    trace.warning("Skipping cache extraction due to empty cache key");
                    continue;
                }
            };
            match policy(&cache.spec, context.variables) {
                CachePolicy::PullPush | CachePolicy::Pull => self.say_restored(cache, trace),
                CachePolicy::Push => {
                    trace.info(&format!("Not downloading cache {key} due to policy"));
                }
                CachePolicy::Text(text) => {
                    return Err(failure(format!("unknown cache policy {text} for {key}")));
                }
            }
        }
        Ok(())
    }

    fn download_artifacts(
        &mut self,
        dependencies: &[DependencySpec],
        _: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        for dependency in dependencies {
            let (name, id) = (&dependency.name, dependency.job_id);
            let artifact = self
                .artifacts
                .iter()
                .find(|artifact| artifact.job == **name);
            let Some(artifact) = artifact else { continue };
            trace.info(&format!("Downloading artifacts for {name} ({id})..."));
            trace.line(&format!(
                "{} files, {} bytes",
                artifact.files, artifact.bytes
            ));
        }
        Ok(())
    }

    fn save_cache(
        &mut self,
        wanted: &[&CacheSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        for at in 0..self.caches.len() {
            let cache = &self.caches[at];
            let holds_something = !cache.spec.paths.is_empty() || cache.spec.untracked;
            if !holds_something || !wanted.iter().any(|spec| **spec == cache.spec) {
                continue;
            }
            let Ok(key) = cache.key.clone() else {
                trace.warning("Skipping cache archiving due to empty cache key");
                continue;
            };
            match policy(&cache.spec, context.variables) {
                CachePolicy::PullPush | CachePolicy::Push => {}
                CachePolicy::Pull => {
                    trace.info(&format!("Not uploading cache {key} due to policy"));
                    continue;
                }
                CachePolicy::Text(text) => {
                    return Err(failure(format!("unknown cache policy {text} for {key}")));
                }
            }
            trace.info(&format!("Creating cache {key}..."));
            let outcome = match self.save_one(cache, &key, context.variables, trace) {
                Ok(outcome) => outcome,
                Err(message) => {
                    // A cache is a help; losing one never fails a job.
                    trace.warning(&message);
                    trace.warning("Failed to create cache");
                    Some(CacheOutcome::SaveFailed)
                }
            };
            if let Some(outcome) = outcome {
                self.note(self.caches[at].index, key, outcome);
            }
        }
        Ok(())
    }

    fn upload_artifacts(
        &mut self,
        artifacts: &[&ArtifactSpec],
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        for artifact in artifacts {
            trace.info("Uploading artifacts...");
            self.keep(artifact, context.variables, trace)?;
        }
        Ok(())
    }
}

impl JobStorage {
    fn say_restored(&self, cache: &ResolvedCache, trace: &mut TraceWriter<'_>) {
        for tried in &cache.tried {
            trace.info(&format!("Checking cache for {tried}..."));
            if cache
                .found
                .as_ref()
                .is_some_and(|found| found.key == *tried)
            {
                trace.info("Successfully extracted cache");
            } else {
                trace.warning("Cache file does not exist");
                trace.warning("Failed to extract cache");
            }
        }
        let key = cache.key.clone().unwrap_or_else(|_| "".into());
        let (key, outcome) = match &cache.found {
            Some(found) if found.exact => (key, CacheOutcome::Hit),
            Some(found) => (found.key.clone(), CacheOutcome::FallbackHit),
            None => (key, CacheOutcome::Miss),
        };
        self.note(cache.index, key, outcome);
    }

    /// Saves a cache; `None` where there is nothing to save.
    fn save_one(
        &self,
        cache: &ResolvedCache,
        key: &Arc<str>,
        variables: &JobVariables,
        trace: &mut TraceWriter<'_>,
    ) -> Result<Option<CacheOutcome>, String> {
        let exact = cache.found.as_ref().filter(|found| found.exact);
        if cache.spec.push_if == PushIf::Miss && exact.is_some() {
            trace.line("The cache was restored under its own key; push_if: miss saves nothing.");
            return Ok(Some(CacheOutcome::UpToDate));
        }
        let found = self.find(&cache.spec.paths, &[], cache.spec.untracked, variables)?;
        say(&found, trace);
        if found.paths.is_empty() {
            trace.warning("No files to cache.");
            return Ok(None);
        }
        if let Some(exact) = exact
            && cache.spec.push_if == PushIf::Changed
            && self.is_up_to_date(&found, exact.entry.files)?
        {
            trace.line("Archive is up to date!");
            trace.info("Created cache");
            return Ok(Some(CacheOutcome::UpToDate));
        }
        let staging = self.store.staging().map_err(text)?;
        let tree = staging.tree("cache").map_err(text)?;
        let union = self.workspace.union().map_err(text)?;
        let taken = collect(&union, &found.paths, tree.path(), Mode::Link).map_err(text)?;
        for refused in &taken.refused {
            trace.warning(&refused.to_string());
        }
        let new = NewEntry {
            project: &self.project,
            key,
            note: &self.job_name,
        };
        self.store.put_cache(new, tree).map_err(text)?;
        trace.info("Created cache");
        Ok(Some(CacheOutcome::Saved))
    }

    /// Whether the files to save are exactly those of the entry that was restored: none changed, none added, none gone.
    fn is_up_to_date(&self, found: &Found, restored: u64) -> Result<bool, String> {
        let changes = self.workspace.changes().map_err(text)?;
        let files = changes
            .iter()
            .filter(|change: &&Change| change.kind != Kind::Dir);
        let touched = files
            .into_iter()
            .any(|change| found.paths.binary_search(&change.path).is_ok());
        if touched {
            return Ok(false);
        }
        let union = self.workspace.union().map_err(text)?;
        let mut files = 0;
        for path in &found.paths {
            let entry = union.lookup(path).map_err(text)?;
            files += u64::from(entry.is_some_and(|entry| entry.kind != Kind::Dir));
        }
        Ok(files == restored)
    }

    fn keep(
        &self,
        artifact: &ArtifactSpec,
        variables: &JobVariables,
        trace: &mut TraceWriter<'_>,
    ) -> Result<(), StorageFailure> {
        let broken = |message: String| StorageFailure {
            message,
            reason: FailureReason::RunnerSystemFailure,
        };
        let found = self
            .find(
                &artifact.paths,
                &artifact.exclude,
                artifact.untracked,
                variables,
            )
            .map_err(broken)?;
        say(&found, trace);
        if found.paths.is_empty() {
            trace.error("No files to upload");
            return Ok(());
        }
        let union = self
            .workspace
            .union()
            .map_err(|error| broken(error.to_string()))?;
        if &*artifact.kind == "dotenv" {
            let mut files = Vec::new();
            for path in &found.paths {
                if union
                    .lookup(path)
                    .is_ok_and(|e| e.is_some_and(|e| e.kind == Kind::File))
                {
                    files.push(
                        union
                            .read(path)
                            .map_err(|error| broken(error.to_string()))?,
                    );
                }
            }
            let variables = dotenv::parse(&files).map_err(|error| {
                trace.error(&error.to_string());
                failure("exit status 1".to_owned())
            })?;
            let mut collected = self
                .collected
                .dotenv
                .lock()
                .unwrap_or_else(PoisonError::into_inner);
            collected.extend(variables);
        }
        let staging = self
            .store
            .staging()
            .map_err(|error| broken(error.to_string()))?;
        let tree = staging
            .tree("artifacts")
            .map_err(|error| broken(error.to_string()))?;
        let taken = collect(&union, &found.paths, tree.path(), Mode::Link)
            .map_err(|error| broken(error.to_string()))?;
        for refused in &taken.refused {
            trace.warning(&refused.to_string());
        }
        let name = artifact.name.as_deref().map(|name| variables.expand(name));
        let name = name
            .filter(|name| !name.is_empty())
            .unwrap_or_else(|| match &*artifact.kind {
                "archive" => "artifacts".to_owned(),
                kind => kind.to_owned(),
            });
        let new = NewArtifact {
            run: self.run,
            job: &self.job_name,
            attempt: self.attempt.0,
            name: &name,
            r#type: &artifact.kind,
            expire_in: artifact.expire_in,
        };
        let kept = self
            .store
            .put_artifacts(new, tree)
            .map_err(|error| broken(error.to_string()))?;
        trace.line(&format!(
            "Stored artifacts as \"{}\": {} files, {} bytes",
            artifact.kind, kept.files, kept.bytes
        ));
        self.send(EventKind::Artifacts {
            job: self.job,
            attempt: self.attempt,
            kind: artifact.kind.clone(),
            files: kept.files,
            bytes: kept.bytes,
        });
        Ok(())
    }

    fn find(
        &self,
        paths: &[Arc<str>],
        exclude: &[Arc<str>],
        untracked: bool,
        variables: &JobVariables,
    ) -> Result<Found, String> {
        let expanded = |texts: &[Arc<str>]| -> Vec<String> {
            texts.iter().map(|text| variables.expand(text)).collect()
        };
        let (paths, exclude) = (expanded(paths), expanded(exclude));
        let union = self.workspace.union().map_err(text)?;
        let walk = union.walk(Path::new("")).map_err(text)?;
        let wanted = Wanted {
            paths: &paths,
            exclude: &exclude,
            untracked: untracked.then_some(&*self.tracked),
            project_dir: &self.project_dir,
        };
        Ok(find(&walk.entries, &wanted))
    }

    fn note(&self, index: u32, key: Arc<str>, outcome: CacheOutcome) {
        let (job, attempt) = (self.job, self.attempt);
        self.send(EventKind::Cache {
            job,
            attempt,
            index,
            key,
            outcome,
        });
    }

    fn send(&self, kind: EventKind) {
        // An error says that the run is over; nobody is left to be told.
        let _ = self.sender.send(Message::Note(kind));
    }
}

fn say(found: &Found, trace: &mut TraceWriter<'_>) {
    for (warning, line) in &found.said {
        if *warning {
            trace.warning(line);
        } else {
            trace.line(line);
        }
    }
}

fn failure(message: String) -> StorageFailure {
    StorageFailure {
        message,
        reason: FailureReason::ScriptFailure,
    }
}

fn text(error: impl std::fmt::Display) -> String {
    error.to_string()
}
