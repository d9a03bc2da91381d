//! Loads a configuration: documents to included, merged, typed and validated.
