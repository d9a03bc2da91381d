//! The event a pipeline is planned for ([`Scenario`]), and the one door to the outside ([`World`]).
//!
//! A plan is a pure function of a configuration, a [`Scenario`] and the answers of a [`World`]. Every answer can be recorded
//! ([`Recorder`]) and replayed ([`FixtureWorld`]), so a plan can be explained, compared and tested without a repository.
//! What cannot be known is a [`Fact::Unknown`] with the reason, never a guess.
//!
//! The crate knows neither git nor HTTP: how facts are got is the business of `world`.

mod fact;
mod fixture;
mod input;
mod predefined;
mod recorder;
#[allow(clippy::module_inception)]
mod scenario;
mod wire;
mod world;

pub use fact::{Fact, Why};
pub use fixture::{FixtureProject, FixtureWorld};
pub use input::InputValue;
pub use predefined::{Phase, predefined, setting_layers};
pub use recorder::{Facts, Recorder};
pub use scenario::{
    Commit, MergeRequest, MergeRequestKind, Overrides, PipelineSource, Project, Ref, Role,
    Scenario, Server, SettingVariable, Upstream, User,
};
pub use wire::{ContentRecord, FactsRecord, ScenarioRecord, UnreadableRecord};
pub use world::{
    Answer, CacheQuery, CacheState, ChangedPaths, Comparison, Component, PathList, Place,
    ProjectFacts, Remote, World, WorldError,
};
