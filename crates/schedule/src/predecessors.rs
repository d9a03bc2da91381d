//! What jobs wait for, as counters: nothing here ever looks at all jobs.
//!
//! A job with `needs` has one counter per [`Class`] of needed job. Jobs without wait for all earlier stages together; for them
//! [`Stages`] knows which stages hold a job of each class, so that the first of them answers for any prefix of stages.

use std::collections::BTreeSet;

use tidegate_pipeline::{JobIdx, StageIdx, Status, Wait};

use crate::composite::{Class, Composite, Symbol, Tally};
use crate::graph::AnyEntry;

/// What the jobs before a job have come to.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Previous {
    /// Not decided yet.
    Open,
    /// Decided; `None` where there are no jobs before.
    Decided(Option<Status>),
}

/// How many needs of one job are of which class.
#[derive(Clone, Copy, Default, Debug)]
pub(crate) struct Needs([u32; Class::COUNT]);

impl Needs {
    /// One more need is of this class.
    pub(crate) fn add(&mut self, class: Class) {
        self.0[class.at()] += 1;
    }

    /// A need moved between classes.
    pub(crate) fn shift(&mut self, from: Class, to: Class) {
        self.0[from.at()] -= 1;
        self.0[to.at()] += 1;
    }

    /// The composite status of the needs where it is a complete one: rules 1, 3, 6 and 16 of the composite in DAG mode.
    pub(crate) fn previous(&self) -> Previous {
        let has = |class: Class| self.0[class.at()] > 0;
        if has(Class::Skip) {
            Previous::Decided(Some(Status::Skipped))
        } else if has(Class::Open) {
            Previous::Open
        } else if has(Class::Failed) {
            Previous::Decided(Some(Status::Failed))
        } else if has(Class::Canceled) {
            Previous::Decided(Some(Status::Canceled))
        } else if has(Class::Good) {
            Previous::Decided(Some(Status::Success))
        } else {
            Previous::Decided(None)
        }
    }
}

/// How the alternatives of one `needs: any` stand (reference `extensions.md` §4).
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyProgress {
    good: u32,
    open: u32,
    /// What the entry counts as among the needs of its job.
    pub(crate) class: Class,
}

impl AnyProgress {
    /// All alternatives are open.
    pub(crate) fn new(entry: &AnyEntry) -> AnyProgress {
        let mut progress = AnyProgress {
            good: 0,
            open: entry.size,
            class: Class::Open,
        };
        progress.class = progress.class_in(entry);
        progress
    }

    /// An alternative moved between classes.
    pub(crate) fn shift(&mut self, entry: &AnyEntry, from: Class, to: Class) {
        for (class, step) in [(from, u32::MAX), (to, 1)] {
            match class {
                Class::Good => self.good = self.good.wrapping_add(step),
                Class::Open => self.open = self.open.wrapping_add(step),
                Class::Failed | Class::Canceled | Class::Skip => {}
            }
        }
        self.class = self.class_in(entry);
    }

    fn class_in(&self, entry: &AnyEntry) -> Class {
        let met = self.good >= entry.min;
        let over = match entry.wait {
            Wait::First => met || self.good + self.open < entry.min,
            Wait::All => self.open == 0,
        };
        match (over, met) {
            (false, _) => Class::Open,
            (true, true) => Class::Good,
            (true, false) => Class::Failed,
        }
    }
}

/// All stages, by what their jobs count as.
#[derive(Clone, Debug)]
pub(crate) struct Stages {
    tallies: Vec<Tally>,
    classes: Vec<[u32; Class::COUNT]>,
    /// Stages that hold a job of each class.
    holding: [BTreeSet<StageIdx>; Class::COUNT],
    /// Jobs of each stage whose failure or cancellation counts.
    culprits: Vec<[BTreeSet<JobIdx>; 2]>,
}

impl Stages {
    /// `count` stages without jobs.
    pub(crate) fn new(count: usize) -> Stages {
        Stages {
            tallies: vec![Tally::default(); count],
            classes: vec![[0; Class::COUNT]; count],
            holding: Default::default(),
            culprits: vec![Default::default(); count],
        }
    }

    /// A job stands in a stage.
    pub(crate) fn add(&mut self, stage: StageIdx, job: JobIdx, symbol: Symbol) {
        self.tallies[stage.at()].add(symbol);
        self.enter(stage, job, symbol.class());
    }

    /// A job of a stage counts as something else.
    pub(crate) fn shift(&mut self, stage: StageIdx, job: JobIdx, from: Symbol, to: Symbol) {
        let tally = &mut self.tallies[stage.at()];
        tally.remove(from);
        tally.add(to);
        if from.class() != to.class() {
            self.leave(stage, job, from.class());
            self.enter(stage, job, to.class());
        }
    }

    fn enter(&mut self, stage: StageIdx, job: JobIdx, class: Class) {
        let count = &mut self.classes[stage.at()][class.at()];
        *count += 1;
        if *count == 1 {
            self.holding[class.at()].insert(stage);
        }
        if let Some(culprits) = self.culprits_of(stage, class) {
            culprits.insert(job);
        }
    }

