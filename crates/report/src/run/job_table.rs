//! The live view's lower part: what runs now.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style as Paint};
use tidegate_pipeline::Status;

use super::progress::Progress;
use super::summary::{elapsed, paint};
use crate::Style;

/// Renders the running jobs with elapsed time and last line, then a line that counts the rest; every line fits `width` columns.
///
/// At most `height` lines. `now_ms` is the time in milliseconds since the Unix epoch.
pub fn job_table(
    progress: &Progress,
    now_ms: u64,
    width: usize,
    height: usize,
    style: Style,
) -> Vec<String> {
    let running: Vec<_> = progress
        .in_stage_order()
        .filter(|(_, job)| job.status == Status::Running)
        .collect();
    let mut lines = Vec::new();
    let shown = running.len().min(height.saturating_sub(1));
    for (at, job) in running.iter().take(shown) {
        let name = &progress.pipeline().job(*at).name;
        let started = job.started_ms.unwrap_or(now_ms);
        let took = elapsed(Duration::from_millis(now_ms.saturating_sub(started)));
        let last = job.lines.back().map_or("", |line| line.as_str());
        let head = format!("> {name} {took}");
        let room = width.saturating_sub(head.chars().count() + 3);
        let mut line = String::new();
        let (bright, dim) = (paint(style, AnsiColor::Cyan), dimmed(style));
        let _ = write!(line, "{bright}{}{bright:#}", cut(&head, width));
        if room > 8 && !last.is_empty() {
            let _ = write!(line, "  {dim}{}{dim:#}", cut(last, room));
        }
        lines.push(line);
    }
    let count = |wanted: fn(Status) -> bool| {
        progress
            .in_stage_order()
            .filter(|(_, job)| wanted(job.status))
            .count()
    };
    let done = count(Status::is_complete);
    let total = progress.pipeline().jobs.len();
    let hidden = running.len() - shown;
    let mut tail = format!("  {done} of {total} jobs done, {} running", running.len());
    if hidden > 0 {
        let _ = write!(tail, " ({hidden} not shown)");
    }
    lines.push(cut(&tail, width));
    lines
}

fn dimmed(style: Style) -> Paint {
    match style {
        Style::Plain => Paint::new(),
        Style::Coloured => Paint::new().effects(Effects::DIMMED),
    }
}

/// The first `width` characters, marked where something was cut off.
fn cut(text: &str, width: usize) -> String {
    if text.chars().count() <= width {
        return text.to_owned();
    }
    text.chars()
        .take(width.saturating_sub(1))
        .chain(['…'])
        .collect()
}
