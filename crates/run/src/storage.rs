//! Caches and artifacts of one job, between its work tree and the store.
//!
//! With layered work trees nothing is restored while a job runs: what it finds stands below its tree from the start, and the
//! stages only say so. What it leaves is linked out of its tree, never copied where linking is possible.

use std::borrow::Cow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::SyncSender;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use tidegate_exec::{
    CancelReason, JobVariables, Storage, StorageContext, StorageFailure, TraceWriter,
};
use tidegate_expr::{ShellError, Variable, expand_as_shell};
use tidegate_pipeline::{
    ArtifactSpec, Attempt, CacheOutcome, CachePolicy, CacheSpec, DependencySpec, EventKind,
    FailureReason, JobIdx, PipelineId,
};
use tidegate_store::{Artifact, RunId, Store};
use tidegate_workspace::{Mode, TreeError, Union, Workspace};

use crate::cache::{ResolvedCache, policy, shown};
use crate::files::{Found, Wanted, entries_below, find};
use crate::message::Message;
use crate::pins::Pins;
use crate::remote::RemoteCaches;

/// How long removing what could not be saved may hold a job.
const CLEANING: Duration = Duration::from_secs(10);

/// What a job's storage shares with the thread that started it.
#[derive(Clone, Default)]
pub(crate) struct Collected {
    /// Variables out of dotenv reports.
    pub(crate) dotenv: Arc<Mutex<Vec<Variable>>>,
    /// Something could not be saved.
    pub(crate) unsaved: Arc<AtomicBool>,
}

/// The patterns of a cache or artifact, expanded.
pub(crate) struct Patterns {
    pub(crate) paths: Vec<String>,
    pub(crate) exclude: Vec<String>,
    pub(crate) untracked: bool,
    /// What is to be said of those that cannot be expanded; they stay as written.
    pub(crate) said: Vec<String>,
}

impl Patterns {
    pub(crate) fn of_cache(cache: &CacheSpec, variables: &JobVariables) -> Patterns {
        let mut said = Vec::new();
        Patterns {
            paths: expanded(&cache.paths, variables, &mut said),
            exclude: Vec::new(),
            untracked: cache.untracked,
            said,
        }
    }

    pub(crate) fn of_artifact(artifact: &ArtifactSpec, variables: &JobVariables) -> Patterns {
        let mut said = Vec::new();
        Patterns {
            paths: expanded(&artifact.paths, variables, &mut said),
            exclude: expanded(&artifact.exclude, variables, &mut said),
            untracked: artifact.untracked,
            said,
        }
    }
}

fn expanded(texts: &[Arc<str>], variables: &JobVariables, said: &mut Vec<String>) -> Vec<String> {
    let texts = texts.iter();
    texts
        .map(|text| {
            in_shell(text, variables).unwrap_or_else(|error| {
                said.push(format!("invalid path \"{text}\": {error}"));
                text.to_string()
            })
        })
        .collect()
}

/// The text as the runner's helper expands it, with the variables of this moment.
pub(crate) fn in_shell(text: &str, variables: &JobVariables) -> Result<String, ShellError> {
    expand_as_shell(text, &|name| variables.get(name).map(Cow::from))
}

