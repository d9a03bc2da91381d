//! What can be wrong with an expression, in GitLab's classes and words.

use std::fmt;
use std::ops::Range;

/// The class of exception GitLab raises (reference `compose.md` §4.2).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum ErrorClass {
    /// The text cannot be cut into tokens, or holds a bad regular expression.
    Syntax,
    /// The tokens form no tree.
    Parse,
    /// An operator lacks an operand.
    Operator,
    /// There is nothing to evaluate.
    Statement,
    /// GitLab itself fails with an internal exception, as in `"a" =~ true`; ours to report decently.
    Crash,
}

impl ErrorClass {
    /// GitLab's name of the class.
    pub fn name(self) -> &'static str {
        match self {
            ErrorClass::Syntax => "SyntaxError",
            ErrorClass::Parse => "ParseError",
            ErrorClass::Operator => "OperatorError",
            ErrorClass::Statement => "StatementError",
            ErrorClass::Crash => "NoMethodError",
        }
    }
}

/// Why an expression cannot be parsed or evaluated.
///
/// GitLab shows its users none of this: a bad expression is `Invalid expression syntax` when a
/// configuration is loaded, and false when it is evaluated. We can say more.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpressionError {
    /// GitLab's class.
    pub class: ErrorClass,
    /// GitLab's text; `None` where it has none. For [`ErrorClass::Crash`] the text is ours.
    pub message: Option<String>,
    /// What GitLab does not say: the regular expression engine's own message.
    pub detail: Option<String>,
    /// The bytes of the expression that are to blame.
    pub at: Range<usize>,
}

impl ExpressionError {
    pub(crate) fn new(class: ErrorClass, message: &str, at: Range<usize>) -> ExpressionError {
        ExpressionError {
            class,
            message: Some(message.to_owned()),
            detail: None,
            at,
        }
    }
}

impl fmt::Display for ExpressionError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.message.as_deref().unwrap_or("empty expression"))?;
        match &self.detail {
            Some(detail) => write!(f, " ({detail})"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for ExpressionError {}
