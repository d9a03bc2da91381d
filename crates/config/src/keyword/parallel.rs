//! `parallel`, of jobs and of needs (reference `config.md` §9.14).

use std::sync::Arc;

use tidegate_yaml::{Node, Value};

use crate::ruby::{Keys, to_s};
use crate::typed::{Check, Faults, Place, raw_fault, specified};

/// Most jobs one job may become.
pub(crate) const MOST: usize = 200;

/// How often a job runs side by side.
#[derive(Clone, Debug)]
pub(crate) enum Parallel {
    /// So many times.
    Number(u32),
    /// Once for each combination.
    Matrix(Matrix),
}

/// Rows of variables, each with its values.
pub(crate) type Matrix = Arc<Vec<Row>>;

/// One row: names with their values, in written order.
pub(crate) type Row = Vec<(Arc<str>, Vec<Arc<str>>)>;

/// The parallelism of a job, or of a need where `numbers` are not allowed.
pub(crate) fn parallel(
    place: &Place<'_>,
    node: &Node,
    numbers: bool,
    faults: &mut Faults,
) -> Option<Parallel> {
    match &node.value {
        Value::Int(_) | Value::BigInt(_) | Value::Float(_) => number(place, node, numbers, faults),
        Value::Map(_) => matrix_map(place, node, faults).map(Parallel::Matrix),
        _ => {
            let text = "should be an integer or a hash";
            faults.push(raw_fault(place, node.span, text));
            None
        }
    }
}

fn number(place: &Place<'_>, node: &Node, allowed: bool, faults: &mut Faults) -> Option<Parallel> {
    let mut check = Check::new(place, node, faults);
    match node.value {
        Value::Int(number) => {
            let text = "config must be greater than or equal to 1";
            check.ensure(number >= 1, node.span, text);
            let text = "config must be less than or equal to 200";
            check.ensure(number <= MOST as i64, node.span, text);
        }
        _ => check.fault("config must be an integer"),
    }
    if !allowed {
        check.fault("config cannot use \"parallel: <number>\".");
    }
    match node.value {
        Value::Int(number) if check.passed() => u32::try_from(number).ok().map(Parallel::Number),
        _ => None,
    }
}

fn matrix_map(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Matrix> {
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["matrix"]);
    check.required_keys(node, &["matrix"]);
    if !check.passed() {
        return None;
    }
    match specified(node.as_map()?, "matrix") {
        Some(node) => matrix(&place.child("matrix"), node, faults),
        None => Some(Matrix::default()),
    }
}

