//! What is wrong, where, and what to do about it.

use crate::span::Span;

/// How bad a diagnostic is.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Severity {
    /// GitLab rejects the configuration, or nothing useful can be built from it.
    Error,
    /// GitLab accepts the configuration and warns.
    Warning,
    /// A finding of our own: GitLab says nothing. Never changes what is valid.
    Finding,
}

/// A stable, short name of a kind of diagnostic, such as `undefined-need` or `L005`; what people switch off and search for.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub struct Code(pub &'static str);

/// Whether a label marks the culprit or something it collides with.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Hash)]
pub enum LabelKind {
    /// The place that is wrong.
    Primary,
    /// Another place involved: the base of a failed `extends`, the include that led here.
    Context,
}

/// A place with what to say about it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Label {
    /// Where.
    pub span: Span,
    /// What stands there; empty to only underline.
    pub text: String,
    /// Culprit or context.
    pub kind: LabelKind,
}

/// A change that would mend the problem.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Suggestion {
    /// What to do, as a sentence fragment: `did you mean \`script\`?`.
    pub text: String,
    /// The text to put in place of `span`, where one replacement does it.
    pub replacement: Option<(Span, String)>,
}

/// One thing that is wrong or worth saying.
///
/// Invariant by convention: for what GitLab rejects, `message` is GitLab's own text, byte for byte (reference `config.md`);
/// everything of ours goes into notes and suggestions.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Diagnostic {
    /// How bad it is.
    pub severity: Severity,
    /// Its stable name.
    pub code: Code,
    /// The text, without position.
    pub message: String,
    /// Places involved, the culprit first.
    pub labels: Vec<Label>,
    /// Further remarks, one sentence each.
    pub notes: Vec<String>,
    /// What would mend it.
    pub suggestions: Vec<Suggestion>,
}

impl Diagnostic {
    /// A diagnostic without places.
    pub fn new(severity: Severity, code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic {
            severity,
            code: Code(code),
            message: message.into(),
            labels: Vec::new(),
            notes: Vec::new(),
            suggestions: Vec::new(),
        }
    }

    /// An error without places.
    pub fn error(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Error, code, message)
    }

    /// A warning without places.
    pub fn warning(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Warning, code, message)
    }

    /// A finding without places.
    pub fn finding(code: &'static str, message: impl Into<String>) -> Diagnostic {
        Diagnostic::new(Severity::Finding, code, message)
    }

    /// Adds the culprit's place; spans that point nowhere are dropped.
    #[must_use]
    pub fn at(self, span: Span) -> Diagnostic {
        self.labelled(span, "", LabelKind::Primary)
    }

    /// Adds the culprit's place with a text.
    #[must_use]
    pub fn at_with(self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labelled(span, text, LabelKind::Primary)
    }

    /// Adds another place involved.
    #[must_use]
    pub fn context(self, span: Span, text: impl Into<String>) -> Diagnostic {
        self.labelled(span, text, LabelKind::Context)
    }

    /// Adds a remark.
    #[must_use]
    pub fn note(mut self, text: impl Into<String>) -> Diagnostic {
        self.notes.push(text.into());
        self
    }

    /// Adds a suggestion without a replacement.
    #[must_use]
    pub fn help(mut self, text: impl Into<String>) -> Diagnostic {
        self.suggestions.push(Suggestion {
            text: text.into(),
            replacement: None,
        });
        self
    }

    /// Adds a suggestion that replaces the text at `span`.
    #[must_use]
    pub fn suggest(
        mut self,
        text: impl Into<String>,
        span: Span,
        replacement: impl Into<String>,
    ) -> Diagnostic {
        let replacement = span.is_some().then(|| (span, replacement.into()));
        self.suggestions.push(Suggestion {
            text: text.into(),
            replacement,
        });
        self
    }

    /// Whether this is an error.
    pub fn is_error(&self) -> bool {
        self.severity == Severity::Error
    }

    /// The culprit's place, or `None` where no place is known.
    pub fn primary(&self) -> Option<Span> {
        let primary = self
            .labels
            .iter()
            .find(|label| label.kind == LabelKind::Primary);
        primary.or(self.labels.first()).map(|label| label.span)
    }

    fn labelled(mut self, span: Span, text: impl Into<String>, kind: LabelKind) -> Diagnostic {
        if span.is_some() {
            self.labels.push(Label {
                span,
                text: text.into(),
                kind,
            });
        }
        self
    }
}

/// Collects diagnostics in the order they are found.
#[derive(Clone, Default, Debug)]
pub struct Diagnostics {
    items: Vec<Diagnostic>,
}

impl Diagnostics {
    /// Adds one.
    pub fn push(&mut self, diagnostic: Diagnostic) {
        self.items.push(diagnostic);
    }

    /// Whether any of them is an error.
    pub fn has_errors(&self) -> bool {
        self.items.iter().any(Diagnostic::is_error)
    }

    /// Those of one severity, in order.
    pub fn of(&self, severity: Severity) -> impl Iterator<Item = &Diagnostic> {
        self.items
            .iter()
            .filter(move |item| item.severity == severity)
    }

    /// All, in order.
    pub fn iter(&self) -> std::slice::Iter<'_, Diagnostic> {
        self.items.iter()
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.items.is_empty()
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.items.len()
    }
}

impl IntoIterator for Diagnostics {
    type Item = Diagnostic;
    type IntoIter = std::vec::IntoIter<Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.into_iter()
    }
}

impl<'a> IntoIterator for &'a Diagnostics {
    type Item = &'a Diagnostic;
    type IntoIter = std::slice::Iter<'a, Diagnostic>;

    fn into_iter(self) -> Self::IntoIter {
        self.items.iter()
    }
}

impl Extend<Diagnostic> for Diagnostics {
    fn extend<T: IntoIterator<Item = Diagnostic>>(&mut self, items: T) {
        self.items.extend(items);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::FileId;

    #[test]
    fn the_primary_place_is_the_culprit_even_when_context_came_first() {
        let here = Span::new(FileId(0), 4, 5);
        let problem = Diagnostic::error("x", "bad")
            .context(Span::new(FileId(0), 0, 1), "base")
            .at(Span::NONE)
            .at(here);
        assert_eq!(problem.primary(), Some(here));
        assert_eq!(problem.labels.len(), 2);
    }

    #[test]
    fn only_errors_count_as_errors() {
        let mut found = Diagnostics::default();
        found.push(Diagnostic::warning("w", "careful"));
        assert!(!found.has_errors());
        found.push(Diagnostic::error("e", "no"));
        assert!(found.has_errors());
        assert_eq!(found.of(Severity::Warning).count(), 1);
    }
}
