//! The expander of the runner's helper: what stands in a shell's here-document, without commands (reference `runner.md` §4.3, §5.1).
//!
//! It runs where caches and artifacts are packed, over their paths, excludes and names, with the environment the job has then.

use std::borrow::Cow;
use std::fmt;

/// How deep words may stand in words: `${A:-${B:-…}}`.
const DEEPEST: usize = 32;

/// Why a text cannot be expanded.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ShellError {
    /// `$(command)`, or a command in backquotes: the helper runs none.
    Command,
    /// `$((1 + 1))`.
    Arithmetic,
    /// A `${` without its `}`, or without a name.
    Open,
    /// Something a shell can do with a value and this cannot.
    Operator(String),
    /// `${NAME:?text}` without a value.
    Unset {
        /// The variable.
        name: String,
        /// What is said where it has no value.
        text: String,
    },
    /// Words stand too deep in words.
    Deep,
}

impl fmt::Display for ShellError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ShellError::Command => f.write_str("unexpected command substitution"),
            ShellError::Arithmetic => f.write_str("arithmetic is not supported here"),
            ShellError::Open => f.write_str("`${` without a name or without its `}`"),
            ShellError::Operator(inner) => write!(
                f,
                "`${{{inner}}}`: only `:-`, `:=`, `:+`, `:?` and `${{#NAME}}` are supported here"
            ),
            ShellError::Unset { name, text } => write!(f, "{name}: {text}"),
            ShellError::Deep => f.write_str("`${…}` is nested too deep"),
        }
    }
}

impl std::error::Error for ShellError {}

/// Expands a text as the runner's helper does: `$NAME`, `${NAME}`, and `${NAME:-word}` with its relatives. Unknown names become
/// empty, and a variable without a value is as one that is not set.
///
/// # Errors
/// What is there cannot be expanded; the helper says so and goes on with the text as written.
pub fn expand_as_shell<'a>(
    text: &'a str,
    value: &dyn Fn(&str) -> Option<Cow<'a, str>>,
) -> Result<String, ShellError> {
    expand(text, value, 0)
}

fn expand<'a>(
    text: &str,
    value: &dyn Fn(&str) -> Option<Cow<'a, str>>,
    depth: usize,
) -> Result<String, ShellError> {
    if depth > DEEPEST {
        return Err(ShellError::Deep);
    }
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(['$', '\\', '`']) {
        let (plain, special) = rest.split_at(at);
        out.push_str(plain);
        rest = match special.as_bytes() {
            [b'`', ..] => return Err(ShellError::Command),
            [b'\\', b'\n', ..] => cut(special, 2),
            [b'\\', b'$' | b'`' | b'\\', ..] => {
                out.push_str(special.get(1..2).unwrap_or_default());
                cut(special, 2)
            }
            [b'\\', b'}', ..] if depth > 0 => {
                out.push('}');
                cut(special, 2)
            }
            [b'$', b'(', b'(', ..] => return Err(ShellError::Arithmetic),
            [b'$', b'(', ..] => return Err(ShellError::Command),
            [b'$', b'{', ..] => {
                let (inner, after) = braced(cut(special, 2))?;
                out.push_str(&parameter(inner, value, depth)?);
                after
            }
            [b'$', ..] => {
                let after = cut(special, 1);
                let name = name_at(after);
                if name.is_empty() {
                    out.push('$');
                } else {
                    out.push_str(&value(name).unwrap_or_default());
                }
                cut(after, name.len())
            }
            _ => {
                out.push('\\');
                cut(special, 1)
            }
        };
    }
    out.push_str(rest);
    Ok(out)
}

/// `text` without its first `count` bytes, which end at a character.
fn cut(text: &str, count: usize) -> &str {
    text.get(count..).unwrap_or_default()
}

/// The name a text begins with: letters, digits and `_`, or one of the shell's own, which have no value here.
fn name_at(text: &str) -> &str {
    let special = |c: char| matches!(c, '*' | '#' | '$' | '@' | '!' | '?' | '-' | '0'..='9');
    let end = if text.starts_with(special) {
        1
    } else {
        let end = text.find(|c: char| !c.is_ascii_alphanumeric() && c != '_');
        end.unwrap_or(text.len())
    };
    text.get(..end).unwrap_or_default()
}

