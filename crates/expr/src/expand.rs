//! The single-pass expanders: GitLab's two, and the runner's own (reference `compose.md` §9.3,
//! `runner.md` §2). The third of GitLab's is [`sort_and_expand`](crate::sort_and_expand).

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::ops::Deref;

use crate::reference::{Reference, may_refer, references};
use crate::sort::LONGEST_EXPANDED;
use crate::variable::{Lookup, Variable};

/// Which references to existing variables are replaced by the value.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct RefOptions {
    /// References to file variables become the file's content.
    pub expand_file_refs: bool,
    /// References to raw variables become their value.
    pub expand_raw_refs: bool,
}

impl RefOptions {
    /// Everything is replaced; what rules and names are computed with.
    pub const ALL: RefOptions = RefOptions {
        expand_file_refs: true,
        expand_raw_refs: true,
    };
    /// References to file and raw variables stay for the runner, which replaces them itself.
    pub const FOR_RUNNER: RefOptions = RefOptions {
        expand_file_refs: false,
        expand_raw_refs: false,
    };

    /// The replacement for `reference` (its text in `text`) to `variable`; `None` is Ruby's nil.
    pub(crate) fn replacement<'a>(
        self,
        text: &'a str,
        reference: &Reference<'_>,
        variable: &'a Variable,
    ) -> Option<&'a str> {
        let kept = if variable.file {
            !self.expand_file_refs
        } else {
            variable.raw && !self.expand_raw_refs
        };
        if kept {
            text.get(reference.at.clone())
        } else {
            variable.value.as_deref()
        }
    }
}

/// Marks text that [`expand_blank`] has run over.
#[derive(Clone, Copy, Debug)]
pub enum Blank {}
/// Marks text that [`expand_existing`] has run over.
#[derive(Clone, Copy, Debug)]
pub enum Existing {}
/// Marks text that [`expand_as_runner`] has run over.
#[derive(Clone, Copy, Debug)]
pub enum Runner {}

/// Text that an expander has run over; `E` says which one.
pub struct Expanded<'a, E> {
    text: Cow<'a, str>,
    expander: PhantomData<E>,
}

impl<'a, E> Expanded<'a, E> {
    fn new(text: impl Into<Cow<'a, str>>) -> Expanded<'a, E> {
        Expanded {
            text: text.into(),
            expander: PhantomData,
        }
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    /// The text, owned.
    pub fn into_string(self) -> String {
        self.text.into_owned()
    }

    /// The text; borrowed where nothing was replaced.
    pub fn into_cow(self) -> Cow<'a, str> {
        self.text
    }
}

impl<E> Deref for Expanded<'_, E> {
    type Target = str;

    fn deref(&self) -> &str {
        &self.text
    }
}

impl<E> fmt::Debug for Expanded<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.text, f)
    }
}

impl<E> fmt::Display for Expanded<'_, E> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

impl<E> Clone for Expanded<'_, E> {
    fn clone(&self) -> Self {
        Expanded::new(self.text.clone())
    }
}

impl<E> PartialEq for Expanded<'_, E> {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

/// GitLab's `expand`: references to unknown variables vanish.
///
/// Used for environment names and URLs, `workflow:name`, `resource_group`, trigger projects and
/// branches, downstream values. One pass: inserted values are not looked at again.
pub fn expand_blank<'a>(
    text: &'a str,
    variables: &impl Lookup,
    options: RefOptions,
) -> Expanded<'a, Blank> {
    Expanded::new(replace(text, |reference, out| {
        if let Some(variable) = variables.lookup(reference.name) {
            let value = options.replacement(text, reference, variable);
            out.push_str(value.unwrap_or_default());
        }
    }))
}

/// GitLab's `expand_existing`: references to unknown variables stay as written.
///
/// Used for `changes`, `exists`, `compare_to` and `tags`. One pass, as [`expand_blank`].
pub fn expand_existing<'a>(
    text: &'a str,
    variables: &impl Lookup,
    options: RefOptions,
) -> Expanded<'a, Existing> {
    Expanded::new(replace(text, |reference, out| {
        let value = variables
            .lookup(reference.name)
            .and_then(|variable| options.replacement(text, reference, variable));
        out.push_str(value.unwrap_or(text.get(reference.at.clone()).unwrap_or_default()));
    }))
}

