//! What the pages show: read from the sources, the READMEs and the results.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use harness::{LESSONS, Language, Lesson, root};

use crate::choose::{Question, questions};
use crate::paint::{Names, Painted, paint};
use crate::source::{Part, Source};
use crate::words::{TONGUES, Tongue};

/// All of it.
pub struct Content {
    /// The lessons, in the order of the README's tables.
    pub lessons: Vec<Pages>,
    /// The tables, by the place of the two processes.
    pub groups: Vec<Group>,
    /// "Which should I take?"
    pub questions: Question,
}

/// One table of lessons in the root README.
pub struct Group {
    /// Its heading, in both languages.
    pub title: [String; 2],
    /// The places of its lessons in [`Content::lessons`].
    pub lessons: Vec<usize>,
}

/// One lesson.
pub struct Pages {
    /// How harness starts it.
    pub lesson: &'static Lesson,
    /// Its row in the root README, in both languages: the pair, Node's module,
    /// Rust's, and when to use it. Markdown.
    pub row: [Vec<String>; 2],
    /// Its READMEs.
    pub readme: [String; 2],
    /// Its halves.
    pub roles: Vec<Role>,
    /// What the languages do differently, by the step's id. Markdown.
    pub differences: BTreeMap<String, Vec<Difference>>,
}

/// A row of "Node beside Rust", for each tongue: Node's cell and Rust's.
pub type Difference = [[String; 2]; 2];

/// One half in both languages.
pub struct Role {
    /// `server`
    pub name: String,
    /// In Node and in Rust: that is the order on the page. Empty where the
    /// half is not written in this language.
    pub sources: [Source; 2],
    /// What its steps say in Chinese, by their numbers; 0 is the half itself.
    pub chinese: BTreeMap<usize, String>,
    painted: OnceLock<[Vec<Painted>; 2]>,
}

/// What a step says.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Told {
    /// In which language that is.
    pub lang: &'static str,
    /// The title, with its full stop.
    pub title: String,
    /// What is said in both languages.
    pub shared: String,
    /// What is said of Node alone, and of Rust alone.
    pub own: [String; 2],
}

impl Content {
    /// Reads the workspace.
    ///
    /// # Errors
    /// When a file is missing, or the twins differ in their steps.
    pub fn read() -> Result<Self> {
        let readmes =
            TONGUES.map(|tongue| text(&root().join(tongue.file("README"))));
        let [english, chinese] = readmes;
        let tables = [rows(&english?), rows(&chinese?)];
        let mut lessons = Vec::new();
        let mut groups: Vec<Group> = Vec::new();
        // A lesson without a row comes last.
        let rowless = LESSONS.iter().filter(|lesson| {
            !tables[0].iter().any(|row| row.name == lesson.name)
        });
        let named = tables[0].iter().filter_map(|row| Lesson::named(&row.name));
        for lesson in named.chain(rowless) {
            let row = [0, 1].map(|tongue| {
                tables[tongue].iter().find(|row| row.name == lesson.name)
            });
            let title = row.map(|row| {
                row.map(|row| row.group.clone()).unwrap_or_default()
            });
            if groups.last().is_none_or(|group| group.title[0] != title[0]) {
                groups.push(Group {
                    title,
                    lessons: Vec::new(),
                });
            }
            if let Some(group) = groups.last_mut() {
                group.lessons.push(lessons.len());
            }
            let cells = row.map(|row| {
                row.map(|row| row.cells.clone()).unwrap_or_default()
            });
            let pages = Pages::read(lesson, cells);
            lessons.push(pages.with_context(|| lesson.name)?);
        }
        let questions = questions()?;
        for name in questions.lessons() {
            let known = lessons.iter().any(|it| it.lesson.name == name);
            ensure!(known, "choose.toml: no lesson is called {name}");
        }
        Ok(Self {
            lessons,
            groups,
            questions,
        })
    }

    /// The lesson with this name.
    pub fn lesson(&self, name: &str) -> Option<&Pages> {
        self.lessons.iter().find(|pages| pages.lesson.name == name)
    }
}

/// Reads a file.
///
/// # Errors
/// With its name.
pub fn text(path: &Path) -> Result<String> {
    let text = fs::read_to_string(path);
    let text = text.with_context(|| format!("read {}", path.display()))?;
    Ok(text.replace("\r\n", "\n"))
}

struct Row {
    group: String,
    name: String,
    cells: Vec<String>,
}

