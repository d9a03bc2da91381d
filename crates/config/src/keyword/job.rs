//! Jobs: what a job and a trigger job may say, and the order in which GitLab checks it
//! (reference `config.md` §8.1, §9.2, §9.4).

mod body;
mod bridge;
mod script_job;
mod shared;

pub(crate) use bridge::bridge;
pub(crate) use script_job::job;
pub(crate) use shared::{Surroundings, WrittenJob};
