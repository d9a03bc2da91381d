//! What an explanation says, ready to be shown: places named, secrets hidden, sentences made.
//!
//! The text and the JSON form are both drawn from these records, so they cannot disagree. The JSON form is described in
//! `docs/json.md`; positions of rules count from 1.

use serde::Serialize;

/// The explanation of a plan and some of its jobs.
#[derive(Serialize)]
pub(crate) struct Explanation {
    pub(crate) version: u32,
    pub(crate) outcome: &'static str,
    pub(crate) messages: Vec<String>,
    #[serde(skip)]
    pub(crate) hint: Option<&'static str>,
    pub(crate) workflow: WorkflowRecord,
    pub(crate) jobs: Vec<JobRecord>,
    /// Names asked for that no job has.
    pub(crate) unknown: Vec<String>,
}

#[derive(Serialize)]
pub(crate) struct WorkflowRecord {
    pub(crate) rules: Vec<RuleRecord>,
    pub(crate) matched: Option<u32>,
    pub(crate) error: Option<String>,
    pub(crate) name: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct JobRecord {
    pub(crate) name: String,
    pub(crate) stage: String,
    pub(crate) at: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) because: BecauseRecord,
    pub(crate) rules: Vec<RuleRecord>,
    pub(crate) policies: Vec<PolicyRecord>,
    pub(crate) caches: Vec<CacheRecord>,
    pub(crate) needs: Vec<NeedRecord>,
    pub(crate) attributes: Vec<AttributeRecord>,
    pub(crate) notes: Vec<NoteRecord>,
    pub(crate) nearest: Option<NearestRecord>,
}

#[derive(Serialize)]
pub(crate) struct BecauseRecord {
    pub(crate) code: &'static str,
    pub(crate) rule: Option<u32>,
    pub(crate) text: String,
}

#[derive(Serialize)]
pub(crate) struct RuleRecord {
    pub(crate) rule: u32,
    pub(crate) at: Option<String>,
    /// `matched`, `not_matched`, `error`, `not_tried`.
    pub(crate) end: &'static str,
    pub(crate) message: Option<String>,
    pub(crate) clauses: Vec<ClauseRecord>,
}

#[derive(Serialize)]
pub(crate) struct ClauseRecord {
    /// `if`, `changes`, `exists`, `cache`.
    pub(crate) kind: &'static str,
    pub(crate) at: Option<String>,
    /// `holds`, `holds_unknown`, `fails`, `not_reached`, `error`.
    pub(crate) outcome: &'static str,
    /// Why it is unknown, or what GitLab says is wrong.
    pub(crate) reason: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) expression: Option<ExpressionRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<FilesRecord>,
    /// `missing`, `missing: all`, `present`, `present: any`; of `cache` only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) wanted: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) caches: Option<Vec<AskedRecord>>,
}

#[derive(Serialize)]
pub(crate) struct ExpressionRecord {
    pub(crate) text: String,
    pub(crate) tree: Option<NodeRecord>,
}

#[derive(Serialize)]
pub(crate) struct NodeRecord {
    /// The text of the node with everything below it.
    pub(crate) text: String,
    /// `value`, `skipped`, `failed`.
    pub(crate) outcome: &'static str,
    /// `nil`, `bool`, `text`, `pattern`, `number`, `list`; of values only.
    #[serde(rename = "type")]
    pub(crate) kind: Option<&'static str>,
    pub(crate) value: serde_json::Value,
    /// The value as people read it.
    #[serde(skip)]
    pub(crate) shown: String,
    pub(crate) holds: bool,
    pub(crate) error: Option<String>,
    /// Its token is the name of a variable.
    pub(crate) is_variable: bool,
    pub(crate) origin: Option<OriginRecord>,
    pub(crate) operands: Vec<NodeRecord>,
}

/// Where a value comes from.
#[derive(Serialize)]
pub(crate) struct OriginRecord {
    /// A stable word.
    pub(crate) code: &'static str,
    /// For people.
    pub(crate) text: String,
    pub(crate) at: Option<String>,
}

