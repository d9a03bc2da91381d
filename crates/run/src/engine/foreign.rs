//! What a job gets of jobs that are not in its pipeline: of earlier runs, and of other pipelines of its family
//! (`needs:pipeline:job`, reference `compose.md` §5.5).

use tidegate_expr::{RefOptions, expand_blank};
use tidegate_pipeline::{CrossNeed, JobKey, PipelineId, Status, start_variables};

use super::Engine;
use super::spec::{Foreign, Taken};
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
        for need in &job.cross_needs {
            let CrossNeed::Pipeline {
                pipeline: number,
                job: name,
                artifacts: true,
            } = need
            else {
                continue;
            };
            let job_id = pipeline.job_id(key.job, key.attempt);
            let persisted = pipeline.persisted(key.job, job, job_id);
            let variables = start_variables(job, &persisted, &[]);
            let number = expand_blank(number, &variables, RefOptions::ALL).into_string();
            if let Err(missing) = self.add_foreign(key, &number, name, &mut foreign.other)? {
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
