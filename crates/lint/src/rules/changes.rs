//! What the three rules about `changes` look at: each `changes` with the kinds of pipelines it is judged in.

use tidegate_config::{Clause, Job, PolicyKind, Rule, RuleWhen};
use tidegate_scenario::PipelineSource;
use tidegate_source::Span;

use crate::event::{Event, For};
use crate::reach::{Reach, refs};
use crate::subject::Subject;
use crate::truth::Truth;

/// A `changes` without `compare_to`.
pub(super) struct ChangesUse<'a> {
    pub job: &'a Job,
    /// Where its value was written.
    pub span: Span,
    /// The rule it stands in, with its index; `None` in `only` and `except`.
    pub rule: Option<(usize, &'a Rule)>,
    /// It keeps the job out: a rule with `when: never`, or `except`.
    pub excludes: bool,
}

impl ChangesUse<'_> {
    /// Whether it can be judged in pipelines of this kind.
    pub(super) fn is_judged(&self, reach: Reach<'_>, event: Event) -> bool {
        let reached = match self.rule {
            Some((at, _)) => reach.rule(self.job, at, event),
            None => {
                let only = self.job.body.only.as_ref();
                reach
                    .pipeline(event)
                    .and(only.map_or(Truth::Yes, |only| refs(only, event)))
            }
        };
        reached != Truth::No
    }
}

/// Every `changes` of rules and policies that has no `compare_to`.
pub(super) fn uses<'a>(subject: &Subject<'a>) -> Vec<ChangesUse<'a>> {
    let mut all = Vec::new();
    for (job, at, rule) in subject.job_rules() {
        for clause in &rule.clauses {
            if let Clause::Changes(changes) = clause
                && changes.compare_to.is_none()
            {
                let never =
                    |when: tidegate_config::Spanned<RuleWhen>| when.value == RuleWhen::Never;
                all.push(ChangesUse {
                    job,
                    span: changes.span,
                    rule: Some((at, rule)),
                    excludes: rule.when.is_some_and(never),
                });
            }
        }
    }
    for job in subject.jobs() {
        for policy in [&job.body.only, &job.body.except].into_iter().flatten() {
            // The extension keywords combine in other ways; what they write is their own.
            if !matches!(policy.kind, PolicyKind::Only | PolicyKind::Except) {
                continue;
            }
            let Some(first) = policy.changes.as_deref().and_then(<[_]>::first) else {
                continue;
            };
            all.push(ChangesUse {
                job,
                span: first.span,
                rule: None,
                excludes: policy.kind == PolicyKind::Except,
            });
        }
    }
    all
}

/// The kinds of pipelines without a diff that people meet, by the word they use.
pub(super) const WITHOUT_DIFF: [(&str, Event); 6] = [
    ("tag", Event::new(PipelineSource::Push, For::Tag)),
    (
        "schedule",
        Event::new(PipelineSource::Schedule, For::Branch),
    ),
    ("web", Event::new(PipelineSource::Web, For::Branch)),
    ("api", Event::new(PipelineSource::Api, For::Branch)),
    ("trigger", Event::new(PipelineSource::Trigger, For::Branch)),
    (
        "downstream",
        Event::new(PipelineSource::Pipeline, For::Branch),
    ),
];
