//! Artifacts that jobs of earlier runs of the project left: for jobs that run without those they come from.

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_expr::Variable;
use tidegate_pipeline::Pipeline;
use tidegate_store::{Artifact, ArtifactFilter, Lease, RunId, Store, StoreError};

use crate::dotenv;
use crate::tree_files::tree_files;

/// How many runs are looked through.
const RUNS: usize = 50;

/// Everything the newest run left that has artifacts of the job, leased for `lessee`; empty where no run has any.
///
/// # Errors
/// The store cannot be used, or what was found has just been evicted.
pub(crate) fn newest_artifacts(
    store: &Store,
    runs: &[RunId],
    job: &str,
    lessee: RunId,
) -> Result<Vec<(Artifact, Lease)>, StoreError> {
    for run in runs {
        let all = of_job(store, *run, job)?;
        let Some(last) = all.iter().map(|artifact| artifact.attempt).max() else {
            continue;
        };
        let of_last = all.into_iter().filter(|artifact| artifact.attempt == last);
        return of_last
            .map(|artifact| {
                let lease = store.lease_artifact(&artifact, lessee)?;
                Ok((artifact, lease))
            })
            .collect();
    }
    Ok(Vec::new())
}

/// The runs of the project that artifacts are looked for in, newest first.
///
/// # Errors
/// The store cannot be used.
pub(crate) fn runs_of(store: &Store, project: &str) -> Result<Vec<RunId>, StoreError> {
    let runs = store.runs(Some(project), RUNS)?;
    Ok(runs.into_iter().map(|record| record.id).collect())
}

/// Jobs whose artifacts the pipeline wants from earlier runs of the project and of which no run has any.
///
/// # Errors
/// The store cannot be used.
pub fn missing_artifacts(
    store: &Store,
    project: &str,
    pipeline: &Pipeline,
) -> Result<Vec<Arc<str>>, StoreError> {
    let wanted = pipeline.jobs.iter().flat_map(|job| &job.from_earlier_runs);
    let wanted: BTreeSet<&Arc<str>> = wanted.collect();
    if wanted.is_empty() {
        return Ok(Vec::new());
    }
    let runs = runs_of(store, project)?;
    let mut missing = Vec::new();
    for name in wanted {
        let mut found = false;
        for run in &runs {
            found = found || !of_job(store, *run, name)?.is_empty();
        }
        if !found {
            missing.push(Arc::clone(name));
        }
    }
    Ok(missing)
}

/// Variables out of the dotenv reports among the artifacts; what cannot be read as one was refused when it was made.
pub(crate) fn dotenv_of(artifacts: &[(Artifact, Lease)]) -> impl Iterator<Item = Variable> {
    let reports = artifacts
        .iter()
        .filter(|(artifact, _)| artifact.r#type == "dotenv");
    reports
        .filter_map(|(artifact, _)| dotenv::parse(&tree_files(&artifact.tree)).ok())
        .flatten()
}

fn of_job(store: &Store, run: RunId, job: &str) -> Result<Vec<Artifact>, StoreError> {
    store.find_artifacts(ArtifactFilter {
        run: Some(run),
        job: Some(job),
        ..ArtifactFilter::default()
    })
}
