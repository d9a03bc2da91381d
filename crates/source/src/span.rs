//! Byte ranges in files.

use std::cmp::Ordering;
use std::fmt;

/// Names one file of a [`SourceMap`](crate::SourceMap); an index, meaningless outside its map.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Debug)]
pub struct FileId(pub u32);

impl FileId {
    /// The file of values no file holds: defaults, command-line arguments, computed values.
    pub const NONE: FileId = FileId(u32::MAX);
}

/// A half-open byte range `start..end` in one file.
///
/// Every value of a configuration carries one, most of them two, so it is packed into eight bytes: 14 bits name the file, 25
/// each are start and length. What lies further back than [`Span::MOST_BYTES`] is told as if it stood there, and what stands
/// in a file beyond the [`Span::MOST_FILES`]th as if it stood nowhere; both are far above what GitLab takes.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Span {
    /// Halves of the packed number, so that a span needs no more than the alignment of `u32`.
    upper: u32,
    lower: u32,
}

const PLACE_BITS: u32 = 25;
const PLACE_MASK: u64 = (1 << PLACE_BITS) - 1;
const NO_FILE: u32 = (1 << (u64::BITS - 2 * PLACE_BITS)) - 1;

impl Span {
    /// The span of a value that was not written anywhere, such as a default.
    pub const NONE: Span = Span::new(FileId::NONE, 0, 0);

    /// Bytes of the largest file in which every place can be told: 32 MiB less one.
    pub const MOST_BYTES: usize = PLACE_MASK as usize;

    /// Files of one load whose places can be told.
    pub const MOST_FILES: u32 = NO_FILE;

    /// The bytes `start..end` of `file`; nothing but `start` where `end` lies before it.
    pub const fn new(file: FileId, start: u32, end: u32) -> Span {
        let file = if file.0 < NO_FILE { file.0 } else { NO_FILE };
        let start = within(start);
        let length = within(end).saturating_sub(start);
        let packed = (file as u64) << (2 * PLACE_BITS) | start << PLACE_BITS | length;
        Span {
            upper: (packed >> 32) as u32,
            lower: packed as u32,
        }
    }

    /// The file the bytes are in.
    pub const fn file(self) -> FileId {
        match (self.packed() >> (2 * PLACE_BITS)) as u32 {
            NO_FILE => FileId::NONE,
            file => FileId(file),
        }
    }

    /// Offset of the first byte.
    pub const fn start(self) -> u32 {
        (self.packed() >> PLACE_BITS & PLACE_MASK) as u32
    }

    /// Offset just past the last byte.
    pub const fn end(self) -> u32 {
        self.start() + (self.packed() & PLACE_MASK) as u32
    }

    const fn packed(self) -> u64 {
        (self.upper as u64) << 32 | self.lower as u64
    }

    /// Whether this span points into a file at all.
    pub fn is_some(self) -> bool {
        self.file() != FileId::NONE
    }

    /// The smallest span that covers both, or `self` where `other` lies in another file or nowhere.
    pub fn to(self, other: Span) -> Span {
        if self.file() != other.file() {
            return self;
        }
        Span::new(
            self.file(),
            self.start().min(other.start()),
            self.end().max(other.end()),
        )
    }
}

const fn within(place: u32) -> u64 {
    if place as u64 > PLACE_MASK {
        PLACE_MASK
    } else {
        place as u64
    }
}

impl Ord for Span {
    /// By file, start and length; what stands nowhere comes last.
    fn cmp(&self, other: &Span) -> Ordering {
        self.packed().cmp(&other.packed())
    }
}

impl PartialOrd for Span {
    fn partial_cmp(&self, other: &Span) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl fmt::Debug for Span {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.file() {
            FileId::NONE => f.write_str("nowhere"),
            FileId(file) => write!(f, "{file}:{}..{}", self.start(), self.end()),
        }
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

    #[test]
    fn parts_come_out_as_they_went_in() {
        assert_eq!(size_of::<Span>(), 8);
        let most = Span::MOST_BYTES as u32;
        for (file, start, end) in [(0, 0, 0), (7, 3, 9), (Span::MOST_FILES - 1, most, most)] {
            let span = Span::new(FileId(file), start, end);
            assert_eq!(
                (span.file(), span.start(), span.end()),
                (FileId(file), start, end)
            );
        }
        let whole = Span::new(FileId(1), 0, most);
        assert_eq!((whole.start(), whole.end()), (0, most));
    }

    #[test]
    fn what_does_not_fit_is_told_at_the_border() {
        let most = Span::MOST_BYTES as u32;
        let far = Span::new(FileId(1), u32::MAX, u32::MAX);
        assert_eq!((far.start(), far.end()), (most, most));
        assert_eq!(
            Span::new(FileId(Span::MOST_FILES), 1, 2).file(),
            FileId::NONE
        );
        let reversed = Span::new(FileId(1), 5, 2);
        assert_eq!((reversed.start(), reversed.end()), (5, 5));
    }

    #[test]
    fn order_is_by_file_and_place() {
        let span = |file, start, end| Span::new(FileId(file), start, end);
        assert!(span(0, 9, 9) < span(1, 0, 0));
        assert!(span(1, 2, 9) < span(1, 3, 4));
        assert!(span(1, 2, 3) < span(1, 2, 4));
        assert!(span(5, 0, 0) < Span::NONE);
    }
}
