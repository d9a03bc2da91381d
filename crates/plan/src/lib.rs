//! Decides which jobs enter a pipeline, in what shape, and why.
//!
//! [`plan`] takes a configuration, a situation and a world, and returns a [`Plan`]: the pipeline (or why there is none), a
//! [`Decision`] for every configured job, in or out, and every fact it relied on. It is a pure function; replaying the facts
//! gives the same plan.
//!
//! ```
//! use tidegate_config::{RootFile, Settings, load};
//! use tidegate_plan::{Basis, Detail, plan};
//! use tidegate_scenario::{FixtureWorld, Scenario};
//!
//! let world = FixtureWorld::default();
//! let scenario = Scenario::push("main");
//! let root = RootFile {
//!     name: ".gitlab-ci.yml".to_owned(),
//!     bytes: b"build: {script: make, rules: [{if: $CI_COMMIT_TAG}, {if: $CI_COMMIT_BRANCH}]}\n"[..].into(),
//! };
//! let loaded = load(&root, &scenario, &world, &Settings::default())?;
//! let plan = plan(&loaded.config.unwrap_or_default(), &scenario, &world, &Detail::Compact)?;
//! assert_eq!(plan.pipeline().map(|pipeline| pipeline.jobs.len()), Some(1));
//! assert_eq!(plan.decisions[0].basis, Basis::Rules { matched: Some(1) });
//! # Ok::<(), tidegate_scenario::WorldError>(())
//! ```
//!
//! The rules are GitLab's (18.11, reference `compose.md`) and those of our own keywords (reference `extensions.md`).

mod action;
mod attributes;
mod cache_clause;
mod cache_key;
mod chain;
mod change_set;
mod changes;
mod decision;
mod detail;
mod environment;
mod exists;
mod file_set;
mod layers;
mod lowering;
mod nearest;
mod needs;
mod path_index;
mod plan;
mod policy;
mod quirk;
mod quirks;
mod rules;
mod scope;
mod seed;
mod settings;
mod shared;
mod sink;
mod trace;
mod view;
mod workflow;

pub use cache_key::{FinalCacheKey, UnusableCacheKey, cache_suffix, final_cache_key};
pub use chain::{plan, plan_with, stopped_before_loading};
pub use decision::{Basis, Decision, LeftOut, Origin, OriginKind, Origins, Verdict};
pub use detail::Detail;
pub use lowering::{NotLowerable, lowered};
pub use plan::{AutoCancelDecision, NameDerivation, Outcome, Plan, SkipReason, WorkflowDecision};
pub use quirk::Quirk;
pub use settings::{Limits, ProtectedCaches, Settings};
pub use trace::{
    BaseOrigin, CacheAsked, CacheDerivation, CacheMissReason, ChangesTrace, ChangesVerdict,
    ClauseOutcome, ClauseTrace, ClauseTrial, DigestInput, ExistsHow, ExistsTrace, ExistsVerdict,
    ExpandedGlob, KeyDigest, KeyReference, KeyState, NeedFate, NeedTrial, PathsBase, PolicyAtom,
    PolicyTrial, RefTrial, RuleEnd, RuleTrial, Trace, UnmetRule,
};