/// [`Storage`] of one job.
pub(crate) struct JobStorage {
    pub(crate) store: Store,
    pub(crate) project: String,
    pub(crate) run: RunId,
    /// What the run keeps, with what this job saves.
    pub(crate) pins: Pins,
    pub(crate) job: JobIdx,
    pub(crate) attempt: Attempt,
    pub(crate) job_name: Arc<str>,
    pub(crate) workspace: Arc<Workspace>,
    pub(crate) project_dir: PathBuf,
    pub(crate) tracked: Arc<[PathBuf]>,
    pub(crate) caches: Vec<ResolvedCache>,
    /// Artifacts of other jobs that stand below the tree.
    pub(crate) artifacts: Vec<Artifact>,
    /// What may be uploaded after the caches have been saved.
    pub(crate) uploads: Vec<ArtifactSpec>,
    /// Where caches are shared with other machines.
    pub(crate) remote: Option<Arc<dyn RemoteCaches>>,
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
                trace.caution(notice);
            }
            let key = match &cache.key {
                Ok(key) => key,
                Err(problem) => {
                    trace.info(&format!("Skipping cache extraction due to {problem}"));
                    continue;
                }
            };
            match policy(&cache.spec, context.variables) {
                CachePolicy::PullPush | CachePolicy::Pull => {
                    self.say_restored(cache, context.variables, trace);
                }
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

    fn has_artifacts(&self, dependencies: &[DependencySpec]) -> bool {
        let mut stored = self.artifacts.iter();
        stored.any(|stored| dependencies.iter().any(|from| *from.name == *stored.job))
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
            trace.info(&if artifact.run == self.run {
                format!("Downloading artifacts for {name} ({id})...")
            } else {
                format!(
                    "Downloading artifacts for {name} of run {}...",
                    artifact.run
                )
            });
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
            for notice in &cache.notices {
                trace.caution(notice);
            }
            let key = match &cache.key {
                Ok(key) => Arc::clone(key),
                Err(problem) => {
                    trace.info(&format!("Skipping cache archiving due to {problem}"));
                    continue;
                }
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
            let outcome = match self.save_one(at, &key, context.variables, trace) {
                Ok(outcome) => outcome,
                Err(message) => {
                    // A cache is a help; losing one never fails a job.
                    trace.warning(&message);
                    trace.caution("Failed to create cache");
                    // What could not be saved must not fill the disk for what comes next; if it stays, upkeep finds it.
                    let _ = self.store.empty_trash(CLEANING);
                    self.collected.unsaved.store(true, Ordering::Relaxed);
                    Some(CacheOutcome::SaveFailed)
                }
            };
            if let Some(outcome) = outcome {
                self.share(&key, outcome, context, trace);
                let key = shown(&key, context.variables);
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
        let variables = context.variables;
        let patterns = artifacts.iter();
        let patterns: Vec<_> = patterns
            .map(|artifact| Patterns::of_artifact(artifact, variables))
            .collect();
        for (at, artifact) in artifacts.iter().enumerate() {
            trace.info("Uploading artifacts...");
            let mode = match patterns.split_at_checked(at + 1) {
                Some(([.., this], later)) => self.mode(this, later),
                _ => Mode::Link,
            };
            self.keep_artifact(artifact, mode, variables, trace)?;
        }
        Ok(())
    }
}

impl JobStorage {
    /// Puts what was saved where caches are shared. While the job's log is open: a failure is told there, and nothing is lost with
    /// the end of the process. It never fails the job.
    fn share(
        &self,
        key: &str,
        outcome: CacheOutcome,
        context: &StorageContext<'_>,
        trace: &mut TraceWriter<'_>,
    ) {
        let Some(remote) = self.remote.as_deref().filter(|remote| remote.takes()) else {
            return;
        };
        let (canceller, deadline) = (context.canceller, context.deadline);
        let stop = move || {
            let ends = canceller.reason() >= Some(CancelReason::Interrupted);
            ends || Instant::now() >= deadline
        };
        let shared = match outcome {
            CacheOutcome::Saved => self.give(key, remote, &stop),
            // Unchanged here; there it may be missing.
            CacheOutcome::UpToDate => match remote.is_present(key) {
                Ok(true) => Ok("The remote cache has it already".to_owned()),
                Ok(false) => self.give(key, remote, &stop),
                Err(why) => Err(why),
            },
            _ => return,
        };
        match shared {
            Ok(says) => trace.line(&says),
            Err(why) => {
                trace.warning(&why);
                trace.warning("The cache is kept on this machine only");
            }
        }
    }

    fn give(
        &self,
        key: &str,
        remote: &dyn RemoteCaches,
        stop: &(dyn Fn() -> bool + Sync),
    ) -> Result<String, String> {
        let found = self.store.lease_cache(&self.project, key, self.run);
        let (entry, _lease) = found
            .map_err(|error| error.to_string())?
            .ok_or("the cache is gone from the store already")?;
        remote.keep(&entry, stop)
    }

    fn say_restored(
        &self,
        cache: &ResolvedCache,
        variables: &JobVariables,
        trace: &mut TraceWriter<'_>,
    ) {
        for notice in &cache.fallback_notices {
            trace.caution(notice);
        }
        for tried in &cache.tried {
            trace.info(&format!("Checking cache for {}...", tried.key));
            match &tried.remote {
                Some(Ok(says)) => trace.line(says),
                Some(Err(why)) => trace.warning(why),
                None => {}
            }
            if cache
                .found
                .as_ref()
                .is_some_and(|found| found.key == tried.key)
            {
                trace.info("Successfully extracted cache");
            } else {
                trace.warning("Cache file does not exist");
                trace.caution("Failed to extract cache");
            }
        }
        let key = cache.key.clone().unwrap_or_else(|_| "".into());
        let (key, outcome) = match &cache.found {
            Some(found) if found.exact => (key, CacheOutcome::Hit),
            Some(found) => (found.key.clone(), CacheOutcome::FallbackHit),
            None => (key, CacheOutcome::Miss),
        };
        self.note(cache.index, shown(&key, variables), outcome);
    }

    /// Everything in the tree that these patterns mean.
    pub(crate) fn find(&self, union: &Union, patterns: &Patterns) -> Result<Found, TreeError> {
        let wanted = self.wanted(patterns);
        let entries = entries_below(union, &wanted.roots())?;
        Ok(find(entries, &wanted))
    }

    pub(crate) fn wanted<'w>(&'w self, patterns: &'w Patterns) -> Wanted<'w> {
        Wanted {
            paths: &patterns.paths,
            exclude: &patterns.exclude,
            untracked: patterns.untracked.then_some(&*self.tracked),
            project_dir: &self.project_dir,
        }
    }

    /// What may be done with the job's files when `this` is taken and `later` is still to be taken from the same tree.
    pub(crate) fn mode<'p>(
        &self,
        this: &Patterns,
        later: impl IntoIterator<Item = &'p Patterns>,
    ) -> Mode {
        let mine = self.wanted(this).roots();
        let meet = |theirs: &PathBuf| {
            let mut mine = mine.iter();
            mine.any(|mine| mine.starts_with(theirs) || theirs.starts_with(mine))
        };
        let mut later = later.into_iter();
        if later.any(|patterns| self.wanted(patterns).roots().iter().any(meet)) {
            Mode::Link
        } else {
            Mode::Move
        }
    }

    pub(crate) fn note(&self, index: u32, key: Arc<str>, outcome: CacheOutcome) {
        let (job, attempt) = (self.job, self.attempt);
        self.send(EventKind::Cache {
            job,
            attempt,
            index,
            key,
            outcome,
        });
    }

    pub(crate) fn send(&self, kind: EventKind) {
        let pipeline = PipelineId(self.run.0);
        // An error says that the run is over; nobody is left to be told.
        let _ = self.sender.send(Message::Note { pipeline, kind });
    }
}

pub(crate) fn say(lines: &[(bool, String)], trace: &mut TraceWriter<'_>) {
    for (warning, line) in lines {
        if *warning {
            trace.warning(line);
        } else {
            trace.line(line);
        }
    }
}

pub(crate) fn broken(error: impl std::fmt::Display) -> StorageFailure {
    StorageFailure {
        message: error.to_string(),
        reason: FailureReason::RunnerSystemFailure,
    }
}

pub(crate) fn failure(message: String) -> StorageFailure {
    StorageFailure {
        message,
        reason: FailureReason::ScriptFailure,
    }
}
