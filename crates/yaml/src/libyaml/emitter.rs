//! Events to text, laid out as Psych lays it out.

use std::ffi::{CString, c_void};
use std::mem::MaybeUninit;
use std::ptr;
use std::slice;

use unsafe_libyaml as unsafe_sys;

/// Writes one document. Dropping it at any point frees all that libyaml holds.
///
/// Invariant: `emitter` and `output` are live allocations that do not move; libyaml holds the address of `output`.
pub(crate) struct Emitter {
    emitter: *mut unsafe_sys::yaml_emitter_t,
    output: *mut Vec<u8>,
    /// Whether libyaml refused an event; nothing may be emitted after that.
    failed: bool,
}

/// The style asked for; libyaml takes another where the text does not allow it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum ScalarStyle {
    /// Plain, else single quoted; never a text when written plain.
    Any,
    Plain,
    SingleQuoted,
    DoubleQuoted,
    Literal,
}

impl Default for Emitter {
    /// An emitter with a document open: two columns of indentation, lines folded at 80 columns, non-ASCII text as it is.
    fn default() -> Emitter {
        let emitter = Box::into_raw(Box::new(MaybeUninit::<unsafe_sys::yaml_emitter_t>::uninit()));
        let emitter = emitter.cast::<unsafe_sys::yaml_emitter_t>();
        let output = Box::into_raw(Box::<Vec<u8>>::default());
        // SAFETY: `emitter` is a live allocation of the right size and initialised before use; `output` lives until `drop`,
        // which deletes the emitter first.
        unsafe {
            let _ = unsafe_sys::yaml_emitter_initialize(emitter);
            unsafe_sys::yaml_emitter_set_output(emitter, write, output.cast());
            unsafe_sys::yaml_emitter_set_unicode(emitter, true);
            unsafe_sys::yaml_emitter_set_indent(emitter, 2);
            unsafe_sys::yaml_emitter_set_width(emitter, 0);
        }
        let mut new = Emitter {
            emitter,
            output,
            failed: false,
        };
        // SAFETY (both): the initialisers write the whole event; null directives mean there are none.
        new.emit(|event| unsafe {
            unsafe_sys::yaml_stream_start_event_initialize(event, unsafe_sys::YAML_UTF8_ENCODING).ok
        });
        new.emit(|event| unsafe {
            let none = ptr::null_mut();
            unsafe_sys::yaml_document_start_event_initialize(
                event,
                ptr::null_mut(),
                none,
                none,
                false,
            )
            .ok
        });
        new
    }
}

impl Emitter {
    /// Writes a scalar. `plain` and `quoted` say whether the tag may be left out in that style.
    pub(crate) fn scalar(
        &mut self,
        text: &str,
        tag: Option<&str>,
        plain: bool,
        quoted: bool,
        style: ScalarStyle,
    ) {
        let Ok(length) = i32::try_from(text.len()) else {
            self.failed = true;
            return;
        };
        let style = match style {
            ScalarStyle::Any => unsafe_sys::YAML_ANY_SCALAR_STYLE,
            ScalarStyle::Plain => unsafe_sys::YAML_PLAIN_SCALAR_STYLE,
            ScalarStyle::SingleQuoted => unsafe_sys::YAML_SINGLE_QUOTED_SCALAR_STYLE,
            ScalarStyle::DoubleQuoted => unsafe_sys::YAML_DOUBLE_QUOTED_SCALAR_STYLE,
            ScalarStyle::Literal => unsafe_sys::YAML_LITERAL_SCALAR_STYLE,
        };
        let tag = c_text(tag);
        // SAFETY: the initialiser copies `length` bytes of `text` and the NUL-terminated tag, both alive here.
        self.emit(|event| unsafe {
            unsafe_sys::yaml_scalar_event_initialize(
                event,
                ptr::null(),
                pointer(&tag),
                text.as_ptr(),
                length,
                plain,
                quoted,
                style,
            )
            .ok
        });
    }

