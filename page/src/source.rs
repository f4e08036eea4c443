//! A source file, cut into its steps.

use std::ops::Range;

use harness::steps::{Step, comment, function_of, steps};

/// One half in one language.
pub struct Source {
    /// The file, from the lesson's folder on: `src/bin/server.rs`.
    pub path: String,
    /// Its lines.
    pub lines: Vec<String>,
    /// What the first sentence of its header says, behind `NAME: `.
    pub about: String,
    /// What the header tells the reader to try.
    pub try_this: Option<String>,
    /// The lines before step 1 that are no header: imports and flags.
    pub fold: Range<usize>,
    /// Its steps.
    pub parts: Vec<Part>,
}

/// A step, and where its code stands.
pub struct Part {
    /// What its comment says.
    pub step: Step,
    /// The lines of its code: those before the comment, where the function
    /// begins that holds it, and those behind.
    pub lines: Vec<usize>,
}

impl Source {
    /// Cuts the text of the file at `path`.
    pub fn cut(path: String, text: &str) -> Self {
        let lines: Vec<String> = text
            .lines()
            .map(|line| line.trim_end().to_owned())
            .collect();
        let steps = steps(text);
        // Where each step begins: at its comment, or at the head of the
        // function that holds it.
        let mut begins = Vec::new();
        let mut before = 0;
        for step in &steps {
            let head = head_of(&lines, before, step.comment.start);
            begins.push(head.unwrap_or(step.comment.start));
            before = step.comment.end;
        }
        if let Some(first) = begins.first_mut() {
            // Node: `main()` is called where the imports end.
            let call = lines[..*first].iter().position(|line| {
                line.starts_with("main(") || line.starts_with("await main(")
            });
            *first = call.unwrap_or(*first);
        }
        let ends = begins.iter().copied().skip(1).chain([lines.len()]);
        let parts = steps.into_iter().zip(begins.iter().zip(ends));
        let parts: Vec<Part> = parts
            .map(|(step, (&begin, end))| {
                let own = step.comment.clone();
                let code = (begin..own.start).chain(own.end..end);
                let lines = trimmed(&lines, code.collect());
                Part { step, lines }
            })
            .collect();
        let header = header(&lines);
        let fold = header..begins.first().copied().unwrap_or(lines.len());
        let text = lines[..header]
            .iter()
            .filter_map(|line| comment(line))
            .collect::<Vec<_>>()
            .join("\n");
        Self {
            path,
            about: about(&text),
            try_this: paragraph(&text, "Try this: "),
            fold: trimmed_range(&lines, fold),
            parts,
            lines,
        }
    }

    /// How far all these lines are indented, where they begin with a method;
    /// what stands within a function is shown as it is.
    pub fn outdent(&self, lines: &[usize]) -> usize {
        let lines = lines.iter().map(|&line| &*self.lines[line]);
        let lines: Vec<&str> = lines.filter(|line| !line.is_empty()).collect();
        let blanks = |line: &&str| line.len() - line.trim_start().len();
        let least = lines.iter().map(blanks).min().unwrap_or(0);
        let mut outer = lines.iter().filter(|line| blanks(line) == least);
        match outer.any(|line| function_of(line).is_some()) {
            true => least,
            false => 0,
        }
    }

    /// The number of a line's step, the first line being 1.
    pub fn step_at(&self, line: usize) -> Option<usize> {
        let part = self
            .parts
            .iter()
            .find(|part| part.lines.contains(&line.wrapping_sub(1)))?;
        Some(part.step.number)
    }

    /// The functions that begin in its steps, each with the step's number.
    pub fn functions(&self) -> impl Iterator<Item = (&str, usize)> {
        self.parts.iter().flat_map(|part| {
            let lines = part.lines.iter();
            lines.filter_map(|&line| {
                Some((function_of(&self.lines[line])?, part.step.number))
            })
        })
    }
}

/// Where the head of the function begins that holds the line `at`; nothing
/// where that is before the line `from`, or at it: that function is what the
/// step before is about.
fn head_of(lines: &[String], from: usize, at: usize) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut outer = indent(&lines[at]);
    let mut head = None;
    for place in (from..at).rev() {
        let line = &lines[place];
        if line.is_empty() || indent(line) >= outer {
            continue;
        }
        outer = indent(line);
        if function_of(line).is_some() {
            head = Some(place);
        } else if head.is_none() && !line.trim_start().starts_with([')', '}']) {
            // A block within the function: it goes on being looked for.
            continue;
        }
    }
    let mut head = head?;
    // With its comments and attributes.
    while head > from && !lines[head - 1].is_empty() {
        let above = lines[head - 1].trim_start();
        if !above.starts_with("//") && !above.starts_with("#[") {
            break;
        }
        head -= 1;
    }
    (head > from).then_some(head)
}

