//! How text for a terminal looks: colours, and marks that need no colour to be understood.

use anstyle::{AnsiColor, Style as Paint};

use crate::Style;

/// Which characters may be used for marks and arrows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Symbols {
    /// Any.
    #[default]
    Unicode,
    /// Only those of ASCII, for terminals and pipes that know no others.
    Ascii,
}

/// Colours and marks.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Look {
    /// Whether escape sequences may be used.
    pub style: Style,
    /// Which marks are drawn.
    pub symbols: Symbols,
}

impl From<Style> for Look {
    fn from(style: Style) -> Look {
        Look {
            style,
            symbols: Symbols::default(),
        }
    }
}

/// What a piece of text means, and with that its colour.
#[derive(Clone, Copy)]
pub(crate) enum Ink {
    Good,
    Bad,
    Careful,
    Heading,
    Strong,
    Dim,
}

/// What became of a condition, or of a job.
#[derive(Clone, Copy)]
pub(crate) enum Mark {
    /// It holds.
    Yes,
    /// It does not.
    No,
    /// It was not looked at.
    NotTried,
    /// Something to know.
    Note,
    /// It is at work.
    Busy,
    /// Its turn has not come.
    Waiting,
}

impl Look {
    /// The text in the colour of its meaning.
    pub(crate) fn ink(self, ink: Ink, text: &str) -> String {
        if self.style == Style::Plain || text.is_empty() {
            return text.to_owned();
        }
        let paint = match ink {
            Ink::Good => AnsiColor::Green.on_default(),
            Ink::Bad => AnsiColor::Red.on_default(),
            Ink::Careful => AnsiColor::Yellow.on_default(),
            Ink::Heading => AnsiColor::Cyan.on_default().bold(),
            Ink::Strong => Paint::new().bold(),
            Ink::Dim => Paint::new().dimmed(),
        };
        format!("{paint}{text}{paint:#}")
    }

    /// A mark of one character.
    pub(crate) fn mark(self, mark: Mark) -> String {
        let (text, ink) = self.plain_mark(mark);
        self.ink(ink, text)
    }

    /// A mark of one character without its colour, and that.
    pub(crate) fn plain_mark(self, mark: Mark) -> (&'static str, Ink) {
        let unicode = self.symbols == Symbols::Unicode;
        match (mark, unicode) {
            (Mark::Yes, true) => ("✓", Ink::Good),
            (Mark::Yes, false) => ("+", Ink::Good),
            (Mark::No, true) => ("✗", Ink::Bad),
            (Mark::No, false) => ("x", Ink::Bad),
            (Mark::NotTried, true) => ("–", Ink::Dim),
            (Mark::NotTried, false) => ("-", Ink::Dim),
            (Mark::Note, _) => ("!", Ink::Careful),
            (Mark::Busy, _) => (">", Ink::Heading),
            (Mark::Waiting, true) => ("·", Ink::Dim),
            (Mark::Waiting, false) => (".", Ink::Dim),
        }
    }

    /// An arrow that points at what is needed.
    pub(crate) fn needs_arrow(self) -> &'static str {
        match self.symbols {
            Symbols::Unicode => "←",
            Symbols::Ascii => "<-",
        }
    }

    /// What stands for left-out text.
    pub(crate) fn ellipsis(self) -> &'static str {
        match self.symbols {
            Symbols::Unicode => "…",
            Symbols::Ascii => "...",
        }
    }
}
