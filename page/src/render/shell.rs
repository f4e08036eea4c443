//! What all pages have around them, and the index that they are found by.

use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde_json::{Value, json};

use crate::content::Pages;
use crate::markdown::inline;
use crate::render::{View, slug};
use crate::words::Tongue;

/// What a page is about.
pub struct Head<'a> {
    /// The title, without the project's name.
    pub title: &'a str,
    /// One sentence.
    pub about: &'a str,
    /// Its file.
    pub file: &'a str,
    /// The lesson that it shows.
    pub pages: Option<&'a Pages>,
}

/// A page with this in the middle.
pub fn shell(view: &View, head: &Head, main: &Markup) -> String {
    let lessons = &view.content.lessons;
    let at = head.pages.and_then(|pages| {
        let name = pages.lesson.name;
        lessons.iter().position(|other| other.lesson.name == name)
    });
    let other = view.tongue.other();
    html! {
        (DOCTYPE)
        html lang=(view.tongue.code()) id="top" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="referrer" content="no-referrer";
                title {
                    (head.title) " — "
                    (view.say("Process to process", "进程间通信"))
                }
                meta name="description" content=(head.about);
                link rel="icon" href="data:,";
                link rel="stylesheet" href=(view.asset("page.css"));
                link rel="alternate" hreflang=(other.code())
                    href=(view.href(other, head.file));
                script defer src=(view.asset("page.js")) {}
                @if view.live && head.pages.is_some() {
                    script defer src=(view.asset("run.js")) {}
                }
            }
            body {
                a.skip href="#main" {
                    (view.say("Skip to the content", "跳到正文"))
                }
                (top(view, head, at))
                main #main { (main) }
                (foot(view))
            }
        }
    }
    .into_string()
}

fn top(view: &View, head: &Head, at: Option<usize>) -> Markup {
    let lessons = &view.content.lessons;
    let name = |place: usize| lessons[place].lesson.name;
    let before = at.map(|at| match at.checked_sub(1) {
        Some(before) => (format!("{}.html", name(before)), name(before)),
        None => ("index.html".to_owned(), view.say("overview", "总览")),
    });
    let after = match at {
        Some(at) => (at + 1 < lessons.len()).then_some(at + 1),
        None => (head.file == "index.html").then_some(0),
    };
    let other = view.tongue.other();
    html! {
        header.top { div.wide {
            a.brand href="index.html" {
                (view.say("Process to process", "进程间通信"))
                span { " · " (view.say("Node beside Rust", "Node 与 Rust 对照")) }
            }
            details.lessons {
                summary {
                    @match at {
                        Some(at) => {
                            b { (name(at)) }
                            i { (at + 1) " / " (lessons.len()) }
                        }
                        None => { (view.say("Lessons", "示例")) }
                    }
                }
                (sheet(view, at))
            }
            nav.step2 aria-label=(view.say("Previous and next", "上一个与下一个")) {
                @if let Some((file, name)) = before {
                    a #prev rel="prev" href=(file) { "← " (name) }
                }
                @if let Some(next) = after {
                    a #next rel="next" href={ (name(next)) ".html" } {
                        (name(next)) " →"
                    }
                }
            }
            div.find data-js hidden {
                input #find type="search" role="combobox"
                    aria-expanded="false" aria-controls="hits"
                    aria-label=(view.say("Search", "搜索"))
                    data-index=(view.asset(&index_file(view.tongue)))
                    placeholder=(view.say(
                        "Search: back-pressure, fork …", "搜索：背压、fork …"));
                ul #hits role="listbox" hidden
                    aria-label=(view.say("Found", "结果")) {}
            }
            div.end {
                a #other lang=(other.code()) hreflang=(other.code())
                    href=(view.href(other, head.file)) {
                    (other.of("English", "中文"))
                }
                button #theme type="button" data-js hidden
                    data-auto=(view.say("auto", "自动"))
                    data-light=(view.say("light", "浅色"))
                    data-dark=(view.say("dark", "深色"))
                    data-name=(view.say("Theme: ", "配色：")) {}
            }
        } }
    }
}

/// All lessons, by the place of the two processes.
fn sheet(view: &View, at: Option<usize>) -> Markup {
    let tongue = view.tongue as usize;
    html! {
        nav.sheet aria-label=(view.say("Lessons", "示例")) {
            @for group in &view.content.groups {
                div {
                    h2 { (group.title[tongue]) }
                    ul {
                        @for &place in &group.lessons {
                            @let name = view.content.lessons[place].lesson.name;
                            li {
                                a href={ (name) ".html" }
                                    aria-current=[(at == Some(place)).then_some("page")]
                                    { (name) }
                            }
                        }
                    }
                }
            }
            div {
                h2 { (view.say("All of them", "全部")) }
                ul {
                    li { a href="index.html" { (view.say("overview", "总览")) } }
                    li { a href="costs.html" { (view.say("costs", "开销")) } }
                    li { a href="glossary.html" { (view.say("glossary", "术语表")) } }
                }
            }
        }
    }
}

