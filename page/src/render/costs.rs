//! The overview, the costs, the glossary.

use std::sync::LazyLock;

use anyhow::Result;
use harness::root;
use maud::{Markup, PreEscaped, html};

use crate::content::{cells, text};
use crate::markdown::{Section, inline, read};
use crate::render::choose::{decision, places};
use crate::render::readme::blocks;
use crate::render::shell::{Head, shell, terms};
use crate::render::{In, View, slug};

/// What was measured of a lesson: in Rust and in Node.
struct Cost {
    name: String,
    /// A round trip, in µs.
    round_trip: [f64; 2],
    /// From the start to the first answer, in ms.
    first_answer: Option<[f64; 2]>,
}

/// The first table between the marks in the root README.
static COSTS: LazyLock<Vec<Cost>> = LazyLock::new(|| {
    let readme = text(&root().join("README.md")).unwrap_or_default();
    let (_, table) = readme.split_once("<!-- costs").unwrap_or_default();
    let table = table.split("\n| Memory").next().unwrap_or_default();
    table
        .lines()
        .filter_map(|line| {
            let cells = cells(line);
            let (name, _) =
                cells.first()?.strip_prefix('[')?.split_once(']')?;
            let number = |place: usize| cells.get(place)?.parse::<f64>().ok();
            Some(Cost {
                name: name.to_owned(),
                round_trip: [number(1)?, number(2)?],
                first_answer: number(4).zip(number(5)).map(|(a, b)| [a, b]),
            })
        })
        .collect()
});

/// What a lesson costs, in a line with a link to all that was measured.
pub fn cost(view: &View, costs: &str, name: &str) -> Option<Markup> {
    let cost = COSTS.iter().find(|cost| cost.name == name)?;
    let [rust, node] = cost.round_trip;
    Some(html! {
        (rust) (view.say(" µs in Rust, ", " µs（Rust），"))
        (node) (view.say(" µs in Node; ", " µs（Node）；"))
        a href=(costs) { (view.say("costs", "开销")) }
    })
}

/// Where the site begins.
///
/// # Errors
/// When a file of the workspace is missing.
pub fn overview(view: &View) -> Result<String> {
    let links = view.links("", None);
    let readme = text(&root().join(view.tongue.file("README")))?;
    let document = read(&readme, &links);
    let english = read(&text(&root().join("README.md"))?, &links);
    // The line with links to the other language is in this page's own head.
    let idea = &document.intro[..document.intro.len().min(1)];
    let mut before = Vec::new();
    let mut after = Vec::new();
    for (place, section) in document.sections.iter().enumerate() {
        let id = english.sections.get(place).map(|it| slug(&it.title));
        let id = id.unwrap_or_default();
        match &*id {
            // This page shows them better.
            "the-lessons" | "what-each-costs" => {}
            "two-commands" => before.push((id, section)),
            _ => after.push((id, section)),
        }
    }
    let section = |id: &str, section: &Section| {
        html! {
            section id=(id) aria-labelledby={ "h-" (id) } { div.wide {
                h2 id={ "h-" (id) } { (section.title) }
                (blocks(view, None, &section.blocks))
            } }
        }
    };
    let main = html! {
        div.wide.lead {
            div {
                h1 { (document.title) }
                div.idea { (blocks(view, None, idea)) }
                (start(view))
            }
            @if !view.live { (how(view)) }
        }
        section id="choose" aria-labelledby="h-choose" { div.wide {
            h2 id="h-choose" { (view.say("Which should I take?", "该选哪一个？")) }
            (decision(view, "costs.html"))
        } }
        section id="lessons" aria-labelledby="h-lessons" { div.wide {
            h2 id="h-lessons" { (view.say("All lessons", "全部示例")) }
            (places(view))
        } }
        @for (id, it) in before.iter().chain(&after) { (section(id, it)) }
    };
    let head = Head {
        title: &document.title,
        about: view.say(
            "How two processes talk to each other, in Node and in Rust.",
            "两个进程如何通信：Node 与 Rust 对照。",
        ),
        file: "index.html",
        pages: None,
    };
    Ok(shell(view, &head, &main))
}

/// The lesson to begin with.
fn start(view: &View) -> Markup {
    let name = view.content.lessons[0].lesson.name;
    html! {
        p.start {
            a.go href={ (name) ".html" } {
                (view.say("Start with ", "从这里开始：")) (name)
            }
            (view.say(" Five minutes for the first version.",
                " 初版只要五分钟。"))
        }
    }
}

/// How to run what a static site cannot.
pub fn how(view: &View) -> Markup {
    html! {
        div.how {
            p { (view.say(
                "The programs run on your own computer, so a web site cannot \
                 start them. In a checkout, one command serves these pages \
                 with a Run button:",
                "程序在你自己的电脑上运行，网站无法启动它们。在检出的目录里，一条命令就能打开带有“运行”按钮的同样的页面："
            )) }
            pre { code { "cargo run -- --web --open" } }
        }
    }
}

