//! Content-addressed caches, artifacts and run logs with leases and eviction.
