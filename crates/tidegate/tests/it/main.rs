//! Tests from outside: the binary on temporary repositories.
