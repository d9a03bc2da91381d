//! What of the tree is shown when there is little room.

use super::super::counts::Counts;
use super::outline::{Branch, Leaf, Outline, Phase, Stage};

/// How much is shown, from all to little; each leaves out what those before it do, too.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(super) enum Detail {
    /// Every job.
    Everything,
    /// Stages of which nothing has happened are one line.
    BriefWaiting,
    /// Stages that are over are one line, those of their jobs that failed below it; pipelines that are over are with their
    /// trigger jobs.
    BriefFinished,
    /// In stages at work only running and failed jobs have lines of their own.
    Counted,
    /// Neighbouring stages that are over, or of which nothing has happened, are one line.
    Merged,
    /// Jobs that failed have no lines where their stage is over.
    WithoutPastFailures,
}

impl Detail {
    pub(super) const ALL: [Detail; 6] = [
        Detail::Everything,
        Detail::BriefWaiting,
        Detail::BriefFinished,
        Detail::Counted,
        Detail::Merged,
        Detail::WithoutPastFailures,
    ];
}

/// One line of the view.
pub(super) struct Row<'a> {
    /// How deep it stands in the tree.
    pub(super) depth: usize,
    pub(super) kind: Kind<'a>,
}

pub(super) enum Kind<'a> {
    /// A stage with its jobs below.
    Heading(&'a str),
    /// Stages in one line.
    Brief {
        /// The first one.
        stage: &'a str,
        /// How many.
        stages: usize,
        counts: Counts,
        phase: Phase,
    },
    /// A job; the counts are those of its pipeline, where that is not shown below it.
    Job(Leaf<'a>, Option<Counts>),
    /// A job that is shown outside its place in the tree.
    Apart(Leaf<'a>),
    /// Jobs of a stage that stand alike.
    Alike { counts: Counts, phase: Phase },
}

impl Row<'_> {
    pub(super) fn is_busy(&self) -> bool {
        matches!(&self.kind, Kind::Job(leaf, _) | Kind::Apart(leaf) if leaf.is_busy())
    }
}

/// The rows at a level of detail.
pub(super) fn rows<'a>(outline: &'a Outline<'a>, detail: Detail) -> Vec<Row<'a>> {
    let mut into = Vec::new();
    let walk = Walk { outline, detail };
    walk.branch(outline.root(), 0, &mut into);
    into
}

/// Only what runs, then what failed, outside the tree.
pub(super) fn urgent<'a>(outline: &'a Outline<'a>) -> Vec<Row<'a>> {
    let busy = outline.jobs().filter(|leaf| leaf.is_busy());
    let failed = outline.jobs().filter(|leaf| leaf.has_failed());
    let rows = busy.chain(failed).map(|leaf| Row {
        depth: 0,
        kind: Kind::Apart(*leaf),
    });
    rows.collect()
}

#[derive(Clone, Copy)]
struct Walk<'a> {
    outline: &'a Outline<'a>,
    detail: Detail,
}

impl<'a> Walk<'a> {
    fn branch(self, branch: &'a Branch<'a>, depth: usize, into: &mut Vec<Row<'a>>) {
        for stage in &branch.stages {
            if self.is_brief(stage.phase) {
                self.brief(branch, stage, depth, into);
                continue;
            }
            into.push(Row {
                depth,
                kind: Kind::Heading(stage.name),
            });
            if self.detail >= Detail::Counted {
                self.counted(branch, stage, depth + 1, into);
            } else {
                for leaf in &stage.jobs {
                    self.job(branch, leaf, depth + 1, into);
                }
            }
        }
    }

    fn is_brief(self, phase: Phase) -> bool {
        match phase {
            Phase::Active => false,
            Phase::Waiting => self.detail >= Detail::BriefWaiting,
            Phase::Finished => self.detail >= Detail::BriefFinished,
        }
    }

    fn brief(
        self,
        branch: &'a Branch<'a>,
        stage: &'a Stage<'a>,
        depth: usize,
        into: &mut Vec<Row<'a>>,
    ) {
        if self.detail < Detail::Merged || !merged(into.last_mut(), stage, depth) {
            into.push(Row {
                depth,
                kind: Kind::Brief {
                    stage: stage.name,
                    stages: 1,
                    counts: stage.counts,
                    phase: stage.phase,
                },
            });
        }
        if self.detail < Detail::WithoutPastFailures {
            for leaf in stage.jobs.iter().filter(|leaf| leaf.has_failed()) {
                self.job(branch, leaf, depth + 1, into);
            }
        }
    }

    /// The jobs of a stage at work: those that are over and need no attention in one line, those that wait in another.
    fn counted(
        self,
        branch: &'a Branch<'a>,
        stage: &'a Stage<'a>,
        depth: usize,
        into: &mut Vec<Row<'a>>,
    ) {
        let has_own_line = |leaf: &Leaf<'a>| {
            leaf.is_busy() || leaf.has_failed() || self.is_at_work_below(branch, leaf)
        };
        let (own, alike): (Vec<&Leaf<'a>>, Vec<&Leaf<'a>>) =
            stage.jobs.iter().partition(|leaf| has_own_line(leaf));
        let (over, waiting): (Vec<&Leaf<'a>>, Vec<&Leaf<'a>>) =
            alike.iter().partition(|leaf| leaf.job.status.is_complete());
        self.alike(branch, &over, Phase::Finished, depth, into);
        for leaf in own {
            self.job(branch, leaf, depth, into);
        }
        self.alike(branch, &waiting, Phase::Waiting, depth, into);
    }

    fn alike(
        self,
        branch: &'a Branch<'a>,
        leaves: &[&'a Leaf<'a>],
        phase: Phase,
        depth: usize,
        into: &mut Vec<Row<'a>>,
    ) {
        match leaves {
            [] => {}
            [leaf] => self.job(branch, leaf, depth, into),
            several => {
                let counts = several.iter().fold(Counts::default(), |mut counts, leaf| {
                    counts.count(leaf.job, leaf.presence);
                    counts
                });
                into.push(Row {
                    depth,
                    kind: Kind::Alike { counts, phase },
                });
            }
        }
    }

    /// A job, and its pipeline below it where it has one to show.
    fn job(
        self,
        branch: &'a Branch<'a>,
        leaf: &'a Leaf<'a>,
        depth: usize,
        into: &mut Vec<Row<'a>>,
    ) {
        let below = self.outline.below(branch, leaf.at);
        let (shown, told) = match below {
            Some(below) if self.detail >= Detail::BriefFinished && !below.is_active() => {
                (None, Some(below.counts()))
            }
            below => (below, None),
        };
        into.push(Row {
            depth,
            kind: Kind::Job(*leaf, told),
        });
        if let Some(below) = shown {
            self.branch(below, depth + 1, into);
        }
    }

    fn is_at_work_below(self, branch: &'a Branch<'a>, leaf: &Leaf<'a>) -> bool {
        let below = self.outline.below(branch, leaf.at);
        below.is_some_and(Branch::is_active)
    }
}

/// Whether the stage went into the row before it.
fn merged(last: Option<&mut Row<'_>>, next: &Stage<'_>, at: usize) -> bool {
    let Some(Row {
        depth,
        kind:
            Kind::Brief {
                stages,
                counts,
                phase,
                ..
            },
    }) = last
    else {
        return false;
    };
    if *depth != at || *phase != next.phase {
        return false;
    }
    *stages += 1;
    *counts = counts.and(next.counts);
    true
}
