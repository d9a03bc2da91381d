//! Where everything of the drawing stands: stages as columns, jobs as boxes, needs as lines that pass between boxes.

use std::collections::BTreeMap;

use super::order::{Item, middles};
use super::{EdgeKind, Graph, Node};
use crate::one_line::{one_line, shortened, width};

/// A box; `x` and `y` of its upper left corner.
#[derive(Clone, Copy, PartialEq, Debug)]
pub(super) struct Box {
    pub(super) x: f64,
    pub(super) y: f64,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// The drawing.
#[derive(Debug)]
pub(super) struct Layout {
    /// The label and the band of each stage.
    pub(super) stages: Vec<Box>,
    /// The box of each job.
    pub(super) jobs: Vec<Box>,
    /// The text in each box.
    pub(super) labels: Vec<String>,
    /// The points each edge passes through, from the right side of a box to the left side of another; columns it passes straight
    /// through give two points.
    pub(super) routes: Vec<Vec<(f64, f64)>>,
    pub(super) width: f64,
    pub(super) height: f64,
}

/// Height of a box and of the gap below it.
const BOX: f64 = 28.0;
const GAP: f64 = 12.0;
/// Room of a line that passes between boxes.
const LANE: f64 = 10.0;
/// More jobs than this in one column make it two.
const ROWS: usize = 30;
/// Room between columns, where lines bend.
const GUTTER: f64 = 64.0;
const MARGIN: f64 = 24.0;
/// Room above the boxes, for the names of stages.
const HEAD: f64 = 44.0;
/// Width of a character in boxes, and of the smaller ones of tags.
pub(super) const CHARACTER: f64 = 7.3;
pub(super) const SMALL: f64 = 5.6;
/// Characters of the longest name shown whole.
const LONGEST: usize = 34;

/// Lays a graph out.
pub(super) fn layout(graph: &Graph) -> Layout {
    let columns = columns(graph);
    let labels: Vec<String> = graph.nodes.iter().map(label).collect();
    let mut items: Vec<Item> = columns
        .of_node
        .iter()
        .map(|column| Item {
            column: *column,
            height: BOX + GAP,
        })
        .collect();
    let (chains, links) = chains(graph, &columns.of_node, &mut items);
    let middles = middles(&items, &links);
    let widths = column_widths(graph, &columns, &labels);
    let lefts = lefts(&columns, &widths);
    let jobs: Vec<Box> = columns
        .of_node
        .iter()
        .zip(&middles)
        .map(|(column, middle)| Box {
            x: lefts[*column],
            y: MARGIN + HEAD + middle - BOX / 2.0,
            width: widths[*column],
            height: BOX,
        })
        .collect();
    let bottoms = items
        .iter()
        .zip(&middles)
        .map(|(item, middle)| middle + item.height / 2.0);
    let bottom = MARGIN + HEAD + bottoms.fold(0.0, f64::max);
    let routes = graph.edges.iter().zip(&chains).map(|(edge, chain)| {
        let (from, to) = (&jobs[edge.from], &jobs[edge.to]);
        let mut points = vec![(from.x + from.width, from.y + BOX / 2.0)];
        for item in chain {
            let column = items[*item].column;
            let y = MARGIN + HEAD + middles[*item];
            points.extend([(lefts[column], y), (lefts[column] + widths[column], y)]);
        }
        points.push((to.x, to.y + BOX / 2.0));
        points
    });
    let routes = routes.collect();
    let stages = bands(graph, &columns, &lefts, &widths, bottom);
    let right = stages
        .iter()
        .map(|band| band.x + band.width)
        .fold(0.0, f64::max);
    Layout {
        stages,
        jobs,
        labels,
        routes,
        width: right + MARGIN,
        height: bottom + MARGIN,
    }
}

/// The name as it stands in a box.
fn label(node: &Node) -> String {
    shortened(&one_line(&node.name), LONGEST, "…").into_owned()
}

struct Columns {
    /// The column of each node.
    of_node: Vec<usize>,
    /// The stage of each column.
    stage: Vec<usize>,
}

/// A stage is one column, or several where its jobs need each other or are too many.
fn columns(graph: &Graph) -> Columns {
    let depths = depths(graph);
    let mut columns = Columns {
        of_node: vec![0; graph.nodes.len()],
        stage: Vec::new(),
    };
    for stage in 0..graph.stages.len() {
        let mut layers: BTreeMap<usize, Vec<usize>> = BTreeMap::new();
        for (at, _) in graph.stage(stage) {
            layers.entry(depths[at]).or_default().push(at);
        }
        for layer in layers.values() {
            let parts = layer.len().div_ceil(ROWS).max(1);
            for part in layer.chunks(layer.len().div_ceil(parts).max(1)) {
                for at in part {
                    columns.of_node[*at] = columns.stage.len();
                }
                columns.stage.push(stage);
            }
        }
    }
    columns
}

/// How many jobs of its own stage stand before each job; 0 for jobs in a cycle, which no real pipeline has.
fn depths(graph: &Graph) -> Vec<usize> {
    let mut waiting = vec![0usize; graph.nodes.len()];
    let mut after: Vec<Vec<usize>> = vec![Vec::new(); graph.nodes.len()];
    for edge in &graph.edges {
        if graph.nodes[edge.from].stage == graph.nodes[edge.to].stage {
            waiting[edge.to] += 1;
            after[edge.from].push(edge.to);
        }
    }
    let mut depths = vec![0; graph.nodes.len()];
    let mut ready: Vec<usize> = (0..waiting.len()).filter(|at| waiting[*at] == 0).collect();
    while let Some(at) = ready.pop() {
        for next in &after[at] {
            depths[*next] = depths[*next].max(depths[at] + 1);
            waiting[*next] -= 1;
            if waiting[*next] == 0 {
                ready.push(*next);
            }
        }
    }
    for (depth, waiting) in depths.iter_mut().zip(waiting) {
        if waiting > 0 {
            *depth = 0;
        }
    }
    depths
}

type Links = Vec<(usize, usize)>;

/// Edges that look the same.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Line {
    Need,
    Optional,
    Any,
}

