//! Sections of a README: what belongs together stands beside each other.

use maud::{Markup, PreEscaped, html};

use crate::content::{Pages, Role};
use crate::markdown::Block;
use crate::paint::{Names, html as lines_of, paint_text};
use crate::render::View;
use crate::source::{matches, printed};

/// A paragraph this long is no caption.
const CAPTION: usize = 420;

/// The blocks of a section.
pub fn blocks(view: &View, pages: Option<&Pages>, blocks: &[Block]) -> Markup {
    let mut rest = blocks;
    let mut shown = Vec::new();
    while let Some((first, after)) = rest.split_first() {
        if let Some((row, after)) = twins(rest) {
            shown.push(row);
            rest = after;
        } else if let Some((row, after)) = terminals(view, pages, rest) {
            shown.push(row);
            rest = after;
        } else if let Some((row, after)) = node_only(rest) {
            shown.push(row);
            rest = after;
        } else if let [text @ Block::Text(_), command, after @ ..] = rest
            && matches!(command, Block::Code(word, _) if word != "console")
            && twins(&rest[1..]).is_none()
        {
            shown.push(html! {
                div.row.beside {
                    (block(view, pages, text))
                    (block(view, pages, command))
                }
            });
            rest = after;
        } else {
            shown.push(block(view, pages, first));
            rest = after;
        }
    }
    html! { @for block in shown { (block) } }
}

fn block(view: &View, pages: Option<&Pages>, block: &Block) -> Markup {
    match block {
        Block::Text(html) => html! { div.text { (PreEscaped(html)) } },
        Block::Table(table) => html! {
            div.table role="group" tabindex="0"
                aria-label=(view.say("Table", "表格")) { (PreEscaped(table)) }
        },
        Block::Code(language, text) if language == "console" => html! {
            div.row { (terminal(view, pages, text)) }
        },
        Block::Code(language, text) => html! {
            figure.block { (code(language, text)) }
        },
    }
}

/// The same in Node and in Rust, in either order, each with the paragraph above
/// it; one that stands above both is about both.
fn twins(blocks: &[Block]) -> Option<(Markup, &[Block])> {
    let is_rust_first = captioned(blocks, "rust").is_some();
    let languages = match is_rust_first {
        true => ["rust", "js"],
        false => ["js", "rust"],
    };
    let (mut one, rest) = captioned(blocks, languages[0])?;
    let (other, rest) = captioned(rest, languages[1])?;
    let mut both = "";
    if other.caption.is_empty() {
        both = std::mem::take(&mut one.caption);
    }
    let [node, rust] = match is_rust_first {
        true => [other, one],
        false => [one, other],
    };
    let row = html! {
        @if !both.is_empty() { div.text { p { (PreEscaped(both)) } } }
        div.row {
            (cell("node-c", "Node", &node))
            (cell("rust-c", "Rust", &rust))
        }
    };
    Some((row, rest))
}

/// What exists in Node only: in Node's column.
fn node_only(blocks: &[Block]) -> Option<(Markup, &[Block])> {
    let (shown, rest) = captioned(blocks, "js")?;
    let row = html! { div.row { (cell("node-c", "Node", &shown)) } };
    Some((row, rest))
}

fn cell(class: &str, name: &str, shown: &Captioned) -> Markup {
    html! {
        figure class={ "cell " (class) } {
            figcaption {
                b { (name) }
                span.own { (PreEscaped(shown.caption)) }
                @if let Some(command) = shown.command {
                    (code("sh", command))
                }
            }
            (code(shown.language, shown.text))
        }
    }
}

/// Code, and what stands above it.
struct Captioned<'a> {
    /// HTML.
    caption: &'a str,
    /// What has to be typed before.
    command: Option<&'a str>,
    language: &'a str,
    text: &'a str,
}

