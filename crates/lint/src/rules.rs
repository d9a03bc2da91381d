//! One rule a file; each says what it finds, why that bites, and how to mend it.

pub(crate) mod blocking_manual;
pub(crate) mod cache_index;
pub(crate) mod cache_only_path;
pub(crate) mod cache_with_artifacts;
mod changes;
pub(crate) mod changes_always_true;
pub(crate) mod changes_first_push;
pub(crate) mod default_timeout;
pub(crate) mod disappearing_failure;
pub(crate) mod duplicate_key;
pub(crate) mod empty_only;
pub(crate) mod ignored_document;
pub(crate) mod key_unknown;
pub(crate) mod merge_of_no_map;
pub(crate) mod merge_overrides;
pub(crate) mod no_single_producer;
pub(crate) mod number_as_variable;
pub(crate) mod octal;
pub(crate) mod replaced_list;
pub(crate) mod sexagesimal;
pub(crate) mod unknown_code;
pub(crate) mod unreachable_rule;
pub(crate) mod variable_in_condition;
mod yaml_remark;
