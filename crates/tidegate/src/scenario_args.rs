//! From the command line to a scenario.

use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{InputValue, PipelineSource, Ref, Scenario};
use tidegate_world::Checkout;

use crate::cli::ScenarioArgs;
use crate::exit::Failure;

/// Changes the scenario as the arguments say.
pub(crate) fn apply(
    scenario: &mut Scenario,
    checkout: &Checkout,
    args: &ScenarioArgs,
) -> Result<(), Failure> {
    if let Some(branch) = &args.git_ref {
        scenario.git_ref = Ref::Branch(branch.clone());
    }
    if let Some(tag) = &args.tag {
        scenario.git_ref = Ref::Tag(tag.clone());
        scenario.commit.before_sha = None;
    }
    if let Some(name) = &args.event {
        scenario.source = source(name)?;
    }
    if let Some(base) = &args.base
        && checkout.commit_of(base).is_none()
    {
        return Err(Failure::unusable(format!(
            "failed to find the commit `{base}` of --base"
        )));
    }
    if !args.changed.is_empty() {
        scenario.overrides.changed_paths = Some(Some(args.changed.clone()));
    }
    for given in &args.variables {
        let (key, value) = pair(given, "--variable")?;
        scenario
            .variables
            .push(Variable::new(key, value, VariableSource::Given));
    }
    for given in &args.inputs {
        let (key, value) = pair(given, "--input")?;
        scenario
            .inputs
            .insert(key.to_owned(), InputValue::Text(value.to_owned()));
    }
    Ok(())
}

fn pair<'a>(given: &'a str, flag: &str) -> Result<(&'a str, &'a str), Failure> {
    let parts = given.split_once('=').filter(|(key, _)| !key.is_empty());
    parts.ok_or_else(|| Failure::unusable(format!("{flag} {given}: expected KEY=VALUE")))
}

fn source(name: &str) -> Result<PipelineSource, Failure> {
    let found = PipelineSource::from_name(name).filter(|source| {
        // These need more than a name: what is merged, or which pipeline and job are above.
        !matches!(
            source,
            PipelineSource::MergeRequestEvent
                | PipelineSource::ExternalPullRequestEvent
                | PipelineSource::ParentPipeline
        )
    });
    found.ok_or_else(|| {
        Failure::unusable(format!(
            "--event {name}: no such event, or one that cannot be simulated yet"
        ))
        .hint("known events: push, web, trigger, schedule, api, external, pipeline, chat, webide")
    })
}
