//! Why there is no pipeline, in GitLab's words, and what to do about it in ours.

use tidegate_plan::{Outcome, Plan, SkipReason};

use crate::secrets::Secrets;

/// Why there is no pipeline.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct NotCreated {
    /// What GitLab says, secrets hidden; for failures the messages of all errors.
    pub(crate) messages: Vec<String>,
    /// What to do.
    pub(crate) hint: &'static str,
}

/// `filtered`, `empty`, `skipped`, `failed` or `created`.
pub(crate) fn outcome_name(outcome: &Outcome) -> &'static str {
    match outcome {
        Outcome::Created(_) => "created",
        Outcome::Filtered { .. } => "filtered",
        Outcome::Empty { .. } => "empty",
        Outcome::Skipped { .. } => "skipped",
        Outcome::Failed => "failed",
    }
}

/// Why there is no pipeline; `None` where there is one.
pub(crate) fn not_created(plan: &Plan, secrets: &Secrets) -> Option<NotCreated> {
    let (messages, hint) = match &plan.outcome {
        Outcome::Created(_) => return None,
        Outcome::Filtered { message } => (
            vec![message.clone()],
            "`workflow:rules` let no pipeline of this event pass; `tidegate explain` shows each of them",
        ),
        Outcome::Empty { message } => (
            vec![message.clone()],
            "every job is left out for this event, or only `.pre` and `.post` jobs remain; `tidegate explain JOB` says why",
        ),
        Outcome::Skipped {
            why: SkipReason::CommitMessage { mark },
        } => (
            vec![format!("The commit message asks for no pipeline: {mark}")],
            "GitLab stores a pipeline with the status skipped and without jobs; remove the mark to run it",
        ),
        Outcome::Skipped {
            why: SkipReason::PushOption,
        } => (
            vec!["The push option ci.skip asks for no pipeline".to_owned()],
            "GitLab stores a pipeline with the status skipped and without jobs",
        ),
        Outcome::Failed => (
            errors(plan),
            "`tidegate lint` shows where; `tidegate explain JOB` shows how a job was decided",
        ),
    };
    let messages = messages
        .iter()
        .map(|message| secrets.hide(message).into_owned())
        .collect();
    Some(NotCreated { messages, hint })
}

fn errors(plan: &Plan) -> Vec<String> {
    let errors = plan.diagnostics.iter().filter(|item| item.is_error());
    errors.map(|item| item.message.clone()).collect()
}
