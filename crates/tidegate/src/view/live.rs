//! A live table of running jobs at the bottom of the terminal, with what ended above it.

use std::fmt::Write as _;
use std::io::stdout;
use std::sync::Arc;

use rustix::termios::tcgetwinsize;
use tidegate_pipeline::{Event, EventKind, JobKey, Pipeline, PipelineId, Status};
use tidegate_report::Style;
use tidegate_report::run::{PlainRun, RunProgress, job_table};
use tidegate_run::Observer;

use super::View;
use crate::terminal::print;

/// Most lines of the table.
const HIGHEST: usize = 12;

/// Redraws the table at every tick; lines that stay scroll up above it.
pub(super) struct Live {
    run: PlainRun,
    style: Style,
    /// Lines of the table on the screen.
    drawn: usize,
    /// Lines that are to stay and have not been written.
    above: String,
}

impl Live {
    pub(super) fn new(pipeline: Arc<Pipeline>, style: Style) -> Live {
        // Only how jobs end stays on the screen; what they print shows in the table as their last line.
        Live {
            run: PlainRun::new(pipeline, style, true),
            style,
            drawn: 0,
            above: String::new(),
        }
    }

    fn redraw(&mut self, table: &[String]) {
        let mut text = String::new();
        if self.drawn > 0 {
            // To the first line of the table, then everything below is cleared.
            let _ = write!(text, "\u{1b}[{}A\r\u{1b}[J", self.drawn);
        }
        text.push_str(&std::mem::take(&mut self.above));
        for line in table {
            text.push_str(line);
            text.push('\n');
        }
        self.drawn = table.len();
        if !text.is_empty() {
            let _ = print(&text);
        }
    }
}

impl Observer for Live {
    fn begin(&mut self, _: PipelineId) {}

    fn past(&mut self, event: &Event) {
        // What happened then was shown then; it only counts in what is shown now.
        let _ = self.run.event(event);
    }

    fn event(&mut self, event: &Event) {
        let text = self.run.event(event);
        let lasting = match &event.kind {
            EventKind::JobStatus { status, .. } => *status != Status::Running,
            _ => true,
        };
        if lasting {
            self.above.push_str(&text);
        }
    }

    fn downstream(&mut self, id: PipelineId, parent: JobKey, pipeline: &Arc<Pipeline>) {
        self.run.add(id, parent, Arc::clone(pipeline));
    }

    fn log(&mut self, key: JobKey, bytes: &[u8]) {
        self.run.log(key.pipeline, key.job, bytes);
    }

    fn tick(&mut self, now_ms: u64) {
        let (width, height) = match tcgetwinsize(stdout()) {
            Ok(size) if size.ws_col > 0 => (usize::from(size.ws_col), usize::from(size.ws_row)),
            _ => (80, 24),
        };
        // One column stays free, since terminals differ in what a full line does.
        let height = HIGHEST.min(height.saturating_sub(2)).max(1);
        let table = job_table(
            self.run.progress(),
            now_ms,
            width.saturating_sub(1),
            height,
            self.style,
        );
        self.redraw(&table);
    }
}

impl View for Live {
    fn progress(&self) -> &RunProgress {
        self.run.progress()
    }

    fn close(&mut self) {
        self.redraw(&[]);
    }
}
