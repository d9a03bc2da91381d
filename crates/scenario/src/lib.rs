//! The event a pipeline is planned for, and the one door to the outside.
