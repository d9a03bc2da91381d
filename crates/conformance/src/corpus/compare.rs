//! How expected and found values are compared (`corpus/FORMAT.md` §3.5).

use serde_json::Value as Json;

/// Scalars and lists must be equal; of a map every expected key must be there; null means not set.
pub(super) fn compare(what: &str, expected: &Json, found: &Json) -> Result<(), String> {
    match (expected, found) {
        (Json::Array(expected), Json::Array(found)) if expected.len() == found.len() => {
            let pairs = expected.iter().zip(found).enumerate();
            for (at, (expected, found)) in pairs {
                compare(&format!("{what}[{at}]"), expected, found)?;
            }
            Ok(())
        }
        (Json::Object(expected), Json::Object(_)) => {
            for (key, expected) in expected {
                compare(&format!("{what}.{key}"), expected, &found[key])?;
            }
            Ok(())
        }
        (Json::Number(a), Json::Number(b)) if a.as_f64() == b.as_f64() => Ok(()),
        (expected, found) if expected == found => Ok(()),
        (expected, found) => Err(format!("{what} is {found}, expected {expected}")),
    }
}

/// Whether `pattern`, a substring or `/regex/flags`, is found in `text`.
pub(super) fn is_found(pattern: &str, text: &str) -> Result<bool, String> {
    let Some(rest) = pattern.strip_prefix('/') else {
        return Ok(text.contains(pattern));
    };
    let Some((regex, flags)) = rest.rsplit_once('/') else {
        return Ok(text.contains(pattern));
    };
    let regex = tidegate_expr::Pattern::compile(regex, flags)
        .map_err(|error| format!("the pattern {pattern} does not compile: {error:?}"))?;
    Ok(regex.is_match(text))
}
