//! The jobs of a pipeline as a table: stage by stage, when they start, what they need, why they are in or out.

mod json;

use std::fmt::Write as _;
use std::sync::Arc;

use tidegate_pipeline::{AllowFailure, Job, NeedEntry, Pipeline, When};
use tidegate_plan::{Decision, Outcome, Plan, Verdict};

pub use json::{LIST_VERSION, list_json};
pub(crate) use json::{pretty, state_name};

use crate::because::because;
use crate::look::{Ink, Look};
use crate::not_created::not_created;
use crate::one_line::{one_line, padding, shortened, width, wrapped};
use crate::secrets::Secrets;

/// Columns of the whole table.
const WIDTH: usize = 100;
/// Columns of the widest name, of `when` and of needs.
const MOST: [usize; 3] = [40, 22, 24];
const HEADINGS: [&str; 4] = ["JOB", "WHEN", "NEEDS", "WHY"];

/// Renders the jobs by stage, those left out too with `all`, and how many there are of each kind.
///
/// Where there is no pipeline, says GitLab's message and what to do. Reasons are full sentences for decisions with a trace.
pub fn list(plan: &Plan, look: impl Into<Look>, all: bool) -> String {
    let look = look.into();
    let mut text = String::new();
    let secrets = Secrets::of(plan);
    if let Some(none) = not_created(plan, &secrets) {
        for message in &none.messages {
            let _ = writeln!(
                text,
                "{} {}",
                look.ink(Ink::Bad, "no pipeline:"),
                one_line(message)
            );
        }
        for line in wrapped(&format!("hint: {}", none.hint), WIDTH) {
            let _ = writeln!(text, "{line}");
        }
    }
    // Of an empty pipeline people want to know where its jobs went.
    let all = all || matches!(plan.outcome, Outcome::Empty { .. });
    let rows: Vec<Row> = in_stage_order(plan)
        .filter(|decision| all || decision.job().is_some())
        .map(|decision| Row::of(decision, plan, &secrets, look))
        .collect();
    if !rows.is_empty() {
        if !text.is_empty() {
            text.push('\n');
        }
        table(&rows, look, &mut text);
    }
    if !plan.decisions.is_empty() {
        let _ = writeln!(text, "\n{}", Counts::of(plan).text(all));
    }
    text
}

/// The decisions by stage, then definition.
pub(crate) fn in_stage_order(plan: &Plan) -> impl Iterator<Item = &Decision> {
    let mut stages: Vec<&str> = match plan.pipeline() {
        Some(pipeline) => pipeline.stages.iter().map(|stage| &**stage).collect(),
        None => Vec::new(),
    };
    for decision in &plan.decisions {
        if !stages.contains(&&*decision.stage) {
            stages.push(&decision.stage);
        }
    }
    let place: std::collections::BTreeMap<&str, usize> = stages
        .iter()
        .enumerate()
        .map(|(at, stage)| (*stage, at))
        .collect();
    let mut decisions: Vec<&Decision> = plan.decisions.iter().collect();
    decisions.sort_by_key(|decision| place.get(&*decision.stage).copied());
    decisions.into_iter()
}

struct Row {
    stage: Arc<str>,
    ink: Ink,
    /// Name, when, needs, why.
    cells: [String; 4],
}

impl Row {
    fn of(decision: &Decision, plan: &Plan, secrets: &Secrets, look: Look) -> Row {
        let reason = because(decision, secrets).text;
        let found = plan.pipeline().zip(decision.job());
        let job = found.and_then(|(pipeline, at)| Some((&**pipeline, pipeline.jobs.get(at.at())?)));
        let (ink, when) = match (&decision.verdict, job) {
            (Verdict::LeftOut(_), _) => (Ink::Dim, "left out".to_owned()),
            (Verdict::Satisfied(_), _) => (Ink::Good, "satisfied".to_owned()),
            (Verdict::Included(_), Some((_, job))) => (Ink::Strong, when_text(job)),
            (Verdict::Included(_), None) => (Ink::Strong, "would run".to_owned()),
        };
        let needs = job.map_or_else(String::new, |(pipeline, job)| {
            needs_text(pipeline, job, MOST[2], look)
        });
        Row {
            stage: decision.stage.clone(),
            ink,
            cells: [one_line(&decision.name).into_owned(), when, needs, reason],
        }
    }
}

/// `when` with what people must know of it.
pub(crate) fn when_text(job: &Job) -> String {
    let may_fail = job.allow_failure.always;
    match (job.when, &job.start_in) {
        (When::Manual, _) if may_fail => "manual".to_owned(),
        (When::Manual, _) => "manual, blocks".to_owned(),
        (When::Delayed, Some(delay)) => format!("delayed {}", one_line(&delay.text)),
        (when, _) if job.allow_failure != AllowFailure::default() => {
            format!("{}, may fail", when.name())
        }
        (when, _) => when.name().to_owned(),
    }
}

