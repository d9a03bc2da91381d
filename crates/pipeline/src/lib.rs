//! Inert data: pipelines, jobs, statuses, job specifications, reasons and events.
