//! From what the user states to a scenario.

use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{
    MergeRequest, MergeRequestKind, PipelineSource, Ref, Scenario, SettingVariable,
};
use tidegate_world::Checkout;

use crate::exit::Failure;
use crate::statement::{StatedMergeRequest, Statement};

/// Changes the scenario as stated, in all but what it runs for, which [`apply_ref`] has set: settings come between the two, since
/// whether a ref is protected depends on which it is.
pub(crate) fn apply(
    scenario: &mut Scenario,
    checkout: &Checkout,
    stated: Statement,
) -> Result<(), Failure> {
    if let Some(base) = &stated.base
        && checkout.commit_of(base).is_none()
    {
        return Err(Failure::unusable(format!(
            "failed to find the commit `{base}` of --base"
        )));
    }
    // What git knows of a ref that was stated, or stood on.
    match &mut scenario.git_ref {
        Ref::Tag(tag) => scenario.commit.tag_message = checkout.tag_message(tag),
        Ref::MergeRequest(request) => {
            request.diff_base_sha = checkout.merge_base(&request.target_branch);
        }
        Ref::Branch(_) => {}
    }
    if let Some(protected) = stated.protected {
        scenario.protected = protected;
    }
    if let Some(role) = stated.role {
        scenario.user.role = role;
    }
    if let Some(message) = stated.commit_message {
        scenario.commit.message = message;
    }
    if let Some(active) = stated.kubernetes_active {
        scenario.project.kubernetes_active = active;
    }
    if stated.changed.is_some() {
        scenario.overrides.changed_paths = stated.changed;
    }
    scenario.schedule = stated.schedule.or(scenario.schedule.take());
    scenario.push_options.extend(stated.push_options);
    scenario.overrides.caches.extend(stated.caches);
    scenario.inputs.extend(stated.inputs);
    let given = |(key, value): (String, String)| Variable::new(key, value, VariableSource::Given);
    scenario
        .variables
        .extend(stated.variables.into_iter().map(given));
    let setting = |(key, value): (String, String)| SettingVariable {
        variable: Variable::new(key, value, VariableSource::SettingProject),
        protected: false,
        environment_scope: "*".to_owned(),
    };
    scenario
        .settings
        .extend(stated.project_variables.into_iter().map(setting));
    Ok(())
}

/// Sets what the pipeline runs for.
pub(crate) fn apply_ref(scenario: &mut Scenario, stated: &Statement) -> Result<(), Failure> {
    if let Some(branch) = &stated.branch {
        scenario.git_ref = Ref::Branch(branch.clone());
    }
    if let Some(tag) = &stated.tag {
        scenario.git_ref = Ref::Tag(tag.clone());
        scenario.commit.before_sha = None;
    }
    if let Some(source) = stated.source {
        scenario.source = source;
    }
    match (&stated.merge_request, scenario.source) {
        (Some(request), _) => {
            scenario.source = PipelineSource::MergeRequestEvent;
            let request = merge_request(request, scenario)?;
            scenario.git_ref = Ref::MergeRequest(Box::new(request));
            scenario.commit.before_sha = None;
        }
        (None, PipelineSource::MergeRequestEvent) => {
            let target = scenario.project.default_branch.clone();
            let stated = StatedMergeRequest {
                target,
                ..StatedMergeRequest::default()
            };
            let request = merge_request(&stated, scenario)?;
            scenario.git_ref = Ref::MergeRequest(Box::new(request));
            scenario.commit.before_sha = None;
        }
        (None, PipelineSource::Push) => {}
        // Nobody pushed, so there is no commit before (reference `compose.md` §2.3).
        (None, _) => scenario.commit.before_sha = None,
    }
    Ok(())
}

fn merge_request(
    stated: &StatedMergeRequest,
    scenario: &Scenario,
) -> Result<MergeRequest, Failure> {
    let kind = match stated.kind.as_deref() {
        None | Some("detached") => MergeRequestKind::Detached,
        Some("merged_result") => MergeRequestKind::MergedResult,
        Some("merge_train" | "train") => MergeRequestKind::Train,
        Some(other) => {
            return Err(Failure::unusable(format!(
                "no such kind of merge request pipeline: {other}"
            ))
            .hint("known kinds: detached, merged_result, merge_train"));
        }
    };
    let title = scenario.commit.message.lines().next().unwrap_or_default();
    Ok(MergeRequest {
        iid: stated.iid.unwrap_or(1),
        source_branch: stated
            .source
            .clone()
            .unwrap_or_else(|| scenario.ref_name().to_owned()),
        target_branch: stated.target.clone(),
        source_project: stated.source_project.clone(),
        kind,
        title: stated.title.clone().unwrap_or_else(|| title.to_owned()),
        description: String::new(),
        draft: stated.draft,
        labels: stated.labels.clone(),
        assignees: Vec::new(),
        milestone: None,
        approved: stated.approved,
        squash: false,
        source_protected: false,
        target_protected: false,
        diff_base_sha: None,
    })
}