fn foot(view: &View) -> Markup {
    let key =
        |key: &str, what: &str| html! { span { kbd { (key) } " " (what) } };
    html! {
        footer { div.wide data-js hidden {
            span { kbd { "←" } " " kbd { "→" } " " (view.say("lessons", "示例")) }
            span { kbd { "j" } " " kbd { "k" } " " (view.say("steps", "步骤")) }
            (key("/", view.say("search", "搜索")))
            @if view.live { (key("r", view.say("run", "运行"))) }
            label.chk {
                input #single type="checkbox" checked;
                (view.say("single-key shortcuts", "单键快捷键"))
            }
        } }
        div.toast role="status" data-copied=(view.say("Copied", "已复制"))
            data-failed=(view.say("Not copied", "没有复制")) {}
    }
}

fn index_file(tongue: Tongue) -> String {
    format!("search.{}.js", tongue.code())
}

/// What the pages are searched by: its name, and the script.
pub fn search_index(view: &View, glossary: &str) -> (String, String) {
    let mut entries: Vec<Value> = Vec::new();
    let tongue = view.tongue as usize;
    let lesson_word = view.say("lesson", "示例");
    for pages in &view.content.lessons {
        let name = pages.lesson.name;
        let use_when = pages.row[tongue].last().cloned().unwrap_or_default();
        let file = format!("{name}.html");
        entries.push(json!([name, file, use_when, lesson_word]));
        let titles = pages.readme.each_ref().map(|text| {
            text.lines()
                .filter_map(|line| line.strip_prefix("## "))
                .map(str::to_owned)
                .collect::<Vec<_>>()
        });
        for (place, title) in titles[tongue].iter().enumerate().skip(3) {
            let id = titles[0].get(place).map(|title| slug(title));
            let to = format!("{file}#{}", id.unwrap_or_default());
            entries.push(json!([title, to, "", name]));
        }
        for role in &pages.roles {
            for part in role.steps() {
                let number = part.step.number;
                let told = role.told(number, view.tongue);
                let text = [&told.shared, &told.own[0], &told.own[1]];
                let text = text.map(String::as_str).join(" ");
                let title = told.title.trim_end_matches(['.', '。']);
                let to = format!("{file}#{}", role.id(number));
                let kind = format!("{name} {} {number}", role.name);
                entries.push(json!([title, to, text.trim(), kind]));
            }
        }
    }
    for (id, term, text) in terms(glossary) {
        let to = format!("glossary.html#{id}");
        let word = view.say("glossary", "术语");
        entries.push(json!([term, to, text, word]));
    }
    let entries = Value::from(entries);
    (
        index_file(view.tongue),
        format!("globalThis.found = {entries}\n"),
    )
}

/// The terms of a glossary: the id, the term, and all that is said.
pub fn terms(glossary: &str) -> Vec<(String, String, String)> {
    let entries = glossary.split("\n**").skip(1);
    entries
        .filter_map(|entry| {
            let (term, _) = entry.split_once("**")?;
            let term = term.trim_end_matches(['.', '。']);
            Some((slug(term), term.to_owned(), format!("**{}", entry.trim())))
        })
        .collect()
}

/// Text of a comment: code in backticks, quotes as in a book, and a link where
/// an address stands between angle brackets.
pub fn prose(text: &str) -> Markup {
    let mut html = String::new();
    for (place, piece) in text.split('`').enumerate() {
        let in_code = place % 2 == 1;
        if in_code {
            html.push_str("<code>");
        }
        let mut escaped = String::new();
        crate::paint::escape(&mut escaped, piece);
        if !in_code {
            escaped = with_links(&escaped);
        }
        let mut parts = escaped.split("&quot;");
        html.push_str(parts.next().unwrap_or_default());
        for (place, part) in parts.enumerate() {
            html.push_str(match (in_code, place % 2) {
                (true, _) => "&quot;",
                (false, 0) => "“",
                (false, _) => "”",
            });
            html.push_str(part);
        }
        if in_code {
            html.push_str("</code>");
        }
    }
    PreEscaped(html)
}

/// The same with `<http://...>` as a link.
fn with_links(escaped: &str) -> String {
    let mut pieces = escaped.split("&lt;http");
    let mut shown = pieces.next().unwrap_or_default().to_owned();
    for piece in pieces {
        match piece.split_once("&gt;") {
            Some((rest, after)) => {
                let link = format!("<a href=\"http{rest}\">http{rest}</a>");
                shown.push_str(&link);
                shown.push_str(after);
            }
            None => {
                shown.push_str("&lt;http");
                shown.push_str(piece);
            }
        }
    }
    shown
}

/// Markdown of one line.
pub fn line(view: &View, folder: &str, text: &str) -> Markup {
    PreEscaped(inline(text, &view.links(folder, None)))
}
