//! Conditions with three truth values: what holds in every pipeline of a kind, in none, or cannot be told.

use tidegate_expr::{BinaryOperator, Expression, NodeId, NodeKind, Value};

use crate::event::Known;

/// Whether something holds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub(crate) enum Truth {
    /// Never.
    No,
    /// It depends on what is not known here.
    Maybe,
    /// Always.
    Yes,
}

impl Truth {
    /// Both hold.
    pub(crate) fn and(self, other: Truth) -> Truth {
        self.min(other)
    }

    /// It does not hold.
    pub(crate) fn not(self) -> Truth {
        match self {
            Truth::No => Truth::Yes,
            Truth::Maybe => Truth::Maybe,
            Truth::Yes => Truth::No,
        }
    }
}

impl From<bool> for Truth {
    fn from(holds: bool) -> Truth {
        if holds { Truth::Yes } else { Truth::No }
    }
}

/// Whether `expression` holds where its variables have what `variable` knows of them.
///
/// Operators are those of reference `compose.md` §4.3. Nodes are visited in their stored order, operands first, so nesting
/// costs no stack.
pub(crate) fn holds(expression: &Expression, variable: impl Fn(&str) -> Known) -> Truth {
    let mut values: Vec<Known> = Vec::with_capacity(expression.nodes().len());
    for node in expression.nodes() {
        let of = |id: NodeId| values.get(id.index()).cloned().unwrap_or(Known::Nothing);
        let value = match &node.kind {
            NodeKind::Variable(name) => variable(name),
            NodeKind::Input(_) => Known::Nothing,
            NodeKind::Text(text) => Known::Value(Value::Text(text.clone())),
            NodeKind::Pattern(pattern) => Known::Value(Value::Pattern(pattern.clone())),
            NodeKind::Null => Known::Value(Value::Nil),
            NodeKind::Bool(value) => Known::Value(Value::Bool(*value)),
            NodeKind::Not(operand) => from_truth(present(&of(*operand)).not()),
            NodeKind::Binary {
                operator,
                left,
                right,
            } => binary(*operator, of(*left), of(*right)),
        };
        values.push(value);
    }
    let root = values.get(expression.root().index());
    root.map_or(Truth::Maybe, present)
}

fn binary(operator: BinaryOperator, left: Known, right: Known) -> Known {
    match operator {
        BinaryOperator::Equals => from_truth(equal(&left, &right)),
        BinaryOperator::NotEquals => from_truth(equal(&left, &right).not()),
        BinaryOperator::Matches => from_truth(matching(&left, &right)),
        BinaryOperator::NotMatches => from_truth(matching(&left, &right).not()),
        BinaryOperator::And => match truthy(&left) {
            Truth::No => left,
            Truth::Yes => right,
            // Either the left side is what stops it, or the right side, which does not hold.
            Truth::Maybe if present(&right) == Truth::No => Known::Value(Value::Nil),
            Truth::Maybe => Known::Nothing,
        },
        BinaryOperator::Or => match truthy(&left) {
            Truth::No => right,
            Truth::Yes => left,
            Truth::Maybe => Known::Nothing,
        },
    }
}

fn from_truth(truth: Truth) -> Known {
    match truth {
        Truth::No => Known::Value(Value::Bool(false)),
        Truth::Yes => Known::Value(Value::Bool(true)),
        Truth::Maybe => Known::Nothing,
    }
}

fn present(known: &Known) -> Truth {
    match known {
        Known::Value(value) => value.is_present().into(),
        Known::SomeText | Known::NewBranch | Known::DefaultBranch => Truth::Yes,
        Known::Nothing => Truth::Maybe,
    }
}

fn truthy(known: &Known) -> Truth {
    match known {
        Known::Value(value) => value.is_truthy().into(),
        other => present(other),
    }
}

