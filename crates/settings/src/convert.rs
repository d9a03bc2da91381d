//! What settings mean to the rest of the program.

use std::time::Duration;

use tidegate_expr::{Variable, VariableSource};
use tidegate_scenario::{Ref, Role, Scenario, SettingVariable};
use tidegate_world::{
    Checkout, FetchLimits, Location, ProjectSource, RemotePolicy, Sources, TemplateSource,
    origin_pattern, wildcard_matches,
};

use crate::section::{
    Dialect, Edition, Limits, ProjectMapping, RoleName, SettingValues, Settings, TemplateMapping,
    VariableName,
};

impl Settings {
    /// How a configuration is read.
    pub fn config(&self) -> tidegate_config::Settings {
        let mut settings = tidegate_config::Settings::default();
        match self.dialect {
            Some(Dialect::Gitlab) => settings.dialect = tidegate_config::Dialect::Gitlab,
            Some(Dialect::Tidegate) => settings.dialect = tidegate_config::Dialect::Tidegate,
            None => {}
        }
        match self.edition {
            Some(Edition::Community) => settings.edition = tidegate_config::Edition::Community,
            Some(Edition::Enterprise) => settings.edition = tidegate_config::Edition::Enterprise,
            None => {}
        }
        if let Some(version) = self.gitlab_version {
            settings.gitlab_version = (version.major, version.minor);
        }
        if let Some(strict) = self.lint.strict_includes {
            settings.strict_includes = strict;
        }
        self.limits.apply(&mut settings.limits);
        settings
    }

    /// Replaces in a scenario what the repository cannot know: project, protection, role, server, variables.
    pub fn apply(&self, scenario: &mut Scenario) {
        let project = &self.project;
        set(&mut scenario.project.path, project.path.as_ref());
        set(&mut scenario.project.id, project.id.as_ref());
        set(
            &mut scenario.project.default_branch,
            project.default_branch.as_ref(),
        );
        if let Some(role) = project.role {
            scenario.user.role = role.into();
        }
        if let Some(url) = &self.server.url {
            scenario.server.protocol.clone_from(&url.protocol);
            scenario.server.host.clone_from(&url.host);
            scenario.server.port = url.port;
        }
        if let Some(version) = self.gitlab_version {
            let (major, minor, patch) = (version.major, version.minor, version.patch);
            scenario.server.version = format!("{major}.{minor}.{patch}");
        }
        self.protect(scenario);
        if self.cache.protected == Some(crate::section::Protection::Off) {
            scenario.project.separate_protected_caches = false;
        }
        if let Some(cleared) = self.cache.cleared {
            scenario.project.cache_counter = cleared;
        }
        scenario.settings.extend(self.setting_variables());
    }

    /// Sets whether the ref of a scenario is protected, where the settings know.
    pub fn protect(&self, scenario: &mut Scenario) {
        let named = |patterns: &[String], name: &str| {
            patterns
                .iter()
                .any(|pattern| wildcard_matches(pattern, name))
        };
        let branches = self.project.protected_branches.as_deref();
        let tags = self.project.protected_tags.as_deref();
        let protected = match &mut scenario.git_ref {
            Ref::Branch(name) => branches.map(|patterns| named(patterns, name)),
            Ref::Tag(name) => tags.map(|patterns| named(patterns, name)),
            Ref::MergeRequest(request) => branches.map(|patterns| {
                request.source_protected = named(patterns, &request.source_branch);
                request.target_protected = named(patterns, &request.target_branch);
                request.source_protected
            }),
        };
        if let Some(protected) = protected {
            scenario.protected = protected;
        }
    }

    fn setting_variables(&self) -> impl Iterator<Item = SettingVariable> {
        let levels = [
            (VariableSource::SettingInstance, &self.variables.instance),
            (VariableSource::SettingGroup, &self.variables.group),
            (VariableSource::SettingProject, &self.variables.project),
        ];
        levels.into_iter().flat_map(|(source, variables)| {
            variables
                .iter()
                .flat_map(move |(name, values)| setting_variables(name, values, source))
        })
    }

    /// Where includes from elsewhere are found, for a project of the path `own` on the server `host` (its FQDN).
    pub fn sources(&self, checkout: &Checkout, own: &str, host: &str) -> Sources {
        let includes = &self.includes;
        let defaults = FetchLimits::default();
        let seconds = |period: Option<crate::Period>, default: Duration| {
            period.map_or(default, |period| period.0)
        };
        Sources {
            host: Some(host.to_owned()),
            projects: includes
                .projects
                .iter()
                .map(|(pattern, mapping)| project_source(pattern, mapping))
                .collect(),
            fallback: self.fallback(checkout, own),
            templates: Some(self.templates()),
            remote: RemotePolicy {
                allow: includes.remote.allow.clone().unwrap_or_default(),
                deny: includes.remote.deny.clone(),
            },
            limits: FetchLimits {
                request: seconds(includes.request_timeout, defaults.request),
                total: seconds(self.limits.include_timeout, defaults.total),
                bytes: includes.max_file_size.map_or(defaults.bytes, |size| size.0),
                ..defaults
            },
        }
    }

