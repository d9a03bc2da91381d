//! Runs the conformance corpus and the differential vectors.
