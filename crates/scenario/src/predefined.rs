//! The variables GitLab itself gives: facts of server, project, commit, merge request and user, with the
//! variables of the settings and those given with the pipeline around them.
//!
//! YAML variables and those of one job (`CI_JOB_NAME`, `CI_NODE_TOTAL`, …) are the planner's: it puts its layers
//! between the ones returned here by their [`VariableSource`], whose order is the precedence. What is only known
//! at run time (`CI_JOB_ID`, tokens, `CI_PIPELINE_ID`) is not here at all.

use std::sync::Arc;

use tidegate_expr::{Variable, VariableSource, Variables, slug};

use crate::scenario::{
    Commit, MergeRequest, MergeRequestKind, PipelineSource, Project, Ref, Scenario, Server, User,
};

/// When in a pipeline's creation variables are looked at (reference `compose.md` §9.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum Phase {
    /// `include`, its rules and `expand_vars`: no user, no trigger facts.
    Include,
    /// `workflow` and everything else of the pipeline as a whole.
    Global,
    /// A job's rules and later.
    Job,
}

/// The variables of `phase` without those of YAML and of a job, one layer a source, lowest precedence first.
///
/// Settings are those with environment scope `*`; a job with an environment replaces the layers of the settings by
/// [`setting_layers`]. Source: reference `compose.md` §9.1 (order) and §9.6 (names, rows P and S).
pub fn predefined(scenario: &Scenario, phase: Phase) -> Variables {
    let mut variables = Variables::default();
    if phase != Phase::Include {
        variables.push(trigger_facts(scenario));
    }
    variables.push(project_layer(scenario));
    variables.push(pipeline_layer(scenario, phase));
    if phase != Phase::Include {
        variables.push(user_facts(scenario));
    }
    for layer in setting_layers(scenario, None) {
        variables.push(layer);
    }
    for source in [
        VariableSource::Given,
        VariableSource::Schedule,
        VariableSource::Manual,
    ] {
        variables.push(given_layer(scenario, source));
    }
    variables
}

/// The layers of instance, group and project settings that a job in `environment` sees.
///
/// Protected variables need a protected ref. A scope matches like GitLab's: `*` stands for any text; without an
/// environment only the scope `*` itself does. Inside one layer an exact scope stands above a wider one.
pub fn setting_layers(scenario: &Scenario, environment: Option<&str>) -> Vec<Arc<[Variable]>> {
    let levels = [
        VariableSource::SettingInstance,
        VariableSource::SettingGroup,
        VariableSource::SettingProject,
    ];
    let layer = |level| {
        let mut found: Vec<_> = scenario
            .settings
            .iter()
            .filter(|setting| setting.variable.source == level)
            .filter(|setting| !setting.protected || scenario.protected)
            .filter(|setting| scope_matches(&setting.environment_scope, environment))
            .collect();
        found.sort_by_key(|setting| scope_weight(&setting.environment_scope, environment));
        found
            .into_iter()
            .map(|setting| setting.variable.clone())
            .collect()
    };
    levels.into_iter().map(layer).collect()
}

fn scope_matches(scope: &str, environment: Option<&str>) -> bool {
    match environment {
        None => scope == "*",
        Some(name) => wildcard_matches(scope.as_bytes(), name.as_bytes()),
    }
}

/// Sorts wide scopes before narrow ones and the exact name last.
fn scope_weight(scope: &str, environment: Option<&str>) -> (bool, usize) {
    let fixed = scope.bytes().filter(|byte| *byte != b'*').count();
    (Some(scope) == environment, fixed)
}

fn wildcard_matches(pattern: &[u8], text: &[u8]) -> bool {
    let (mut p, mut t) = (0, 0);
    let mut star: Option<(usize, usize)> = None;
    while t < text.len() {
        match pattern.get(p) {
            Some(b'*') => {
                star = Some((p, t));
                p += 1;
            }
            Some(byte) if Some(byte) == text.get(t) => {
                p += 1;
                t += 1;
            }
            _ => match star {
                Some((at, from)) => {
                    star = Some((at, from + 1));
                    p = at + 1;
                    t = from + 1;
                }
                None => return false,
            },
        }
    }
    pattern.iter().skip(p).all(|byte| *byte == b'*')
}

/// Variables in the making, all of one source.
struct Facts<'a> {
    source: VariableSource,
    replacements: &'a indexmap::IndexMap<String, String>,
    variables: Vec<Variable>,
}

