//! In which kinds of pipelines a rule can be reached, a job can be, a pipeline can be.

use std::sync::Arc;

use tidegate_config::{Clause, Config, Job, Policy, Rule, RuleWhen, VariableDefinition};
use tidegate_expr::Expression;
use tidegate_scenario::PipelineSource;

use crate::event::{Event, For, Known};
use crate::truth::{self, Truth};

/// Evaluates the conditions of one configuration.
#[derive(Clone, Copy)]
pub(crate) struct Reach<'a> {
    config: &'a Config,
}

impl<'a> Reach<'a> {
    pub(crate) fn new(config: &'a Config) -> Reach<'a> {
        Reach { config }
    }

    /// Whether a pipeline of this kind is created, as far as `workflow` tells.
    pub(crate) fn pipeline(self, event: Event) -> Truth {
        let Some(rules) = &self.config.workflow.rules else {
            return Truth::Yes;
        };
        if rules.is_empty() {
            return Truth::Yes;
        }
        let mut created = Truth::No;
        for rule in rules {
            let matches = self.matches(&[], rule, event);
            let never = rule.when.is_some_and(|when| when.value == RuleWhen::Never);
            match (matches, never) {
                (Truth::No, _) | (Truth::Maybe, true) => {}
                (Truth::Yes, true) => return created,
                (Truth::Yes, false) => return created.max(Truth::Yes),
                (Truth::Maybe, false) => created = Truth::Maybe,
            }
        }
        created
    }

    /// Whether evaluation comes to rule `at` of `job` in a pipeline of this kind and its `if` holds there.
    pub(crate) fn rule(self, job: &Job, at: usize, event: Event) -> Truth {
        let rules = job.body.rules.as_deref().unwrap_or_default();
        let variables = &job.body.variables;
        let before = rules.iter().take(at);
        let mut reached = self.pipeline(event);
        for rule in before {
            reached = reached.and(self.matches(variables, rule, event).not());
        }
        match rules.get(at) {
            Some(rule) => reached.and(self.conditions(variables, rule, event)),
            None => Truth::No,
        }
    }

    /// Whether `job` is in pipelines of this kind.
    pub(crate) fn job(self, job: &Job, event: Event) -> Truth {
        if let Some(rules) = &job.body.rules {
            if rules.is_empty() {
                return self.pipeline(event);
            }
            let enters = |rule: &Rule| rule.when.is_none_or(|it| it.value != RuleWhen::Never);
            let all = rules.iter().enumerate().filter(|(_, rule)| enters(rule));
            let reached = all.map(|(at, _)| self.rule(job, at, event));
            return reached.max().unwrap_or(Truth::No);
        }
        let only = job.body.only.as_ref();
        self.pipeline(event)
            .and(only.map_or(Truth::Yes, |only| refs(only, event)))
    }

    /// Whether the `if` conditions of `rule` hold; other clauses are taken to hold.
    fn conditions(self, variables: &[VariableDefinition], rule: &Rule, event: Event) -> Truth {
        let mut all = Truth::Yes;
        for clause in &rule.clauses {
            if let Clause::If(condition) = clause {
                all = all.and(self.holds(variables, &condition.expression, event));
            }
        }
        all
    }

    /// Whether all clauses of `rule` hold.
    fn matches(self, variables: &[VariableDefinition], rule: &Rule, event: Event) -> Truth {
        let mut all = self.conditions(variables, rule, event);
        for clause in &rule.clauses {
            all = all.and(match clause {
                Clause::If(_) => Truth::Yes,
                Clause::Changes(changes) => match changes.compare_to {
                    None if event.has_no_changes() => Truth::Yes,
                    _ => Truth::Maybe,
                },
                Clause::Exists(_) | Clause::Cache(_) => Truth::Maybe,
            });
        }
        all
    }

    /// Whether a condition holds. Variables that the configuration defines itself are not taken for GitLab's.
    pub(crate) fn holds(
        self,
        variables: &[VariableDefinition],
        expression: &Arc<Expression>,
        event: Event,
    ) -> Truth {
        let defined = |name: &str| {
            let all = self.config.variables.iter().chain(variables);
            all.into_iter().any(|variable| &*variable.key == name)
        };
        truth::holds(expression, |name| match defined(name) {
            true => Known::Nothing,
            false => event.variable(name),
        })
    }
}

/// Whether the refs of a policy take in pipelines of this kind (reference `compose.md` §3.3); its other conditions may hold.
pub(crate) fn refs(policy: &Policy, event: Event) -> Truth {
    let Some(refs) = &policy.refs else {
        return Truth::Yes;
    };
    let mut any = Truth::No;
    for reference in refs {
        any = any.max(one_ref(&reference.pattern, event));
    }
    any
}

fn one_ref(pattern: &str, event: Event) -> Truth {
    if event.runs_for == For::AsParent {
        return Truth::Maybe;
    }
    let branch = matches!(event.runs_for, For::Branch | For::NewBranch);
    let source = event.source.name().trim_end_matches("_event");
    let plural = match source {
        "push" => "pushes".to_owned(),
        "security_orchestration_policy" => "security_orchestration_policies".to_owned(),
        other => format!("{other}s"),
    };
    match pattern {
        "tags" if event.runs_for == For::Tag => Truth::Yes,
        "branches" if branch => Truth::Yes,
        _ if pattern == source || pattern == plural => Truth::Yes,
        _ if is_keyword(pattern) || event.runs_for == For::MergeRequest => Truth::No,
        "main" | "master" if event.runs_for == For::NewBranch => Truth::No,
        _ => Truth::Maybe,
    }
}

/// Words that are hardly ever the name of a branch.
fn is_keyword(pattern: &str) -> bool {
    let plain = pattern.trim_end_matches('s');
    matches!(pattern, "tags" | "branches" | "pushes")
        || PipelineSource::ALL
            .iter()
            .any(|source| source.name().trim_end_matches("_event") == plain)
}
