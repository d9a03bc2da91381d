//! Kinds of pipelines, and what is known of the variables of each before any is created.

use std::sync::Arc;

use tidegate_expr::Value;
use tidegate_scenario::PipelineSource;

/// What a pipeline runs for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum For {
    /// An existing branch.
    Branch,
    /// A branch that was just made, so not the default one.
    NewBranch,
    /// A tag.
    Tag,
    /// A merge request.
    MergeRequest,
    /// What the parent pipeline ran for.
    AsParent,
}

/// A kind of pipeline.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Event {
    /// What started it.
    pub source: PipelineSource,
    /// What it runs for.
    pub runs_for: For,
}

/// What is known of a value.
#[derive(Clone, PartialEq, Debug)]
pub(crate) enum Known {
    /// The value itself.
    Value(Value),
    /// Some text that is not blank.
    SomeText,
    /// The name of a branch that was just made.
    NewBranch,
    /// The name of the default branch.
    DefaultBranch,
    /// Nothing.
    Nothing,
}

impl Event {
    pub(crate) const fn new(source: PipelineSource, runs_for: For) -> Event {
        Event { source, runs_for }
    }

    /// Every kind of pipeline there is.
    pub(crate) fn all() -> impl Iterator<Item = Event> {
        PipelineSource::ALL.into_iter().flat_map(|source| {
            let refs: &[For] = match source {
                PipelineSource::MergeRequestEvent => &[For::MergeRequest],
                PipelineSource::ExternalPullRequestEvent => &[For::Branch],
                PipelineSource::ParentPipeline => &[For::AsParent],
                _ => &[For::Branch, For::Tag],
            };
            refs.iter().map(move |&runs_for| Event { source, runs_for })
        })
    }

    /// What is known of a variable's value (reference `compose.md` §9.6).
    pub(crate) fn variable(self, name: &str) -> Known {
        use PipelineSource as Source;
        let some_for = |wanted: For| match self.runs_for {
            For::AsParent => Known::Nothing,
            runs_for if runs_for == wanted => Known::SomeText,
            _ => Known::Value(Value::Nil),
        };
        match name {
            "CI" | "GITLAB_CI" => text("true"),
            "CI_PIPELINE_SOURCE" => text(self.source.name()),
            "CI_COMMIT_TAG" => some_for(For::Tag),
            "CI_COMMIT_BRANCH" if self.runs_for == For::NewBranch => Known::NewBranch,
            "CI_COMMIT_BRANCH" => some_for(For::Branch),
            "CI_DEFAULT_BRANCH" => Known::DefaultBranch,
            "CI_COMMIT_REF_NAME" | "CI_COMMIT_REF_SLUG" if self.runs_for == For::NewBranch => {
                Known::NewBranch
            }
            "CI_COMMIT_REF_NAME"
            | "CI_COMMIT_REF_SLUG"
            | "CI_COMMIT_SHA"
            | "CI_COMMIT_SHORT_SHA"
            | "CI_PROJECT_PATH"
            | "CI_PROJECT_NAME"
            | "CI_PROJECT_ID"
            | "CI_PROJECT_NAMESPACE"
            | "CI_PROJECT_URL"
            | "CI_SERVER_URL"
            | "CI_SERVER_HOST" => Known::SomeText,
            "CI_OPEN_MERGE_REQUESTS" if self.runs_for == For::Tag => Known::Value(Value::Nil),
            "CI_MERGE_REQUEST_ID"
            | "CI_MERGE_REQUEST_IID"
            | "CI_MERGE_REQUEST_EVENT_TYPE"
            | "CI_MERGE_REQUEST_PROJECT_ID"
            | "CI_MERGE_REQUEST_PROJECT_PATH"
            | "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME"
            | "CI_MERGE_REQUEST_TARGET_BRANCH_NAME" => some_for(For::MergeRequest),
            _ if name.starts_with("CI_MERGE_REQUEST_") => match self.runs_for {
                For::MergeRequest | For::AsParent => Known::Nothing,
                _ => Known::Value(Value::Nil),
            },
            _ if name.starts_with("CI_EXTERNAL_PULL_REQUEST_") => match self.source {
                Source::ExternalPullRequestEvent | Source::ParentPipeline => Known::Nothing,
                _ => Known::Value(Value::Nil),
            },
            _ => Known::Nothing,
        }
    }

    /// Whether `changes` without `compare_to` is true in it whatever changed (reference `compose.md` §2.3).
    pub(crate) fn has_no_changes(self) -> bool {
        !matches!(
            (self.source, self.runs_for),
            (_, For::MergeRequest | For::AsParent)
                | (PipelineSource::ExternalPullRequestEvent, _)
                | (PipelineSource::Push, For::Branch)
        )
    }
}

fn text(value: &str) -> Known {
    Known::Value(Value::Text(Arc::from(value)))
}