impl<'a> Facts<'a> {
    fn new(scenario: &'a Scenario, source: VariableSource) -> Facts<'a> {
        Facts {
            source,
            replacements: &scenario.predefined,
            variables: Vec::new(),
        }
    }

    /// Adds a fact, or what the scenario states in its place.
    fn add(&mut self, key: &str, value: impl Into<String>) {
        let stated = self.replacements.get(key).cloned();
        let value = stated.unwrap_or_else(|| value.into());
        self.variables.push(Variable::new(key, value, self.source));
    }

    /// Adds a fact where it holds.
    fn add_some(&mut self, key: &str, value: Option<impl Into<String>>) {
        if let Some(value) = value {
            self.add(key, value);
        }
    }

    /// Adds a name whose value may not be known yet.
    fn add_nil(&mut self, key: &str, value: Option<String>) {
        let value = self.replacements.get(key).cloned().or(value);
        let mut variable = Variable::new(key, "", self.source);
        variable.value = value.map(Into::into);
        self.variables.push(variable);
    }

    fn add_flag(&mut self, key: &str, holds: bool) {
        self.add_some(key, holds.then_some("true"));
    }
}

fn trigger_facts(scenario: &Scenario) -> Arc<[Variable]> {
    let mut facts = Facts::new(scenario, VariableSource::Job);
    facts.add_flag(
        "CI_PIPELINE_TRIGGERED",
        scenario.source == PipelineSource::Trigger,
    );
    facts.variables.into()
}

fn project_layer(scenario: &Scenario) -> Arc<[Variable]> {
    let mut facts = Facts::new(scenario, VariableSource::Project);
    facts.add("CI", "true");
    facts.add("GITLAB_CI", "true");
    facts.add("GITLAB_FEATURES", "");
    server_facts(&mut facts, &scenario.server);
    project_facts(&mut facts, &scenario.project, &scenario.server);
    hosted_facts(&mut facts, &scenario.project, &scenario.server);
    facts.variables.into()
}

fn server_facts(facts: &mut Facts<'_>, server: &Server) {
    facts.add("CI_SERVER_FQDN", server.fqdn());
    facts.add("CI_SERVER_URL", server.url());
    facts.add("CI_SERVER_HOST", server.host.as_str());
    facts.add("CI_SERVER_PORT", server.port.to_string());
    facts.add("CI_SERVER_PROTOCOL", server.protocol.as_str());
    facts.add("CI_SERVER_SHELL_SSH_HOST", server.host.as_str());
    facts.add("CI_SERVER_SHELL_SSH_PORT", "22");
    facts.add("CI_SERVER_NAME", "GitLab");
    facts.add("CI_SERVER_VERSION", server.version.as_str());
    let numbers = server.version.split(['-', '+']).next().unwrap_or_default();
    let mut parts = numbers.split('.');
    for part in ["MAJOR", "MINOR", "PATCH"] {
        let key = format!("CI_SERVER_VERSION_{part}");
        facts.add(&key, parts.next().unwrap_or("0"));
    }
    facts.add("CI_SERVER_REVISION", server.revision.as_str());
    facts.add("CI_API_V4_URL", format!("{}/api/v4", server.url()));
    facts.add(
        "CI_API_GRAPHQL_URL",
        format!("{}/api/graphql", server.url()),
    );
    facts.add("CI_TEMPLATE_REGISTRY_HOST", "registry.gitlab.com");
}

fn project_facts(facts: &mut Facts<'_>, project: &Project, server: &Server) {
    let (namespace, name) = project
        .path
        .rsplit_once('/')
        .unwrap_or(("", project.path.as_str()));
    let root = project.path.split('/').next().unwrap_or_default();
    facts.add("CI_PROJECT_ID", project.id.to_string());
    facts.add("CI_PROJECT_NAME", name);
    facts.add("CI_PROJECT_TITLE", project.title.as_deref().unwrap_or(name));
    facts.add("CI_PROJECT_DESCRIPTION", project.description.as_str());
    facts.add("CI_PROJECT_PATH", project.path.as_str());
    facts.add("CI_PROJECT_PATH_SLUG", slug(&project.path));
    facts.add("CI_PROJECT_NAMESPACE", namespace);
    facts.add("CI_PROJECT_NAMESPACE_SLUG", slug(namespace));
    facts.add("CI_PROJECT_ROOT_NAMESPACE", root);
    facts.add(
        "CI_PROJECT_URL",
        format!("{}/{}", server.url(), project.path),
    );
    facts.add("CI_PROJECT_VISIBILITY", project.visibility.as_str());
    facts.add("CI_PROJECT_REPOSITORY_LANGUAGES", "");
    facts.add("CI_PROJECT_CLASSIFICATION_LABEL", "");
    facts.add("CI_DEFAULT_BRANCH", project.default_branch.as_str());
    facts.add("CI_CONFIG_PATH", project.config_path.as_str());
}

/// Registry, Pages and dependency proxy, whose hosts are only known for gitlab.com; other servers state them.
fn hosted_facts(facts: &mut Facts<'_>, project: &Project, server: &Server) {
    if server.host != "gitlab.com" {
        return;
    }
    let path = project.path.to_lowercase();
    let (root, below) = path.split_once('/').unwrap_or((path.as_str(), ""));
    let proxy = format!("{}:{}", server.host, server.port);
    facts.add("CI_REGISTRY", "registry.gitlab.com");
    facts.add("CI_REGISTRY_IMAGE", format!("registry.gitlab.com/{path}"));
    facts.add("CI_PAGES_DOMAIN", "gitlab.io");
    facts.add("CI_PAGES_HOSTNAME", format!("{root}.gitlab.io"));
    facts.add("CI_PAGES_URL", format!("https://{root}.gitlab.io/{below}"));
    facts.add("CI_DEPENDENCY_PROXY_SERVER", proxy.as_str());
    facts.add(
        "CI_DEPENDENCY_PROXY_GROUP_IMAGE_PREFIX",
        format!("{proxy}/{root}/dependency_proxy/containers"),
    );
}

fn pipeline_layer(scenario: &Scenario, phase: Phase) -> Arc<[Variable]> {
    let mut facts = Facts::new(scenario, VariableSource::Pipeline);
    match (phase, scenario.iid) {
        // The number is taken when the first job is judged; before that the name stands for nothing.
        (Phase::Include | Phase::Global, _) => facts.add("CI_PIPELINE_IID", ""),
        (Phase::Job, Some(iid)) => facts.add("CI_PIPELINE_IID", iid.to_string()),
        (Phase::Job, None) => {}
    }
    facts.add("CI_PIPELINE_SOURCE", scenario.source.name());
    facts.add_nil("CI_PIPELINE_CREATED_AT", scenario.created_at.clone());
    facts.add_nil("CI_PIPELINE_NAME", None);
    facts.add_some(
        "CI_PIPELINE_SCHEDULE_DESCRIPTION",
        scenario.schedule.as_deref(),
    );
    commit_facts(&mut facts, scenario);
    ref_facts(&mut facts, scenario);
    if let Some(request) = scenario.merge_request() {
        merge_request_facts(&mut facts, request, scenario);
    }
    facts.add_some(
        "CI_OPEN_MERGE_REQUESTS",
        scenario.open_merge_requests.as_deref(),
    );
    facts.add_flag("CI_KUBERNETES_ACTIVE", scenario.project.kubernetes_active);
    if let Some(upstream) = &scenario.upstream {
        facts.add("CI_UPSTREAM_PIPELINE_ID", upstream.pipeline_id.to_string());
        facts.add("CI_UPSTREAM_PROJECT_ID", upstream.project_id.to_string());
        facts.add("CI_UPSTREAM_JOB_ID", upstream.job_id.to_string());
    }
    add_stated(facts, scenario).into()
}

/// Adds what the scenario states beyond what is computed; values of computed names were replaced in place.
fn add_stated(facts: Facts<'_>, scenario: &Scenario) -> Vec<Variable> {
    let mut variables = facts.variables;
    let computed = project_layer(scenario);
    let further = [trigger_facts(scenario), user_facts(scenario)];
    for (key, value) in &scenario.predefined {
        let known = variables
            .iter()
            .chain(computed.iter())
            .chain(further.iter().flat_map(|layer| layer.iter()))
            .any(|variable| *variable.key == **key);
        if !known {
            variables.push(Variable::new(
                key.as_str(),
                value.as_str(),
                VariableSource::Pipeline,
            ));
        }
    }
    variables
}

const NO_COMMIT: &str = "0000000000000000000000000000000000000000";

/// Longest message handed to jobs, in bytes.
const MESSAGE_LIMIT: usize = 100_000;

fn commit_facts(facts: &mut Facts<'_>, scenario: &Scenario) {
    let Commit {
        sha,
        before_sha,
        message,
        author,
        timestamp,
        ..
    } = &scenario.commit;
    facts.add("CI_COMMIT_SHA", sha.as_str());
    facts.add(
        "CI_COMMIT_SHORT_SHA",
        sha.chars().take(8).collect::<String>(),
    );
    let before = before_sha.as_deref().unwrap_or(NO_COMMIT);
    facts.add("CI_COMMIT_BEFORE_SHA", before);
    facts.add("CI_COMMIT_REF_NAME", scenario.ref_name());
    facts.add("CI_COMMIT_REF_SLUG", slug(scenario.ref_name()));
    facts.add("CI_COMMIT_REF_PROTECTED", scenario.protected.to_string());
    facts.add("CI_COMMIT_TIMESTAMP", timestamp.as_str());
    facts.add("CI_COMMIT_AUTHOR", author.as_str());
    facts.add("CI_COMMIT_USER_LOGIN", author_login(author, &scenario.user));
    facts.add("CI_COMMIT_MESSAGE", cut(message, MESSAGE_LIMIT));
    facts.add("CI_COMMIT_TITLE", title(message));
    facts.add_nil("CI_COMMIT_DESCRIPTION", description(message));
    facts.add(
        "CI_COMMIT_MESSAGE_IS_TRUNCATED",
        (message.len() > MESSAGE_LIMIT).to_string(),
    );
}

/// Login of the commit's author, who is only known where it is the pipeline's user; empty for others, as in GitLab.
fn author_login<'u>(author: &str, user: &'u User) -> &'u str {
    let by_user = author.ends_with(&format!("<{}>", user.email));
    if by_user && !user.email.is_empty() {
        &user.login
    } else {
        ""
    }
}

