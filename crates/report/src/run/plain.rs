//! A run as lines, each prefixed with the job it is of: for pipes, files and CI.

use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::{AnsiColor, Style as Paint};
use tidegate_pipeline::{CacheOutcome, Event, EventKind, JobIdx, Pipeline, Reason, Status};

use super::log_lines::{LogLines, Shown};
use super::progress::Progress;
use super::summary::{elapsed, word};
use crate::Style;

/// Turns events and log bytes into lines.
#[derive(Debug)]
pub struct PlainRun {
    progress: Progress,
    logs: Vec<Option<LogLines>>,
    style: Style,
    width: usize,
    quiet: bool,
}

/// Colours that tell neighbouring jobs apart.
const COLOURS: [AnsiColor; 6] = [
    AnsiColor::Cyan,
    AnsiColor::Magenta,
    AnsiColor::Blue,
    AnsiColor::Yellow,
    AnsiColor::Green,
    AnsiColor::BrightBlue,
];

/// Names longer than this do not widen the column of all.
const WIDEST: usize = 32;

impl PlainRun {
    /// A run of `pipeline`; with `quiet` only how jobs ended is shown.
    pub fn new(pipeline: Arc<Pipeline>, style: Style, quiet: bool) -> PlainRun {
        let lengths = pipeline.jobs.iter().map(|job| job.name.chars().count());
        let width = lengths
            .filter(|length| *length <= WIDEST)
            .max()
            .unwrap_or(0);
        let logs = pipeline.jobs.iter().map(|_| None).collect();
        PlainRun {
            progress: Progress::new(pipeline),
            logs,
            style,
            width,
            quiet,
        }
    }

    /// Where the run stands.
    pub fn progress(&self) -> &Progress {
        &self.progress
    }

    /// The lines an event is worth.
    pub fn event(&mut self, event: &Event) -> String {
        let mut text = String::new();
        if let EventKind::JobStatus { job, status, .. } = &event.kind
            && status.is_complete()
        {
            self.finish_log(*job, &mut text);
        }
        self.progress.apply(event);
        match &event.kind {
            EventKind::JobStatus {
                job,
                status,
                reason,
                ..
            } => {
                self.status(*job, *status, reason, &mut text);
            }
            EventKind::Cache {
                job,
                key,
                outcome: CacheOutcome::SaveFailed,
                ..
            } => {
                self.line(
                    *job,
                    &format!("the cache {key} could not be saved"),
                    &mut text,
                );
            }
            _ => {}
        }
        text
    }

    /// The lines that bytes of a job's log complete.
    pub fn log(&mut self, job: JobIdx, bytes: &[u8]) -> String {
        let style = self.style;
        let mut lines = self.logs[job.at()]
            .take()
            .unwrap_or_else(|| LogLines::new(style));
        let mut text = String::new();
        lines.push(bytes, |what| self.log_line(job, what, &mut text));
        self.logs[job.at()] = Some(lines);
        text
    }

    fn finish_log(&mut self, job: JobIdx, text: &mut String) {
        if let Some(mut lines) = self.logs[job.at()].take() {
            lines.finish(|what| self.log_line(job, what, text));
        }
    }

    fn log_line(&mut self, job: JobIdx, what: Shown<'_>, text: &mut String) {
        let line = match what {
            Shown::Section(name) => return self.progress.section(job, name),
            Shown::Line(line) => line,
        };
        let bare = anstyle_free(line);
        self.progress.line(job, &bare);
        if !self.quiet {
            self.line(job, line, text);
        }
    }

    fn status(&self, job: JobIdx, status: Status, reason: &Reason, text: &mut String) {
        let progress = self.progress.job(job);
        let said = match (status, reason) {
            (_, Reason::CacheHit { key }) => format!("done: the cache {key} exists"),
            (Status::Pending, Reason::Retried { after, reason }) => {
                format!("tries again: attempt {after} failed ({})", reason.name())
            }
            (Status::Running, _) if !self.quiet => "starts".to_owned(),
            (Status::Success | Status::Failed | Status::Canceled, _) => {
                let mut said = word(progress).to_owned();
                if let Some(duration) = progress.duration {
                    let _ = write!(said, " in {}", elapsed(duration));
                }
                said
            }
            (Status::Manual, _) => "waits to be started by hand".to_owned(),
            (Status::Skipped, _) if !self.quiet => "is skipped".to_owned(),
            _ => return,
        };
        self.line(job, &said, text);
    }

    fn line(&self, job: JobIdx, line: &str, text: &mut String) {
        let name = &self.progress.pipeline().job(job).name;
        let padding = self.width.saturating_sub(name.chars().count());
        let paint = match self.style {
            Style::Plain => Paint::new(),
            Style::Coloured => COLOURS[job.at() % COLOURS.len()].on_default(),
        };
        let _ = writeln!(text, "{paint}{name}{paint:#}{:padding$} | {line}", "");
    }
}

/// A line without colours.
fn anstyle_free(line: &str) -> String {
    let mut out = String::with_capacity(line.len());
    let mut inside = false;
    for c in line.chars() {
        match (inside, c) {
            (false, '\u{1b}') => inside = true,
            (false, c) => out.push(c),
            (true, c) => inside = !c.is_ascii_alphabetic(),
        }
    }
    out
}
