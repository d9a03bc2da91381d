//! What people see of a running pipeline.

mod json;
mod live;
mod plain;
mod screen;

use std::io::{IsTerminal, stderr, stdout};
use std::sync::Arc;

use tidegate_pipeline::Pipeline;
use tidegate_report::run::RunProgress;
use tidegate_run::Observer;

use crate::cli::{Format, Global};
use crate::terminal::style;
use json::Json;
use live::Live;
use plain::Plain;

/// An observer that can tell in the end where the run stands.
pub(crate) trait View: Observer {
    /// Where the run stands.
    fn progress(&self) -> &RunProgress;
    /// Takes down what must not stay on the screen.
    fn close(&mut self);
}

/// The view that fits: events for programs, a live tree on a terminal that can be drawn on, prefixed lines otherwise.
pub(crate) fn view(
    pipeline: Arc<Pipeline>,
    global: &Global,
    quiet: bool,
    format: Format,
) -> Box<dyn View> {
    if format == Format::Json {
        return Box::new(Json::new(pipeline));
    }
    let style = style(global.color, &stdout());
    let dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
    if stdout().is_terminal() && stderr().is_terminal() && !quiet && !dumb {
        Box::new(Live::new(pipeline, style))
    } else {
        Box::new(Plain::new(pipeline, style, quiet))
    }
}
