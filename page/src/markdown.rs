//! READMEs as blocks of HTML, with links that lead within the site.

use pulldown_cmark::{
    CodeBlockKind, CowStr, Event, HeadingLevel, Options, Parser, Tag, TagEnd,
    html,
};

use crate::paint::escape;

/// A README: its title, what stands before the first section, the sections.
pub struct Document {
    /// The heading of the first level.
    pub title: String,
    /// What stands below it.
    pub intro: Vec<Block>,
    /// Each begins with a heading of the second level.
    pub sections: Vec<Section>,
}

/// A section of the second level.
pub struct Section {
    /// Its heading, without markup.
    pub title: String,
    /// What is in it.
    pub blocks: Vec<Block>,
}

/// A part of a section.
pub enum Block {
    /// A fenced block: the word behind the fence, and the text.
    Code(String, String),
    /// A table, as HTML.
    Table(String),
    /// Anything else, as HTML.
    Text(String),
}

/// Where links lead.
pub trait Links {
    /// What a link to this place in the workspace becomes; `None` where the
    /// site does not have it.
    fn link(&self, to: &str) -> Option<String>;

    /// The step with this number of the half that `text` names, if there is
    /// one: the names that were seen before count, too.
    fn step(&self, text: &str, number: usize) -> Option<String>;
}

/// Reads a document.
pub fn read(text: &str, links: &impl Links) -> Document {
    let mut document = Document {
        title: String::new(),
        intro: Vec::new(),
        sections: Vec::new(),
    };
    let mut depth = 0;
    let mut block: Vec<Event> = Vec::new();
    for event in Parser::new_ext(text, Options::ENABLE_TABLES) {
        match &event {
            Event::Start(_) => depth += 1,
            Event::End(_) => depth -= 1,
            _ => {}
        }
        block.push(event);
        if depth > 0 {
            continue;
        }
        let whole = joined(std::mem::take(&mut block));
        let level = match whole.first() {
            Some(Event::Start(Tag::Heading { level, .. })) => Some(*level),
            _ => None,
        };
        match level {
            Some(HeadingLevel::H1) => document.title = plain(&whole),
            Some(HeadingLevel::H2) => document.sections.push(Section {
                title: plain(&whole),
                blocks: Vec::new(),
            }),
            _ => {
                let blocks = match document.sections.last_mut() {
                    Some(section) => &mut section.blocks,
                    None => &mut document.intro,
                };
                blocks.extend(to_block(whole, links));
            }
        }
    }
    document
}

/// One line of Markdown as HTML, without a paragraph around it.
pub fn inline(text: &str, links: &impl Links) -> String {
    let mut shown = String::new();
    let events = Parser::new(text).filter(|event| {
        !matches!(
            event,
            Event::Start(Tag::Paragraph) | Event::End(TagEnd::Paragraph)
        )
    });
    let events = linked(joined(events.collect()), links);
    html::push_html(&mut shown, events.into_iter());
    shown
}

/// The same without the line breaks between two Chinese characters, where a
/// browser would show a space.
fn joined(block: Vec<Event>) -> Vec<Event> {
    let is_text = |event: &&Event| {
        matches!(event, Event::Text(_) | Event::Code(_) | Event::SoftBreak)
    };
    let is_chinese = |c: Option<char>| c.is_some_and(|c| c >= '\u{2e80}');
    let drops = |at: usize| {
        let before = block[..at].iter().rev().find(is_text);
        let after = block[at + 1..].iter().find(is_text);
        match (&block[at], before, after) {
            (Event::SoftBreak, Some(Event::Text(a)), Some(Event::Text(b))) => {
                is_chinese(a.chars().next_back())
                    && is_chinese(b.chars().next())
            }
            _ => false,
        }
    };
    let kept: Vec<bool> = (0..block.len()).map(|at| !drops(at)).collect();
    let events = block.into_iter().zip(kept);
    events
        .filter_map(|(event, keep)| keep.then_some(event))
        .collect()
}

/// The text of a block without its markup.
fn plain(block: &[Event]) -> String {
    let texts = block.iter().filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(&**text),
        Event::SoftBreak => Some(" "),
        _ => None,
    });
    texts.collect()
}

