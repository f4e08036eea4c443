//! Colours for code, and its lines as HTML.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::{Arc, LazyLock, Mutex, PoisonError};

use syntect::parsing::{ParseState, Scope, ScopeStack, SyntaxSet};

static SYNTAXES: LazyLock<SyntaxSet> =
    LazyLock::new(SyntaxSet::load_defaults_newlines);

/// What the beginning of a scope's name says of a word. The first one that
/// fits counts, from the innermost scope outwards.
const CLASSES: [(&str, Class); 17] = [
    ("comment", Class::Comment),
    ("constant.other.placeholder", Class::Plain),
    ("meta.template.expression", Class::Plain),
    ("source.js.embedded", Class::Plain),
    ("punctuation.definition.template-expression", Class::Plain),
    ("string", Class::Text),
    ("punctuation.definition.string", Class::Text),
    ("constant.character", Class::Text),
    ("constant.numeric", Class::Macro),
    ("support.macro", Class::Macro),
    ("meta.annotation", Class::Macro),
    ("keyword.operator", Class::Plain),
    ("storage.type.function.arrow", Class::Plain),
    ("keyword", Class::Keyword),
    ("storage", Class::Keyword),
    ("constant.language", Class::Keyword),
    ("variable.language", Class::Keyword),
];

static SCOPES: LazyLock<Vec<(Scope, Class)>> = LazyLock::new(|| {
    CLASSES
        .into_iter()
        .filter_map(|(name, class)| Some((Scope::new(name).ok()?, class)))
        .collect()
});

/// How a word is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// As it is.
    Plain,
    /// A comment.
    Comment,
    /// A text in quotes.
    Text,
    /// A word of the language.
    Keyword,
    /// A macro, an attribute, a number.
    Macro,
}

/// Pieces of one line, each with its class.
pub type Painted = Vec<(Class, String)>;

/// Each line of a source in the language with this file ending.
pub fn paint<'a>(
    lines: impl IntoIterator<Item = &'a str>,
    ending: &str,
) -> Vec<Painted> {
    let syntax = SYNTAXES
        .find_syntax_by_extension(ending)
        .unwrap_or_else(|| SYNTAXES.find_syntax_plain_text());
    let mut state = ParseState::new(syntax);
    let mut stack = ScopeStack::new();
    // Words that the grammars do not know, or not everywhere.
    let missed: &[&str] = match ending {
        "rs" => &["async", "await"],
        "js" => &["async", "await", "const", "let", "new", "of"],
        _ => &[],
    };
    let mut painted = Vec::new();
    for text in lines {
        let line = format!("{text}\n");
        let mut pieces = Painted::new();
        let mut last = 0;
        // A source that the highlighter cannot read is shown without colours.
        for (at, change) in
            state.parse_line(&line, &SYNTAXES).unwrap_or_default()
        {
            push(&mut pieces, &stack, &line[last..at], missed);
            last = at;
            let _ = stack.apply(&change);
        }
        push(&mut pieces, &stack, &line[last..], missed);
        if ending == "rs" && text.trim_start().starts_with("#[") {
            pieces = vec![(Class::Macro, text.to_owned())];
        }
        painted.push(pieces);
    }
    painted
}

/// A whole text in the language with this file ending. Both languages of a
/// README have the same blocks: each is painted once.
pub fn paint_text(text: &str, ending: &str) -> Arc<Vec<Painted>> {
    type Known = BTreeMap<(String, String), Arc<Vec<Painted>>>;
    static KNOWN: Mutex<Known> = Mutex::new(BTreeMap::new());
    let key = (ending.to_owned(), text.to_owned());
    let lock = || KNOWN.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(painted) = lock().get(&key) {
        return Arc::clone(painted);
    }
    let painted = Arc::new(paint(text.lines(), ending));
    lock().insert(key, Arc::clone(&painted));
    painted
}

fn push(pieces: &mut Painted, stack: &ScopeStack, text: &str, missed: &[&str]) {
    let text = text.trim_end_matches('\n');
    if text.is_empty() {
        return;
    }
    let scopes = stack.as_slice().iter().rev();
    let mut found = scopes.filter_map(|scope| {
        let is_it = |(known, _): &&(Scope, Class)| known.is_prefix_of(*scope);
        SCOPES.iter().find(is_it).map(|(_, class)| *class)
    });
    let class = found.next().unwrap_or(Class::Plain);
    if class != Class::Plain {
        return add(pieces, class, text);
    }
    for word in words(text) {
        let class = match missed.contains(&word) {
            true => Class::Keyword,
            false => Class::Plain,
        };
        add(pieces, class, word);
    }
}

