//! Everything that was looked at to decide about one job.

use std::sync::Arc;

use tidegate_config::CacheMatch;
use tidegate_expr::{TraceNode, VariableSource};
use tidegate_scenario::{CacheState, Fact, Place, Why};
use tidegate_source::Span;

use crate::quirk::Quirk;

/// Everything that was looked at to decide about one job.
#[derive(Clone, Debug, Default)]
pub struct Trace {
    /// Its rules, all of them; those behind the deciding one are not tried.
    pub rules: Vec<RuleTrial>,
    /// Its policies: the positive one first.
    pub policies: Vec<PolicyTrial>,
    /// How the keys of its caches come about.
    pub caches: Vec<CacheDerivation>,
    /// What became of its needs, those of the rule where it has any; for jobs that are in.
    pub needs: Vec<NeedTrial>,
    /// Surprises that bit.
    pub quirks: Vec<Quirk>,
    /// For a job that is out: the rule that came nearest, and what would have to differ.
    pub nearest: Option<UnmetRule>,
}

/// What became of one rule.
#[derive(Clone, Debug)]
pub struct RuleTrial {
    /// Where it was written.
    pub span: Span,
    /// Its clauses in the order they are judged.
    pub clauses: Vec<ClauseTrial>,
    /// What became of it.
    pub end: RuleEnd,
}

/// What became of a rule.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum RuleEnd {
    /// It matched and decided.
    Matched,
    /// A clause does not hold.
    NotMatched,
    /// It could not be judged, which ends the whole list; what GitLab says.
    Error(Arc<str>),
    /// An earlier rule decided.
    NotTried,
}

/// What became of one clause.
#[derive(Clone, Debug)]
pub struct ClauseTrial {
    /// Where it was written.
    pub span: Span,
    /// Whether it holds.
    pub outcome: ClauseOutcome,
    /// What was looked at.
    pub trace: ClauseTrace,
}

/// Whether a clause holds.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ClauseOutcome {
    /// It holds.
    Holds,
    /// It does not.
    Fails,
    /// It holds because what it asks for cannot be known.
    HoldsUnknown(Why),
    /// An earlier clause failed, so it was not looked at.
    NotReached,
    /// It could not be judged; what GitLab says.
    Error(Arc<str>),
}

impl ClauseOutcome {
    /// Whether the clause lets its rule match.
    pub fn holds(&self) -> bool {
        matches!(self, ClauseOutcome::Holds | ClauseOutcome::HoldsUnknown(_))
    }
}

/// What was looked at for a clause.
#[derive(Clone, Debug)]
pub enum ClauseTrace {
    /// `if`: the text, and every operand with its value where it was evaluated.
    If {
        /// The expression as written.
        text: Arc<str>,
        /// Its evaluation; `None` where the clause was not reached.
        tree: Option<TraceNode>,
    },
    /// `changes`.
    Changes(ChangesTrace),
    /// `exists`.
    Exists(ExistsTrace),
    /// `cache`, an extension.
    Cache {
        /// What must hold.
        wanted: CacheMatch,
        /// The caches asked for; none where the clause was not reached.
        asked: Vec<CacheAsked>,
    },
}

/// A pattern before and after expansion.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExpandedGlob {
    /// As written.
    pub written: Arc<str>,
    /// Where.
    pub span: Span,
    /// With variables replaced; the same `Arc` where it has none.
    pub expanded: Arc<str>,
}

/// What was looked at for `changes`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ChangesTrace {
    /// The patterns.
    pub globs: Vec<ExpandedGlob>,
    /// Against what changes were sought, and why; `None` where the clause was not reached.
    pub base: Option<PathsBase>,
    /// What was found.
    pub verdict: ChangesVerdict,
}

/// What `changes` found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ChangesVerdict {
    /// It was not looked at.
    NotReached,
    /// This changed path matches this pattern.
    Matched {
        /// The path.
        path: Arc<str>,
        /// The pattern, expanded.
        glob: Arc<str>,
    },
    /// None of so many changed paths matches.
    NoMatch {
        /// How many paths changed.
        changed: usize,
    },
    /// Nothing changed.
    NothingChanged,
    /// There are no patterns.
    NoGlobs,
    /// It cannot be known what changed, so the clause holds.
    Unknown(Why),
    /// Paths times patterns exceed the limit, so the clause holds.
    LimitExceeded {
        /// How many paths changed.
        changed: usize,
        /// How many patterns there are.
        globs: usize,
    },
    /// It could not be judged; what GitLab says.
    Error(Arc<str>),
}