fn ref_facts(facts: &mut Facts<'_>, scenario: &Scenario) {
    let full_ref = match &scenario.git_ref {
        Ref::Branch(name) => {
            facts.add("CI_COMMIT_BRANCH", name.as_str());
            format!("refs/heads/{name}")
        }
        Ref::Tag(name) => {
            facts.add("CI_COMMIT_TAG", name.as_str());
            let message = scenario.commit.tag_message.as_deref();
            facts.add("CI_COMMIT_TAG_MESSAGE", message.unwrap_or_default());
            format!("refs/tags/{name}")
        }
        Ref::MergeRequest(request) => merge_request_ref(request),
    };
    let Project {
        path, config_path, ..
    } = &scenario.project;
    let host = scenario.server.fqdn();
    facts.add(
        "CI_CONFIG_REF_URI",
        format!("{host}/{path}//{config_path}@{full_ref}"),
    );
}

/// Longest merge request description handed to jobs, in characters.
const DESCRIPTION_LIMIT: usize = 2700;

fn merge_request_facts(facts: &mut Facts<'_>, request: &MergeRequest, scenario: &Scenario) {
    let project = &scenario.project;
    let url = |path: &str| format!("{}/{path}", scenario.server.url());
    let source_path = request.source_project.as_deref().unwrap_or(&project.path);
    facts.add("CI_MERGE_REQUEST_IID", request.iid.to_string());
    facts.add("CI_MERGE_REQUEST_REF_PATH", merge_request_ref(request));
    facts.add("CI_MERGE_REQUEST_PROJECT_ID", project.id.to_string());
    facts.add("CI_MERGE_REQUEST_PROJECT_PATH", project.path.as_str());
    facts.add("CI_MERGE_REQUEST_PROJECT_URL", url(&project.path));
    facts.add(
        "CI_MERGE_REQUEST_TARGET_BRANCH_NAME",
        request.target_branch.as_str(),
    );
    facts.add(
        "CI_MERGE_REQUEST_TARGET_BRANCH_PROTECTED",
        request.target_protected.to_string(),
    );
    facts.add(
        "CI_MERGE_REQUEST_SOURCE_BRANCH_NAME",
        request.source_branch.as_str(),
    );
    facts.add(
        "CI_MERGE_REQUEST_SOURCE_BRANCH_PROTECTED",
        request.source_protected.to_string(),
    );
    if request.source_project.is_none() {
        facts.add("CI_MERGE_REQUEST_SOURCE_PROJECT_ID", project.id.to_string());
    }
    facts.add("CI_MERGE_REQUEST_SOURCE_PROJECT_PATH", source_path);
    facts.add("CI_MERGE_REQUEST_SOURCE_PROJECT_URL", url(source_path));
    facts.add("CI_MERGE_REQUEST_TITLE", request.title.as_str());
    let short: String = request
        .description
        .chars()
        .take(DESCRIPTION_LIMIT)
        .collect();
    let truncated = short.len() < request.description.len();
    facts.add("CI_MERGE_REQUEST_DESCRIPTION", short);
    facts.add(
        "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED",
        truncated.to_string(),
    );
    facts.add("CI_MERGE_REQUEST_DRAFT", request.draft.to_string());
    let joined = |names: &[String]| (!names.is_empty()).then(|| names.join(","));
    facts.add_some("CI_MERGE_REQUEST_ASSIGNEES", joined(&request.assignees));
    facts.add_some("CI_MERGE_REQUEST_LABELS", joined(&request.labels));
    facts.add_some("CI_MERGE_REQUEST_MILESTONE", request.milestone.as_deref());
    facts.add_flag("CI_MERGE_REQUEST_APPROVED", request.approved);
    facts.add(
        "CI_MERGE_REQUEST_SQUASH_ON_MERGE",
        request.squash.to_string(),
    );
    facts.add("CI_MERGE_REQUEST_EVENT_TYPE", event_type(request.kind));
    facts.add_some(
        "CI_MERGE_REQUEST_DIFF_BASE_SHA",
        request.diff_base_sha.as_deref(),
    );
    let detached = request.kind == MergeRequestKind::Detached;
    for side in ["SOURCE", "TARGET"] {
        let key = format!("CI_MERGE_REQUEST_{side}_BRANCH_SHA");
        facts.add_nil(&key, detached.then(String::new));
    }
}

