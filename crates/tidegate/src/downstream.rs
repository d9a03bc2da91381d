//! Plans what trigger jobs trigger: child pipelines of the same project, pipelines of projects that are mapped to a directory
//! (reference `compose.md` §8.11).

mod child;
mod elsewhere;
mod needs;
mod origin;
mod project;
mod told;
mod world;

use std::sync::{Arc, Mutex, PoisonError};

use tidegate_pipeline::{Downstream as Wanted, FailureReason};
use tidegate_run::{
    Planner, ProjectNeed, Providers, Refusal, RemoteCaches, StoredRun, TriggerRequest, Triggered,
};
use tidegate_store::{Artifact, Store};
use tidegate_world::Checkout;

use crate::cli::{Executor, Global};
use crate::exit::Failure;
pub(crate) use origin::Origin;
pub(crate) use project::directory_of;

use crate::project::{Project, remote_name};
use crate::remote_cache::{self, for_jobs};

/// Most pipelines in the tree of a run, GitLab's default.
const MOST_PIPELINES: usize = 1000;

/// Plans downstream pipelines.
pub(crate) struct Downstream {
    global: Global,
    executor: Option<Executor>,
    /// Where secrets come from.
    providers: Providers,
    store: Store,
    /// Planning writes the lock of fetched includes.
    turn: Mutex<()>,
}

impl Downstream {
    pub(crate) fn new(
        global: &Global,
        executor: Option<Executor>,
        providers: Providers,
        store: Store,
    ) -> Downstream {
        Downstream {
            global: global.clone(),
            executor,
            providers,
            store,
            turn: Mutex::new(()),
        }
    }

    fn triggered(&self, request: &TriggerRequest) -> Result<Triggered, Failure> {
        let mut lineage = Vec::new();
        for above in &request.lineage {
            lineage.push(Origin::read(&above.origin)?);
        }
        let Some(above) = lineage.first() else {
            return Err(Failure::unusable("a trigger job is of no pipeline"));
        };
        match &request.bridge.downstream {
            Wanted::Child { include } => self.child(request, above, include),
            Wanted::Project { project, branch } => {
                self.elsewhere(request, &lineage, above, project, branch.as_ref())
            }
            Wanted::Mirror { project } => self.mirrored(request, above, project),
        }
    }
}

impl Planner for Downstream {
    fn plan(&self, request: &TriggerRequest) -> Triggered {
        let _turn = self.turn.lock().unwrap_or_else(PoisonError::into_inner);
        self.triggered(request).unwrap_or_else(|failure| {
            let mut messages = vec![failure.message];
            messages.extend(failure.hints.iter().map(|hint| format!("hint: {hint}")));
            refused(FailureReason::DownstreamPipelineCreationFailed, messages)
        })
    }

    fn remote(&self, facts: &StoredRun) -> Option<Arc<dyn RemoteCaches>> {
        // What cannot be read is told where the pipeline is planned.
        let origin = Origin::read(&facts.origin).ok()?;
        let settings = Project::settings_of(origin.place()).ok()?;
        let checkout = Checkout::at(origin.directory.clone(), origin.file.clone());
        let name = remote_name(&checkout, &origin.scenario, &settings);
        let wanted = remote_cache::Wanted::of(&settings, &self.global, &name);
        for_jobs(&wanted, facts.suffix, &self.store, &facts.project.key)
    }

    fn artifacts(&self, wanted: &ProjectNeed) -> Result<Vec<Artifact>, String> {
        let found = self.left_elsewhere(wanted);
        found.map_err(|failure| failure.message)
    }
}

/// No pipeline, in GitLab's words where it has some.
fn refused(reason: FailureReason, messages: Vec<String>) -> Triggered {
    Triggered::Refused(Refusal { reason, messages })
}

/// No pipeline, for a reason GitLab has one sentence for.
fn refused_plainly(reason: FailureReason) -> Triggered {
    let sentence = match reason {
        FailureReason::InvalidBridgeTrigger => {
            "This job could not be executed because downstream pipeline trigger definition is invalid"
        }
        FailureReason::ReachedMaxDescendantPipelinesDepth => {
            "You reached the maximum depth of child pipelines"
        }
        FailureReason::ReachedMaxPipelineHierarchySize => {
            "The downstream pipeline tree is too large"
        }
        FailureReason::PipelineLoopDetected => {
            "This job could not be executed because it would create infinitely looping pipelines"
        }
        _ => "The downstream pipeline could not be created",
    };
    refused(reason, vec![sentence.to_owned()])
}
