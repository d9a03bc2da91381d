//! Random pipelines.

use std::sync::Arc;
use std::time::Duration;

use proptest::prelude::*;
use tidegate_pipeline::{
    AutoCancelOnJobFailure, Job, NeedEntry, Pick, Pipeline, Presence, ProcessMode, ResourceGroup,
    StageIdx, Timeout, Wait, When,
};

use crate::testing::{any as any_of, need, pipeline, stage_job};

/// The free choices of one job.
#[derive(Clone, Debug)]
struct Seed {
    stage: u32,
    /// Orders the jobs of a stage: needs point to smaller ones.
    priority: u32,
    when: When,
    may_fail: u32,
    /// 0: no `needs`; otherwise how many entries, plus one.
    needs: u32,
    picks: [u32; 6],
    retry: u32,
    extras: u32,
}

fn seeds() -> impl Strategy<Value = Vec<Seed>> {
    let when = prop_oneof![
        5 => Just(When::OnSuccess),
        1 => Just(When::OnFailure),
        2 => Just(When::Always),
        2 => Just(When::Manual),
        1 => Just(When::Delayed),
    ];
    let seed = (
        (0u32..4, any::<u32>(), when, 0u32..8),
        (0u32..5, any::<[u32; 6]>(), 0u32..6, any::<u32>()),
    );
    let seed = seed.prop_map(
        |((stage, priority, when, may_fail), (needs, picks, retry, extras))| Seed {
            stage,
            priority,
            when,
            may_fail,
            needs,
            picks,
            retry,
            extras,
        },
    );
    proptest::collection::vec(seed, 1..10)
}

/// Pipelines with everything that a person, a cache or a failed job can change.
pub(super) fn pipelines() -> impl Strategy<Value = Pipeline> {
    (seeds(), 0u32..8, 0u32..4).prop_map(|(seeds, cancel, mode)| {
        let mut made = pipeline(4, jobs(&seeds, true));
        if cancel == 0 {
            made.auto_cancel.on_job_failure = AutoCancelOnJobFailure::All;
        }
        let modes = [
            ProcessMode::Unordered,
            ProcessMode::OldestFirst,
            ProcessMode::NewestFirst,
            ProcessMode::NewestReadyFirst,
        ];
        made.process_modes
            .insert("group".into(), modes[mode as usize]);
        made
    })
}

/// Pipelines whose end is decided by the outcomes of their jobs alone.
pub(super) fn plain_pipelines() -> impl Strategy<Value = Pipeline> {
    seeds().prop_map(|seeds| pipeline(4, jobs(&seeds, true)))
}

fn jobs(seeds: &[Seed], extras: bool) -> Vec<Job> {
    (0..seeds.len()).map(|at| job(seeds, at, extras)).collect()
}

fn job(seeds: &[Seed], at: usize, extras: bool) -> Job {
    let seed = &seeds[at];
    let mut job = stage_job(&format!("job-{at}"), seed.stage);
    job.stage = StageIdx(seed.stage);
    job.when = seed.when;
    job.allow_failure.always =
        seed.may_fail < 2 || (seed.when == When::Manual && seed.may_fail < 5);
    if seed.may_fail == 5 {
        job.allow_failure.exit_codes = vec![1];
    }
    if seed.when == When::Delayed && !seed.extras.is_multiple_of(8) {
        job.start_in = Some(Timeout {
            text: "5 seconds".into(),
            duration: Duration::from_secs(5),
        });
    }
    job.retry.max = seed.retry.saturating_sub(3);
    if seed.needs > 0 {
        job.needs = Some(needs(seeds, at));
    }
    if extras {
        if (seed.extras / 8).is_multiple_of(5) {
            let key = Arc::from("group");
            job.resource_group = Some(ResourceGroup { key });
        }
        if (seed.extras / 64).is_multiple_of(6) {
            job.presence = Presence::Satisfied;
        }
    }
    job
}

fn needs(seeds: &[Seed], at: usize) -> Vec<NeedEntry> {
    let key = |at: usize| (seeds[at].stage, seeds[at].priority, at);
    let before: Vec<u32> = (0..seeds.len())
        .filter(|other| key(*other) < key(at))
        .map(|other| other as u32)
        .collect();
    if before.is_empty() {
        return Vec::new();
    }
    let picks = &seeds[at].picks;
    let pick = |which: usize| before[picks[which] as usize % before.len()];
    (0..seeds[at].needs as usize - 1)
        .map(|entry| {
            let kind = picks[entry] / 1000;
            if !kind.is_multiple_of(3) {
                return NeedEntry::Job(need(pick(entry)));
            }
            let mut jobs = vec![pick(entry), pick(entry + 1), pick(entry + 2)];
            jobs.sort_unstable();
            jobs.dedup();
            let min = 1 + kind / 3 % 2;
            let wait = [Wait::First, Wait::All][kind as usize / 6 % 2];
            let take = [Pick::First, Pick::All][kind as usize / 12 % 2];
            any_of(&jobs, min, wait, take)
        })
        .collect()
}
