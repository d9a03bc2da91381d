//! Variables as GitLab hands them around: ordered, flagged, the later of two equal names winning.

use std::sync::Arc;

use tidegate_source::Span;

/// Where a variable was defined; the order is GitLab's precedence, lowest first (reference `compose.md` §9.1).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug, Hash)]
pub enum VariableSource {
    /// Ids, tokens and URLs of one pipeline and job; only known at run time.
    Persisted,
    /// `CI_JOB_*`, `CI_NODE_*`, `CI_ENVIRONMENT_*`.
    Job,
    /// Facts of the server and project.
    Project,
    /// Facts of the pipeline, commit and merge request.
    Pipeline,
    /// Facts of the runner.
    Runner,
    /// Top-level `variables:`.
    YamlRoot,
    /// `workflow:rules:variables`.
    YamlWorkflow,
    /// A job's `variables:`.
    YamlJob,
    /// A value of `parallel:matrix`.
    YamlMatrix,
    /// `rules:variables` of the rule that matched.
    YamlRule,
    /// `GITLAB_USER_*`; cannot be overridden from YAML.
    User,
    /// A `reports:dotenv` file of an earlier job.
    Dotenv,
    /// Settings of the instance.
    SettingInstance,
    /// Settings of a group.
    SettingGroup,
    /// Settings of the project.
    SettingProject,
    /// Given with the pipeline: API, trigger, web form, bridge, push option, command line.
    Given,
    /// Given by the schedule.
    Schedule,
    /// Given when a manual job was played.
    Manual,
    /// `CI_RELEASE_*`; above everything.
    Release,
}

/// One variable.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Variable {
    /// The name.
    pub key: Arc<str>,
    /// The value as defined, unexpanded; `None` is Ruby's nil: known by name, without a value.
    pub value: Option<Arc<str>>,
    /// References in the value are not expanded (`expand: false`).
    pub raw: bool,
    /// The job sees a path to a file that holds the value.
    pub file: bool,
    /// The value must not appear in logs or messages.
    pub masked: bool,
    /// Where it was defined.
    pub source: VariableSource,
    /// Where in a file it was defined, or [`Span::NONE`].
    pub span: Span,
}

impl Variable {
    /// A plain variable.
    pub fn new(
        key: impl Into<Arc<str>>,
        value: impl Into<Arc<str>>,
        source: VariableSource,
    ) -> Variable {
        Variable {
            key: key.into(),
            value: Some(value.into()),
            raw: false,
            file: false,
            masked: false,
            source,
            span: Span::NONE,
        }
    }
}

/// Looks variables up by name; what expressions and the simple expanders read from.
pub trait Lookup {
    /// The variable that wins for `name`, or `None` where it is undefined.
    fn lookup(&self, name: &str) -> Option<&Variable>;
}

/// An ordered list of variables in shared layers, lowest precedence first.
///
/// Thousands of jobs share most of their variables; a layer is shared between all jobs that see it.
#[derive(Clone, Default, Debug)]
pub struct Variables {
    layers: Vec<Arc<[Variable]>>,
}

impl Variables {
    /// Adds a layer above all others.
    pub fn push(&mut self, layer: Arc<[Variable]>) {
        if !layer.is_empty() {
            self.layers.push(layer);
        }
    }

    /// The layers, lowest precedence first.
    pub fn layers(&self) -> &[Arc<[Variable]>] {
        &self.layers
    }

    /// All variables in order of rising precedence, overridden ones included.
    pub fn iter(&self) -> impl DoubleEndedIterator<Item = &Variable> {
        self.layers.iter().flat_map(|layer| layer.iter())
    }
}

impl FromIterator<Variable> for Variables {
    fn from_iter<T: IntoIterator<Item = Variable>>(items: T) -> Variables {
        let mut variables = Variables::default();
        variables.push(items.into_iter().collect());
        variables
    }
}

impl Lookup for Variables {
    fn lookup(&self, name: &str) -> Option<&Variable> {
        self.iter().rev().find(|variable| &*variable.key == name)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_highest_layer_wins() {
        let mut all: Variables = [Variable::new("A", "low", VariableSource::Project)]
            .into_iter()
            .collect();
        all.push([Variable::new("A", "high", VariableSource::YamlJob)].into());
        assert_eq!(
            all.lookup("A").and_then(|v| v.value.as_deref()),
            Some("high")
        );
        assert!(all.lookup("B").is_none());
    }
}