fn user_facts(scenario: &Scenario) -> Arc<[Variable]> {
    let mut facts = Facts::new(scenario, VariableSource::User);
    let user = &scenario.user;
    facts.add("GITLAB_USER_ID", user.id.to_string());
    facts.add("GITLAB_USER_EMAIL", user.email.as_str());
    facts.add("GITLAB_USER_LOGIN", user.login.as_str());
    facts.add("GITLAB_USER_NAME", user.name.as_str());
    facts.variables.into()
}

fn given_layer(scenario: &Scenario, source: VariableSource) -> Arc<[Variable]> {
    let of_source = |variable: &&Variable| match variable.source {
        VariableSource::Schedule | VariableSource::Manual => variable.source == source,
        // Whatever a caller labels a pipeline variable with, it was given with the pipeline.
        _ => source == VariableSource::Given,
    };
    scenario
        .variables
        .iter()
        .filter(of_source)
        .cloned()
        .collect()
}

fn merge_request_ref(request: &MergeRequest) -> String {
    let kind = match request.kind {
        MergeRequestKind::Detached => "head",
        MergeRequestKind::MergedResult => "merge",
        MergeRequestKind::Train => "train",
    };
    format!("refs/merge-requests/{}/{kind}", request.iid)
}

fn event_type(kind: MergeRequestKind) -> &'static str {
    match kind {
        MergeRequestKind::Detached => "detached",
        MergeRequestKind::MergedResult => "merged_result",
        MergeRequestKind::Train => "merge_train",
    }
}

