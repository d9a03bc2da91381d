//! Translates RE2 syntax into that of the `regex` crate (reference `compose.md` §4.3).
//!
//! The two differ in what they accept (`[a&&b]`, `\<`, `\Q..\E`, `a**`) and in what classes mean
//! (`\w` and `\b` are ASCII in RE2). So the pattern is parsed here by RE2's rules, and every atom is
//! written out so that it cannot be read in two ways: flags become part of each atom, classes become
//! ranges of code points, group names are dropped. Nothing recurses.

mod class;

use crate::pattern::{PatternError, PatternErrorCode};

/// Deepest nesting of parentheses.
///
/// RE2 allows 1000, but the `regex` crate recurses while it compiles: 900 levels overflowed a stack of
/// 2 MiB in an unoptimised build. Nobody writes 250.
pub(crate) const MAX_DEPTH: u32 = 250;

/// Largest count in `{n,m}`, and largest product of nested counts.
const MAX_REPEAT: u32 = 1000;

/// The equivalent of RE2 `source` for `regex::bytes`.
pub(crate) fn translate(source: &str) -> Result<String, PatternError> {
    let mut translator = Translator {
        source,
        position: 0,
        flags: Flags::default(),
        open: vec![Group::new("", Flags::default())],
    };
    translator.run()
}

type Outcome<T> = Result<T, PatternError>;

#[derive(Clone, Copy, Default)]
struct Flags {
    fold: bool,
    dot_newline: bool,
    multi_line: bool,
    ungreedy: bool,
}

/// A parenthesis that is still open; the outermost has no opener.
struct Group {
    opener: &'static str,
    /// Flags to go back to at its end.
    outer: Flags,
    /// Finished alternatives, each with its bar.
    alternatives: String,
    pieces: Vec<Piece>,
    /// The largest product of counts in the finished alternatives.
    repeat: u32,
}

impl Group {
    fn new(opener: &'static str, outer: Flags) -> Group {
        Group {
            opener,
            outer,
            alternatives: String::new(),
            pieces: Vec::new(),
            repeat: 1,
        }
    }

    fn end_alternative(&mut self) {
        for piece in self.pieces.drain(..) {
            self.alternatives.push_str(&piece.text);
            self.repeat = self.repeat.max(piece.repeat);
        }
    }
}

/// What a repetition can apply to.
struct Piece {
    text: String,
    /// The text ends in a repetition, so another one needs parentheses.
    repeated: bool,
    /// The largest product of nested counts inside.
    repeat: u32,
}

struct Translator<'a> {
    source: &'a str,
    position: usize,
    flags: Flags,
    open: Vec<Group>,
}

impl<'a> Translator<'a> {
    fn run(&mut self) -> Outcome<String> {
        // Start of the repetition just read: a second one behind it is an error.
        let mut repetition: Option<usize> = None;
        while let Some(c) = self.peek() {
            let start = self.position;
            let previous = repetition.take();
            match c {
                '*' | '+' | '?' => {
                    self.position += 1;
                    let lazy = self.lazy(previous)?;
                    self.check_argument(start)?;
                    self.repeat(&c.to_string(), lazy, 1);
                    repetition = Some(start);
                }
                '{' => match self.counts() {
                    Some((min, max)) => {
                        let lazy = self.lazy(previous)?;
                        self.repeat_counted(start, min, max, lazy)?;
                        repetition = Some(start);
                    }
                    None => {
                        self.position += 1;
                        self.literal('{');
                    }
                },
                _ => self.atom(c)?,
            }
        }
        self.finish()
    }

    fn atom(&mut self, c: char) -> Outcome<()> {
        match c {
            '(' => return self.open_group(),
            ')' => return self.close_group(),
            '\\' => return self.escape(),
            '[' => {
                let class = class::bracketed(self)?;
                self.push_class(&class);
                return Ok(());
            }
            _ => self.position += c.len_utf8(),
        }
        match c {
            '|' => {
                let group = self.group();
                group.end_alternative();
                group.alternatives.push('|');
            }
            '^' if self.flags.multi_line => self.push("(?m:^)"),
            '^' => self.push(r"\A"),
            '$' if self.flags.multi_line => self.push("(?m:$)"),
            '$' => self.push(r"\z"),
            '.' if self.flags.dot_newline => self.push("(?s:.)"),
            '.' => self.push(r"[^\n]"),
            c => self.literal(c),
        }
        Ok(())
    }

