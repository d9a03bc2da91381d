//! Mirrors of variables. Where in a file one was defined is not kept: nothing that runs asks for it.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use tidegate_expr::{Variable, VariableSource};

use super::mirror::{Mirrored, words};

words!(VariableSource {
    Persisted = "persisted",
    Job = "job",
    Project = "project",
    Pipeline = "pipeline",
    Runner = "runner",
    YamlRoot = "yaml_root",
    YamlWorkflow = "yaml_workflow",
    YamlJob = "yaml_job",
    YamlMatrix = "yaml_matrix",
    YamlRule = "yaml_rule",
    User = "user",
    Dotenv = "dotenv",
    SettingInstance = "setting_instance",
    SettingGroup = "setting_group",
    SettingProject = "setting_project",
    Given = "given",
    Schedule = "schedule",
    Manual = "manual",
    Release = "release",
});

#[derive(Serialize, Deserialize)]
pub(super) struct VariableWire {
    key: String,
    value: Option<String>,
    #[serde(default, skip_serializing_if = "is_not")]
    raw: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    file: bool,
    #[serde(default, skip_serializing_if = "is_not")]
    masked: bool,
    source: String,
}

#[expect(
    clippy::trivially_copy_pass_by_ref,
    reason = "serde hands out references"
)]
fn is_not(flag: &bool) -> bool {
    !flag
}

impl Mirrored for Variable {
    type Wire = VariableWire;

    fn wire(&self) -> VariableWire {
        VariableWire {
            key: self.key.wire(),
            value: self.value.wire(),
            raw: self.raw,
            file: self.file,
            masked: self.masked,
            source: self.source.wire(),
        }
    }

    fn model(wire: VariableWire) -> Option<Variable> {
        let source = VariableSource::model(wire.source)?;
        Some(Variable {
            value: wire.value.map(Arc::from),
            raw: wire.raw,
            file: wire.file,
            masked: wire.masked,
            ..Variable::new(wire.key, "", source)
        })
    }
}
