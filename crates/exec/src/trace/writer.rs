//! Lines and sections in the runner's own words.

use std::io;
use std::time::{Duration, SystemTime};

use super::{Stream, Trace};

/// Writes to the log of a job in the runner's name; everything passes the masking.
#[derive(Debug)]
pub struct TraceWriter<'a> {
    trace: &'a mut Trace,
    sections: bool,
    /// Every text is given to the sink at once.
    at_once: bool,
}

impl<'a> TraceWriter<'a> {
    /// A writer that marks sections if `sections` says so.
    pub fn new(trace: &'a mut Trace, sections: bool) -> Self {
        Self {
            trace,
            sections,
            at_once: true,
        }
    }

    /// A writer whose words wait for [`Trace::show`]: for what is followed by more in an instant.
    pub(crate) fn holding(trace: &'a mut Trace, sections: bool) -> Self {
        Self {
            trace,
            sections,
            at_once: false,
        }
    }

    /// A line without colour.
    pub fn line(&mut self, text: &str) {
        self.text(&format!("\u{1b}[0K{text}\u{1b}[0;m\n"));
    }

    /// A green line.
    pub fn info(&mut self, text: &str) {
        self.text(&format!("\u{1b}[32;1m{text}\u{1b}[0;m\n"));
    }

    /// A yellow line: what GitLab's runner says from its scripts. Its helper's warnings are [`TraceWriter::warning`].
    pub fn caution(&mut self, text: &str) {
        self.text(&format!("\u{1b}[0;33m{text}\u{1b}[0;m\n"));
    }

    /// A yellow line that begins with `WARNING: `.
    pub fn warning(&mut self, text: &str) {
        self.text(&format!("\u{1b}[0;33mWARNING: {text}\u{1b}[0;m\n"));
    }

    /// A red line that begins with `ERROR: `.
    pub fn error(&mut self, text: &str) {
        self.text(&format!("\u{1b}[31;1mERROR: {text}\u{1b}[0;m\n"));
    }

    /// Opens a section and prints its headline.
    pub fn section_start(&mut self, name: &str, headline: &str) {
        self.marker("section_start", name);
        self.line(&format!("\u{1b}[36;1m{headline}\u{1b}[0;m"));
    }

    /// Closes a section.
    pub fn section_end(&mut self, name: &str) {
        self.marker("section_end", name);
    }

    /// Text as it is.
    pub fn text(&mut self, text: &str) {
        self.trace.hold(Stream::Runner, text.as_bytes());
        if self.at_once {
            self.trace.show();
        }
    }

    fn marker(&mut self, kind: &str, name: &str) {
        if self.sections {
            let now = SystemTime::now();
            let now = now
                .duration_since(SystemTime::UNIX_EPOCH)
                .unwrap_or(Duration::ZERO);
            self.text(&format!("{kind}:{}:{name}\r\u{1b}[0K", now.as_secs()));
        }
    }
}

impl io::Write for TraceWriter<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.trace.write(Stream::Runner, bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}
