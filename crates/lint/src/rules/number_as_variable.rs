//! L110: the value of a variable whose text YAML changes because it looks like a number or a boolean.
//!
//! Why it bites: variables are texts, but YAML types them first: `VERSION: 1.10` is `1.1`, `DEBUG: yes` is `true`, and the
//! matrix value `1_000` makes a job `test: [1000]`.
//!
//! How to mend it: quotes.

use tidegate_source::Diagnostic;
use tidegate_yaml::{Map, Node, Value, ruby};

use crate::found::Found;
use crate::subject::Subject;

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(merged) = subject.merged() else {
        return;
    };
    let variables = merged.get("variables").and_then(Node::as_map);
    let mut seen = Vec::new();
    if let Some(map) = variables {
        in_map(subject, map, &mut seen, found);
    }
    for (_, job) in merged {
        let Some(job) = job.as_map() else {
            continue;
        };
        if let Some(map) = job.get("variables").and_then(Node::as_map) {
            in_map(subject, map, &mut seen, found);
        }
        let matrix = job.get("parallel").and_then(Node::as_map);
        let matrix = matrix.and_then(|map| map.get("matrix"));
        for item in matrix.and_then(Node::as_seq).into_iter().flatten() {
            if let Some(map) = item.as_map() {
                in_map(subject, map, &mut seen, found);
            }
        }
    }
}

type Seen = Vec<tidegate_source::Span>;

fn in_map(subject: &Subject<'_>, map: &Map, seen: &mut Seen, found: &mut Found) {
    for (_, node) in map {
        match &node.value {
            Value::Seq(items) => {
                for item in items.iter() {
                    in_value(subject, item, seen, found);
                }
            }
            Value::Map(inner) => {
                if let Some(value) = inner.get("value") {
                    in_value(subject, value, seen, found);
                }
            }
            _ => in_value(subject, node, seen, found),
        }
    }
}

fn in_value(subject: &Subject<'_>, node: &Node, seen: &mut Seen, found: &mut Found) {
    if !matches!(node.value, Value::Int(_) | Value::Float(_) | Value::Bool(_)) {
        return;
    }
    let written = subject.text(node.span);
    let text = ruby::to_s(&node.value);
    let plain = !written.is_empty() && !written.contains(['$', '\n', '!', '&', '*']);
    // Numbers to other bases have rules of their own.
    let has_own_rule = subject
        .remarks()
        .iter()
        .any(|remark| remark.span == node.span);
    if !plain || written == &*text || has_own_rule || seen.contains(&node.span) {
        return;
    }
    seen.push(node.span);
    found.add(
        Diagnostic::finding(
            "L110",
            format!("this variable is `{text}`, not `{written}`"),
        )
        .at(node.span)
        .suggest("put it in quotes", node.span, format!("'{written}'")),
    );
}

#[cfg(test)]
mod tests {
    use crate::testing::{check, check_mended};

    #[test]
    fn changed_texts_are_found() {
        let text = "{variables: {A: 1.10, B: yes, C: 1_000, D: 1, E: true, F: '1.10', G: {value: 1.0e+3}}, j: {script: x}}";
        check("L110", text, &["1.10", "yes", "1_000", "1.0e+3"]);
        let matrix = "j: {script: x, parallel: {matrix: [{V: [2, 1_000]}]}}";
        check("L110", matrix, &["1_000"]);
        check_mended("L110", matrix, &matrix.replace("1_000", "'1_000'"));
    }
}
