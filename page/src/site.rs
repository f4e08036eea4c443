//! All files of the site.

use std::fs;
use std::path::Path;

use anyhow::{Context, Result};
use harness::root;

use crate::content::{Content, text};
use crate::render::{View, costs, glossary, lesson, overview, search_index};
use crate::words::{TONGUES, Tongue};

/// What all pages share.
const ASSETS: [(&str, &str); 3] = [
    ("page.css", include_str!("../assets/page.css")),
    ("page.js", include_str!("../assets/page.js")),
    ("run.js", include_str!("../assets/run.js")),
];

/// Writes the site into a folder. Nothing in it needs a server.
///
/// # Errors
/// When a file cannot be read or written.
pub fn write(content: &Content, folder: &Path) -> Result<usize> {
    let files = files(content);
    for name in &files {
        let path = folder.join(name);
        if let Some(parent) = path.parent() {
            fs::create_dir_all(parent)?;
        }
        let file = file(content, name, false)?;
        let bytes = file.with_context(|| format!("no {name}"))?;
        fs::write(&path, bytes)
            .with_context(|| format!("write {}", path.display()))?;
    }
    Ok(files.len())
}

/// The names of all files.
pub fn files(content: &Content) -> Vec<String> {
    let mut files = Vec::new();
    for tongue in TONGUES {
        let lessons = content.lessons.iter().map(|pages| pages.lesson.name);
        for page in ["index", "costs", "glossary"].into_iter().chain(lessons) {
            files.push(format!("{}{page}.html", tongue.folder()));
        }
        files.push(format!("assets/search.{}.js", tongue.code()));
    }
    // The script that runs the programs is for the server alone.
    let assets = ASSETS.map(|(name, _)| format!("assets/{name}"));
    files.extend(assets.into_iter().filter(|name| !name.ends_with("run.js")));
    files.push("assets/tour.svg".to_owned());
    files
}

/// The file with this name; `None` where the site has none.
///
/// # Errors
/// When what it is made of cannot be read.
pub fn file(
    content: &Content,
    name: &str,
    live: bool,
) -> Result<Option<String>> {
    if let Some(asset) = name.strip_prefix("assets/") {
        return asset_file(content, asset, live);
    }
    let (tongue, page) = match name.strip_prefix("zh/") {
        Some(page) => (Tongue::Chinese, page),
        None => (Tongue::English, name),
    };
    let view = View {
        content,
        tongue,
        live,
    };
    let Some(page) = page.strip_suffix(".html") else {
        return Ok(None);
    };
    Ok(match page {
        "index" => Some(overview(&view)?),
        "costs" => Some(costs(&view)?),
        "glossary" => Some(glossary(&view)?),
        name => content.lesson(name).map(|pages| lesson(&view, pages)),
    })
}

fn asset_file(
    content: &Content,
    name: &str,
    live: bool,
) -> Result<Option<String>> {
    let known = ASSETS.into_iter().find(|(known, _)| *known == name);
    if let Some((_, text)) = known {
        return Ok(Some(text.to_owned()));
    }
    if name == "tour.svg" {
        return Ok(Some(text(&root().join("docs/tour.svg"))?));
    }
    for tongue in TONGUES {
        let view = View {
            content,
            tongue,
            live,
        };
        let terms = text(&root().join(tongue.file("docs/glossary")))?;
        let (file, index) = search_index(&view, &terms);
        if file == name {
            return Ok(Some(index));
        }
    }
    Ok(None)
}
