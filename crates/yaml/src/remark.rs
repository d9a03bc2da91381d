//! What GitLab accepts in silence although it seldom does what its writer meant.

use tidegate_source::Span;

/// A surprising thing about a text that loads.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Remark {
    /// What it is.
    pub kind: RemarkKind,
    /// Where it stands.
    pub span: Span,
}

/// The kinds of surprises.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum RemarkKind {
    /// A key repeats one of the same mapping; the later value counts, the earlier is lost.
    DuplicateKey {
        /// The key whose value is lost.
        first: Span,
    },
    /// A document that is never read.
    IgnoredDocument,
    /// A `<<` replaces the value of a key that is written before it.
    MergeOverridesKey {
        /// The key whose value is lost.
        key: Span,
    },
    /// A `<<` that merges nothing, because its value is not a mapping or a list of mappings.
    MergeOfNoMap,
    /// A plain scalar with colons that is read as a number to base 60, such as `12:30`.
    Sexagesimal,
    /// A plain scalar with a leading zero that is read as an octal number, such as `010`.
    Octal,
}
