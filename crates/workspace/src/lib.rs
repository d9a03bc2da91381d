//! Layered working trees: overlay, reflink and copy.
