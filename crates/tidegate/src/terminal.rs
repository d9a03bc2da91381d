//! What the terminal can do, and writing to it.

use std::io::{IsTerminal, Write};

use tidegate_report::Style;

use crate::cli::Color;
use crate::exit::Failure;

/// Whether colours are wanted on a stream: `--color`, then `NO_COLOR`, `CLICOLOR_FORCE`, then whether it is a terminal.
pub(crate) fn style(color: Color, stream: &impl IsTerminal) -> Style {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let coloured = match color {
        Color::Always => true,
        Color::Never => false,
        Color::Auto if set("NO_COLOR") => false,
        Color::Auto if set("CLICOLOR_FORCE") => true,
        Color::Auto => stream.is_terminal(),
    };
    if coloured {
        Style::Coloured
    } else {
        Style::Plain
    }
}

/// Writes a result to standard output. A reader that has gone away is no failure.
pub(crate) fn print(text: &str) -> Result<(), Failure> {
    write(&mut std::io::stdout().lock(), text)
}

/// Writes to standard error, where there is nobody to tell of a failure.
pub(crate) fn tell(text: &str) {
    let _ = write(&mut std::io::stderr().lock(), text);
}

fn write(stream: &mut impl Write, text: &str) -> Result<(), Failure> {
    match stream
        .write_all(text.as_bytes())
        .and_then(|()| stream.flush())
    {
        Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => Err(Failure::unusable(
            format!("failed to write the output: {error}"),
        )),
        _ => Ok(()),
    }
}
