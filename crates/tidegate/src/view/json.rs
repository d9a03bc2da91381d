//! Events as JSON, one object a line.

use std::sync::Arc;

use tidegate_pipeline::{Attempt, Event, JobIdx, Pipeline, PipelineId, event_to_json};
use tidegate_report::run::Progress;
use tidegate_run::Observer;

use super::View;
use crate::terminal::print;

/// Writes every event as it comes, in the format of the event log; what jobs print is in their logs.
pub(super) struct Json {
    progress: Progress,
}

impl Json {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Json {
        Json {
            progress: Progress::new(pipeline),
        }
    }
}

impl Observer for Json {
    fn begin(&mut self, _: PipelineId) {}

    fn past(&mut self, event: &Event) {
        self.progress.apply(event);
    }

    fn event(&mut self, event: &Event) {
        self.progress.apply(event);
        // The run goes on when its reader has gone away; its log is in the store.
        let _ = print(&format!("{}\n", event_to_json(event)));
    }

    fn log(&mut self, _: JobIdx, _: Attempt, _: &[u8]) {}

    fn tick(&mut self, _: u64) {}
}

impl View for Json {
    fn progress(&self) -> &Progress {
        &self.progress
    }

    fn close(&mut self) {}
}
