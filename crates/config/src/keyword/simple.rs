//! Keywords that are one value: `stage`, `interruptible`, `timeout`, `tags`, `coverage`, `allow_failure`
//! (reference `config.md` §9.4).

use std::collections::BTreeSet;
use std::sync::Arc;

use tidegate_expr::Pattern;
use tidegate_pipeline::Timeout;
use tidegate_yaml::{Node, Value};

use super::duration::MONTH;
use super::retry::exit_codes;
use super::rules::check_duration;
use crate::typed::{Check, Faults, Place, specified};
use crate::{AllowFailureSpec, Spanned, Text};

const TAGS_LIMIT: usize = 50;

/// `stage`.
pub(crate) fn stage(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Text> {
    Check::new(place, node, faults).string("config", Some(node))
}

/// `interruptible`.
pub(crate) fn interruptible(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Spanned<bool>> {
    let value = Check::new(place, node, faults).boolean("config", Some(node))?;
    Some(Spanned::new(value, node.span))
}

/// `timeout`.
pub(crate) fn timeout(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<Spanned<Timeout>> {
    let mut check = Check::new(place, node, faults);
    check_duration(&mut check, "config", Some(node), MONTH)
}

/// `tags`.
pub(crate) fn tags(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Vec<Text>> {
    let mut check = Check::new(place, node, faults);
    let tags = check.strings("config", Some(node));
    let count = tags.as_deref().map_or(0, distinct_tags);
    let text = "config must be less than the limit of 50 tags";
    check.ensure(count < TAGS_LIMIT, node.span, text);
    tags.filter(|_| check.passed())
}

/// How many tags there are once lists in one text are taken apart.
fn distinct_tags(tags: &[Text]) -> usize {
    if tags.len() < TAGS_LIMIT && !tags.iter().any(|tag| tag.value.contains(',')) {
        return tags.len();
    }
    let parts = tags.iter().flat_map(|tag| tag.value.split(','));
    let parts = parts.map(|part| part.trim().trim_matches(['"', '\'']));
    let distinct: BTreeSet<_> = parts.filter(|part| !part.is_empty()).collect();
    distinct.len()
}

/// `coverage`, without its first and last character: GitLab's slicing keeps the slash before flags.
pub(crate) fn coverage(place: &Place<'_>, node: &Node, faults: &mut Faults) -> Option<Text> {
    let mut check = Check::new(place, node, faults);
    let valid = match &node.value {
        Value::Str(text) => Pattern::from_literal(text).ok().map(|_| text),
        _ => None,
    };
    let text = "config must be a regular expression with re2 syntax";
    check.ensure(valid.is_some(), node.span, text);
    let mut inner = valid?.chars();
    inner.next();
    inner.next_back();
    Some(Spanned::new(Arc::from(inner.as_str()), node.span))
}

/// The map form of `allow_failure`.
pub(crate) fn allow_failure(
    place: &Place<'_>,
    node: &Node,
    faults: &mut Faults,
) -> Option<AllowFailureSpec> {
    if let Value::Bool(value) = node.value {
        return Some(AllowFailureSpec::Always(value));
    }
    let mut check = Check::new(place, node, faults);
    check.known_keys(node, &["exit_codes"]);
    let Some(node) = node.as_map().and_then(|map| specified(map, "exit_codes")) else {
        return check
            .passed()
            .then(|| AllowFailureSpec::ExitCodes(Vec::new()));
    };
    let codes = exit_codes(node);
    let text = "exit codes should be an array of integers or an integer";
    check.ensure(codes.is_some(), node.span, text);
    codes
        .filter(|_| check.passed())
        .map(AllowFailureSpec::ExitCodes)
}

#[cfg(test)]
mod tests {
    use crate::typed::testing::check;

    #[test]
    fn single_values_are_checked() {
        check(
            "j: {script: x, allow_failure: {foo: 1}}",
            &["jobs:j:allow_failure config contains unknown keys: foo"],
        );
        check(
            "j: {script: x, allow_failure: {exit_codes: a}}",
            &["jobs:j:allow_failure exit codes should be an array of integers or an integer"],
        );
        check(
            "j: {script: x, allow_failure: {exit_codes: [1, a]}}",
            &["jobs:j:allow_failure exit codes should be an array of integers or an integer"],
        );
        check(
            "j: {script: x, timeout: foo}",
            &[
                "jobs:j:timeout config should be a duration",
                "jobs:j:timeout config should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, timeout: 31 days}",
            &["jobs:j:timeout config should not exceed the limit"],
        );
        check(
            "j: {script: x, timeout: '0'}",
            &[
                "jobs:j:timeout config should be a duration",
                "jobs:j:timeout config should not exceed the limit",
            ],
        );
        check(
            "j: {script: x, interruptible: 1}",
            &["jobs:j:interruptible config should be a boolean value"],
        );
        check(
            "j: {script: x, tags: foo}",
            &["jobs:j:tags config should be an array of strings"],
        );
        check(
            "j: {script: x, tags: [1]}",
            &["jobs:j:tags config should be an array of strings"],
        );
        check(
            "j: {script: x, tags: [[a]]}",
            &["jobs:j:tags config should be an array of strings"],
        );
        check(
            "j: {script: x, coverage: foo}",
            &["jobs:j:coverage config must be a regular expression with re2 syntax"],
        );
    }
}
