//! Benches of the product as a whole and in parts.
