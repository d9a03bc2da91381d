//! The daily commands of the project.
fn main() {}
