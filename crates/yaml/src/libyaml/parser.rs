//! Bytes to events with byte offsets.

use std::borrow::Cow;
use std::ffi::CStr;
use std::marker::PhantomData;
use std::mem::MaybeUninit;
use std::slice;

use unsafe_libyaml as unsafe_sys;

/// Reads the events of one text. Dropping it at any point frees all that libyaml holds.
///
/// Invariant: `parser` points to an initialised parser that never moves (libyaml keeps a pointer to itself in it), and `event`
/// is either zeroed or holds the last event produced.
pub(crate) struct Parser<'text> {
    parser: *mut unsafe_sys::yaml_parser_t,
    event: unsafe_sys::yaml_event_t,
    text: PhantomData<&'text [u8]>,
}

/// An event and the bytes it covers; valid until the next one is read.
pub(crate) struct Event<'event> {
    pub(crate) kind: EventKind<'event>,
    /// Offset of the first byte.
    pub(crate) start: u64,
    /// Offset just past the last byte.
    pub(crate) end: u64,
}

/// What an event says.
pub(crate) enum EventKind<'event> {
    /// Start of the stream or of a document.
    Other,
    DocumentEnd,
    StreamEnd,
    Alias(Cow<'event, str>),
    Scalar {
        anchor: Option<Cow<'event, str>>,
        tag: Option<Cow<'event, str>>,
        value: Cow<'event, str>,
        /// Whether untagged and quoted or block, so always a text.
        quoted: bool,
    },
    SequenceStart(Start<'event>),
    SequenceEnd,
    MappingStart(Start<'event>),
    MappingEnd,
}

/// The start of a list or mapping.
pub(crate) struct Start<'event> {
    pub(crate) anchor: Option<Cow<'event, str>>,
    pub(crate) tag: Option<Cow<'event, str>>,
    /// Whether written in brackets or braces.
    pub(crate) flow: bool,
}

/// What libyaml says about a text it cannot parse.
pub(crate) struct SyntaxError {
    pub(crate) problem: String,
    pub(crate) context: Option<String>,
    /// Line of the context mark, from 1.
    pub(crate) line: u64,
    /// Column of the context mark in characters, from 1.
    pub(crate) column: u64,
    /// Byte offset at which the problem was noticed.
    pub(crate) offset: u64,
}

impl<'text> Parser<'text> {
    /// A parser of `text`, which is taken as UTF-8 whatever it begins with, as Psych does.
    ///
    /// A byte order mark therefore counts as a column of the first line.
    pub(crate) fn new(text: &'text [u8]) -> Parser<'text> {
        let parser = Box::into_raw(Box::new(MaybeUninit::<unsafe_sys::yaml_parser_t>::uninit()));
        let parser = parser.cast::<unsafe_sys::yaml_parser_t>();
        // SAFETY: `parser` is a live allocation of the right size. `yaml_parser_initialize` writes every field before the other
        // two read any; it only fails by aborting when memory runs out. `text` outlives `Parser` by its lifetime, and a slice's
        // pointer is never null.
        unsafe {
            let _ = unsafe_sys::yaml_parser_initialize(parser);
            unsafe_sys::yaml_parser_set_encoding(parser, unsafe_sys::YAML_UTF8_ENCODING);
            unsafe_sys::yaml_parser_set_input_string(parser, text.as_ptr(), text.len() as u64);
        }
        Parser {
            parser,
            event: empty_event(),
            text: PhantomData,
        }
    }

    /// The next event; after the end of the stream, [`EventKind::StreamEnd`] for ever.
    pub(crate) fn next(&mut self) -> Result<Event<'_>, SyntaxError> {
        self.release();
        // SAFETY: both pointers are valid and initialised (invariant); the parser fills or zeroes the event.
        let produced = unsafe { unsafe_sys::yaml_parser_parse(self.parser, &mut self.event) };
        if produced.fail {
            return Err(self.error());
        }
        Ok(Event {
            kind: self.kind(),
            start: self.event.start_mark.index,
            end: self.event.end_mark.index,
        })
    }

    fn kind(&self) -> EventKind<'_> {
        let data = &self.event.data;
        // SAFETY: the union field read is the one that belongs to the event's type; its pointers are null or point to memory
        // the event owns until `release`, which needs `&mut self`, so no borrow handed out here survives it.
        unsafe {
            match self.event.type_ {
                unsafe_sys::YAML_ALIAS_EVENT => {
                    EventKind::Alias(owned_text(data.alias.anchor).unwrap_or_default())
                }
                unsafe_sys::YAML_SCALAR_EVENT => EventKind::Scalar {
                    anchor: owned_text(data.scalar.anchor),
                    tag: owned_text(data.scalar.tag),
                    value: text_of(data.scalar.value, data.scalar.length),
                    quoted: data.scalar.quoted_implicit,
                },
                unsafe_sys::YAML_SEQUENCE_START_EVENT => EventKind::SequenceStart(Start {
                    anchor: owned_text(data.sequence_start.anchor),
                    tag: owned_text(data.sequence_start.tag),
                    flow: data.sequence_start.style == unsafe_sys::YAML_FLOW_SEQUENCE_STYLE,
                }),
                unsafe_sys::YAML_MAPPING_START_EVENT => EventKind::MappingStart(Start {
                    anchor: owned_text(data.mapping_start.anchor),
                    tag: owned_text(data.mapping_start.tag),
                    flow: data.mapping_start.style == unsafe_sys::YAML_FLOW_MAPPING_STYLE,
                }),
                unsafe_sys::YAML_SEQUENCE_END_EVENT => EventKind::SequenceEnd,
                unsafe_sys::YAML_MAPPING_END_EVENT => EventKind::MappingEnd,
                unsafe_sys::YAML_DOCUMENT_END_EVENT => EventKind::DocumentEnd,
                unsafe_sys::YAML_STREAM_START_EVENT | unsafe_sys::YAML_DOCUMENT_START_EVENT => {
                    EventKind::Other
                }
                _ => EventKind::StreamEnd,
            }
        }
    }

    fn error(&self) -> SyntaxError {
        // SAFETY: the parser is initialised; `problem` and `context` are null or static C strings.
        unsafe {
            let parser = &*self.parser;
            let offset = match parser.error {
                unsafe_sys::YAML_READER_ERROR => parser.problem_offset,
                _ => parser.problem_mark.index,
            };
            SyntaxError {
                problem: as_in_c(message(parser.problem.cast()).unwrap_or_default()),
                context: message(parser.context.cast()),
                line: parser.context_mark.line.saturating_add(1),
                column: parser.context_mark.column.saturating_add(1),
                offset,
            }
        }
    }

    fn release(&mut self) {
        // SAFETY: the event is zeroed (nothing to free) or holds what the parser produced; it is zeroed again by the callee.
        unsafe { unsafe_sys::yaml_event_delete(&mut self.event) }
    }
}

