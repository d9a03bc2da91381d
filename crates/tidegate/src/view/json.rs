//! Events as JSON, one object a line.

use std::sync::Arc;

use tidegate_pipeline::{Event, JobKey, Pipeline, PipelineId, event_to_json};
use tidegate_report::run::RunProgress;
use tidegate_run::Observer;

use super::View;
use crate::terminal::print;

/// Writes every event as it comes, in the format of the event log; what jobs print is in their logs.
pub(super) struct Json {
    progress: RunProgress,
}

impl Json {
    pub(super) fn new(pipeline: Arc<Pipeline>) -> Json {
        Json {
            progress: RunProgress::new(pipeline),
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

    fn downstream(&mut self, id: PipelineId, parent: JobKey, pipeline: &Arc<Pipeline>) {
        self.progress.add(id, parent, Arc::clone(pipeline));
    }

    fn log(&mut self, _: JobKey, _: &[u8]) {}

    fn tick(&mut self, _: u64) {}
}

impl View for Json {
    fn progress(&self) -> &RunProgress {
        &self.progress
    }

    fn close(&mut self) {}
}
