//! `tidegate runs`: the runs of the project.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::time::{Duration, SystemTime};

use serde_json::{Value, json};
use tidegate_pipeline::{EventKind, JobIdx, JobResult, PipelineId, Status};
use tidegate_report::run::{RunProgress, results};
use tidegate_run::{Journal, StoredRun};
use tidegate_store::RunRecord;

use super::machine::failed;
use super::past::Past;
use super::run_tree::RunTree;
use crate::cli::{Format, Global, RunsArgs};
use crate::exit::{Exit, Failure};
use crate::terminal::print;

/// Prints the runs, newest first.
pub(crate) fn run(global: &Global, args: &RunsArgs) -> Result<Exit, Failure> {
    let past = Past::open(global)?;
    let runs: Vec<Shown> = past
        .runs(args.limit)?
        .into_iter()
        .map(|record| Shown::of(&past, record))
        .collect::<Result<_, _>>()?;
    print(&match args.format {
        Format::Human => table(&runs),
        Format::Json => as_json(&runs),
    })?;
    Ok(Exit::Fine)
}

/// What is shown of a run.
struct Shown {
    record: RunRecord,
    status: String,
    ref_name: String,
    sha: String,
    duration: Option<Duration>,
    jobs: Counts,
    results: Vec<JobResult>,
    /// The same for people.
    left: Vec<String>,
    /// Pipelines that trigger jobs made, each after the one above it.
    downstream: Vec<Below>,
}

/// How many jobs are in which status.
type Counts = BTreeMap<&'static str, usize>;

/// What is shown of a pipeline that a trigger job made.
struct Below {
    id: PipelineId,
    job: String,
    project: String,
    status: String,
    jobs: Counts,
}

impl Shown {
    fn of(past: &Past, record: RunRecord) -> Result<Shown, Failure> {
        let store = &past.store;
        let live = store.is_run_live(record.id);
        let live = live.map_err(|error| failed("look at a run", &error))?;
        let status = match record.finished {
            _ if live => "running".to_owned(),
            Some(_) => record.status.clone(),
            None => "stopped".to_owned(),
        };
        // A run that never began has no facts, one whose log is damaged no jobs; both are still listed.
        let facts = StoredRun::load(store, record.id).ok();
        let journal = Journal::read(store, record.id).unwrap_or_default();
        let tree = RunTree::of(store, record.id, &journal).ok();
        let first = journal.events.first().map(|event| event.at_ms);
        let last = journal.events.last().map(|event| event.at_ms);
        let duration = first
            .zip(last)
            .map(|(first, last)| Duration::from_millis(last.saturating_sub(first)));
        let progress = facts.as_ref().map(|facts| {
            let mut progress = RunProgress::new(facts.pipeline.clone());
            for (id, parent) in journal.downstream() {
                if let Some(below) = tree.as_ref().and_then(|tree| tree.get(id)) {
                    progress.add(id, parent, below.facts.pipeline.clone());
                }
            }
            journal
                .events
                .iter()
                .for_each(|event| progress.apply(event));
            progress
        });
        let left = progress.as_ref();
        let left = left.map(|progress| results(progress, Some(record.id.0)));
        let members = progress.iter().flat_map(RunProgress::members);
        let made = members.flat_map(|member| member.progress.results());
        let made = made.map(|(_, result)| result.clone()).collect();
        let git = facts.map(|facts| facts.git).unwrap_or_default();
        Ok(Shown {
            results: made,
            left: left.unwrap_or_default(),
            status,
            ref_name: git.ref_name,
            sha: git.sha,
            duration,
            jobs: counts(&journal, PipelineId(record.id.0)),
            downstream: tree.map_or_else(Vec::new, |tree| below(&tree, &journal)),
            record,
        })
    }
}

/// The pipelines below a run.
fn below(tree: &RunTree, journal: &Journal) -> Vec<Below> {
    let below = tree.members().iter().filter(|member| member.is_present);
    below
        .filter(|member| !member.label.is_empty())
        .map(|member| Below {
            id: member.id,
            job: member.label.clone(),
            project: member.facts.project.key.clone(),
            status: last_status(journal, member.id).name().to_owned(),
            jobs: counts(journal, member.id),
        })
        .collect()
}

/// The status a pipeline was last said to have.
fn last_status(journal: &Journal, id: PipelineId) -> Status {
    let of_it = journal.events.iter().rev().filter(|e| e.pipeline == id);
    let mut statuses = of_it.filter_map(|event| match event.kind {
        EventKind::PipelineStatus { status } | EventKind::RunEnded { status } => Some(status),
        _ => None,
    });
    statuses.next().unwrap_or(Status::Created)
}

