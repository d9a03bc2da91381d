//! Pipelines for unit tests.

use std::sync::Arc;

use tidegate_pipeline::{
    Action, Alternatives, Bridge, Downstream, Job, JobIdx, Need, NeedEntry, Pick, Pipeline,
    StageIdx, Strategy, Wait,
};

/// A pipeline of `stages` stages named by their number.
pub(crate) fn pipeline(stages: u32, jobs: Vec<Job>) -> Pipeline {
    Pipeline {
        stages: (0..stages).map(|at| at.to_string().into()).collect(),
        jobs,
        ..Pipeline::default()
    }
}

/// A job without `needs`.
pub(crate) fn stage_job(name: &str, stage: u32) -> Job {
    Job {
        stage: StageIdx(stage),
        ..Job::named(name)
    }
}

/// A job with `needs` on the jobs of these indices.
pub(crate) fn dag_job(name: &str, stage: u32, needed: &[u32]) -> Job {
    Job {
        needs: needs(needed),
        ..stage_job(name, stage)
    }
}

/// A trigger job of a child pipeline.
pub(crate) fn bridge(name: &str, stage: u32, strategy: Option<Strategy>) -> Job {
    Job {
        action: Action::Bridge(Arc::new(Bridge {
            downstream: Downstream::Child {
                include: "[]".into(),
            },
            strategy,
            forward_yaml_variables: true,
            forward_pipeline_variables: false,
            inputs: Vec::new(),
        })),
        ..stage_job(name, stage)
    }
}

/// Plain needs.
pub(crate) fn needs(jobs: &[u32]) -> Option<Vec<NeedEntry>> {
    Some(jobs.iter().map(|at| NeedEntry::Job(need(*at))).collect())
}

/// A need of a job and its artifacts.
pub(crate) fn need(job: u32) -> Need {
    Need {
        job: JobIdx(job),
        artifacts: true,
    }
}

/// One `needs: any`.
pub(crate) fn any(jobs: &[u32], min: u32, wait: Wait, pick: Pick) -> NeedEntry {
    NeedEntry::Any(Alternatives {
        jobs: jobs.iter().map(|at| need(*at)).collect(),
        min,
        wait,
        pick,
    })
}
