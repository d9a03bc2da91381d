//! The graph as a picture that stands alone: no scripts, no other files, light and dark by the reader's setting.

use std::collections::BTreeSet;
use std::fmt::Write as _;

use super::layout::{Box, CHARACTER, Layout, SMALL, layout};
use super::{EdgeKind, Graph, Node, Waits};
use crate::one_line::{one_line, width};
use crate::xml::escaped;

/// Draws stages as columns, jobs as boxes and needs as lines. Pointing at a job dims the lines of all others.
pub fn graph_svg(graph: &Graph) -> String {
    let layout = layout(graph);
    let legend = legend(graph);
    let page_width = layout.width.max(LEAST_WIDTH);
    let places = legend_places(&legend, page_width);
    let bottom = places.last().map_or(0.0, |(_, y)| y + 30.0);
    let page_height = layout.height + bottom;
    let mut svg = String::new();
    let _ = writeln!(
        svg,
        "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"tidegate-graph\" width=\"{page_width:.0}\" \
         height=\"{page_height:.0}\" viewBox=\"0 0 {page_width:.0} {page_height:.0}\" role=\"img\">"
    );
    let _ = writeln!(svg, "<title>{} jobs</title>", graph.nodes.len());
    style(graph, &mut svg);
    let _ = writeln!(svg, "<rect class=\"page\" width=\"100%\" height=\"100%\"/>");
    for (name, band) in graph.stages.iter().zip(&layout.stages) {
        stage(name, band, &mut svg);
    }
    edges(graph, &layout, &mut svg);
    for (at, node) in graph.nodes.iter().enumerate() {
        job(at, node, graph, &layout, &mut svg);
    }
    for (sample, (x, y)) in legend.iter().zip(places) {
        sample.draw(x, layout.height + y, &mut svg);
    }
    svg.push_str("</svg>\n");
    svg
}

/// A picture is never narrower, so that its legend has room.
const LEAST_WIDTH: f64 = 640.0;

/// Where each entry of the legend stands below the stages, in as many rows as it needs.
fn legend_places(legend: &[Sample], page_width: f64) -> Vec<(f64, f64)> {
    let (mut x, mut y) = (24.0, 6.0);
    let place = |sample: &Sample| {
        if x > 24.0 && x + sample.width() > page_width {
            (x, y) = (24.0, y + 26.0);
        }
        let here = (x, y);
        x += sample.width();
        here
    };
    legend.iter().map(place).collect()
}

/// Colours: (light, dark).
const RULES: [(&str, &str, &str); 16] = [
    (".page", "fill:#ffffff", "fill:#16181d"),
    (".stage rect", "fill:#f4f5f7", "fill:#1e2128"),
    (".stage text", "fill:#4a5160", "fill:#aab2c0"),
    (
        ".job rect",
        "fill:#ffffff;stroke:#8a93a3",
        "fill:#2a2e37;stroke:#6d7686",
    ),
    (".job text", "fill:#1b1f27", "fill:#e8ebf0"),
    (".job .tag", "fill:#6a7282", "fill:#9aa3b2"),
    (
        ".manual rect",
        "stroke:#8a6d1f;stroke-dasharray:5 3",
        "stroke:#d8b04a;stroke-dasharray:5 3",
    ),
    (
        ".satisfied rect",
        "fill:#eaf6ec;stroke:#2f8f46;stroke-dasharray:2 3",
        "fill:#1d3524;stroke:#56bd6f;stroke-dasharray:2 3",
    ),
    (
        ".bridge rect",
        "stroke:#3b6fd1;stroke-width:2",
        "stroke:#79a4f5;stroke-width:2",
    ),
    (".e", "stroke:#7c8596", "stroke:#7d8799"),
    (
        ".optional",
        "stroke:#3b6fd1;stroke-dasharray:6 4",
        "stroke:#79a4f5;stroke-dasharray:6 4",
    ),
    (
        ".any",
        "stroke:#9a3fb5;stroke-dasharray:2 4",
        "stroke:#d58bea;stroke-dasharray:2 4",
    ),
    (".done", "stroke:#2f8f46", "stroke:#56bd6f"),
    (".gate", "stroke:#b3bac6", "stroke:#4d5564"),
    (".head", "fill:#7c8596", "fill:#7d8799"),
    (".legend text", "fill:#4a5160", "fill:#aab2c0"),
];

