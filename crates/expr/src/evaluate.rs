//! Evaluates expressions to typed values (reference `compose.md` §4.3).
//!
//! There is one evaluator, generic over a [`Sink`]: with `()` nothing is recorded and nothing is
//! allocated but results; [`evaluate_traced`](crate::evaluate_traced) records every step.

use std::sync::Arc;

use crate::error::{ErrorClass, ExpressionError};
use crate::expression::{Expression, Node, NodeId, NodeKind};
use crate::lexer::BinaryOperator;
use crate::pattern::Pattern;
use crate::value::Value;
use crate::variable::{Lookup, Variable, Variables};

/// What an expression can refer to.
#[derive(Clone, Copy)]
pub struct Environment<'a> {
    /// Values of `$NAME`.
    pub variables: &'a dyn Lookup,
    /// Values of `$[[ inputs.NAME ]]`.
    pub inputs: &'a dyn Inputs,
}

/// Gives the values of `$[[ inputs.NAME ]]`.
pub trait Inputs {
    /// The value of the input, or `None` where there is no such input, which counts as nil.
    fn input(&self, name: &str) -> Option<Value>;
}

/// No inputs at all.
#[derive(Clone, Copy, Default, Debug)]
pub struct NoInputs;

impl Inputs for NoInputs {
    fn input(&self, _name: &str) -> Option<Value> {
        None
    }
}

impl<S: std::hash::BuildHasher> Inputs for std::collections::HashMap<String, Value, S> {
    fn input(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }
}

impl Inputs for std::collections::BTreeMap<String, Value> {
    fn input(&self, name: &str) -> Option<Value> {
        self.get(name).cloned()
    }
}

/// Hears of every step of an evaluation. A node never heard of was short-circuited.
pub trait Sink {
    /// `node` has this value; `variable` is where it came from, for a variable that is defined.
    fn value(&mut self, node: NodeId, value: &Value, variable: Option<&Variable>);
    /// `node` could not be evaluated.
    fn failure(&mut self, node: NodeId, error: &ExpressionError);
}

impl Sink for () {
    fn value(&mut self, _: NodeId, _: &Value, _: Option<&Variable>) {}
    fn failure(&mut self, _: NodeId, _: &ExpressionError) {}
}

/// The typed value of the expression, without inputs; its truth is [`Value::is_present`].
///
/// # Errors
/// Only where GitLab crashes, such as `"a" =~ true`. GitLab counts an error as false.
pub fn evaluate(
    expression: &Expression,
    variables: &impl Lookup,
) -> Result<Value, ExpressionError> {
    let environment = Environment {
        variables,
        inputs: &NoInputs,
    };
    evaluate_with(expression, environment, &mut ())
}

/// The typed value of the expression, telling `sink` of every step.
///
/// # Errors
/// As [`evaluate`].
pub fn evaluate_with(
    expression: &Expression,
    environment: Environment<'_>,
    sink: &mut impl Sink,
) -> Result<Value, ExpressionError> {
    Evaluator {
        expression,
        environment,
        sink,
    }
    .node(expression.root())
}

/// What configuration validation answers for an `if:`: it parses, and evaluates without an error
/// when nothing is defined (reference `compose.md` §4.2).
///
/// # Errors
/// The reason for which GitLab says `invalid expression syntax`.
pub fn valid_for_config(text: &str) -> Result<Expression, ExpressionError> {
    let expression = Expression::parse(text)?;
    evaluate(&expression, &Variables::default())?;
    Ok(expression)
}

struct Evaluator<'a, S> {
    expression: &'a Expression,
    environment: Environment<'a>,
    sink: &'a mut S,
}