/// What `changes` or `exists` looked at.
#[derive(Serialize)]
pub(crate) struct FilesRecord {
    /// `matched`, `no_match`, `nothing_changed`, `no_globs`, `unknown`, `limit_exceeded`, `error`, `not_reached`.
    pub(crate) result: &'static str,
    /// The result as a sentence fragment.
    pub(crate) text: String,
    pub(crate) path: Option<String>,
    pub(crate) glob: Option<String>,
    /// How many paths were looked at.
    pub(crate) count: Option<usize>,
    pub(crate) globs: Vec<GlobRecord>,
    /// What changes are sought against.
    pub(crate) base: Option<BaseRecord>,
    /// Whose files.
    pub(crate) place: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct GlobRecord {
    pub(crate) written: String,
    pub(crate) expanded: String,
    pub(crate) at: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct BaseRecord {
    pub(crate) commit: Option<String>,
    pub(crate) code: &'static str,
    pub(crate) text: String,
    pub(crate) at: Option<String>,
}

/// A cache that a clause asked for.
#[derive(Serialize)]
pub(crate) struct AskedRecord {
    pub(crate) index: Option<usize>,
    pub(crate) key: Option<String>,
    /// `present`, `missing`, `unknown`, `not_asked`.
    pub(crate) state: &'static str,
    pub(crate) reason: Option<String>,
    pub(crate) fallback: Option<String>,
}

/// How a key comes about.
#[derive(Serialize)]
pub(crate) struct CacheRecord {
    pub(crate) index: usize,
    pub(crate) at: Option<String>,
    pub(crate) digest: Option<DigestRecord>,
    pub(crate) created: String,
    pub(crate) suffixed: String,
    pub(crate) references: Vec<ReferenceRecord>,
    pub(crate) key: Option<String>,
    pub(crate) state: &'static str,
    pub(crate) reason: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct DigestRecord {
    pub(crate) prefix: String,
    pub(crate) digest: String,
    pub(crate) files: Vec<DigestFile>,
}

#[derive(Serialize)]
pub(crate) struct DigestFile {
    pub(crate) path: String,
    pub(crate) id: Option<String>,
}

#[derive(Serialize)]
pub(crate) struct ReferenceRecord {
    pub(crate) name: String,
    pub(crate) value: Option<String>,
    pub(crate) origin: Option<OriginRecord>,
}

#[derive(Serialize)]
pub(crate) struct NeedRecord {
    pub(crate) name: String,
    pub(crate) at: Option<String>,
    pub(crate) artifacts: bool,
    pub(crate) optional: bool,
    pub(crate) entry: usize,
    /// `present`, `satisfied`, `absent_optional`, `absent_error`, `ignored`, `dropped`, `leaves_out`, `elsewhere`.
    pub(crate) fate: &'static str,
    pub(crate) text: &'static str,
}

#[derive(Serialize)]
pub(crate) struct AttributeRecord {
    pub(crate) name: &'static str,
    pub(crate) value: String,
    pub(crate) origin: Option<OriginRecord>,
}

/// A surprise that bit.
#[derive(Serialize)]
pub(crate) struct NoteRecord {
    /// A stable word.
    pub(crate) code: &'static str,
    pub(crate) text: String,
    /// GitLab's documentation of it.
    pub(crate) doc: &'static str,
}

/// What would have to differ.
#[derive(Serialize)]
pub(crate) struct NearestRecord {
    pub(crate) rule: u32,
    pub(crate) at: Option<String>,
    pub(crate) clauses: Vec<ClauseRecord>,
    pub(crate) blocked_by: Option<u32>,
}

#[derive(Serialize)]
pub(crate) struct PolicyRecord {
    pub(crate) keyword: &'static str,
    pub(crate) at: Option<String>,
    /// GitLab's default, not written.
    pub(crate) default: bool,
    pub(crate) holds: bool,
    pub(crate) conditions: Vec<ConditionRecord>,
}

#[derive(Serialize)]
pub(crate) struct ConditionRecord {
    /// `refs`, `variables`, `changes`, `kubernetes`.
    pub(crate) kind: &'static str,
    pub(crate) holds: bool,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) refs: Vec<RefRecord>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) expressions: Vec<NodeRecord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) files: Option<FilesRecord>,
}

#[derive(Serialize)]
pub(crate) struct RefRecord {
    pub(crate) text: String,
    pub(crate) at: Option<String>,
    pub(crate) holds: bool,
}
