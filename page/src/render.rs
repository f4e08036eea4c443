//! The pages as HTML.

mod choose;
mod costs;
mod dock;
mod lesson;
mod readme;
mod shell;

use crate::content::{Content, Pages};
use crate::markdown::Links;
use crate::words::Tongue;

pub use costs::{costs, glossary, overview};
pub use lesson::lesson;
pub use readme::step_of;
pub use shell::search_index;

/// What is shown, in which language, and whether the page can run programs.
#[derive(Clone, Copy)]
pub struct View<'a> {
    /// Everything.
    pub content: &'a Content,
    /// In which language.
    pub tongue: Tongue,
    /// Whether a server is there that runs the programs.
    pub live: bool,
}

impl View<'_> {
    /// A text of the page itself.
    pub fn say<'a>(&self, english: &'a str, chinese: &'a str) -> &'a str {
        self.tongue.of(english, chinese)
    }

    /// From a page in this language to another page in it.
    pub fn href(&self, tongue: Tongue, file: &str) -> String {
        if tongue == self.tongue {
            return file.to_owned();
        }
        format!("{}{}{file}", self.tongue.top(), tongue.folder())
    }

    /// From a page in this language to a file that all pages share.
    pub fn asset(&self, file: &str) -> String {
        format!("{}assets/{file}", self.tongue.top())
    }

    /// Links in a file of this folder of the workspace.
    pub fn links<'a>(
        &'a self,
        folder: &'a str,
        pages: Option<&'a Pages>,
    ) -> In<'a> {
        In {
            view: self,
            folder,
            pages,
            results: "costs.html",
        }
    }
}

/// Where a file with links stands.
pub struct In<'a> {
    view: &'a View<'a>,
    folder: &'a str,
    pages: Option<&'a Pages>,
    /// Where links to what was measured lead.
    results: &'a str,
}

impl Links for In<'_> {
    fn link(&self, to: &str) -> Option<String> {
        let (path, anchor) = to.split_once('#').unwrap_or((to, ""));
        let mut parts: Vec<&str> = self
            .folder
            .split('/')
            .filter(|part| !part.is_empty())
            .collect();
        for part in path.split('/') {
            match part {
                "" | "." => {}
                ".." => drop(parts.pop()),
                part => parts.push(part),
            }
        }
        if path.is_empty() {
            let pages = self.pages?;
            return Some(format!("#{}", section(pages, anchor)?));
        }
        let whole = parts.join("/");
        let tongue = match whole.ends_with(".zh-CN.md") {
            true => Tongue::Chinese,
            false if whole.ends_with(".md") => Tongue::English,
            false => self.view.tongue,
        };
        let stem = whole.trim_end_matches(".md").trim_end_matches(".zh-CN");
        let file = match stem {
            "README" => "index.html".to_owned(),
            "docs/glossary" => "glossary.html".to_owned(),
            "bench" | "bench/README" | "bench/RESULTS" => {
                return Some(self.results.to_owned());
            }
            "docs/tour.svg" => return Some(self.view.asset("tour.svg")),
            other => {
                let name = other.trim_end_matches("/README");
                let pages = self.view.content.lesson(name)?;
                let section = section(pages, anchor);
                let anchor = section.map(|id| format!("#{id}"));
                format!("{name}.html{}", anchor.unwrap_or_default())
            }
        };
        Some(self.view.href(tongue, &file))
    }

    fn step(&self, text: &str, number: usize) -> Option<String> {
        let text = text.to_lowercase();
        let roles = self.pages?.roles.iter();
        // The name that stands last, and of two there the longer one.
        let named = roles.filter_map(|role| {
            let chinese = match &*role.name {
                "server" => "服务器",
                "client" => "客户端",
                "parent" => "父进程",
                "child" => "子进程",
                "producer" => "生产者",
                "consumer" => "消费者",
                "threads" => "线程",
                "primary" => "主进程",
                name => name,
            };
            let at = text.rfind(&role.name).max(text.rfind(chinese))?;
            Some(((at + role.name.len(), role.name.len()), role))
        });
        let (_, role) = named.max_by_key(|(key, _)| *key)?;
        (1..=role.steps().len())
            .contains(&number)
            .then(|| format!("#{}", role.id(number)))
    }
}

/// The id of the section with this anchor, in either language.
fn section(pages: &Pages, anchor: &str) -> Option<String> {
    let [english, chinese] = pages.readme.each_ref().map(|text| {
        text.lines()
            .filter_map(|line| line.strip_prefix("## "))
            .collect::<Vec<_>>()
    });
    let is_it = |title: &&str| slug(title) == anchor;
    let place = english
        .iter()
        .position(is_it)
        .or_else(|| chinese.iter().position(is_it))?;
    english.get(place).map(|title| slug(title))
}

/// The anchor of a heading, as GitHub makes it.
pub fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.to_lowercase().chars() {
        match c {
            ' ' => slug.push('-'),
            c if c.is_alphanumeric() || c == '-' || c == '_' => slug.push(c),
            _ => {}
        }
    }
    slug
}
