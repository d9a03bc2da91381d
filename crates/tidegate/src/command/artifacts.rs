//! `tidegate artifacts`: what jobs left, listed, copied, packed.

use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use serde_json::{Value, json};
use tidegate_remote::pack;
use tidegate_store::{Artifact, ArtifactFilter, RunId, Store};
use tidegate_workspace::{Kind, Union};

use super::cache::{empty_directory, open_store};
use super::run_tree::RunTree;
use crate::amount::{age, bytes, unix};
use crate::cli::{Format, Global, ScenarioArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::store_args::{
    ArtifactsArgs, ArtifactsCommand, ArtifactsExportArgs, ArtifactsGetArgs, ArtifactsLsArgs,
    ArtifactsOpenArgs,
};
use crate::terminal::{print, tell};

/// The kind that holds what `artifacts:paths` means.
const ARCHIVE: &str = "archive";
/// Runs that are looked through for a job.
const RUNS: usize = 1000;

/// Does what the subcommand says.
pub(crate) fn run(global: &Global, args: &ArtifactsArgs) -> Result<Exit, Failure> {
    let project = Project::open(global, &ScenarioArgs::default())?;
    let artifacts = Artifacts {
        store: open_store(&project.data_dir)?,
        project: project.key(),
    };
    match &args.command {
        ArtifactsCommand::Ls(args) => artifacts.list(args),
        ArtifactsCommand::Get(args) => artifacts.get(args),
        ArtifactsCommand::Open(args) => artifacts.open(args),
        ArtifactsCommand::Export(args) => artifacts.export(args),
    }
}

/// The project's part of the store.
struct Artifacts {
    store: Store,
    project: String,
}

impl Artifacts {
    fn list(&self, args: &ArtifactsLsArgs) -> Result<Exit, Failure> {
        let run = match args.run {
            Some(run) => Some(self.known(run)?),
            None => self.runs()?.first().copied(),
        };
        let mut found = Vec::new();
        for (id, before) in run.map_or_else(Vec::new, |run| self.pipelines(run)) {
            for artifact in self.of_run(id, None)? {
                found.push(Artifact {
                    job: format!("{before}{}", artifact.job),
                    ..artifact
                });
            }
        }
        print(&match args.format {
            Format::Json => {
                let all: Vec<Value> = found.iter().map(as_json).collect();
                format!(
                    "{}\n",
                    json!({ "run": run.map(|run| run.0), "artifacts": all })
                )
            }
            Format::Human => match (run, &*found) {
                (None, _) => "no runs yet\n".to_owned(),
                (Some(run), []) => format!("run {run} left no artifacts\n"),
                (Some(run), found) => format!("run {run}\n{}", table(found)),
            },
        })?;
        Ok(Exit::Fine)
    }

    fn get(&self, args: &ArtifactsGetArgs) -> Result<Exit, Failure> {
        let found = self.find(&args.job, args.run, &args.kind)?;
        empty_directory(&args.into)?;
        found
            .copy_to(&args.into)
            .map_err(|error| Failure::unusable(format!("failed to copy the artifacts: {error}")))?;
        let place = args.into.display();
        tell(&format!("{} files copied to {place}\n", found.files));
        Ok(Exit::Fine)
    }

    /// Prints where a file, or all of them, can be read.
    fn open(&self, args: &ArtifactsOpenArgs) -> Result<Exit, Failure> {
        let found = self.find(&args.job, args.run, &args.kind)?;
        let mut path = found.tree;
        if let Some(inside) = &args.path {
            let missing =
                || Failure::failed(format!("`{}` left no {}", args.job, inside.display()));
            tidegate_store::safe_path(inside)
                .map_err(|fault| Failure::unusable(format!("{}: {fault}", inside.display())))?;
            // A link, also on the way, could lead anywhere; what it leads to is no artifact.
            let looked = Union::of_plain(&path).and_then(|tree| tree.lookup(inside));
            let there = looked.map_err(|_| missing())?.ok_or_else(missing)?;
            if there.kind == Kind::Symlink {
                return Err(missing());
            }
            path.push(inside);
        }
        print(&format!("{}\n", path.display()))?;
        Ok(Exit::Fine)
    }

    fn export(&self, args: &ArtifactsExportArgs) -> Result<Exit, Failure> {
        let found = self.find(&args.job, args.run, &args.kind)?;
        let file = args.archive.clone();
        let file =
            file.unwrap_or_else(|| PathBuf::from(format!("{}.zip", plain_name(&found.name))));
        let packed = write_whole(&file, &found.tree)?;
        tell(&format!(
            "{} files packed into {}\n",
            packed.files,
            file.display()
        ));
        Ok(Exit::Fine)
    }

    /// The run of this number, if the project has it.
    fn known(&self, run: u64) -> Result<RunId, Failure> {
        let runs = self.runs()?;
        // One of another pipeline of the same run is known by its artifacts.
        if runs.contains(&RunId(run)) || !self.of_run(RunId(run), None)?.is_empty() {
            return Ok(RunId(run));
        }
        let failure = Failure::failed(format!("there is no run {run}"));
        Err(match runs.first() {
            Some(newest) => failure.hint(format!(
                "the newest is {newest}; `tidegate runs` lists them"
            )),
            None => failure.hint("this project has no runs yet"),
        })
    }

    /// Runs of the project, newest first.
    fn runs(&self) -> Result<Vec<RunId>, Failure> {
        let runs = self.store.runs(Some(&self.project), RUNS);
        let runs =
            runs.map_err(|error| Failure::unusable(format!("failed to list the runs: {error}")))?;
        Ok(runs.into_iter().map(|run| run.id).collect())
    }

    /// The pipelines of a run, with what stands before the names of their jobs; the run alone where its log tells nothing.
    fn pipelines(&self, run: RunId) -> Vec<(RunId, String)> {
        let Ok(tree) = RunTree::read(&self.store, run) else {
            return vec![(run, String::new())];
        };
        let present = tree.members().iter().filter(|member| member.is_present);
        present
            .map(|member| (RunId(member.id.0), member.qualified("")))
            .collect()
    }

    fn of_run(&self, run: RunId, job: Option<&str>) -> Result<Vec<Artifact>, Failure> {
        let filter = ArtifactFilter {
            run: Some(run),
            job,
            ..ArtifactFilter::default()
        };
        self.store
            .find_artifacts(filter)
            .map_err(|error| Failure::unusable(format!("failed to look for artifacts: {error}")))
    }

    /// The newest of a job: of the run given, or of the newest that has some.
    fn find(&self, job: &str, run: Option<u64>, kind: &str) -> Result<Artifact, Failure> {
        let runs = match run {
            Some(run) => vec![self.known(run)?],
            None => self.runs()?,
        };
        let mut kinds = Vec::new();
        for run in runs {
            for (id, before) in self.pipelines(run) {
                let Some(name) = job.strip_prefix(&before) else {
                    continue;
                };
                let found = self.of_run(id, Some(name))?;
                if kinds.is_empty() {
                    kinds = found
                        .iter()
                        .map(|artifact| artifact.r#type.clone())
                        .collect();
                }
                let mut found = found.into_iter();
                if let Some(found) = found.rfind(|artifact| artifact.r#type == kind) {
                    return Ok(found);
                }
            }
        }
        let what = match kind {
            ARCHIVE => "are no artifacts".to_owned(),
            kind => format!("is no {kind} report"),
        };
        let failure = Failure::failed(format!("there {what} of the job `{job}`"));
        kinds.sort_unstable();
        kinds.dedup();
        Err(match kinds.is_empty() {
            true => failure.hint("`tidegate artifacts ls` shows what there is"),
            false => failure.hint(format!("`--kind` may be: {}", kinds.join(", "))),
        })
    }
}

fn table(found: &[Artifact]) -> String {
    let now = SystemTime::now();
    let width = found
        .iter()
        .map(|artifact| artifact.job.chars().count())
        .max();
    let width = width.unwrap_or_default().min(40);
    let line = |artifact: &Artifact| {
        let expiry = match artifact.expires {
            None => "kept".to_owned(),
            Some(at) if at <= now => "expired".to_owned(),
            Some(at) => {
                let left = at.duration_since(now).unwrap_or_default().as_secs();
                match left {
                    0..7200 => format!("expires in {} min", left / 60),
                    7200..172_800 => format!("expires in {} h", left / 3600),
                    _ => format!("expires in {} d", left / 86_400),
                }
            }
        };
        format!(
            "{:<width$}  {:<10} {:>9}  {:>6} files  {}, {expiry}\n",
            artifact.job,
            artifact.r#type,
            bytes(artifact.bytes),
            artifact.files,
            age(artifact.created, now),
        )
    };
    found.iter().map(line).collect()
}

fn as_json(artifact: &Artifact) -> Value {
    json!({
        "id": artifact.id,
        "run": artifact.run.0,
        "job": artifact.job,
        "attempt": artifact.attempt,
        "name": artifact.name,
        "kind": artifact.r#type,
        "bytes": artifact.bytes,
        "files": artifact.files,
        "created": unix(artifact.created),
        "expires": artifact.expires.map(unix),
    })
}

/// Packs beside the target and renames, so that a half-written archive never has its name.
fn write_whole(target: &Path, tree: &Path) -> Result<tidegate_remote::Packed, Failure> {
    let place = target.display();
    let failed = |error: &dyn std::fmt::Display| {
        Failure::unusable(format!("failed to write {place}: {error}"))
    };
    if target.is_dir() {
        return Err(failed(&"it is a directory"));
    }
    let mut part = target.as_os_str().to_owned();
    part.push(format!(".{}.part", std::process::id()));
    let part = PathBuf::from(part);
    let mut file = File::create(&part).map_err(|error| failed(&error))?;
    let packed = pack(tree, std::io::BufWriter::new(&file)).map_err(|error| failed(&error));
    let done = packed.and_then(|packed| {
        file.flush().map_err(|error| failed(&error))?;
        std::fs::rename(&part, target).map_err(|error| failed(&error))?;
        Ok(packed)
    });
    if done.is_err() {
        // Nothing more can be done about a file that cannot be removed.
        let _ = std::fs::remove_file(&part);
    }
    done
}

/// A name that is one path component.
fn plain_name(name: &str) -> String {
    match name.replace('/', "-") {
        name if matches!(&*name, "" | "." | "..") => "artifacts".to_owned(),
        name => name,
    }
}
