//! The time all fetching together may take.

use std::cell::Cell;
use std::time::{Duration, Instant};

/// Runs from the first request on, so that a long computation before it costs nothing.
pub(crate) struct Budget {
    total: Duration,
    one: Duration,
    started: Cell<Option<Instant>>,
}

impl Budget {
    pub(crate) fn new(total: Duration, one: Duration) -> Budget {
        Budget {
            total,
            one,
            started: Cell::new(None),
        }
    }

    /// How long the next request may take; `None` where nothing is left.
    pub(crate) fn next(&self) -> Option<Duration> {
        let started = self.started.get().unwrap_or_else(Instant::now);
        self.started.set(Some(started));
        let left = self.total.checked_sub(started.elapsed())?;
        (!left.is_zero()).then(|| left.min(self.one))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_request_gets_no_more_than_is_left() {
        let second = Duration::from_secs(1);
        let budget = Budget::new(second * 100, second);
        assert_eq!(budget.next(), Some(second));
        let budget = Budget::new(second, second * 100);
        assert!(budget.next().is_some_and(|left| left <= second));
        assert_eq!(Budget::new(Duration::ZERO, second).next(), None);
    }
}
