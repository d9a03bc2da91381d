//! Jobs that stand or start by the state of caches (reference `extensions.md` §1 points 7–8 and §2).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_pipeline::{Attempt, FailureReason, Job, JobIdx, Presence, Reason, Status};

use crate::composite::Class;
use crate::input::MetState;
use crate::predecessors::Previous;
use crate::schedule::Schedule;

/// Jobs put back behind the producer of a cache that was gone, beside what they need anyway.
#[derive(Clone, Default, Debug)]
pub(super) struct Gates {
    producers: BTreeMap<JobIdx, BTreeSet<JobIdx>>,
    consumers: BTreeMap<JobIdx, BTreeSet<JobIdx>>,
    /// Who was put back for which key: that happens once.
    put_back: BTreeSet<(JobIdx, Arc<str>)>,
}

impl Gates {
    /// The jobs that were put behind `producer`.
    pub(super) fn consumers(&self, producer: JobIdx) -> impl Iterator<Item = JobIdx> + '_ {
        self.consumers.get(&producer).into_iter().flatten().copied()
    }

    fn producers(&self, consumer: JobIdx) -> impl Iterator<Item = JobIdx> + '_ {
        self.producers.get(&consumer).into_iter().flatten().copied()
    }

    fn put(&mut self, consumer: JobIdx, producer: JobIdx) {
        self.producers.entry(consumer).or_default().insert(producer);
        self.consumers.entry(producer).or_default().insert(consumer);
    }
}

/// Why a satisfied job stands as a success: the keys of its caches exist.
pub(super) fn satisfied_reason(job: &Job) -> Reason {
    let keys: Vec<&str> = job
        .build()
        .into_iter()
        .flat_map(|build| build.cache_keys.iter().map(|key| &**key))
        .collect();
    Reason::CacheHit {
        key: keys.join(", ").into(),
    }
}

impl Schedule {
    /// What a job would produce was found right before it started.
    pub(super) fn cache_hit(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
        key: &Arc<str>,
    ) -> Result<(), MetState> {
        self.expect_build(job, attempt, &[Status::Pending])?;
        if self.job(job).recheck_caches.is_empty() || self.jobs[job.at()].forced {
            return Err(self.met(job));
        }
        let key = Arc::clone(key);
        self.set_status(job, Status::Success, Reason::CacheHit { key });
        Ok(())
    }

    /// A cache is gone: its producer wakes and the job waits behind it, once; otherwise the job fails.
    pub(super) fn cache_gone(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
        key: &Arc<str>,
        producer: Option<JobIdx>,
    ) -> Result<(), MetState> {
        self.expect_build(job, attempt, &[Status::Pending, Status::Running])?;
        if producer.is_some_and(|producer| producer.at() >= self.jobs.len()) {
            return Err(MetState::NoSuchJob);
        }
        let producer = producer.filter(|producer| self.can_wait_behind(job, *producer));
        let (Some(producer), true) = (producer, self.gates.put_back.insert((job, Arc::clone(key))))
        else {
            self.fail(job, FailureReason::CacheMissing, None);
            return Ok(());
        };
        let key = Arc::clone(key);
        self.gates.put(job, producer);
        self.begin_again(job, Reason::CacheGone { key: key.clone() });
        if self.jobs[producer.at()].satisfied {
            self.jobs[producer.at()].forced = true;
            self.begin_again(producer, Reason::CacheGone { key });
            self.reset_after(producer);
        }
        Ok(())
    }

    /// The producer was left out as satisfied, and does not itself wait for the job.
    fn can_wait_behind(&self, job: JobIdx, producer: JobIdx) -> bool {
        self.job(producer).presence == Presence::Satisfied && !self.would_wait_for(producer, job)
    }

    /// Whether `job` could not start before `other` is over, if neither were: putting `other` behind it would close a circle.
    fn would_wait_for(&self, job: JobIdx, other: JobIdx) -> bool {
        let mut seen = BTreeSet::from([job]);
        let mut open = vec![job];
        while let Some(at) = open.pop() {
            if at == other {
                return true;
            }
            let mut before: Vec<JobIdx> = self.gates.producers(at).collect();
            let this = self.job(at);
            if this.is_dag() {
                before.extend(this.needed_jobs().map(|need| need.job));
            } else if self.job(other).stage < this.stage {
                return true;
            } else {
                // Needs never point to later stages, but a gate may.
                let gated = self.gates.producers.keys().copied();
                before.extend(gated.filter(|gated| self.job(*gated).stage < this.stage));
            }
            for next in before {
                if seen.insert(next) {
                    open.push(next);
                }
            }
        }
        false
    }

    /// What the producers a job was put behind have come to; `None` where nothing stands in its way.
    pub(super) fn behind_gates(&self, job: JobIdx) -> Option<Previous> {
        let is_open = |producer| self.class(producer) == Class::Open;
        if self.gates.producers(job).any(is_open) {
            return Some(Previous::Open);
        }
        let failed = self.failed_gate(job);
        failed.map(|_| Previous::Decided(Some(Status::Failed)))
    }

    /// The first producer that could not make what the job was put back for.
    pub(super) fn failed_gate(&self, job: JobIdx) -> Option<JobIdx> {
        let mut producers = self.gates.producers(job);
        producers.find(|producer| !matches!(self.class(*producer), Class::Good | Class::Open))
    }

    /// A producer counts as something else: those behind it may have their turn.
    pub(super) fn judge_gated_by(&mut self, producer: JobIdx) {
        let consumers: Vec<JobIdx> = self.gates.consumers(producer).collect();
        for consumer in consumers {
            match self.status(consumer) {
                Status::Created => self.await_turn(consumer),
                Status::Skipped => self.note_stale(consumer),
                _ => {}
            }
        }
    }
}
