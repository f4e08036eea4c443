//! A half and its Node twin are read side by side: the same steps, in the
//! same functions, in the same order, from the top of the file to its end.

use std::path::{Path, PathBuf};
use std::{fs, iter};

use anyhow::{Context, Result, bail, ensure};
use harness::LESSONS;

use harness::testing::{Test, test};

pub fn tests() -> Vec<Test> {
    [
        test(
            "both_halves_have_the_same_steps_in_reading_order",
            all_steps,
        ),
        test("each_readme_shows_its_first_versions", first_versions),
        test("a_step_has_a_number_a_title_and_a_function", parse),
    ]
    .map(|test| test.of("workspace"))
    .into()
}

/// `// 2. Accept clients. Each has a task of its own.`, within `main`.
#[derive(Debug, PartialEq, Eq)]
struct Step {
    number: usize,
    /// Up to the first `.`, `:` or `?`.
    title: String,
    /// In which function it stands, or before which; as Rust would write it.
    function: String,
}

fn all_steps() -> Result<()> {
    let mut wrong = Vec::new();
    for lesson in LESSONS
        .iter()
        .flat_map(|it| iter::once(it).chain(it.also()))
    {
        for half in lesson.halves() {
            let rust = lesson.folder().join(format!("src/bin/{half}.rs"));
            let node = lesson.folder().join(format!("node/{half}.js"));
            if let Err(error) = same_steps(&rust, &node) {
                wrong.push(format!("{} {half}: {error:#}", lesson.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn same_steps(rust: &Path, node: &Path) -> Result<()> {
    let [ours, theirs] = [rust, node].map(|path| -> Result<_> {
        let text = fs::read_to_string(path);
        Ok(steps(&text.with_context(|| path.display().to_string())?))
    });
    let (ours, theirs) = (ours?, theirs?);
    ensure!(!ours.is_empty(), "no steps");
    for (place, step) in ours.iter().enumerate() {
        let number = place + 1;
        ensure!(step.number == number, "{step:?} at place {number}");
    }
    for (ours, theirs) in ours.iter().zip(&theirs) {
        ensure!(ours == theirs, "\n  Rust {ours:?}\n  Node {theirs:?}");
    }
    ensure!(ours.len() == theirs.len(), "{ours:#?}\n{theirs:#?}");
    Ok(())
}

/// The steps of a source, from its top to its end.
fn steps(text: &str) -> Vec<Step> {
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
        let whole = whole.join(" ");
        let title = whole.split(['.', ':', '?']).next().unwrap_or_default();
        let mut code = below().skip_while(|line| {
            comment(line).is_some() || line.trim_start().starts_with("#[")
        });
        let begins = code.next().and_then(|line| function_of(line));
        steps.push(Step {
            number,
            title: title.to_owned(),
            function: snake_case(begins.unwrap_or(function)),
        });
    }
    steps
}

/// The text of a line that is a comment.
fn comment(line: &str) -> Option<&str> {
    let text = line.trim_start().strip_prefix("//")?;
    Some(text.trim_start_matches(['/', '!']).trim())
}

/// The number and the text behind it.
fn numbered(comment: &str) -> Option<(usize, &str)> {
    let (number, text) = comment.split_once(". ")?;
    Some((number.parse().ok()?, text))
}

/// The name of the function that begins on this line.
fn function_of(line: &str) -> Option<&str> {
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

fn parse() -> Result<()> {
    let rust = "\
// 10. Not a step of this
fn main() {
    // 1. Listen: from here on
    //    clients queue.
    let x = 1; // 2. no step
    // 2. Accept clients until
    //    Ctrl-C. More.
}

/// 3. Serves one client. An error
/// ends it.
#[inline]
async fn serve_one(x: u8) {
    // 4. Did all come back?
}
";
    let node = "\
async function main() {
  // 1. Listen. Other words
  // 2. Accept clients until Ctrl-C: other words.
}

// 3. Serves one client.
async function serveOne(x) {
  // 4. Did all come back? Yes.
}
";
    let step = |number, title: &str, function: &str| Step {
        number,
        title: title.to_owned(),
        function: function.to_owned(),
    };
    let expected = [
        step(1, "Listen", "main"),
        step(2, "Accept clients until Ctrl-C", "main"),
        step(3, "Serves one client", "serve_one"),
        step(4, "Did all come back", "serve_one"),
    ];
    let (first, rust) = rust.split_once('\n').context("lines")?;
    ensure!(steps(first)[0].number == 10, "{first}");
    ensure!(steps(rust) == expected, "{:#?}", steps(rust));
    ensure!(steps(node) == expected, "{:#?}", steps(node));
    Ok(())
}

/// The section of a README that shows them.
const SECTION: &str = "In twenty lines\n";

fn first_versions() -> Result<()> {
    let mut wrong = Vec::new();
    for lesson in LESSONS.iter() {
        if let Err(error) = same_code(&lesson.folder()) {
            wrong.push(format!("{}: {error:#}", lesson.name));
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn same_code(folder: &Path) -> Result<()> {
    let [english, chinese] = ["README.md", "README.zh-CN.md"].map(|name| {
        let text = fs::read_to_string(folder.join(name))?;
        let sections = text.split("\n## ").map(str::to_owned);
        Ok::<Vec<String>, std::io::Error>(sections.collect())
    });
    let (english, chinese) = (english?, chinese?);
    let at = english.iter().position(|text| text.starts_with(SECTION));
    let at = at.with_context(|| format!("no section {SECTION:?}"))?;
    shows_first(folder, &english[at])?;
    // In the other language, the section has the same place.
    let chinese = chinese.get(at).context("no such section in Chinese")?;
    shows_first(folder, chinese).context("in Chinese")
}

/// Each file in `first/` stands in the section as it is, less the comment at
/// its top; and the section shows nothing else.
fn shows_first(folder: &Path, section: &str) -> Result<()> {
    let mut blocks = Vec::new();
    for language in ["rust,no_run", "js"] {
        let start = format!("\n```{language}\n");
        for block in section.split(&start).skip(1) {
            blocks.push(block.split_once("\n```\n").context("no end")?.0);
        }
    }
    let mut files: Vec<PathBuf> = Vec::new();
    for entry in fs::read_dir(folder.join("first"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|e| e == "rs" || e == "js") {
            files.push(path);
        }
    }
    ensure!(files.len() >= 2, "first/ has {files:?}");
    for path in &files {
        let text = fs::read_to_string(path)?;
        let is_comment =
            |line: &&str| line.starts_with("//") || line.is_empty();
        let code: Vec<&str> = text.lines().skip_while(is_comment).collect();
        let code = code.join("\n");
        let name = path.file_name().unwrap_or_default().display();
        let Some(at) = blocks.iter().position(|block| *block == code) else {
            bail!("it does not show first/{name} as it is");
        };
        blocks.remove(at);
    }
    ensure!(blocks.is_empty(), "not in first/: {blocks:#?}");
    Ok(())
}
