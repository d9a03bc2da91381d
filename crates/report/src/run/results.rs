//! What jobs left besides artifacts, line by line.

use std::fmt::Write as _;

use tidegate_pipeline::{EnvironmentResult, JobResult, PagesResult, ReleaseResult, Status};

use super::run_progress::{Member, RunProgress};
use super::summary::quoted;

/// One line for every environment, release and site that the jobs of a run left, without the line break.
///
/// `run` is named in commands; without it they are about the last run. An environment stands as what was last done to it.
pub fn results(progress: &RunProgress, run: Option<u64>) -> Vec<String> {
    let members = progress.members();
    let all = members.iter().flat_map(|member| of_member(member, run));
    all.collect()
}

fn of_member(member: &Member<'_>, run: Option<u64>) -> Vec<String> {
    let all = member.progress.results();
    let mut lines = Vec::new();
    for (at, (job, result)) in all.iter().enumerate() {
        lines.push(match result {
            JobResult::Environment(it) => {
                let later = all[at + 1..]
                    .iter()
                    .any(|(_, later)| is_of(later, &it.name));
                if later {
                    continue;
                }
                environment(member, it, run)
            }
            JobResult::Release(it) => release(it),
            JobResult::Pages(it) => pages(it, &member.name(*job), run),
        });
    }
    lines
}

fn is_of(result: &JobResult, environment: &str) -> bool {
    matches!(result, JobResult::Environment(it) if it.name == environment)
}

fn environment(member: &Member<'_>, it: &EnvironmentResult, run: Option<u64>) -> String {
    let mut line = format!("environment {}: ", it.name);
    match (&*it.action, &it.url) {
        ("stop", _) => {
            line.push_str("stopped");
            return line;
        }
        ("start", Some(url)) => line.push_str(url),
        ("start", None) => line.push_str("deployed"),
        ("prepare", _) => line.push_str("prepared"),
        ("verify", _) => line.push_str("verified"),
        (_, _) => line.push_str("accessed"),
    }
    if let Some(period) = &it.auto_stop_in {
        let _ = write!(line, ", GitLab would stop it in {period}");
    }
    if let Some(stop) = &it.on_stop {
        let found = member.progress.pipeline().find(stop);
        match found.map(|at| (at, member.progress.job(at).status)) {
            Some((at, Status::Manual)) => {
                let _ = write!(
                    line,
                    "; stop with `tidegate run --play {}{}`",
                    quoted(&member.name(at)),
                    of_run(run)
                );
            }
            Some(_) => {}
            None => {
                let _ = write!(line, "; its stop job {} is not in this run", quoted(stop));
            }
        }
    }
    line
}

fn release(it: &ReleaseResult) -> String {
    let mut line = format!("release {}", it.tag_name);
    if let Some(name) = it.name.as_deref().filter(|name| *name != it.tag_name) {
        let _ = write!(line, " \"{name}\"");
    }
    let first = it.description.lines().next().unwrap_or_default();
    let _ = write!(line, ": {first}");
    for (name, url) in &it.links {
        let _ = write!(line, ", {name} {url}");
    }
    line + " (recorded, not published)"
}

fn pages(it: &PagesResult, job: &str, run: Option<u64>) -> String {
    let mut line = format!("pages: {}", it.folder);
    if let Some(prefix) = it
        .path_prefix
        .as_deref()
        .filter(|prefix| !prefix.is_empty())
    {
        let _ = write!(line, " below /{}", prefix.trim_start_matches('/'));
    }
    let _ = write!(
        line,
        "; `tidegate artifacts open {}{}` shows the folder",
        quoted(job),
        of_run(run)
    );
    line
}

fn of_run(run: Option<u64>) -> String {
    run.map_or_else(String::new, |run| format!(" --run {run}"))
}
