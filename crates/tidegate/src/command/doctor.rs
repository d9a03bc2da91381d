//! `tidegate doctor`: what this machine offers, and what a pipeline would miss.

use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};

use serde_json::{Value, json};
use tidegate_plan::{Detail, Outcome};
use tidegate_remote::{Access, Format as RemoteFormat};
use tidegate_store::{Depth, Store};
use tidegate_workspace::{Wanted, probe};

use super::machine::{on_path, providers};
use super::unsupported;
use crate::cli::{Format, Global};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::store_args::DoctorArgs;
use crate::terminal::print;

/// How serious a finding is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Health {
    Good,
    /// Something is slower, or some pipelines miss it.
    Missing,
    /// Nothing runs without it.
    Broken,
}

struct Finding {
    what: &'static str,
    health: Health,
    says: String,
}

/// Prints the findings; something that is broken makes it fail.
pub(crate) fn run(global: &Global, args: &DoctorArgs) -> Result<Exit, Failure> {
    let data = crate::project::data_dir(global.data_dir.as_deref())?;
    let mut findings = vec![
        tool(
            "git",
            Health::Missing,
            "changes, tags and shas are unknown without it",
        ),
        tool("bash", Health::Missing, "sh runs the scripts instead"),
        engine(),
    ];
    findings.extend(workspaces(&data));
    findings.push(store(&data));
    findings.extend(remote(global));
    findings.extend(pipeline(global)?);
    let broken = findings
        .iter()
        .any(|finding| finding.health == Health::Broken);
    print(&match args.format {
        Format::Json => {
            let all: Vec<Value> = findings.iter().map(as_json).collect();
            format!("{}\n", json!({ "healthy": !broken, "findings": all }))
        }
        Format::Human => findings.iter().map(as_text).collect(),
    })?;
    Ok(match broken {
        true => Exit::Failed,
        false => Exit::Fine,
    })
}

fn as_text(finding: &Finding) -> String {
    let mark = match finding.health {
        Health::Good => "ok     ",
        Health::Missing => "missing",
        Health::Broken => "broken ",
    };
    format!("{mark}  {:<14} {}\n", finding.what, finding.says)
}

fn as_json(finding: &Finding) -> Value {
    let health = match finding.health {
        Health::Good => "ok",
        Health::Missing => "missing",
        Health::Broken => "broken",
    };
    json!({ "what": finding.what, "health": health, "says": finding.says })
}

/// Whether a program is on the search path.
fn tool(name: &'static str, otherwise: Health, without: &str) -> Finding {
    match on_path(name) {
        Some(path) => good(name, path.display().to_string()),
        None => Finding {
            what: name,
            health: otherwise,
            says: format!("not on PATH; {without}"),
        },
    }
}

/// Whether a container engine listens; nothing is asked of it.
fn engine() -> Finding {
    let what = "engine";
    let host = std::env::var("DOCKER_HOST")
        .ok()
        .filter(|host| !host.is_empty());
    let named = host
        .as_deref()
        .and_then(|host| host.strip_prefix("unix://"));
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from);
    let places = [
        named.map(PathBuf::from),
        Some(PathBuf::from("/var/run/docker.sock")),
        runtime.map(|dir| dir.join("podman/podman.sock")),
    ];
    let listening = places
        .into_iter()
        .flatten()
        .find(|path| UnixStream::connect(path).is_ok());
    match (listening, &host) {
        (Some(path), _) => good(
            what,
            format!("a container engine listens at {}", path.display()),
        ),
        (None, Some(host)) if named.is_none() => good(what, format!("DOCKER_HOST is {host}")),
        _ => Finding {
            what,
            health: Health::Missing,
            says: "no container engine listens; jobs with an image need --executor shell"
                .to_owned(),
        },
    }
}