/// The rows of a README's tables whose first cell is a link to a lesson, and
/// that stand below a heading of the third level.
fn rows(readme: &str) -> Vec<Row> {
    let mut group = None;
    let mut rows = Vec::new();
    for line in readme.lines() {
        if let Some(title) = line.strip_prefix("### ") {
            group = Some(title.to_owned());
        } else if line.starts_with("## ") {
            group = None;
        }
        let Some(group) = &group else { continue };
        let mut cells = cells(line).into_iter();
        let name = cells.next().and_then(|cell| {
            let (name, _) = cell.strip_prefix('[')?.split_once(']')?;
            Some(name.to_owned())
        });
        if let Some(name) = name {
            rows.push(Row {
                group: group.clone(),
                name,
                cells: cells.collect(),
            });
        }
    }
    rows
}

/// The cells of a table's row; none of any other line.
pub fn cells(line: &str) -> Vec<String> {
    let Some(inner) = line.trim().strip_prefix('|') else {
        return Vec::new();
    };
    let inner = inner.strip_suffix('|').unwrap_or(inner);
    let hidden = inner.replace("\\|", "\u{0}");
    let cells = hidden.split('|').map(|cell| cell.replace('\u{0}', "\\|"));
    cells.map(|cell| cell.trim().to_owned()).collect()
}

impl Pages {
    fn read(lesson: &'static Lesson, row: [Vec<String>; 2]) -> Result<Self> {
        let folder = lesson.folder();
        let [english, chinese] =
            TONGUES.map(|tongue| text(&folder.join(tongue.file("README"))));
        let readme = [english?, chinese?];
        let told = folder.join("steps.zh-CN.md");
        let told = match told.is_file() {
            true => chinese_steps(&text(&told)?),
            false => BTreeMap::new(),
        };
        let mut roles = Vec::new();
        for name in names(lesson)? {
            let role = Role::read(lesson, &name, &told);
            let also = lesson.also().map(Lesson::halves);
            let is_half = lesson.halves().contains(&&*name)
                || also.is_some_and(|halves| halves.contains(&&*name));
            match role {
                // A program beside the lesson's halves need have no twin.
                Err(_) if !is_half => {}
                role => roles.extend(role.with_context(|| name)?),
            }
        }
        ensure!(!roles.is_empty(), "no half has steps");
        for name in told.keys() {
            let known = roles.iter().any(|role| role.name == *name);
            ensure!(known, "steps.zh-CN.md: no half is called {name}");
        }
        let differences = differences(&readme, &roles);
        Ok(Self {
            lesson,
            row,
            readme,
            roles,
            differences,
        })
    }

    /// The half with this name.
    pub fn role(&self, name: &str) -> Option<&Role> {
        self.roles.iter().find(|role| role.name == name)
    }
}

/// The halves that `lesson.toml` names first, then others that have steps.
fn names(lesson: &Lesson) -> Result<Vec<String>> {
    let mut names: Vec<String> = lesson.halves().map(str::to_owned).to_vec();
    if let Some(also) = lesson.also() {
        names.extend(also.halves().map(str::to_owned));
    }
    let mut others = BTreeSet::new();
    for entry in fs::read_dir(lesson.folder().join("node"))? {
        let path = entry?.path();
        if path.extension().is_some_and(|ending| ending == "js") {
            let name = path.file_stem().unwrap_or_default();
            others.insert(name.to_string_lossy().into_owned());
        }
    }
    for name in others {
        let rust = lesson.folder().join(format!("src/bin/{name}.rs"));
        if rust.is_file() && !names.contains(&name) {
            names.push(name);
        }
    }
    Ok(names)
}

/// `## server 2`, and below it what this step says.
fn chinese_steps(text: &str) -> BTreeMap<String, BTreeMap<usize, String>> {
    let mut told: BTreeMap<String, BTreeMap<usize, String>> = BTreeMap::new();
    for section in text.split("\n## ").skip(1) {
        let (head, body) = section.split_once('\n').unwrap_or((section, ""));
        let (role, number) = head.trim().rsplit_once(' ').unwrap_or((head, ""));
        let (role, number) = match number.parse() {
            Ok(number) => (role, number),
            Err(_) => (head.trim(), 0),
        };
        let steps = told.entry(role.to_owned()).or_default();
        steps.insert(number, body.trim().to_owned());
    }
    told
}

impl Role {
    /// `None` where it has no steps.
    fn read(
        lesson: &Lesson,
        name: &str,
        told: &BTreeMap<String, BTreeMap<usize, String>>,
    ) -> Result<Option<Self>> {
        let languages = lesson.languages(name);
        let source = |language, path: String| -> Result<Source> {
            let text = match languages.contains(&language) {
                true => text(&lesson.folder().join(&path))?,
                false => String::new(),
            };
            Ok(Source::cut(path, &text))
        };
        let sources = [
            source(Language::Node, format!("node/{name}.js"))?,
            source(Language::Rust, format!("src/bin/{name}.rs"))?,
        ];
        if languages.len() == sources.len() {
            same(sources.each_ref())?;
        }
        let count = whole(&sources).parts.len();
        let chinese = told.get(name).cloned().unwrap_or_default();
        for number in chinese.keys() {
            ensure!(*number <= count, "steps.zh-CN.md: no step {number}");
        }
        Ok((count > 0).then(|| Self {
            name: name.to_owned(),
            sources,
            chinese,
            painted: OnceLock::new(),
        }))
    }

