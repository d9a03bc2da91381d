//! What each subcommand does.

pub(crate) mod artifacts;
pub(crate) mod base;
pub(crate) mod cache;
pub(crate) mod doctor;
pub(crate) mod explain;
pub(crate) mod graph;
mod job_input;
pub(crate) mod lint;
pub(crate) mod list;
pub(crate) mod logs;
mod machine;
mod past;
pub(crate) mod resume;
pub(crate) mod run;
mod run_tree;
pub(crate) mod runs;
mod selection;
pub(crate) mod shell;
pub(crate) mod show;
pub(crate) mod unsupported;
mod watch;

use std::io::stderr;

use tidegate_config::Loaded;
use tidegate_plan::Plan;
use tidegate_report::diagnostics;
use tidegate_source::{Diagnostic, Severity};

use crate::cli::Global;
use crate::exit::Failure;
use crate::terminal::{style, tell};

/// Shows on standard error what is wrong with a configuration; an error ends the command.
pub(crate) fn require_valid(global: &Global, loaded: &Loaded) -> Result<(), Failure> {
    let errors: Vec<&Diagnostic> = loaded.diagnostics.of(Severity::Error).collect();
    if errors.is_empty() {
        return Ok(());
    }
    show_diagnostics(global, loaded, errors);
    Err(Failure::shown())
}

/// Shows on standard error why a plan failed; a failure ends the command.
pub(crate) fn require_planned(
    global: &Global,
    loaded: &Loaded,
    plan: &Plan,
) -> Result<(), Failure> {
    let errors: Vec<&Diagnostic> = plan
        .diagnostics
        .iter()
        .filter(|item| item.is_error())
        .collect();
    if errors.is_empty() {
        return Ok(());
    }
    show_diagnostics(global, loaded, errors);
    Err(Failure::shown())
}

/// Shows diagnostics on standard error.
pub(crate) fn show_diagnostics<'d>(
    global: &Global,
    loaded: &Loaded,
    items: impl IntoIterator<Item = &'d Diagnostic>,
) {
    let style = style(global.color, &stderr());
    tell(&diagnostics(items, &loaded.sources, style));
}
