//! Who waits for whom: computed once from the pipeline, never changed.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use tidegate_pipeline::{JobIdx, NeedEntry, Pipeline, StageIdx, Wait};

/// The edges of a pipeline turned around, and the order in which jobs are judged.
#[derive(Clone, Debug)]
pub(crate) struct Graph {
    /// Where each job's slice of `edges` begins; one more than there are jobs.
    starts: Vec<u32>,
    edges: Vec<Edge>,
    /// Every `needs: any` of the pipeline.
    pub(crate) any: Vec<AnyEntry>,
    /// Position of each job in the order of judgement: by stage, then topologically, then as defined.
    rank: Vec<u32>,
    by_rank: Vec<JobIdx>,
}

/// A job waits for the job whose edge this is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Edge {
    /// Who waits.
    pub(crate) dependant: JobIdx,
    /// As an alternative of this entry of [`Graph::any`]; `None`: as a plain need.
    pub(crate) any: Option<u32>,
}

/// One `needs: any`.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AnyEntry {
    /// How many must be good.
    pub(crate) min: u32,
    /// Whether to wait for all.
    pub(crate) wait: Wait,
    /// How many alternatives there are.
    pub(crate) size: u32,
}

impl Graph {
    /// The graph of a pipeline. Linear in jobs and needs, but for the logarithm of a heap.
    pub(crate) fn new(pipeline: &Pipeline) -> Graph {
        let (starts, edges, any) = edges(pipeline);
        let mut graph = Graph {
            starts,
            edges,
            any,
            rank: Vec::new(),
            by_rank: Vec::new(),
        };
        graph.by_rank = order(pipeline, &graph);
        graph.rank = vec![0; pipeline.jobs.len()];
        for (rank, job) in graph.by_rank.iter().enumerate() {
            graph.rank[job.at()] = rank as u32;
        }
        graph
    }

    /// Who needs `job`.
    pub(crate) fn dependants(&self, job: JobIdx) -> &[Edge] {
        &self.edges[self.range(job)]
    }

    /// Indices of `job`'s dependants, for [`Graph::edge`]: lets the caller change itself while it walks them.
    pub(crate) fn range(&self, job: JobIdx) -> std::ops::Range<usize> {
        self.starts[job.at()] as usize..self.starts[job.at() + 1] as usize
    }

    /// The edge at an index of [`Graph::range`].
    pub(crate) fn edge(&self, at: usize) -> Edge {
        self.edges[at]
    }

    /// Position in the order of judgement.
    pub(crate) fn rank(&self, job: JobIdx) -> u32 {
        self.rank[job.at()]
    }

    /// The job at a position in the order of judgement.
    pub(crate) fn at_rank(&self, rank: u32) -> JobIdx {
        self.by_rank[rank as usize]
    }
}

fn edges(pipeline: &Pipeline) -> (Vec<u32>, Vec<Edge>, Vec<AnyEntry>) {
    let mut any = Vec::new();
    let mut pairs: Vec<(JobIdx, Edge)> = Vec::new();
    for (dependant, job) in pipeline.indexed() {
        for entry in job.needs.iter().flatten() {
            match entry {
                NeedEntry::Job(need) => pairs.push((
                    need.job,
                    Edge {
                        dependant,
                        any: None,
                    },
                )),
                NeedEntry::Any(alternatives) => {
                    let at = any.len() as u32;
                    any.push(AnyEntry {
                        min: alternatives.min,
                        wait: alternatives.wait,
                        size: alternatives.jobs.len() as u32,
                    });
                    pairs.extend(alternatives.jobs.iter().map(|need| {
                        let any = Some(at);
                        (need.job, Edge { dependant, any })
                    }));
                }
            }
        }
    }
    // Counting sort: stable, so dependants stay in definition order.
    let mut starts = vec![0u32; pipeline.jobs.len() + 1];
    for (needed, _) in &pairs {
        starts[needed.at() + 1] += 1;
    }
    for at in 1..starts.len() {
        starts[at] += starts[at - 1];
    }
    let mut next = starts.clone();
    let blank = Edge {
        dependant: JobIdx(0),
        any: None,
    };
    let mut edges = vec![blank; pairs.len()];
    for (needed, edge) in pairs {
        let at = &mut next[needed.at()];
        edges[*at as usize] = edge;
        *at += 1;
    }
    (starts, edges, any)
}

/// Jobs by stage; inside a stage no job before one it needs, otherwise as defined.
fn order(pipeline: &Pipeline, graph: &Graph) -> Vec<JobIdx> {
    let stage = |job: JobIdx| pipeline.job(job).stage;
    let mut missing: Vec<u32> = pipeline
        .indexed()
        .map(|(_, job)| {
            job.needed_jobs()
                .filter(|need| stage(need.job) == job.stage)
                .count() as u32
        })
        .collect();
    let mut ready: BinaryHeap<Reverse<(StageIdx, JobIdx)>> = pipeline
        .indexed()
        .filter(|(at, _)| missing[at.at()] == 0)
        .map(|(at, job)| Reverse((job.stage, at)))
        .collect();
    let mut order = Vec::with_capacity(pipeline.jobs.len());
    while let Some(Reverse((at, job))) = ready.pop() {
        order.push(job);
        for edge in graph.dependants(job) {
            if stage(edge.dependant) == at {
                let left = &mut missing[edge.dependant.at()];
                *left -= 1;
                if *left == 0 {
                    ready.push(Reverse((at, edge.dependant)));
                }
            }
        }
    }
    order
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::{needs, pipeline, stage_job};

    #[test]
    fn jobs_are_judged_by_stage_and_inside_a_stage_after_their_needs() {
        let mut jobs = vec![
            stage_job("late", 1),
            stage_job("b", 0),
            stage_job("a", 0),
            stage_job("c", 0),
        ];
        jobs[1].needs = needs(&[2]);
        let graph = Graph::new(&pipeline(2, jobs));
        let order: Vec<u32> = (0..4).map(|rank| graph.at_rank(rank).0).collect();
        assert_eq!(order, [2, 1, 3, 0]);
        assert_eq!(graph.rank(JobIdx(0)), 3);
    }

    #[test]
    fn dependants_stand_in_definition_order() {
        let mut jobs = vec![stage_job("a", 0), stage_job("b", 0), stage_job("c", 0)];
        jobs[1].needs = needs(&[0]);
        jobs[2].needs = needs(&[0, 1]);
        let graph = Graph::new(&pipeline(1, jobs));
        let dependants: Vec<u32> = graph
            .dependants(JobIdx(0))
            .iter()
            .map(|edge| edge.dependant.0)
            .collect();
        assert_eq!(dependants, [1, 2]);
    }
}
