//! `.pre` and `.post`: the two stages every pipeline has (reference `config.md` §7).

use tidegate_yaml::{Map, Node, Value};

/// Puts `.pre` first and `.post` last in a `stages` list that is not empty; nested lists are left as they are.
pub(crate) fn injected(mut root: Map) -> Map {
    let Some((key, node)) = root.entry("stages") else {
        return root;
    };
    let Some(stages) = node.as_seq().filter(|stages| !stages.is_empty()) else {
        return root;
    };
    let edge = |stage: &Node| matches!(&stage.value, Value::Str(name) if is_edge(name));
    let mut all = Vec::with_capacity(stages.len() + 2);
    all.push(Node::text(".pre", node.span));
    all.extend(stages.iter().filter(|stage| !edge(stage)).cloned());
    all.push(Node::text(".post", node.span));
    let (key, node) = (key.clone(), Node::new(Value::Seq(all.into()), node.span));
    root.insert(key, node);
    root
}

fn is_edge(name: &str) -> bool {
    matches!(name, ".pre" | ".post")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{map, text_of};

    fn check(text: &str, expected: &str) {
        assert_eq!(text_of(&injected(map(text))), expected, "{text}");
    }

    #[test]
    fn edges_move_to_the_ends() {
        check("{stages: [a, .pre, b]}", "{stages: [.pre, a, b, .post]}");
        check(
            "{stages: [[.pre, a], t]}",
            "{stages: [.pre, [.pre, a], t, .post]}",
        );
    }

    #[test]
    fn absent_empty_and_wrong_lists_stay() {
        check("{stages: []}", "{stages: []}");
        check("{stages: 1, x: 2}", "{stages: 1, x: 2}");
        check("{a: 1}", "{a: 1}");
    }
}