fn captioned<'a>(
    blocks: &'a [Block],
    start: &str,
) -> Option<(Captioned<'a>, &'a [Block])> {
    let (caption, rest) = match blocks {
        [Block::Text(html), rest @ ..] => {
            let inner = html.trim().strip_prefix("<p>")?;
            let inner = inner.strip_suffix("</p>")?;
            (inner.len() < CAPTION).then_some((inner, rest))?
        }
        _ => ("", blocks),
    };
    let (command, rest) = match rest {
        [Block::Code(language, text), rest @ ..]
            if language == "sh" && !caption.is_empty() =>
        {
            (Some(&**text), rest)
        }
        _ => (None, rest),
    };
    match rest {
        [Block::Code(language, text), rest @ ..]
            if language.starts_with(start) =>
        {
            let shown = Captioned {
                caption,
                command,
                language,
                text,
            };
            Some((shown, rest))
        }
        _ => None,
    }
}

/// Two terminals, one for each half.
fn terminals<'a>(
    view: &View,
    pages: Option<&Pages>,
    blocks: &'a [Block],
) -> Option<(Markup, &'a [Block])> {
    match blocks {
        [
            Block::Code(one, first),
            Block::Code(other, second),
            rest @ ..,
        ] if one == "console" && other == "console" => {
            let row = html! {
                div.row {
                    (terminal(view, pages, first))
                    (terminal(view, pages, second))
                }
            };
            Some((row, rest))
        }
        _ => None,
    }
}

/// A transcript. Its lines lead to the steps that print them. One without a
/// command is of the half that the other one has started.
fn terminal(view: &View, pages: Option<&Pages>, text: &str) -> Markup {
    let command = text.lines().next().and_then(|line| line.strip_prefix("$ "));
    let program = command.and_then(|command| {
        command.split_once("--bin ")?.1.split_whitespace().next()
    });
    let role = pages.and_then(|pages| {
        let name = match command {
            Some(_) => program?,
            None => pages.lesson.halves()[1],
        };
        pages.role(name)
    });
    let name = role.map(|role| &*role.name).or(program);
    html! {
        figure.cell.term {
            figcaption {
                b { (name.unwrap_or_default()) }
            }
            pre tabindex="0" role="group"
                aria-label=(view.say("Transcript", "输出记录")) {
                code {
                    @for line in text.lines() {
                        @match line.strip_prefix("$ ") {
                            Some(command) => {
                                span.l.cmd { "$ " (command) "\n" }
                            }
                            None => (printed_line(view, role, line)),
                        }
                    }
                }
            }
        }
    }
}

fn printed_line(view: &View, role: Option<&Role>, line: &str) -> Markup {
    let step = role.and_then(|role| Some((role, step_of(role, line)?)));
    html! {
        @match step {
            Some((role, step)) => {
                a.l.t href={ "#" (role.id(step)) }
                    title={ (view.say("step ", "步骤 ")) (step) }
                    { (line) "\n" }
            }
            None => span.l { (line) "\n" },
        }
    }
}

/// The step that prints such a line: of several patterns the one that says
/// most of it.
pub fn step_of(role: &Role, line: &str) -> Option<usize> {
    let mut best: Option<(usize, usize)> = None;
    for source in &role.sources {
        for part in &source.parts {
            for (pattern, _) in printed(source, part) {
                let says = pattern.replace("{}", "").len();
                if says > 3
                    && matches(&pattern, line)
                    && best.is_none_or(|(most, _)| says > most)
                {
                    best = Some((says, part.step.number));
                }
            }
        }
    }
    best.map(|(_, step)| step)
}

/// A block of code in its colours.
fn code(language: &str, text: &str) -> Markup {
    let ending = match language.split(',').next().unwrap_or_default() {
        "rust" => "rs",
        "js" => "js",
        "sh" | "console" => "sh",
        "json" => "json",
        "html" => "html",
        _ => "txt",
    };
    let painted = paint_text(text, ending);
    let lines = painted.iter().enumerate();
    html! {
        pre { code { (PreEscaped(lines_of(lines, &Names::new(), &[], 0))) } }
    }
}