fn style(graph: &Graph, svg: &mut String) {
    svg.push_str("<style>\n");
    svg.push_str(
        ".tidegate-graph text{font:12px ui-monospace,SFMono-Regular,Menlo,Consolas,monospace}\n\
         .tidegate-graph .stage text{font-weight:600;font-size:13px}\n\
         .tidegate-graph .tag{font-size:9px}\n\
         .tidegate-graph .e{fill:none;stroke-width:1.4}\n\
         .tidegate-graph .any{stroke-width:2}\n\
         .tidegate-graph .gate{fill:none;stroke-width:2}\n",
    );
    for (selector, light, _) in RULES {
        let _ = writeln!(svg, ".tidegate-graph {selector}{{{light}}}");
    }
    svg.push_str("@media (prefers-color-scheme:dark){\n");
    for (selector, _, dark) in RULES {
        let _ = writeln!(svg, ".tidegate-graph {selector}{{{dark}}}");
    }
    svg.push_str("}\n");
    // Large graphs would need one rule a job for little use; theirs are followed by the boxes' titles.
    if graph.nodes.len() <= 1000 {
        let linked: BTreeSet<usize> = graph
            .edges
            .iter()
            .flat_map(|edge| [edge.from, edge.to])
            .collect();
        for at in linked {
            let _ = writeln!(
                svg,
                ".tidegate-graph:has(.j{at}:hover) .e:not(.e{at}){{opacity:.12}}"
            );
        }
    }
    svg.push_str("</style>\n");
}

fn stage(name: &str, band: &Box, svg: &mut String) {
    let _ = writeln!(
        svg,
        "<g class=\"stage\"><rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"8\"/>\
         <text x=\"{:.1}\" y=\"{:.1}\">{}</text></g>",
        band.x,
        band.y,
        band.width,
        band.height,
        band.x + 16.0,
        band.y + 24.0,
        escaped(&one_line(name)),
    );
}

fn edges(graph: &Graph, layout: &Layout, svg: &mut String) {
    for (edge, route) in graph.edges.iter().zip(&layout.routes) {
        let (from, to) = (&graph.nodes[edge.from], &graph.nodes[edge.to]);
        let kind = match (edge.kind, from.is_satisfied) {
            (EdgeKind::Any { .. }, _) => " any",
            (EdgeKind::Optional, _) => " optional",
            (EdgeKind::Need, true) => " done",
            (EdgeKind::Need, false) => "",
        };
        let _ = writeln!(
            svg,
            "<path class=\"e e{} e{}{kind}\" d=\"{}\"><title>{} needs {}{}</title></path>",
            edge.from,
            edge.to,
            curve(route),
            escaped(&one_line(&to.name)),
            escaped(&one_line(&from.name)),
            escaped(&said(edge.kind)),
        );
    }
}

/// What the title of a line says beyond the names.
fn said(kind: EdgeKind) -> String {
    match kind {
        EdgeKind::Need => String::new(),
        EdgeKind::Optional => " (optional)".to_owned(),
        EdgeKind::Any { min, all, .. } => {
            let wait = if all { ", after all are over" } else { "" };
            format!(" or others, at least {min}{wait}")
        }
    }
}

/// A line through the points that leaves and enters every column level.
fn curve(points: &[(f64, f64)]) -> String {
    let mut path = String::new();
    let Some((first, rest)) = points.split_first() else {
        return path;
    };
    let _ = write!(path, "M{:.1} {:.1}", first.0, first.1);
    let mut last = *first;
    for point in rest {
        if (point.1 - last.1).abs() < 0.05 {
            let _ = write!(path, "L{:.1} {:.1}", point.0, point.1);
        } else {
            let bend = ((point.0 - last.0).abs() / 2.0).max(20.0);
            let _ = write!(
                path,
                "C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}",
                last.0 + bend,
                last.1,
                point.0 - bend,
                point.1,
                point.0,
                point.1
            );
        }
        last = *point;
    }
    path
}

fn job(at: usize, node: &Node, graph: &Graph, layout: &Layout, svg: &mut String) {
    let (place, label) = (&layout.jobs[at], &layout.labels[at]);
    let mut classes = format!("job j{at}");
    if node.is_satisfied {
        classes.push_str(" satisfied");
    } else if matches!(node.tag(), "manual" | "delayed") {
        classes.push_str(" manual");
    }
    if node.is_bridge {
        classes.push_str(" bridge");
    }
    let middle = place.y + place.height / 2.0;
    let _ = write!(
        svg,
        "<g class=\"{classes}\"><title>{}</title>",
        escaped(&title(node, graph))
    );
    let _ = write!(
        svg,
        "<rect x=\"{:.1}\" y=\"{:.1}\" width=\"{:.1}\" height=\"{:.1}\" rx=\"5\"/>",
        place.x, place.y, place.width, place.height
    );
    let _ = write!(
        svg,
        "<text x=\"{:.1}\" y=\"{:.1}\">{}</text>",
        place.x + 12.0,
        middle + 4.0,
        escaped(label)
    );
    if !node.tag().is_empty() {
        let _ = write!(
            svg,
            "<text class=\"tag\" x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            place.x + place.width - 8.0,
            middle + 3.0,
            node.tag()
        );
    }
    match node.waits {
        Waits::Needs if !graph.incoming(at).is_empty() => {
            let _ = write!(
                svg,
                "<path class=\"head\" d=\"M{:.1} {:.1}l-7 -4v8z\"/>",
                place.x, middle
            );
        }
        Waits::Stages if node.stage > 0 => {
            let _ = write!(
                svg,
                "<path class=\"gate\" d=\"{}\"/>",
                gate(place.x, middle)
            );
        }
        _ => {}
    }
    svg.push_str("</g>\n");
}