fn add(pieces: &mut Painted, class: Class, text: &str) {
    match pieces.last_mut() {
        Some((last, before)) if *last == class => before.push_str(text),
        _ => pieces.push((class, text.to_owned())),
    }
}

/// Words, and what stands between them.
fn words(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let first = rest.chars().next()?;
        let end = rest
            .find(|c| is_word(c) != is_word(first))
            .unwrap_or(rest.len());
        let (word, after) = rest.split_at(end);
        rest = after;
        Some(word)
    })
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// Names that lead somewhere, each with the id of its step.
pub type Names = BTreeMap<String, String>;

/// A line may break on a phone only where it is longer than this.
const SHORT: usize = 44;

/// Lines of code as HTML, each in an element of its own. `numbers` are those
/// of lines that print something; `names` become links. So many blanks at the
/// beginning of each line are left out.
pub fn html<'a>(
    lines: impl IntoIterator<Item = (usize, &'a Painted)>,
    names: &Names,
    printing: &[usize],
    outdent: usize,
) -> String {
    let mut html = String::new();
    for (number, pieces) in lines {
        let whole: String = pieces.iter().map(|(_, text)| &**text).collect();
        let blanks = whole.len() - whole.trim_start().len();
        let indent = blanks.saturating_sub(outdent);
        html.push_str("<span class=\"l");
        if indent > 0 {
            let _ = write!(html, " i{}", indent.min(24));
        }
        html.push('"');
        if printing.contains(&number) {
            let _ = write!(html, " data-n=\"{}\"", number + 1);
        }
        html.push('>');
        if indent > 0 {
            let _ =
                write!(html, "<span class=\"in\">{}</span>", &whole[..indent]);
        }
        let mut skip = blanks;
        let mut at = 0;
        for (class, text) in pieces {
            let cut = skip.min(text.len());
            skip -= cut;
            let shown = &text[cut..];
            let begin = at + cut;
            at += text.len();
            if shown.is_empty() {
                continue;
            }
            let name = match class {
                Class::Plain => {
                    plain(&mut html, &whole, begin, shown, names);
                    continue;
                }
                Class::Comment => "c",
                Class::Text => "s",
                Class::Keyword => "k",
                Class::Macro => "m",
            };
            let _ = write!(html, "<span class=\"{name}\">");
            escape(&mut html, shown);
            html.push_str("</span>");
        }
        html.push_str("\n</span>");
    }
    html
}

/// Code without a colour: with links, and with places where a long line may
/// break.
fn plain(html: &mut String, whole: &str, at: usize, text: &str, names: &Names) {
    let mut at = at;
    for word in words(text) {
        let before = whole[..at].trim_end();
        let after = &whole[at + word.len()..];
        at += word.len();
        let Some(id) = names.get(word) else {
            if whole.len() <= SHORT {
                escape(html, word);
                continue;
            }
            let mut letters = word.chars().peekable();
            while let Some(c) = letters.next() {
                let next = letters.peek().copied().unwrap_or('x');
                match c {
                    '.' if next != '.' => html.push_str("<wbr>."),
                    '(' if next != ')' => html.push_str("(<wbr>"),
                    _ => escape(html, c.encode_utf8(&mut [0; 4])),
                }
            }
            continue;
        };
        let defines = before.ends_with("fn") || before.ends_with("function");
        let called = after.starts_with(['(', '<'])
            && !before.ends_with(['.', ':', '|', '\''])
            || before.ends_with(',') && after.starts_with(')');
        if defines {
            let _ = write!(html, "<b class=\"f\" data-f=\"{id}\">{word}</b>");
        } else if called {
            let _ = write!(
                html,
                "<a class=\"f\" data-f=\"{id}\" href=\"#{id}\">{word}</a>"
            );
        } else {
            html.push_str(word);
        }
    }
}

/// Text as HTML.
pub fn escape(html: &mut String, text: &str) {
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            c => html.push(c),
        }
    }
}