fn to_block(block: Vec<Event>, links: &impl Links) -> Option<Block> {
    if let Some(Event::Start(Tag::CodeBlock(kind))) = block.first() {
        let language = match kind {
            CodeBlockKind::Fenced(word) => word.to_string(),
            CodeBlockKind::Indented => String::new(),
        };
        return Some(Block::Code(language, plain(&block)));
    }
    if matches!(
        block.first(),
        Some(Event::Html(_) | Event::Start(Tag::HtmlBlock))
    ) {
        return None; // marks for those who write into the file
    }
    // A picture that the site does not have.
    if let Some(Event::Start(Tag::Image { dest_url, .. })) = block.get(1)
        && links.link(dest_url).is_none()
    {
        return None;
    }
    let is_table = matches!(block.first(), Some(Event::Start(Tag::Table(_))));
    let mut shown = String::new();
    html::push_html(&mut shown, linked(block, links).into_iter());
    Some(match is_table {
        // The policy that the server sends allows no styles in attributes.
        true => Block::Table(
            shown
                .replace(" style=\"text-align: right\"", " class=\"r\"")
                // A heading without a word says nothing to who hears it.
                .replace("<th></th>", "<td></td>"),
        ),
        // A picture further down does not keep the page from being painted.
        false => Block::Text(shown.replace("<img ", "<img loading=\"lazy\" ")),
    })
}

/// The same with links that lead within the site, and none that lead out of
/// it into the workspace. *Server, step 6* leads there, too.
fn linked<'a>(block: Vec<Event<'a>>, links: &impl Links) -> Vec<Event<'a>> {
    let mut events = Vec::new();
    let mut dropped = Vec::new();
    let mut emphasis: Option<String> = None;
    for event in block {
        match event {
            Event::Start(Tag::Link {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let to = match dest_url.contains("://") {
                    true => Some(dest_url.to_string()),
                    false => links.link(&dest_url),
                };
                dropped.push(to.is_none());
                if let Some(to) = to {
                    events.push(Event::Start(Tag::Link {
                        link_type,
                        dest_url: CowStr::from(to),
                        title,
                        id,
                    }));
                }
            }
            Event::End(TagEnd::Link) => {
                if dropped.pop() == Some(false) {
                    events.push(Event::End(TagEnd::Link));
                }
            }
            Event::Start(Tag::Image {
                link_type,
                dest_url,
                title,
                id,
            }) => {
                let to = links.link(&dest_url).unwrap_or_default();
                events.push(Event::Start(Tag::Image {
                    link_type,
                    dest_url: CowStr::from(to),
                    title,
                    id,
                }));
            }
            Event::Start(Tag::Emphasis) => {
                emphasis = Some(String::new());
                events.push(event);
            }
            Event::End(TagEnd::Emphasis) => {
                emphasis = None;
                events.push(event);
            }
            Event::Text(text) => match &mut emphasis {
                Some(before) => {
                    let html = steps(before, &text, links);
                    events.push(Event::InlineHtml(CowStr::from(html)));
                }
                None => events.push(Event::Text(text)),
            },
            Event::Code(code) => {
                events.push(Event::InlineHtml(CowStr::from(breakable(&code))));
            }
            event => events.push(event),
        }
    }
    events
}

/// Code within a sentence or a table. It may break on a phone.
fn breakable(code: &str) -> String {
    let mut shown = "<code>".to_owned();
    for (at, c) in code.char_indices() {
        let after = &code[at + c.len_utf8()..];
        let breaks_before = c == '.' && at > 0 && !code[..at].ends_with('.');
        if breaks_before && after.starts_with(char::is_alphabetic) {
            shown.push_str("<wbr>");
        }
        escape(&mut shown, c.encode_utf8(&mut [0; 4]));
        let ends = c == '(' && !after.starts_with([')', '.'])
            || c == ':' && code[..at].ends_with(':')
            || c == '/';
        if ends && !after.is_empty() {
            shown.push_str("<wbr>");
        }
    }
    shown.push_str("</code>");
    shown
}

/// Each number in the text leads to the step of the half that was named last.
fn steps(before: &mut String, text: &str, links: &impl Links) -> String {
    let mut shown = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(|c: char| c.is_ascii_digit()) {
        let (start, after) = rest.split_at(at);
        let end = after
            .find(|c: char| !c.is_ascii_digit())
            .unwrap_or(after.len());
        let (number, after) = after.split_at(end);
        escape(&mut shown, start);
        before.push_str(start);
        let to = number.parse().ok();
        match to.and_then(|number| links.step(before, number)) {
            Some(to) => {
                shown.push_str("<a href=\"");
                escape(&mut shown, &to);
                shown.push_str("\">");
                shown.push_str(number);
                shown.push_str("</a>");
            }
            None => shown.push_str(number),
        }
        rest = after;
    }
    escape(&mut shown, rest);
    before.push_str(rest);
    shown
}
