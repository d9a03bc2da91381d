//! L016: a rule that no pipeline comes to, or whose condition no pipeline meets. The static part only.
//!
//! Why it bites: the first rule that matches decides. What stands behind a rule without conditions, or behind a wider rule with
//! the same condition, is never looked at. A condition such as `$CI_PIPELINE_SOURCE == "merge_request"` names something that does
//! not exist (it is `merge_request_event`).
//!
//! How to mend it: move the special rule up, or remove it.

use rustc_hash::FxHashSet;
use tidegate_config::{Clause, Job, Rule};
use tidegate_scenario::PipelineSource;
use tidegate_source::{Diagnostic, Span};

use crate::event::Event;
use crate::found::Found;
use crate::reach::Reach;
use crate::subject::Subject;
use crate::truth::Truth;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(config) = subject.config() else {
        return;
    };
    let reach = Reach::new(config);
    let workflow = config.workflow.rules.as_deref().unwrap_or_default();
    for finding in of_rules(reach, &reached(workflow), &[], workflow) {
        found.add(finding);
    }
    let reached: FxHashSet<Span> = subject.jobs().flat_map(|job| reached(rules(job))).collect();
    for job in subject.jobs() {
        for finding in of_rules(reach, &reached, &job.body.variables, rules(job)) {
            found.add_for(&job.base, finding);
        }
    }
}

fn rules(job: &Job) -> &[Rule] {
    job.body.rules.as_deref().unwrap_or_default()
}

/// Where the rules of one list stand that no wider one is before.
///
/// Lists put together out of shared parts repeat what other lists need; a part is only worth a word if no list comes to it.
fn reached(rules: &[Rule]) -> FxHashSet<Span> {
    let open = |(at, rule): &(usize, &Rule)| wider(rules, *at, rule).is_none();
    let open = rules.iter().enumerate().filter(open);
    open.map(|(_, rule)| rule.span).collect()
}

fn wider<'r>(rules: &'r [Rule], at: usize, rule: &Rule) -> Option<&'r Rule> {
    let before = rules.get(..at).unwrap_or_default();
    before.iter().find(|earlier| includes(earlier, rule))
}

fn of_rules(
    reach: Reach<'_>,
    reached: &FxHashSet<Span>,
    variables: &[tidegate_config::VariableDefinition],
    rules: &[Rule],
) -> Vec<Diagnostic> {
    let mut all = Vec::new();
    for (at, rule) in rules.iter().enumerate() {
        if let Some(wider) = wider(rules, at, rule) {
            if reached.contains(&rule.span) {
                continue;
            }
            let text = match wider.clauses.is_empty() {
                true => "this rule is never looked at: one above it always matches",
                false => "this rule is never looked at: one above it has the same condition",
            };
            all.push(
                Diagnostic::finding("L016", text)
                    .at(rule.span)
                    .context(wider.span, "decides first"),
            );
            continue;
        }
        all.extend(never_met(reach, variables, rule));
    }
    all
}

/// Whether `earlier` matches wherever `rule` does. Only what is written alike counts.
fn includes(earlier: &Rule, rule: &Rule) -> bool {
    earlier.clauses.iter().all(|clause| match clause {
        Clause::If(wanted) => rule.clauses.iter().any(
            |own| matches!(own, Clause::If(own) if own.text.value.trim() == wanted.text.value.trim()),
        ),
        Clause::Changes(_) | Clause::Exists(_) | Clause::Cache(_) => false,
    })
}

fn never_met(
    reach: Reach<'_>,
    variables: &[tidegate_config::VariableDefinition],
    rule: &Rule,
) -> Option<Diagnostic> {
    let condition = rule.clauses.iter().find_map(|clause| match clause {
        Clause::If(condition) => Some(condition),
        _ => None,
    })?;
    let expression = &condition.expression;
    // A condition of constants is written to switch a rule off.
    expression.variable_names().next()?;
    let met = |event| reach.holds(variables, expression, event) != Truth::No;
    if Event::all().any(met) {
        return None;
    }
    let finding =
        Diagnostic::finding("L016", "no pipeline meets this condition").at(condition.text.span);
    let about_source = expression
        .variable_names()
        .any(|name| name == "CI_PIPELINE_SOURCE");
    Some(match about_source {
        true => {
            let names: Vec<&str> = PipelineSource::ALL.iter().map(|it| it.name()).collect();
            finding.note(format!(
                "`CI_PIPELINE_SOURCE` is one of {}",
                names.join(", ")
            ))
        }
        false => finding,
    })
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    fn job(list: &str) -> String {
        format!("j: {{script: x, rules: [{list}]}}")
    }

    #[test]
    fn rules_behind_wider_ones_are_found() {
        check(
            "L016",
            &job("{when: manual, allow_failure: true}, {if: $A}"),
            &["{if: $A}"],
        );
        check(
            "L016",
            &job("{if: $A}, {if: $A, changes: [x]}"),
            &["{if: $A, changes: [x]}"],
        );
        check("L016", &job("{if: $A, changes: [x]}, {if: $A}"), &[]);
        check("L016", &job("{if: $A}, {if: $B}, {when: never}"), &[]);
    }

    #[test]
    fn a_shared_rule_that_some_list_comes_to_is_not_told() {
        let parts = ".a: {rules: [{if: $A, when: never}]}\n.b: {rules: [{if: $A}, {if: $B}]}\n";
        let job = "{script: x, rules: [!reference [.a, rules], !reference [.b, rules]]}";
        let twice = "{script: x, rules: [!reference [.b, rules], !reference [.b, rules]]}";
        check("L016", &format!("{parts}j: {job}"), &["{if: $A}"]);
        check(
            "L016",
            &format!("{parts}j: {job}\nk: {{script: x, extends: .b}}"),
            &[],
        );
        check("L016", &format!("{parts}j: {twice}"), &[]);
    }

    #[test]
    fn conditions_nothing_meets_are_found() {
        let wrong = "$CI_PIPELINE_SOURCE == \"merge_request\"";
        check(
            "L016",
            &job(&format!("{{if: '{wrong}'}}")),
            &[&format!("'{wrong}'")],
        );
        check(
            "L016",
            &job("{if: $CI_COMMIT_TAG && $CI_MERGE_REQUEST_IID}"),
            &[],
        );
        check(
            "L016",
            &job("{if: $CI_PIPELINE_SOURCE == $X}, {if: 'null'}"),
            &[],
        );
    }
}
