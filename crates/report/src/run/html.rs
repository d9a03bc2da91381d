//! A run as a page that stands alone: how it ended, when each job ran, why jobs failed.

use std::fmt::Write as _;
use std::time::Duration;

use tidegate_pipeline::{CacheOutcome, JobIdx, Status};

use super::junit::is_satisfied;
use super::progress::{JobProgress, Progress};
use super::results::results;
use super::run_progress::{Member, RunProgress};
use super::summary::{elapsed, summary, word};
use super::timestamp::timestamp;
use crate::Style;
use crate::graph::{Graph, graph_svg};
use crate::xml::{attribute, escaped};

/// Renders the page: no scripts, no other files, light and dark by the reader's setting.
pub fn html(run: &RunProgress) -> String {
    let progress = run.root();
    let name = progress.pipeline().name.as_deref().unwrap_or("pipeline");
    let mut page =
        String::from("<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n");
    page.push_str("<meta name=\"viewport\" content=\"width=device-width\">\n");
    let _ = writeln!(
        page,
        "<title>{}: {}</title>",
        escaped(name),
        progress.status.name()
    );
    let _ = writeln!(page, "<style>{STYLE}</style>\n</head>\n<body>");
    let class = class_of(progress.status, false);
    let _ = writeln!(
        page,
        "<h1><span class=\"dot {class}\"></span>{}</h1>",
        escaped(name)
    );
    let _ = writeln!(page, "<p>{}</p>", escaped(closing(run).trim()));
    if let Some(began) = progress.began_ms {
        let _ = writeln!(page, "<p class=\"dim\">began {}</p>", timestamp(began));
    }
    let members = run.members();
    let span = Span::of(&members);
    for member in &members {
        jobs(member, span, &mut page);
    }
    left(run, &mut page);
    failures(&members, &mut page);
    for member in &members {
        let graph = graph_svg(&Graph::of_pipeline(member.progress.pipeline()));
        let title = title("Graph", member);
        let _ = writeln!(page, "<h2>{title}</h2>\n<div class=\"wide\">{graph}</div>");
    }
    page.push_str("</body>\n</html>\n");
    page
}

