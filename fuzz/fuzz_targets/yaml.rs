//! Fuzzes YAML files; what is done with an input stands in `tidegate_conformance::fuzz`.

#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| tidegate_conformance::fuzz::yaml(input));