    /// Its steps, in the one language or in the other.
    pub fn steps(&self) -> &[Part] {
        &whole(&self.sources).parts
    }

    /// A step's id.
    pub fn id(&self, number: usize) -> String {
        format!("{}-{number}", self.name)
    }

    /// Its lines in colours: Node's, and Rust's. Made when they are asked for
    /// the first time.
    pub fn painted(&self) -> &[Vec<Painted>; 2] {
        self.painted.get_or_init(|| {
            self.sources.each_ref().map(|source| {
                let ending = source.path.rsplit('.').next().unwrap_or_default();
                paint(source.lines.iter().map(String::as_str), ending)
            })
        })
    }

    /// The functions that both languages have, each with its step's id.
    pub fn names(&self, language: usize) -> Names {
        let functions = self.sources[language].functions();
        functions
            .filter(|(name, _)| *name != "main")
            .map(|(name, step)| (name.to_owned(), self.id(step)))
            .collect()
    }

    /// What a step says.
    pub fn told(&self, number: usize, tongue: Tongue) -> Told {
        if tongue == Tongue::Chinese
            && let Some(text) = self.chinese.get(&number)
        {
            return told_in_chinese(text);
        }
        let [node, rust] = self.sources.each_ref().map(|source| {
            let parts = source.parts.iter();
            let mut found = parts.filter(|part| part.step.number == number);
            found
                .next()
                .map(|part| english(&part.step.title, &part.step.text))
        });
        let ((title, node), (_, rust)) = match (node, rust) {
            (Some(node), Some(rust)) => (node, rust),
            (Some(only), None) | (None, Some(only)) => (only.clone(), only),
            (None, None) => Default::default(),
        };
        let same = node.iter().zip(&rust).take_while(|(a, b)| a == b).count();
        let own = [&node[same..], &rust[same..]].map(|rest| rest.join(" "));
        Told {
            lang: "en",
            title,
            shared: node[..same].join(" "),
            own,
        }
    }

    /// What the half is, and what to try with it.
    pub fn about(&self, tongue: Tongue) -> (&'static str, String) {
        match self.chinese.get(&0) {
            Some(text) if tongue == Tongue::Chinese => ("zh-CN", joined(text)),
            _ => {
                let source = whole(&self.sources);
                let more = source.try_this.iter();
                let more = more.map(|text| format!("Try this: {text}"));
                let said = [source.about.clone()].into_iter().chain(more);
                ("en", said.collect::<Vec<_>>().join(" "))
            }
        }
    }
}

/// Rust's source, or Node's where there is no other.
fn whole([node, rust]: &[Source; 2]) -> &Source {
    match rust.parts.is_empty() {
        true => node,
        false => rust,
    }
}

/// Do two sources have the same steps?
///
/// # Errors
/// With what differs.
pub fn same_steps(texts: [&str; 2]) -> Result<()> {
    let [one, other] = texts.map(|text| Source::cut(String::new(), text));
    same([&one, &other])
}

fn same(sources: [&Source; 2]) -> Result<()> {
    let [node, rust] = sources.map(|source| {
        let steps = source.parts.iter().map(|part| &part.step);
        let known = steps.map(|it| (it.number, &*it.title, &*it.function));
        known.collect::<Vec<_>>()
    });
    ensure!(node == rust, "its twins differ: {node:?}, {rust:?}");
    Ok(())
}

/// The title with a full stop, and the sentences that follow.
fn english(title: &str, text: &str) -> (String, Vec<String>) {
    let rest = &text[title.len()..];
    let stop = if rest.starts_with('?') { '?' } else { '.' };
    let rest = rest.trim_start_matches(['.', ':', '?', ' ']);
    let mut sentences: Vec<String> = Vec::new();
    let mut begin = 0;
    for (at, _) in rest.match_indices(['.', '?', '!', ':']) {
        let mut after = rest[at + 1..].chars();
        let ends = after.next() == Some(' ')
            && after.next().is_some_and(|c| c.is_uppercase() || c == '`')
            && !rest[at..].starts_with(':');
        if ends {
            sentences.push(rest[begin..=at].trim().to_owned());
            begin = at + 1;
        }
    }
    let last = rest[begin..].trim();
    if !last.is_empty() {
        sentences.push(last.to_owned());
    }
    if let Some(first) = sentences.first_mut() {
        let word = first.split(' ').next().unwrap_or_default();
        if !word.contains(['_', '(', '`', '.']) {
            let mut letters = first.chars();
            let begin = letters.next().into_iter().flat_map(char::to_uppercase);
            *first = begin.chain(letters).collect();
        }
    }
    let sentences = sentences
        .iter()
        .map(|text| text.split_whitespace().collect::<Vec<_>>().join(" "));
    (format!("{}{stop}", title.trim()), sentences.collect())
}

