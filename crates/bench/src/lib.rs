//! Benches of the product as a whole and in parts; each is a binary of its own.

pub mod generated;
