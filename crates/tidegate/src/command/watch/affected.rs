//! Which jobs a change of files touches.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tidegate_pipeline::{Job, JobIdx, Pipeline};
use tidegate_plan::Plan;
use tidegate_source::{IncludeKind, Origin};

use crate::command::run::Planned;
use crate::exit::Failure;
use crate::project::Project;

/// What is known of the last time.
#[derive(Default)]
pub(super) struct Before {
    /// The whole pipeline, as it was planned.
    pipeline: Option<Arc<Pipeline>>,
    /// Whether each job came to a result when it last had a chance to.
    results: BTreeMap<Arc<str>, bool>,
}

impl Before {
    /// A pipeline was planned.
    pub(super) fn planned(&mut self, whole: Arc<Pipeline>) {
        self.pipeline = Some(whole);
    }

    /// Jobs came to a result of their own, or did not.
    pub(super) fn ran(&mut self, jobs: impl Iterator<Item = (Arc<str>, bool)>) {
        self.results.extend(jobs);
    }

    fn job(&self, name: &str) -> Option<&Job> {
        let pipeline = self.pipeline.as_ref()?;
        pipeline.find(name).map(|at| pipeline.job(at))
    }
}

/// The part of the planned pipeline that the changed files touch.
///
/// A job is touched where it would enter a pipeline in which nothing else had changed: one whose `changes` name other files is
/// not, one without `changes` is. A job is touched as well where the key of a cache of it is another now, where it gets artifacts
/// of a touched job, and where it has had no result yet. A change of the configuration touches all.
pub(super) fn affected(
    project: &Project,
    planned: &Planned,
    changed: &[PathBuf],
    before: &Before,
) -> Result<Arc<Pipeline>, Failure> {
    let pipeline = &planned.pipeline;
    if changed.iter().any(|path| configures(planned, path)) {
        return Ok(Arc::clone(pipeline));
    }
    let paths = changed.iter();
    let paths = paths.map(|path| path.to_string_lossy().into_owned());
    let touching = project
        .plan_if_changed(&planned.loaded, paths.collect())?
        .ok_or_else(Failure::shown)?;
    let mut touched: BTreeSet<JobIdx> = pipeline
        .indexed()
        .filter(|(_, job)| enters(&touching, &job.name) || has_other_keys(job, before))
        .map(|(at, _)| at)
        .collect();
    if touched.is_empty() {
        return Ok(Arc::new(pipeline.only(|_, _| false)));
    }
    let unfinished = pipeline.indexed().filter(|(_, job)| {
        let result = before.results.get(&job.name);
        !result.copied().unwrap_or(false)
    });
    touched.extend(unfinished.map(|(at, _)| at));
    add_consumers(pipeline, &mut touched);
    Ok(Arc::new(pipeline.only(|at, _| touched.contains(&at))))
}

/// Whether the file is part of the configuration, or of the settings it is read with.
fn configures(planned: &Planned, path: &Path) -> bool {
    let of_project = |origin: &Origin| match origin {
        Origin::Root => true,
        Origin::Included { kind, .. } => *kind == IncludeKind::Local,
        Origin::Given | Origin::Made => false,
    };
    let mut files = planned.loaded.sources.files();
    path == Path::new("tidegate.toml")
        || files.any(|(_, file)| {
            of_project(&file.origin) && Path::new(file.name.trim_start_matches('/')) == path
        })
}

fn enters(plan: &Plan, name: &str) -> bool {
    plan.decision(name)
        .is_some_and(|decision| decision.job().is_some())
}

/// The files of `cache:key:files` are in the key, so that a change of theirs is a change of it.
fn has_other_keys(job: &Job, before: &Before) -> bool {
    let keys = |job: &Job| job.build().map(|build| build.cache_keys.clone());
    before
        .job(&job.name)
        .is_some_and(|known| keys(known) != keys(job))
}

/// Adds the jobs that get artifacts of touched ones, directly or not.
fn add_consumers(pipeline: &Pipeline, touched: &mut BTreeSet<JobIdx>) {
    let leaves_artifacts = |at: &JobIdx| {
        let build = pipeline.job(*at).build();
        build.is_some_and(|build| build.artifacts.is_some())
    };
    let mut sources = BTreeMap::new();
    for (at, _) in pipeline.indexed() {
        let mut of_job = pipeline.artifact_sources(at, None);
        of_job.retain(leaves_artifacts);
        sources.insert(at, of_job);
    }
    loop {
        let gets = |sources: &[JobIdx]| sources.iter().any(|source| touched.contains(source));
        let more: Vec<JobIdx> = sources
            .iter()
            .filter(|(at, of_job)| !touched.contains(at) && gets(of_job))
            .map(|(at, _)| *at)
            .collect();
        if more.is_empty() {
            return;
        }
        touched.extend(more);
    }
}
