//! The page of a lesson.

use maud::{Markup, PreEscaped, html};

use crate::content::{Pages, Role};
use crate::markdown::{Document, Section, read};
use crate::paint::html as lines_of;
use crate::render::costs::{cost, how};
use crate::render::dock::dock;
use crate::render::readme::blocks;
use crate::render::shell::{Head, line, prose, shell};
use crate::render::{View, slug};
use crate::source::{Part, printed};
use crate::words::Tongue;

/// What each column is called, and its class.
const COLUMNS: [(&str, &str); 2] = [("Node", "node"), ("Rust", "rust")];

/// The page of one lesson.
pub fn lesson(view: &View, pages: &Pages) -> String {
    let folder = pages.lesson.name;
    let links = view.links(folder, Some(pages));
    let document = read(&pages.readme[view.tongue as usize], &links);
    // The ids are the same in both languages.
    let english = read(&pages.readme[Tongue::English as usize], &links);
    let id = |place: usize| {
        english
            .sections
            .get(place)
            .map(|it| slug(&it.title))
            .unwrap_or_default()
    };
    let sections: Vec<(String, &Section)> = document
        .sections
        .iter()
        .enumerate()
        .map(|(place, section)| (id(place), section))
        .collect();
    // The first version, what it lacks; then the steps; then how to run it.
    let lacks = |(id, _): &(String, _)| id == "what-the-first-version-lacks";
    let lacks = sections.iter().position(lacks).unwrap_or(1);
    let (before, after) = sections.split_at(sections.len().min(lacks + 1));
    let main = html! {
        (lead(view, pages, &document))
        @for (id, section) in before { (shown(view, pages, id, section)) }
        (steps(view, pages))
        @for (id, section) in after { (shown(view, pages, id, section)) }
        (onward(view, pages))
    };
    let file = format!("{folder}.html");
    let head = Head {
        title: &document.title,
        about: pages.lesson.watch(),
        file: &file,
        pages: Some(pages),
    };
    shell(view, &head, &main)
}

/// The lesson that follows, for those who have read to the end.
fn onward(view: &View, pages: &Pages) -> Markup {
    let lessons = view.content.lessons.iter();
    let mut rest =
        lessons.skip_while(|other| other.lesson.name != pages.lesson.name);
    html! {
        @if let Some(next) = rest.nth(1) {
            section { div.wide { p.start {
                (view.say("Next: ", "下一个：")) " "
                a href={ (next.lesson.name) ".html" } { (next.lesson.name) }
            } } }
        }
    }
}

fn shown(view: &View, pages: &Pages, id: &str, section: &Section) -> Markup {
    html! {
        section id=(id) aria-labelledby={ "h-" (id) } { div.wide {
            h2 id={ "h-" (id) } { (section.title) }
            (blocks(view, Some(pages), &section.blocks))
        } }
    }
}

/// The idea, and at its side the facts.
fn lead(view: &View, pages: &Pages, document: &Document) -> Markup {
    let tongue = view.tongue as usize;
    let groups = view.content.groups.iter();
    let name = pages.lesson.name;
    let mut groups = groups.filter(|group| {
        let mut lessons = group.lessons.iter();
        lessons.any(|&place| view.content.lessons[place].lesson.name == name)
    });
    let row = &pages.row[tongue];
    let cell =
        |place: usize| line(view, "", row.get(place).map_or("", |it| it));
    html! {
        div.wide.lead {
            div {
                p.kicker {
                    @if let Some(group) = groups.next() { (group.title[tongue]) }
                }
                h1 { (document.title) }
                div.idea { (blocks(view, Some(pages), &document.intro)) }
                p.what {
                    (view.say(
                        "The programs of a pair are its halves, and each has a \
                         twin in the other language. Short first versions come \
                         first, then ",
                        "一对程序中的每一个都有 Node 和 Rust 两个版本。先是简短的初版，然后是"))
                    a href="#halves" {
                        (view.say("the real halves, step by step",
                            "正式的程序，逐步对照"))
                    }
                    (view.say(".", "。"))
                }
                @if view.live {
                    p.start data-js hidden {
                        a.go #try href={ "#" (pages.roles[0].id(1)) } { (view.say("Run it", "运行")) }
                        (view.say(" and see which step prints each line.",
                            " 看每一行是哪一步打印的。"))
                    }
                }
            }
            @if row.len() > 3 {
                dl.facts {
                    dt { (view.say("Use it when", "适用于")) }
                    dd { (cell(3)) }
                    dt.node { "Node" }
                    dd { (cell(1)) }
                    dt.rust { "Rust" }
                    dd { (cell(2)) }
                    @if let Some(cost) = cost(view, "costs.html", name) {
                        dt { (view.say("A round trip", "一次往返")) }
                        dd { (cost) }
                    }
                }
            }
        }
    }
}

