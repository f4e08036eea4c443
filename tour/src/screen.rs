//! What the tour prints, the keys it waits for, and its early end.

use std::borrow::Cow;
use std::fmt::Display;
use std::io::Write;
use std::sync::OnceLock;

use anyhow::Result;
use console::{Key, Term, style};

/// What stands before all but the titles.
pub const INDENT: &str = "  ";

/// Why nothing more is shown: the status to end with.
static ENDED: OnceLock<u8> = OnceLock::new();

/// Prints one line. Where nobody reads any more (`cargo run | head`), the
/// tour and its lessons end quietly.
pub fn line(text: impl Display) {
    if ended().is_none()
        && writeln!(std::io::stdout().lock(), "{text}").is_err()
    {
        end(0);
    }
}

/// Prints one line below a title.
pub fn indented(text: impl Display) {
    line(format_args!("{INDENT}{text}"));
}

/// Prints a text below a title, on as many lines as it takes.
pub fn paragraph(text: &str) {
    let width = width().map(|width| width.saturating_sub(INDENT.len()));
    for row in rows(text, width) {
        indented(row);
    }
}

/// How many columns the terminal has; `None` where stdout is none.
pub fn width() -> Option<usize> {
    let (_, columns) = Term::stdout().size_checked()?;
    Some(columns.into())
}

/// The text, cut into rows of at most `width` columns, at spaces if possible.
pub fn rows(text: &str, width: Option<usize>) -> Vec<Cow<'_, str>> {
    match width {
        Some(width) => textwrap::wrap(text, width.max(1)),
        None => vec![text.into()],
    }
}

/// Says what `next` is, and waits for a key. The tour ends by `q` and Ctrl-C.
///
/// # Errors
/// When there is no terminal.
pub fn wait_for_key(next: impl Display) -> Result<()> {
    let screen = Term::stdout();
    let prompt = format!("{INDENT}any key: {next}; q: the end");
    screen.write_str(&style(prompt).dim().to_string())?;
    let key = screen.read_key()?;
    screen.clear_line()?;
    if key == Key::Char('q') {
        end(0);
    }
    Ok(())
}

/// Ends all that runs, and shows nothing more. The tour notices, removes its
/// files and ends with `status`.
pub fn end(status: u8) {
    let _ = ENDED.set(status);
    harness::end_all();
}

/// The status to end with, when it is to end early.
pub fn ended() -> Option<u8> {
    ENDED.get().copied()
}
