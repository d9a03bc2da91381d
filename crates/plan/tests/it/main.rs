//! Tests of planning from the outside: small configurations through loading to the plan.

mod cache;
mod chain;
mod lowering;
mod needs;
mod properties;
mod rules;
mod situation;
mod trace;
mod variables;