/// The port mends a slip in one of the C library's texts; GitLab's users see the slip.
fn as_in_c(problem: String) -> String {
    match problem.as_str() {
        "did not find expected hexadecimal number" => {
            "did not find expected hexdecimal number".to_owned()
        }
        _ => problem,
    }
}

impl Drop for Parser<'_> {
    fn drop(&mut self) {
        self.release();
        // SAFETY: initialised in `new`, deleted only here; the box is given back as the type it was allocated as.
        unsafe {
            unsafe_sys::yaml_parser_delete(self.parser);
            drop(Box::from_raw(
                self.parser.cast::<MaybeUninit<unsafe_sys::yaml_parser_t>>(),
            ));
        }
    }
}

fn empty_event() -> unsafe_sys::yaml_event_t {
    // SAFETY: all-zero is the event of type YAML_NO_EVENT; every field of it is an integer, a flag or a pointer.
    unsafe { MaybeUninit::zeroed().assume_init() }
}

/// The NUL-terminated text at `text`, or `None` for null.
///
/// # Safety
/// `text` is null or points to a NUL-terminated string that lives as long as `'a`.
unsafe fn owned_text<'a>(text: *const u8) -> Option<Cow<'a, str>> {
    if text.is_null() {
        return None;
    }
    // SAFETY: not null, so NUL-terminated by the caller's promise.
    Some(unsafe { CStr::from_ptr(text.cast()) }.to_string_lossy())
}

/// The `length` bytes at `text`. libyaml only lets UTF-8 through; the check costs little and needs no trust.
///
/// # Safety
/// `text` is null or points to `length` readable bytes that live as long as `'a`.
unsafe fn text_of<'a>(text: *const u8, length: u64) -> Cow<'a, str> {
    if text.is_null() {
        return Cow::Borrowed("");
    }
    // SAFETY: not null, so readable for `length` bytes by the caller's promise; it was allocated, so it fits in `usize`.
    String::from_utf8_lossy(unsafe { slice::from_raw_parts(text, length as usize) })
}

/// # Safety
/// `text` is null or points to a static NUL-terminated string.
unsafe fn message(text: *const std::ffi::c_char) -> Option<String> {
    // SAFETY: passed on.
    unsafe { owned_text(text.cast()) }.map(Cow::into_owned)
}