/// What stands before the `}` that ends a `${`, and what comes after it.
fn braced(text: &str) -> Result<(&str, &str), ShellError> {
    let mut open = 1usize;
    let mut bytes = text.bytes().enumerate();
    while let Some((at, byte)) = bytes.next() {
        match byte {
            b'\\' => drop(bytes.next()),
            b'$' if text.as_bytes().get(at + 1) == Some(&b'{') => {
                open += 1;
                bytes.next();
            }
            b'}' if open == 1 => {
                let inner = text.get(..at).unwrap_or_default();
                return Ok((inner, cut(text, at + 1)));
            }
            b'}' => open -= 1,
            _ => {}
        }
    }
    Err(ShellError::Open)
}

/// The value of what stands between the braces.
fn parameter<'a>(
    inner: &str,
    value: &dyn Fn(&str) -> Option<Cow<'a, str>>,
    depth: usize,
) -> Result<String, ShellError> {
    if let Some(name) = inner.strip_prefix('#')
        && !name.is_empty()
        && name_at(name) == name
    {
        let length = value(name).unwrap_or_default().chars().count();
        return Ok(length.to_string());
    }
    let name = name_at(inner);
    if name.is_empty() {
        return Err(ShellError::Open);
    }
    let after = cut(inner, name.len());
    let set = value(name).filter(|value| !value.is_empty());
    let operator = after.strip_prefix(':').unwrap_or(after);
    let word = || expand(cut(operator, 1), value, depth + 1);
    match (operator.chars().next(), set) {
        (None, set) if after.is_empty() => Ok(set.unwrap_or_default().into_owned()),
        (Some('-' | '=' | '?'), Some(set)) => Ok(set.into_owned()),
        (Some('-' | '='), None) => word(),
        (Some('+'), Some(_)) => word(),
        (Some('+'), None) => Ok(String::new()),
        (Some('?'), None) => Err(ShellError::Unset {
            name: name.to_owned(),
            text: word()?,
        }),
        _ => Err(ShellError::Operator(inner.to_owned())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, ShellError> {
        expand_as_shell(text, &|name| match name {
            "A" => Some("a".into()),
            "LONG" => Some("äbc".into()),
            "EMPTY" => Some("".into()),
            _ => None,
        })
    }

    #[track_caller]
    fn check(text: &str, wanted: &str) {
        assert_eq!(expanded(text).as_deref(), Ok(wanted), "{text}");
    }

    #[test]
    fn names_become_values() {
        check("x/$A/y", "x/a/y");
        check("${A}b$NONE", "ab");
        check("$A.$LONG", "a.äbc");
        check("100$ and $/", "100$ and $/");
        check("$1$@$$x", "x");
    }

    #[test]
    fn words_stand_in_for_what_has_no_value() {
        check("${NONE:-word}/${EMPTY-other}/${A:-no}", "word/other/a");
        check("${NONE:=$A}${EMPTY=x}", "ax");
        check("${A:+there}${NONE:+not}${A+x}", "therex");
        check("${NONE:-${EMPTY:-${A}}}!", "a!");
        check("${A:?said}${#LONG}", "a3");
        check("${NONE:-}", "");
    }

    #[test]
    fn a_backslash_saves_what_would_be_special_and_nothing_else() {
        check("\\$A \\\\ \\*x \\[y \\", "$A \\ \\*x \\[y \\");
        check("a\\\nb", "ab");
        check("${NONE:-a\\}b}\\}", "a}b\\}");
        check("\"$A\" '$A'", "\"a\" 'a'");
    }

    #[test]
    fn what_cannot_be_expanded_is_told() {
        assert_eq!(expanded("$(ls)"), Err(ShellError::Command));
        assert_eq!(expanded("`ls`"), Err(ShellError::Command));
        assert_eq!(expanded("$((1))"), Err(ShellError::Arithmetic));
        for open in ["${A", "${}", "${:-x}"] {
            assert_eq!(expanded(open), Err(ShellError::Open), "{open}");
        }
        for operator in ["A%x", "A/b/c", "A:1", "A:"] {
            let told = Err(ShellError::Operator(operator.to_owned()));
            assert_eq!(expanded(&format!("${{{operator}}}")), told, "{operator}");
        }
        let told = expanded("${NONE:?is $A}").unwrap_err().to_string();
        assert_eq!(told, "NONE: is a");
        let deep = "${N:-".repeat(200) + &"}".repeat(200);
        assert_eq!(expanded(&deep), Err(ShellError::Deep));
    }
}
