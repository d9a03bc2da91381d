//! Joins schedule, exec, workspace and store into a running pipeline.
