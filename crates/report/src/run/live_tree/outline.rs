//! A run as a tree: pipelines, their stages, their jobs, the pipelines of trigger jobs.

use std::collections::{BTreeMap, BTreeSet};

use tidegate_pipeline::{JobIdx, Presence, Status};

use super::super::counts::Counts;
use super::super::junit::is_satisfied;
use super::super::progress::JobProgress;
use super::super::run_progress::{Member, RunProgress};

/// The pipelines of a run; the first is its own.
pub(super) struct Outline<'a> {
    pipelines: Vec<Branch<'a>>,
}

/// One pipeline.
pub(super) struct Branch<'a> {
    pub(super) stages: Vec<Stage<'a>>,
    /// Trigger jobs and the places of their pipelines.
    below: BTreeMap<JobIdx, usize>,
}

/// A stage that has jobs.
pub(super) struct Stage<'a> {
    pub(super) name: &'a str,
    pub(super) jobs: Vec<Leaf<'a>>,
    pub(super) counts: Counts,
    pub(super) phase: Phase,
}

/// A job.
#[derive(Clone, Copy)]
pub(super) struct Leaf<'a> {
    pub(super) at: JobIdx,
    pub(super) name: &'a str,
    /// Full name of the trigger job above it; empty in the run's own pipeline.
    pub(super) label: &'a str,
    pub(super) job: &'a JobProgress,
    pub(super) presence: Presence,
    /// It did not have to run.
    pub(super) satisfied: bool,
}

/// Whether anything happens in a stage.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Phase {
    /// Nothing has happened.
    Waiting,
    /// Something is at work, or will be.
    Active,
    /// Nothing more happens by itself.
    Finished,
}

impl<'a> Outline<'a> {
    pub(super) fn of(run: &'a RunProgress) -> Outline<'a> {
        let members = run.members();
        let mut pipelines: Vec<Branch<'a>> = members.iter().map(Branch::of).collect();
        // Members stand below the one above them, so the last one of a smaller depth is the parent.
        let mut path: Vec<usize> = Vec::new();
        for (place, member) in members.iter().enumerate() {
            path.truncate(member.depth);
            if let (Some(parent), Some(above)) = (member.parent, path.last()) {
                pipelines[*above].below.insert(parent.job, place);
            }
            path.push(place);
        }
        let mut outline = Outline { pipelines };
        // From the innermost, so that what is at work there counts in all stages above.
        for place in (0..outline.pipelines.len()).rev() {
            outline.wake(place);
        }
        outline
    }

    /// The run's own pipeline.
    pub(super) fn root(&self) -> &Branch<'a> {
        &self.pipelines[0]
    }

    /// The pipeline of a trigger job.
    pub(super) fn below(&self, branch: &Branch<'a>, job: JobIdx) -> Option<&Branch<'a>> {
        self.pipelines.get(*branch.below.get(&job)?)
    }

    /// All jobs, in the order people see.
    pub(super) fn jobs(&self) -> impl Iterator<Item = &Leaf<'a>> {
        let stages = self.pipelines.iter().flat_map(|branch| &branch.stages);
        stages.flat_map(|stage| &stage.jobs)
    }

    /// How many jobs of all pipelines stand where.
    pub(super) fn counts(&self) -> Counts {
        self.pipelines
            .iter()
            .map(Branch::counts)
            .fold(Counts::default(), Counts::and)
    }

    /// A stage is at work while the pipeline of a trigger job of it is.
    fn wake(&mut self, place: usize) {
        let awake: BTreeSet<JobIdx> = self.pipelines[place]
            .below
            .iter()
            .filter(|(_, below)| self.pipelines[**below].is_active())
            .map(|(job, _)| *job)
            .collect();
        for stage in &mut self.pipelines[place].stages {
            if stage.jobs.iter().any(|leaf| awake.contains(&leaf.at)) {
                stage.phase = Phase::Active;
            }
        }
    }
}

impl<'a> Branch<'a> {
    fn of(member: &Member<'a>) -> Branch<'a> {
        let pipeline = member.progress.pipeline();
        let leaves: Vec<Leaf<'a>> = member
            .jobs()
            .map(|(at, job)| Leaf {
                at,
                name: &pipeline.job(at).name,
                label: member.label,
                job,
                presence: pipeline.job(at).presence,
                satisfied: is_satisfied(member.progress, at),
            })
            .collect();
        let stage_of = |leaf: &Leaf<'_>| pipeline.job(leaf.at).stage;
        let stages = leaves.chunk_by(|left, right| stage_of(left) == stage_of(right));
        let stages = stages.map(|jobs| {
            let mut counts = Counts::default();
            for leaf in jobs {
                counts.count(leaf.job, leaf.presence);
            }
            Stage {
                name: jobs
                    .first()
                    .map_or("", |leaf| pipeline.stage(stage_of(leaf))),
                jobs: jobs.to_vec(),
                counts,
                phase: Phase::of(&counts),
            }
        });
        Branch {
            stages: stages.collect(),
            below: BTreeMap::new(),
        }
    }

    /// Whether anything happens in it by itself, here or below.
    pub(super) fn is_active(&self) -> bool {
        let mut phases = self.stages.iter().map(|stage| stage.phase);
        phases.any(|phase| phase != Phase::Finished)
    }

    pub(super) fn counts(&self) -> Counts {
        let counts = self.stages.iter().map(|stage| stage.counts);
        counts.fold(Counts::default(), Counts::and)
    }
}

impl Phase {
    fn of(counts: &Counts) -> Phase {
        match (counts.running(), counts.waiting(), counts.done()) {
            (0, 0, _) => Phase::Finished,
            (0, _, 0) => Phase::Waiting,
            _ => Phase::Active,
        }
    }
}

impl Leaf<'_> {
    /// It is at work.
    pub(super) fn is_busy(&self) -> bool {
        matches!(self.job.status, Status::Running | Status::Canceling)
    }

    /// It failed, whether that counts or not.
    pub(super) fn has_failed(&self) -> bool {
        self.job.status == Status::Failed
    }
}