/// A text that would grow beyond measure stays as written.
fn replace<'a>(text: &'a str, insert: impl Fn(&Reference<'_>, &mut String)) -> Cow<'a, str> {
    if !may_refer(text) {
        return text.into();
    }
    let mut out = String::new();
    let mut done = 0;
    for reference in references(text) {
        out.push_str(text.get(done..reference.at.start).unwrap_or_default());
        insert(&reference, &mut out);
        done = reference.at.end;
        if out.len() > LONGEST_EXPANDED {
            return text.into();
        }
    }
    if done == 0 {
        return text.into();
    }
    out.push_str(text.get(done..).unwrap_or_default());
    out.into()
}

/// The runner's expansion (Go's `os.Expand`): `$NAME` and `${NAME}`, one level, unknown names empty.
///
/// `$$` becomes `$`; `$* $# $@ $! $? $-` and `$0` to `$9` become empty; `%NAME%` is plain text.
/// `value` gives the value of a name; for a file variable that is its path.
pub fn expand_as_runner<'a>(
    text: &'a str,
    value: impl Fn(&str) -> Option<Cow<'a, str>>,
) -> Expanded<'a, Runner> {
    let Some(first) = text.find('$') else {
        return Expanded::new(text);
    };
    let (head, mut rest) = text.split_at(first);
    let mut out = head.to_owned();
    while let Some((plain, after)) = rest.split_once('$') {
        out.push_str(plain);
        rest = match shell_name(after) {
            Shell::Name("$", after) => {
                out.push('$');
                after
            }
            Shell::Name(name, after) => {
                out.push_str(&value(name).unwrap_or_default());
                after
            }
            Shell::Broken(after) => after,
            Shell::Nothing => {
                out.push('$');
                after
            }
        };
    }
    out.push_str(rest);
    Expanded::new(out)
}

/// What follows a `$`, and the text behind that.
enum Shell<'a> {
    Name(&'a str, &'a str),
    /// `${}` or `${` without an end, which are swallowed.
    Broken(&'a str),
    /// No name: the `$` stays.
    Nothing,
}

fn shell_name(text: &str) -> Shell<'_> {
    if let Some(inner) = text.strip_prefix('{') {
        return match inner.split_once('}') {
            Some(("", after)) => Shell::Broken(after),
            Some((name, after)) => Shell::Name(name, after),
            None => Shell::Broken(inner),
        };
    }
    let special = |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9');
    let end = if text.starts_with(special) {
        1
    } else {
        text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_')
            .unwrap_or(text.len())
    };
    match text.split_at(end) {
        ("", _) => Shell::Nothing,
        (name, after) => Shell::Name(name, after),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variable::{VariableSource, Variables};

    fn variables() -> Variables {
        let plain = |key, value| Variable::new(key, value, VariableSource::YamlRoot);
        [
            plain("A", "$B"),
            plain("B", "b"),
            Variable {
                file: true,
                ..plain("F", "content")
            },
            Variable {
                raw: true,
                ..plain("R", "raw")
            },
            Variable {
                value: None,
                ..plain("N", "")
            },
        ]
        .into_iter()
        .collect()
    }

    #[test]
    fn unknown_names_vanish_or_stay() {
        let all = variables();
        let text = "$A|${B}|%B%|$NOPE|$N|$$B|${}";
        let blank = expand_blank(text, &all, RefOptions::ALL);
        assert_eq!(&*blank, "$B|b|b|||$b|${}");
        let existing = expand_existing(text, &all, RefOptions::ALL);
        assert_eq!(&*existing, "$B|b|b|$NOPE|$N|$b|${}");
    }

    #[test]
    fn references_to_files_and_raw_values_can_be_left_for_the_runner() {
        let all = variables();
        let blank = expand_blank("$F ${R} $B", &all, RefOptions::ALL);
        assert_eq!(&*blank, "content raw b");
        let kept = expand_blank("$F ${R} $B", &all, RefOptions::FOR_RUNNER);
        assert_eq!(&*kept, "$F ${R} b");
    }

    #[test]
    fn the_runner_expands_like_go() {
        let value = |name: &str| (name == "B").then_some(Cow::Borrowed("b"));
        for (text, expected) in [
            ("$B-${B}-%B%", "b-b-%B%"),
            ("$$B $NOPE.", "$B ."),
            ("$*$1x ${*} ${} ${B", "x   B"),
            ("$ $.", "$ $."),
            ("end$", "end$"),
        ] {
            assert_eq!(&*expand_as_runner(text, value), expected, "{text}");
        }
    }
}
