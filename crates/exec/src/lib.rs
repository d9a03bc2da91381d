//! Runs one job: script generation, process trees, log stream and masking.
