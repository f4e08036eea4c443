//! The pages are made of the sources, whole, and lead nowhere else.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::sync::{Mutex, PoisonError};

use anyhow::{Context, Result, bail, ensure};
use harness::testing::{Test, test};
use harness::{LESSONS, root};
use page::content::Content;
use page::site;

/// The most that a page may have, with its styles and its script, in bytes.
const LIMIT: usize = 200_000;

pub fn tests() -> Vec<Test> {
    [
        test("the_site_is_whole_and_leads_nowhere_else", whole),
        test("each_step_shows_its_lines_in_both_languages", lines),
        test("twins_with_other_steps_are_no_page", twins),
        test("the_questions_lead_to_every_lesson", questions),
    ]
    .map(|test| test.of("site"))
    .into()
}

/// All files of the site, by their names: made once for all tests.
pub fn files() -> Result<&'static BTreeMap<String, String>> {
    static FILES: Mutex<Option<&'static BTreeMap<String, String>>> =
        Mutex::new(None);
    let mut made = FILES.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(files) = *made {
        return Ok(files);
    }
    let folder = tempfile::tempdir()?;
    let content = Content::read()?;
    let count = site::write(&content, folder.path())?;
    let mut files = BTreeMap::new();
    for name in site::files(&content) {
        let text = fs::read_to_string(folder.path().join(&name))?;
        files.insert(name, text);
    }
    ensure!(files.len() == count, "{count} files, {}", files.len());
    let files = Box::leak(Box::new(files));
    *made = Some(files);
    Ok(files)
}

/// All pages, as a web site would have them.
fn whole() -> Result<()> {
    let pages = files()?;
    let mut ids: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    let shared = ["assets/page.css", "assets/page.js"];
    let shared: usize = shared.map(|name| pages[name].len()).iter().sum();
    for (name, text) in pages {
        if !name.ends_with(".html") {
            continue;
        }
        let own = ids.entry(name).or_default();
        for id in attributes(text, "id") {
            ensure!(own.insert(id), "{name} has two elements {id:?}");
        }
        balanced(text).with_context(|| name.clone())?;
        let size = text.len() + shared;
        // The costs are no lesson: they have a table for each way to measure.
        let is_costs = name.ends_with("costs.html");
        ensure!(size <= LIMIT || is_costs, "{name}: {size} bytes");
    }
    for (name, text) in pages {
        if !name.ends_with(".html") {
            continue;
        }
        let folder = name.rsplit_once('/').map_or("", |(folder, _)| folder);
        for what in ["href", "src", "data-index"] {
            for to in attributes(text, what) {
                if to.starts_with("data:") {
                    continue;
                }
                if to.contains("://") {
                    // A link that a reader may follow; nothing is fetched.
                    ensure!(what == "href", "{name}: {what}={to}");
                    continue;
                }
                let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
                let there = match path {
                    "" => name.clone(),
                    path => within(folder, path),
                };
                let known = pages.contains_key(&there);
                ensure!(known, "{name}: no {there} for {to:?}");
                let known = anchor.is_empty() || ids[&*there].contains(anchor);
                ensure!(known, "{name}: no element for {to:?}");
            }
        }
        for external in [
            "<link rel=\"stylesheet\" href=\"http",
            "<script>",
            " style=\"",
        ] {
            let found = text.contains(external);
            let table = external == " style=\"" && text.contains("text-align");
            ensure!(!found || table, "{name} has {external}");
        }
    }
    // A browser shows a line break as a space, which Chinese does not have.
    for (name, text) in pages {
        let lines: Vec<&str> = text.lines().collect();
        let is_chinese = |c: Option<char>| c.is_some_and(|c| c >= '\u{2e80}');
        let broken = lines.windows(2).find(|two| {
            name.ends_with(".html")
                && is_chinese(two[0].chars().next_back())
                && is_chinese(two[1].chars().next())
        });
        let next =
            broken.map(|two| two[1].chars().take(40).collect::<String>());
        ensure!(next.is_none(), "{name}: a line break before {next:?}");
    }
    // The Chinese page has the same steps as the English one.
    for lesson in LESSONS.iter() {
        let file = format!("{}.html", lesson.name);
        let twin = format!("zh/{file}");
        let [ours, theirs] = [&*file, &twin].map(|name| &ids[name]);
        ensure!(ours == theirs, "{file}: {:?}", ours ^ theirs);
    }
    Ok(())
}

/// A path from a folder of the site.
fn within(folder: &str, path: &str) -> String {
    let mut parts: Vec<&str> =
        folder.split('/').filter(|it| !it.is_empty()).collect();
    for part in path.split('/') {
        match part {
            ".." => drop(parts.pop()),
            part => parts.push(part),
        }
    }
    parts.join("/")
}