/// Against what changes are sought.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct PathsBase {
    /// The commit or name compared with; `None` where there is none.
    pub base: Option<Arc<str>>,
    /// Why this one.
    pub origin: BaseOrigin,
}

/// Why changes are sought against a commit, or cannot be (reference `compose.md` §2.3).
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum BaseOrigin {
    /// The situation states the changed paths.
    Stated,
    /// `compare_to` names it.
    CompareTo {
        /// As written.
        written: Arc<str>,
        /// Where.
        span: Span,
    },
    /// The commit before the push.
    BeforePush,
    /// The commit before the push that the parent pipeline ran for.
    ParentPush,
    /// The merge base with the target branch of the merge request.
    MergeRequestTarget,
    /// The push creates the branch.
    NewBranch,
    /// A tag has no commit before it.
    Tag,
    /// Pipelines of this source have no commit before them; the name is that of the source.
    Source(&'static str),
    /// The commit before the push is not known.
    NoCommitBefore,
}

/// What was looked at for `exists`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ExistsTrace {
    /// The patterns.
    pub globs: Vec<ExpandedGlob>,
    /// Whose files; `None` where the clause was not reached or names no such project.
    pub place: Option<Place>,
    /// What was found.
    pub verdict: ExistsVerdict,
}

/// What `exists` found.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum ExistsVerdict {
    /// It was not looked at.
    NotReached,
    /// This pattern was found.
    Matched {
        /// The pattern, expanded.
        glob: Arc<str>,
        /// A file that satisfies it.
        path: Arc<str>,
        /// How.
        how: ExistsHow,
    },
    /// None of so many files satisfies any pattern.
    NoMatch {
        /// How many files were looked at.
        files: usize,
    },
    /// There are no patterns.
    NoGlobs,
    /// The files cannot be known, so the clause holds.
    Unknown(Why),
    /// Files times patterns exceed the limit, so the clause holds.
    LimitExceeded {
        /// How many files there are.
        files: usize,
        /// How many patterns there are.
        globs: usize,
    },
    /// It could not be judged; what GitLab says.
    Error(Arc<str>),
}

/// How a pattern of `exists` was found.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum ExistsHow {
    /// It is the file's path.
    Exact,
    /// A file lies below the directory.
    Directory,
    /// A file ends in it.
    Extension,
    /// A file matches it.
    Pattern,
}

/// One cache that a `cache` clause asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheAsked {
    /// Its position among the job's caches, where it is one of them.
    pub index: Option<usize>,
    /// Its key as the runner would use it, or why that is not known.
    pub key: Result<String, CacheMissReason>,
    /// Whether it exists.
    pub state: Fact<CacheState>,
    /// The fallback key that exists, where those count.
    pub fallback: Option<String>,
}

/// Why a final key cannot be known before the job runs.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum CacheMissReason {
    /// A variable in it has no value yet.
    Variable(Arc<str>),
    /// The files it is computed from cannot be read.
    Files(Why),
    /// Nothing is left of it after sanitising.
    Unusable,
}

/// How the key of one cache comes about, step by step (reference `compose.md` §10.2, §10.3; `runner.md` §4.1).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct CacheDerivation {
    /// Position among the job's caches, from 0.
    pub index: usize,
    /// Where the cache was written.
    pub span: Span,
    /// The digest, for keys made of files.
    pub digest: Option<KeyDigest>,
    /// The key when the pipeline is created: prefix and digest, or the text as written.
    pub created: Arc<str>,
    /// With what is appended when the job is handed out.
    pub suffixed: String,
    /// Variables in it, with their values.
    pub references: Vec<KeyReference>,
    /// Expanded, sanitised; what the store is asked for.
    pub key: Result<String, CacheMissReason>,
    /// Whether it exists.
    pub state: KeyState,
    /// The keys that are tried after it, expanded and sanitised: `fallback_keys`, then `CACHE_FALLBACK_KEY`.
    pub fallback_keys: Vec<Result<String, CacheMissReason>>,
    /// It has neither `paths` nor `untracked`, so that the runner passes it over.
    pub is_empty: bool,
}

