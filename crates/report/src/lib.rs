//! Pure renderers of diagnostics, decisions, plans, graphs and events.