impl<S: Sink> Evaluator<'_, S> {
    fn node(&mut self, id: NodeId) -> Result<Value, ExpressionError> {
        let expression = self.expression;
        let Some(node) = expression.node(id) else {
            return Ok(Value::Nil);
        };
        let mut variable = None;
        let result = match &node.kind {
            NodeKind::Variable(name) => {
                variable = self.environment.variables.lookup(name);
                let value = variable.and_then(|v| v.value.clone());
                Ok(value.map_or(Value::Nil, Value::Text))
            }
            NodeKind::Input(name) => Ok(self.environment.inputs.input(name).unwrap_or(Value::Nil)),
            NodeKind::Text(text) => Ok(Value::Text(text.clone())),
            NodeKind::Pattern(pattern) => Ok(Value::Pattern(pattern.clone())),
            NodeKind::Null => Ok(Value::Nil),
            NodeKind::Bool(value) => Ok(Value::Bool(*value)),
            NodeKind::Not(operand) => self.node(*operand).map(|v| Value::Bool(!v.is_present())),
            NodeKind::Binary {
                operator,
                left,
                right,
            } => self.binary(node, *operator, *left, *right),
        };
        match &result {
            Ok(value) => self.sink.value(id, value, variable),
            Err(error) => self.sink.failure(id, error),
        }
        result
    }

    fn binary(
        &mut self,
        node: &Node,
        operator: BinaryOperator,
        left: NodeId,
        right: NodeId,
    ) -> Result<Value, ExpressionError> {
        let first = self.node(left)?;
        match operator {
            BinaryOperator::And if !first.is_truthy() => return Ok(first),
            BinaryOperator::Or if first.is_truthy() => return Ok(first),
            BinaryOperator::And | BinaryOperator::Or => return self.node(right),
            _ => {}
        }
        let second = self.node(right)?;
        let holds = match operator {
            BinaryOperator::Equals | BinaryOperator::NotEquals => first
                .equals(&second)
                .ok_or_else(|| crash(node, "a pattern cannot be compared with another value"))?,
            _ => matches(node, &first, &second)?,
        };
        let negated = matches!(
            operator,
            BinaryOperator::NotEquals | BinaryOperator::NotMatches
        );
        Ok(Value::Bool(holds != negated))
    }
}

fn crash(node: &Node, message: &str) -> ExpressionError {
    ExpressionError::new(ErrorClass::Crash, message, node.extent.clone())
}

fn matches(node: &Node, left: &Value, right: &Value) -> Result<bool, ExpressionError> {
    match right {
        // `false` counts as no pattern, like nil.
        Value::Nil | Value::Bool(false) => Ok(false),
        Value::Pattern(pattern) => Ok(pattern.is_match(&left.to_text())),
        Value::Text(text) => Ok(match compiled(node, text) {
            Some(pattern) => pattern.is_match(&left.to_text()),
            // A documented quirk: what is no pattern is searched for the left side's text.
            None => text.contains(&*left.to_text()),
        }),
        Value::Bool(true) | Value::Number(_) | Value::List(_) => {
            Err(crash(node, "the right side of a match must be a pattern"))
        }
    }
}

/// The pattern a string spells, remembered for the string seen first.
fn compiled(node: &Node, text: &Arc<str>) -> Option<Arc<Pattern>> {
    let compile = || Pattern::from_expression_literal(text).ok().map(Arc::new);
    let (known, pattern) = node.compiled.get_or_init(|| (text.clone(), compile()));
    if known == text {
        pattern.clone()
    } else {
        compile()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::VariableSource;

    fn check(text: &str, expected: Value) {
        let variables: Variables = [("A", ""), ("B", "b"), ("P", "/^b/"), ("T", "true")]
            .map(|(key, value)| Variable::new(key, value, VariableSource::YamlRoot))
            .into_iter()
            .collect();
        let expression = Expression::parse(text).unwrap();
        assert_eq!(evaluate(&expression, &variables), Ok(expected), "{text}");
    }

    #[test]
    fn and_and_or_return_an_operand_and_the_empty_string_is_true_in_them() {
        check("$A && $B", Value::text("b"));
        check("$A || $B", Value::text(""));
        check("$U || $B", Value::text("b"));
        check("$U && $B", Value::Nil);
    }

    #[test]
    fn undefined_is_not_empty() {
        check("$U == \"\"", Value::Bool(false));
        check("$U == null", Value::Bool(true));
        check("$A == null", Value::Bool(false));
        check("$U =~ /^$/", Value::Bool(true));
    }

    #[test]
    fn a_string_right_of_a_match_is_a_pattern_if_it_looks_like_one() {
        check("\"bc\" =~ $P", Value::Bool(true));
        check("\"cb\" =~ $P", Value::Bool(false));
        check("\"23\" =~ \"1234\"", Value::Bool(true));
        check("$B =~ $U", Value::Bool(false));
        check("$B !~ $U", Value::Bool(true));
        check("\"a/c\" =~ /a\\/c/", Value::Bool(true));
    }

    #[test]
    fn booleans_compare_with_their_text() {
        check("$T == true", Value::Bool(true));
        check("true != \"false\"", Value::Bool(true));
    }

    #[test]
    fn gitlabs_crashes_are_errors() {
        for text in ["\"a\" =~ true", "/ab/ == null"] {
            let error = valid_for_config(text).unwrap_err();
            assert_eq!(error.class, ErrorClass::Crash);
        }
        // Never evaluated, hence valid.
        assert!(valid_for_config("$A && /ab/ == null").is_ok());
    }
}
