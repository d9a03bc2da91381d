//! The two glob dialects: fnmatch for changes and exists, doublestar for caches and artifacts.
