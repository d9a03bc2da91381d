//! The time before every line (`FF_TIMESTAMPS`).

use std::io::Write;
use std::time::{Duration, SystemTime};

use super::Stream;

/// Longest stretch without a newline that is shown as one line.
const LONGEST: usize = 8 * 1024;

/// Puts a head of 32 bytes before each line: time, stream, and whether it continues the line
/// before.
///
/// Source: reference `runner.md` §6.3. Output and errors of a script share one pipe here, so all of
/// it is `01O`.
#[derive(Debug)]
pub(super) struct Stamps {
    now: fn() -> SystemTime,
    runner: Line,
    script: Line,
    /// Stream of the last byte written.
    last: Stream,
    /// The log stands at the start of a line.
    at_start: bool,
}

#[derive(Debug, Default)]
struct Line {
    /// Bytes of the open line that were written.
    length: usize,
    /// The newline before was put in here, not by the job.
    goes_on: bool,
}

impl Stamps {
    pub(super) fn new(now: fn() -> SystemTime) -> Self {
        Self {
            now,
            runner: Line::default(),
            script: Line::default(),
            last: Stream::Runner,
            at_start: true,
        }
    }

    pub(super) fn push(&mut self, stream: Stream, bytes: &[u8], out: &mut Vec<u8>) {
        if bytes.is_empty() {
            return;
        }
        let time = text((self.now)());
        if !self.at_start && stream != self.last {
            self.cut(self.last, out);
        }
        self.last = stream;
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            for piece in line.chunks(LONGEST) {
                self.piece(stream, &time, piece, out);
            }
        }
        if !self.at_start && bytes.contains(&b'\r') && !bytes.contains(&b'\n') {
            self.cut(stream, out);
        }
    }

    fn piece(&mut self, stream: Stream, time: &str, piece: &[u8], out: &mut Vec<u8>) {
        if !self.at_start && self.line(stream).length + piece.len() > LONGEST {
            self.cut(stream, out);
        }
        let at_start = self.at_start;
        let line = self.line(stream);
        if at_start {
            let number = match stream {
                Stream::Runner => "00",
                Stream::Script => "01",
            };
            let flag = if line.goes_on { '+' } else { ' ' };
            line.goes_on = false;
            // Writing to a vector cannot fail.
            let _ = write!(out, "{time} {number}O{flag}");
        }
        out.extend_from_slice(piece);
        line.length += piece.len();
        let ends = piece.ends_with(b"\n");
        if ends {
            line.length = 0;
        }
        self.at_start = ends;
    }

    /// Ends a line the job did not end.
    fn cut(&mut self, stream: Stream, out: &mut Vec<u8>) {
        out.push(b'\n');
        let line = self.line(stream);
        line.goes_on = true;
        line.length = 0;
        self.at_start = true;
    }

    fn line(&mut self, stream: Stream) -> &mut Line {
        match stream {
            Stream::Runner => &mut self.runner,
            Stream::Script => &mut self.script,
        }
    }
}

/// A point in time in whole seconds, `2006-01-02T15:04:05Z`, as GitLab writes `CI_JOB_STARTED_AT`.
pub fn timestamp(time: SystemTime) -> String {
    let text = text(time);
    format!("{}Z", text.split('.').next().unwrap_or_default())
}

/// `2006-01-02T15:04:05.123456Z`.
fn text(time: SystemTime) -> String {
    let since = time
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO);
    let seconds = since.as_secs();
    let (year, month, day) = date(seconds / 86_400);
    let (hour, minute, second) = (seconds / 3600 % 24, seconds / 60 % 60, seconds % 60);
    let micros = since.subsec_micros();
    format!("{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

/// Year, month and day of a day counted from 1970-01-01; years are counted from March so that leap
/// days come last.
fn date(days: u64) -> (u64, u64, u64) {
    let days = days + 719_468;
    let (era, of_era) = (days / 146_097, days % 146_097);
    let year_of_era = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let day_of_year = of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * from_march + 2) / 5 + 1;
    let month = if from_march < 10 {
        from_march + 3
    } else {
        from_march - 9
    };
    (year_of_era + era * 400 + u64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn moment() -> SystemTime {
        SystemTime::UNIX_EPOCH + Duration::from_micros(1_709_210_096_123_456)
    }

    #[test]
    fn times_are_utc_with_microseconds() {
        assert_eq!(text(moment()), "2024-02-29T12:34:56.123456Z");
        assert_eq!(text(SystemTime::UNIX_EPOCH), "1970-01-01T00:00:00.000000Z");
    }

    #[test]
    fn lines_get_a_head_and_cut_lines_go_on() {
        let mut stamps = Stamps::new(moment);
        let mut out = Vec::new();
        stamps.push(Stream::Script, b"one\ntw", &mut out);
        stamps.push(Stream::Runner, b"note\n", &mut out);
        stamps.push(Stream::Script, b"o\n", &mut out);
        stamps.push(Stream::Script, b"50%\r", &mut out);
        stamps.push(Stream::Script, b"100%\n", &mut out);
        let out = String::from_utf8(out).expect("text");
        let heads = out.replace("2024-02-29T12:34:56.123456Z ", "");
        assert_eq!(
            heads,
            "01O one\n01O tw\n00O note\n01O+o\n01O 50%\r\n01O+100%\n"
        );
    }
}