fn steps(view: &View, pages: &Pages) -> Markup {
    let first = view.content.lessons[0].lesson.name;
    let names = match pages.lesson.name == first {
        true => "#names-that-every-half-uses".to_owned(),
        false => format!("{first}.html#names-that-every-half-uses"),
    };
    html! {
        div.bench #halves {
            div.wide {
                h2 { (view.say("Step by step", "逐步对照")) }
                p.text { (view.say(
                    "The same program as it has to be in practice. A name with \
                     dots below it is a function of both languages; ≠ marks \
                     what they do differently.",
                    "同一个程序在实践中应有的样子。带点线的名字是两种语言都有的函数；≠ 标出两者的不同之处。"
                )) }
                p.text {
                    (view.say("Names that are not explained here, such as ",
                        "这里没有解释的名字，例如 "))
                    code { "log::line" } (view.say(" or ", " 或 "))
                    code { "args" } (view.say(", are in the table ", "，见表格："))
                    a href=(names) {
                        (view.say("Names that every half uses",
                            "每个程序都用到的名字"))
                    }
                    (view.say(".", "。"))
                }
            }
            (strip(view, pages))
            @for role in &pages.roles { (half(view, pages, role)) }
            @match view.live {
                true => { (dock(view, pages)) }
                false => { div.wide { (how(view)) } }
            }
        }
    }
}

/// The numbers of all steps, always in view.
fn strip(view: &View, pages: &Pages) -> Markup {
    let languages = [
        ("node", "Node"),
        ("both", view.say("Both", "两者")),
        ("rust", "Rust"),
    ];
    html! {
        div.strip { div.wide {
            nav.halves aria-label=(view.say("Halves and steps", "两端与步骤")) {
                @for role in &pages.roles {
                    div.half {
                        a.tab id={ "tab-" (role.name) } data-role=(role.name)
                            href={ "#half-" (role.name) } { (role.name) }
                        @for part in role.steps() {
                            @let number = part.step.number;
                            @let told = role.told(number, view.tongue);
                            a.num href={ "#" (role.id(number)) }
                                aria-label={ (role.name) " " (number) ": "
                                    (told.title) } { (number) }
                        }
                    }
                }
            }
            fieldset.seg.langs {
                legend.vh { (view.say("Languages shown", "显示的语言")) }
                @for (value, name) in languages {
                    label {
                        input type="radio" name="langs" value=(value)
                            id={ "l-" (value) } checked[value == "both"];
                        (name)
                    }
                }
            }
        } }
    }
}

