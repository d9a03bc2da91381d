//! What the log of a trigger job says, and whether a pipeline came of planning.

use std::fmt::Write as _;
use std::sync::Arc;

use tidegate_config::Loaded;
use tidegate_pipeline::{FailureReason, Pipeline};
use tidegate_plan::{Outcome, Plan};
use tidegate_report::{Style, diagnostics};
use tidegate_run::{Begun, TriggerRequest, Triggered};
use tidegate_source::{Diagnostic, Severity};

use super::{Downstream, refused};
use crate::command::unsupported::{Means, problems};
use crate::project::Project;

impl Downstream {
    /// The pipeline that was planned, or why there is none.
    pub(super) fn pipeline_of(
        &self,
        project: &Project,
        loaded: &Loaded,
        plan: Option<&Plan>,
    ) -> Result<Arc<Pipeline>, Vec<String>> {
        let errors: Vec<&Diagnostic> = loaded.diagnostics.of(Severity::Error).collect();
        if !errors.is_empty() {
            return Err(lines(&errors, loaded));
        }
        let (Some(config), Some(plan)) = (&loaded.config, plan) else {
            return Err(vec!["the configuration could not be loaded".to_owned()]);
        };
        let errors: Vec<&Diagnostic> = plan.diagnostics.iter().filter(|d| d.is_error()).collect();
        if !errors.is_empty() {
            return Err(lines(&errors, loaded));
        }
        let pipeline = match &plan.outcome {
            Outcome::Created(pipeline) => Arc::clone(pipeline),
            Outcome::Empty { .. } => {
                // GitLab's words for a downstream pipeline.
                let empty = "the resulting pipeline would have been empty. Review the rules configuration for the relevant jobs.";
                return Err(vec![empty.to_owned()]);
            }
            Outcome::Filtered { message } => return Err(vec![message.clone()]),
            Outcome::Skipped { .. } => {
                return Err(vec!["the commit asks for no pipeline".to_owned()]);
            }
            Outcome::Failed => return Err(vec!["the pipeline could not be planned".to_owned()]),
        };
        let means = Means {
            executor: self.executor,
            providers: &self.providers,
            downstream: true,
            project,
        };
        let unsupported = problems(config, &pipeline, &means);
        if unsupported.is_empty() {
            return Ok(pipeline);
        }
        Err(lines(&unsupported.iter().collect::<Vec<_>>(), loaded))
    }
}

/// Diagnostics as people read them, line by line; the text of the first alone in the first line.
fn lines(items: &[&Diagnostic], loaded: &Loaded) -> Vec<String> {
    let text = diagnostics(items.iter().copied(), &loaded.sources, Style::Plain);
    let first = items.first().map(|item| item.message.clone());
    let headline = |line: &&str| line.starts_with("error[");
    let places = text.lines().enumerate();
    let places = places.filter(|(at, line)| *at > 0 || !headline(line));
    let places = places.map(|(_, line)| line.to_owned());
    let mut all: Vec<String> = first.into_iter().chain(places).collect();
    while all.last().is_some_and(|line| line.is_empty()) {
        all.pop();
    }
    all
}

/// No pipeline, with GitLab's beginning of the sentence.
pub(super) fn not_created(messages: Vec<String>) -> Triggered {
    let mut messages = messages.into_iter();
    let first = messages.next().unwrap_or_default();
    let first = format!("downstream pipeline can not be created, {first}");
    let reason = FailureReason::DownstreamPipelineCreationFailed;
    refused(reason, std::iter::once(first).chain(messages).collect())
}

/// What is said of a pipeline that was made; `of` is the project, where it is another one.
pub(super) fn created(begun: &Begun, pipeline: &Pipeline, of: Option<&str>) -> String {
    let (id, jobs) = (begun.record.id, pipeline.jobs.len());
    let plural = if jobs == 1 { "" } else { "s" };
    match of {
        Some(project) => format!("Created pipeline {id} of {project}: {jobs} job{plural}"),
        None => format!("Created child pipeline {id}: {jobs} job{plural}"),
    }
}

/// What would be passed on, line by line.
pub(super) fn passed_on(request: &TriggerRequest) -> Vec<String> {
    let mut lines = Vec::new();
    for variable in &request.variables {
        let value = match variable.masked {
            true => "[MASKED]",
            false => variable.value.as_deref().unwrap_or(""),
        };
        lines.push(format!("  variable {}={value}", variable.key));
    }
    for (name, value) in &request.bridge.inputs {
        let mut line = String::new();
        let _ = write!(line, "  input {name}={value}");
        lines.push(line);
    }
    lines
}