impl Line {
    fn of(kind: EdgeKind) -> Line {
        match kind {
            EdgeKind::Need => Line::Need,
            EdgeKind::Optional => Line::Optional,
            EdgeKind::Any { .. } => Line::Any,
        }
    }
}

/// The lanes each edge passes through, and what links what. Like edges of one job share their lanes: they leave as one line and
/// part where they must.
fn chains(graph: &Graph, columns: &[usize], items: &mut Vec<Item>) -> (Vec<Vec<usize>>, Links) {
    let mut lanes: BTreeMap<(usize, usize, Line), usize> = BTreeMap::new();
    let mut links = Vec::new();
    let mut chains = Vec::with_capacity(graph.edges.len());
    for edge in &graph.edges {
        let mut chain = Vec::new();
        let (from, to) = (columns[edge.from], columns[edge.to]);
        if to > from {
            for column in from + 1..to {
                let lane = *lanes
                    .entry((edge.from, column, Line::of(edge.kind)))
                    .or_insert_with(|| {
                        items.push(Item {
                            column,
                            height: LANE,
                        });
                        items.len() - 1
                    });
                chain.push(lane);
            }
            let stops: Vec<usize> = std::iter::once(edge.from)
                .chain(chain.iter().copied())
                .chain([edge.to])
                .collect();
            links.extend(stops.windows(2).map(|pair| (pair[0], pair[1])));
        }
        chains.push(chain);
    }
    links.sort_unstable();
    links.dedup();
    (chains, links)
}

fn column_widths(graph: &Graph, columns: &Columns, labels: &[String]) -> Vec<f64> {
    let mut widths = vec![80.0f64; columns.stage.len()];
    for ((node, column), label) in graph.nodes.iter().zip(&columns.of_node).zip(labels) {
        let tag = node.tag();
        let tag = if tag.is_empty() {
            0.0
        } else {
            tag.len() as f64 * SMALL + 10.0
        };
        let wanted = width(label) as f64 * CHARACTER + 24.0 + tag;
        widths[*column] = widths[*column].max(wanted);
    }
    widths
}

fn lefts(columns: &Columns, widths: &[f64]) -> Vec<f64> {
    let mut x = MARGIN + GUTTER / 4.0;
    let place = |width: &f64| {
        let left = x;
        x += width + GUTTER;
        left
    };
    debug_assert_eq!(columns.stage.len(), widths.len());
    widths.iter().map(place).collect()
}

/// One band behind the columns of each stage.
fn bands(graph: &Graph, columns: &Columns, lefts: &[f64], widths: &[f64], bottom: f64) -> Vec<Box> {
    let band = |stage: usize| {
        let own = || (0..lefts.len()).filter(move |at| columns.stage[*at] == stage);
        let first = own().next().map_or(0.0, |at| lefts[at]);
        let last = own().next_back().map_or(0.0, |at| lefts[at] + widths[at]);
        let name = width(&graph.stages[stage]) as f64 * CHARACTER;
        Box {
            x: first - GUTTER / 4.0,
            y: MARGIN,
            width: (last - first).max(name) + GUTTER / 2.0,
            height: bottom - MARGIN,
        }
    };
    (0..graph.stages.len()).map(band).collect()
}
