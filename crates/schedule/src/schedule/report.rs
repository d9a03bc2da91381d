//! What executors, timers and resource groups report.

use tidegate_pipeline::{
    Attempt, AutoCancelOnJobFailure, FailureReason, Job, JobIdx, Reason, Status,
};

use crate::action::{Action, Claim};
use crate::input::MetState;
use crate::schedule::Schedule;

/// How often a job is tried again when the scheduler itself failed and nothing is written (reference `compose.md` §8.6).
const RETRIES_OF_SCHEDULER_FAILURE: u32 = 2;

/// Exit codes are stored in this range (reference `compose.md` §8.4).
const EXIT_CODES: (i64, i64) = (0, 32767);

impl Schedule {
    pub(super) fn job_started(&mut self, job: JobIdx, attempt: Attempt) -> Result<(), MetState> {
        self.expect_build(job, attempt, &[Status::Pending])?;
        self.set_status(job, Status::Running, Reason::Started);
        Ok(())
    }

    pub(super) fn job_succeeded(&mut self, job: JobIdx, attempt: Attempt) -> Result<(), MetState> {
        if self.last_word(job, attempt) {
            return Ok(());
        }
        self.expect_build(job, attempt, &[Status::Pending, Status::Running])?;
        self.set_status(job, Status::Success, Reason::Succeeded);
        Ok(())
    }

    pub(super) fn job_failed(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
        reason: FailureReason,
        exit_code: Option<i32>,
    ) -> Result<(), MetState> {
        if self.last_word(job, attempt) {
            return Ok(());
        }
        let statuses = [
            Status::Pending,
            Status::Preparing,
            Status::Running,
            Status::WaitingForResource,
            Status::WaitingForCallback,
            Status::Scheduled,
        ];
        self.expect(job, attempt, &statuses)?;
        self.disarm_if_scheduled(job, Reason::Failed { reason, exit_code });
        self.fail(job, reason, exit_code);
        Ok(())
    }

    pub(super) fn job_canceled(&mut self, job: JobIdx, attempt: Attempt) -> Result<(), MetState> {
        if self.last_word(job, attempt) {
            return Ok(());
        }
        self.expect_build(job, attempt, &[Status::Pending, Status::Running])?;
        self.set_status(job, Status::Canceled, Reason::Interrupted);
        Ok(())
    }

    pub(super) fn delay_over(&mut self, job: JobIdx, attempt: Attempt) -> Result<(), MetState> {
        self.expect(job, attempt, &[Status::Scheduled])?;
        self.enqueue(job, Reason::DelayOver);
        Ok(())
    }

    pub(super) fn resource_granted(
        &mut self,
        job: JobIdx,
        attempt: Attempt,
    ) -> Result<(), MetState> {
        self.expect(job, attempt, &[Status::WaitingForResource])?;
        let reason = self.reason(job).clone();
        self.make_pending(job, reason);
        Ok(())
    }

    pub(super) fn run_ended(&mut self) -> Result<(), MetState> {
        let at_work = self.at_work();
        if at_work > 0 {
            return Err(MetState::AtWork(at_work));
        }
        for at in 0..self.jobs.len() {
            let job = JobIdx(at as u32);
            let status = self.status(job);
            if status.is_blocked() {
                self.set_status(job, status, Reason::RunEnded);
                self.disarm_if_scheduled(job, Reason::RunEnded);
            }
        }
        Ok(())
    }

    /// Whatever the executor of a job being canceled reports, the job is canceled. Returns whether that was the case.
    fn last_word(&mut self, job: JobIdx, attempt: Attempt) -> bool {
        if let Some(reason) = self.lingering.remove(&(job, attempt)) {
            self.tell_lingering_end(job, attempt, reason);
            return true;
        }
        if self.expect(job, attempt, &[Status::Canceling]).is_err() {
            return false;
        }
        let reason = self.cancel_reasons.remove(&job);
        self.set_status(job, Status::Canceled, reason.unwrap_or(Reason::Interrupted));
        true
    }

    /// A try that was retried while it was being canceled is over; it has left all composites before.
    fn tell_lingering_end(&mut self, job: JobIdx, attempt: Attempt, reason: Reason) {
        self.actions.push(Action::SetStatus {
            job,
            attempt,
            status: Status::Canceled,
            allow_failure: self.job(job).allow_failure.always,
            reason: reason.clone(),
        });
        let action = self.lingering_claim(job, attempt, Claim::Released, &reason);
        self.actions.extend(action);
    }

    /// The claim of a try that is not the latest.
    pub(super) fn lingering_claim(
        &self,
        job: JobIdx,
        attempt: Attempt,
        claim: Claim,
        reason: &Reason,
    ) -> Option<Action> {
        let group = self.job(job).resource_group.as_ref()?;
        let mut action = self.claim_action(job, &group.key, claim, reason);
        if let Action::Resource { attempt: of, .. } = &mut action {
            *of = attempt;
        }
        Some(action)
    }

    /// A job failed: it is tried again, or it counts as failed.
    pub(super) fn fail(&mut self, job: JobIdx, reason: FailureReason, exit_code: Option<i32>) {
        let told = Reason::Failed { reason, exit_code };
        let allow_failure = allows(self.job(job), exit_code);
        self.jobs[job.at()].failure = Some(reason);
        if !self.is_retried(job, reason, exit_code) {
            self.fail_finally(job, allow_failure, told);
            return;
        }
        let after = self.attempt(job);
        self.change(job, Status::Failed, allow_failure, told);
        self.new_attempt(job, Reason::Retried { after, reason });
        self.reset_after(job);
    }