fn half(view: &View, pages: &Pages, role: &Role) -> Markup {
    let (lang, about) = role.about(view.tongue);
    // One that is written in one language only has one column.
    let columns = [0, 1].into_iter();
    let columns = columns.filter(|&it| !role.sources[it].parts.is_empty());
    let lines = columns.clone().map(|column| {
        let (name, _) = COLUMNS[column];
        let count = role.sources[column].fold.len();
        match view.tongue {
            Tongue::English => format!("{count} lines in {name}"),
            Tongue::Chinese => format!("{name} {count} 行"),
        }
    });
    let lines = lines.collect::<Vec<_>>().join(view.say(", ", "，"));
    html! {
        div.role.one[columns.clone().count() == 1]
            id={ "half-" (role.name) } { div.wide {
            h3.rolehead { (role.name) }
            p.what lang=(lang) { (prose(&about)) }
            details.fold {
                summary {
                    (view.say("Imports and flags · ", "导入与参数 · ")) (lines)
                }
                div.row {
                    @for column in columns {
                        @let (name, class) = COLUMNS[column];
                        @let fold = role.sources[column].fold.clone();
                        @let lines: Vec<usize> = fold.collect();
                        (cell(view, role, column, name, class, &lines,
                            &html! {}, &[]))
                    }
                }
            }
            @for part in role.steps() {
                (step(view, pages, role, part.step.number))
            }
        } }
    }
}

fn step(view: &View, pages: &Pages, role: &Role, number: usize) -> Markup {
    let told = role.told(number, view.tongue);
    let id = role.id(number);
    let sources = role.sources.iter().enumerate();
    let parts: Vec<(usize, &Part)> = sources
        .flat_map(|(column, source)| {
            let mut parts = source.parts.iter();
            Some((column, parts.find(|part| part.step.number == number)?))
        })
        .collect();
    let function = parts.last().map_or("", |(_, part)| &part.step.function);
    let differences = pages.differences.get(&id);
    let mut prints = Vec::new();
    for (column, part) in &parts {
        for (pattern, _) in printed(&role.sources[*column], part) {
            let pattern = pattern.replace("{}", "…");
            if !prints.contains(&pattern) {
                prints.push(pattern);
            }
        }
    }
    html! {
        div.row id=(id) {
            div.band {
                a.n href={ "#" (id) }
                    aria-label={ (view.say("Step ", "步骤 ")) (number) }
                    { (number) }
                div.say lang=(told.lang) {
                    h4 { (prose(&told.title)) } " "
                    p { (prose(&told.shared)) }
                }
                div.tell {
                    span { (view.say("in ", "位于 ")) code { (function) } }
                    @if !prints.is_empty() {
                        span {
                            (view.say("prints ", "打印 "))
                            @for (place, text) in prints.iter().take(4).enumerate() {
                                @if place > 0 { ", " }
                                code { (text) }
                            }
                        }
                    }
                }
            }
            @for &(column, part) in &parts {
                @let (name, class) = COLUMNS[column];
                @let source = &role.sources[column];
                @let numbers: Vec<usize> = printed(source, part)
                    .into_iter().map(|(_, line)| line).collect();
                @let notes = html! {
                    @for row in differences.into_iter().flatten() {
                        span.dif {
                            (line(view, pages.lesson.name,
                                &row[view.tongue as usize][column]))
                        }
                    }
                    @if !told.own[column].is_empty() {
                        span.own lang=(told.lang) { (prose(&told.own[column])) }
                    }
                };
                (cell(view, role, column, name, class, &part.lines, &notes,
                    &numbers))
            }
        }
    }
}

#[expect(clippy::too_many_arguments, reason = "one cell, from two places")]
fn cell(
    view: &View,
    role: &Role,
    column: usize,
    name: &str,
    class: &str,
    lines: &[usize],
    notes: &Markup,
    printing: &[usize],
) -> Markup {
    let source = &role.sources[column];
    let file = source.path.rsplit('/').next().unwrap_or_default();
    let painted = &role.painted()[column];
    let names = role.names(column);
    let first = lines.first().map_or(1, |line| line + 1);
    let code = lines_of(
        lines.iter().map(|&line| (line, &painted[line])),
        &names,
        printing,
        source.outdent(lines),
    );
    html! {
        figure class={ "cell " (class) "-c" } {
            figcaption {
                b { (name) }
                span.at {
                    (file) ":" (first)
                    button.copy type="button" data-js hidden
                        { (view.say("copy", "复制")) }
                }
                (notes)
            }
            pre { code { (PreEscaped(code)) } }
        }
    }
}
