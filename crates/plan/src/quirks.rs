//! Finds where GitLab's surprises bite (reference `compose.md` §12), for jobs asked about.

use crate::needs::Resolved;
use crate::quirk::Quirk;
use crate::seed::Seed;
use crate::shared::Shared;

/// The surprises of each job, in order; none for jobs nobody asked about.
pub(crate) fn of(
    seeds: &[Seed<'_>],
    _resolved: &[Option<Resolved>],
    _shared: &Shared<'_>,
) -> Vec<Vec<Quirk>> {
    seeds.iter().map(|_| Vec::new()).collect()
}
