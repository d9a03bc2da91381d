//! A run as lines, each prefixed with the job it is of: for pipes, files and CI.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::sync::Arc;

use anstyle::{AnsiColor, Style as Paint};
use tidegate_pipeline::{
    CacheOutcome, Event, EventKind, JobIdx, JobKey, Pipeline, PipelineId, Reason, Status,
};

use super::log_lines::{LogLines, Shown};
use super::run_progress::RunProgress;
use super::summary::{elapsed, word};
use crate::Style;

/// Turns events and log bytes into lines.
#[derive(Debug)]
pub struct PlainRun {
    progress: RunProgress,
    logs: BTreeMap<At, LogLines>,
    style: Style,
    width: usize,
    quiet: bool,
}

/// A job of one of the pipelines.
type At = (PipelineId, JobIdx);

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
        PlainRun {
            width: widest(&pipeline, 0),
            progress: RunProgress::new(pipeline),
            logs: BTreeMap::new(),
            style,
            quiet,
        }
    }

    /// Takes in a pipeline that a trigger job made.
    pub fn add(&mut self, id: PipelineId, parent: JobKey, pipeline: Arc<Pipeline>) {
        let label = self.progress.name(parent.pipeline, parent.job);
        self.width = self.width.max(widest(&pipeline, label.chars().count() + 1));
        self.progress.add(id, parent, pipeline);
    }

    /// Where the run stands.
    pub fn progress(&self) -> &RunProgress {
        &self.progress
    }

    /// The lines an event is worth.
    pub fn event(&mut self, event: &Event) -> String {
        let mut text = String::new();
        let at = |job: &JobIdx| (event.pipeline, *job);
        if let EventKind::JobStatus { job, status, .. } = &event.kind
            && status.is_complete()
        {
            self.finish_log(at(job), &mut text);
        }
        self.progress.apply(event);
        match &event.kind {
            EventKind::JobStatus {
                job,
                status,
                reason,
                ..
            } => {
                self.status(at(job), *status, reason, &mut text);
            }
            EventKind::Cache {
                job,
                key,
                outcome: CacheOutcome::SaveFailed,
                ..
            } => {
                let said = format!("the cache {key} could not be saved");
                self.line(at(job), &said, &mut text);
            }
            _ => {}
        }
        text
    }

    /// The lines that bytes of a job's log complete.
    pub fn log(&mut self, id: PipelineId, job: JobIdx, bytes: &[u8]) -> String {
        let style = self.style;
        let at = (id, job);
        let known = self.logs.remove(&at);
        let mut lines = known.unwrap_or_else(|| LogLines::new(style));
        let mut text = String::new();
        lines.push(bytes, |what| self.log_line(at, what, &mut text));
        if self.quiet {
            // Of no use where every line is shown once it is whole.
            self.progress.of_mut(id).unfinished(job, lines.unfinished());
        }
        self.logs.insert(at, lines);
        text
    }

    fn finish_log(&mut self, at: At, text: &mut String) {
        if let Some(mut lines) = self.logs.remove(&at) {
            lines.finish(|what| self.log_line(at, what, text));
        }
    }

    fn log_line(&mut self, at: At, what: Shown<'_>, text: &mut String) {
        let (id, job) = at;
        let line = match what {
            Shown::Section(name) => return self.progress.of_mut(id).section(job, name),
            Shown::Line(line) => line,
        };
        let bare = anstyle_free(line);
        self.progress.of_mut(id).line(job, &bare);
        if !self.quiet {
            self.line(at, line, text);
        }
    }

    fn status(&self, at: At, status: Status, reason: &Reason, text: &mut String) {
        let progress = self.progress.of(at.0).job(at.1);
        let said = match (status, reason) {
            (Status::Success, _) if progress.would_trigger.is_some() => word(progress).to_owned(),
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
            // It was said when it came to wait.
            (Status::Manual, Reason::RunEnded) => return,
            (Status::Manual, _) => "waits to be started by hand".to_owned(),
            (Status::Skipped, _) if !self.quiet => "is skipped".to_owned(),
            _ => return,
        };
        self.line(at, &said, text);
    }

    fn line(&self, (id, job): At, line: &str, text: &mut String) {
        let name = self.progress.name(id, job);
        let padding = self.width.saturating_sub(name.chars().count());
        let paint = match self.style {
            Style::Plain => Paint::new(),
            Style::Coloured => COLOURS[job.at() % COLOURS.len()].on_default(),
        };
        let _ = writeln!(text, "{paint}{name}{paint:#}{:padding$} | {line}", "");
    }
}

/// The most characters of a name that widens the column, `before` of them standing before each.
fn widest(pipeline: &Pipeline, before: usize) -> usize {
    let names = pipeline.jobs.iter();
    let lengths = names.map(|job| before + job.name.chars().count());
    lengths
        .filter(|length| *length <= WIDEST)
        .max()
        .unwrap_or(0)
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