fn matrix(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Matrix> {
    let mut check = Check::new(place, node, faults);
    let items = node.as_seq().unwrap_or_default();
    if node.as_seq().is_none() || items.iter().any(|item| item.as_map().is_none()) {
        check.fault("config should be an array of hashes");
        return None;
    }
    let generated: usize = items.iter().map(generated).fold(0, usize::saturating_add);
    if generated > MOST {
        check.fault("config generates too many jobs (maximum is 200)");
        return None;
    }
    let place = place.child("variables");
    let mut rows = Vec::with_capacity(items.len());
    for item in items {
        rows.extend(row(&place, item, faults));
    }
    Some(Arc::new(rows))
}

/// How many jobs a row stands for.
fn generated(row: &Node) -> usize {
    let Some(map) = row.as_map() else { return 0 };
    let counts = map
        .iter()
        .map(|(_, node)| node.as_seq().map_or(1, <[Node]>::len));
    counts.fold(1, usize::saturating_mul)
}

fn row(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Row> {
    let map = node.as_map()?;
    let mut check = Check::new(place, node, faults);
    let fits = map.iter().all(|(key, node)| {
        let value = match node.as_seq() {
            Some(items) => items.iter().all(|item| is_alphanumeric(&item.value)),
            None => is_alphanumeric(&node.value),
        };
        value && is_alphanumeric(&key.value)
    });
    check.ensure(
        fits,
        node.span,
        "config should be a hash of key value pairs, value can be an array",
    );
    check.ensure(
        !map.is_empty(),
        node.span,
        "config requires at least 1 items",
    );
    let texts = |node: &Node| match node.as_seq() {
        Some(items) => items.iter().map(|item| text(&item.value)).collect(),
        None => vec![text(&node.value)],
    };
    let row = map
        .iter()
        .map(|(key, node)| (text(&key.value), texts(node)));
    check.passed().then(|| row.collect())
}

fn is_alphanumeric(value: &Value) -> bool {
    matches!(
        value,
        Value::Str(_) | Value::Symbol(_) | Value::Int(_) | Value::BigInt(_)
    )
}

fn text(value: &Value) -> Arc<str> {
    match value {
        Value::Str(text) => text.clone(),
        other => to_s(other, Keys::Symbols).into(),
    }
}

/// The combinations of a matrix in GitLab's order: the first variable of a row turns slowest.
pub(crate) fn combinations(matrix: &Matrix) -> Vec<Vec<(Arc<str>, Arc<str>)>> {
    let mut all = Vec::new();
    for row in matrix.iter() {
        let mut partial: Vec<Vec<(Arc<str>, Arc<str>)>> = vec![Vec::new()];
        for (name, values) in row {
            partial = partial
                .into_iter()
                .flat_map(|known| {
                    values.iter().map(move |value| {
                        let mut next = known.clone();
                        next.push((name.clone(), value.clone()));
                        next
                    })
                })
                .collect();
        }
        all.append(&mut partial);
    }
    all
}

/// The name of one combination: `name: [a, b]`.
pub(crate) fn instance_name(base: &str, values: &[(Arc<str>, Arc<str>)]) -> Arc<str> {
    let values: Vec<_> = values.iter().map(|(_, value)| &**value).collect();
    format!("{base}: [{}]", values.join(", ")).into()
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn numbers_and_matrices_are_checked() {
        check(
            "j: {script: x, parallel: 1.5}",
            &["jobs:j:parallel config must be an integer"],
        );
        check(
            "j: {script: x, parallel: foo}",
            &["jobs:j:parallel should be an integer or a hash"],
        );
        check(
            "j: {script: x, parallel: [1]}",
            &["jobs:j:parallel should be an integer or a hash"],
        );
        check(
            "j: {script: x, parallel: {}}",
            &["jobs:j:parallel config missing required keys: matrix"],
        );
        check(
            "j: {script: x, parallel: {foo: 1}}",
            &[
                "jobs:j:parallel config contains unknown keys: foo",
                "jobs:j:parallel config missing required keys: matrix",
            ],
        );
        check(
            "j: {script: x, parallel: {matrix: foo}}",
            &["jobs:j:parallel:matrix config should be an array of hashes"],
        );
        check(
            "j: {script: x, parallel: {matrix: [foo]}}",
            &["jobs:j:parallel:matrix config should be an array of hashes"],
        );
        check(
            "j: {script: x, parallel: {matrix: [{}]}}",
            &["jobs:j:parallel:matrix:variables config requires at least 1 items"],
        );
        check(
            "j: {script: x, parallel: {matrix: [{A: }]}}",
            &[
                "jobs:j:parallel:matrix:variables config should be a hash of key value pairs, value can be an array",
            ],
        );
        check(
            "j: {script: x, parallel: {matrix: [{A: [true]}]}}",
            &[
                "jobs:j:parallel:matrix:variables config should be a hash of key value pairs, value can be an array",
            ],
        );
        check(
            "j: {script: x, parallel: {matrix: [{A: {b: c}}]}}",
            &[
                "jobs:j:parallel:matrix:variables config should be a hash of key value pairs, value can be an array",
            ],
        );
        check(
            "j: {trigger: a/b, parallel: 2}",
            &[r#"jobs:j:parallel config cannot use "parallel: <number>"."#],
        );
    }
}