/// A bar before a box: everything to the left of it comes first.
fn gate(x: f64, middle: f64) -> String {
    format!("M{:.1} {:.1}v20m0 -10h6", x - 7.0, middle - 10.0)
}

fn title(node: &Node, graph: &Graph) -> String {
    let stage = graph.stages.get(node.stage).map_or("", |stage| &**stage);
    let mut title = format!("{}\nstage {stage}, {}", node.name, node.when.name());
    if node.is_satisfied {
        title.push_str("\nsatisfied: what it would produce exists");
    }
    if node.may_fail {
        title.push_str("\nmay fail");
    }
    if node.is_bridge {
        title.push_str("\ntriggers a pipeline");
    }
    match node.waits {
        Waits::Stages if node.stage > 0 => title.push_str("\nwaits for all earlier stages"),
        Waits::Nothing => title.push_str("\nstarts at once"),
        _ => {}
    }
    for absent in &node.absent {
        let _ = write!(title, "\nneeds {absent}, which is absent");
    }
    title
}

/// One entry of the legend.
struct Sample {
    shape: Shape,
    text: &'static str,
}

enum Shape {
    Line(&'static str),
    Gate,
    Box(&'static str),
}

fn legend(graph: &Graph) -> Vec<Sample> {
    let has = |wanted: fn(&EdgeKind) -> bool| graph.edges.iter().any(|edge| wanted(&edge.kind));
    let any_job = |wanted: fn(&Node) -> bool| graph.nodes.iter().any(wanted);
    let from_satisfied = graph
        .edges
        .iter()
        .any(|edge| graph.nodes[edge.from].is_satisfied);
    let all = [
        (
            has(|kind| *kind == EdgeKind::Need),
            Shape::Line(""),
            "needs",
        ),
        (from_satisfied, Shape::Line(" done"), "need met by a cache"),
        (
            has(|kind| *kind == EdgeKind::Optional),
            Shape::Line(" optional"),
            "optional need",
        ),
        (
            has(|kind| matches!(kind, EdgeKind::Any { .. })),
            Shape::Line(" any"),
            "any of several",
        ),
        (
            any_job(|node| node.waits == Waits::Stages && node.stage > 0),
            Shape::Gate,
            "waits for all earlier stages",
        ),
        (
            any_job(|node| node.is_satisfied),
            Shape::Box("satisfied"),
            "satisfied, does not run",
        ),
        (
            any_job(|node| matches!(node.tag(), "manual" | "delayed")),
            Shape::Box("manual"),
            "manual or delayed",
        ),
        (
            any_job(|node| node.is_bridge),
            Shape::Box("bridge"),
            "triggers a pipeline",
        ),
    ];
    let shown = all.into_iter().filter(|(is_used, ..)| *is_used);
    shown
        .map(|(_, shape, text)| Sample { shape, text })
        .collect()
}

impl Sample {
    fn width(&self) -> f64 {
        width(self.text) as f64 * CHARACTER + 36.0 + 4.0 * SMALL
    }

    fn draw(&self, x: f64, y: f64, svg: &mut String) {
        svg.push_str("<g class=\"legend\">");
        let _ = match self.shape {
            Shape::Line(kind) => {
                write!(
                    svg,
                    "<path class=\"e{kind}\" d=\"M{x:.1} {:.1}h28\"/>",
                    y + 8.0
                )
            }
            Shape::Gate => {
                write!(
                    svg,
                    "<path class=\"gate\" d=\"{}\"/>",
                    gate(x + 18.0, y + 8.0)
                )
            }
            Shape::Box(kind) => write!(
                svg,
                "<g class=\"job {kind}\"><rect x=\"{x:.1}\" y=\"{y:.1}\" width=\"28\" height=\"16\" rx=\"4\"/></g>"
            ),
        };
        let (x, y) = (x + 36.0, y + 12.0);
        let _ = writeln!(
            svg,
            "<text x=\"{x:.1}\" y=\"{y:.1}\">{}</text></g>",
            self.text
        );
    }
}
