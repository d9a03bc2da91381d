//! The live view: every stage of every pipeline of a run with its jobs, in as many lines as the terminal has.
//!
//! [`outline`] is the tree; [`rows`] says what of it is shown at a [`Detail`](rows::Detail); [`line`] makes text of a row. The most
//! detailed rows that fit are taken, so that what is at work or failed is the last to go.

mod line;
mod outline;
mod rows;
#[cfg(test)]
mod tests;

use std::time::Duration;

use super::counts::Counts;
use super::run_progress::RunProgress;
use super::summary::elapsed;
use crate::look::{Ink, Look};
use line::Liner;
use outline::Outline;
use rows::{Detail, Row, rows, urgent};

/// How much of the screen there is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Space {
    /// Columns that may be used.
    pub width: usize,
    /// Lines that may be used.
    pub height: usize,
}

/// Renders the tree and, as its last line, how far the run is: at most `height` lines of at most `width` columns each.
///
/// `now_ms` is the time in milliseconds since the Unix epoch. Cost: a few passes over all jobs.
pub fn live_tree(
    run: &RunProgress,
    now_ms: u64,
    space: Space,
    look: impl Into<Look>,
) -> Vec<String> {
    let look = look.into();
    let outline = Outline::of(run);
    // The last line is that of the whole run.
    let room = space.height.saturating_sub(1);
    let (shown, hidden) = fitting(&outline, room);
    let liner = Liner::new(&shown, now_ms, space.width, look);
    let mut lines: Vec<String> = shown.iter().map(|row| liner.line(row)).collect();
    if space.height > 0 {
        let total = total(run, &outline.counts(), hidden, now_ms);
        lines.push(line::fitted(&[(Some(Ink::Dim), &total)], space.width, look));
    }
    lines
}

/// The most detailed rows that fit, and how many jobs that run are not among them.
fn fitting<'a>(outline: &'a Outline<'a>, room: usize) -> (Vec<Row<'a>>, usize) {
    for detail in Detail::ALL {
        let all = rows(outline, detail);
        if all.len() <= room {
            return (all, 0);
        }
    }
    let mut left = urgent(outline);
    left.truncate(room);
    let busy = left.iter().filter(|row| row.is_busy()).count();
    (left, outline.counts().running().saturating_sub(busy))
}

fn total(run: &RunProgress, counts: &Counts, hidden: usize, now_ms: u64) -> String {
    let mut text = format!("{} of {} jobs done", counts.done(), counts.all());
    if counts.failed() > 0 {
        text.push_str(&format!(", {} failed", counts.failed()));
    }
    text.push_str(&format!(", {} running", counts.running()));
    if hidden > 0 {
        text.push_str(&format!(" ({hidden} not shown)"));
    }
    if let Some(began) = run.root().began_ms {
        let took = Duration::from_millis(now_ms.saturating_sub(began));
        text.push_str(&format!(", {}", elapsed(took)));
    }
    text
}
