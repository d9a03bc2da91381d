//! L013: a variable that a condition cannot see: quoted, inside a pattern, nested, not set yet, or misspelt.
//!
//! Why it bites: conditions are judged when the pipeline is created. Only `$NAME` outside of quotes is replaced, only once
//! (reference `compose.md` §2.5, §9.5), and variables of running jobs and of dotenv reports do not exist. GitLab says nothing: the
//! comparison is simply never true.
//!
//! How to mend it: write the variable without quotes; compare with what is known when the pipeline is created.

use std::collections::BTreeSet;

use tidegate_config::{Clause, VariableDefinition};
use tidegate_expr::{BinaryOperator, Expression, Node, NodeKind, nested_references, references};
use tidegate_source::Diagnostic;

use crate::expression::{Condition, conditions};
use crate::found::Found;
use crate::predefined::{IN_CONDITIONS, only_in_jobs};
use crate::slip::slip_of;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let defined = defined_names(subject);
    let dotenv = dotenv_names(subject);
    for condition in conditions(subject) {
        for node in condition.expression.nodes() {
            let finding = match &node.kind {
                NodeKind::Text(text) => quoted(subject, &condition, node, text),
                NodeKind::Pattern(pattern) => {
                    in_pattern(subject, &condition, node, pattern.source())
                }
                NodeKind::Variable(name) => {
                    let names = Names {
                        defined: &defined,
                        dotenv: &dotenv,
                    };
                    variable(subject, &condition, node, name, &names)
                }
                _ => None,
            };
            if let Some(finding) = finding {
                add(found, &condition, finding);
            }
        }
    }
    in_paths(subject, found);
}

fn add(found: &mut Found, condition: &Condition<'_>, finding: Diagnostic) {
    match condition.job {
        Some(job) => found.add_for(&job.base, finding),
        None => found.add(finding),
    }
}

/// `"$NAME"`: a text, not a variable.
fn quoted(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    node: &Node,
    text: &str,
) -> Option<Diagnostic> {
    let first =
        references(text).find(|it| text.get(it.at.clone()).is_some_and(|t| t.starts_with('$')))?;
    let name = first.name;
    let span = condition.place(subject.sources(), node.token.clone());
    let finding = Diagnostic::finding(
        "L013",
        format!("`{name}` stands in quotes, so it is compared as text"),
    )
    .at(span);
    Some(if first.at == (0..text.len()) {
        finding.suggest(
            "write the variable without quotes",
            span,
            format!("${name}"),
        )
    } else {
        finding.help("conditions cannot put texts together; define a variable for it")
    })
}

/// `/^$NAME/`: not replaced, and `$` is the end of the text.
fn in_pattern(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    node: &Node,
    source: &str,
) -> Option<Diagnostic> {
    let name = references(source)
        .find(|it| {
            let before = source.get(..it.at.start).unwrap_or_default();
            let whole = source.get(it.at.clone()).unwrap_or_default();
            whole.starts_with('$') && !before.ends_with('\\')
        })?
        .name;
    let text =
        format!("`{name}` is not replaced in a pattern; `$` means the end of the text there");
    let finding = Diagnostic::finding("L013", text)
        .at(condition.place(subject.sources(), node.token.clone()))
        .help("put the whole pattern into a variable: `=~ $PATTERN` with `PATTERN: /…/`");
    Some(finding)
}

struct Names<'a> {
    defined: &'a BTreeSet<&'a str>,
    dotenv: &'a BTreeSet<String>,
}

fn variable(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    node: &Node,
    name: &str,
    names: &Names<'_>,
) -> Option<Diagnostic> {
    let span = condition.place(subject.sources(), node.token.clone());
    let finding = |text: String| Diagnostic::finding("L013", text).at(span);
    if names.defined.contains(name) {
        return nested(subject, condition, name, span);
    }
    if only_in_jobs(name) {
        let text = format!("`{name}` is not set yet when conditions are judged");
        return Some(finding(text).note("it only exists in a running job, so here it is null"));
    }
    if names.dotenv.contains(name) {
        let text = format!("`{name}` comes from a dotenv report, after conditions are judged");
        return Some(finding(text).help("decide in the script, or in a child pipeline"));
    }
    let known: Box<dyn Iterator<Item = &str>> = match name.starts_with("CI_") {
        true => Box::new(IN_CONDITIONS.iter().copied()),
        false => Box::new(names.defined.iter().copied()),
    };
    if name.len() < 5 || IN_CONDITIONS.contains(&name) {
        return None;
    }
    let meant = slip_of(name, known)?;
    let text = format!("`{name}` is never defined here");
    Some(finding(text).suggest(
        format!("did you mean `{meant}`?"),
        span,
        format!("${meant}"),
    ))
}

/// A variable whose value holds other variables, which conditions do not replace.
fn nested(
    subject: &Subject<'_>,
    condition: &Condition<'_>,
    name: &str,
    span: tidegate_source::Span,
) -> Option<Diagnostic> {
    if !is_compared(condition.expression, name) {
        return None;
    }
    let config = subject.config()?;
    let mut all = condition.variables().iter().chain(&config.variables);
    let definition: &VariableDefinition = all.find(|it| &*it.key == name)?;
    let inner = nested_references(&definition.value).find(|it| {
        let text = definition.value.get(it.at.clone()).unwrap_or_default();
        text.starts_with('$') && !definition.raw
    })?;
    let text = format!(
        "`{name}` is compared with `{}` in it as text",
        definition.value
    );
    let note = format!(
        "conditions replace variables once: `{}` inside the value stays as it is",
        inner.name
    );
    Some(
        Diagnostic::finding("L013", text)
            .at(span)
            .context(definition.span, "defined here")
            .note(note),
    )
}

