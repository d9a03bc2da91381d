//! All conditions of a configuration with their places.

use std::ops::Range;
use std::sync::Arc;

use tidegate_config::{Clause, Job, Rule, Text, VariableDefinition};
use tidegate_expr::Expression;
use tidegate_source::{SourceMap, Span};

use crate::subject::Subject;
use crate::text::part_of;

/// One condition.
pub(crate) struct Condition<'a> {
    /// Whose it is; `None`: the workflow's.
    pub job: Option<&'a Job>,
    /// As written.
    pub text: &'a Text,
    /// Parsed.
    pub expression: &'a Arc<Expression>,
}

impl Condition<'_> {
    /// The place of some bytes of the expression.
    pub(crate) fn place(&self, sources: &SourceMap, part: Range<usize>) -> Span {
        part_of(sources, self.text.span, &self.text.value, part)
    }

    /// Variables of the job; none for the workflow.
    pub(crate) fn variables(&self) -> &[VariableDefinition] {
        self.job.map_or(&[], |job| &job.body.variables)
    }
}

/// All conditions of `rules`, `only` and `except`, and of the workflow.
pub(crate) fn conditions<'a>(subject: &Subject<'a>) -> Vec<Condition<'a>> {
    let mut all = Vec::new();
    if let Some(config) = subject.config() {
        let rules = config.workflow.rules.as_deref().unwrap_or_default();
        all.extend(rules.iter().flat_map(|rule| of_rule(None, rule)));
    }
    for (job, _, rule) in subject.job_rules() {
        all.extend(of_rule(Some(job), rule));
    }
    for job in subject.jobs() {
        for policy in [&job.body.only, &job.body.except].into_iter().flatten() {
            let variables = policy.variables.as_deref().unwrap_or_default();
            all.extend(variables.iter().map(|(text, expression)| Condition {
                job: Some(job),
                text,
                expression,
            }));
        }
    }
    all
}

fn of_rule<'a>(job: Option<&'a Job>, rule: &'a Rule) -> impl Iterator<Item = Condition<'a>> {
    rule.clauses.iter().filter_map(move |clause| match clause {
        Clause::If(condition) => Some(Condition {
            job,
            text: &condition.text,
            expression: &condition.expression,
        }),
        _ => None,
    })
}
