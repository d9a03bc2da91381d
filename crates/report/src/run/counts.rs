//! How many jobs stand where.

use tidegate_pipeline::{Presence, Reason, Status};

use super::progress::JobProgress;

/// Jobs by where they stand.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub(super) struct Counts {
    passed: usize,
    elsewhere: usize,
    cached: usize,
    failed: usize,
    allowed: usize,
    canceled: usize,
    skipped: usize,
    running: usize,
    manual: usize,
    waiting: usize,
}

impl Counts {
    pub(super) fn count(&mut self, job: &JobProgress, presence: Presence) {
        let cached = presence == Presence::Satisfied && job.duration.is_none();
        let slot = match job.status {
            Status::Success if cached || matches!(job.reason, Reason::CacheHit { .. }) => {
                &mut self.cached
            }
            Status::Success if job.would_trigger.is_some() => &mut self.elsewhere,
            Status::Success => &mut self.passed,
            Status::Failed if job.allow_failure => &mut self.allowed,
            Status::Failed => &mut self.failed,
            Status::Canceled => &mut self.canceled,
            Status::Skipped => &mut self.skipped,
            Status::Running | Status::Canceling => &mut self.running,
            Status::Manual | Status::Scheduled => &mut self.manual,
            _ => &mut self.waiting,
        };
        *slot += 1;
    }

    /// The sum of two counts.
    pub(super) fn and(self, other: Counts) -> Counts {
        Counts {
            passed: self.passed + other.passed,
            elsewhere: self.elsewhere + other.elsewhere,
            cached: self.cached + other.cached,
            failed: self.failed + other.failed,
            allowed: self.allowed + other.allowed,
            canceled: self.canceled + other.canceled,
            skipped: self.skipped + other.skipped,
            running: self.running + other.running,
            manual: self.manual + other.manual,
            waiting: self.waiting + other.waiting,
        }
    }

    pub(super) fn all(&self) -> usize {
        self.done() + self.running + self.manual + self.waiting
    }

    pub(super) fn running(&self) -> usize {
        self.running
    }

    /// Jobs whose failure counts.
    pub(super) fn failed(&self) -> usize {
        self.failed
    }

    /// Jobs that failed, whether that counts or not.
    pub(super) fn not_well(&self) -> usize {
        self.failed + self.allowed
    }

    /// Jobs that wait for others or for room.
    pub(super) fn waiting(&self) -> usize {
        self.waiting
    }

    /// Jobs that are over.
    pub(super) fn done(&self) -> usize {
        let well = self.passed + self.elsewhere + self.cached;
        well + self.not_well() + self.canceled + self.skipped
    }

    pub(super) fn passed(&self) -> usize {
        self.passed + self.elsewhere + self.cached
    }

    pub(super) fn text(&self) -> String {
        let all = [
            (self.passed, "passed"),
            (self.elsewhere, "not triggered"),
            (self.cached, "already done"),
            (self.failed, "failed"),
            (self.allowed, "failed but allowed to"),
            (self.canceled, "canceled"),
            (self.skipped, "skipped"),
            (self.running, "running"),
            (self.waiting + self.manual, "waiting"),
        ];
        let said: Vec<String> = all
            .iter()
            .filter(|(n, _)| *n > 0)
            .map(|(n, word)| format!("{n} {word}"))
            .collect();
        if said.is_empty() {
            "no jobs".to_owned()
        } else {
            said.join(", ")
        }
    }
}