    /// Opens a list.
    pub(crate) fn start_sequence(&mut self, tag: Option<&str>) {
        let name = c_text(tag);
        // SAFETY: the initialiser copies the NUL-terminated tag, alive here.
        self.emit(|event| unsafe {
            unsafe_sys::yaml_sequence_start_event_initialize(
                event,
                ptr::null(),
                pointer(&name),
                tag.is_none(),
                unsafe_sys::YAML_BLOCK_SEQUENCE_STYLE,
            )
            .ok
        });
    }

    /// Closes a list.
    pub(crate) fn end_sequence(&mut self) {
        // SAFETY: the initialiser writes the whole event.
        self.emit(|event| unsafe { unsafe_sys::yaml_sequence_end_event_initialize(event).ok });
    }

    /// Opens a mapping; keys and values follow in turn.
    pub(crate) fn start_mapping(&mut self, tag: Option<&str>) {
        let name = c_text(tag);
        // SAFETY: the initialiser copies the NUL-terminated tag, alive here.
        self.emit(|event| unsafe {
            unsafe_sys::yaml_mapping_start_event_initialize(
                event,
                ptr::null(),
                pointer(&name),
                tag.is_none(),
                unsafe_sys::YAML_BLOCK_MAPPING_STYLE,
            )
            .ok
        });
    }

    /// Closes a mapping.
    pub(crate) fn end_mapping(&mut self) {
        // SAFETY: the initialiser writes the whole event.
        self.emit(|event| unsafe { unsafe_sys::yaml_mapping_end_event_initialize(event).ok });
    }

    /// Closes the document and gives the text, or `None` when libyaml refused an event.
    pub(crate) fn finish(mut self) -> Option<String> {
        // SAFETY (both): the initialisers write the whole event.
        self.emit(|event| unsafe {
            unsafe_sys::yaml_document_end_event_initialize(event, true).ok
        });
        self.emit(|event| unsafe { unsafe_sys::yaml_stream_end_event_initialize(event).ok });
        if self.failed {
            return None;
        }
        // SAFETY: `output` is live, and libyaml only touches it inside `emit`.
        let output = unsafe { std::mem::take(&mut *self.output) };
        String::from_utf8(output).ok()
    }

    fn emit(&mut self, initialise: impl FnOnce(*mut unsafe_sys::yaml_event_t) -> bool) {
        if self.failed {
            return;
        }
        let mut event = MaybeUninit::<unsafe_sys::yaml_event_t>::zeroed();
        // SAFETY: the event is initialised when `initialise` says so, and the emitter then owns what it points to, also when it
        // fails.
        unsafe {
            self.failed = !initialise(event.as_mut_ptr())
                || unsafe_sys::yaml_emitter_emit(self.emitter, event.as_mut_ptr()).fail;
        }
    }
}

impl Drop for Emitter {
    fn drop(&mut self) {
        // SAFETY: both were allocated in `default` as these types and are freed only here; the emitter goes first, because it holds
        // the address of the output.
        unsafe {
            unsafe_sys::yaml_emitter_delete(self.emitter);
            drop(Box::from_raw(
                self.emitter
                    .cast::<MaybeUninit<unsafe_sys::yaml_emitter_t>>(),
            ));
            drop(Box::from_raw(self.output));
        }
    }
}

/// libyaml's write handler: appends to the `Vec` at `data`.
///
/// # Safety
/// `data` is the `output` of a live emitter, `buffer` holds `size` bytes.
unsafe fn write(data: *mut c_void, buffer: *mut u8, size: u64) -> i32 {
    // SAFETY: by the caller's promise; no other borrow of the output exists while libyaml runs.
    unsafe {
        (*data.cast::<Vec<u8>>()).extend_from_slice(slice::from_raw_parts(buffer, size as usize));
    }
    1
}

fn c_text(text: Option<&str>) -> Option<CString> {
    text.and_then(|text| CString::new(text).ok())
}

fn pointer(text: &Option<CString>) -> *const u8 {
    text.as_ref()
        .map_or(ptr::null(), |text| text.as_ptr().cast())
}
