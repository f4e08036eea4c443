//! A half and its Node twin are read side by side: the same steps, in the
//! same functions, in the same order, from the top of the file to its end.

use std::path::{Path, PathBuf};
use std::{fs, iter};

use anyhow::{Context, Result, bail, ensure};
use harness::steps::{Step, steps};
use harness::testing::{Test, test};
use harness::{LESSONS, Language, Lesson};

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

fn all_steps() -> Result<()> {
    let mut wrong = Vec::new();
    for lesson in LESSONS
        .iter()
        .flat_map(|it| iter::once(it).chain(it.also()))
    {
        for half in lesson.halves() {
            if let Err(error) = same_steps(lesson, half) {
                wrong.push(format!("{} {half}: {error:#}", lesson.name));
            }
        }
    }
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn same_steps(lesson: &Lesson, half: &str) -> Result<()> {
    let mut known: Vec<Vec<Step>> = Vec::new();
    for language in lesson.languages(half) {
        let path = lesson.folder().join(match language {
            Language::Rust => format!("src/bin/{half}.rs"),
            Language::Node => format!("node/{half}.js"),
        });
        let text = fs::read_to_string(&path);
        let text = text.with_context(|| path.display().to_string())?;
        known.push(steps(&text));
    }
    let (ours, twins) = known.split_first().context("no language")?;
    ensure!(!ours.is_empty(), "no steps");
    for (place, step) in ours.iter().enumerate() {
        let number = place + 1;
        ensure!(step.number == number, "{step:?} at place {number}");
    }
    for theirs in twins {
        for (ours, theirs) in ours.iter().zip(theirs) {
            ensure!(
                known_by(ours) == known_by(theirs),
                "\n  Rust {ours:?}\n  Node {theirs:?}"
            );
        }
        ensure!(ours.len() == theirs.len(), "{ours:#?}\n{theirs:#?}");
    }
    Ok(())
}

/// What both languages must have in common.
fn known_by(step: &Step) -> (usize, &str, &str) {
    (step.number, &step.title, &step.function)
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
    let expected = [
        (1, "Listen", "main"),
        (2, "Accept clients until Ctrl-C", "main"),
        (3, "Serves one client", "serve_one"),
        (4, "Did all come back", "serve_one"),
    ];
    let (first, rust) = rust.split_once('\n').context("lines")?;
    ensure!(steps(first)[0].number == 10, "{first}");
    for text in [rust, node] {
        let steps = steps(text);
        let known: Vec<_> = steps.iter().map(known_by).collect();
        ensure!(known == expected, "{known:#?}");
    }
    // What else the comment says, and where it stands.
    let second = &steps(rust)[1];
    let text = "Accept clients until Ctrl-C. More.";
    ensure!(second.text == text, "{second:?}");
    ensure!(second.comment == (4..6), "{second:?}");
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
