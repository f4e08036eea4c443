//! What the workspace as a whole promises.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow, ensure};
use harness::readme::transcripts;
use harness::{LESSONS, Language, cargo, root, target};
use serde_json::Value;

use harness::testing::{Need, Test, project, test};

pub fn tests() -> Vec<Test> {
    [
        test("no_program_can_replace_another_lessons", no_collisions),
        test("all_lessons_can_be_built_with_the_same_features", all_named),
        test("every_command_names_what_exists", commands_exist),
        test("every_term_of_the_glossary_stands_where_it_links", glossary),
        test("both_languages_show_the_same_transcripts", translations),
        test("every_unit_test_of_a_lesson_is_run", unit_tests),
        test("a_first_version_is_all_of_an_empty_project", pasted)
            .needs(PASTED),
        test(
            "a_lesson_copied_out_builds_and_passes_its_tests",
            copied_out,
        )
        .long(),
    ]
    .into_iter()
    .map(|test| test.of("workspace"))
    .collect()
}

/// The members, as cargo sees them.
fn packages() -> Result<Vec<Value>> {
    let output = cargo()
        .args(["metadata", "--no-deps", "--format-version", "1", "--locked"])
        .current_dir(root())
        .output()?;
    let mut metadata: Value = serde_json::from_slice(&output.stdout)?;
    match metadata["packages"].take() {
        Value::Array(packages) => Ok(packages),
        _ => Err(anyhow!("no packages: {:?}", output.stderr)),
    }
}

fn named<'a>(packages: &'a [Value], name: &str) -> Result<&'a Value> {
    let found = packages.iter().find(|package| package["name"] == name);
    found.with_context(|| format!("no package {name}"))
}

fn all_named() -> Result<()> {
    let packages = packages()?;
    let all = &named(&packages, "all-lessons")?["dependencies"];
    for lesson in LESSONS.iter() {
        let mut all = all.as_array().context("dependencies")?.iter();
        ensure!(
            all.any(|dependency| dependency["name"] == lesson.name),
            "harness/all-lessons does not depend on {}",
            lesson.name
        );
    }
    Ok(())
}

/// The traps of CONTRIBUTING.md, "Programs with the same name".
fn no_collisions() -> Result<()> {
    let packages = packages()?;
    for lesson in LESSONS.iter() {
        let package = named(&packages, lesson.name)?;
        for target in package["targets"].as_array().context("targets")? {
            let what = format!("{} {}", lesson.name, target["name"]);
            let is = |kind: &str| {
                target["kind"].as_array().is_some_and(|kinds| {
                    kinds.iter().any(|found| found == kind)
                })
            };
            for kind in ["test", "example", "bench"] {
                // Only `cargo bench` builds a bench target without tests.
                let apart = kind == "bench" && target["test"] == false;
                ensure!(
                    !is(kind) || apart,
                    "{what}: a {kind} target makes cargo build all programs \
                     into one folder; see CONTRIBUTING.md"
                );
            }
            if is("bin") {
                ensure!(target["test"] == false, "{what}: set test = false");
                ensure!(target["doc"] == false, "{what}: set doc = false");
            }
        }
    }
    // Others may be tested and documented: by what is theirs alone.
    let mut programs = BTreeMap::new();
    for package in &packages {
        for target in package["targets"].as_array().context("targets")? {
            let name = target["name"].as_str().context("name")?;
            if target["kind"][0] == "bin" {
                let entry: &mut Vec<_> = programs.entry(name).or_default();
                entry.push((&package["name"], &target["test"]));
            }
        }
    }
    for (name, owners) in programs {
        let built = owners.iter().any(|(_, test)| **test != false);
        ensure!(owners.len() == 1 || !built, "{name}: {owners:?}");
    }
    Ok(())
}