/// Whether the value matters, not only whether there is one.
fn is_compared(expression: &Expression, name: &str) -> bool {
    let is = |id| {
        let node = expression.node(id);
        matches!(node.map(|node| &node.kind), Some(NodeKind::Variable(known)) if **known == *name)
    };
    expression.nodes().iter().any(|node| match &node.kind {
        NodeKind::Binary {
            operator,
            left,
            right,
        } => {
            !matches!(operator, BinaryOperator::And | BinaryOperator::Or)
                && (is(*left) || is(*right))
        }
        _ => false,
    })
}

/// Variables of running jobs in paths of `changes` and `exists`, which stay as written.
fn in_paths(subject: &Subject<'_>, found: &mut Found) {
    for (job, _, rule) in subject.job_rules() {
        for clause in &rule.clauses {
            let paths = match clause {
                Clause::Changes(changes) => &changes.paths,
                Clause::Exists(exists) => &exists.paths,
                Clause::If(_) | Clause::Cache(_) => continue,
            };
            for path in paths {
                let mut names = references(&path.value).map(|it| it.name);
                if let Some(name) = names.find(|name| only_in_jobs(name)) {
                    let text = format!("`{name}` is not set yet when paths are compared");
                    let finding = Diagnostic::finding("L013", text)
                        .at(path.span)
                        .note("paths are relative to the root of the repository");
                    found.add_for(&job.base, finding);
                }
            }
        }
    }
}

/// Names the configuration gives values to, anywhere.
fn defined_names<'a>(subject: &Subject<'a>) -> BTreeSet<&'a str> {
    let mut names = BTreeSet::new();
    let Some(config) = subject.config() else {
        return names;
    };
    let mut add = |all: &'a [VariableDefinition]| names.extend(all.iter().map(|it| &*it.key));
    add(&config.variables);
    for rule in config.workflow.rules.as_deref().unwrap_or_default() {
        add(&rule.variables);
    }
    for job in config.jobs.values() {
        add(&job.body.variables);
        if let Some(instance) = &job.instance {
            add(&instance.matrix);
        }
        for rule in job.body.rules.as_deref().unwrap_or_default() {
            add(&rule.variables);
        }
    }
    names
}

/// Names that scripts of jobs with a dotenv report write: `NAME=…` in a line with `echo` or `printf`.
fn dotenv_names(subject: &Subject<'_>) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    for job in subject.jobs() {
        let artifacts = job.body.inheritable.artifacts.as_ref();
        let has_report =
            artifacts.is_some_and(|it| it.value.reports.iter().any(|r| &*r.kind == "dotenv"));
        if !has_report {
            continue;
        }
        for line in job.body.script.iter().flat_map(|text| text.value.lines()) {
            if line.contains(">") && (line.contains("echo") || line.contains("printf")) {
                let words =
                    line.split(|c: char| !c.is_ascii_alphanumeric() && c != '_' && c != '=');
                let written = words.filter_map(|word| word.split_once('='));
                names.extend(written.map(|(name, _)| name.to_owned()));
            }
        }
    }
    names.remove("");
    names
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_mended};

    fn with_if(condition: &str) -> String {
        format!(
            "{{variables: {{DEPLOY: '1', NESTED: \"x-$DEPLOY\"}}, j: {{script: x, rules: [{{if: '{condition}'}}]}}}}"
        )
    }

    #[test]
    fn what_conditions_cannot_see_is_underlined() {
        for (condition, expected) in [
            ("\"$CI_COMMIT_BRANCH\" == \"main\"", "\"$CI_COMMIT_BRANCH\""),
            ("$A == \"v$B\"", "\"v$B\""),
            ("$A =~ /^$CI_DEFAULT_BRANCH/", "/^$CI_DEFAULT_BRANCH/"),
            ("$CI_PIPELINE_ID", "$CI_PIPELINE_ID"),
            ("$DEPOY == \"1\"", "$DEPOY"),
            ("$CI_COMIT_TAG", "$CI_COMIT_TAG"),
            ("$NESTED == \"x-1\"", "$NESTED"),
        ] {
            check("L013", &with_if(condition), &[expected]);
        }
    }

    #[test]
    fn ordinary_conditions_are_fine() {
        for condition in [
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
            "$CI_COMMIT_TAG =~ /^v[0-9]+$/",
            "$A =~ /\\$HOME$/",
            "$UNKNOWN_SETTING == \"1\"",
            "$NESTED",
            "$A == \"100%\"",
        ] {
            check("L013", &with_if(condition), &[]);
        }
    }

    #[test]
    fn quotes_are_taken_away() {
        let text = "j:\n  script: x\n  rules:\n    - if: '\"$A\" == \"b\"'\n";
        check_mended("L013", text, &text.replace("\"$A\"", "$A"));
    }

    #[test]
    fn dotenv_variables_and_job_folders_come_too_late() {
        let text = "{a: {script: 'echo V=1 > x.env', artifacts: {reports: {dotenv: x.env}}}, \
                    j: {script: x, rules: [{if: '$V == \"1\"'}, {exists: [$CI_PROJECT_DIR/x]}]}}";
        check("L013", text, &["$V", "$CI_PROJECT_DIR/x"]);
    }
}
