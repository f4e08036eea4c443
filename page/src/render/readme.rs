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
        } else if let [text @ Block::Text(_), command, after @ ..] = rest
            && matches!(command, Block::Code(word, _) if word != "console")
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
            div.row { (terminal(view, pages, text, 0)) }
        },
        Block::Code(language, text) => html! {
            figure.block { (code(language, text)) }
        },
    }
}

/// The same in Node and in Rust, each with the paragraph above it.
fn twins(blocks: &[Block]) -> Option<(Markup, &[Block])> {
    let (node, rest) = captioned(blocks, "js")?;
    let (rust, rest) = captioned(rest, "rust")?;
    let cell =
        |class: &str, name: &str, (caption, language, text): Captioned| {
            html! {
                figure class={ "cell " (class) } {
                    figcaption {
                        b { (name) }
                        span.own { (PreEscaped(caption)) }
                    }
                    (code(language, text))
                }
            }
        };
    let row = html! {
        div.row {
            (cell("node-c", "Node", node))
            (cell("rust-c", "Rust", rust))
        }
    };
    Some((row, rest))
}

/// The caption's HTML, the language, the code.
type Captioned<'a> = (&'a str, &'a str, &'a str);

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
    match rest {
        [Block::Code(language, text), rest @ ..]
            if language.starts_with(start) =>
        {
            Some(((caption, language, text), rest))
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
                    (terminal(view, pages, first, 0))
                    (terminal(view, pages, second, 1))
                }
            };
            Some((row, rest))
        }
        _ => None,
    }
}

/// A transcript. Its lines lead to the steps that print them.
fn terminal(
    view: &View,
    pages: Option<&Pages>,
    text: &str,
    half: usize,
) -> Markup {
    let command = text.lines().next().and_then(|line| line.strip_prefix("$ "));
    let program = command.and_then(|command| {
        command.split_once("--bin ")?.1.split_whitespace().next()
    });
    let role = pages.and_then(|pages| {
        let name = match command {
            Some(_) => program?,
            None => pages.lesson.halves()[half],
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
