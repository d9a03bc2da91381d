//! What a planned job does, made of what its configuration says.

use std::sync::Arc;

use tidegate_config::{JobBody, JobKind, Text, Trigger, TriggerTarget};
use tidegate_pipeline::{Action, Artifacts, Bridge, Build, Downstream, Image};
use tidegate_scenario::WorldError;

use crate::cache_clause::created_keys;
use crate::scope::Scope;

/// What the job does. Builds do not depend on variables, so all instances of a parallel job share one.
pub(crate) fn action(scope: &Scope<'_>) -> Result<Action, WorldError> {
    if let Some(known) = scope.body.action.get() {
        return Ok(known.clone());
    }
    let body = scope.written();
    match &body.kind {
        JobKind::Build => {
            let keys = created_keys(scope)?;
            let keys = keys.iter().map(|key| key.text.clone()).collect();
            let action = Action::Build(Arc::new(build(body, keys)));
            Ok(scope.body.action.get_or_init(|| action).clone())
        }
        JobKind::Bridge(trigger) => Ok(Action::Bridge(Arc::new(bridge(trigger, scope)))),
    }
}

fn build(body: &JobBody, cache_keys: Vec<Arc<str>>) -> Build {
    let lines = |lines: &[Text]| lines.iter().map(|line| line.value.clone()).collect();
    let further = body.further.iter();
    Build {
        before_script: lines(&body.inheritable.before_script),
        script: lines(&body.script),
        after_script: lines(&body.inheritable.after_script),
        pre_get_sources_script: lines(&body.inheritable.pre_get_sources_script),
        image: body
            .inheritable
            .image
            .as_ref()
            .map(|image| Image::clone(&image.value)),
        services: body
            .inheritable
            .services
            .iter()
            .map(|s| s.value.clone())
            .collect(),
        caches: body
            .inheritable
            .caches
            .iter()
            .map(|c| c.value.clone())
            .collect(),
        cache_keys,
        artifacts: body
            .inheritable
            .artifacts
            .as_ref()
            .map(|a| Artifacts::clone(&a.value)),
        timeout: body
            .inheritable
            .timeout
            .as_ref()
            .map(|timeout| timeout.value.clone()),
        coverage: body.coverage.as_ref().map(|text| text.value.clone()),
        publish: body.publish.as_ref().map(|folder| folder.value.clone()),
        further: further
            .map(|(name, value)| (name.value.clone(), value.to_string().into()))
            .collect(),
    }
}

fn bridge(trigger: &Trigger, scope: &Scope<'_>) -> Bridge {
    let downstream = match &trigger.target {
        TriggerTarget::Child(include) => Downstream::Child {
            include: include.value.to_string().into(),
        },
        TriggerTarget::Project { project, branch } => Downstream::Project {
            project: scope.blank(&project.value),
            branch: branch.as_ref().map(|branch| scope.blank(&branch.value)),
        },
        TriggerTarget::Mirror { project } => Downstream::Mirror {
            project: scope.blank(&project.value),
        },
    };
    let inputs = trigger.inputs.iter();
    Bridge {
        downstream,
        strategy: trigger.strategy,
        forward_yaml_variables: trigger.forward_yaml_variables.unwrap_or(true),
        forward_pipeline_variables: trigger.forward_pipeline_variables.unwrap_or(false),
        inputs: inputs
            .map(|(name, value)| (name.clone(), value.to_string().into()))
            .collect(),
    }
}
