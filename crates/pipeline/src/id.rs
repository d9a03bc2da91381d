//! Names of things inside a run; strings only at the edges.

use std::fmt;

/// Names a pipeline; unique in a store and rising (`CI_PIPELINE_ID`).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct PipelineId(pub u64);

/// Index into [`Pipeline::jobs`](crate::Pipeline::jobs).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobIdx(pub u32);

/// Index into [`Pipeline::stages`](crate::Pipeline::stages).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct StageIdx(pub u32);

/// Which try of a job, from 1.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct Attempt(pub u32);

impl Attempt {
    /// The first try.
    pub const FIRST: Attempt = Attempt(1);

    /// The try after this one.
    #[must_use]
    pub fn next(self) -> Attempt {
        Attempt(self.0 + 1)
    }
}

/// One try of one job of one pipeline.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct JobKey {
    /// The pipeline.
    pub pipeline: PipelineId,
    /// The job.
    pub job: JobIdx,
    /// The try.
    pub attempt: Attempt,
}

impl JobIdx {
    /// The index as a `usize`, for vectors that run beside the jobs.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl StageIdx {
    /// The index as a `usize`, for vectors that run beside the stages.
    pub fn at(self) -> usize {
        self.0 as usize
    }
}

impl fmt::Display for PipelineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Display for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}
