//! What the terminal can do, and writing to it.

use std::io::{IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, PoisonError};

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

/// Writes to standard error, where there is nobody to tell of a failure; later, while output is held back.
pub(crate) fn tell(text: &str) {
    match &mut *held() {
        Some(held) => held.push_str(text),
        None => {
            let _ = write(&mut std::io::stderr().lock(), text);
        }
    }
}

/// What was told while a live view has the terminal; `None` while none has. There is one terminal, so this is one, too.
static HELD: Mutex<Option<String>> = Mutex::new(None);

fn held() -> MutexGuard<'static, Option<String>> {
    HELD.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Holds back what is told, until it is dropped: whoever draws on the terminal writes it where it fits.
pub(crate) struct Held(());

impl Held {
    /// From now on.
    pub(crate) fn begin() -> Held {
        held().get_or_insert_default();
        Held(())
    }

    /// What was told since it was last asked for.
    pub(crate) fn take(&self) -> String {
        held().as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Ends it, and hands out what was left.
    pub(crate) fn end(&self) -> String {
        held().take().unwrap_or_default()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        let left = self.end();
        tell(&left);
    }
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
