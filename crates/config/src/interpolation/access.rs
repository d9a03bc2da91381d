//! Looks a path such as `inputs.name[0]` up.

use indexmap::IndexMap;
use std::sync::Arc;

use tidegate_source::Diagnostic;
use tidegate_yaml::{Node, Value};

use super::Context;
use crate::nearest::nearest;

/// A path has at most this many segments; dots further right belong to the last one.
const MOST_SEGMENTS: usize = 5;
const MOST_INDICES: usize = 5;

/// The value at `path`.
pub(super) fn value(path: &str, context: &Context<'_>) -> Result<Value, Diagnostic> {
    let segments: Vec<&str> = path.splitn(MOST_SEGMENTS, '.').collect();
    let [scope, name, deeper @ ..] = segments.as_slice() else {
        let text = "invalid pattern used for interpolation. valid pattern is $[[ inputs.input ]]";
        return Err(problem(text.to_owned()));
    };
    let values = match *scope {
        "inputs" => context.inputs,
        "component" => context.component,
        other => return Err(unknown(other, path, ["inputs", "component"])),
    };
    let segment = Segment::parse(name, path)?;
    let Some(found) = values.get(segment.key) else {
        return Err(unknown(segment.key, path, names(values)));
    };
    let mut value = segment.indexed(found.value.clone(), path)?;
    for name in deeper {
        let segment = Segment::parse(name, path)?;
        let inner = value.as_map().and_then(|map| map.get(segment.key)).cloned();
        let Some(inner) = inner else {
            return Err(unknown(segment.key, path, []));
        };
        value = segment.indexed(inner.value, path)?;
    }
    Ok(value)
}

/// A key with the indices behind it.
struct Segment<'a> {
    key: &'a str,
    indices: Vec<usize>,
}

impl<'a> Segment<'a> {
    fn parse(text: &'a str, path: &str) -> Result<Segment<'a>, Diagnostic> {
        let Some(bracket) = text.find('[') else {
            return Ok(Segment {
                key: text,
                indices: Vec::new(),
            });
        };
        let (key, mut rest) = text.split_at(bracket);
        if key.is_empty() {
            let text = format!("invalid indexed access without a key in `{path}`");
            return Err(problem(text));
        }
        let mut indices = Vec::new();
        while !rest.is_empty() {
            let Some(inner) = rest.strip_prefix('[') else {
                return Err(problem(format!("invalid array index syntax in `{path}`")));
            };
            let Some((index, behind)) = inner.split_once(']') else {
                let text = format!("invalid array index in `{path}`: missing closing bracket");
                return Err(problem(text));
            };
            let digits = !index.is_empty() && index.bytes().all(|byte| byte.is_ascii_digit());
            let Some(index) = digits.then(|| index.parse().unwrap_or(usize::MAX)) else {
                let text =
                    format!("invalid array index in `{path}`: `{index}` is not a valid index");
                return Err(problem(text));
            };
            indices.push(index);
            rest = behind;
        }
        if indices.len() > MOST_INDICES {
            let text =
                format!("too many array indices in `{path}` (maximum depth: {MOST_INDICES})");
            return Err(problem(text));
        }
        Ok(Segment { key, indices })
    }

    fn indexed(&self, value: Value, path: &str) -> Result<Value, Diagnostic> {
        let mut value = value;
        for index in &self.indices {
            let Some(items) = value.as_seq() else {
                let text = format!("cannot index into non-array value at [{index}] in `{path}`");
                return Err(problem(text));
            };
            let Some(item) = items.get(*index) else {
                let size = items.len();
                let text = format!("array index {index} out of bounds (size: {size}) in `{path}`");
                return Err(problem(text));
            };
            value = item.value.clone();
        }
        Ok(value)
    }
}

fn problem(message: String) -> Diagnostic {
    Diagnostic::error("interpolation", message)
}

fn unknown<'a>(name: &str, path: &str, known: impl IntoIterator<Item = &'a str>) -> Diagnostic {
    let message = format!("unknown interpolation provided: `{name}` in `{path}`");
    let diagnostic = problem(message);
    match nearest(name, known) {
        Some(near) => diagnostic.help(format!("did you mean `{near}`?")),
        None => diagnostic,
    }
}

fn names(values: &IndexMap<Arc<str>, Node>) -> impl Iterator<Item = &str> {
    values.keys().map(|name| &**name)
}
