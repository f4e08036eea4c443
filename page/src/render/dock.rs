//! Where the programs of a lesson are run: a bar at the foot of the window,
//! and two terminals.

use harness::{Language, Lesson, Meet};
use maud::{Markup, html};

use crate::content::Pages;
use crate::render::View;

/// The bar.
pub fn dock(view: &View, pages: &Pages) -> Markup {
    let pairs = [Some(pages.lesson), pages.lesson.also()];
    html! {
        section.dock #dock data-js hidden
            aria-label=(view.say("Run the programs here", "在这里运行程序"))
            data-lesson=(pages.lesson.name)
            data-parent[pages.lesson.meet() == Meet::Parent]
            data-words=(words(view)) { div.wide {
            div.ctl {
                h2 { (view.say("Run it", "运行")) }
                @if let Some(also) = pages.lesson.also() {
                    label.opt {
                        (view.say("pair ", "组合 "))
                        select #pair {
                            option value="0" { (pages.lesson.halves().join(", ")) }
                            option value="1" { (also.halves().join(", ")) }
                        }
                    }
                }
                @for half in [0, 1] { (language(view, pages.lesson, half)) }
                @if pages.lesson.meet() != Meet::Nobody && !pages.lesson.is_typed() {
                    label.opt {
                        (view.say("messages ", "消息 "))
                        select #count {
                            option value="2" { "2" }
                            option value="10" { "10" }
                            option value="" { (view.say("until Stop", "直到停止")) }
                        }
                    }
                    label.opt {
                        (view.say("every ", "间隔 "))
                        select #every {
                            option value="1000" { "1 s" }
                            option value="300" { "0.3 s" }
                            option value="3000" { "3 s" }
                        }
                    }
                }
                span.sp {
                    label.chk.opt title=(view.say(
                        "Scroll to the step of each line as it comes",
                        "每来一行，就滚动到打印它的那一步")) {
                        input #follow type="checkbox";
                        (view.say("follow", "跟随"))
                    }
                    button.go #run type="button" { (view.say("Run", "运行")) }
                    button #stop type="button" disabled { (view.say("Stop", "停止")) }
                    button #fold type="button" aria-controls="dockbody"
                        aria-expanded="false"
                        title=(view.say("Show or hide what they print",
                            "显示或隐藏它们的输出"))
                        { (view.say("Lines", "输出")) }
                }
            }
            div #dockbody hidden {
                div.terms {
                    @for half in [0, 1] {
                        @let names: Vec<&str> = pairs.into_iter().flatten()
                            .map(|it| it.halves()[half]).collect();
                        div.th {
                            b data-names=(names.join(" ")) { (names[0]) }
                            span.st id={ "st-" (half) } {}
                            @if cfg!(unix) && pages.lesson.meet() != Meet::Nobody {
                                span.sp {
                                    button id={ "ice-" (half) } type="button" disabled
                                        title=(view.say(
                                            "SIGSTOP: it stands still until it may go on",
                                            "SIGSTOP：停住，直到让它继续"))
                                        { (view.say("freeze", "冻结")) }
                                    button id={ "kill-" (half) } type="button" disabled
                                        title=(view.say(
                                            "SIGKILL: it ends at once and cleans up nothing",
                                            "SIGKILL：立刻结束，什么都来不及清理"))
                                        { "kill -9" }
                                }
                            }
                        }
                    }
                    ol.log #log tabindex="0" aria-live="polite"
                        data-hint=(view.say(
                            "Press Run. Each line that appears lights up the \
                             step that printed it; a click on the line goes there.",
                            "按“运行”。每出现一行，打印它的那一步就亮起来；点这一行就到那一步。"))
                        aria-label=(view.say(
                            "Lines of both programs, in order",
                            "两个程序的输出，按因果顺序")) {}
                }
                @if pages.lesson.is_typed() {
                    form.send #send {
                        label for="typed" { (view.say("Type a line ", "输入一行 ")) }
                        input #typed type="text" maxlength="300" autocomplete="off";
                        button type="submit" { (view.say("Send", "发送")) }
                    }
                }
            }
        } }
    }
}

/// The switch for what a half is written in; in a lesson whose halves cannot
/// be mixed, there is one for both.
fn language(view: &View, lesson: &Lesson, half: usize) -> Markup {
    let mut pairings = lesson.pairings().iter();
    let mixed = pairings.find(|[one, other]| one != other);
    if mixed.is_none() && half == 1 {
        return html! {};
    }
    let chosen = mixed.map_or(Language::Rust, |pairing| pairing[half]);
    let written = lesson.languages(lesson.halves()[half]);
    let name = match mixed.is_some() {
        true => lesson.halves()[half],
        false => view.say("both", "两端"),
    };
    html! {
        fieldset.seg.opt {
            legend data-half=(half) { (name) }
            span {
                @for (value, label, language) in [
                    ("node", "Node", Language::Node),
                    ("rust", "Rust", Language::Rust),
                ].into_iter().filter(|it| written.contains(&it.2)) {
                    label {
                        input type="radio" name={ "run-" (half) } value=(value)
                            checked[language == chosen];
                        (label)
                    }
                }
            }
        }
    }
}

/// Words that the script puts in.
fn words(view: &View) -> String {
    serde_json::json!({
        "step": view.say("step", "步骤"),
        "building": view.say("building …", "正在构建……"),
        "running": view.say("running", "运行中"),
        "frozen": view.say("frozen", "已冻结"),
        "ended": view.say("ended, status", "已结束，状态"),
        "killed": view.say("ended by", "被终止："),
        "freeze": view.say("freeze", "冻结"),
        "thaw": view.say("go on", "继续"),
        "gone": view.say("The server has gone: cargo run -- --web",
            "服务器已退出：cargo run -- --web"),
    })
    .to_string()
}
