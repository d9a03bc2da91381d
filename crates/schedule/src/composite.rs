//! The combined status of several jobs.
//!
//! GitLab reduces each job to a symbol and applies the first of seventeen rules to the set of symbols (GitLab 18.11,
//! reference `compose.md` §8.3). [`composite`] is that function; [`Tally`] is its incremental form, which the state machine
//! keeps for every stage and for the whole pipeline.

use tidegate_pipeline::Status;

/// Whose status is asked for.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum Mode {
    /// A stage, a pipeline, or all jobs before a stage.
    Stage,
    /// The jobs that one job needs: anything skipped decides at once.
    Dag,
}

/// A combined status.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Composite {
    /// The status.
    pub status: Status,
    /// A job failed or was canceled that may; a success with it reads "passed with warnings".
    pub warnings: bool,
    /// The number of the rule that decided, 1 to 16 (reference `compose.md` §8.3).
    pub rule: u8,
}

/// The combined status of jobs given as `(status, allow_failure)`; `None` for no jobs, which callers take as success.
///
/// The order of the jobs never matters. Source: GitLab 18.11, reference `compose.md` §8.3; vectors `composite.jsonl`.
pub fn composite(
    statuses: impl IntoIterator<Item = (Status, bool)>,
    mode: Mode,
) -> Option<Composite> {
    let mut set = SymbolSet::default();
    for (status, allow_failure) in statuses {
        set = set.with(Symbol::of(status, allow_failure));
    }
    set.composite(mode)
}

/// What a job counts as: its status, or one of two further symbols for jobs that may fail.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Symbol(u8);

impl Symbol {
    /// How many symbols there are.
    pub(crate) const COUNT: usize = Status::ALL.len() + 2;
    /// Failed or canceled, and may.
    const WARN: Symbol = Symbol(Status::ALL.len() as u8);
    /// Manual, and may fail: nobody waits for it.
    const IGNORED: Symbol = Symbol(Status::ALL.len() as u8 + 1);

    /// The symbol of a job.
    pub(crate) fn of(status: Status, allow_failure: bool) -> Symbol {
        match status {
            Status::Failed | Status::Canceled if allow_failure => Symbol::WARN,
            Status::Manual if allow_failure => Symbol::IGNORED,
            // `Status` declares its variants in the order of `Status::ALL`.
            other => Symbol(other as u8),
        }
    }

    /// What it means to the jobs that wait.
    pub(crate) fn class(self) -> Class {
        const SUCCESS: u8 = Status::Success as u8;
        const FAILED: u8 = Status::Failed as u8;
        const CANCELED: u8 = Status::Canceled as u8;
        const SKIPPED: u8 = Status::Skipped as u8;
        match self.0 {
            SUCCESS => Class::Good,
            FAILED => Class::Failed,
            CANCELED => Class::Canceled,
            SKIPPED => Class::Skip,
            _ if self == Symbol::WARN => Class::Good,
            _ if self == Symbol::IGNORED => Class::Skip,
            _ => Class::Open,
        }
    }

    fn at(self) -> usize {
        usize::from(self.0)
    }
}

/// What a symbol means to the jobs that wait: all that their judgement can depend on.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Class {
    /// Success, or a failure that does not count.
    Good,
    /// A failure that counts.
    Failed,
    /// A cancellation that counts.
    Canceled,
    /// Skipped, or a manual job nobody waits for.
    Skip,
    /// Not decided yet.
    Open,
}

impl Class {
    /// How many classes there are.
    pub(crate) const COUNT: usize = 5;

    /// Index for arrays that run beside the classes.
    pub(crate) fn at(self) -> usize {
        self as usize
    }
}

/// A set of symbols, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Default, Debug)]
struct SymbolSet(u16);

impl SymbolSet {
    const fn of(statuses: &[Status]) -> SymbolSet {
        let mut bits = 0;
        let mut at = 0;
        while at < statuses.len() {
            bits |= 1 << statuses[at] as u16;
            at += 1;
        }
        SymbolSet(bits)
    }

    fn with(self, symbol: Symbol) -> SymbolSet {
        SymbolSet(self.0 | 1 << symbol.0)
    }

    fn without(self, symbol: Symbol) -> SymbolSet {
        SymbolSet(self.0 & !(1 << symbol.0))
    }

    fn and(self, other: SymbolSet) -> SymbolSet {
        SymbolSet(self.0 | other.0)
    }

    fn has(self, any: SymbolSet) -> bool {
        self.0 & any.0 != 0
    }

    fn only(self, allowed: SymbolSet) -> bool {
        self.0 & !allowed.0 == 0
    }