const STYLE: &str = "
:root{color-scheme:light dark}
body{font:15px/1.45 system-ui,sans-serif;margin:2rem auto;max-width:72rem;padding:0 1rem}
h1{font-size:1.5rem}h2{font-size:1.15rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.25rem .6rem;border-top:1px solid #8884;vertical-align:middle}
th{font-weight:600}
.stage th{background:#8881;border-top:none}
.dim{opacity:.7}
.time{white-space:nowrap;text-align:right}
.bar{width:40%}
.bar div{height:.8rem;border-radius:3px;min-width:2px}
.dot{display:inline-block;width:.7rem;height:.7rem;border-radius:50%;margin-right:.5rem}
.passed{background:#2f9e4f}.failed{background:#d43d3d}.allowed{background:#d98f1f}
.canceled{background:#777}.waiting{background:#9aa3b2}.running{background:#3b6fd1}
pre{background:#8881;padding:.8rem;border-radius:6px;overflow-x:auto}
.wide{overflow-x:auto}
";

/// The last line of the summary.
fn closing(run: &RunProgress) -> String {
    let all = summary(run, Style::Plain);
    let closing = all.rsplit("\n\n").next().unwrap_or_default();
    closing.trim().replace('\n', "; ")
}

/// A heading, with the trigger job where the pipeline is not the run's own.
fn title(what: &str, member: &Member<'_>) -> String {
    match member.label {
        "" => what.to_owned(),
        label => format!("{what} of {}", escaped(label)),
    }
}

/// From the first to the last event of the run, in milliseconds since the Unix epoch.
#[derive(Clone, Copy)]
struct Span {
    began: u64,
    last: u64,
}

impl Span {
    fn of(members: &[Member<'_>]) -> Span {
        let began = members.iter().filter_map(|member| member.progress.began_ms);
        let last = members.iter().map(|member| member.progress.last_ms);
        Span {
            began: began.min().unwrap_or_default(),
            last: last.max().unwrap_or_default(),
        }
    }
}

fn class_of(status: Status, allow_failure: bool) -> &'static str {
    match status {
        Status::Success => "passed",
        Status::Failed if allow_failure => "allowed",
        Status::Failed => "failed",
        Status::Canceled | Status::Canceling => "canceled",
        Status::Running => "running",
        _ => "waiting",
    }
}

fn jobs(member: &Member<'_>, span: Span, page: &mut String) {
    let _ = writeln!(page, "<h2>{}</h2>\n<table>", title("Jobs", member));
    let progress = member.progress;
    let mut stage = None;
    for (at, job) in member.jobs() {
        let planned = progress.pipeline().job(at);
        if stage.replace(planned.stage) != Some(planned.stage) {
            let name = escaped(progress.pipeline().stage(planned.stage));
            let _ = writeln!(
                page,
                "<tr class=\"stage\"><th colspan=\"4\">{name}</th></tr>"
            );
        }
        row(progress, at, job, span, page);
    }
    page.push_str("</table>\n");
}

fn row(progress: &Progress, at: JobIdx, job: &JobProgress, span: Span, page: &mut String) {
    let class = class_of(job.status, job.allow_failure);
    let name = escaped(&progress.pipeline().job(at).name);
    let took = job.duration.map_or_else(String::new, elapsed);
    let mut said = match (job.status, is_satisfied(progress, at)) {
        (Status::Success, true) => "already done".to_owned(),
        _ => word(job).to_owned(),
    };
    if job.attempt.0 > 1 {
        let _ = write!(said, ", try {}", job.attempt);
    }
    if let Some(coverage) = &job.coverage {
        let _ = write!(said, ", coverage {coverage} %");
    }
    let hits = job
        .caches
        .iter()
        .filter(|(_, outcome)| matches!(outcome, CacheOutcome::Hit | CacheOutcome::FallbackHit));
    match hits.count() {
        0 => {}
        1 => said.push_str(", cache hit"),
        hits => {
            let _ = write!(said, ", {hits} cache hits");
        }
    }
    let _ = writeln!(
        page,
        "<tr><td><span class=\"dot {class}\"></span>{name}</td><td>{}</td><td class=\"time\">{took}</td>\
         <td class=\"bar\">{}</td></tr>",
        escaped(&said),
        bar(span, job, class)
    );
}

/// When the job ran, as a part of the whole run.
fn bar(span: Span, job: &JobProgress, class: &str) -> String {
    let Some(started) = job.started_ms else {
        return String::new();
    };
    let Span { began, last } = span;
    let whole = last.saturating_sub(began).max(1) as f64;
    let ran = job
        .duration
        .unwrap_or_else(|| Duration::from_millis(last.saturating_sub(started)));
    let before = (started.saturating_sub(began) as f64 / whole * 100.0).min(100.0);
    let length = (ran.as_millis() as f64 / whole * 100.0).min(100.0 - before);
    format!(
        "<div class=\"{class}\" style=\"margin-left:{before:.2}%;width:{length:.2}%\" title=\"{}\"></div>",
        attribute(&timestamp(started))
    )
}

fn left(run: &RunProgress, page: &mut String) {
    let lines = results(run, None);
    if lines.is_empty() {
        return;
    }
    page.push_str("<h2>Results</h2>\n<ul>\n");
    for line in lines {
        let _ = writeln!(page, "<li>{}</li>", escaped(&line));
    }
    page.push_str("</ul>\n");
}

fn failures(members: &[Member<'_>], page: &mut String) {
    let all = members
        .iter()
        .flat_map(|member| member.jobs().map(move |(at, job)| (member.name(at), job)));
    let failed: Vec<_> = all
        .filter(|(_, job)| job.status == Status::Failed)
        .collect();
    if failed.is_empty() {
        return;
    }
    page.push_str("<h2>Failures</h2>\n");
    for (name, job) in failed {
        let name = escaped(&name);
        let why = match job.failure() {
            Some((_, Some(code))) => format!("exit code {code}"),
            Some((reason, None)) => reason.name().to_owned(),
            None => String::new(),
        };
        let open = if job.allow_failure { "" } else { " open" };
        let _ = writeln!(
            page,
            "<details{open}><summary><b>{name}</b> {why}</summary>"
        );
        if let Some(command) = &job.command {
            let _ = writeln!(
                page,
                "<p>last command: <code>{}</code></p>",
                escaped(command)
            );
        }
        let lines: Vec<String> = job.lines.iter().map(|line| escaped(line)).collect();
        let _ = writeln!(page, "<pre>{}</pre></details>", lines.join("\n"));
    }
}
