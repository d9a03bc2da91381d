//! A live tree of stages and jobs at the bottom of the terminal, with what ended above it.

use std::io::stdout;
use std::sync::Arc;

use rustix::termios::tcgetwinsize;
use tidegate_pipeline::{Event, EventKind, JobKey, Pipeline, PipelineId, Status};
use tidegate_report::Style;
use tidegate_report::run::{PlainRun, RunProgress, Space, live_tree};
use tidegate_run::Observer;

use super::View;
use super::screen::Screen;
use crate::terminal::{Held, print};

/// Milliseconds between two pictures: more are of no use to anybody, however much jobs print.
const BETWEEN: u64 = 80;

/// Draws the tree again as time passes; lines that stay scroll up above it.
pub(super) struct Live {
    run: PlainRun,
    style: Style,
    screen: Screen,
    /// Lines that are to stay and have not been written.
    above: String,
    /// Warnings of other threads, which would be written over.
    held: Held,
    /// When the last picture was drawn.
    drawn_ms: u64,
}

impl Live {
    pub(super) fn new(pipeline: Arc<Pipeline>, style: Style) -> Live {
        // Only how jobs end stays on the screen; what they print shows in the tree as their last line.
        Live {
            run: PlainRun::new(pipeline, style, true),
            style,
            screen: Screen::default(),
            above: String::new(),
            held: Held::begin(),
            drawn_ms: 0,
        }
    }

    fn draw(&mut self, table: Vec<String>, size: Space) {
        self.above.push_str(&self.held.take());
        let above = std::mem::take(&mut self.above);
        let text = self.screen.draw(&above, table, size);
        if !text.is_empty() {
            // The run goes on when its reader has gone away; its log is in the store.
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
        // A clock that was set back must not stop the view.
        if (self.drawn_ms..self.drawn_ms + BETWEEN).contains(&now_ms) {
            return;
        }
        self.drawn_ms = now_ms;
        let size = size();
        let space = Space {
            // One column stays free, since terminals differ in what a full line does; one line, since the cursor stands below.
            width: size.width.saturating_sub(1),
            height: size.height.saturating_sub(1),
        };
        let table = live_tree(self.run.progress(), now_ms, space, self.style);
        self.draw(table, size);
    }
}

impl View for Live {
    fn progress(&self) -> &RunProgress {
        self.run.progress()
    }

    fn close(&mut self) {
        self.above.push_str(&self.held.end());
        self.draw(Vec::new(), size());
    }
}

/// The size of the terminal now; the usual one where it does not tell.
fn size() -> Space {
    match tcgetwinsize(stdout()) {
        Ok(size) if size.ws_col > 0 && size.ws_row > 0 => Space {
            width: usize::from(size.ws_col),
            height: usize::from(size.ws_row),
        },
        _ => Space {
            width: 80,
            height: 24,
        },
    }
}