    /// A job failed and is not tried again.
    pub(super) fn fail_finally(&mut self, job: JobIdx, allow_failure: bool, reason: Reason) {
        self.change(job, Status::Failed, allow_failure, reason);
        let on_failure = self.pipeline.auto_cancel.on_job_failure;
        if !allow_failure && on_failure == AutoCancelOnJobFailure::All {
            self.cancel_all(&Reason::AutoCanceled { because: Some(job) });
        }
    }

    fn is_retried(&self, job: JobIdx, reason: FailureReason, exit_code: Option<i32>) -> bool {
        self.job(job).build().is_some()
            && max_retries(self.job(job), reason, exit_code) > self.jobs[job.at()].retries
    }

    /// Fails unless the job runs scripts, `attempt` is the latest try and its status one of these.
    pub(super) fn expect_build(
        &self,
        job: JobIdx,
        attempt: Attempt,
        statuses: &[Status],
    ) -> Result<(), MetState> {
        match self.job(job).build() {
            Some(_) => self.expect(job, attempt, statuses),
            None => Err(self.met(job)),
        }
    }
}

fn stored(exit_code: i32) -> i64 {
    i64::from(exit_code).clamp(EXIT_CODES.0, EXIT_CODES.1)
}

/// Whether a failure with this exit code does not count. Without one (timeout, broken runner) only `allow_failure: true` helps.
fn allows(job: &Job, exit_code: Option<i32>) -> bool {
    let listed = |code| job.allow_failure.exit_codes.contains(&stored(code));
    job.allow_failure.always || exit_code.is_some_and(listed)
}

/// How many retries a job may have had after this failure to be tried once more (GitLab 18.11, reference `compose.md` §8.6).
fn max_retries(job: &Job, reason: FailureReason, exit_code: Option<i32>) -> u32 {
    let retry = &job.retry;
    let listed = |word: &str| retry.when.iter().any(|when| &**when == word);
    match reason {
        FailureReason::MissingDependencyFailure | FailureReason::EnvironmentCreationFailure => {
            return 0;
        }
        // An extension's reason: `always` does not mean it (reference `extensions.md` §2).
        FailureReason::CacheMissing if !listed(reason.name()) => return 0,
        _ => {}
    }
    let written = retry.max > 0;
    let everything = retry.when.is_empty() && retry.exit_codes.is_empty();
    let by_reason = everything || listed("always") || listed(reason.name());
    let by_code = exit_code.is_some_and(|code| retry.exit_codes.contains(&stored(code)));
    if written && (by_reason || by_code) {
        retry.max
    } else if reason == FailureReason::SchedulerFailure {
        RETRIES_OF_SCHEDULER_FAILURE
    } else {
        0
    }
}

#[cfg(test)]
mod tests {
    use tidegate_pipeline::Retry;

    use super::*;
    use crate::testing::stage_job;

    fn max(retry: Retry, reason: FailureReason, exit_code: Option<i32>) -> u32 {
        let job = Job {
            retry,
            ..stage_job("job", 0)
        };
        max_retries(&job, reason, exit_code)
    }

    fn retry(max: u32, when: &[&str], exit_codes: &[i64]) -> Retry {
        Retry {
            max,
            when: when.iter().map(|word| (*word).into()).collect(),
            exit_codes: exit_codes.to_vec(),
        }
    }

    #[test]
    fn a_plain_number_means_every_reason() {
        let script = FailureReason::ScriptFailure;
        assert_eq!(max(retry(2, &[], &[]), script, Some(1)), 2);
        assert_eq!(max(retry(0, &[], &[]), script, Some(1)), 0);
    }

    #[test]
    fn reasons_and_exit_codes_are_alternatives() {
        let only_code = retry(1, &[], &[137]);
        let both = retry(1, &["job_execution_timeout"], &[137]);
        let script = FailureReason::ScriptFailure;
        let timeout = FailureReason::JobExecutionTimeout;
        assert_eq!(max(only_code.clone(), script, Some(137)), 1);
        assert_eq!(max(only_code.clone(), script, Some(1)), 0);
        assert_eq!(max(only_code, timeout, None), 0);
        assert_eq!(max(both.clone(), timeout, None), 1);
        assert_eq!(max(both, script, Some(137)), 1);
    }

    #[test]
    fn some_reasons_have_their_own_limit() {
        let always = || retry(2, &["always"], &[]);
        let missing = FailureReason::MissingDependencyFailure;
        let scheduler = FailureReason::SchedulerFailure;
        let cache = FailureReason::CacheMissing;
        assert_eq!(max(always(), missing, None), 0);
        assert_eq!(max(retry(0, &[], &[]), scheduler, None), 2);
        assert_eq!(max(always(), cache, None), 0);
        assert_eq!(max(retry(1, &["cache_missing"], &[]), cache, None), 1);
    }

    #[test]
    fn exit_codes_are_compared_as_stored() {
        let job = Job {
            allow_failure: tidegate_pipeline::AllowFailure {
                always: false,
                exit_codes: vec![32767, 0],
            },
            ..stage_job("job", 0)
        };
        assert!(allows(&job, Some(99999)));
        assert!(allows(&job, Some(-1)));
        assert!(!allows(&job, Some(1)));
        assert!(!allows(&job, None));
    }
}
