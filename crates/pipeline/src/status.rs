//! Statuses of jobs, stages and pipelines.

/// GitLab's statuses (reference `compose.md` §8.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Status {
    /// Waits for what comes before it.
    Created,
    /// Waits for a runner.
    Pending,
    /// Runs.
    Running,
    /// Ended well.
    Success,
    /// Ended badly.
    Failed,
    /// Was canceled.
    Canceled,
    /// Was passed over because of what came before it.
    Skipped,
    /// Waits for a person.
    Manual,
    /// Waits for a time.
    Scheduled,
    /// Waits for prerequisites.
    Preparing,
    /// Waits for its resource group.
    WaitingForResource,
    /// Waits for an outside answer.
    WaitingForCallback,
    /// Is being canceled.
    Canceling,
}

impl Status {
    /// All statuses in GitLab's order.
    pub const ALL: [Status; 13] = [
        Status::Created,
        Status::Pending,
        Status::Running,
        Status::Success,
        Status::Failed,
        Status::Canceled,
        Status::Skipped,
        Status::Manual,
        Status::Scheduled,
        Status::Preparing,
        Status::WaitingForResource,
        Status::WaitingForCallback,
        Status::Canceling,
    ];

    /// The name GitLab uses.
    pub fn name(self) -> &'static str {
        match self {
            Status::Created => "created",
            Status::Pending => "pending",
            Status::Running => "running",
            Status::Success => "success",
            Status::Failed => "failed",
            Status::Canceled => "canceled",
            Status::Skipped => "skipped",
            Status::Manual => "manual",
            Status::Scheduled => "scheduled",
            Status::Preparing => "preparing",
            Status::WaitingForResource => "waiting_for_resource",
            Status::WaitingForCallback => "waiting_for_callback",
            Status::Canceling => "canceling",
        }
    }

    /// The status of a name.
    pub fn from_name(name: &str) -> Option<Status> {
        Status::ALL.into_iter().find(|status| status.name() == name)
    }

    /// Nothing more happens by itself: success, failed, canceled or skipped.
    pub fn is_complete(self) -> bool {
        matches!(
            self,
            Status::Success | Status::Failed | Status::Canceled | Status::Skipped
        )
    }

    /// Waits for a person or a time.
    pub fn is_blocked(self) -> bool {
        matches!(self, Status::Manual | Status::Scheduled)
    }

    /// Neither complete nor blocked.
    pub fn is_alive(self) -> bool {
        !self.is_complete() && !self.is_blocked()
    }
}

impl std::fmt::Display for Status {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.name())
    }
}
