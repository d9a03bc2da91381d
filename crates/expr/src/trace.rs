//! The trace of an evaluation, as a tree that can be drawn.

use std::ops::Range;

use crate::error::ExpressionError;
use crate::evaluate::{Environment, Sink, evaluate_with};
use crate::expression::{Expression, NodeId, NodeKind};
use crate::value::Value;
use crate::variable::Variable;

/// One operand or operator, and what became of it.
#[derive(Clone, PartialEq, Debug)]
pub struct TraceNode {
    /// The text of its token: `$NAME`, `"text"`, `&&`.
    pub text: String,
    /// Where the token stands in the expression.
    pub token: Range<usize>,
    /// The bytes of the token and of everything below it.
    pub extent: Range<usize>,
    /// What became of it.
    pub outcome: Outcome,
    /// The variable the value came from, for a variable that is defined.
    pub variable: Option<Variable>,
    /// Operands, left to right.
    pub operands: Vec<TraceNode>,
}

/// What became of a node.
#[derive(Clone, PartialEq, Debug)]
pub enum Outcome {
    /// It has this value.
    Value(Value),
    /// The left side decided; this one was not looked at.
    Skipped,
    /// It could not be evaluated.
    Failed(ExpressionError),
}

impl TraceNode {
    /// Whether the expression holds; an error counts as false, as in GitLab.
    pub fn holds(&self) -> bool {
        matches!(&self.outcome, Outcome::Value(value) if value.is_present())
    }
}

/// Evaluates and returns the tree of all steps; the root carries the result.
pub fn evaluate_traced(expression: &Expression, environment: Environment<'_>) -> TraceNode {
    let mut recorder = Recorder {
        steps: vec![None; expression.nodes().len()],
    };
    // The result is on the recorded root as well.
    let _ = evaluate_with(expression, environment, &mut recorder);
    recorder.tree(expression, expression.root())
}

struct Recorder {
    steps: Vec<Option<(Outcome, Option<Variable>)>>,
}

impl Recorder {
    fn record(&mut self, node: NodeId, outcome: Outcome, variable: Option<&Variable>) {
        if let Some(step) = self.steps.get_mut(node.index()) {
            *step = Some((outcome, variable.cloned()));
        }
    }

    fn tree(&mut self, expression: &Expression, id: NodeId) -> TraceNode {
        let step = self.steps.get_mut(id.index()).and_then(Option::take);
        let (outcome, variable) = step.unwrap_or((Outcome::Skipped, None));
        let node = expression.node(id);
        let operands = match node.map(|n| &n.kind) {
            Some(NodeKind::Not(operand)) => vec![self.tree(expression, *operand)],
            Some(NodeKind::Binary { left, right, .. }) => {
                vec![self.tree(expression, *left), self.tree(expression, *right)]
            }
            _ => Vec::new(),
        };
        TraceNode {
            text: node
                .map(|n| expression.token_text(n).to_owned())
                .unwrap_or_default(),
            token: node.map(|n| n.token.clone()).unwrap_or_default(),
            extent: node.map(|n| n.extent.clone()).unwrap_or_default(),
            outcome,
            variable,
            operands,
        }
    }
}

impl Sink for Recorder {
    fn value(&mut self, node: NodeId, value: &Value, variable: Option<&Variable>) {
        self.record(node, Outcome::Value(value.clone()), variable);
    }

    fn failure(&mut self, node: NodeId, error: &ExpressionError) {
        self.record(node, Outcome::Failed(error.clone()), None);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::evaluate::NoInputs;
    use crate::variable::{VariableSource, Variables};

    #[test]
    fn a_trace_shows_values_sources_and_what_was_not_looked_at() {
        let variables: Variables = [Variable::new("A", "x", VariableSource::YamlJob)]
            .into_iter()
            .collect();
        let expression = Expression::parse("$A == \"y\" && $B").unwrap();
        let trace = evaluate_traced(
            &expression,
            Environment {
                variables: &variables,
                inputs: &NoInputs,
            },
        );
        assert!(!trace.holds());
        assert_eq!(trace.text, "&&");
        let [comparison, skipped] = &trace.operands[..] else {
            panic!("two operands")
        };
        assert_eq!(comparison.outcome, Outcome::Value(Value::Bool(false)));
        assert_eq!(comparison.extent, 0..9);
        let source = comparison.operands[0].variable.as_ref().map(|v| v.source);
        assert_eq!(source, Some(VariableSource::YamlJob));
        assert_eq!(skipped.outcome, Outcome::Skipped);
        assert_eq!(skipped.token, 13..15);
    }
}
