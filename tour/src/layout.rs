//! How the lines of two halves stand on the screen: in two columns where it
//! is wide enough, else one below the other, each with its half's name.

use console::{
    Alignment, Color, StyledObject, measure_text_width, pad_str, style,
};
use harness::order::Line;

use crate::screen;

/// Two columns need at least so many on the screen.
const WIDE: usize = 110;

/// No column is wider: what belongs together would be far apart.
const COLUMN: usize = 56;

/// What stands between the columns, or between a name and a line.
const BAR: &str = " │ ";

/// Where the lines of one pair stand.
pub struct Layout {
    names: [String; 2],
    form: Form,
}

enum Form {
    /// Each half has a column of this width.
    Columns(usize),
    /// A name of this width, and then the line.
    Names(usize),
}

impl Layout {
    /// For two halves of these names. Two that `meet` can stand side by side.
    pub fn new(names: [String; 2], meet: bool) -> Self {
        let form = match screen::width() {
            Some(width) if width >= WIDE && meet => {
                let both = width - screen::INDENT.len() - BAR.len();
                Form::Columns(COLUMN.min(both / 2))
            }
            _ => {
                let widths = names.iter().map(|name| measure_text_width(name));
                Form::Names(widths.max().unwrap_or_default())
            }
        };
        Self { names, form }
    }

    /// Prints the names, where the lines do not have them.
    pub fn header(&self) {
        if let Form::Columns(width) = self.form {
            let [first, second] = [0, 1].map(|half| self.name(half, width));
            screen::indented(format_args!("{first}{BAR}{second}"));
        }
    }

    /// Prints a line, on several rows where it is too long for one.
    pub fn print(&self, line: &Line) {
        match self.form {
            Form::Columns(width) => {
                for row in screen::rows(&line.text, Some(width)) {
                    let row = pad(&row, width);
                    let empty = " ".repeat(width);
                    match line.half {
                        0 => screen::indented(format_args!("{row}{BAR}")),
                        _ => {
                            screen::indented(format_args!("{empty}{BAR}{row}"))
                        }
                    }
                }
            }
            Form::Names(width) => {
                let left = screen::width().map(|all| {
                    all.saturating_sub(screen::INDENT.len() + width + BAR.len())
                });
                let mut name = self.name(line.half, width);
                for row in screen::rows(&line.text, left) {
                    screen::indented(format_args!("{name}{BAR}{row}"));
                    name = style(" ".repeat(width));
                }
            }
        }
    }

    fn name(&self, half: usize, width: usize) -> StyledObject<String> {
        let colour = [Color::Cyan, Color::Yellow][half];
        style(pad(&self.names[half], width)).fg(colour)
    }
}

fn pad(text: &str, width: usize) -> String {
    pad_str(text, width, Alignment::Left, None).into_owned()
}