/// The needs in at most `most` columns: names, then how many more; nothing for jobs that wait for earlier stages.
fn needs_text(pipeline: &Pipeline, job: &Job, most: usize, look: Look) -> String {
    let Some(entries) = &job.needs else {
        return String::new();
    };
    if entries.is_empty() {
        return "nothing".to_owned();
    }
    let names: Vec<String> = entries
        .iter()
        .map(|entry| need_text(pipeline, entry))
        .collect();
    let mut text = String::new();
    for (at, name) in names.iter().enumerate() {
        let rest = names.len() - at;
        let more = if rest > 1 {
            format!(", +{}", rest - 1).len()
        } else {
            0
        };
        let separator = if at == 0 { "" } else { ", " };
        if at > 0 && width(&text) + separator.len() + width(name) + more > most {
            let _ = write!(text, ", +{rest}");
            break;
        }
        text.push_str(separator);
        text.push_str(&shortened(name, most.saturating_sub(more), look.ellipsis()));
    }
    text
}

fn need_text(pipeline: &Pipeline, entry: &NeedEntry) -> String {
    let name = |at: tidegate_pipeline::JobIdx| {
        let job = pipeline.jobs.get(at.at());
        job.map_or_else(String::new, |job| one_line(&job.name).into_owned())
    };
    match entry {
        NeedEntry::Job(need) => name(need.job),
        NeedEntry::Any(any) => {
            let names: Vec<String> = any.jobs.iter().map(|need| name(need.job)).collect();
            match any.min {
                1 => names.join("|"),
                min => format!("{min} of {}", names.join("|")),
            }
        }
    }
}

fn table(rows: &[Row], look: Look, text: &mut String) {
    let mut columns = [0; 3];
    for (at, column) in columns.iter_mut().enumerate() {
        let cells = rows.iter().map(|row| width(&row.cells[at]));
        let widest = cells.max().unwrap_or(0).min(MOST[at]);
        // A column without content is not shown.
        *column = if widest == 0 {
            0
        } else {
            widest.max(HEADINGS[at].len())
        };
    }
    leave_room(&mut columns);
    let line = |cells: [&str; 4], ink: Ink, text: &mut String| {
        let mut before = String::from("  ");
        let mut used = 2;
        for (at, columns) in columns
            .into_iter()
            .enumerate()
            .filter(|(_, columns)| *columns > 0)
        {
            let cell = shortened(cells[at], columns, look.ellipsis());
            let ink = if at < 2 { ink } else { Ink::Dim };
            before.push_str(&look.ink(ink, &cell));
            before.push_str(&padding(&cell, columns + 2));
            used += columns + 2;
        }
        let why = shortened(
            cells[3],
            WIDTH.saturating_sub(used).max(20),
            look.ellipsis(),
        );
        let _ = writeln!(text, "{before}{why}");
    };
    line(HEADINGS, Ink::Dim, text);
    let mut stage: Option<&str> = None;
    for row in rows {
        if stage != Some(&*row.stage) {
            stage = Some(&row.stage);
            let _ = writeln!(text, "{}", look.ink(Ink::Heading, &one_line(&row.stage)));
        }
        let cells = [
            &*row.cells[0],
            &*row.cells[1],
            &*row.cells[2],
            &*row.cells[3],
        ];
        line(cells, row.ink, text);
    }
}

/// Narrows needs, then names, until reasons have room.
fn leave_room(columns: &mut [usize; 3]) {
    const ROOM: usize = 30;
    for (at, least) in [(2, 14), (0, 24)] {
        let used: usize = 2 + columns
            .iter()
            .filter(|c| **c > 0)
            .map(|c| c + 2)
            .sum::<usize>();
        let over = (used + ROOM).saturating_sub(WIDTH);
        let spare = columns[at].saturating_sub(least);
        columns[at] -= over.min(spare);
    }
}

/// How many jobs there are of each kind.
#[derive(Default)]
pub(crate) struct Counts {
    pub(crate) included: usize,
    pub(crate) satisfied: usize,
    pub(crate) left_out: usize,
}

impl Counts {
    pub(crate) fn of(plan: &Plan) -> Counts {
        let mut counts = Counts::default();
        for decision in &plan.decisions {
            match decision.verdict {
                Verdict::Included(_) => counts.included += 1,
                Verdict::Satisfied(_) => counts.satisfied += 1,
                Verdict::LeftOut(_) => counts.left_out += 1,
            }
        }
        counts
    }

    fn text(&self, all: bool) -> String {
        let jobs = if self.included == 1 { "job" } else { "jobs" };
        let mut text = format!("{} {jobs}", self.included);
        if self.satisfied > 0 {
            let _ = write!(text, ", {} satisfied", self.satisfied);
        }
        if self.left_out > 0 {
            let shown = if all { "" } else { " (--all shows them)" };
            let _ = write!(text, ", {} left out{shown}", self.left_out);
        }
        text
    }
}

#[cfg(test)]
mod tests;
