//! The state machine of a pipeline: inputs in, actions with their reasons out.
