//! The state machine of a pipeline: inputs in, actions with their reasons out.
//!
//! A [`Schedule`] takes [`Input`]s, one at a time: a job was started, a person pressed play, a delay is over. Each answers
//! with the [`Action`]s that follow: a job has a new status, an executor is wanted, a timer. It is a pure function of the
//! pipeline and the inputs so far: no clock, no I/O, no chance; time enters as [`Input::DelayOver`]. Replaying the inputs is
//! the only way to get to a state, so resuming a run is the path every run takes; [`Schedule::outstanding`] then tells what
//! is still wanted.
//!
//! [`composite`] is the rule by which statuses of jobs combine. [`ResourceGroups`] is a small arbiter of the slots that
//! pipelines share.
//!
//! # States and inputs
//!
//! What may happen to the latest try of a job, and where it leads. Anything else is an [`IllegalInput`] and changes nothing.
//! *start* is the way of a job whose turn has come: `pending`, or `waiting_for_resource` with a resource group.
//!
//! | status | input | next |
//! |---|---|---|
//! | `created` | (what it waits for is decided) | *start*, `manual`, `scheduled` or `skipped` |
//! | `created`, manual or delayed | [`Play`](Input::Play), also before [`Start`](Input::Start) | `created`, then waits for no person and no delay |
//! | `manual` | [`Play`](Input::Play) | *start*; skipped dependants are looked at again |
//! | `scheduled` | [`DelayOver`](Input::DelayOver) | *start* |
//! | `scheduled` | [`Play`](Input::Play) | as `manual` |
//! | `scheduled` | [`Unschedule`](Input::Unschedule) | `manual` |
//! | `waiting_for_resource` | [`ResourceGranted`](Input::ResourceGranted) | `pending` |
//! | `pending` | [`JobStarted`](Input::JobStarted) | `running` |
//! | `pending` | [`CacheHitAtStart`](Input::CacheHitAtStart), where a recheck was asked for | `success` |
//! | `pending`, `running` | [`JobSucceeded`](Input::JobSucceeded) | `success` |
//! | `pending`, `running`, waiting | [`JobFailed`](Input::JobFailed) | `failed`, or `created` as the next try |
//! | `pending`, `running` | [`JobCanceled`](Input::JobCanceled) | `canceled` |
//! | `pending`, `running` | [`CacheGone`](Input::CacheGone) | `created` behind the producer, or as `JobFailed` |
//! | `pending` trigger job | [`DownstreamCreated`](Input::DownstreamCreated) | `running` with a strategy, else `success` |
//! | trigger job with a pipeline | [`BridgeStatus`](Input::BridgeStatus) | by strategy; `running` again when its pipeline is |
//! | `running` | [`Cancel`](Input::Cancel) | `canceling`; a trigger job: `canceled` |
//! | `canceling` | `JobSucceeded`, `JobFailed`, `JobCanceled` | `canceled` |
//! | other, not over | [`Cancel`](Input::Cancel) | `canceled` |
//! | `success`, `failed`, `canceled`, `canceling` | [`Retry`](Input::Retry) | `created` as the next try; skipped dependants are looked at again |
//! | `skipped` | (something it was skipped for begins again) | `created` |
//!
//! [`CancelAll`](Input::CancelAll), [`NewCommit`](Input::NewCommit) and a failure under `auto_cancel:on_job_failure` do to many
//! jobs what `Cancel` does to one.
//!
//! # How it stays fast
//!
//! GitLab looks at all jobs after every event. Here each job with `needs` counts what its needs have come to, and each stage
//! counts its jobs, so an input costs the edges of the jobs it changes; 100 000 jobs take half a second without optimisation
//! (`examples/large.rs`). That both come to the same statuses is a property test against a model that rescans everything.
//!
//! ```
//! use std::sync::Arc;
//! use tidegate_pipeline::{Pipeline, Status};
//! use tidegate_schedule::{Action, Input, Schedule};
//!
//! fn run(pipeline: Arc<Pipeline>) -> Result<Status, tidegate_schedule::IllegalInput> {
//!     let mut schedule = Schedule::new(pipeline);
//!     let mut inputs = vec![Input::Start];
//!     while let Some(input) = inputs.pop() {
//!         for action in schedule.apply(input)? {
//!             if let Action::StartJob { job, attempt, .. } = action {
//!                 inputs.push(Input::JobSucceeded { job, attempt });
//!             }
//!         }
//!     }
//!     Ok(schedule.pipeline_status())
//! }
//!
//! assert_eq!(run(Arc::new(Pipeline::default())), Ok(Status::Success));
//! ```
//!
//! The crate knows neither configuration files nor how jobs are run or shown; it builds on `pipeline` alone.

mod action;
mod composite;
mod graph;
mod input;
mod predecessors;
mod resource;
mod schedule;
#[cfg(test)]
mod testing;

pub use action::{Action, Claim};
pub use composite::{Composite, Mode, composite};
pub use input::{CancelCause, IllegalInput, Input, MetState};
pub use resource::ResourceGroups;
pub use schedule::Schedule;
