//! `needs:project`: what jobs of projects on this machine left (reference `compose.md` §5.5).

use tidegate_pipeline::{EventKind, JobIdx, PipelineId, Status};
use tidegate_run::{Journal, ProjectNeed, StoredRun};
use tidegate_store::{Artifact, ArtifactFilter, RunId};

use super::project::Found;
use super::{Downstream, Origin};
use crate::exit::Failure;

/// Runs of a project that are looked through.
const RUNS: usize = 50;

impl Downstream {
    /// What the newest successful job of that name and ref left in a run of the mapped directory.
    pub(super) fn left_elsewhere(&self, wanted: &ProjectNeed) -> Result<Vec<Artifact>, Failure> {
        let ProjectNeed {
            project,
            reference,
            job,
            origin,
        } = wanted;
        let asked = format!("`needs` asks for the job `{job}` of {project} on `{reference}`");
        let above = Origin::read(origin)?;
        let mapped = match self.mapped(&above, project)? {
            Found::Mapped(mapped) => mapped.project,
            Found::Nowhere(why) => return Err(Failure::unusable(format!("{asked}: {why}"))),
        };
        let broken = |error: &dyn std::fmt::Display| Failure::unusable(format!("{asked}: {error}"));
        let runs = self.store.runs(Some(&mapped.key()), RUNS);
        for run in runs.map_err(|error| broken(&error))? {
            let Ok(facts) = StoredRun::load(&self.store, run.id) else {
                continue;
            };
            let found = facts.pipeline.find(job);
            let Some(at) = found.filter(|_| facts.git.ref_name == *reference) else {
                continue;
            };
            let Some(attempt) = self.passed(run.id, at) else {
                continue;
            };
            let filter = ArtifactFilter {
                run: Some(run.id),
                job: Some(job),
                attempt: Some(attempt),
                r#type: None,
            };
            let left = self.store.find_artifacts(filter);
            return left.map_err(|error| broken(&error));
        }
        let place = mapped.checkout.root.display();
        Err(Failure::unusable(format!(
            "{asked}: no run in {place} has one that passed"
        )))
    }

    /// The try of a job in which it passed, where that is its last.
    fn passed(&self, run: RunId, wanted: JobIdx) -> Option<u32> {
        let journal = Journal::read(&self.store, run).ok()?;
        let own = journal.events.iter().rev();
        let mut statuses = own
            .filter(|event| event.pipeline == PipelineId(run.0))
            .filter_map(|event| match event.kind {
                EventKind::JobStatus {
                    job,
                    attempt,
                    status,
                    ..
                } if job == wanted => Some((attempt, status)),
                _ => None,
            });
        let (attempt, status) = statuses.next()?;
        (status == Status::Success).then_some(attempt.0)
    }
}