fn cut(text: &str, limit: usize) -> &str {
    let mut end = limit.min(text.len());
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default()
}

fn title(message: &str) -> &str {
    message.lines().next().unwrap_or_default()
}

/// The message without its first line, or all of it where that line is too long to be a title.
fn description(message: &str) -> Option<String> {
    if title(message).chars().count() >= 100 {
        return Some(message.to_owned());
    }
    let (_, rest) = message.split_once('\n')?;
    Some(rest.strip_suffix('\n').unwrap_or(rest).to_owned())
}

#[cfg(test)]
mod tests {
    use tidegate_expr::Lookup;

    use super::*;
    use crate::scenario::SettingVariable;

    fn value(scenario: &Scenario, phase: Phase, key: &str) -> Option<String> {
        let variables = predefined(scenario, phase);
        let found = variables.lookup(key)?;
        found.value.as_deref().map(str::to_owned)
    }

    fn include(scenario: &Scenario, key: &str) -> Option<String> {
        value(scenario, Phase::Include, key)
    }

    fn merge_request() -> Scenario {
        let mut scenario = Scenario::push("main");
        scenario.source = PipelineSource::MergeRequestEvent;
        scenario.git_ref = Ref::MergeRequest(Box::new(MergeRequest {
            iid: 7,
            source_branch: "Feature/X".to_owned(),
            target_branch: "main".to_owned(),
            source_project: None,
            kind: MergeRequestKind::Detached,
            title: "T".to_owned(),
            description: "é".repeat(2701),
            draft: true,
            labels: vec!["a".to_owned(), "b".to_owned()],
            assignees: Vec::new(),
            milestone: None,
            approved: false,
            squash: false,
            source_protected: false,
            target_protected: true,
            diff_base_sha: None,
        }));
        scenario
    }