/// The values of all attributes with this name.
fn attributes<'a>(html: &'a str, name: &str) -> Vec<&'a str> {
    let start = format!(" {name}=\"");
    let found = html.match_indices(&start);
    found
        .filter_map(|(at, start)| html[at + start.len()..].split('"').next())
        .collect()
}

/// Every element that begins ends, in order.
fn balanced(html: &str) -> Result<()> {
    const EMPTY: [&str; 8] = [
        "meta", "link", "input", "br", "hr", "img", "wbr", "!DOCTYPE",
    ];
    let mut open = Vec::new();
    for piece in html.split('<').skip(1) {
        let tag = piece.split('>').next().unwrap_or_default();
        let end = |c: char| c.is_whitespace() || c == '/';
        match tag.strip_prefix('/') {
            Some(name) => {
                let last = open.pop();
                ensure!(last == Some(name), "</{name}> ends {last:?}");
            }
            None => {
                let name = tag.split(end).next().unwrap_or_default();
                if !EMPTY.contains(&name) {
                    open.push(name);
                }
            }
        }
    }
    ensure!(open.is_empty(), "not ended: {open:?}");
    Ok(())
}

/// What a browser would show of it.
fn text_of(html: &str) -> String {
    let mut text = String::new();
    for piece in html.split('<') {
        text.push_str(piece.split_once('>').map_or(piece, |(_, text)| text));
    }
    for (code, c) in [
        ("&lt;", "<"),
        ("&gt;", ">"),
        ("&quot;", "\""),
        ("&amp;", "&"),
    ] {
        text = text.replace(code, c);
    }
    text
}

/// Nothing is lost between a source and its page: each line stands there, in
/// its order, but for the comments that became prose.
fn lines() -> Result<()> {
    let content = Content::read()?;
    for pages in &content.lessons {
        let name = pages.lesson.name;
        let html = &files()?[&format!("{name}.html")];
        for role in &pages.roles {
            let start = format!("id=\"half-{}\"", role.name);
            let (_, half) = html.split_once(&start).context("no half")?;
            for (column, class) in ["node-c", "rust-c"].iter().enumerate() {
                let cells = half.split("<figure class=\"cell ");
                let cells = cells.filter(|cell| cell.starts_with(class));
                let shown: String = cells
                    .filter_map(|cell| cell.split_once("<pre>"))
                    .filter_map(|(_, code)| code.split("</pre>").next())
                    .map(text_of)
                    .collect();
                let mut shown = shown.lines().map(str::trim);
                let source = &role.sources[column];
                let parts = source.parts.iter().flat_map(|part| &part.lines);
                for line in source.fold.clone().chain(parts.copied()) {
                    let line = source.lines[line].trim();
                    ensure!(
                        shown.any(|shown| shown == line),
                        "{name}: {} does not show {line:?}",
                        source.path
                    );
                }
            }
        }
        // Each step shows some, and no line is in no step.
        for role in &pages.roles {
            for source in &role.sources {
                for part in &source.parts {
                    ensure!(
                        !part.lines.is_empty(),
                        "{name}: {} shows nothing of step {}",
                        source.path,
                        part.step.number
                    );
                }
                if source.parts.is_empty() {
                    continue; // the half is not written in this language
                }
                let text =
                    fs::read_to_string(root().join(name).join(&source.path))?;
                for (at, line) in text.lines().enumerate() {
                    let is_code = !line.trim().is_empty()
                        && !line.trim_start().starts_with("//");
                    let somewhere = source.fold.contains(&at)
                        || source.step_at(at + 1).is_some();
                    ensure!(
                        !is_code || somewhere,
                        "{name}: {}:{} is in no step: {line}",
                        source.path,
                        at + 1
                    );
                }
            }
        }
    }
    Ok(())
}

/// A lesson whose twins differ: the pages are not made.
fn twins() -> Result<()> {
    let step = |title: &str| {
        format!("fn main() {{\n    // 1. {title}. And so on.\n}}\n")
    };
    let same = page::content::same_steps([&step("Listen"), &step("Listen")]);
    ensure!(same.is_ok(), "{same:?}");
    match page::content::same_steps([&step("Listen"), &step("Accept")]) {
        Ok(()) => bail!("other steps are found to be the same"),
        Err(error) => ensure!(error.to_string().contains("Accept"), "{error}"),
    }
    Ok(())
}

fn questions() -> Result<()> {
    let content = Content::read()?;
    let found: BTreeSet<&str> =
        content.questions.lessons().into_iter().collect();
    let all: BTreeSet<&str> = LESSONS.iter().map(|it| it.name).collect();
    ensure!(found == all, "page/choose.toml: {:?}", &all - &found);
    Ok(())
}