    fn leave(&mut self, stage: StageIdx, job: JobIdx, class: Class) {
        let count = &mut self.classes[stage.at()][class.at()];
        *count -= 1;
        if *count == 0 {
            self.holding[class.at()].remove(&stage);
        }
        if let Some(culprits) = self.culprits_of(stage, class) {
            culprits.remove(&job);
        }
    }

    fn culprits_of(&mut self, stage: StageIdx, class: Class) -> Option<&mut BTreeSet<JobIdx>> {
        let [failed, canceled] = &mut self.culprits[stage.at()];
        match class {
            Class::Failed => Some(failed),
            Class::Canceled => Some(canceled),
            Class::Good | Class::Skip | Class::Open => None,
        }
    }

    /// The composite status of all jobs before a stage where it is a complete one: rules 2, 3, 6 and 16.
    pub(crate) fn previous(&self, stage: StageIdx) -> Previous {
        let has = |class: Class| {
            let first = self.holding[class.at()].first();
            first.is_some_and(|first| *first < stage)
        };
        if has(Class::Open) {
            Previous::Open
        } else if has(Class::Failed) {
            Previous::Decided(Some(Status::Failed))
        } else if has(Class::Canceled) {
            Previous::Decided(Some(Status::Canceled))
        } else if has(Class::Good) {
            Previous::Decided(Some(Status::Success))
        } else if has(Class::Skip) {
            Previous::Decided(Some(Status::Skipped))
        } else {
            Previous::Decided(None)
        }
    }

    /// The first job before a stage that failed or was canceled, where that made this composite status.
    pub(crate) fn culprit(&self, before: StageIdx, status: Status) -> Option<JobIdx> {
        let (class, at) = match status {
            Status::Failed => (Class::Failed, 0),
            Status::Canceled => (Class::Canceled, 1),
            _ => return None,
        };
        let stage = self.holding[class.at()].first()?;
        let first = self.culprits[stage.at()][at].first().copied();
        first.filter(|_| *stage < before)
    }

    /// Combined status of one stage.
    pub(crate) fn composite(&self, stage: StageIdx) -> Option<Composite> {
        self.tallies[stage.at()].composite()
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::composite::{Mode, composite};

    fn entry(min: u32, wait: Wait, size: u32) -> AnyEntry {
        AnyEntry { min, wait, size }
    }

    #[test]
    fn an_entry_is_met_by_the_first_good_alternative() {
        let any = entry(1, Wait::First, 2);
        let mut progress = AnyProgress::new(&any);
        assert_eq!(progress.class, Class::Open);
        progress.shift(&any, Class::Open, Class::Good);
        assert_eq!(progress.class, Class::Good);
    }

    #[test]
    fn an_entry_that_waits_for_all_is_open_until_the_last_is_over() {
        let any = entry(1, Wait::All, 2);
        let mut progress = AnyProgress::new(&any);
        progress.shift(&any, Class::Open, Class::Good);
        assert_eq!(progress.class, Class::Open);
        progress.shift(&any, Class::Open, Class::Failed);
        assert_eq!(progress.class, Class::Good);
    }

    #[test]
    fn an_entry_is_impossible_once_too_few_can_be_good() {
        let any = entry(2, Wait::First, 3);
        let mut progress = AnyProgress::new(&any);
        progress.shift(&any, Class::Open, Class::Failed);
        assert_eq!(progress.class, Class::Open);
        progress.shift(&any, Class::Open, Class::Skip);
        assert_eq!(progress.class, Class::Failed);
        progress.shift(&any, Class::Skip, Class::Good);
        assert_eq!(progress.class, Class::Open);
    }

    fn any_job() -> impl Strategy<Value = (Status, bool)> {
        (proptest::sample::select(&Status::ALL[..]), any::<bool>())
    }

    proptest! {
        #[test]
        fn counters_agree_with_the_composite_status(
            jobs in proptest::collection::vec(any_job(), 0..6),
            padding in 0usize..3,
        ) {
            let complete = |mode| match composite(jobs.iter().copied(), mode) {
                None => Previous::Decided(None),
                Some(found) if found.status.is_complete() => Previous::Decided(Some(found.status)),
                Some(_) => Previous::Open,
            };
            let mut needs = Needs::default();
            let mut stages = Stages::new(jobs.len() + padding + 1);
            for (at, (status, allow_failure)) in jobs.iter().enumerate() {
                let symbol = Symbol::of(*status, *allow_failure);
                needs.add(Class::Open);
                needs.shift(Class::Open, symbol.class());
                let (stage, job) = (StageIdx(at as u32 / 2), JobIdx(at as u32));
                let created = Symbol::of(Status::Created, false);
                stages.add(stage, job, created);
                stages.shift(stage, job, created, symbol);
            }
            prop_assert_eq!(needs.previous(), complete(Mode::Dag));
            let last = StageIdx((jobs.len() + padding) as u32);
            prop_assert_eq!(stages.previous(last), complete(Mode::Stage));
        }
    }
}
