//! Byte ranges in files.

/// Names one file of a [`SourceMap`](crate::SourceMap); an index, meaningless outside its map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

impl FileId {
    /// The file of values no file holds: defaults, command-line arguments, computed values.
    pub const NONE: FileId = FileId(u32::MAX);
}

/// A half-open byte range `start..end` in one file.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct Span {
    /// The file the bytes are in.
    pub file: FileId,
    /// Offset of the first byte.
    pub start: u32,
    /// Offset just past the last byte.
    pub end: u32,
}

impl Span {
    /// The span of a value that was not written anywhere, such as a default.
    pub const NONE: Span = Span {
        file: FileId::NONE,
        start: 0,
        end: 0,
    };

    /// The bytes `start..end` of `file`.
    pub const fn new(file: FileId, start: u32, end: u32) -> Span {
        Span { file, start, end }
    }

    /// Whether this span points into a file at all.
    pub fn is_some(self) -> bool {
        self.file != FileId::NONE
    }

    /// The smallest span that covers both, or `self` where `other` lies in another file or nowhere.
    pub fn to(self, other: Span) -> Span {
        if self.file != other.file {
            return self;
        }
        Span::new(
            self.file,
            self.start.min(other.start),
            self.end.max(other.end),
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn joining_spans_covers_both_and_never_crosses_files() {
        let a = Span::new(FileId(0), 2, 4);
        assert_eq!(a.to(Span::new(FileId(0), 8, 9)), Span::new(FileId(0), 2, 9));
        assert_eq!(a.to(Span::new(FileId(1), 8, 9)), a);
        assert!(!Span::NONE.is_some());
    }
}
