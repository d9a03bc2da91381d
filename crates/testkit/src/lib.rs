//! Temporary repositories and helpers for tests from outside.