/// How many lines the comment at the top has.
fn header(lines: &[String]) -> usize {
    let is_comment = |line: &&String| line.starts_with("//");
    lines.iter().take_while(is_comment).count()
}

/// `TCP echo server: sends back whatever a client sends.`
fn about(header: &str) -> String {
    let first = header.split("\n\n").next().unwrap_or_default();
    let first = first.replace('\n', " ");
    let said = first.split_once(": ").map_or(&*first, |(_, said)| said);
    let mut letters = said.chars();
    let begin = letters.next().into_iter().flat_map(char::to_uppercase);
    begin.chain(letters).collect()
}

fn paragraph(header: &str, start: &str) -> Option<String> {
    let mut paragraphs = header.split("\n\n");
    let found = paragraphs.find_map(|text| text.strip_prefix(start))?;
    Some(found.replace('\n', " "))
}

/// Without empty lines at both ends, and without two in a row.
fn trimmed(lines: &[String], code: Vec<usize>) -> Vec<usize> {
    let mut kept: Vec<usize> = Vec::new();
    for line in code {
        let after_empty =
            kept.last().is_none_or(|&last| lines[last].is_empty());
        if !(lines[line].is_empty() && after_empty) {
            kept.push(line);
        }
    }
    while kept.last().is_some_and(|&last| lines[last].is_empty()) {
        kept.pop();
    }
    kept
}

fn trimmed_range(lines: &[String], mut range: Range<usize>) -> Range<usize> {
    while !range.is_empty() && lines[range.start].is_empty() {
        range.start += 1;
    }
    while !range.is_empty() && lines[range.end - 1].is_empty() {
        range.end -= 1;
    }
    range
}

/// What a step prints: the texts of `line` and `error`, with `{}` for each
/// value in them, and the line where that stands.
pub fn printed(source: &Source, part: &Part) -> Vec<(String, usize)> {
    let mut found = Vec::new();
    for (place, &line) in part.lines.iter().enumerate() {
        let text = &source.lines[line];
        for call in ["line(", "error("] {
            for (at, _) in text.match_indices(call) {
                let before = text[..at].chars().next_back();
                // `log::line(` and `line(`, but not `socket.line(`.
                if before.is_some_and(|c| {
                    c.is_alphanumeric() || c == '.' || c == '_'
                }) {
                    continue;
                }
                // The text may stand on one of the next lines.
                let rest = part.lines[place + 1..].iter().take(2);
                let mut whole = text[at + call.len()..].to_owned();
                for &next in rest {
                    if literal(&whole).is_some() || whole.ends_with([')', ';'])
                    {
                        break;
                    }
                    whole.push_str(source.lines[next].trim_start());
                }
                if let Some(pattern) = literal(&whole) {
                    found.push((pattern, line));
                }
            }
        }
    }
    found
}

/// The first text in quotes, with `{}` for each value in it.
fn literal(code: &str) -> Option<String> {
    let begin = code.find(['"', '\'', '`'])?;
    let quote = code[begin..].chars().next()?;
    let mut pattern = String::new();
    let mut letters = code[begin + 1..].chars().peekable();
    let mut depth = 0;
    loop {
        match letters.next()? {
            '\\' => pattern.extend(letters.next()),
            c if c == quote && depth == 0 => break,
            '$' if quote == '`' && letters.peek() == Some(&'{') => {}
            '{' if quote != '\'' => {
                depth += 1;
                if depth == 1 {
                    pattern.push_str("{}");
                }
            }
            '}' if depth > 0 => depth -= 1,
            _ if depth > 0 => {}
            c => pattern.push(c),
        }
    }
    (!pattern.is_empty() && pattern != "{}").then_some(pattern)
}

/// Does a line look as the pattern says?
pub fn matches(pattern: &str, line: &str) -> bool {
    let mut parts = pattern.split("{}");
    let Some(mut rest) = line.strip_prefix(parts.next().unwrap_or_default())
    else {
        return false;
    };
    let parts: Vec<&str> = parts.collect();
    for (place, part) in parts.iter().enumerate() {
        if place + 1 == parts.len() {
            return rest.ends_with(part);
        }
        match rest.find(part) {
            Some(at) => rest = &rest[at + part.len()..],
            None => return false,
        }
    }
    rest.is_empty()
}
