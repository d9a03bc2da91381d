//! A part of a pipeline: some jobs and what they wait for.

use crate::id::{JobIdx, StageIdx};
use crate::job::{Job, Need, NeedEntry};
use crate::pipeline::Pipeline;

/// A name that no job of the pipeline has.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UnknownJob(pub String);

impl Pipeline {
    /// The pipeline of the named jobs and everything they wait for, directly or not.
    ///
    /// A name stands for the job of that full name, or for all instances of the parallel job of that name. A job without `needs`
    /// waits for all of earlier stages, so these come along.
    ///
    /// # Errors
    /// The first name that no job has.
    pub fn select(&self, names: &[String]) -> Result<Pipeline, UnknownJob> {
        let mut wanted = vec![false; self.jobs.len()];
        let mut open = Vec::new();
        for name in names {
            let before = open.len();
            open.extend(
                self.indexed()
                    .filter(|(_, job)| is_named(job, name))
                    .map(|(at, _)| at),
            );
            if open.len() == before {
                return Err(UnknownJob(name.clone()));
            }
        }
        // Stages below this one are wanted whole; stages are only ever added once.
        let mut whole_below = StageIdx(0);
        while let Some(at) = open.pop() {
            if std::mem::replace(&mut wanted[at.at()], true) {
                continue;
            }
            let job = self.job(at);
            if job.needs.is_some() {
                open.extend(job.needed_jobs().map(|need| need.job));
            } else if job.stage > whole_below {
                let range = whole_below..job.stage;
                whole_below = job.stage;
                let earlier = self.indexed().filter(|(_, job)| range.contains(&job.stage));
                open.extend(earlier.map(|(at, _)| at));
            }
        }
        Ok(self.restricted(&wanted))
    }

    /// The pipeline of the jobs that `keep` holds for, and nothing they wait for: needs of jobs left out are gone.
    ///
    /// Artifacts of those left out are to come from an earlier run ([`Job::from_earlier_runs`]).
    pub fn only(&self, keep: impl Fn(JobIdx, &Job) -> bool) -> Pipeline {
        let wanted: Vec<bool> = self.indexed().map(|(at, job)| keep(at, job)).collect();
        let mut part = self.restricted(&wanted);
        let kept = self.indexed().filter(|(at, _)| wanted[at.at()]);
        for ((at, _), job) in kept.zip(&mut part.jobs) {
            let sources = self.artifact_sources(at, None).into_iter();
            let gone =
                sources.filter(|source| !wanted[source.at()] && self.leaves_artifacts(*source));
            job.from_earlier_runs
                .extend(gone.map(|source| self.job(source).name.clone()));
        }
        part
    }

    fn leaves_artifacts(&self, at: JobIdx) -> bool {
        let build = self.job(at).build();
        build.is_some_and(|build| build.artifacts.is_some())
    }

    fn restricted(&self, wanted: &[bool]) -> Pipeline {
        let mut next = 0;
        let numbers: Vec<Option<JobIdx>> = wanted
            .iter()
            .map(|kept| {
                kept.then(|| {
                    next += 1;
                    JobIdx(next - 1)
                })
            })
            .collect();
        let kept = self.indexed().filter(|(at, _)| wanted[at.at()]);
        let jobs = kept
            .map(|(_, job)| renumbered(job.clone(), &numbers))
            .collect();
        Pipeline {
            jobs,
            ..self.clone()
        }
    }
}

fn is_named(job: &Job, name: &str) -> bool {
    &*job.name == name || tidegate_expr::job_group_name(&job.name) == name
}

fn renumbered(mut job: Job, numbers: &[Option<JobIdx>]) -> Job {
    let number = |at: JobIdx| numbers[at.at()];
    let need = |need: &Need| number(need.job).map(|job| Need { job, ..*need });
    if let Some(needs) = job.needs.take() {
        let entries = needs.into_iter().filter_map(|entry| match entry {
            NeedEntry::Job(one) => need(&one).map(NeedEntry::Job),
            NeedEntry::Any(mut any) => {
                any.jobs = any.jobs.iter().filter_map(need).collect();
                Some(NeedEntry::Any(any))
            }
        });
        job.needs = Some(entries.collect());
    }
    if let Some(dependencies) = job.dependencies.take() {
        job.dependencies = Some(dependencies.into_iter().filter_map(number).collect());
    }
    job
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::job::{Action, Build};
    use crate::keyword::Artifacts;

    fn pipeline() -> Pipeline {
        let job = |name: &str, stage, needs: Option<&[u32]>| {
            let entry = |at: &u32| {
                NeedEntry::Job(Need {
                    job: JobIdx(*at),
                    artifacts: true,
                })
            };
            let needs = needs.map(|needs| needs.iter().map(entry).collect());
            Job {
                stage: StageIdx(stage),
                needs,
                ..Job::named(name)
            }
        };
        Pipeline {
            stages: vec!["a".into(), "b".into(), "c".into()],
            jobs: vec![
                job("first", 0, None),
                job("other", 0, None),
                job("x 1/2", 1, Some(&[1])),
                job("x 2/2", 1, Some(&[])),
                job("last", 2, None),
            ],
            ..Pipeline::default()
        }
    }

    fn names(names: &[&str]) -> Vec<String> {
        let wanted: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let chosen = pipeline().select(&wanted).expect("they exist");
        chosen.jobs.iter().map(|job| job.name.to_string()).collect()
    }

    #[test]
    fn a_job_brings_what_it_needs_and_nothing_else() {
        assert_eq!(names(&["x 1/2"]), ["other", "x 1/2"]);
        assert_eq!(names(&["x"]), ["other", "x 1/2", "x 2/2"]);
    }

    #[test]
    fn a_stage_job_brings_all_earlier_stages() {
        assert_eq!(
            names(&["last"]),
            ["first", "other", "x 1/2", "x 2/2", "last"]
        );
    }

    #[test]
    fn needs_point_at_the_same_jobs_afterwards() {
        let chosen = pipeline().select(&["x 1/2".to_owned()]).expect("it exists");
        let needs: Vec<_> = chosen.jobs[1].needed_jobs().map(|need| need.job).collect();
        assert_eq!(needs, [JobIdx(0)]);
    }

    #[test]
    fn jobs_alone_wait_for_nothing_that_is_left_out() {
        let alone = pipeline().only(|_, job| job.stage >= StageIdx(1));
        let names: Vec<&str> = alone.jobs.iter().map(|job| &*job.name).collect();
        assert_eq!(names, ["x 1/2", "x 2/2", "last"]);
        assert_eq!(alone.jobs[0].needs.as_deref(), Some(&[][..]));
        assert_eq!(alone.jobs[2].needs, None);
    }

    #[test]
    fn artifacts_of_jobs_left_out_come_from_earlier_runs() {
        let mut whole = pipeline();
        let build = Build {
            artifacts: Some(Artifacts::default()),
            ..Build::default()
        };
        whole.jobs[1].action = Action::Build(Arc::new(build));
        let alone = whole.only(|_, job| job.stage >= StageIdx(1));
        let from: Vec<&[Arc<str>]> = alone
            .jobs
            .iter()
            .map(|job| &*job.from_earlier_runs)
            .collect();
        let other: Arc<str> = "other".into();
        assert_eq!(from, [&[other.clone()][..], &[], &[other]]);
    }

    #[test]
    fn an_unknown_name_is_an_error() {
        let unknown = pipeline().select(&["nope".to_owned()]).err();
        assert_eq!(unknown, Some(UnknownJob("nope".to_owned())));
    }
}
