//! How a configuration is read, as a recording holds it.

use serde::{Deserialize, Serialize};
use tidegate_config::{Dialect, Edition, Limits, Settings};

#[derive(Serialize, Deserialize, Debug, Clone)]
pub(super) struct ReadingRecord {
    dialect: DialectRecord,
    edition: EditionRecord,
    gitlab_version: (u16, u16),
    strict_includes: bool,
    limits: LimitsRecord,
}

#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum DialectRecord {
    Gitlab,
    Tidegate,
}

#[derive(Serialize, Deserialize, Debug, Clone, Copy)]
#[serde(rename_all = "snake_case")]
enum EditionRecord {
    Community,
    Enterprise,
}

/// All limits but the one in time: whoever replays waits for nothing.
#[derive(Serialize, Deserialize, Debug, Clone)]
struct LimitsRecord {
    file_bytes: usize,
    value_bytes: u64,
    depth: u32,
    includes: usize,
    included_bytes: u64,
    interpolation_nodes: usize,
    interpolation_node_bytes: usize,
    interpolation_expression_bytes: usize,
    interpolation_blocks: usize,
    interpolation_functions: usize,
    pipeline_inputs: usize,
}

impl ReadingRecord {
    pub(super) fn of(reading: &Settings) -> ReadingRecord {
        ReadingRecord {
            dialect: match reading.dialect {
                Dialect::Gitlab => DialectRecord::Gitlab,
                Dialect::Tidegate => DialectRecord::Tidegate,
            },
            edition: match reading.edition {
                Edition::Community => EditionRecord::Community,
                Edition::Enterprise => EditionRecord::Enterprise,
            },
            gitlab_version: reading.gitlab_version,
            strict_includes: reading.strict_includes,
            limits: LimitsRecord::of(&reading.limits),
        }
    }

    pub(super) fn reading(self) -> Settings {
        Settings {
            dialect: match self.dialect {
                DialectRecord::Gitlab => Dialect::Gitlab,
                DialectRecord::Tidegate => Dialect::Tidegate,
            },
            edition: match self.edition {
                EditionRecord::Community => Edition::Community,
                EditionRecord::Enterprise => Edition::Enterprise,
            },
            gitlab_version: self.gitlab_version,
            limits: self.limits.limits(),
            strict_includes: self.strict_includes,
            record_origins: false,
            keep_written: true,
        }
    }
}

impl LimitsRecord {
    fn of(limits: &Limits) -> LimitsRecord {
        LimitsRecord {
            file_bytes: limits.yaml.text_bytes,
            value_bytes: limits.yaml.value_bytes,
            depth: limits.yaml.depth,
            includes: limits.includes,
            included_bytes: limits.included_bytes,
            interpolation_nodes: limits.interpolation_nodes,
            interpolation_node_bytes: limits.interpolation_node_bytes,
            interpolation_expression_bytes: limits.interpolation_expression_bytes,
            interpolation_blocks: limits.interpolation_blocks,
            interpolation_functions: limits.interpolation_functions,
            pipeline_inputs: limits.pipeline_inputs,
        }
    }

    fn limits(self) -> Limits {
        let default = Limits::default();
        Limits {
            yaml: tidegate_yaml::Limits {
                text_bytes: self.file_bytes,
                value_bytes: self.value_bytes,
                depth: self.depth,
            },
            includes: self.includes,
            included_bytes: self.included_bytes,
            include_time: default.include_time,
            interpolation_nodes: self.interpolation_nodes,
            interpolation_node_bytes: self.interpolation_node_bytes,
            interpolation_expression_bytes: self.interpolation_expression_bytes,
            interpolation_blocks: self.interpolation_blocks,
            interpolation_functions: self.interpolation_functions,
            pipeline_inputs: self.pipeline_inputs,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_set_is_read_back() {
        let mut reading = Settings {
            edition: Edition::Enterprise,
            dialect: Dialect::Gitlab,
            gitlab_version: (17, 3),
            strict_includes: true,
            ..Settings::default()
        };
        assert_eq!(ReadingRecord::of(&reading).reading(), reading);
        reading.limits.yaml.depth = 7;
        reading.limits.includes = 8;
        reading.limits.pipeline_inputs = 9;
        assert_eq!(ReadingRecord::of(&reading).reading(), reading);
    }
}
