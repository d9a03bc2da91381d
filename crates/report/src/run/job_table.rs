//! The live view's lower part: what runs now.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Effects, Style as Paint};
use tidegate_pipeline::Status;

use super::run_progress::RunProgress;
use super::summary::{elapsed, paint};
use crate::Style;

/// Renders the running jobs with elapsed time and last line, then a line that counts the rest; every line fits `width` columns.
///
/// At most `height` lines. `now_ms` is the time in milliseconds since the Unix epoch.
pub fn job_table(
    progress: &RunProgress,
    now_ms: u64,
    width: usize,
    height: usize,
    style: Style,
) -> Vec<String> {
    let members = progress.members();
    let jobs = members
        .iter()
        .flat_map(|member| member.jobs().map(move |(at, job)| (member, at, job)));
    let running: Vec<_> = jobs
        .filter(|(_, _, job)| job.status == Status::Running)
        .collect();
    let mut lines = Vec::new();
    let shown = running.len().min(height.saturating_sub(1));
    for (member, at, job) in running.iter().take(shown) {
        let indent = "  ".repeat(member.depth);
        let name = member.name(*at);
        let started = job.started_ms.unwrap_or(now_ms);
        let took = elapsed(Duration::from_millis(now_ms.saturating_sub(started)));
        let last = job.lines.back().map_or("", |line| line.as_str());
        let head = format!("{indent}> {name} {took}");
        let room = width.saturating_sub(head.chars().count() + 3);
        let mut line = String::new();
        let (bright, dim) = (paint(style, AnsiColor::Cyan), dimmed(style));
        let _ = write!(line, "{bright}{}{bright:#}", cut(&head, width));
        if room > 8 && !last.is_empty() {
            let _ = write!(line, "  {dim}{}{dim:#}", cut(last, room));
        }
        lines.push(line);
    }
    let all = || members.iter().flat_map(|member| member.jobs());
    let done = all().filter(|(_, job)| job.status.is_complete()).count();
    let total = all().count();
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
