//! Tests against what GitLab itself answered, and against damaged input.

mod dump;
mod errors;
