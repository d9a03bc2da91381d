//! A run as JUnit XML: a suite for each stage of each of its pipelines, a case for each job.

use std::fmt::Write as _;

use tidegate_pipeline::{JobIdx, Presence, Reason, Status};

use super::progress::{JobProgress, Progress};
use super::run_progress::{Member, RunProgress};
use super::summary::word;
use super::timestamp::timestamp;
use crate::xml::{attribute, escaped};

/// Renders the run for `artifacts:reports:junit` and everything else that reads JUnit XML.
///
/// A failure that is allowed counts as skipped, so that what reads the report does not turn red over it; so do jobs that did not run.
/// The last lines of a job that failed are its output.
pub fn junit(run: &RunProgress) -> String {
    let mut text = String::from("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    let members = run.members();
    let all = members.iter().flat_map(|member| member.jobs());
    let all: Vec<(JobIdx, &JobProgress)> = all.collect();
    let name = run.root().pipeline().name.as_deref();
    let name = name.unwrap_or("pipeline");
    let whole = Totals::of(&all);
    let _ = writeln!(
        text,
        "<testsuites name=\"{}\"{}>",
        attribute(name),
        whole.text()
    );
    for member in &members {
        suites(member, &mut text);
    }
    text.push_str("</testsuites>\n");
    text
}

fn suites(member: &Member<'_>, text: &mut String) {
    let progress = member.progress;
    let jobs: Vec<(JobIdx, &JobProgress)> = member.jobs().collect();
    let stage = |at: &JobIdx| progress.pipeline().job(*at).stage;
    for suite in jobs.chunk_by(|(left, _), (right, _)| stage(left) == stage(right)) {
        let name = suite
            .first()
            .map_or("", |(at, _)| progress.pipeline().stage(stage(at)));
        let name = match member.label {
            "" => name.to_owned(),
            label => format!("{label}/{name}"),
        };
        let began = suite.iter().filter_map(|(_, job)| job.started_ms).min();
        let began = began.map_or_else(String::new, |ms| {
            format!(" timestamp=\"{}\"", timestamp(ms))
        });
        let totals = Totals::of(suite).text();
        let _ = writeln!(
            text,
            "  <testsuite name=\"{}\"{totals}{began}>",
            attribute(&name)
        );
        for (at, job) in suite {
            let satisfied = is_satisfied(progress, *at);
            case(&member.name(*at), &name, job, satisfied, text);
        }
        text.push_str("  </testsuite>\n");
    }
}

/// How JUnit sees the end of a job.
enum Verdict {
    Passed,
    Failed,
    /// With why.
    Skipped(String),
}

fn verdict(job: &JobProgress) -> Verdict {
    match job.status {
        Status::Success if job.would_trigger.is_some() => Verdict::Skipped(word(job).to_owned()),
        Status::Success => Verdict::Passed,
        Status::Failed if !job.allow_failure => Verdict::Failed,
        _ => Verdict::Skipped(word(job).to_owned()),
    }
}

/// Whether the job counts as a success without having run.
pub(super) fn is_satisfied(progress: &Progress, at: JobIdx) -> bool {
    let satisfied = progress.pipeline().job(at).presence == Presence::Satisfied;
    let job = progress.job(at);
    (satisfied && job.duration.is_none()) || matches!(job.reason, Reason::CacheHit { .. })
}

struct Totals {
    tests: usize,
    failures: usize,
    skipped: usize,
    seconds: f64,
}

impl Totals {
    fn of(jobs: &[(JobIdx, &JobProgress)]) -> Totals {
        let count = |wanted: fn(&Verdict) -> bool| {
            jobs.iter().filter(|(_, job)| wanted(&verdict(job))).count()
        };
        Totals {
            tests: jobs.len(),
            failures: count(|verdict| matches!(verdict, Verdict::Failed)),
            skipped: count(|verdict| matches!(verdict, Verdict::Skipped(_))),
            seconds: jobs.iter().map(|(_, job)| seconds(job)).sum(),
        }
    }

    fn text(&self) -> String {
        format!(
            " tests=\"{}\" failures=\"{}\" errors=\"0\" skipped=\"{}\" time=\"{:.3}\"",
            self.tests, self.failures, self.skipped, self.seconds
        )
    }
}

fn seconds(job: &JobProgress) -> f64 {
    job.duration.unwrap_or_default().as_secs_f64()
}

fn case(name: &str, stage: &str, job: &JobProgress, satisfied: bool, text: &mut String) {
    let _ = write!(
        text,
        "    <testcase name=\"{}\" classname=\"{}\" time=\"{:.3}\"",
        attribute(name),
        attribute(stage),
        seconds(job)
    );
    let body = match verdict(job) {
        Verdict::Passed if satisfied => {
            "      <system-out>not run: what it would produce exists</system-out>\n".to_owned()
        }
        Verdict::Passed => String::new(),
        Verdict::Failed => failure(job),
        Verdict::Skipped(why) => format!("      <skipped message=\"{}\"/>\n", attribute(&why)),
    };
    if body.is_empty() {
        text.push_str("/>\n");
    } else {
        let _ = writeln!(text, ">\n{body}    </testcase>");
    }
}

fn failure(job: &JobProgress) -> String {
    let (reason, exit_code) = match job.failure() {
        Some((reason, code)) => (reason.name(), code),
        None => ("failed", None),
    };
    let message = match exit_code {
        Some(code) => format!("{reason}, exit code {code}"),
        None => reason.to_owned(),
    };
    let mut body = format!(
        "      <failure type=\"{}\" message=\"{}\">",
        attribute(reason),
        attribute(&message)
    );
    if let Some(command) = &job.command {
        let _ = write!(body, "last command: {}", escaped(command));
    }
    body.push_str("</failure>\n");
    if !job.lines.is_empty() {
        let lines: Vec<&str> = job.lines.iter().map(|line| &**line).collect();
        let _ = writeln!(
            body,
            "      <system-out>{}</system-out>",
            escaped(&lines.join("\n"))
        );
    }
    body
}