    fn composite(self, mode: Mode) -> Option<Composite> {
        if self == SymbolSet::default() {
            return None;
        }
        let (rule, status) = self.first_rule(mode);
        Some(Composite {
            status,
            warnings: self.has(WARN),
            rule,
        })
    }

    /// The first rule of reference `compose.md` §8.3 that applies to a set that is not empty.
    fn first_rule(self, mode: Mode) -> (u8, Status) {
        use Status::*;
        let of = SymbolSet::of;
        let quiet = WARN.and(IGNORED);
        let passed = quiet.and(of(&[Success, Skipped]));
        if mode == Mode::Dag && self.has(of(&[Skipped]).and(IGNORED)) {
            (1, Skipped)
        } else if self.only(of(&[Skipped]).and(IGNORED)) {
            (2, Skipped)
        } else if self.only(passed) {
            (3, Success)
        } else if self.only(of(&[Created]).and(quiet)) {
            (4, Created)
        } else if self.only(of(&[Preparing]).and(quiet)) {
            (5, Preparing)
        } else if self.only(of(&[Canceled]).and(passed)) {
            (6, Canceled)
        } else if self.only(of(&[Pending, Created, Skipped]).and(quiet)) {
            (7, Pending)
        } else if self.has(of(&[Running, Pending])) {
            (8, Running)
        } else if self.has(of(&[WaitingForResource])) {
            (9, WaitingForResource)
        } else if self.has(of(&[WaitingForCallback])) {
            (10, WaitingForCallback)
        } else if self.has(of(&[Manual])) {
            (11, Manual)
        } else if self.has(of(&[Scheduled])) {
            (12, Scheduled)
        } else if self.has(of(&[Preparing])) {
            (13, Preparing)
        } else if self.has(of(&[Created])) {
            (14, Running)
        } else if self.has(of(&[Canceling])) {
            (15, Canceling)
        } else {
            (16, Failed)
        }
    }
}

const WARN: SymbolSet = SymbolSet(1 << Symbol::WARN.0);
const IGNORED: SymbolSet = SymbolSet(1 << Symbol::IGNORED.0);

/// How many jobs count as what; gives the composite without looking at any job.
#[derive(Clone, Default, Debug)]
pub(crate) struct Tally {
    counts: [u32; Symbol::COUNT],
    set: SymbolSet,
}

impl Tally {
    /// One more job counts as `symbol`.
    pub(crate) fn add(&mut self, symbol: Symbol) {
        self.counts[symbol.at()] += 1;
        self.set = self.set.with(symbol);
    }

    /// One job less counts as `symbol`.
    pub(crate) fn remove(&mut self, symbol: Symbol) {
        self.counts[symbol.at()] -= 1;
        if self.counts[symbol.at()] == 0 {
            self.set = self.set.without(symbol);
        }
    }

    /// Combined status of a stage or pipeline.
    pub(crate) fn composite(&self) -> Option<Composite> {
        self.set.composite(Mode::Stage)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stage(jobs: &[(Status, bool)]) -> Option<(Status, u8)> {
        composite(jobs.iter().copied(), Mode::Stage).map(|found| (found.status, found.rule))
    }

    #[test]
    fn no_jobs_have_no_status() {
        assert_eq!(stage(&[]), None);
        assert_eq!(composite([], Mode::Dag), None);
    }

    #[test]
    fn an_allowed_failure_is_a_success_with_warnings() {
        let found = composite([(Status::Failed, true)], Mode::Stage).expect("one job");
        assert_eq!(
            (found.status, found.warnings, found.rule),
            (Status::Success, true, 3)
        );
    }

    #[test]
    fn a_skipped_need_decides_although_another_runs() {
        let jobs = [(Status::Skipped, false), (Status::Running, false)];
        let found = composite(jobs, Mode::Dag).expect("two jobs");
        assert_eq!((found.status, found.rule), (Status::Skipped, 1));
        assert_eq!(stage(&jobs), Some((Status::Running, 8)));
    }

    #[test]
    fn a_canceled_job_beside_a_failed_one_is_a_failure() {
        assert_eq!(
            stage(&[(Status::Canceled, false), (Status::Failed, false)]),
            Some((Status::Failed, 16))
        );
    }

    #[test]
    fn a_tally_forgets_what_was_removed() {
        let mut tally = Tally::default();
        tally.add(Symbol::of(Status::Running, false));
        tally.add(Symbol::of(Status::Success, false));
        tally.remove(Symbol::of(Status::Running, false));
        assert_eq!(
            tally.composite().map(|found| found.status),
            Some(Status::Success)
        );
    }
}
