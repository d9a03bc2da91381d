//! What comes after the scripts: caches, artifacts, and cleaning up.

use tidegate_pipeline::{CacheSpec, CacheWhen};

use super::Driver;
use super::failure::JobError;
use super::phase::{Phase, StageBounds};
use crate::supervisor::owner::Supervisor;

impl Driver {
    pub(super) fn save_cache(&mut self, succeeded: bool) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let caches: Vec<_> = spec
            .caches
            .iter()
            .filter(|cache| names_files(cache) && fits(cache.when, succeeded))
            .collect();
        if caches.is_empty() {
            return Ok(());
        }
        let names = match succeeded {
            true => ("archive_cache", "Saving cache for successful job"),
            false => ("archive_cache_on_failure", "Saving cache for failed job"),
        };
        self.storage_stage(names, Phase::After, succeeded, |storage, context, trace| {
            storage.save_cache(&caches, context, trace)
        })
    }

    pub(super) fn upload_artifacts(&mut self, succeeded: bool) -> Result<(), JobError> {
        let spec = self.run.spec.clone();
        let artifacts: Vec<_> = spec
            .artifacts
            .iter()
            .filter(|artifact| fits(artifact.when, succeeded))
            .collect();
        if artifacts.is_empty() {
            return Ok(());
        }
        let names = match succeeded {
            true => (
                "upload_artifacts_on_success",
                "Uploading artifacts for successful job",
            ),
            false => (
                "upload_artifacts_on_failure",
                "Uploading artifacts for failed job",
            ),
        };
        self.storage_stage(names, Phase::After, succeeded, |storage, context, trace| {
            storage.upload_artifacts(&artifacts, context, trace)
        })
    }

    pub(super) fn cleanup(&mut self, supervisor: &mut Supervisor) {
        let (name, headline) = (
            "cleanup_file_variables",
            "Cleaning up project directory and file based variables",
        );
        self.look_at_login();
        if self.greeting().is_some() {
            let _ = self.spoken(name, headline, b"", Phase::After);
            return;
        }
        let script = self.script(|scripts| scripts.cleanup());
        let bounds = StageBounds {
            deadline: None,
            phase: Phase::After,
        };
        // Nothing depends on it: the directory goes with the supervisor.
        let _ = self.stage(supervisor, name, headline, &script, bounds);
    }
}

/// Whether the cache means any files. One that only goes one way by its policy still has its section, which says so.
pub(super) fn names_files(cache: &CacheSpec) -> bool {
    !cache.paths.is_empty() || cache.untracked
}

fn fits(when: CacheWhen, succeeded: bool) -> bool {
    match when {
        CacheWhen::OnSuccess => succeeded,
        CacheWhen::OnFailure => !succeeded,
        CacheWhen::Always => true,
    }
}