fn workspaces(data: &Path) -> Vec<Finding> {
    if let Err(error) = std::fs::create_dir_all(data) {
        return vec![Finding {
            what: "data directory",
            health: Health::Broken,
            says: format!("{} cannot be made: {error}", data.display()),
        }];
    }
    let probed = probe::probe(data);
    let mut findings: Vec<Finding> = probed
        .iter()
        .map(|(backend, reason)| Finding {
            what: backend.name(),
            health: match reason {
                None => Health::Good,
                Some(_) => Health::Missing,
            },
            says: reason.unwrap_or("works here").to_owned(),
        })
        .collect();
    findings.push(match probed.choose(Wanted::Best) {
        Ok(best) => good("work trees", format!("made with {best}")),
        Err(error) => Finding {
            what: "work trees",
            health: Health::Broken,
            says: error.to_string(),
        },
    });
    findings
}

fn store(data: &Path) -> Finding {
    let what = "store";
    let broken = |says: String| Finding {
        what,
        health: Health::Broken,
        says,
    };
    let store = match Store::open(data) {
        Ok(store) => store,
        Err(error) => return broken(error.to_string()),
    };
    match store.verify(Depth::Lstat) {
        Err(error) => broken(error.to_string()),
        Ok(found) => match found.problems.first() {
            None => good(
                what,
                format!("{} trees, {} paths, no problems", found.trees, found.paths),
            ),
            Some(first) => broken(super::cache::problem(first)),
        },
    }
}

/// Whether the remote cache answers; nothing where the project has none. Without secrets: those are not in what is shown of a place.
fn remote(global: &Global) -> Option<Finding> {
    let what = "remote cache";
    let missing = |says: String| Finding {
        what,
        health: Health::Missing,
        says,
    };
    let project = Project::open(global, &crate::cli::ScenarioArgs::default()).ok()?;
    let remote = match project.remote.open(project.cache_suffix()) {
        Ok(remote) => remote?,
        Err(why) => return Some(missing(why)),
    };
    let access = match remote.access() {
        Access::ReadOnly => "read only",
        Access::ReadWrite => "read and written",
    };
    let format = match remote.format() {
        RemoteFormat::Tidegate => "our own format",
        RemoteFormat::GitlabRunner => "the format of GitLab's runner",
    };
    Some(match remote.check() {
        Ok(()) => good(
            what,
            format!("{} answers; {access}, in {format}", remote.place()),
        ),
        Err(error) => missing(format!("{}: failed to {error}", remote.place())),
    })
}

/// What the pipeline of the project asks for that a run cannot give; nothing where there is no project.
fn pipeline(global: &Global) -> Result<Vec<Finding>, Failure> {
    let what = "pipeline";
    let Ok(project) = Project::open(global, &crate::cli::ScenarioArgs::default()) else {
        return Ok(Vec::new());
    };
    let loaded = project.load()?;
    let Some(config) = loaded.config.as_ref().filter(|_| loaded.is_valid()) else {
        let says = "the configuration has errors; `tidegate lint` shows them".to_owned();
        return Ok(vec![Finding {
            what,
            health: Health::Missing,
            says,
        }]);
    };
    let plan = project.plan(&loaded, &Detail::Compact)?;
    let Some(Outcome::Created(pipeline)) = plan.map(|plan| plan.outcome) else {
        return Ok(vec![good(what, "nothing would run now".to_owned())]);
    };
    let means = unsupported::Means {
        executor: None,
        providers: &providers(&project),
        downstream: false,
        project: &project,
    };
    let problems = unsupported::problems(config, &pipeline, &means);
    if problems.is_empty() {
        let says = format!(
            "everything its {} jobs ask for is there",
            pipeline.jobs.len()
        );
        return Ok(vec![good(what, says)]);
    }
    Ok(problems
        .into_iter()
        .map(|problem| Finding {
            what,
            health: Health::Missing,
            says: problem.message,
        })
        .collect())
}

fn good(what: &'static str, says: String) -> Finding {
    Finding {
        what,
        health: Health::Good,
        says,
    }
}
