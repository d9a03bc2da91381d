//! Whose artifacts a job gets.

use crate::id::JobIdx;
use crate::job::NeedEntry;
use crate::pipeline::Pipeline;

impl Pipeline {
    /// The jobs whose artifacts `job` gets, in download order: later ones overwrite earlier ones.
    ///
    /// A job with `needs` gets those of its needs that want artifacts, in written order; of a `needs: any` those of
    /// `alternatives` (one list per such entry, in order), or of all its jobs where nothing was recorded. A job without gets those of every
    /// job of earlier stages. `dependencies` narrows both. Source: reference `compose.md` §5.5.
    pub fn artifact_sources(
        &self,
        job: JobIdx,
        alternatives: Option<&[Vec<JobIdx>]>,
    ) -> Vec<JobIdx> {
        let this = self.job(job);
        let allowed = |at: &JobIdx| this.dependencies.as_ref().is_none_or(|d| d.contains(at));
        let Some(needs) = &this.needs else {
            let earlier = |at: &JobIdx| self.job(*at).stage < this.stage;
            return self
                .in_stage_order()
                .into_iter()
                .filter(earlier)
                .filter(allowed)
                .collect();
        };
        let mut sources = Vec::new();
        let mut any = 0;
        for entry in needs {
            match entry {
                NeedEntry::Job(need) => sources.extend(need.artifacts.then_some(need.job)),
                NeedEntry::Any(entry) => {
                    let taken = alternatives.and_then(|taken| taken.get(any));
                    any += 1;
                    let wanted = entry.jobs.iter().filter(|need| need.artifacts);
                    let wanted = wanted.map(|need| need.job);
                    sources
                        .extend(wanted.filter(|at| taken.is_none_or(|taken| taken.contains(at))));
                }
            }
        }
        let mut seen = std::collections::BTreeSet::new();
        sources.retain(|at| seen.insert(*at) && allowed(at));
        sources
    }
}

#[cfg(test)]
mod tests {
    use crate::id::{JobIdx, StageIdx};
    use crate::job::{Job, Need, NeedEntry};
    use crate::pipeline::Pipeline;

    fn pipeline(jobs: Vec<Job>) -> Pipeline {
        Pipeline {
            stages: vec!["a".into(), "b".into()],
            jobs,
            ..Pipeline::default()
        }
    }

    fn job(stage: u32, needs: Option<Vec<(u32, bool)>>) -> Job {
        let entry = |(at, artifacts)| {
            NeedEntry::Job(Need {
                job: JobIdx(at),
                artifacts,
            })
        };
        let needs = needs.map(|needs| needs.into_iter().map(entry).collect());
        Job {
            stage: StageIdx(stage),
            needs,
            ..Job::named("j")
        }
    }

    #[test]
    fn a_stage_job_gets_everything_of_strictly_earlier_stages() {
        let pipeline = pipeline(vec![job(0, None), job(1, None), job(0, None), job(1, None)]);
        assert_eq!(
            pipeline.artifact_sources(JobIdx(3), None),
            [JobIdx(0), JobIdx(2)]
        );
    }

    #[test]
    fn needs_decide_and_dependencies_only_narrow() {
        let needs = Some(vec![(1, true), (0, true), (2, false)]);
        let mut last = job(1, needs);
        let all = [job(0, None), job(0, None), job(0, None)];
        let with = |last: Job| pipeline(all.iter().cloned().chain([last]).collect());
        assert_eq!(
            with(last.clone()).artifact_sources(JobIdx(3), None),
            [JobIdx(1), JobIdx(0)]
        );
        last.dependencies = Some(vec![JobIdx(0), JobIdx(2)]);
        assert_eq!(with(last).artifact_sources(JobIdx(3), None), [JobIdx(0)]);
    }
}
