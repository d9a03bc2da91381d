//! The graph as a Mermaid flowchart, which GitLab draws in Markdown.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{EdgeKind, Graph, Waits};

/// Writes a flowchart: stages as subgraphs, alternatives joined in a rhombus that says how many must be good.
pub fn graph_mermaid(graph: &Graph) -> String {
    let mut text = String::from("flowchart LR\n");
    for (stage, name) in graph.stages.iter().enumerate() {
        let _ = writeln!(text, "  subgraph s{stage}[\"{}\"]", escaped(name));
        for (at, node) in graph.stage(stage) {
            let tag = match node.tag() {
                "" => String::new(),
                tag => format!("<br/><small>{tag}</small>"),
            };
            let (open, close) = if node.is_bridge {
                ("[[", "]]")
            } else {
                ("[", "]")
            };
            let _ = write!(
                text,
                "    j{at}{open}\"{}{tag}\"{close}",
                escaped(&node.name)
            );
            match (node.is_satisfied, node.tag()) {
                (true, _) => text.push_str(":::satisfied"),
                (_, "manual" | "delayed") => text.push_str(":::manual"),
                _ => {}
            }
            text.push('\n');
        }
        text.push_str("  end\n");
    }
    let mut joins: BTreeMap<(usize, usize), String> = BTreeMap::new();
    for edge in &graph.edges {
        let (from, to) = (edge.from, edge.to);
        let _ = match edge.kind {
            EdgeKind::Need => writeln!(text, "  j{from} --> j{to}"),
            EdgeKind::Optional => writeln!(text, "  j{from} -. optional .-> j{to}"),
            EdgeKind::Any { entry, min, all } => {
                let wait = if all { "<br/>after all" } else { "" };
                let join = format!("{{\"any {min}{wait}\"}}");
                if joins.insert((to, entry), join.clone()).is_none() {
                    let _ = writeln!(text, "  a{to}_{entry}{join} --> j{to}");
                }
                writeln!(text, "  j{from} -.-> a{to}_{entry}")
            }
        };
    }
    stages(graph, &mut text);
    text.push_str("  classDef satisfied stroke:#2f8f46,stroke-dasharray:2 3\n");
    text.push_str("  classDef manual stroke:#8a6d1f,stroke-dasharray:5 3\n");
    text
}

/// One thick arrow between stages where jobs of the later one wait for all before.
fn stages(graph: &Graph, text: &mut String) {
    for stage in 1..graph.stages.len() {
        if graph
            .stage(stage)
            .any(|(_, node)| node.waits == Waits::Stages)
        {
            let _ = writeln!(text, "  s{} ==> s{stage}", stage - 1);
        }
    }
}

/// A text between double quotes: everything with a meaning in Mermaid or HTML as an entity in Mermaid's own notation.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in text.chars() {
        match c {
            '"' | '#' | '&' | '<' | '>' | '`' | '\\' | ';' | '[' | ']' | '{' | '}' | '|' | '*'
            | '_' => {
                let _ = write!(safe, "#{};", u32::from(c));
            }
            c if c.is_control() => safe.push(' '),
            c => safe.push(c),
        }
    }
    safe
}
