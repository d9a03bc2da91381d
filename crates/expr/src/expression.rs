//! Builds the tree of an expression the way GitLab does: shunting-yard into reverse Polish notation,
//! then a tree (reference `compose.md` §4.2).

use std::ops::Range;
use std::sync::{Arc, OnceLock};

use crate::error::{ErrorClass, ExpressionError};
use crate::lexer::{self, BinaryOperator, Token, TokenKind};
use crate::pattern::Pattern;

/// A parsed expression; parse once, evaluate for many jobs.
#[derive(Clone, Debug)]
pub struct Expression {
    text: Arc<str>,
    nodes: Vec<Node>,
    root: NodeId,
}

/// Index of a node in its [`Expression`].
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct NodeId(u32);

impl NodeId {
    /// Position in [`Expression::nodes`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// One operand or operator.
#[derive(Clone, Debug)]
pub struct Node {
    /// What it is.
    pub kind: NodeKind,
    /// The bytes of its own token.
    pub token: Range<usize>,
    /// The bytes of the token and of everything below it, without enclosing parentheses.
    pub extent: Range<usize>,
    /// The right operand of a match seen last, so that jobs which share it compile it once.
    pub(crate) compiled: OnceLock<(Arc<str>, Option<Arc<Pattern>>)>,
}

/// What a [`Node`] is.
#[derive(Clone, Debug)]
pub enum NodeKind {
    /// `$NAME`.
    Variable(Arc<str>),
    /// `$[[ inputs.NAME ]]`.
    Input(Arc<str>),
    /// A quoted string, without its quotes.
    Text(Arc<str>),
    /// `/…/flags`.
    Pattern(Arc<Pattern>),
    /// `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// `!`.
    Not(NodeId),
    /// An operator with two operands.
    Binary {
        /// Which.
        operator: BinaryOperator,
        /// Left operand.
        left: NodeId,
        /// Right operand.
        right: NodeId,
    },
}

impl Expression {
    /// Parses `text` as it stands in `if:`.
    ///
    /// # Errors
    /// GitLab's error class and message with the bytes of `text` that are to blame. Regular
    /// expression literals are compiled here too.
    pub fn parse(text: &str) -> Result<Expression, ExpressionError> {
        let tokens = lexer::tokens(text)?;
        if tokens.is_empty() {
            return Err(ExpressionError {
                class: ErrorClass::Statement,
                message: None,
                detail: None,
                at: 0..text.len(),
            });
        }
        let mut builder = Builder {
            text,
            nodes: Vec::new(),
            stack: Vec::new(),
        };
        for token in reverse_polish(&tokens)? {
            builder.push(token)?;
        }
        builder.finish()
    }

    /// The text it was parsed from.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// The node whose value is the result.
    pub fn root(&self) -> NodeId {
        self.root
    }

    /// All nodes, operands before the operators that use them.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The node `id` of this expression.
    pub fn node(&self, id: NodeId) -> Option<&Node> {
        self.nodes.get(id.index())
    }

    /// The text of a node's token.
    pub fn token_text(&self, node: &Node) -> &str {
        self.text.get(node.token.clone()).unwrap_or_default()
    }

    /// Names of the variables it mentions, in order of appearance, repeats included.
    pub fn variable_names(&self) -> impl Iterator<Item = &str> {
        self.nodes.iter().filter_map(|node| match &node.kind {
            NodeKind::Variable(name) => Some(&**name),
            _ => None,
        })
    }
}

fn reverse_polish(tokens: &[Token]) -> Result<Vec<&Token>, ExpressionError> {
    let mut output = Vec::with_capacity(tokens.len());
    let mut waiting: Vec<&Token> = Vec::new();
    for token in tokens {
        match token.kind {
            TokenKind::Open | TokenKind::Not => waiting.push(token),
            TokenKind::Close => loop {
                match waiting.pop() {
                    Some(open) if open.kind == TokenKind::Open => break,
                    Some(operator) => output.push(operator),
                    None => {
                        return Err(ExpressionError::new(
                            ErrorClass::Parse,
                            "Unmatched parenthesis",
                            token.at.clone(),
                        ));
                    }
                }
            },
            TokenKind::Binary(operator) => {
                while let Some(top) = waiting.pop_if(|top| yields(top, operator)) {
                    output.push(top);
                }
                waiting.push(token);
            }
            _ => output.push(token),
        }
    }
    output.extend(waiting.into_iter().rev());
    Ok(output)
}

/// Whether the operator `top` takes its operands before `incoming` does.
fn yields(top: &Token, incoming: BinaryOperator) -> bool {
    match top.kind {
        TokenKind::Not => true,
        TokenKind::Binary(operator) => incoming.precedence() >= operator.precedence(),
        _ => false,
    }
}

struct Builder<'a> {
    text: &'a str,
    nodes: Vec<Node>,
    stack: Vec<NodeId>,
}

