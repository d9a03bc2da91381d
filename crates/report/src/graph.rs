//! The jobs of a pipeline and what they need, drawn: [`graph_svg`] and [`graph_text`] for people, [`graph_mermaid`] and [`graph_dot`] for
//! tools that draw themselves.

mod dot;
mod layout;
mod mermaid;
mod order;
mod svg;
mod terminal;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use tidegate_pipeline::{Action, Job, JobIdx, NeedEntry, Pipeline, Presence, Wait, When};
use tidegate_plan::{NeedFate, Plan};

pub use dot::graph_dot;
pub use mermaid::graph_mermaid;
pub use svg::graph_svg;
pub use terminal::graph_text;

/// What is drawn: jobs in stages and the needs between them.
///
/// Invariant: stages without jobs are dropped; every index inside is in range; nodes stand in definition order, edges in that of the
/// jobs that need.
#[derive(Clone, Debug)]
pub struct Graph {
    stages: Vec<Arc<str>>,
    nodes: Vec<Node>,
    edges: Vec<Edge>,
}

#[derive(Clone, Debug)]
struct Node {
    name: Arc<str>,
    stage: usize,
    is_satisfied: bool,
    is_bridge: bool,
    may_fail: bool,
    when: When,
    waits: Waits,
    /// Optional needs on jobs that are not in the pipeline.
    absent: Vec<Arc<str>>,
}

/// What a job waits for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Waits {
    /// All earlier stages.
    Stages,
    /// Its needs.
    Needs,
    /// Nothing: it starts at once.
    Nothing,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Edge {
    from: usize,
    to: usize,
    kind: EdgeKind,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
enum EdgeKind {
    /// An ordinary need.
    Need,
    /// An optional need on a job that is there.
    Optional,
    /// One of several alternatives.
    Any {
        /// Position among the entries of the needing job.
        entry: usize,
        /// How many must be good.
        min: u32,
        /// It waits for all of them.
        all: bool,
    },
}

impl Graph {
    /// The graph of a plan, or `None` where there is no pipeline. Optional needs are told apart for decisions with a trace.
    pub fn of_plan(plan: &Plan) -> Option<Graph> {
        let mut graph = Graph::of_pipeline(plan.pipeline()?);
        for decision in &plan.decisions {
            let (Some(at), Some(trace)) = (decision.job(), &decision.trace) else {
                continue;
            };
            let optional = trace.needs.iter().filter(|need| need.optional);
            let names: BTreeSet<&str> = optional.map(|need| &*need.name).collect();
            let incoming = graph.incoming_range(at.at());
            for edge in &mut graph.edges[incoming] {
                let from = graph.nodes.get(edge.from).map_or("", |node| &*node.name);
                if edge.kind == EdgeKind::Need && names.contains(from) {
                    edge.kind = EdgeKind::Optional;
                }
            }
            let absent = trace.needs.iter().filter(|need| {
                matches!(
                    need.fate,
                    NeedFate::AbsentOptional | NeedFate::Ignored | NeedFate::Dropped
                )
            });
            if let Some(node) = graph.nodes.get_mut(at.at()) {
                node.absent = absent.map(|need| need.name.clone()).collect();
            }
        }
        Some(graph)
    }

    /// The graph of a pipeline.
    pub fn of_pipeline(pipeline: &Pipeline) -> Graph {
        let used: BTreeSet<usize> = pipeline.jobs.iter().map(|job| job.stage.at()).collect();
        let places: BTreeMap<usize, usize> = used
            .iter()
            .enumerate()
            .map(|(place, stage)| (*stage, place))
            .collect();
        let stage_name = |at: &usize| pipeline.stages.get(*at).cloned().unwrap_or_default();
        let node = |job: &Job| Node {
            name: job.name.clone(),
            stage: places.get(&job.stage.at()).copied().unwrap_or_default(),
            is_satisfied: job.presence == Presence::Satisfied,
            is_bridge: matches!(job.action, Action::Bridge(_)),
            may_fail: job.allow_failure.always,
            when: job.when,
            waits: match &job.needs {
                None => Waits::Stages,
                Some(needs) if needs.is_empty() => Waits::Nothing,
                Some(_) => Waits::Needs,
            },
            absent: Vec::new(),
        };
        Graph {
            stages: used.iter().map(stage_name).collect(),
            nodes: pipeline.jobs.iter().map(node).collect(),
            edges: edges(pipeline),
        }
    }

    /// What a job needs, in written order.
    fn incoming(&self, at: usize) -> &[Edge] {
        &self.edges[self.incoming_range(at)]
    }

    fn incoming_range(&self, at: usize) -> std::ops::Range<usize> {
        let first = self.edges.partition_point(|edge| edge.to < at);
        let count = self.edges[first..].partition_point(|edge| edge.to == at);
        first..first + count
    }

    /// Nodes of a stage with their indices, in definition order.
    fn stage(&self, stage: usize) -> impl Iterator<Item = (usize, &Node)> {
        self.nodes
            .iter()
            .enumerate()
            .filter(move |(_, node)| node.stage == stage)
    }
}

impl Node {
    /// What people must know of the job in one or two words; empty for ordinary ones.
    fn tag(&self) -> &'static str {
        if self.is_satisfied {
            return "satisfied";
        }
        match (self.when, self.is_bridge, self.may_fail) {
            (When::Manual, _, _) => "manual",
            (When::Delayed, _, _) => "delayed",
            (When::OnFailure, _, _) => "on failure",
            (When::Always, _, _) => "always",
            (When::OnSuccess, true, _) => "trigger",
            (When::OnSuccess, _, true) => "may fail",
            (When::OnSuccess, ..) => "",
        }
    }
}

/// The needs between jobs, each pair and kind once.
fn edges(pipeline: &Pipeline) -> Vec<Edge> {
    let mut edges = Vec::new();
    for (to, job) in pipeline.indexed() {
        let mut seen = BTreeSet::new();
        let mut add = |from: JobIdx, kind| {
            if from.at() < pipeline.jobs.len() && seen.insert((from, kind)) {
                edges.push(Edge {
                    from: from.at(),
                    to: to.at(),
                    kind,
                });
            }
        };
        for (entry, need) in job.needs.iter().flatten().enumerate() {
            match need {
                NeedEntry::Job(need) => add(need.job, EdgeKind::Need),
                NeedEntry::Any(any) => {
                    let kind = EdgeKind::Any {
                        entry,
                        min: any.min,
                        all: any.wait == Wait::All,
                    };
                    any.jobs.iter().for_each(|need| add(need.job, kind));
                }
            }
        }
    }
    edges
}

#[cfg(test)]
mod tests;
