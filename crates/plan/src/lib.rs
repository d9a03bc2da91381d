//! Decides which jobs enter a pipeline, in what shape, and why.