    #[test]
    fn the_number_of_the_pipeline_is_empty_until_jobs_are_judged() {
        let mut scenario = Scenario::push("main");
        scenario.iid = Some(7);
        let number = |scenario: &Scenario, phase| value(scenario, phase, "CI_PIPELINE_IID");
        assert_eq!(include(&scenario, "CI_PIPELINE_IID").as_deref(), Some(""));
        assert_eq!(number(&scenario, Phase::Global).as_deref(), Some(""));
        assert_eq!(number(&scenario, Phase::Job).as_deref(), Some("7"));
        scenario.iid = None;
        assert_eq!(number(&scenario, Phase::Job), None);
    }

    #[test]
    fn the_login_of_the_author_is_only_known_for_the_user() {
        let mut scenario = Scenario::push("main");
        scenario.user.login = "ada".into();
        scenario.user.email = "ada@example.com".into();
        let login = |author: &str| {
            let mut scenario = scenario.clone();
            scenario.commit.author = author.into();
            value(&scenario, Phase::Job, "CI_COMMIT_USER_LOGIN")
        };
        assert_eq!(login("Ada <ada@example.com>").as_deref(), Some("ada"));
        assert_eq!(login("Bob <bob@example.com>").as_deref(), Some(""));
    }

    #[test]
    fn a_branch_push_has_a_branch_and_no_tag() {
        let scenario = Scenario::push("fix/A_b");
        assert_eq!(
            include(&scenario, "CI_COMMIT_BRANCH").as_deref(),
            Some("fix/A_b")
        );
        assert_eq!(
            include(&scenario, "CI_COMMIT_REF_SLUG").as_deref(),
            Some("fix-a-b")
        );
        assert_eq!(include(&scenario, "CI_COMMIT_TAG"), None);
        assert_eq!(include(&scenario, "CI_MERGE_REQUEST_IID"), None);
        assert_eq!(
            include(&scenario, "CI_COMMIT_BEFORE_SHA").as_deref(),
            Some(NO_COMMIT)
        );
        assert_eq!(
            include(&scenario, "CI_PROJECT_NAMESPACE").as_deref(),
            Some("group")
        );
        assert_eq!(
            include(&scenario, "CI_CONFIG_REF_URI").as_deref(),
            Some("gitlab.com/group/project//.gitlab-ci.yml@refs/heads/fix/A_b")
        );
    }

    #[test]
    fn a_tag_pipeline_has_a_tag_and_no_branch() {
        let mut scenario = Scenario::push("main");
        scenario.git_ref = Ref::Tag("v1".to_owned());
        assert_eq!(include(&scenario, "CI_COMMIT_TAG").as_deref(), Some("v1"));
        assert_eq!(
            include(&scenario, "CI_COMMIT_TAG_MESSAGE").as_deref(),
            Some("")
        );
        assert_eq!(include(&scenario, "CI_COMMIT_BRANCH"), None);
    }

    #[test]
    fn a_merge_request_pipeline_has_neither_branch_nor_tag() {
        let scenario = merge_request();
        assert_eq!(include(&scenario, "CI_COMMIT_BRANCH"), None);
        assert_eq!(
            include(&scenario, "CI_COMMIT_REF_NAME").as_deref(),
            Some("Feature/X")
        );
        assert_eq!(
            include(&scenario, "CI_MERGE_REQUEST_LABELS").as_deref(),
            Some("a,b")
        );
        assert_eq!(include(&scenario, "CI_MERGE_REQUEST_ASSIGNEES"), None);
        assert_eq!(
            include(&scenario, "CI_MERGE_REQUEST_REF_PATH").as_deref(),
            Some("refs/merge-requests/7/head")
        );
        assert_eq!(
            include(&scenario, "CI_MERGE_REQUEST_DESCRIPTION_IS_TRUNCATED").as_deref(),
            Some("true")
        );
    }

