//! From the merged tree to the typed configuration: what GitLab's entries check, in its order and words.

mod check;
mod context;
mod place;
mod root;
mod shared;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
mod tests;

pub(crate) use check::{
    Check, Faults, INVALID, flatten, is_blank, is_blank_key, joined, key_text, length,
    nested_texts, raw_fault, specified, string, text, texts, values,
};
pub(crate) use context::{Context, extension_help};
pub(crate) use place::Place;
pub(crate) use root::build;
