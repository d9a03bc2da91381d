//! The tree all jobs of a run start from, with a repository of their own below it.

use std::panic::resume_unwind;
use std::path::{Path, PathBuf};

use tidegate_pipeline::Pipeline;
use tidegate_run::{
    Base, BaseTree, SubmoduleFiles, base_tree, keep_submodules, repository_directory,
};
use tidegate_store::{RunId, Store};
use tidegate_workspace::Layer;
use tidegate_world::{
    Subject, Submodule, job_repository, submodules, tracked_paths, write_committed,
};

use crate::exit::Failure;
use crate::project::Project;
use crate::terminal::tell;

/// How long the tree that jobs start from is kept.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// With the run, so that another process can go on with it.
    Run,
    /// While this process needs it.
    Process,
}

/// The tree all jobs start from: a picture of the files, below a repository of their own.
pub(crate) fn base(
    project: &Project,
    store: &Store,
    run: RunId,
    keep: Keep,
    pipeline: &Pipeline,
) -> Result<Base, Failure> {
    let private = store.staging().map_err(|error| failed(&error))?;
    let repository = match keep {
        Keep::Run => repository_directory(store, run),
        Keep::Process => private.path().join("repository"),
    };
    std::fs::create_dir(&repository).map_err(|error| failed(&error))?;
    let checkout = &project.checkout;
    // Git is asked beside it: neither needs what the other finds.
    let (taken, made, tracked) = std::thread::scope(|scope| {
        let made = scope.spawn(|| job_repository(checkout, &repository));
        let tracked = scope.spawn(|| tracked_paths(checkout));
        let taken = Taken::of(project, store, run, private.path());
        (taken, made.join(), tracked.join())
    });
    let Taken {
        tree: taken,
        paths,
        submodules,
    } = taken?;
    let made = made.unwrap_or_else(|panicked| resume_unwind(panicked));
    let made = made.map_err(|error| failed(&error))?;
    let tracked = tracked.unwrap_or_else(|panicked| resume_unwind(panicked));
    let tracked = tracked.map_err(|error| failed(&error))?;
    for skipped in &taken.skipped {
        tell(&format!(
            "warning: jobs do not see {}: {}\n",
            skipped.path.display(),
            skipped.why
        ));
    }
    let kept = match keep {
        Keep::Run => Some(store.keep_base(&taken.entry, run)).transpose(),
        Keep::Process => Ok(None),
    };
    let kept = kept.map_err(|error| failed(&error))?;
    if !submodules.is_empty() {
        let wanted = wants_submodules(pipeline);
        let with_files = |submodule| with_files(submodule, wanted);
        let files: Vec<SubmoduleFiles<'_>> = submodules.iter().map(with_files).collect();
        keep_submodules(&repository, &project.checkout.root, &files)
            .map_err(|error| failed(&error))?;
    }
    let mut layers = taken.layers;
    if made || !submodules.is_empty() {
        layers.push(Layer::borrowed(repository));
    }
    // Without a repository every file counts as tracked.
    let tracked = tracked.unwrap_or_else(|| {
        let mut all = paths;
        all.sort_unstable();
        all
    });
    let guard = Box::new((private, taken.lease, kept));
    Ok(Base {
        layers,
        tracked: tracked.into(),
        guard,
    })
}

/// The picture of the files.
struct Taken {
    tree: BaseTree,
    /// What is in it.
    paths: Vec<PathBuf>,
    submodules: Vec<Submodule>,
}

impl Taken {
    /// `private`: room for what only this needs.
    fn of(project: &Project, store: &Store, run: RunId, private: &Path) -> Result<Self, Failure> {
        let (root, mut paths) = match project.subject {
            Subject::WorkTree => (project.checkout.root.clone(), project.paths()?),
            Subject::Commit => {
                let into = private.join("committed");
                std::fs::create_dir(&into).map_err(|error| failed(&error))?;
                write_committed(&project.checkout, &into).map_err(|error| failed(&error))?;
                (into, project.paths()?)
            }
        };
        let submodules = submodules(&project.checkout).map_err(|error| failed(&error))?;
        paths.retain(|path| submodules.iter().all(|submodule| submodule.path != *path));
        let tree = base_tree(store, &project.key(), &root, &paths, run);
        Ok(Self {
            tree: tree.map_err(|error| failed(&error))?,
            paths,
            submodules,
        })
    }
}

fn failed(error: &dyn std::fmt::Display) -> Failure {
    Failure::unusable(format!(
        "failed to take a picture of the work tree: {error}"
    ))
}

/// A submodule as jobs see it: empty where none of them asks for its files.
fn with_files(submodule: &Submodule, wanted: bool) -> SubmoduleFiles<'_> {
    let Submodule { path, depth, files } = submodule;
    if wanted && files.is_none() {
        let path = path.display();
        tell(&format!(
            "warning: jobs see the submodule {path} empty: it is not checked out; `git submodule update --init` does that\n"
        ));
    }
    SubmoduleFiles {
        path,
        depth: *depth,
        files: files.as_deref().filter(|_| wanted).unwrap_or_default(),
    }
}

/// Whether any job may ask for submodules; jobs of child pipelines are not known yet.
fn wants_submodules(pipeline: &Pipeline) -> bool {
    pipeline.jobs.iter().any(|job| {
        let mut variables = job.variables.layers().iter().flat_map(|layer| layer.iter());
        job.build().is_none()
            || variables.any(|variable| &*variable.key == "GIT_SUBMODULE_STRATEGY")
    })
}
