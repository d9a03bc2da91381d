//! `tidegate run --watch`: runs the pipeline, then again what a change of files touches, until it is interrupted.

mod affected;
mod tree;

use std::path::PathBuf;
use std::sync::mpsc::{Receiver, Sender, channel};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;
use tidegate_pipeline::Status;
use tidegate_report::run::Progress;

use super::machine::failed;
use super::run::{planned, start};
use crate::cli::{Global, RunArgs};
use crate::exit::{Exit, Failure};
use crate::project::Project;
use crate::terminal::tell;
use affected::{Before, affected};
use tree::Tree;

/// Why waiting ended.
pub(super) enum Wake {
    /// Something happened to a watched directory.
    Touched,
    /// The user interrupted.
    Stop,
}

/// How many changed paths are named.
const NAMED: usize = 5;

/// Runs until interrupted; how the pipelines ended does not count.
pub(super) fn run(global: &Global, args: &RunArgs) -> Result<Exit, Failure> {
    let (sender, wakes) = channel();
    stop_on_signal(sender.clone())?;
    let project = Project::open(global, &args.scenario)?;
    let mut tree = Tree::watch(project, own_files(args), sender)?;
    let mut before = Before::default();
    let mut changed = None;
    loop {
        match once(global, args, changed.as_deref(), &mut before) {
            Ok(Exit::Interrupted) => return Ok(Exit::Interrupted),
            Ok(_) => {}
            // What is wrong now may be mended by the next change.
            Err(failure) => {
                crate::tell(&failure);
            }
        }
        let files = tree.len();
        tell(&format!("watching {files} files; Ctrl-C ends\n"));
        match wait(&mut tree, &wakes)? {
            Some(paths) => {
                tell(&format!("\nchanged: {}\n", named(&paths)));
                changed = Some(paths);
            }
            None => return Ok(Exit::Interrupted),
        }
    }
}

/// Plans afresh and runs what is touched; everything the first time.
fn once(
    global: &Global,
    args: &RunArgs,
    changed: Option<&[PathBuf]>,
    before: &mut Before,
) -> Result<Exit, Failure> {
    let project = Project::open(global, &args.scenario)?;
    let planned = planned(global, args, &project)?;
    let whole = planned.pipeline.clone();
    let part = match changed {
        Some(changed) => affected(&project, &planned, changed, before)?,
        None => whole.clone(),
    };
    if part.jobs.is_empty() {
        before.planned(whole);
        tell("no job depends on that\n");
        return Ok(Exit::Fine);
    }
    let (exit, progress) = start(global, args, &project, planned.with(part))?;
    before.planned(whole);
    before.ran(ran(progress.root()));
    Ok(exit)
}

/// Names of jobs with whether they came to a result of their own.
fn ran(progress: &Progress) -> impl Iterator<Item = (std::sync::Arc<str>, bool)> {
    progress.in_stage_order().map(|(at, job)| {
        let has_result = matches!(
            job.status,
            Status::Success | Status::Failed | Status::Manual
        );
        (progress.pipeline().job(at).name.clone(), has_result)
    })
}

/// Waits for files that differ; `None` where the user wants to end.
fn wait(tree: &mut Tree, wakes: &Receiver<Wake>) -> Result<Option<Vec<PathBuf>>, Failure> {
    // What changed while jobs ran was noticed then.
    loop {
        let changed = tree.changed()?;
        if !changed.is_empty() {
            return Ok(Some(changed));
        }
        match wakes.recv() {
            Ok(Wake::Touched) => {
                if tree::settled(wakes) == tree::Settled::Stop {
                    return Ok(None);
                }
            }
            // The sender lives in the signal's thread as long as the process.
            Ok(Wake::Stop) | Err(_) => return Ok(None),
        }
    }
}

fn stop_on_signal(sender: Sender<Wake>) -> Result<(), Failure> {
    let mut signals =
        Signals::new([SIGINT, SIGTERM, SIGHUP]).map_err(|error| failed("catch signals", &error))?;
    let thread = std::thread::Builder::new().name("watch signals".to_owned());
    let started = thread.spawn(move || {
        for _ in signals.forever() {
            // An error says that the process ends.
            let _ = sender.send(Wake::Stop);
        }
    });
    started
        .map(|_| ())
        .map_err(|error| failed("catch signals", &error))
}

/// What a run writes itself, which must not start the next one.
fn own_files(args: &RunArgs) -> Vec<PathBuf> {
    let reports = [&args.junit, &args.html].into_iter().flatten();
    reports
        .filter_map(|path| std::path::absolute(path).ok())
        .collect()
}

fn named(paths: &[PathBuf]) -> String {
    let names: Vec<String> = paths
        .iter()
        .take(NAMED)
        .map(|path| path.display().to_string())
        .collect();
    match paths.len().saturating_sub(NAMED) {
        0 => names.join(", "),
        more => format!("{} and {more} more", names.join(", ")),
    }
}
