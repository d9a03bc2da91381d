//! One row as text.

use std::borrow::Cow;
use std::time::Duration;

use tidegate_pipeline::Status;

use super::super::counts::Counts;
use super::super::progress::JobProgress;
use super::super::summary::{elapsed, word};
use super::outline::{Leaf, Phase};
use super::rows::{Kind, Row};
use crate::look::{Ink, Look, Mark};
use crate::one_line::{one_line, padding, shortened, width};

/// Columns of the widest name that widens the column of all, as a part of the screen: one of so many.
const PART: usize = 2;
/// Columns of times.
const TIME: usize = 7;

/// Makes lines of rows; what it is made of stands under each other.
pub(super) struct Liner {
    now_ms: u64,
    width: usize,
    look: Look,
    /// Column at which times begin.
    column: usize,
}

impl Liner {
    pub(super) fn new(rows: &[Row<'_>], now_ms: u64, width: usize, look: Look) -> Liner {
        let most = width / PART;
        let heads = rows.iter().map(head_width);
        Liner {
            now_ms,
            width,
            look,
            column: heads.filter(|head| *head <= most).max().unwrap_or(0),
        }
    }

    pub(super) fn line(&self, row: &Row<'_>) -> String {
        let indent = "  ".repeat(row.depth);
        match &row.kind {
            Kind::Heading(stage) => {
                self.fit(&[(None, &indent), (Some(Ink::Strong), &one_line(stage))])
            }
            Kind::Brief {
                stage,
                stages,
                counts,
                phase,
            } => {
                let name = match stages {
                    1 => one_line(stage),
                    more => Cow::Owned(format!("{more} stages")),
                };
                let told = format!("  {}", counts.text());
                self.fit(&[
                    (None, &indent),
                    (Some(Ink::Strong), &name),
                    (Some(tone(counts, *phase)), &told),
                ])
            }
            Kind::Alike { counts, phase } => {
                let (mark, _) = mark_of_many(counts, *phase);
                self.marked(&indent, mark, &counts.text(), Some(Ink::Dim))
            }
            Kind::Job(leaf, counts) => self.job(&indent, leaf, &one_line(leaf.name), *counts),
            Kind::Apart(leaf) => self.job("", leaf, &one_line(&full_name(leaf)), None),
        }
    }

    fn marked(&self, indent: &str, mark: Mark, text: &str, ink: Option<Ink>) -> String {
        let (mark, tint) = self.look.plain_mark(mark);
        self.fit(&[(None, indent), (Some(tint), mark), (None, " "), (ink, text)])
    }

    fn job(&self, indent: &str, leaf: &Leaf<'_>, name: &str, below: Option<Counts>) -> String {
        let (mark, tint) = self.look.plain_mark(mark_of(leaf.job));
        let head = width(indent) + 2 + width(name);
        let gap = " ".repeat(self.column.saturating_sub(head));
        let time = self.time(leaf);
        let time = format!("{}{time}", padding(&time, TIME));
        let note = note(leaf, below);
        let ink = match leaf.job.status {
            Status::Running => Some(Ink::Strong),
            status if status.is_complete() => None,
            _ => Some(Ink::Dim),
        };
        let said = match leaf.job.status {
            Status::Failed => Ink::Bad,
            _ => Ink::Dim,
        };
        self.fit(&[
            (None, indent),
            (Some(tint), mark),
            (None, " "),
            (ink, name),
            (None, &gap),
            (Some(Ink::Dim), &time),
            (None, "  "),
            (Some(said), &note),
        ])
    }

    fn time(&self, leaf: &Leaf<'_>) -> String {
        let took = match (leaf.job.duration, leaf.job.started_ms) {
            (Some(duration), _) => duration,
            (None, Some(started)) if leaf.is_busy() => {
                Duration::from_millis(self.now_ms.saturating_sub(started))
            }
            _ => return String::new(),
        };
        elapsed(took)
    }

    fn fit(&self, parts: &[(Option<Ink>, &str)]) -> String {
        fitted(parts, self.width, self.look)
    }
}

/// The parts one after the other, cut where the screen ends.
pub(super) fn fitted(parts: &[(Option<Ink>, &str)], columns: usize, look: Look) -> String {
    // Spaces at the end of a line are of no use, and a terminal shows their colours.
    let empty = |(_, text): &(_, &str)| text.trim().is_empty();
    let parts = &parts[..parts
        .iter()
        .rposition(|part| !empty(part))
        .map_or(0, |at| at + 1)];
    let mut line = String::new();
    let mut room = columns;
    for (ink, text) in parts {
        if room == 0 {
            break;
        }
        let cut = shortened(text, room, look.ellipsis());
        let whole = matches!(cut, Cow::Borrowed(_));
        room = room.saturating_sub(width(&cut));
        match ink {
            Some(ink) => line.push_str(&look.ink(*ink, &cut)),
            None => line.push_str(&cut),
        }
        if !whole {
            break;
        }
    }
    line
}

fn head_width(row: &Row<'_>) -> usize {
    match &row.kind {
        Kind::Job(leaf, _) => row.depth * 2 + 2 + width(&one_line(leaf.name)),
        Kind::Apart(leaf) => 2 + width(&one_line(&full_name(leaf))),
        _ => 0,
    }
}

fn full_name<'a>(leaf: &Leaf<'a>) -> Cow<'a, str> {
    match leaf.label {
        "" => leaf.name.into(),
        label => format!("{label}/{}", leaf.name).into(),
    }
}

