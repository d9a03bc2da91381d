//! How a run ended: what failed and why, and one line for everything.

use std::fmt::Write as _;
use std::time::Duration;

use anstyle::{AnsiColor, Style as Paint};
use tidegate_pipeline::{Reason, Status};

use super::counts::Counts;
use super::progress::JobProgress;
use super::results::results;
use super::run_progress::RunProgress;
use crate::Style;

/// Renders how the run ended: each failed job with its last command and lines, then one line for the pipeline.
pub fn summary(progress: &RunProgress, style: Style) -> String {
    let mut text = String::new();
    for member in progress.members() {
        for (at, job) in member.jobs() {
            if job.status == Status::Failed {
                let rerun = match member.depth {
                    0 => "tidegate run",
                    _ => "tidegate run --retry",
                };
                failed(&member.name(at), rerun, job, style, &mut text);
            }
        }
    }
    let left = results(progress, None);
    if !left.is_empty() {
        text.push('\n');
    }
    for line in left {
        text.push_str(&line);
        text.push('\n');
    }
    text.push_str(&closing_line(progress, style));
    text.push_str(&unheeded(progress));
    text
}

/// Pipelines that failed and whose trigger jobs do not answer for them.
fn unheeded(progress: &RunProgress) -> String {
    let mut text = String::new();
    for member in progress.members() {
        let Some(parent) = member
            .parent
            .filter(|_| member.progress.status == Status::Failed)
        else {
            continue;
        };
        let above = progress.of(parent.pipeline);
        let passed = above.job(parent.job).status == Status::Success;
        if passed && !above.job(parent.job).allow_failure {
            let label = member.label;
            let _ = writeln!(
                text,
                "the pipeline of `{label}` failed; `{label}` passed all the same, since it has no `strategy`"
            );
        }
    }
    text
}

fn failed(name: &str, rerun: &str, job: &JobProgress, style: Style, text: &mut String) {
    let (red, bold) = (paint(style, AnsiColor::Red), weight(style));
    let allowed = if job.allow_failure { " (allowed)" } else { "" };
    let _ = write!(text, "\n{red}failed{red:#}{allowed}: {bold}{name}{bold:#}");
    if let Some((reason, exit_code)) = job.failure() {
        let _ = match exit_code {
            Some(code) => write!(text, ", exit code {code}"),
            None => write!(text, ", {}", reason.name()),
        };
    } else if matches!(job.reason, Reason::Downstream { .. }) {
        text.push_str(", as its pipeline");
    }
    text.push('\n');
    if job.allow_failure {
        return;
    }
    if let Some(command) = &job.command {
        let _ = writeln!(text, "  last command: {command}");
    }
    for line in &job.lines {
        let _ = writeln!(text, "  | {line}");
    }
    let name = quoted(name);
    let _ = writeln!(text, "  hint: `{rerun} {name}` runs it again");
    // A job without processes of its own has no place for a shell.
    if job.duration.is_some() {
        let _ = writeln!(
            text,
            "  hint: `tidegate shell {name}` opens a shell where it would run, `tidegate logs {name}` shows its whole log"
        );
    }
}

fn closing_line(run: &RunProgress, style: Style) -> String {
    let mut counts = Counts::default();
    for member in run.members() {
        for (at, job) in member.jobs() {
            counts.count(job, member.progress.pipeline().job(at).presence);
        }
    }
    let progress = run.root();
    let colour = match progress.status {
        Status::Success => AnsiColor::Green,
        Status::Failed => AnsiColor::Red,
        _ => AnsiColor::Yellow,
    };
    let began = progress.began_ms.unwrap_or(progress.last_ms);
    let took = elapsed(Duration::from_millis(
        progress.last_ms.saturating_sub(began),
    ));
    let paint = paint(style, colour);
    let verdict = match progress.status {
        Status::Success => "passed",
        Status::Manual => "waits for a manual job",
        other => other.name(),
    };
    let counted = counts.text();
    format!("\n{paint}pipeline {verdict}{paint:#} in {took}: {counted}\n")
}

/// One word for where a job stands.
pub(super) fn word(job: &JobProgress) -> &'static str {
    match job.status {
        Status::Success if job.would_trigger.is_some() => "not triggered",
        Status::Success => "passed",
        Status::Failed if job.allow_failure => "failed (allowed)",
        Status::WaitingForResource => "waits for its resource group",
        status => status.name(),
    }
}

/// A duration at the precision people care about.
pub(super) fn elapsed(duration: Duration) -> String {
    let seconds = duration.as_secs();
    match seconds {
        0..=59 => format!("{:.1}s", duration.as_secs_f64()),
        60..=3599 => format!("{}m {:02}s", seconds / 60, seconds % 60),
        _ => format!("{}h {:02}m", seconds / 3600, seconds % 3600 / 60),
    }
}

pub(super) fn paint(style: Style, colour: AnsiColor) -> Paint {
    match style {
        Style::Plain => Paint::new(),
        Style::Coloured => colour.on_default().bold(),
    }
}

fn weight(style: Style) -> Paint {
    match style {
        Style::Plain => Paint::new(),
        Style::Coloured => Paint::new().bold(),
    }
}

/// The name of a job as it must be typed in a shell.
pub fn quoted(name: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "-_./:".contains(c);
    if !name.is_empty() && name.chars().all(plain) {
        return name.to_owned();
    }
    format!("'{}'", name.replace('\'', r"'\''"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_are_told_as_people_would() {
        let told = |millis| elapsed(Duration::from_millis(millis));
        assert_eq!(told(1234), "1.2s");
        assert_eq!(told(61_000), "1m 01s");
        assert_eq!(told(3_720_000), "1h 02m");
    }

    #[test]
    fn names_are_quoted_for_the_shell_when_they_must_be() {
        assert_eq!(quoted("build"), "build");
        assert_eq!(quoted("build: [a, b]"), "'build: [a, b]'");
        assert_eq!(quoted("it's"), r"'it'\''s'");
    }
}