impl Builder<'_> {
    fn push(&mut self, token: &Token) -> Result<(), ExpressionError> {
        let error = |class, message| Err(ExpressionError::new(class, message, token.at.clone()));
        let (kind, extent) = match token.kind {
            TokenKind::Open | TokenKind::Close => {
                return error(
                    ErrorClass::Parse,
                    "Unprocessable token found in parse tree: parenthesis_open",
                );
            }
            TokenKind::Not => match self.stack.pop() {
                Some(operand) => (NodeKind::Not(operand), self.extent(token, &[operand])),
                None => return error(ErrorClass::Operator, "Invalid operand"),
            },
            TokenKind::Binary(operator) => {
                // A single operand counts as the right one, so only the left is ever missing.
                let (Some(right), Some(left)) = (self.stack.pop(), self.stack.pop()) else {
                    return error(ErrorClass::Operator, "Invalid left operand");
                };
                let kind = NodeKind::Binary {
                    operator,
                    left,
                    right,
                };
                (kind, self.extent(token, &[left, right]))
            }
            _ => (self.operand(token)?, token.at.clone()),
        };
        let id = NodeId(u32::try_from(self.nodes.len()).unwrap_or(u32::MAX));
        self.nodes.push(Node {
            kind,
            token: token.at.clone(),
            extent,
            compiled: OnceLock::new(),
        });
        self.stack.push(id);
        Ok(())
    }

    fn operand(&self, token: &Token) -> Result<NodeKind, ExpressionError> {
        let text = self.text.get(token.at.clone()).unwrap_or_default();
        Ok(match token.kind {
            TokenKind::Variable => NodeKind::Variable(text.trim_start_matches('$').into()),
            TokenKind::Input => {
                let name = text.trim_start_matches("$[[").trim_end_matches("]]").trim();
                NodeKind::Input(name.trim_start_matches("inputs.").into())
            }
            TokenKind::Text => NodeKind::Text(text.get(1..text.len() - 1).unwrap_or("").into()),
            TokenKind::Pattern => {
                let pattern =
                    Pattern::from_expression_literal(text).map_err(|problem| ExpressionError {
                        detail: Some(problem.to_string()),
                        ..ExpressionError::new(
                            ErrorClass::Syntax,
                            "Invalid regular expression!",
                            token.at.clone(),
                        )
                    })?;
                NodeKind::Pattern(Arc::new(pattern))
            }
            TokenKind::Boolean => NodeKind::Bool(text == "true"),
            _ => NodeKind::Null,
        })
    }

    fn extent(&self, token: &Token, operands: &[NodeId]) -> Range<usize> {
        operands
            .iter()
            .filter_map(|id| self.nodes.get(id.index()))
            .fold(token.at.clone(), |all, node| {
                all.start.min(node.extent.start)..all.end.max(node.extent.end)
            })
    }

    fn finish(mut self) -> Result<Expression, ExpressionError> {
        let error = |message, at| Err(ExpressionError::new(ErrorClass::Parse, message, at));
        let Some(root) = self.stack.pop() else {
            return error("Empty parse tree", 0..self.text.len());
        };
        if !self.stack.is_empty() {
            let extra = self.nodes.get(root.index()).map(|n| n.extent.clone());
            return error("Unreachable nodes in parse tree", extra.unwrap_or_default());
        }
        Ok(Expression {
            text: self.text.into(),
            nodes: self.nodes,
            root,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(text: &str, expected: &str) {
        let shown = match Expression::parse(text) {
            Ok(expression) => tree(&expression, expression.root()),
            Err(error) => error.message.unwrap_or_default(),
        };
        assert_eq!(shown, expected, "{text}");
    }

    fn tree(expression: &Expression, id: NodeId) -> String {
        let node = expression.node(id).unwrap();
        match &node.kind {
            NodeKind::Not(operand) => format!("!{}", tree(expression, *operand)),
            NodeKind::Binary {
                operator,
                left,
                right,
            } => format!(
                "({} {} {})",
                tree(expression, *left),
                operator.text(),
                tree(expression, *right)
            ),
            _ => expression.token_text(node).to_owned(),
        }
    }

    #[test]
    fn comparisons_bind_before_and_before_or_and_chain_left() {
        check(
            "$a == $b == $c || $d && $e != null",
            "((($a == $b) == $c) || ($d && ($e != null)))",
        );
    }

    #[test]
    fn negation_binds_tightest_and_may_even_follow_its_operand() {
        check("!$A == \"x\"", "(!$A == \"x\")");
        check("!($A || $B)", "!($A || $B)");
        check("!!$A", "!!$A");
        check("$B !", "!$B");
    }

    #[test]
    fn broken_expressions_say_what_gitlab_says() {
        check("$A)", "Unmatched parenthesis");
        check(
            "$A(",
            "Unprocessable token found in parse tree: parenthesis_open",
        );
        check("$A $B", "Unreachable nodes in parse tree");
        check("(())", "Empty parse tree");
        check("== $A", "Invalid left operand");
        check("$A &&", "Invalid left operand");
        check("!", "Invalid operand");
        check("/a(b/", "Invalid regular expression!");
        check(" ", "");
    }

    #[test]
    fn an_extent_covers_the_operands() {
        let expression = Expression::parse(" $a == (\"b\") && $c").unwrap();
        let root = expression.node(expression.root()).unwrap();
        assert_eq!(root.extent, 1..18);
        assert_eq!(expression.token_text(root), "&&");
        let names: Vec<&str> = expression.variable_names().collect();
        assert_eq!(names, ["a", "c"]);
    }
}