    fn finish(&mut self) -> Outcome<String> {
        let missing = || PatternError::new(PatternErrorCode::MissingParenthesis, self.source);
        if self.open.len() != 1 {
            return Err(missing());
        }
        let mut group = self.open.pop().ok_or_else(missing)?;
        group.end_alternative();
        Ok(group.alternatives)
    }

    fn rest(&self) -> &'a str {
        self.source.get(self.position..).unwrap_or_default()
    }

    fn peek(&self) -> Option<char> {
        self.rest().chars().next()
    }

    fn next(&mut self) -> Option<char> {
        let c = self.peek()?;
        self.position += c.len_utf8();
        Some(c)
    }

    fn eat(&mut self, text: &str) -> bool {
        let found = self.rest().starts_with(text);
        if found {
            self.position += text.len();
        }
        found
    }

    /// The pattern from `start` to the cursor.
    fn since(&self, start: usize) -> &'a str {
        self.source.get(start..self.position).unwrap_or_default()
    }

    fn error<T>(&self, code: PatternErrorCode, start: usize) -> Outcome<T> {
        Err(PatternError::new(code, self.since(start)))
    }

    fn group(&mut self) -> &mut Group {
        if self.open.is_empty() {
            self.open.push(Group::new("", Flags::default()));
        }
        let last = self.open.len() - 1;
        &mut self.open[last]
    }

    fn push(&mut self, text: &str) {
        self.group().pieces.push(Piece {
            text: text.to_owned(),
            repeated: false,
            repeat: 1,
        });
    }

    fn push_class(&mut self, class: &str) {
        if self.flags.fold {
            self.push(&format!("(?i:{class})"));
        } else {
            self.push(class);
        }
    }

    fn literal(&mut self, c: char) {
        let escaped = match c {
            c if c.is_ascii_alphanumeric() || !c.is_ascii() => c.to_string(),
            c => format!("\\x{{{:X}}}", u32::from(c)),
        };
        if self.flags.fold && (c.is_ascii_alphabetic() || !c.is_ascii()) {
            self.push(&format!("(?i:{escaped})"));
        } else {
            self.push(&escaped);
        }
    }

    /// Reads the `?` of a lazy repetition and refuses a repetition of a repetition.
    fn lazy(&mut self, previous: Option<usize>) -> Outcome<bool> {
        let lazy = self.eat("?");
        match previous {
            Some(start) => self.error(PatternErrorCode::RepeatOperator, start),
            None => Ok(lazy),
        }
    }

    fn check_argument(&mut self, start: usize) -> Outcome<()> {
        if self.group().pieces.is_empty() {
            return self.error(PatternErrorCode::RepeatArgument, start);
        }
        Ok(())
    }

    fn repeat(&mut self, operator: &str, lazy: bool, count: u32) {
        let lazy = lazy != self.flags.ungreedy;
        if let Some(piece) = self.group().pieces.last_mut() {
            if piece.repeated {
                piece.text = format!("(?:{})", piece.text);
            }
            piece.text.push_str(operator);
            if lazy {
                piece.text.push('?');
            }
            piece.repeated = true;
            piece.repeat = piece.repeat.saturating_mul(count.max(1));
        }
    }

    fn repeat_counted(
        &mut self,
        start: usize,
        min: u32,
        max: Option<u32>,
        lazy: bool,
    ) -> Outcome<()> {
        let most = max.unwrap_or(min);
        if most < min || most > MAX_REPEAT {
            return self.error(PatternErrorCode::RepeatSize, start);
        }
        self.check_argument(start)?;
        let operator = match max {
            Some(max) => format!("{{{min},{max}}}"),
            None => format!("{{{min},}}"),
        };
        self.repeat(&operator, lazy, most);
        let product = self.group().pieces.last().map_or(1, |piece| piece.repeat);
        if most >= 2 && product > MAX_REPEAT {
            return self.error(PatternErrorCode::RepeatSize, start);
        }
        Ok(())
    }

    /// Reads `{n}`, `{n,}` or `{n,m}`; anything else leaves the cursor alone and is literal text.
    fn counts(&mut self) -> Option<(u32, Option<u32>)> {
        let inner = self.rest().strip_prefix('{')?;
        let (inner, _) = inner.split_once('}')?;
        let counts = match inner.split_once(',') {
            None => {
                let count = count(inner)?;
                (count, Some(count))
            }
            Some((min, "")) => (count(min)?, None),
            Some((min, max)) => (count(min)?, Some(count(max)?)),
        };
        self.position += inner.len() + 2;
        Some(counts)
    }

    fn open_group(&mut self) -> Outcome<()> {
        if self.open.len() > MAX_DEPTH as usize {
            let code = PatternErrorCode::NestingDepth;
            return Err(PatternError::new(code, "more than 250 levels"));
        }
        if self.rest().starts_with("(?") {
            return self.open_perl_group();
        }
        self.position += 1;
        self.enter("(", self.flags);
        Ok(())
    }

    fn enter(&mut self, opener: &'static str, outer: Flags) {
        self.open.push(Group::new(opener, outer));
    }

    fn open_perl_group(&mut self) -> Outcome<()> {
        let start = self.position;
        for look_around in ["(?=", "(?!", "(?<=", "(?<!"] {
            if self.eat(look_around) {
                return self.error(PatternErrorCode::BadPerlOperator, start);
            }
        }
        if self.eat("(?P<") || self.eat("(?<") {
            return self.named_group(start);
        }
        self.eat("(?");
        let outer = self.flags;
        let mut flags = self.flags;
        let mut on = true;
        let mut any = false;
        loop {
            let c = self.next();
            match c {
                Some('i') => flags.fold = on,
                Some('m') => flags.multi_line = on,
                Some('s') => flags.dot_newline = on,
                Some('U') => flags.ungreedy = on,
                Some('-') if on => {
                    on = false;
                    any = false;
                    continue;
                }
                Some(':' | ')') if on || any => {
                    self.flags = flags;
                    if c == Some(':') {
                        self.enter("(?:", outer);
                    }
                    return Ok(());
                }
                // RE2 takes the end of the pattern for a missing parenthesis.
                None => {
                    let code = PatternErrorCode::MissingParenthesis;
                    return Err(PatternError::new(code, self.source));
                }
                _ => return self.error(PatternErrorCode::BadPerlOperator, start),
            }
            any = true;
        }
    }

    fn named_group(&mut self, start: usize) -> Outcome<()> {
        let Some(length) = self.rest().find('>') else {
            self.position = self.source.len();
            return self.error(PatternErrorCode::BadNamedGroup, start);
        };
        let name = self.rest().get(..length).unwrap_or_default();
        self.position += length + 1;
        let word = |c: char| c.is_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            return self.error(PatternErrorCode::BadNamedGroup, start);
        }
        self.enter("(", self.flags);
        Ok(())
    }

    fn close_group(&mut self) -> Outcome<()> {
        self.position += 1;
        let unexpected = || PatternError::new(PatternErrorCode::UnexpectedParenthesis, self.source);
        if self.open.len() < 2 {
            return Err(unexpected());
        }
        let mut group = self.open.pop().ok_or_else(unexpected)?;
        group.end_alternative();
        self.flags = group.outer;
        self.group().pieces.push(Piece {
            text: format!("{}{})", group.opener, group.alternatives),
            repeated: false,
            repeat: group.repeat,
        });
        Ok(())
    }

    fn escape(&mut self) -> Outcome<()> {
        for (escape, meaning) in [
            ("\\b", r"(?-u:\b)"),
            ("\\B", r"(?-u:\B)"),
            ("\\A", r"\A"),
            ("\\z", r"\z"),
            ("\\C", "(?s-u:.)"),
        ] {
            if self.eat(escape) {
                self.push(meaning);
                return Ok(());
            }
        }
        if self.eat("\\Q") {
            while !self.eat("\\E") {
                match self.next() {
                    Some(c) => self.literal(c),
                    None => break,
                }
            }
            return Ok(());
        }
        if let Some(class) = class::escaped(self)? {
            self.push_class(&format!("[{class}]"));
            return Ok(());
        }
        match class::escaped_code_point(self)? {
            Some(c) => self.literal(c),
            None => self.push(class::NOTHING),
        }
        Ok(())
    }
}

/// A decimal count without leading zeros; absurdly large ones saturate.
fn count(digits: &str) -> Option<u32> {
    let decimal = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let padded = digits.len() > 1 && digits.starts_with('0');
    (decimal && !padded).then(|| digits.parse().unwrap_or(u32::MAX))
}