fn equal(left: &Known, right: &Known) -> Truth {
    use Known::{DefaultBranch, NewBranch, Nothing, SomeText, Value as Is};
    match (left, right) {
        (Is(a), Is(b)) => match (a, b) {
            (Value::Bool(flag), Value::Text(text)) | (Value::Text(text), Value::Bool(flag)) => {
                Truth::from(flag.to_string() == **text)
            }
            _ => Truth::from(a == b),
        },
        (Nothing, _) | (_, Nothing) => Truth::Maybe,
        (DefaultBranch, DefaultBranch) => Truth::Yes,
        (NewBranch, DefaultBranch) | (DefaultBranch, NewBranch) => Truth::No,
        // Nobody makes these anew.
        (NewBranch, Is(Value::Text(text))) | (Is(Value::Text(text)), NewBranch)
            if matches!(&**text, "main" | "master") =>
        {
            Truth::No
        }
        (SomeText | NewBranch | DefaultBranch, Is(value))
        | (Is(value), SomeText | NewBranch | DefaultBranch) => match value {
            Value::Text(_) if value.is_present() => Truth::Maybe,
            _ => Truth::No,
        },
        _ => Truth::Maybe,
    }
}

fn matching(left: &Known, right: &Known) -> Truth {
    match (left, right) {
        (_, Known::Value(Value::Nil)) => Truth::No,
        (Known::Value(value), Known::Value(Value::Pattern(pattern))) => {
            pattern.is_match(&value.to_text()).into()
        }
        _ => Truth::Maybe,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::event::{Event, For};
    use tidegate_scenario::PipelineSource::{MergeRequestEvent, Push, Schedule};

    fn check(event: Event, text: &str, expected: Truth) {
        let expression = Expression::parse(text).unwrap();
        let found = holds(&expression, |name| event.variable(name));
        assert_eq!(found, expected, "{text} in {event:?}");
    }

    #[test]
    fn what_the_event_decides_is_decided() {
        let tag = Event::new(Push, For::Tag);
        check(tag, "$CI_COMMIT_TAG", Truth::Yes);
        check(tag, "$CI_COMMIT_BRANCH", Truth::No);
        check(tag, "$CI_COMMIT_TAG =~ /^v/", Truth::Maybe);
        check(tag, "$CI_COMMIT_BRANCH && $X == 'a'", Truth::No);
        check(tag, "$X == 'a' && $CI_COMMIT_BRANCH", Truth::No);
        check(tag, "$CI_PIPELINE_SOURCE == 'push'", Truth::Yes);
        check(tag, "$CI_PIPELINE_SOURCE =~ /^(web|push)$/", Truth::Yes);
        let mr = Event::new(MergeRequestEvent, For::MergeRequest);
        check(mr, "$CI_MERGE_REQUEST_IID != null", Truth::Yes);
        check(mr, "$CI_MERGE_REQUEST_LABELS", Truth::Maybe);
        check(mr, "$CI_COMMIT_TAG || $CI_COMMIT_BRANCH", Truth::No);
    }

    #[test]
    fn a_new_branch_is_not_the_default_one() {
        let new = Event::new(Push, For::NewBranch);
        check(new, "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH", Truth::No);
        check(new, "$CI_COMMIT_BRANCH != 'main'", Truth::Yes);
        check(new, "$CI_COMMIT_BRANCH == 'feature'", Truth::Maybe);
        check(new, "$CI_COMMIT_BRANCH", Truth::Yes);
        let schedule = Event::new(Schedule, For::Branch);
        check(
            schedule,
            "$CI_COMMIT_BRANCH == $CI_DEFAULT_BRANCH",
            Truth::Maybe,
        );
    }

    #[test]
    fn an_empty_text_may_stop_an_or() {
        let push = Event::new(Push, For::Branch);
        check(push, "$X || $CI_COMMIT_BRANCH", Truth::Maybe);
        check(push, "$CI_COMMIT_BRANCH || $X", Truth::Yes);
    }
}
