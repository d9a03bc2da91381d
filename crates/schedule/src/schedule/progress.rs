//! The statuses of stages and pipeline, which follow those of their jobs.

use tidegate_pipeline::Status;

use crate::action::Action;
use crate::composite::Composite;
use crate::schedule::Schedule;

impl Schedule {
    /// Brings stages and pipeline up to date after an input.
    ///
    /// Both take the composite status of their jobs, except that `created` never replaces another status. Source: GitLab
    /// 18.11, corpus `processing.yml`.
    pub(super) fn refresh_statuses(&mut self) {
        while let Some(stage) = self.changed_stages.pop_first() {
            let status = self.stages.composite(stage).map(|found| found.status);
            if let Some(status) = status.filter(|status| *status != Status::Created) {
                self.stage_statuses[stage.at()] = status;
            }
        }
        let composite = self.total.composite().unwrap_or(NO_JOBS);
        let status = next_pipeline_status(self.pipeline_status, composite.status);
        let warnings = status == Status::Success && composite.warnings;
        if (status, warnings) != (self.pipeline_status, self.warnings) {
            self.pipeline_status = status;
            self.warnings = warnings;
            self.actions.push(Action::PipelineStatus {
                status,
                warnings,
                rule: composite.rule,
            });
        }
    }
}

/// What callers take a composite status without jobs for.
const NO_JOBS: Composite = Composite {
    status: Status::Success,
    warnings: false,
    rule: 0,
};

/// The status of a pipeline whose jobs have a new composite status.
///
/// One that was over or runs does not become `pending` again, but `running`.
fn next_pipeline_status(now: Status, composite: Status) -> Status {
    match (composite, now) {
        (Status::Created, _) => now,
        (
            Status::Pending,
            Status::Running | Status::Success | Status::Failed | Status::Canceled,
        ) => Status::Running,
        _ => composite,
    }
}
