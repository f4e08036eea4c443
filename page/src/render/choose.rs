//! "Which should I take?": answers that open one after the other, and all
//! lessons by the places of the two processes.

use maud::{Markup, html};

use crate::choose::{Next, Question};
use crate::render::View;
use crate::render::costs::cost;
use crate::render::shell::line;

/// The questions, each within the answer that leads to it: the browser itself
/// opens them, and closes the other answers of the same question. `costs` is
/// where a lesson's cost leads to all that was measured.
pub fn decision(view: &View, costs: &str) -> Markup {
    html! {
        div.ask { (asked(view, costs, &view.content.questions, "ask")) }
    }
}

fn asked(view: &View, costs: &str, question: &Question, id: &str) -> Markup {
    let tongue = view.tongue as usize;
    html! {
        p.q { (question.text[tongue]) }
        @for (place, answer) in question.answers.iter().enumerate() {
            details name=(id) {
                summary { (answer.text[tongue]) }
                div.then {
                    @match &answer.next {
                        Next::Ask(question) => {
                            (asked(view, costs, question, &format!("{id}-{place}")))
                        }
                        Next::Take(lesson) => { (taken(view, costs, lesson)) }
                    }
                }
            }
        }
    }
}

/// The lesson to take, and what the README's table says of it.
fn taken(view: &View, costs: &str, name: &str) -> Markup {
    let pages = view.content.lesson(name);
    let row = pages.map(|pages| &pages.row[view.tongue as usize]);
    let cell = |place: usize| {
        let text = row.and_then(|row| row.get(place));
        line(view, "", text.map_or("", |it| it))
    };
    html! {
        p.take {
            (view.say("Take ", "选 "))
            a href={ (name) ".html" } { (name) }
            (view.say(" when ", "：")) (cell(3))
        }
        dl.facts {
            dt.node { "Node" }
            dd { (cell(1)) }
            dt.rust { "Rust" }
            dd { (cell(2)) }
            @if let Some(cost) = cost(view, costs, name) {
                dt { (view.say("A round trip", "一次往返")) }
                dd { (cost) }
            }
        }
    }
}

/// The lessons by the places of the two processes, each with the reason to
/// take it.
pub fn places(view: &View) -> Markup {
    let tongue = view.tongue as usize;
    html! {
        div.choose {
            @for group in &view.content.groups {
                div {
                    h3 { (group.title[tongue]) }
                    ul {
                        @for &place in &group.lessons {
                            @let pages = &view.content.lessons[place];
                            li {
                                a href={ (pages.lesson.name) ".html" }
                                    { (pages.lesson.name) }
                                span {
                                    @if let Some(when) = pages.row[tongue].get(3) {
                                        (line(view, "", when))
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}
