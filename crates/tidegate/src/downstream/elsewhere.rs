//! Pipelines of other projects: run where a directory is mapped, told where none is.

use std::sync::Arc;

use tidegate_pipeline::{Downstream as Wanted, FailureReason, Status};
use tidegate_run::{Created, Elsewhere, StoredRun, TriggerRequest, Triggered, begin_downstream};
use tidegate_scenario::{InputValue, PipelineSource, Ref, Upstream};
use tidegate_store::RunId;
use tidegate_world::Subject;

use super::project::{Found, Mapped};
use super::{Downstream, MOST_PIPELINES, Origin, refused_plainly, told};
use crate::command::base::{Keep, base};
use crate::command::run::facts;
use crate::exit::Failure;
use crate::project::Project;

/// Runs of a project that are looked through for one of its default branch.
const RUNS: usize = 100;

impl Downstream {
    /// The pipeline of another project.
    pub(super) fn elsewhere(
        &self,
        request: &TriggerRequest,
        lineage: &[Origin],
        above: &Origin,
        path: &Arc<str>,
        branch: Option<&Arc<str>>,
    ) -> Result<Triggered, Failure> {
        let own = &above.scenario.project.path;
        if path.eq_ignore_ascii_case(own) {
            return Ok(refused_plainly(FailureReason::InvalidBridgeTrigger));
        }
        let mapped = match self.mapped(above, path)? {
            Found::Mapped(mapped) => mapped,
            Found::Nowhere(why) => return Ok(not_here(request, path, branch, &why)),
        };
        if request.pipelines >= MOST_PIPELINES {
            return Ok(refused_plainly(
                FailureReason::ReachedMaxPipelineHierarchySize,
            ));
        }
        if loops(lineage) {
            return Ok(refused_plainly(FailureReason::PipelineLoopDetected));
        }
        let project = match situated(*mapped, request, above, path, branch) {
            Ok(project) => project,
            Err(why) => return Ok(not_here(request, path, branch, &why)),
        };
        self.begun(request, project, path)
    }

    fn begun(
        &self,
        request: &TriggerRequest,
        project: Project,
        path: &str,
    ) -> Result<Triggered, Failure> {
        let (loaded, plan) =
            project.in_world_to_run(&request.pins, |world| project.load_and_plan(world))?;
        let pipeline = match self.pipeline_of(&project, &loaded, plan.as_ref()) {
            Ok(pipeline) => pipeline,
            Err(messages) => return Ok(told::not_created(messages)),
        };
        let begun = begin_downstream(&self.store, &project.key(), request.key.pipeline)
            .map_err(|error| Failure::unusable(format!("failed to begin the pipeline: {error}")))?;
        let base = base(&project, &self.store, begun.record.id, Keep::Run, &pipeline)?;
        let mut messages = vec![told::created(&begun, &pipeline, Some(path))];
        messages.extend(told::passed_on(request));
        Ok(Triggered::Created(Box::new(Created {
            begun,
            facts: facts(&project, pipeline),
            base: Some(base),
            messages,
        })))
    }

    /// The status of the latest pipeline of another project's default branch.
    pub(super) fn mirrored(
        &self,
        request: &TriggerRequest,
        above: &Origin,
        path: &Arc<str>,
    ) -> Result<Triggered, Failure> {
        let project = match self.mapped(above, path)? {
            Found::Mapped(mapped) => mapped.project,
            Found::Nowhere(why) => return Ok(not_here(request, path, None, &why)),
        };
        let runs = self.store.runs(Some(&project.key()), RUNS);
        let runs =
            runs.map_err(|error| Failure::unusable(format!("failed to list the runs: {error}")))?;
        let default = &project.scenario.project.default_branch;
        let of_default = |run: RunId| {
            StoredRun::load(&self.store, run)
                .is_ok_and(|facts| facts.git.ref_name == **default && !facts.git.is_tag)
        };
        let latest = runs
            .into_iter()
            .find(|record| record.finished.is_some() && of_default(record.id));
        Ok(
            match latest.and_then(|run| Status::from_name(&run.status)) {
                Some(status) => Triggered::Mirrored(status),
                None => {
                    let why = format!("{path} has no finished run of `{default}` here");
                    not_here(request, path, None, &why)
                }
            },
        )
    }
}

