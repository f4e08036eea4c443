//! The steps of a half, as its comments tell them.
//!
//! `// 2. Accept clients. Each has a task of its own.` begins step 2. Its
//! first sentence is the title. The two languages of a half have the same
//! steps, in the same functions, in the same order: a test sees to that, and
//! the page shows them beside each other.

use std::ops::Range;

/// One step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Step {
    /// The first is 1.
    pub number: usize,
    /// Up to the first `.`, `:` or `?`.
    pub title: String,
    /// In which function it stands, or before which; as Rust would write it.
    pub function: String,
    /// All that the comment says, from the title on.
    pub text: String,
    /// The lines of the comment; the first line of the source is 0.
    pub comment: Range<usize>,
}

/// The steps of a source, from its top to its end.
pub fn steps(text: &str) -> Vec<Step> {
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let mut steps = Vec::new();
    let mut function = "main"; // what stands outside all functions is its part
    for (place, line) in lines.iter().enumerate() {
        function = function_of(line).unwrap_or(function);
        let Some((number, start)) = comment(line).and_then(numbered) else {
            continue;
        };
        // The sentence may go on, and a function may begin below it.
        let below = || lines[place + 1..].iter();
        let rest = below().map_while(|line| comment(line));
        let rest = rest.take_while(|text| numbered(text).is_none());
        let whole: Vec<&str> = [start].into_iter().chain(rest).collect();
        let text = whole.join(" ");
        let title = text.split(['.', ':', '?']).next().unwrap_or_default();
        let mut code = below().skip_while(|line| {
            comment(line).is_some() || line.trim_start().starts_with("#[")
        });
        let begins = code.next().and_then(|line| function_of(line));
        steps.push(Step {
            number,
            title: title.to_owned(),
            function: snake_case(begins.unwrap_or(function)),
            comment: place..place + whole.len(),
            text,
        });
    }
    steps
}

/// The text of a line that is a comment.
pub fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// The number and the text behind it.
fn numbered(comment: &str) -> Option<(usize, &str)> {
    let (number, text) = comment.split_once(". ")?;
    Some((number.parse().ok()?, text))
}

/// The name of the function that begins on this line.
pub fn function_of(line: &str) -> Option<&str> {
    let words = [
        "pub ",
        "pub(crate) ",
        "const ",
        "export ",
        "default ",
        "static ",
        "async ",
        "unsafe ",
    ];
    let mut rest = line.trim_start();
    while let Some(after) =
        words.iter().find_map(|word| rest.strip_prefix(word))
    {
        rest = after;
    }
    let after = ["fn ", "function ", "function* "]
        .iter()
        .find_map(|word| rest.strip_prefix(word))?;
    let is_name = |c: char| c.is_alphanumeric() || c == '_';
    let end = after.find(|c| !is_name(c))?;
    (end > 0).then(|| &after[..end])
}

fn snake_case(name: &str) -> String {
    let mut snake = String::new();
    for c in name.chars() {
        if c.is_ascii_uppercase() && !snake.is_empty() {
            snake.push('_');
        }
        snake.push(c.to_ascii_lowercase());
    }
    snake
}