/// What each lesson costs.
///
/// # Errors
/// When a file of the workspace is missing.
pub fn costs(view: &View) -> Result<String> {
    let links = view.links("bench", None);
    let results = read(&text(&root().join("bench/RESULTS.md"))?, &links);
    let readme = text(&root().join(view.tongue.file("README")))?;
    // A link to the results stays on this page, which shows them.
    let here = In {
        results: "#results",
        ..view.links("", None)
    };
    let document = read(&readme, &here);
    let english = read(&text(&root().join("README.md"))?, &here);
    let is_costs = |title: &str| title.starts_with("What each costs");
    let at = english.sections.iter().position(|it| is_costs(&it.title));
    let told = at.and_then(|at| document.sections.get(at));
    let title = told.map_or("", |section| &section.title);
    // The questions above say which one to take.
    let is_measured =
        |section: &&Section| slug(&section.title) != "which-should-i-take";
    let main = html! {
        div.wide.lead { div {
            h1 { (title) }
            div.idea { p { (view.say(
                "A small message takes microseconds in either language, so \
                 choose a transport by what it does rather than by its speed. \
                 Rust and Node differ most in the start of a program and in \
                 its memory.",
                "两种语言传一条小消息都只要若干微秒，所以选传输方式先看它能做什么，再看速度。Rust 和 \
                 Node 差别最大的是程序的启动时间和内存。"
            )) } }
        } }
        section id="choose" aria-labelledby="h-choose" { div.wide {
            h2 id="h-choose" { (view.say("Which should I take?", "该选哪一个？")) }
            (decision(view, "#measured"))
        } }
        section id="measured" aria-labelledby="h-measured" { div.wide {
            h2 id="h-measured" { (view.say("The lessons, measured", "各示例的测量")) }
            div.plots {
                (plot(view.say("A round trip of 5 bytes, in µs",
                    "5 字节的一次往返，µs"), |cost| Some(cost.round_trip)))
                (plot(view.say("From the start to the first answer, in ms",
                    "从启动到第一个回答，ms"), |cost| cost.first_answer))
            }
            @if let Some(section) = told {
                (blocks(view, None, &section.blocks))
            }
        } }
        div #results lang="en" {
            @for section in results.sections.iter().filter(is_measured) {
                section id=(slug(&section.title)) { div.wide {
                    h2 { (section.title) }
                    (blocks(view, None, &section.blocks))
                } }
            }
        }
    };
    let head = Head {
        title,
        about: title,
        file: "costs.html",
        pages: None,
    };
    Ok(shell(view, &head, &main))
}

/// A row for each lesson, with a dot for Rust and one for Node.
fn plot(title: &str, of: impl Fn(&Cost) -> Option<[f64; 2]>) -> Markup {
    let rows: Vec<(&str, [f64; 2])> = COSTS
        .iter()
        .filter_map(|cost| Some((&*cost.name, of(cost)?)))
        .collect();
    let most = rows.iter().flat_map(|(_, both)| both).copied();
    let most = most.fold(1.0, f64::max);
    let x = |value: f64| format!("{:.1}", 120.0 + value / most * 270.0);
    let height = rows.len() * 24 + 8;
    html! {
        figure {
            figcaption { (title) ": " span.rust { "● Rust" } " " span.node { "■ Node" } }
            svg viewBox={ "0 0 470 " (height) } role="img" aria-label=(title) {
                @for (place, (name, [rust, node])) in rows.iter().enumerate() {
                    @let y = place * 24 + 16;
                    text x="0" y=(y + 4) { (name) }
                    path.g d={ "M120 " (y) "H390" } {}
                    path.g2 d={ "M" (x(*rust)) " " (y) "H" (x(*node)) } {}
                    circle.dot-rust cx=(x(*rust)) cy=(y) r="5" {}
                    rect.dot-node x=(x(*node - most * 4.5 / 270.0))
                        y=(y as f64 - 4.5) width="9" height="9" {}
                    text.t x="402" y=(y + 4) { (rust) " · " (node) }
                }
            }
        }
    }
}

/// Each term.
///
/// # Errors
/// When a file of the workspace is missing.
pub fn glossary(view: &View) -> Result<String> {
    let name = view.tongue.file("docs/glossary");
    let glossary = text(&root().join(name))?;
    let title = view.say("Glossary", "术语表");
    let links = view.links("docs", None);
    let main = html! {
        div.wide.lead { div { h1 { (title) } } }
        section { div.wide.terms-list {
            @for (id, _, entry) in terms(&glossary) {
                p id=(id) { (PreEscaped(inline(&entry, &links))) }
            }
        } }
    };
    let head = Head {
        title,
        about: title,
        file: "glossary.html",
        pages: None,
    };
    Ok(shell(view, &head, &main))
}
