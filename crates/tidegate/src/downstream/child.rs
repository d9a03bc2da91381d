//! Child pipelines: the same project, another configuration.

use tidegate_config::RootFile;
use tidegate_pipeline::FailureReason;
use tidegate_run::{Created, TriggerRequest, Triggered, begin_downstream};
use tidegate_scenario::{PipelineSource, Scenario, Upstream};
use tidegate_store::{ArtifactFilter, RunId};

use super::world::ChildWorld;
use super::{Downstream, MOST_PIPELINES, Origin, refused_plainly, told};
use crate::command::run::facts;
use crate::exit::Failure;
use crate::project::Project;

/// Child pipelines below one another (reference `compose.md` §8.11).
const DEEPEST: u32 = 2;

impl Downstream {
    /// The child pipeline of a trigger job; `include` is the value of `trigger:include` as JSON.
    pub(super) fn child(
        &self,
        request: &TriggerRequest,
        above: &Origin,
        include: &str,
    ) -> Result<Triggered, Failure> {
        let depth = above.depth() + 1;
        if depth > DEEPEST {
            return Ok(refused_plainly(
                FailureReason::ReachedMaxDescendantPipelinesDepth,
            ));
        }
        if request.pipelines >= MOST_PIPELINES {
            return Ok(refused_plainly(
                FailureReason::ReachedMaxPipelineHierarchySize,
            ));
        }
        if let Some(missing) = self.missing_artifacts(request, include)? {
            return Ok(told::not_created(vec![missing]));
        }
        let scenario = of_child(request, &above.scenario, depth);
        // JSON is YAML; a name people know stands for the text nobody wrote.
        let root = RootFile {
            name: format!("trigger:include of `{}`", request.job),
            bytes: format!("{{\"include\": {include}}}").into_bytes().into(),
        };
        let project = Project::again(&self.global, above.place(), scenario, root, &self.store)?;
        let (mut loaded, plan) = project.in_world_to_run(&request.pins, |world| {
            project.load_and_plan(&ChildWorld {
                inner: world,
                store: &self.store,
                parent: RunId(request.key.pipeline.0),
                tree: request.tree.first().cloned(),
            })
        })?;
        loaded.sources.root_is_made();
        let pipeline = match self.pipeline_of(&project, &loaded, plan.as_ref()) {
            Ok(pipeline) => pipeline,
            Err(messages) => return Ok(told::not_created(messages)),
        };
        let begun = begin_downstream(&self.store, &project.key(), request.key.pipeline)
            .map_err(|error| Failure::unusable(format!("failed to begin the pipeline: {error}")))?;
        let messages = vec![told::created(&begun, &pipeline, None)];
        Ok(Triggered::Created(Box::new(Created {
            begun,
            facts: facts(&project, pipeline),
            base: None,
            messages,
        })))
    }

    /// What GitLab says of an artifact to include that no job left.
    fn missing_artifacts(
        &self,
        request: &TriggerRequest,
        include: &str,
    ) -> Result<Option<String>, Failure> {
        let value: serde_json::Value = serde_json::from_str(include)
            .map_err(|error| Failure::unusable(format!("failed to read the include: {error}")))?;
        for entry in value.as_array().into_iter().flatten() {
            let (Some(_), Some(job)) = (entry.get("artifact"), entry.get("job")) else {
                continue;
            };
            let Some(job) = job.as_str().filter(|job| !job.contains('$')) else {
                continue;
            };
            let filter = ArtifactFilter {
                run: Some(RunId(request.key.pipeline.0)),
                job: Some(job),
                attempt: None,
                r#type: Some("archive"),
            };
            let found = self.store.find_artifacts(filter).map_err(|error| {
                Failure::unusable(format!("failed to look for artifacts: {error}"))
            })?;
            if found.is_empty() {
                return Ok(Some(format!(
                    "Job `{job}` not found in parent pipeline or does not have artifacts!"
                )));
            }
        }
        Ok(None)
    }
}

/// The parent's situation, caused by its trigger job. `[skip ci]` does not count, nor what a person gave with a push.
fn of_child(request: &TriggerRequest, parent: &Scenario, depth: u32) -> Scenario {
    Scenario {
        source: PipelineSource::ParentPipeline,
        variables: request.variables.clone(),
        inputs: Default::default(),
        schedule: None,
        chat_job: None,
        push_options: Default::default(),
        created_at: None,
        upstream: Some(Upstream {
            pipeline_id: request.key.pipeline.0,
            project_id: parent.project.id,
            job_id: request.job_id,
            depth,
        }),
        ..parent.clone()
    }
}