/// How the digest of a key came about.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyDigest {
    /// The prefix before it, written or derived from position and names.
    pub prefix: Arc<str>,
    /// What went in.
    pub inputs: Vec<DigestInput>,
    /// The digest; `default` where none of the files exists.
    pub digest: Arc<str>,
}

/// One file of a digest.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct DigestInput {
    /// Its path.
    pub path: Arc<str>,
    /// Its blob or commit id; `None` where it does not exist.
    pub id: Option<Arc<str>>,
}

/// A variable in a cache key.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct KeyReference {
    /// Its name.
    pub name: Arc<str>,
    /// Its value; `None` where it has none before the job runs.
    pub value: Option<Arc<str>>,
    /// Where it was defined.
    pub source: Option<VariableSource>,
}

/// Whether a cache exists, as far as planning knows.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum KeyState {
    /// Nobody asked.
    NotAsked,
    /// The answer of the world.
    Asked(Fact<CacheState>),
}

/// What became of one entry of `needs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct NeedTrial {
    /// The needed job, or what a need on another pipeline names.
    pub name: Arc<str>,
    /// Where it was written.
    pub span: Span,
    /// Its artifacts are wanted.
    pub artifacts: bool,
    /// The need is optional.
    pub optional: bool,
    /// The position among the entries, which alternatives of one `any` share.
    pub entry: usize,
    /// What became of it.
    pub fate: NeedFate,
}

/// What became of a need.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub enum NeedFate {
    /// The job is in the pipeline.
    Present,
    /// The job stands in the pipeline as a success, because its cache exists.
    Satisfied,
    /// The job is absent and the need optional.
    AbsentOptional,
    /// The job is absent, which is an error.
    AbsentError,
    /// The job is absent; the need is one of a rule, where that is silently ignored.
    Ignored,
    /// The job is absent, so the entry is dropped (`if_absent: stage`).
    Dropped,
    /// The job is absent, so this job is left out (`if_absent: skip`).
    LeavesOut,
    /// The job belongs to another pipeline or project.
    Elsewhere,
}

/// The rule that came nearest to letting a job in.
#[derive(Clone, Debug)]
pub struct UnmetRule {
    /// Its position, from 0.
    pub rule: u32,
    /// Its clauses, all of them judged; those that fail would have to hold.
    pub clauses: Vec<ClauseTrial>,
    /// A rule before it that matches and says `never`, which would have to fail.
    pub blocked_by: Option<u32>,
}

/// What became of one policy.
#[derive(Clone, Debug)]
pub struct PolicyTrial {
    /// The keyword: `only`, `except_and`, …
    pub keyword: &'static str,
    /// Where its value was written; [`Span::NONE`] for the default `only`.
    pub span: Span,
    /// Its conditions.
    pub atoms: Vec<PolicyAtom>,
    /// Whether the conditions together hold: for a negative policy that the job is out.
    pub holds: bool,
}

/// One condition of a policy.
#[derive(Clone, Debug)]
pub enum PolicyAtom {
    /// `refs`.
    Refs {
        /// Each pattern.
        patterns: Vec<RefTrial>,
        /// They are GitLab's default, not written.
        default: bool,
        /// Whether any matches.
        holds: bool,
    },
    /// `variables`.
    Variables {
        /// Each expression tried; the first that holds ends it.
        expressions: Vec<TraceNode>,
        /// Whether any holds.
        holds: bool,
    },
    /// `changes`.
    Changes(ChangesTrace),
    /// `kubernetes: active`.
    Kubernetes {
        /// Whether a cluster is connected.
        holds: bool,
    },
}

/// One pattern of `refs`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct RefTrial {
    /// As written.
    pub text: Arc<str>,
    /// Where.
    pub span: Span,
    /// Whether it matches.
    pub holds: bool,
}

impl PolicyAtom {
    /// Whether the condition holds.
    pub fn holds(&self) -> bool {
        match self {
            PolicyAtom::Refs { holds, .. }
            | PolicyAtom::Variables { holds, .. }
            | PolicyAtom::Kubernetes { holds } => *holds,
            PolicyAtom::Changes(changes) => matches!(
                changes.verdict,
                ChangesVerdict::Matched { .. }
                    | ChangesVerdict::Unknown(_)
                    | ChangesVerdict::LimitExceeded { .. }
            ),
        }
    }
}
