//! What every record is made with: the files, for places, and the secrets, for hiding.

use tidegate_expr::{Value, Variable, VariableSource};
use tidegate_plan::{Origin, OriginKind};
use tidegate_source::{SourceMap, Span};

use super::record::OriginRecord;
use crate::one_line::{one_line, quoted};
use crate::secrets::{MASKED, Secrets};

/// Names places and hides secrets.
pub(crate) struct Teller<'a> {
    pub(crate) sources: &'a SourceMap,
    pub(crate) secrets: Secrets,
}

impl Teller<'_> {
    /// `file:line:column`, where the span points into a file.
    pub(crate) fn at(&self, span: Span) -> Option<String> {
        self.sources.locate(span)
    }

    /// The text without secrets.
    pub(crate) fn text(&self, text: &str) -> String {
        self.secrets.hide(text).into_owned()
    }

    /// A value as people read it and as JSON; `masked` hides it whatever it is.
    pub(crate) fn value(&self, value: &Value, masked: bool) -> (String, serde_json::Value) {
        if masked && !matches!(value, Value::Nil | Value::Bool(_)) {
            return (MASKED.to_owned(), MASKED.into());
        }
        match value {
            Value::Nil => ("nothing".to_owned(), serde_json::Value::Null),
            Value::Bool(value) => (value.to_string(), (*value).into()),
            Value::Text(text) => {
                let text = self.text(text);
                (quoted(&text), text.into())
            }
            Value::Pattern(pattern) => {
                let text = self.text(pattern.source());
                (format!("/{}/", one_line(&text)), text.into())
            }
            Value::Number(_) | Value::List(_) => {
                let text = self.text(&value.to_text());
                (one_line(&text).into_owned(), text.into())
            }
        }
    }

    /// Where a variable was defined.
    pub(crate) fn variable(&self, variable: &Variable) -> OriginRecord {
        let mut origin = source(variable.source);
        origin.at = self.at(variable.span);
        origin
    }

    /// Where an attribute was given.
    pub(crate) fn origin(&self, origin: Origin) -> OriginRecord {
        let (code, text) = match origin.kind {
            OriginKind::Default => ("default", "GitLab's default"),
            OriginKind::Job => ("job", "the job"),
            OriginKind::Rule => ("rule", "the rule that matched"),
            OriginKind::JobLevelManual => (
                "job_level_manual",
                "the default for `when: manual` outside `rules`",
            ),
            OriginKind::Workflow => ("workflow", "the workflow"),
        };
        OriginRecord {
            code,
            text: text.to_owned(),
            at: self.at(origin.span),
        }
    }
}

/// The words for where a variable was defined.
pub(crate) fn source(source: VariableSource) -> OriginRecord {
    let (code, text) = match source {
        VariableSource::Persisted => ("persisted", "predefined, known when the job runs"),
        VariableSource::Job => ("predefined_job", "predefined for the job"),
        VariableSource::Project => ("predefined_project", "predefined for the project"),
        VariableSource::Pipeline => ("predefined_pipeline", "predefined for the pipeline"),
        VariableSource::Runner => ("predefined_runner", "predefined by the runner"),
        VariableSource::YamlRoot => ("root", "top-level variables"),
        VariableSource::YamlWorkflow => ("workflow_rule", "variables of the workflow rule"),
        VariableSource::YamlJob => ("job", "variables of the job"),
        VariableSource::YamlMatrix => ("matrix", "parallel:matrix"),
        VariableSource::YamlRule => ("rule", "variables of the rule"),
        VariableSource::User => ("predefined_user", "predefined for the user"),
        VariableSource::Dotenv => ("dotenv", "dotenv report of an earlier job"),
        VariableSource::SettingInstance => ("setting_instance", "setting of the instance"),
        VariableSource::SettingGroup => ("setting_group", "setting of the group"),
        VariableSource::SettingProject => ("setting_project", "setting of the project"),
        VariableSource::Given => ("given", "given with the pipeline"),
        VariableSource::Schedule => ("schedule", "given by the schedule"),
        VariableSource::Manual => ("manual", "given when the job was played"),
        VariableSource::Release => ("release", "predefined for the release"),
    };
    OriginRecord {
        code,
        text: text.to_owned(),
        at: None,
    }
}
