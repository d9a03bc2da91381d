//! Prefixed lines, one after the other.

use std::sync::Arc;

use tidegate_pipeline::{Event, JobKey, Pipeline, PipelineId};
use tidegate_report::Style;
use tidegate_report::run::{PlainRun, RunProgress};
use tidegate_run::Observer;

use super::View;
use crate::terminal::print;

/// Writes every line as it comes.
pub(super) struct Plain {
    run: PlainRun,
}

impl Plain {
    pub(super) fn new(pipeline: Arc<Pipeline>, style: Style, quiet: bool) -> Plain {
        Plain {
            run: PlainRun::new(pipeline, style, quiet),
        }
    }
}

impl Observer for Plain {
    fn begin(&mut self, _: PipelineId) {}

    fn past(&mut self, event: &Event) {
        // What happened then was shown then; it only counts in what is shown now.
        let _ = self.run.event(event);
    }

    fn event(&mut self, event: &Event) {
        show(&self.run.event(event));
    }

    fn downstream(&mut self, id: PipelineId, parent: JobKey, pipeline: &Arc<Pipeline>) {
        self.run.add(id, parent, Arc::clone(pipeline));
    }

    fn log(&mut self, key: JobKey, bytes: &[u8]) {
        show(&self.run.log(key.pipeline, key.job, bytes));
    }

    fn tick(&mut self, _: u64) {}
}

impl View for Plain {
    fn progress(&self) -> &RunProgress {
        self.run.progress()
    }

    fn close(&mut self) {}
}

fn show(text: &str) {
    if !text.is_empty() {
        // The run goes on when its reader has gone away; its log is in the store.
        let _ = print(text);
    }
}
