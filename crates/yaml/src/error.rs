//! Why a text could not be loaded, in GitLab's words.

use std::fmt;

use tidegate_source::Span;

/// What is wrong with a text, and where.
///
/// `Display` is GitLab's text, byte for byte (reference `config.md` §1.5), without the prefix that included files get.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct YamlError {
    /// What is wrong.
    pub kind: YamlErrorKind,
    /// Where the problem was noticed; for syntax errors a better place than the one in the text.
    pub span: Span,
}

/// The ways in which a text can be wrong.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum YamlErrorKind {
    /// Nothing, or only white space. Displayed as for the root file; included files have another text.
    Blank,
    /// The text is not YAML.
    Syntax {
        /// What libyaml found.
        problem: String,
        /// What it was doing, where it says so.
        context: Option<String>,
        /// Line of the context's start within the piece, from 1; 1 where there is no context.
        line: u64,
        /// Column of the context's start in characters, from 1; 1 where there is no context.
        column: u64,
    },
    /// The top level is something else than a mapping.
    NotAMap,
    /// A value or tag stands for a Ruby class that GitLab does not permit, such as `Date`.
    DisallowedClass(String),
    /// An alias whose anchor was not defined before it in this piece.
    UnknownAnchor(String),
    /// A tag whose value does not suit it.
    Unsuitable,
    /// More bytes than [`crate::Limits::text_bytes`].
    TextTooBig,
    /// Too much or too deep once loaded, or recursive.
    ValueTooBig,
}

impl YamlError {
    /// An error at `span`.
    pub(crate) fn new(kind: YamlErrorKind, span: Span) -> YamlError {
        YamlError { kind, span }
    }
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            YamlErrorKind::Blank => f.write_str("Please provide content of .gitlab-ci.yml"),
            YamlErrorKind::Syntax {
                problem,
                context,
                line,
                column,
            } => {
                write!(f, "(<unknown>): {problem}")?;
                if let Some(context) = context {
                    write!(f, " {context}")?;
                }
                write!(f, " at line {line} column {column}")
            }
            YamlErrorKind::NotAMap => f.write_str("Invalid configuration format"),
            YamlErrorKind::DisallowedClass(class) => {
                write!(f, "Tried to load unspecified class: {class}")
            }
            YamlErrorKind::UnknownAnchor(anchor) => {
                write!(f, "An alias referenced an unknown anchor: {anchor}")
            }
            YamlErrorKind::Unsuitable => f.write_str("Invalid YAML syntax"),
            YamlErrorKind::TextTooBig => f.write_str("The provided YAML is too big"),
            YamlErrorKind::ValueTooBig => f.write_str("The parsed YAML is too big"),
        }
    }
}

impl std::error::Error for YamlError {}
