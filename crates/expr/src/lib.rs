//! GitLab's expression language, RE2 patterns and the three variable expanders.
