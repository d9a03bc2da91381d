//! How much of a decision is kept.

use std::collections::BTreeSet;

/// For which jobs everything that was looked at is kept.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub enum Detail {
    /// For none: every decision says what was decided and where it came from, not how it was reached.
    #[default]
    Compact,
    /// For the jobs of these names: full names, or the names of parallel jobs as written.
    Full {
        /// The names.
        jobs: BTreeSet<String>,
    },
    /// For all jobs.
    All,
}

impl Detail {
    /// Full detail for one job.
    pub fn job(name: impl Into<String>) -> Detail {
        Detail::Full {
            jobs: BTreeSet::from([name.into()]),
        }
    }

    /// Whether everything is kept for the job of this full name and name as written.
    pub fn is_full_for(&self, name: &str, base: &str) -> bool {
        match self {
            Detail::Compact => false,
            Detail::Full { jobs } => jobs.contains(name) || jobs.contains(base),
            Detail::All => true,
        }
    }
}