/// Paragraphs; one that begins with `Node：` or `Rust：` is about that alone.
fn told_in_chinese(text: &str) -> Told {
    let mut told = Told {
        lang: "zh-CN",
        ..Told::default()
    };
    for paragraph in text.split("\n\n") {
        let paragraph = joined(paragraph);
        if let Some(own) = paragraph.strip_prefix("Node：") {
            told.own[0] = own.to_owned();
        } else if let Some(own) = paragraph.strip_prefix("Rust：") {
            told.own[1] = own.to_owned();
        } else if told.title.is_empty() {
            let end = paragraph
                .char_indices()
                .find(|(_, c)| ['。', '？', '：'].contains(c))
                .map_or(paragraph.len(), |(at, c)| at + c.len_utf8());
            let (title, rest) = paragraph.split_at(end);
            told.title = title.replace('：', "。");
            told.shared = rest.trim().to_owned();
        } else {
            told.shared.push_str(&paragraph);
        }
    }
    told
}

/// Lines of Chinese in one: where a line ends, there is no space between two
/// Chinese characters.
fn joined(text: &str) -> String {
    let mut joined = String::new();
    for line in text.lines() {
        let is_latin = |c: Option<char>| c.is_some_and(|c| c.is_ascii());
        if is_latin(joined.chars().next_back()) || is_latin(line.chars().next())
        {
            joined.push(' ');
        }
        joined.push_str(line.trim());
    }
    joined.trim().to_owned()
}

/// Each row of "Node beside Rust" at the step that it is about: where both
/// cells name what occurs in that step, and elsewhere less.
fn differences(
    readme: &[String; 2],
    roles: &[Role],
) -> BTreeMap<String, Vec<Difference>> {
    let [english, chinese] = readme.each_ref().map(|text| beside(text));
    let mut found: BTreeMap<String, Vec<Difference>> = BTreeMap::new();
    for (place, row) in english.iter().enumerate() {
        let [node, rust] =
            [0, 1].map(|language| most_about(&row[language], language, roles));
        if let (Some(node), Some(rust)) = (node, rust)
            && node == rust
        {
            let twin = chinese.get(place).unwrap_or(row);
            let difference = [row.clone(), twin.clone()];
            found.entry(node).or_default().push(difference);
        }
    }
    found
}

/// The cells of Node and of Rust in the table of which these are the columns;
/// the last such table in the README.
fn beside(readme: &str) -> Vec<[String; 2]> {
    let mut rows = Vec::new();
    let mut inside = false;
    for line in readme.lines() {
        let cells = cells(line);
        if cells.len() != 3 {
            inside = false;
        } else if cells[1] == "Node" && cells[2] == "Rust" {
            inside = true;
            rows.clear();
        } else if inside && !cells[1].starts_with("--") {
            rows.push([cells[1].clone(), cells[2].clone()]);
        }
    }
    rows
}

/// The id of the step in which most of the names occur that the text has in
/// its code; of names that are everywhere, few count.
fn most_about(text: &str, language: usize, roles: &[Role]) -> Option<String> {
    let code: Vec<&str> = text.split('`').skip(1).step_by(2).collect();
    let names: BTreeSet<&str> = code
        .iter()
        .flat_map(|code| code.split(|c: char| !c.is_alphanumeric() && c != '_'))
        .filter(|name| name.len() > 2 && !COMMON.contains(name))
        .collect();
    let mut steps = Vec::new();
    for role in roles {
        let source = &role.sources[language];
        for part in &source.parts {
            let lines = part.lines.iter().map(|&line| &*source.lines[line]);
            let words: BTreeSet<&str> = lines
                .flat_map(|line| {
                    line.split(|c: char| !c.is_alphanumeric() && c != '_')
                })
                .collect();
            steps.push((role.id(part.step.number), words));
        }
    }
    let mut best: Option<(f64, &str)> = None;
    for (id, words) in &steps {
        let score: f64 = names
            .iter()
            .filter(|name| words.contains(*name))
            .map(|name| {
                let all =
                    steps.iter().filter(|(_, words)| words.contains(name));
                1.0 / all.count() as f64
            })
            .sum();
        if score >= 0.5 && best.is_none_or(|(other, _)| score > other) {
            best = Some((score, id));
        }
    }
    best.map(|(_, id)| id.to_owned())
}

/// Words of the languages, which say nothing about a step.
const COMMON: [&str; 12] = [
    "await", "async", "const", "for", "let", "while", "new", "function",
    "Result", "loop", "return", "move",
];