    #[test]
    fn includes_see_neither_user_nor_trigger() {
        let mut scenario = Scenario::push("main");
        scenario.source = PipelineSource::Trigger;
        assert_eq!(include(&scenario, "GITLAB_USER_ID"), None);
        assert_eq!(include(&scenario, "CI_PIPELINE_TRIGGERED"), None);
        assert_eq!(
            value(&scenario, Phase::Global, "GITLAB_USER_ID").as_deref(),
            Some("1")
        );
        assert_eq!(
            value(&scenario, Phase::Job, "CI_PIPELINE_TRIGGERED").as_deref(),
            Some("true")
        );
    }

    fn setting(
        value: &str,
        level: VariableSource,
        scope: &str,
        protected: bool,
    ) -> SettingVariable {
        SettingVariable {
            variable: Variable::new("X", value, level),
            protected,
            environment_scope: scope.to_owned(),
        }
    }

    #[test]
    fn settings_stack_by_level_and_given_variables_win() {
        let mut scenario = Scenario::push("main");
        scenario.settings = vec![
            setting("project", VariableSource::SettingProject, "*", false),
            setting("instance", VariableSource::SettingInstance, "*", false),
        ];
        assert_eq!(include(&scenario, "X").as_deref(), Some("project"));
        scenario.variables = vec![Variable::new("X", "given", VariableSource::Given)];
        assert_eq!(include(&scenario, "X").as_deref(), Some("given"));
    }

    #[test]
    fn protected_settings_need_a_protected_ref() {
        let mut scenario = Scenario::push("main");
        scenario.settings = vec![setting("s", VariableSource::SettingProject, "*", true)];
        assert_eq!(include(&scenario, "X"), None);
        scenario.protected = true;
        assert_eq!(include(&scenario, "X").as_deref(), Some("s"));
    }

    #[test]
    fn environment_scopes_match_like_wildcards_and_the_narrowest_wins() {
        let mut scenario = Scenario::push("main");
        scenario.settings = vec![
            setting("exact", VariableSource::SettingProject, "review/a", false),
            setting("wide", VariableSource::SettingProject, "review/*", false),
            setting("all", VariableSource::SettingProject, "*", false),
        ];
        let winner = |environment: Option<&str>| {
            let layers = setting_layers(&scenario, environment);
            let last = layers.iter().flat_map(|layer| layer.iter()).next_back();
            last.and_then(|variable| variable.value.as_deref().map(str::to_owned))
        };
        assert_eq!(winner(None).as_deref(), Some("all"));
        assert_eq!(winner(Some("review/a")).as_deref(), Some("exact"));
        assert_eq!(winner(Some("review/b")).as_deref(), Some("wide"));
        assert_eq!(winner(Some("production")).as_deref(), Some("all"));
    }

    #[test]
    fn stated_facts_replace_computed_ones_and_add_others() {
        let mut scenario = Scenario::push("main");
        for (key, value) in [("CI_PROJECT_ID", "99"), ("CI_DEPLOY_FREEZE", "true")] {
            scenario.predefined.insert(key.to_owned(), value.to_owned());
        }
        assert_eq!(include(&scenario, "CI_PROJECT_ID").as_deref(), Some("99"));
        assert_eq!(
            include(&scenario, "CI_DEPLOY_FREEZE").as_deref(),
            Some("true")
        );
    }

    #[test]
    fn the_description_is_the_message_without_a_short_title() {
        assert_eq!(description("only a title"), None);
        assert_eq!(description("title\n\nbody\n").as_deref(), Some("\nbody"));
        let long = format!("{}\nbody", "x".repeat(100));
        assert_eq!(description(&long).as_deref(), Some(long.as_str()));
    }

    #[test]
    fn layers_come_in_order_of_precedence() {
        let mut scenario = merge_request();
        scenario.settings = vec![setting("s", VariableSource::SettingGroup, "*", false)];
        scenario.variables = vec![
            Variable::new("A", "1", VariableSource::Schedule),
            Variable::new("B", "1", VariableSource::Given),
        ];
        let variables = predefined(&scenario, Phase::Job);
        let sources: Vec<_> = variables.iter().map(|variable| variable.source).collect();
        assert!(sources.is_sorted(), "{sources:?}");
    }
}
