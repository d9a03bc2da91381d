//! The functions of a block: `truncate`, `expand_vars`, `posix_escape`.

use tidegate_expr::{Lookup, Variables};
use tidegate_source::Diagnostic;
use tidegate_yaml::Value;

use crate::nearest::nearest;
use crate::variables;

const NAMES: [&str; 3] = ["truncate", "expand_vars", "posix_escape"];

/// What `call` makes of `value`.
pub(super) fn applied(
    call: &str,
    value: &Value,
    variables: &Variables,
) -> Result<Value, Diagnostic> {
    let Some(function) = Function::parse(call) else {
        return Err(unknown(call));
    };
    let Value::Str(text) = value else {
        let name = function.name();
        return Err(failed(
            name,
            &format!("invalid input type: {name} can only be used with string inputs"),
        ));
    };
    let result = match function {
        Function::Truncate { offset, length } => text.chars().skip(offset).take(length).collect(),
        Function::ExpandVars => expanded(text, variables)?,
        Function::PosixEscape => escaped(text),
    };
    Ok(Value::Str(result.into()))
}

#[derive(Clone, Copy)]
enum Function {
    Truncate { offset: usize, length: usize },
    ExpandVars,
    PosixEscape,
}

impl Function {
    fn parse(call: &str) -> Option<Function> {
        match call {
            "expand_vars" => return Some(Function::ExpandVars),
            "posix_escape" => return Some(Function::PosixEscape),
            _ => {}
        }
        // GitLab's pattern takes the closing parenthesis as optional.
        let inner = call.strip_prefix("truncate(")?;
        let inner = inner.strip_suffix(')').unwrap_or(inner);
        let (offset, length) = inner.split_once(',')?;
        Some(Function::Truncate {
            offset: number(offset)?,
            length: number(length)?,
        })
    }

    fn name(self) -> &'static str {
        match self {
            Function::Truncate { .. } => "truncate",
            Function::ExpandVars => "expand_vars",
            Function::PosixEscape => "posix_escape",
        }
    }
}

fn number(text: &str) -> Option<usize> {
    let digits = text.trim_matches(|c: char| c.is_ascii_whitespace());
    let is_number = !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit());
    is_number.then(|| digits.parse().unwrap_or(usize::MAX))
}

fn expanded(text: &str, variables: &Variables) -> Result<String, Diagnostic> {
    let masked = variables::referenced(text)
        .filter_map(|name| variables.lookup(name))
        .any(|variable| variable.masked);
    if masked {
        return Err(failed(
            "expand_vars",
            "variable expansion error: masked variables cannot be expanded",
        ));
    }
    Ok(variables::expanded_where_known(text, variables))
}

/// Ruby's `Shellwords.escape`.
fn escaped(text: &str) -> String {
    if text.is_empty() {
        return "''".to_owned();
    }
    let mut result = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '\n' => result.push_str("'\n'"),
            'A'..='Z' | 'a'..='z' | '0'..='9' | '_' | '-' | '.' | ',' | ':' | '+' | '/' | '@' => {
                result.push(c);
            }
            _ => {
                result.push('\\');
                result.push(c);
            }
        }
    }
    result
}

fn failed(name: &str, text: &str) -> Diagnostic {
    let message = format!("error in `{name}` function: {text}");
    Diagnostic::error("interpolation", message)
}

fn unknown(call: &str) -> Diagnostic {
    let message = format!(
        "no function matching `{call}`: check that the function name, arguments, and types are correct"
    );
    let diagnostic = Diagnostic::error("interpolation", message);
    let name = call.split('(').next().unwrap_or_default();
    if name == "truncate" {
        return diagnostic.note("`truncate` takes an offset and a length: `truncate(0, 8)`");
    }
    match nearest(name, NAMES) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic.note(format!("functions are {}", NAMES.join(", "))),
    }
}
