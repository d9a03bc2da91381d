//! Git, fetched includes and the store as the planner's door to the outside.
