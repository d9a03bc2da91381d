//! The graph in Graphviz' language.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::{EdgeKind, Graph, Node, Waits};

/// Writes a digraph: stages as clusters, alternatives joined in a diamond that says how many must be good.
pub fn graph_dot(graph: &Graph) -> String {
    let mut text = String::from(
        "digraph pipeline {\n  rankdir=LR;\n  compound=true;\n  node [shape=box, style=rounded, fontname=\"monospace\"];\n",
    );
    for (stage, name) in graph.stages.iter().enumerate() {
        let _ = writeln!(
            text,
            "  subgraph cluster_{stage} {{\n    label=\"{}\";",
            escaped(name)
        );
        for (at, node) in graph.stage(stage) {
            let _ = writeln!(text, "    j{at} [label=\"{}\"{}];", label(node), look(node));
        }
        text.push_str("  }\n");
    }
    let mut joins = BTreeSet::new();
    for edge in &graph.edges {
        let (from, to) = (edge.from, edge.to);
        let _ = match edge.kind {
            EdgeKind::Need => writeln!(text, "  j{from} -> j{to};"),
            EdgeKind::Optional => {
                writeln!(
                    text,
                    "  j{from} -> j{to} [style=dashed, label=\"optional\"];"
                )
            }
            EdgeKind::Any { entry, min, all } => {
                if joins.insert((to, entry)) {
                    let wait = if all { "\\nafter all" } else { "" };
                    let _ = writeln!(
                        text,
                        "  a{to}_{entry} [shape=diamond, style=solid, label=\"any {min}{wait}\"];\n  a{to}_{entry} -> j{to};"
                    );
                }
                writeln!(text, "  j{from} -> a{to}_{entry} [style=dotted];")
            }
        };
    }
    stages(graph, &mut text);
    text.push_str("}\n");
    text
}

/// One thick arrow between stages where jobs of the later one wait for all before.
fn stages(graph: &Graph, text: &mut String) {
    for stage in 1..graph.stages.len() {
        let before = graph.stage(stage - 1).next();
        let waiting = graph
            .stage(stage)
            .find(|(_, node)| node.waits == Waits::Stages);
        if let (Some((from, _)), Some((to, _))) = (before, waiting) {
            let clusters = format!("ltail=cluster_{}, lhead=cluster_{stage}", stage - 1);
            let _ = writeln!(text, "  j{from} -> j{to} [{clusters}, style=bold];");
        }
    }
}

fn label(node: &Node) -> String {
    match node.tag() {
        "" => escaped(&node.name),
        tag => format!("{}\\n{tag}", escaped(&node.name)),
    }
}

fn look(node: &Node) -> &'static str {
    match (node.is_satisfied, node.tag(), node.is_bridge) {
        (true, ..) => ", style=\"rounded,dashed\", color=\"#2f8f46\"",
        (_, "manual" | "delayed", _) => ", style=\"rounded,dashed\", color=\"#8a6d1f\"",
        (_, _, true) => ", peripheries=2",
        _ => "",
    }
}

/// A text between double quotes.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '"' => safe.push_str("\\\""),
            '\\' => safe.push_str("\\\\"),
            '\n' => safe.push_str("\\n"),
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
