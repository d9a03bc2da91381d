//! L014: a list of a base that `extends` replaces although its lines look as if they were added, and `extends` beside `<<`.
//!
//! Why it bites: `extends` merges mappings, but a list replaces the list of the base as a whole (reference `config.md` §5): a job
//! with its own `before_script` loses the login of its base, and of two bases with `rules` only the last one's count.
//!
//! How to mend it: `!reference [.base, before_script]` as the first item. Beside `extends`, name the anchor's job in `extends` too.

use tidegate_source::{Diagnostic, Span};
use tidegate_yaml::{Map, Node};

use crate::found::Found;
use crate::subject::Subject;

const LISTS: [&str; 4] = ["before_script", "script", "after_script", "rules"];

pub(crate) fn check(subject: &Subject<'_>, found: &mut Found) {
    let Some(merged) = subject.merged() else {
        return;
    };
    for (key, node) in merged {
        let (Some(name), Some(job)) = (key.as_str(), node.as_map()) else {
            continue;
        };
        let Some((extends_key, extends)) = job.entry("extends") else {
            continue;
        };
        let bases = bases(merged, extends);
        for list in LISTS {
            if let Some(finding) = replaced(name, job, list, &bases) {
                found.add_for(name, finding);
            }
        }
        if let Some(finding) = beside_merge_key(subject, extends_key.span) {
            found.add_for(name, finding);
        }
    }
}

fn bases<'a>(merged: &'a Map, extends: &'a Node) -> Vec<(&'a str, &'a Map)> {
    let names: Vec<&str> = match extends.as_seq() {
        Some(items) => items.iter().filter_map(Node::as_str).collect(),
        None => extends.as_str().into_iter().collect(),
    };
    let base = |name| Some((name, merged.get(name)?.as_map()?));
    names.into_iter().filter_map(base).collect()
}

/// The first base whose list is lost.
fn replaced(name: &str, job: &Map, list: &str, bases: &[(&str, &Map)]) -> Option<Diagnostic> {
    let (_, winner) = job.entry(list)?;
    let is_list = |node: &Node| node.as_seq().is_some_and(|items| !items.is_empty());
    // An empty list is written to take the base's away.
    if !is_list(winner) {
        return None;
    }
    let (base, lost) = bases.iter().find_map(|(base, map)| {
        let (_, lost) = map.entry(list)?;
        (is_list(lost) && !keeps(winner, lost)).then_some((*base, lost))
    })?;
    let from = bases
        .iter()
        .find(|(_, map)| map.get(list).is_some_and(|node| same_place(node, winner)));
    let by = match from {
        Some((other, _)) => format!("`{other}`"),
        None => format!("`{name}`"),
    };
    let finding = Diagnostic::finding(
        "L014",
        format!("`{list}` of {by} replaces `{list}` of `{base}`, it is not added to it"),
    )
    .at(winner.span)
    .context(lost.span, "lost");
    Some(finding.help(format!(
        "begin the list with `!reference [{base}, {list}]` to keep it"
    )))
}

fn same_place(a: &Node, b: &Node) -> bool {
    a.span.is_some() && a.span == b.span
}

/// Whether all of `lost` is still in `winner`, by alias, by `!reference` or because it is the same list.
fn keeps(winner: &Node, lost: &Node) -> bool {
    if same_place(winner, lost) || winner.value.eql(&lost.value) {
        return true;
    }
    let mut places: Vec<Span> = Vec::new();
    let mut waiting: Vec<&Node> = vec![winner];
    while let Some(node) = waiting.pop() {
        places.push(node.span);
        waiting.extend(node.as_seq().into_iter().flatten());
    }
    let items = lost.as_seq().unwrap_or_default();
    places.contains(&lost.span) || items.iter().any(|item| places.contains(&item.span))
}

/// A `<<` at the same depth of the same mapping as `extends`.
fn beside_merge_key(subject: &Subject<'_>, extends: Span) -> Option<Diagnostic> {
    let sources = subject.sources();
    let file = sources.file(extends.file())?;
    let line = file.line_of(extends.start());
    let indent = |text: &str| text.len() - text.trim_start().len();
    let depth = indent(file.line_text(line));
    if !file.line_text(line).trim_start().starts_with("extends") {
        return None;
    }
    let is_inside = |line: &usize| {
        let text = file.line_text(*line);
        text.trim().is_empty() || text.trim_start().starts_with('#') || indent(text) >= depth
    };
    let last = file.line_of(file.text.len() as u32);
    let above = (0..line).rev().take_while(is_inside);
    let below = (line + 1..=last).take_while(is_inside);
    let merge = above.chain(below).find(|line| {
        let text = file.line_text(*line);
        let after = text.trim_start().strip_prefix("<<");
        indent(text) == depth && after.is_some_and(|rest| rest.trim_start().starts_with(':'))
    })?;
    let start = file.line_start(merge) + u32::try_from(depth).unwrap_or_default();
    let finding = Diagnostic::finding("L014", "`<<` and `extends` in one job")
        .at_with(
            Span::new(extends.file(), start, start + 2),
            "merged first, key by key",
        )
        .context(extends, "merged later, underneath")
        .help("use one of the two; `extends` also merges `variables` and other mappings");
    Some(finding)
}

#[cfg(test)]
mod tests {
    use crate::testing::check;

    #[test]
    fn lost_lists_are_found_once() {
        check(
            "L014",
            "{.b: {before_script: [login]}, j: {extends: .b, before_script: [build], script: [x]}}",
            &["[build]"],
        );
        check(
            "L014",
            "{.a: {rules: [{when: always}]}, .b: {rules: [{when: never}]}, j: {extends: [.a, .b], script: x}}",
            &["[{when: never}]"],
        );
    }

    #[test]
    fn what_is_kept_or_taken_away_on_purpose_is_fine() {
        for text in [
            "{.b: {before_script: [login]}, j: {extends: .b, script: [x]}}",
            "{.b: {before_script: [login]}, j: {extends: .b, before_script: [], script: [x]}}",
            "{.b: {before_script: [login]}, j: {extends: .b, before_script: [!reference [.b, before_script], y], script: x}}",
            "{.r: {before_script: [l]}, .a: {extends: .r}, .b: {extends: .r}, j: {extends: [.a, .b], script: x}}",
        ] {
            check("L014", text, &[]);
        }
    }

    #[test]
    fn a_merge_key_beside_extends_is_found() {
        let text =
            ".a: &a\n  tags: [x]\n.b:\n  tags: [y]\nj:\n  <<: *a\n  extends: .b\n  script: x\n";
        check("L014", text, &["<<"]);
        check("L014", &text.replace("  extends: .b\n", ""), &[]);
    }
}
