//! The graph for a terminal: stage by stage, each job with an arrow to what it needs.

use std::fmt::Write as _;

use super::{EdgeKind, Graph, Node, Waits};
use crate::look::{Ink, Look};
use crate::one_line::{one_line, padding, shortened, width, wrapped};

const WIDTH: usize = 100;
/// Columns of the longest name shown whole.
const LONGEST: usize = 40;

/// Renders the jobs by stage; jobs without an arrow wait for all earlier stages.
pub fn graph_text(graph: &Graph, look: impl Into<Look>) -> String {
    let look = look.into();
    let mut text = String::new();
    let names: Vec<String> = graph
        .nodes
        .iter()
        .map(|node| shortened(&one_line(&node.name), LONGEST, look.ellipsis()).into_owned())
        .collect();
    let name_columns = names.iter().map(|name| width(name)).max().unwrap_or(0);
    let tag_columns = graph
        .nodes
        .iter()
        .map(|node| node.tag().len())
        .max()
        .unwrap_or(0);
    let tag_columns = if tag_columns == 0 { 0 } else { tag_columns + 2 };
    let indent = 2 + name_columns + 2 + tag_columns;
    let room = WIDTH.saturating_sub(indent + 3).max(24);
    for (stage, name) in graph.stages.iter().enumerate() {
        let _ = writeln!(text, "{}", look.ink(Ink::Heading, &one_line(name)));
        for (at, node) in graph.stage(stage) {
            let name = &names[at];
            let ink = if node.is_satisfied {
                Ink::Good
            } else {
                Ink::Strong
            };
            let needs = wrapped(&needs(at, node, graph, look), room);
            let tag = look.ink(Ink::Careful, node.tag());
            let mut line = format!(
                "  {}{}",
                look.ink(ink, name),
                padding(name, name_columns + 2)
            );
            let _ = write!(line, "{tag}{}", padding(node.tag(), tag_columns));
            for (row, part) in needs.iter().enumerate() {
                if row > 0 {
                    let _ = write!(line, "\n{}", " ".repeat(indent + 2));
                }
                line.push_str(&part.replace('\u{a0}', " "));
            }
            let _ = writeln!(text, "{}", line.trim_end());
        }
    }
    text
}

/// What the job waits for. Spaces inside names are no-break, so that lines break between names.
fn needs(at: usize, node: &Node, graph: &Graph, look: Look) -> String {
    let name = |at: usize| {
        let name = graph.nodes.get(at).map_or("", |node| &*node.name);
        one_line(name).replace(' ', "\u{a0}")
    };
    let mut told: Vec<String> = Vec::new();
    let mut any: Option<(usize, u32, Vec<String>)> = None;
    for edge in graph.incoming(at) {
        let satisfied = graph
            .nodes
            .get(edge.from)
            .is_some_and(|node| node.is_satisfied);
        let mut need = name(edge.from);
        if satisfied {
            need.push_str("\u{a0}(satisfied)");
        }
        match edge.kind {
            EdgeKind::Any { entry, min, .. } => match &mut any {
                Some((open, _, names)) if *open == entry => names.push(need),
                _ => {
                    told.extend(any.replace((entry, min, vec![need])).map(any_text));
                }
            },
            kind => {
                told.extend(any.take().map(any_text));
                if kind == EdgeKind::Optional {
                    need.push_str("\u{a0}(optional)");
                }
                told.push(need);
            }
        }
    }
    told.extend(any.map(any_text));
    let absent = node.absent.iter();
    told.extend(
        absent.map(|name| format!("{}\u{a0}(absent)", one_line(name).replace(' ', "\u{a0}"))),
    );
    match node.waits {
        Waits::Nothing if told.is_empty() => "starts at once".to_owned(),
        _ if told.is_empty() => String::new(),
        _ => format!("{}\u{a0}{}", look.needs_arrow(), told.join(", ")),
    }
}

fn any_text((_, min, names): (usize, u32, Vec<String>)) -> String {
    let count = if min == 1 {
        "any of".to_owned()
    } else {
        format!("{min} of")
    };
    format!(
        "{}\u{a0}({})",
        count.replace(' ', "\u{a0}"),
        names.join(" | ")
    )
}