    /// Beside `origin`, unless it is on another server than the settings name.
    fn fallback(&self, checkout: &Checkout, own: &str) -> Option<String> {
        if self.includes.beside_origin == Some(false) {
            return None;
        }
        let beside = checkout
            .remote
            .as_deref()
            .and_then(|origin| origin_pattern(origin, own));
        let Some(url) = &self.server.url else {
            return beside;
        };
        let on_server = |pattern: &String| {
            let after = pattern
                .split_once("://")
                .map_or(&**pattern, |(_, rest)| rest);
            let authority = after.split(['/', ':']).next().unwrap_or(after);
            authority.rsplit('@').next() == Some(&*url.host)
        };
        let (protocol, host, port) = (&url.protocol, &url.host, url.port);
        let server = || match (protocol.as_str(), port) {
            ("https", 443) | ("http", 80) => format!("{protocol}://{host}/*.git"),
            _ => format!("{protocol}://{host}:{port}/*.git"),
        };
        Some(beside.filter(on_server).unwrap_or_else(server))
    }

    /// Without a mapping GitLab's own, in the version that is wanted.
    fn templates(&self) -> TemplateSource {
        match &self.includes.templates {
            Some(TemplateMapping::Directory(path)) => TemplateSource::Directory(path.clone()),
            Some(TemplateMapping::Url(url)) => TemplateSource::Url(url.clone()),
            None => {
                let (major, minor) = self.config().gitlab_version;
                TemplateSource::Url(format!(
                    "https://gitlab.com/gitlab-org/gitlab/-/raw/v{major}.{minor}.0-ee/lib/gitlab/ci/templates"
                ))
            }
        }
    }
}

impl Limits {
    fn apply(&self, limits: &mut tidegate_config::Limits) {
        set(
            &mut limits.yaml.text_bytes,
            self.max_yaml_size_bytes.as_ref(),
        );
        if let Some(bytes) = self.max_yaml_size_bytes {
            limits.yaml.value_bytes = bytes as u64;
        }
        set(&mut limits.yaml.depth, self.max_yaml_depth.as_ref());
        set(&mut limits.includes, self.ci_max_includes.as_ref());
        let total = self.ci_max_total_yaml_size_bytes.as_ref();
        set(&mut limits.included_bytes, total);
        if let Some(period) = self.include_timeout {
            limits.include_time = period.0;
        }
        let nodes = self.interpolation_nodes.as_ref();
        set(&mut limits.interpolation_nodes, nodes);
        let bytes = self.interpolation_node_bytes.as_ref();
        set(&mut limits.interpolation_node_bytes, bytes);
        let bytes = self.interpolation_expression_bytes.as_ref();
        set(&mut limits.interpolation_expression_bytes, bytes);
        let blocks = self.interpolation_blocks.as_ref();
        set(&mut limits.interpolation_blocks, blocks);
        let functions = self.interpolation_functions.as_ref();
        set(&mut limits.interpolation_functions, functions);
        set(&mut limits.pipeline_inputs, self.pipeline_inputs.as_ref());
    }
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Role {
        match role {
            RoleName::Guest => Role::Guest,
            RoleName::Reporter => Role::Reporter,
            RoleName::Developer => Role::Developer,
            RoleName::Maintainer => Role::Maintainer,
            RoleName::Owner => Role::Owner,
        }
    }
}

fn set<T: Clone>(field: &mut T, value: Option<&T>) {
    if let Some(value) = value {
        field.clone_from(value);
    }
}

fn setting_variables(
    name: &VariableName,
    values: &SettingValues,
    source: VariableSource,
) -> impl Iterator<Item = SettingVariable> {
    values.0.iter().map(move |value| {
        let mut variable = Variable::new(&*name.0, &*value.value, source);
        variable.raw = value.raw;
        variable.file = value.file;
        variable.masked = value.masked;
        SettingVariable {
            variable,
            protected: value.protected,
            environment_scope: value.environment_scope.clone(),
        }
    })
}

fn project_source(pattern: &str, mapping: &ProjectMapping) -> ProjectSource {
    let (location, default_ref) = match mapping.clone() {
        ProjectMapping::Directory {
            path,
            work_tree,
            default_ref,
        } => (Location::Directory { path, work_tree }, default_ref),
        ProjectMapping::Url { url, default_ref } => (Location::Url(url), default_ref),
    };
    ProjectSource {
        pattern: pattern.to_owned(),
        location,
        default_ref,
    }
}

#[cfg(test)]
mod tests;