/// Every file of ours whose name ends so.
fn files(endings: &[&str]) -> Result<Vec<PathBuf>> {
    fn collect(
        folder: &Path,
        endings: &[&str],
        into: &mut Vec<PathBuf>,
    ) -> Result<()> {
        for entry in fs::read_dir(folder)? {
            let path = entry?.path();
            let name = path.file_name().unwrap_or_default().to_string_lossy();
            if path.is_dir() {
                if !["target", "node_modules", ".git"].contains(&&*name) {
                    collect(&path, endings, into)?;
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                into.push(path);
            }
        }
        Ok(())
    }
    let mut found = Vec::new();
    collect(root(), endings, &mut found)?;
    Ok(found)
}

/// With `[lib] harness = false` the compiler drops what is marked `#[test]`.
fn unit_tests() -> Result<()> {
    let attributes = [concat!("#[", "test]"), concat!("#[tokio", "::test")];
    let sources = files(&[".rs"])?;
    let of_lessons = sources.iter().filter(|path| {
        let name = path.strip_prefix(root()).ok();
        let folder = name.and_then(|name| name.iter().next());
        LESSONS
            .iter()
            .any(|lesson| Some(lesson.name.as_ref()) == folder)
    });
    let mut looked_at = 0;
    for path in of_lessons {
        let text = fs::read_to_string(path)?;
        ensure!(
            !attributes.iter().any(|attribute| text.contains(attribute)),
            "{}: name it in harness::unit_tests![], as others do",
            path.display()
        );
        looked_at += 1;
    }
    ensure!(looked_at > LESSONS.len(), "no sources found");
    Ok(())
}

fn commands_exist() -> Result<()> {
    let mut checked = BTreeSet::new();
    for path in files(&[".md", ".rs", ".js"])? {
        let text = fs::read_to_string(&path)?;
        let here = path.strip_prefix(root())?.display();
        for rest in text.split("cargo ").skip(1) {
            // To the end of the code that it stands in, or of the sentence.
            let rest = rest.split(['`', '"', '\'', '#', '|']).next();
            let words = rest.unwrap_or_default().split_whitespace();
            let words: Vec<_> = words.take_while(|w| *w != "--").collect();
            let after = |flag| {
                let at = words.iter().position(|word| *word == flag)?;
                let word = words.get(at + 1)?;
                Some(word.trim_end_matches(|c: char| !c.is_alphanumeric()))
            };
            let Some(package) = after("-p") else { continue };
            if package.contains(['{', 'L', 'X']) || package.is_empty() {
                continue; // a pattern, not a command
            }
            let folder = root().join(package);
            ensure!(folder.is_dir(), "{here}: no package {package:?}");
            if let Some(half) = after("--bin") {
                let source = match half.strip_prefix("first-") {
                    Some(half) => folder.join(format!("first/{half}.rs")),
                    None => folder.join(format!("src/bin/{half}.rs")),
                };
                // Or it has a folder of its own: fifo/reader.rs.
                let manifest = fs::read_to_string(folder.join("Cargo.toml"))?;
                let named = manifest.contains(&format!("name = \"{half}\""));
                ensure!(
                    source.is_file() || named,
                    "{here}: no {package} {half:?}"
                );
                checked.insert(format!("{package} {half}"));
            }
        }
        for rest in text.split("node ").skip(1) {
            let script = rest.split_whitespace().next().unwrap_or_default();
            let script =
                script.trim_end_matches(|c: char| !c.is_alphanumeric());
            let ours = ["/node/", "/first/"].iter().any(|f| script.contains(f));
            let is_pattern = script.contains('{') || script.contains("HALF");
            if ours && !is_pattern && script.ends_with(".js") {
                ensure!(
                    root().join(script).is_file(),
                    "{here}: no script {script}"
                );
                checked.insert(script.to_owned());
            }
        }
    }
    // This test would pass if it found nothing.
    for lesson in LESSONS.iter() {
        for half in lesson.halves() {
            for language in lesson.languages(half) {
                let command = match language {
                    Language::Rust => format!("{} {half}", lesson.name),
                    Language::Node => {
                        format!("{}/node/{half}.js", lesson.name)
                    }
                };
                ensure!(checked.contains(&command), "nobody says: {command}");
            }
        }
    }
    Ok(())
}

fn translations() -> Result<()> {
    let english = files(&["README.md"])?;
    ensure!(
        english.len() > LESSONS.len(),
        "too few READMEs: {english:?}"
    );
    for path in english {
        let chinese = path.with_file_name("README.zh-CN.md");
        let here = path.display();
        ensure!(chinese.is_file(), "{here} has no Chinese twin");
        let (ours, theirs) = (transcripts(&path)?, transcripts(&chinese)?);
        ensure!(ours == theirs, "{here}: its Chinese twin shows other lines");
        let headings = |path: &Path| -> Result<usize> {
            let text = fs::read_to_string(path)?;
            Ok(text.lines().filter(|line| line.starts_with("##")).count())
        };
        ensure!(
            headings(&path)? == headings(&chinese)?,
            "{here}: its Chinese twin has other sections"
        );
    }
    Ok(())
}

/// `**Term** ... [lesson](../lesson/README.md)`, in both languages.
fn glossary() -> Result<()> {
    let mut missing = Vec::new();
    for name in ["glossary.md", "glossary.zh-CN.md"] {
        let folder = root().join("docs");
        let text = fs::read_to_string(folder.join(name))?;
        let entries: Vec<&str> = text.split("\n**").skip(1).collect();
        ensure!(entries.len() > LESSONS.len(), "{name}: too few terms");
        for entry in entries {
            let term = entry.split("**").next().unwrap_or_default();
            let term = term.trim_end_matches('.').to_lowercase();
            let links = entry.split("](").skip(1);
            let links = links.filter_map(|rest| rest.split(')').next());
            for link in links {
                let shown = fs::read_to_string(folder.join(link))
                    .with_context(|| format!("{name}: no {link}"))?;
                // A line may end within the term.
                let words = shown.split_whitespace().collect::<Vec<_>>();
                if !words.join(" ").to_lowercase().contains(&term) {
                    missing.push(format!("{name}: {term:?} is not in {link}"));
                }
            }
        }
    }
    ensure!(missing.is_empty(), "{}", missing.join("\n"));
    Ok(())
}

/// What tcp-echo's README says to add to an empty project.
const PASTED: Need = Need::Crates(
    "pasted",
    "tokio = { version = \"1\", features = [\"full\"] }",
);

/// `cargo init`, the README's `cargo add`, and a first version as `main.rs`.
fn pasted() -> Result<()> {
    let lesson = root().join("tcp-echo");
    let readme = fs::read_to_string(lesson.join("README.md"))?;
    let add = readme.split("`cargo add ").nth(1);
    let add = add.and_then(|rest| rest.split('`').next());
    let add = add.context("the README says no `cargo add`")?;
    let folder = tempfile::tempdir()?;
    let run = |arguments: &[&str]| -> Result<()> {
        let output = cargo()
            .args(arguments)
            .current_dir(folder.path())
            .env("CARGO_TARGET_DIR", project("pasted").join("target"))
            .output()?;
        let stderr = String::from_utf8_lossy(&output.stderr);
        ensure!(output.status.success(), "{arguments:?}: {stderr}");
        Ok(())
    };
    run(&["init", "--quiet", "--vcs", "none", "--name", "pasted"])?;
    let words = add.split_whitespace();
    run(&["add", "--quiet", "--offline"]
        .into_iter()
        .chain(words)
        .collect::<Vec<_>>())?;
    for half in ["server", "client"] {
        let from = lesson.join(format!("first/{half}.rs"));
        fs::copy(from, folder.path().join("src/main.rs"))?;
        run(&["check", "--quiet", "--offline"])?;
    }
    Ok(())
}

/// A lesson, what lessons share, and the root manifest with its members cut to
/// these. One lesson after the other in one folder: `common` is built once.
fn copied_out() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let there = folder.path();
    let manifest = fs::read_to_string(root().join("Cargo.toml"))?;
    for shared in ["common", "harness", "node-channel"] {
        copy(&root().join(shared), &there.join(shared))?;
    }
    for lesson in LESSONS.iter() {
        let missing = lesson.missing(Language::Rust);
        if !lesson.features().is_empty() && missing.is_some() {
            continue; // its programs take minutes to build, for nobody
        }
        let own = there.join(lesson.name);
        copy(&root().join(lesson.name), &own)?;
        fs::write(there.join("Cargo.toml"), cut(&manifest, lesson.name)?)?;
        fs::copy(root().join("Cargo.lock"), there.join("Cargo.lock"))?;
        let run = |arguments: &[&str]| {
            cargo()
                .args(arguments)
                .current_dir(there)
                .env("CARGO_TARGET_DIR", own.join("target"))
                .env("CARGO_INCREMENTAL", "0")
                // What comes from elsewhere is built already.
                .env("CARGO_BUILD_BUILD_DIR", target())
                .output()
        };
        let mut build = vec!["build", "--quiet", "--bins", "-p", lesson.name];
        for feature in lesson.features() {
            build.extend(["--features", feature]);
        }
        let output = run(&build)?;
        ensure!(
            output.status.success() && output.stderr.is_empty(),
            "{}: {}",
            lesson.name,
            String::from_utf8_lossy(&output.stderr)
        );
        for half in lesson.halves() {
            if !lesson.languages(half).contains(&Language::Rust) {
                continue;
            }
            let program = own.join("target/debug").join(half);
            let program =
                program.with_extension(std::env::consts::EXE_EXTENSION);
            ensure!(program.is_file(), "no {}", program.display());
        }
        // Its tests run there, too; one lesson stands for all.
        if lesson.name == "tcp-echo" {
            let output = run(&["test", "-p", lesson.name, "matrix"])?;
            let printed = String::from_utf8_lossy(&output.stdout);
            ensure!(
                output.status.success() && printed.contains(" 0 failed"),
                "{printed}{}",
                String::from_utf8_lossy(&output.stderr)
            );
        }
        fs::remove_dir_all(own)?;
    }
    Ok(())
}

/// The root manifest with the members that are copied, and no others. They
/// have a version of their own: to cargo they would be the same packages as
/// ours, and it would put what it builds in place of ours.
fn cut(manifest: &str, lesson: &str) -> Result<String> {
    let (before, members) =
        manifest.split_once("\nmembers = [").context("no members")?;
    let (_, after) = members.split_once(']').context("no end of members")?;
    let after: Vec<&str> = after
        .lines()
        .filter(|line| !line.starts_with("default-members"))
        .collect();
    let members = format!("members = [\"common\", \"harness\", \"{lesson}\"]");
    let cut = format!("{before}\n{members}{}", after.join("\n"));
    let ours = concat!("\nversion = \"", env!("CARGO_PKG_VERSION"), "\"");
    ensure!(
        cut.matches(ours).count() == 1,
        "one version in the manifest"
    );
    Ok(cut.replace(ours, "\nversion = \"0.0.0-copied\""))
}

fn copy(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let entry = entry?;
        if entry.file_name() == "node_modules" {
            continue;
        }
        let to = to.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            copy(&entry.path(), &to)?;
        } else {
            fs::copy(entry.path(), to)?;
        }
    }
    Ok(())
}
