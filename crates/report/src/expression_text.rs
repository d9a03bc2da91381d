//! An expression written out from the tree of its evaluation, where its text is not at hand.

use tidegate_expr::TraceNode;

/// The expression, with parentheses only where the tree needs them.
pub(crate) fn expression_text(node: &TraceNode) -> String {
    match &node.operands[..] {
        [] => node.text.clone(),
        [operand] => format!("{}{}", node.text, within(operand, Binding::Not)),
        [left, right, ..] => {
            let own = binding(node);
            format!("{} {} {}", within(left, own), node.text, within(right, own))
        }
    }
}

/// How tightly an operator binds; `!` most (reference `compose.md` §4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Binding {
    Or,
    And,
    Comparison,
    Not,
    Operand,
}

fn binding(node: &TraceNode) -> Binding {
    match (node.operands.len(), &*node.text) {
        (0, _) => Binding::Operand,
        (1, _) => Binding::Not,
        (_, "||") => Binding::Or,
        (_, "&&") => Binding::And,
        _ => Binding::Comparison,
    }
}

fn within(node: &TraceNode, outer: Binding) -> String {
    let text = expression_text(node);
    if binding(node) < outer {
        format!("({text})")
    } else {
        text
    }
}
