//! Variables of a situation. Where in a file they were written is not kept: the file is not.

use serde::{Deserialize, Serialize};
use tidegate_expr::{Variable, VariableSource};

use super::words;
use crate::scenario::SettingVariable;

#[derive(Serialize, Deserialize, Debug, Clone)]
pub(super) struct VariableRecord {
    key: String,
    value: Option<String>,
    #[serde(default)]
    raw: bool,
    #[serde(default)]
    file: bool,
    #[serde(default)]
    masked: bool,
    source: SourceRecord,
}

#[derive(Serialize, Deserialize, Debug, Clone)]
pub(super) struct SettingRecord {
    variable: VariableRecord,
    protected: bool,
    environment_scope: String,
}

words! {
    SourceRecord of VariableSource {
        Persisted, Job, Project, Pipeline, Runner, YamlRoot, YamlWorkflow, YamlJob, YamlMatrix,
        YamlRule, User, Dotenv, SettingInstance, SettingGroup, SettingProject, Given, Schedule,
        Manual, Release,
    }
}

impl VariableRecord {
    pub(super) fn of(variable: &Variable) -> VariableRecord {
        VariableRecord {
            key: (*variable.key).to_owned(),
            value: variable.value.as_deref().map(str::to_owned),
            raw: variable.raw,
            file: variable.file,
            masked: variable.masked,
            source: SourceRecord::of(variable.source),
        }
    }

    pub(super) fn variable(self) -> Variable {
        Variable {
            value: self.value.map(Into::into),
            raw: self.raw,
            file: self.file,
            masked: self.masked,
            ..Variable::new(self.key, "", self.source.model())
        }
    }
}

impl SettingRecord {
    pub(super) fn of(setting: &SettingVariable) -> SettingRecord {
        SettingRecord {
            variable: VariableRecord::of(&setting.variable),
            protected: setting.protected,
            environment_scope: setting.environment_scope.clone(),
        }
    }

    pub(super) fn setting(self) -> SettingVariable {
        SettingVariable {
            variable: self.variable.variable(),
            protected: self.protected,
            environment_scope: self.environment_scope,
        }
    }
}
