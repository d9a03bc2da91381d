//! Where fetched bytes are kept between runs.

/// Bytes by name; the binary answers from the store (`Store::recall` and `Store::remember` in a space of their own).
///
/// What is read back is checked against its digest, so a shelf may lose things but cannot pass off others.
pub trait Shelf {
    /// The bytes kept under a name.
    fn find(&self, name: &str) -> Result<Option<Vec<u8>>, String>;

    /// Keeps bytes under a name, in place of what was there.
    fn keep(&self, name: &str, bytes: &[u8]) -> Result<(), String>;
}

/// A shelf that keeps nothing: no store is configured.
pub struct NoShelf;

impl Shelf for NoShelf {
    fn find(&self, _: &str) -> Result<Option<Vec<u8>>, String> {
        Ok(None)
    }

    fn keep(&self, _: &str, _: &[u8]) -> Result<(), String> {
        Ok(())
    }
}