fn mark_of(job: &JobProgress) -> Mark {
    match job.status {
        Status::Success => Mark::Yes,
        Status::Failed if job.allow_failure => Mark::Note,
        Status::Failed => Mark::No,
        Status::Canceled | Status::Skipped => Mark::NotTried,
        Status::Running | Status::Canceling => Mark::Busy,
        _ => Mark::Waiting,
    }
}

fn mark_of_many(counts: &Counts, phase: Phase) -> (Mark, Ink) {
    match phase {
        Phase::Waiting => (Mark::Waiting, Ink::Dim),
        Phase::Active => (Mark::Busy, Ink::Heading),
        Phase::Finished if counts.failed() > 0 => (Mark::No, Ink::Bad),
        Phase::Finished if counts.not_well() > 0 => (Mark::Note, Ink::Careful),
        Phase::Finished if counts.passed() > 0 => (Mark::Yes, Ink::Good),
        Phase::Finished => (Mark::NotTried, Ink::Dim),
    }
}

fn tone(counts: &Counts, phase: Phase) -> Ink {
    mark_of_many(counts, phase).1
}

/// What a job printed last.
fn last_line(job: &JobProgress) -> String {
    let whole = job.lines.back().map_or("", String::as_str);
    let line = match job.unfinished.trim() {
        "" => whole,
        unfinished => unfinished,
    };
    // A tab is as wide as the terminal says.
    one_line(&line.trim_start().replace('\t', " ")).into_owned()
}

/// What there is to know of a job beside its time.
fn note(leaf: &Leaf<'_>, below: Option<Counts>) -> String {
    let job = leaf.job;
    let said = match job.status {
        Status::Running => last_line(job),
        Status::Created => String::new(),
        Status::Success if leaf.satisfied => "already done".to_owned(),
        Status::Success if job.would_trigger.is_none() => String::new(),
        Status::Failed => match job.failure() {
            Some((_, Some(code))) => format!("exit code {code}"),
            Some((reason, None)) => reason.name().to_owned(),
            None => String::new(),
        },
        _ => word(job).to_owned(),
    };
    let below = below.map_or_else(String::new, |counts| counts.text());
    let again = match job.attempt.0 {
        ..=1 => String::new(),
        attempt => format!("try {attempt}"),
    };
    let parts = [again, below, said];
    let parts: Vec<String> = parts.into_iter().filter(|part| !part.is_empty()).collect();
    parts.join("  ")
}
