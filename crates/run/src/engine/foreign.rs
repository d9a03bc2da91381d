//! What a job gets of jobs that are not in its pipeline: of earlier runs, and of other pipelines of its family
//! (`needs:pipeline:job`) or other projects (`needs:project`, reference `compose.md` §5.5).

use std::sync::Arc;

use tidegate_expr::{RefOptions, expand_blank};
use tidegate_pipeline::{CrossNeed, DependencySpec, JobKey, PipelineId, Status, start_variables};

use super::Engine;
use super::spec::{Foreign, Taken};
use crate::downstream::ProjectNeed;
use crate::earlier::dotenv_of;
use crate::setup::RunError;

impl Engine<'_> {
    /// What a job gets from elsewhere; the inner error says what it misses.
    pub(super) fn foreign(&self, key: JobKey) -> Result<Result<Foreign, String>, RunError> {
        let pipeline = self.pipeline(key.pipeline);
        let mut foreign = Foreign {
            earlier: pipeline.earlier(key.job)?,
            other: Taken::default(),
        };
        let job = pipeline.pipeline().job(key.job);
        if job.cross_needs.is_empty() {
            return Ok(Ok(foreign));
        }
        let job_id = pipeline.job_id(key.job, key.attempt);
        let persisted = pipeline.persisted(key.job, job, job_id);
        let variables = start_variables(job, &persisted, &[]);
        let expanded = |text| expand_blank(text, &variables, RefOptions::ALL).into_string();
        for need in &job.cross_needs {
            let added = match need {
                CrossNeed::Pipeline {
                    pipeline,
                    job,
                    artifacts: true,
                } => self.add_foreign(key, &expanded(pipeline), job, &mut foreign.other)?,
                CrossNeed::Project {
                    project,
                    reference,
                    job,
                    artifacts: true,
                } => {
                    let wanted = ProjectNeed {
                        project: expanded(project),
                        reference: expanded(reference),
                        job: expanded(job),
                        origin: Arc::clone(&pipeline.facts.origin),
                    };
                    self.add_of_project(key, &wanted, &mut foreign.other)?
                }
                CrossNeed::Pipeline { .. } | CrossNeed::Project { .. } => Ok(()),
            };
            if let Err(missing) = added {
                return Ok(Err(missing));
            }
        }
        Ok(Ok(foreign))
    }

    fn add_foreign(
        &self,
        key: JobKey,
        number: &str,
        name: &str,
        taken: &mut Taken,
    ) -> Result<Result<(), String>, RunError> {
        let id = number.trim().parse().map(PipelineId).ok();
        let other = id
            .filter(|id| *id != key.pipeline && self.family(*id) == self.family(key.pipeline))
            .and_then(|id| self.pipelines.get(&id));
        let Some(other) = other else {
            return Ok(Err(format!(
                "`needs` asks for the job `{name}` of the pipeline `{number}`, which is none of the pipelines above or beside this one"
            )));
        };
        let job = other.pipeline().find(name);
        let done = job.filter(|job| other.schedule.status(*job) == Status::Success);
        let Some(job) = done else {
            return Ok(Err(format!(
                "`needs` asks for the job `{name}` of the pipeline {number}, which has no such job that has passed"
            )));
        };
        taken.dependencies.push(other.dependency(job));
        taken.dotenv.extend(other.dotenv_of(&[job]));
        let run = self.pipeline(key.pipeline).record.id;
        taken.archives.extend(other.archives_of(job, run)?);
        Ok(Ok(()))
    }

    /// What a job of another project left that is on this machine.
    fn add_of_project(
        &self,
        key: JobKey,
        wanted: &ProjectNeed,
        taken: &mut Taken,
    ) -> Result<Result<(), String>, RunError> {
        let found = match self.planner.artifacts(wanted) {
            Ok(found) => found,
            Err(missing) => return Ok(Err(missing)),
        };
        let shared = &self.pipeline(key.pipeline).shared;
        let mut leased = Vec::new();
        for artifact in found {
            let lease = shared.store.lease_artifact(&artifact, shared.run)?;
            leased.push((artifact, lease));
        }
        taken.dotenv.extend(dotenv_of(&leased));
        let archives = leased
            .into_iter()
            .filter(|(found, _)| found.r#type == "archive");
        taken.archives.extend(archives);
        taken.dependencies.push(DependencySpec {
            job: None,
            name: wanted.job.as_str().into(),
            job_id: 0,
        });
        Ok(Ok(()))
    }

    /// The pipeline that a pipeline and those related to it by child pipelines are below.
    fn family(&self, id: PipelineId) -> Option<PipelineId> {
        let mut top = self.pipelines.get(&id)?;
        while let Some(parent) = top.parent {
            let above = self.pipeline(parent.pipeline);
            if above.shared.project.key != top.shared.project.key {
                break;
            }
            top = above;
        }
        Some(top.id)
    }
}
