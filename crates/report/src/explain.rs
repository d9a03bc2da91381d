//! Why each job is in the pipeline or not: the deciding rule first, then everything that was looked at.
//!
//! [`explain`] is for people, [`explain_json`] for programs; both are drawn from the same records, in which values of masked
//! variables never appear.

mod clause;
mod files;
mod job;
mod key;
mod quirk;
mod record;
mod teller;
mod text;

use tidegate_plan::{Decision, Plan};
use tidegate_source::SourceMap;

use crate::list::pretty;
use crate::look::Look;
use crate::not_created::{not_created, outcome_name};
use crate::secrets::Secrets;

use record::{Explanation, WorkflowRecord};
use teller::Teller;

/// Version of the JSON form; rises when a field changes its meaning or goes.
pub const EXPLAIN_VERSION: u32 = 1;

/// Renders the decisions about the jobs of these names; about all jobs where `names` is empty.
///
/// A name is a full name, or the name of a parallel job as written. The decisions should have traces
/// ([`Detail::Full`](tidegate_plan::Detail)); without, only what was decided is said. Where there is no pipeline, the workflow's rules
/// and GitLab's message come first.
pub fn explain(plan: &Plan, names: &[&str], sources: &SourceMap, look: impl Into<Look>) -> String {
    text::render(&explanation(plan, names, sources), look.into())
}

/// The same as JSON; `docs/json.md` describes the format.
pub fn explain_json(plan: &Plan, names: &[&str], sources: &SourceMap) -> String {
    pretty(&explanation(plan, names, sources))
}

fn explanation(plan: &Plan, names: &[&str], sources: &SourceMap) -> Explanation {
    let teller = Teller {
        sources,
        secrets: Secrets::of(plan),
    };
    let none = not_created(plan, &teller.secrets);
    let asked = |decision: &&Decision| {
        names.is_empty() || names.iter().any(|name| is_named(&decision.name, name))
    };
    let unknown = names.iter().filter(|name| {
        let mut decisions = plan.decisions.iter();
        // Where jobs were never judged nothing is known of any name.
        !plan.decisions.is_empty() && !decisions.any(|decision| is_named(&decision.name, name))
    });
    Explanation {
        version: EXPLAIN_VERSION,
        outcome: outcome_name(&plan.outcome),
        hint: none.as_ref().map(|none| none.hint),
        messages: none.map(|none| none.messages).unwrap_or_default(),
        workflow: WorkflowRecord {
            rules: clause::rules(&plan.workflow.rules, &teller),
            matched: plan.workflow.matched.map(|rule| rule + 1),
            error: plan.workflow.error.as_ref().map(|error| teller.text(error)),
            name: plan
                .workflow
                .name
                .as_ref()
                .map(|name| teller.text(&name.expanded)),
        },
        jobs: plan
            .decisions
            .iter()
            .filter(asked)
            .map(|decision| job::job(decision, plan, &teller))
            .collect(),
        unknown: unknown.map(|name| (*name).to_owned()).collect(),
    }
}

/// Whether a job's full name is `name`, or that of one of its parallel instances: `name 1/3`, `name: [a, b]`.
fn is_named(full: &str, name: &str) -> bool {
    let Some(rest) = full.strip_prefix(name) else {
        return false;
    };
    let is_digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    let of_number = |rest: &str| {
        let parts = rest.strip_prefix(' ').and_then(|rest| rest.split_once('/'));
        parts.is_some_and(|(index, total)| is_digits(index) && is_digits(total))
    };
    rest.is_empty() || (rest.starts_with(": [") && rest.ends_with(']')) || of_number(rest)
}

#[cfg(test)]
mod tests;