fn count(jobs: &Counts, status: Status) -> usize {
    jobs.get(status.name()).copied().unwrap_or_default()
}

fn told(jobs: &Counts) -> String {
    let mut text = format!("{} passed", count(jobs, Status::Success));
    if count(jobs, Status::Failed) > 0 {
        let _ = write!(text, ", {} failed", count(jobs, Status::Failed));
    }
    text
}

/// How many jobs of a pipeline are in which status.
fn counts(journal: &Journal, id: PipelineId) -> Counts {
    let mut statuses: BTreeMap<JobIdx, Status> = BTreeMap::new();
    for event in journal.events.iter().filter(|e| e.pipeline == id) {
        if let EventKind::JobStatus { job, status, .. } = event.kind {
            statuses.insert(job, status);
        }
    }
    let mut counts = BTreeMap::new();
    for status in statuses.values() {
        *counts.entry(status.name()).or_default() += 1;
    }
    counts
}

fn table(runs: &[Shown]) -> String {
    let width = |cell: &dyn Fn(&Shown) -> usize, least: usize| {
        runs.iter().map(cell).max().unwrap_or(0).max(least)
    };
    let id = width(&|run| run.record.id.to_string().len(), 2);
    let status = |run: &Shown| {
        let below = run.downstream.iter().map(|below| below.status.len());
        below.max().unwrap_or(0).max(run.status.len())
    };
    let status = width(&status, 6);
    let shown = |run: &Shown| {
        let below = run
            .downstream
            .iter()
            .map(|below| below.job.chars().count() + 5);
        below.max().unwrap_or(0).max(run.ref_name.chars().count())
    };
    let reference = width(&shown, 3).min(40);
    let mut text = format!(
        "{:>id$}  {:status$}  {:reference$}  {:>10}  {:>8}  JOBS\n",
        "ID", "STATUS", "REF", "BEGAN", "TOOK"
    );
    let now = SystemTime::now();
    for run in runs {
        let began = now.duration_since(run.record.created).unwrap_or_default();
        let took = run
            .duration
            .map_or_else(String::new, |took| format!("{:.1}s", took.as_secs_f64()));
        let jobs = told(&run.jobs);
        let row = format!(
            "{:>id$}  {:status$}  {:reference$}  {:>10}  {took:>8}  {jobs}",
            run.record.id.to_string(),
            run.status,
            run.ref_name,
            ago(began),
        );
        text.push_str(row.trim_end());
        text.push('\n');
        for below in &run.downstream {
            let number = below.id.to_string();
            let shown = format!("of `{}`", below.job);
            let status_of = &below.status;
            let jobs = told(&below.jobs);
            let row = format!(
                "{number:>id$}  {status_of:status$}  {shown:reference$}  {:>10}  {:>8}  {jobs}",
                "", ""
            );
            text.push_str(row.trim_end());
            text.push('\n');
        }
        for line in &run.left {
            let _ = writeln!(text, "{:>id$}  {line}", "");
        }
    }
    text
}

fn ago(time: Duration) -> String {
    let seconds = time.as_secs();
    match seconds {
        0..=59 => format!("{seconds} s ago"),
        60..=3599 => format!("{} min ago", seconds / 60),
        3600..=86_399 => format!("{} h ago", seconds / 3600),
        _ => format!("{} d ago", seconds / 86_400),
    }
}

fn below_as_json(below: &Below) -> Value {
    json!({
        "id": below.id.0,
        "job": below.job,
        "project": below.project,
        "status": below.status,
        "jobs": below.jobs,
    })
}

fn as_json(runs: &[Shown]) -> String {
    let runs = runs.iter().map(|run| {
        let created = run.record.created.duration_since(SystemTime::UNIX_EPOCH);
        json!({
            "id": run.record.id.0,
            "iid": run.record.iid,
            "status": run.status,
            "created_ms": u64::try_from(created.unwrap_or_default().as_millis()).ok(),
            "duration_ms": run.duration.and_then(|took| u64::try_from(took.as_millis()).ok()),
            "ref": run.ref_name,
            "sha": run.sha,
            "jobs": run.jobs,
            "downstream": run.downstream.iter().map(below_as_json).collect::<Vec<_>>(),
            "results": run.results,
        })
    });
    let runs: Vec<_> = runs.collect();
    format!("{}\n", json!({ "version": 1, "runs": runs }))
}
