//! Where in the job a stage stands, and what bounds it.

use std::time::Instant;

use crate::cancel::CancelReason;

/// What bounds a stage beside the job's own time.
#[derive(Clone, Copy)]
pub(super) struct StageBounds {
    pub(super) deadline: Option<Instant>,
    pub(super) phase: Phase,
}

/// Where in the job a stage stands, which decides what a cancel does (reference `runner.md` §7.3).
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Phase {
    /// Before the scripts of the user: a cancel stops everything.
    Before,
    /// Among the scripts: a cancel ends them; `after_script` and what follows still run.
    Scripts,
    /// After the scripts: a cancel has no effect.
    After,
}

impl Phase {
    /// The mildest reason that ends a stage.
    pub(super) fn heeds(self) -> CancelReason {
        match self {
            Self::Before | Self::Scripts => CancelReason::Canceled,
            Self::After => CancelReason::Interrupted,
        }
    }

    /// Nothing more of the job may run once this reason has ended a stage.
    pub(super) fn dies_of(self, reason: CancelReason) -> bool {
        self == Self::Before || reason > CancelReason::Canceled
    }
}

impl StageBounds {
    /// Before the scripts of the user, a cancel stops everything.
    pub(super) fn before_scripts() -> Self {
        Self {
            deadline: None,
            phase: Phase::Before,
        }
    }
}
