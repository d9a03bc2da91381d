//! Who hears of every step of judging rules.

use crate::trace::{ClauseTrial, RuleTrial};

/// Hears of every step. There is one evaluator, generic over this; with `()` nothing is kept or built.
pub(crate) trait Sink {
    /// Whether anything is kept, so that what only a listener needs is built.
    const KEEPS: bool;

    /// A clause was judged, or not reached.
    fn clause(&mut self, trial: impl FnOnce() -> ClauseTrial);

    /// A rule is over; its clauses were told before.
    fn rule(&mut self, trial: impl FnOnce(Vec<ClauseTrial>) -> RuleTrial);
}

impl Sink for () {
    const KEEPS: bool = false;

    fn clause(&mut self, _: impl FnOnce() -> ClauseTrial) {}
    fn rule(&mut self, _: impl FnOnce(Vec<ClauseTrial>) -> RuleTrial) {}
}

/// Keeps everything.
#[derive(Default)]
pub(crate) struct Kept {
    pub(crate) rules: Vec<RuleTrial>,
    clauses: Vec<ClauseTrial>,
}

impl Kept {
    /// The clauses told since the last rule.
    pub(crate) fn into_clauses(self) -> Vec<ClauseTrial> {
        self.clauses
    }
}

impl Sink for Kept {
    const KEEPS: bool = true;

    fn clause(&mut self, trial: impl FnOnce() -> ClauseTrial) {
        self.clauses.push(trial());
    }

    fn rule(&mut self, trial: impl FnOnce(Vec<ClauseTrial>) -> RuleTrial) {
        let clauses = std::mem::take(&mut self.clauses);
        self.rules.push(trial(clauses));
    }
}
