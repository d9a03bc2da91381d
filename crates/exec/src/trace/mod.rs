//! The way of a job's output to its log: masking, time stamps, clean UTF-8, the size limit, the
//! sink.
//!
//! Every filter takes bytes in pieces of any size and gives the same bytes whatever the pieces
//! were. Order of the filters: masked values, URL parameters, token prefixes, time stamps, UTF-8,
//! limit (reference `runner.md` §6.1).

mod coverage;
mod limit;
mod phrase;
mod run;
mod stamp;
mod utf8;
mod writer;

use std::time::SystemTime;

use tidegate_expr::Pattern;

use coverage::Coverage;
use limit::Limit;
use phrase::Phrases;
use run::Runs;
pub(crate) use run::TOKEN_PREFIXES;
use stamp::Stamps;
pub use stamp::timestamp;
use utf8::Utf8;
pub use writer::TraceWriter;

/// Stands in the log where something secret was.
pub const MASK: &[u8] = b"[MASKED]";

/// Takes the finished log, piece by piece.
pub trait TraceSink: Send {
    /// Takes the next bytes of the log. Pieces end anywhere.
    fn write(&mut self, bytes: &[u8]);
}

impl<F: FnMut(&[u8]) + Send> TraceSink for F {
    fn write(&mut self, bytes: &[u8]) {
        self(bytes);
    }
}

/// How a log is to look.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TraceOptions {
    /// Bytes of log that are kept; [`TraceOptions::DEFAULT_LIMIT`] at GitLab.
    pub limit: u64,
    /// A time before every line; `None`: as the job's variable `FF_TIMESTAMPS` says.
    pub timestamps: Option<bool>,
    /// Section markers are written.
    pub sections: bool,
    /// Prefixes of tokens to mask beside GitLab's own.
    pub token_prefixes: Vec<String>,
}

impl TraceOptions {
    /// GitLab Runner's `output_limit`.
    pub const DEFAULT_LIMIT: u64 = 4 * 1024 * 1024;
}

/// Where bytes of the log come from.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Stream {
    /// The runner's own words.
    Runner,
    /// The job's scripts.
    Script,
}

/// What is to be hidden in a log.
#[derive(Clone, Copy, Debug)]
pub struct Secrets<'a> {
    /// Values of masked variables; surrounding white space does not count, empty ones neither.
    pub values: &'a [&'a str],
    /// Prefixes of tokens beside `glpat-`.
    pub token_prefixes: &'a [&'a str],
}

/// The pipeline from a job's output to its log.
pub struct Trace {
    phrases: Phrases,
    parameters: Runs,
    tokens: Runs,
    stamps: Option<Stamps>,
    utf8: Utf8,
    limit: Limit,
    coverage: Option<Coverage>,
    sink: Box<dyn TraceSink>,
    /// Finished log the sink has not been given yet.
    ready: Vec<u8>,
    buffers: [Vec<u8>; 2],
    /// Stream of the bytes that filters may still hold.
    stream: Stream,
}

impl std::fmt::Debug for Trace {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Trace").finish_non_exhaustive()
    }
}

impl Trace {
    /// A log without time stamps; `coverage` is the pattern looked for in its lines.
    pub fn new(
        secrets: Secrets<'_>,
        limit: u64,
        coverage: Option<Pattern>,
        sink: Box<dyn TraceSink>,
    ) -> Self {
        Self {
            phrases: Phrases::new(secrets.values),
            parameters: Runs::url_parameters(),
            tokens: Runs::tokens(secrets.token_prefixes),
            stamps: None,
            utf8: Utf8::default(),
            limit: Limit::new(limit),
            coverage: coverage.map(Coverage::new),
            sink,
            ready: Vec::new(),
            buffers: [Vec::new(), Vec::new()],
            stream: Stream::Runner,
        }
    }

    /// Puts the time before every line from now on; `now` is asked once per write.
    #[must_use]
    pub fn with_timestamps(mut self, now: fn() -> SystemTime) -> Self {
        self.stamps = Some(Stamps::new(now));
        self
    }

    /// Takes output and gives the sink what is clean of it.
    pub fn write(&mut self, stream: Stream, bytes: &[u8]) {
        self.hold(stream, bytes);
        self.show();
    }

    /// Gives the sink everything that is clean.
    pub fn show(&mut self) {
        if !self.ready.is_empty() {
            self.sink.write(&self.ready);
            self.ready.clear();
        }
    }

    /// Takes output without giving it to the sink yet: the runner's words come in many small pieces.
    pub(crate) fn hold(&mut self, stream: Stream, bytes: &[u8]) {
        if stream != self.stream {
            self.let_go();
            self.stream = stream;
        }
        let [mut first, mut second] = std::mem::take(&mut self.buffers);
        first.clear();
        self.phrases.push(bytes, &mut first);
        second.clear();
        self.parameters.push(&first, &mut second);
        first.clear();
        self.tokens.push(&second, &mut first);
        second.clear();
        self.emit(&first, &mut second);
        self.buffers = [first, second];
    }

    /// Gives the sink also what was held back because it may be the beginning of a secret.
    ///
    /// Called where output ends for sure: at the end of a stage's stream and of the log.
    pub fn flush(&mut self) {
        self.let_go();
        self.show();
    }

    /// Lets go of what may be the beginning of a secret.
    pub(crate) fn let_go(&mut self) {
        let [mut first, mut second] = std::mem::take(&mut self.buffers);
        first.clear();
        self.phrases.finish(&mut first);
        second.clear();
        self.parameters.push(&first, &mut second);
        self.parameters.finish(&mut second);
        first.clear();
        self.tokens.push(&second, &mut first);
        self.tokens.finish(&mut first);
        second.clear();
        self.emit(&first, &mut second);
        self.buffers = [first, second];
    }

    /// Ends the log; returns the coverage found in it.
    pub fn finish(&mut self) -> Option<String> {
        self.let_go();
        let mut rest = Vec::new();
        self.utf8.finish(&mut rest);
        Self::deliver(&mut self.limit, &mut self.coverage, &mut self.ready, &rest);
        self.show();
        self.coverage.as_mut().and_then(Coverage::finish)
    }

    fn emit(&mut self, masked: &[u8], scratch: &mut Vec<u8>) {
        let stamped = match &mut self.stamps {
            Some(stamps) => {
                stamps.push(self.stream, masked, scratch);
                &scratch[..]
            }
            None => masked,
        };
        let Self {
            utf8,
            limit,
            coverage,
            ready,
            ..
        } = self;
        utf8.push(stamped, &mut |clean| {
            Self::deliver(limit, coverage, ready, clean)
        });
    }

    fn deliver(
        limit: &mut Limit,
        coverage: &mut Option<Coverage>,
        ready: &mut Vec<u8>,
        clean: &[u8],
    ) {
        let mut kept = |bytes: &[u8]| {
            if let Some(coverage) = coverage {
                coverage.push(bytes);
            }
            ready.extend_from_slice(bytes);
        };
        limit.push(clean, &mut kept);
    }
}

#[cfg(test)]
mod tests;
