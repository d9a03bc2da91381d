//! Tests against what GitLab itself answered, and against damaged input.

mod damage;
mod dump;
mod errors;
mod scalars;
