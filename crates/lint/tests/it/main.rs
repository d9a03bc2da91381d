//! The registry against its page and against the whole set of configurations.

mod page;
mod vectors;
