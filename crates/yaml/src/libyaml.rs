//! The only place that touches `unsafe-libyaml`, a port of the C library GitLab parses with.
//!
//! Everything that leaves this module is checked, owned or borrowed with an honest lifetime.
#![allow(unsafe_code)]

mod emitter;
mod parser;

pub(crate) use emitter::{Emitter, ScalarStyle};
pub(crate) use parser::{Event, EventKind, Parser, Start, SyntaxError};