/// The project in the situation of a multi-project pipeline; the error says why its directory is none of it.
fn situated(
    mapped: Mapped,
    request: &TriggerRequest,
    above: &Origin,
    path: &str,
    branch: Option<&Arc<str>>,
) -> Result<Project, String> {
    let Mapped {
        mut project,
        work_tree,
    } = mapped;
    let scenario = &mut project.scenario;
    let default = scenario.project.default_branch.clone();
    let wanted = branch.map_or(default, |branch| branch.to_string());
    let has_git = project.checkout.top.is_some();
    if has_git && !work_tree && scenario.ref_name() != wanted {
        let (place, stands) = (project.checkout.root.display(), scenario.ref_name());
        return Err(format!(
            "{place} stands on `{stands}`, and `{wanted}` is wanted: check it out there, or set `work_tree = true` in the mapping to take the files as they lie there"
        ));
    }
    if scenario.project.path.starts_with("local/") {
        path.clone_into(&mut scenario.project.path);
    }
    scenario.source = PipelineSource::Pipeline;
    if scenario.tag() != Some(&wanted) {
        scenario.git_ref = Ref::Branch(wanted);
    }
    scenario.commit.before_sha = None;
    scenario.new_branch = true;
    scenario.user.clone_from(&above.scenario.user);
    scenario.variables.clone_from(&request.variables);
    scenario.inputs = request
        .bridge
        .inputs
        .iter()
        .filter_map(|(name, text)| {
            let value = serde_json::from_str(text).ok()?;
            Some((name.to_string(), input(value)))
        })
        .collect();
    scenario.upstream = Some(Upstream {
        pipeline_id: request.key.pipeline.0,
        project_id: above.scenario.project.id,
        job_id: request.job_id,
        depth: 0,
    });
    project.subject = match work_tree || !has_git {
        true => Subject::WorkTree,
        false => Subject::Commit,
    };
    project.settings.protect(&mut project.scenario);
    Ok(project)
}

/// Whether the project, ref and source of one pipeline above occur more than twice (reference `compose.md` §8.11).
fn loops(lineage: &[Origin]) -> bool {
    let mut seen: Vec<(&str, &str, &str)> = Vec::new();
    for origin in lineage.iter().filter(|origin| !origin.is_child()) {
        let scenario = &origin.scenario;
        seen.push((
            &scenario.project.path,
            scenario.ref_name(),
            scenario.source.name(),
        ));
    }
    seen.iter()
        .any(|one| seen.iter().filter(|other| *other == one).count() > 2)
}

/// Says what would be triggered.
fn not_here(
    request: &TriggerRequest,
    path: &Arc<str>,
    branch: Option<&Arc<str>>,
    why: &str,
) -> Triggered {
    let on = branch.map_or_else(
        || "its default branch".to_owned(),
        |branch| format!("`{branch}`"),
    );
    let mirrors = matches!(request.bridge.downstream, Wanted::Mirror { .. });
    let what = match mirrors {
        true => format!("Would show the status of the latest pipeline of {path}: {why}"),
        false => format!("Would trigger a pipeline of {path} on {on}; it is not run here: {why}"),
    };
    let mut messages = vec![what];
    if mirrors {
        return Triggered::Elsewhere(Elsewhere {
            project: Arc::clone(path),
            reference: None,
            messages,
        });
    }
    messages.extend(told::passed_on(request));
    Triggered::Elsewhere(Elsewhere {
        project: Arc::clone(path),
        reference: branch.cloned(),
        messages,
    })
}

fn input(value: serde_json::Value) -> InputValue {
    use serde_json::Value;
    match value {
        Value::Null => InputValue::Null,
        Value::Bool(holds) => InputValue::Bool(holds),
        Value::Number(number) => match number.as_i64() {
            Some(number) => InputValue::Integer(number),
            None => InputValue::Float(number.as_f64().unwrap_or_default()),
        },
        Value::String(text) => InputValue::Text(text),
        Value::Array(items) => InputValue::List(items.into_iter().map(input).collect()),
        Value::Object(entries) => InputValue::Map(
            entries
                .into_iter()
                .map(|(key, value)| (key, input(value)))
                .collect(),
        ),
    }
}
