//! Shows one lesson: builds it, starts its pair, prints their lines.

use std::io::Write;
use std::process::Command;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use console::style;
use harness::order::{Line, Order};
use harness::{
    Arguments, Exit, Half, Language, Lesson, Meet, Profile, build, rabbit,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::layout::Layout;
use crate::report::{self, Outcome, Report};
use crate::screen;

/// Few messages at a quick pace: a look, not a wait.
const PACE: [&str; 4] = ["--count", "3", "--every", "200"];
const COUNT: usize = 3;

/// What a client says in a chat.
const SAID: &[u8] = b"hello\nhow are you?\nbye\n";

/// The lines of a pair on their way to the screen.
struct Board {
    order: Order,
    layout: Layout,
    exchanges: usize,
}

/// Builds and shows a lesson, its second half written in `second`. It counts
/// as hung when it takes longer than `limit`.
pub fn show(
    lesson: &'static Lesson,
    second: Language,
    limit: Duration,
) -> Report {
    screen::paragraph(lesson.watch());
    if let Some(missing) = lesson.missing(second).or_else(|| not_up(lesson)) {
        screen::paragraph(&format!("skipped: {missing}"));
        return Report {
            lesson,
            exchanges: 0,
            time: Duration::ZERO,
            outcome: Outcome::Skipped,
        };
    }
    let languages = lesson.pairing_with(second);
    let board = Arc::new(Mutex::new(Board {
        order: Order::of(lesson),
        layout: layout(lesson, languages),
        exchanges: 0,
    }));
    let mut begun = Instant::now();
    let outcome = build_programs(lesson).and_then(|()| {
        begun = Instant::now();
        lock(&board).layout.header();
        play(lesson, languages, limit, &board)
    });
    let time = begun.elapsed();
    let mut board = lock(&board);
    while let Some(line) = board.order.next_of_rest() {
        board.layout.print(&line);
    }
    let outcome = match outcome {
        Ok(()) if board.exchanges > 0 => {
            screen::paragraph(&format!("You just saw: {}", lesson.seen()));
            screen::indented(format_args!(
                "to read: {}/README.md",
                lesson.name
            ));
            let command = style(report::command(lesson)).bold();
            screen::indented(format_args!("to type: {command}"));
            Outcome::Well
        }
        outcome => {
            let why = match outcome {
                Ok(()) => "nothing was exchanged".to_owned(),
                Err(error) => format!("{error:#}"),
            };
            let failed = style("failed:").red().bold();
            screen::indented(format_args!("{failed} {why}"));
            Outcome::Failed
        }
    };
    Report {
        lesson,
        exchanges: board.exchanges,
        time,
        outcome,
    }
}

fn lock(board: &Mutex<Board>) -> MutexGuard<'_, Board> {
    board.lock().unwrap_or_else(PoisonError::into_inner)
}

fn layout(lesson: &Lesson, languages: [Language; 2]) -> Layout {
    let halves = lesson.halves();
    let names = [0, 1].map(|half| match languages[half] {
        Language::Node => format!("{} (node)", halves[half]),
        Language::Rust => halves[half].to_owned(),
    });
    Layout::new(names, lesson.meet() != Meet::Nobody)
}

fn build_programs(lesson: &Lesson) -> Result<()> {
    let what = format!("building {}", lesson.name);
    spin(what, || build(lesson.name, Profile::Debug))?.map(drop)
}

/// Waits for a RabbitMQ, where the lesson needs it; or says why there is none.
fn not_up(lesson: &Lesson) -> Option<String> {
    if lesson.meet() != Meet::RabbitMq {
        return None;
    }
    let up = spin("waiting for RabbitMQ".to_owned(), rabbit::shared);
    let said = format!("{:#}", up.flatten().err()?);
    let first = said.lines().next().unwrap_or_default();
    Some(format!("{} does not start here: {first}", rabbit::PROGRAM))
}

/// Runs `run`, which takes a while, and shows that something happens.
fn spin<T>(what: String, run: impl FnOnce() -> T) -> Result<T> {
    // Hidden by itself where stderr is not a terminal.
    let spinner = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("  {spinner} {msg} ({elapsed})")?,
    );
    spinner.set_message(what);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let result = run();
    spinner.finish_and_clear();
    Ok(result)
}

fn play(
    lesson: &'static Lesson,
    languages: [Language; 2],
    limit: Duration,
    board: &Arc<Mutex<Board>>,
) -> Result<()> {
    let shared = Arc::clone(board);
    let run = move |half: usize, command: &mut Command| {
        let shared = Arc::clone(&shared);
        Half::start_together(command, move |text| {
            let mut board = lock(&shared);
            let half = lesson.speaker(half, text);
            board.exchanges += usize::from(completes(lesson, half, text));
            let text = text.to_owned();
            board.order.push(Line { half, text });
            while let Some(line) = board.order.next_free() {
                board.layout.print(&line);
            }
        })
    };
    let arguments = match lesson.meet() {
        _ if lesson.is_parent_paced() => Arguments {
            first: &PACE,
            second: &[],
        },
        Meet::Nobody | Meet::Parent => Arguments::default(),
        _ if lesson.server_sets_pace() => Arguments {
            first: &PACE,
            second: &PACE[..2],
        },
        _ => Arguments {
            first: &[],
            second: match lesson.is_typed() {
                true => &["--name", "Ada"],
                false => &PACE,
            },
        },
    };
    let mut pair = lesson.start(languages, arguments, limit, run)?;
    if let (true, Some(client)) = (lesson.is_typed(), &pair.second) {
        client.take_stdin()?.write_all(SAID)?;
    }
    if lesson.has_broker() {
        // What was sent last may still be on its way.
        let [received, _] = lesson.exchange();
        let all = pair.first.wait_for_lines(COUNT, received);
        all.context("it hangs; stopped")?;
    }
    for exit in pair.finish().context("it hangs; stopped")? {
        if exit != Exit::Code(0) {
            bail!("a half ended with {exit:?}");
        }
    }
    Ok(())
}

/// Does this line complete an exchange? An echo is complete at the side that
/// began it, and a message through a broker where it arrives.
fn completes(lesson: &Lesson, half: usize, line: &str) -> bool {
    let there = match lesson.meet() {
        Meet::Parent | Meet::Redis | Meet::RabbitMq | Meet::Kafka => half == 0,
        Meet::Nobody => true,
        Meet::Tcp | Meet::Udp | Meet::Pipe => half == 1,
    };
    there && line.starts_with(lesson.exchange()[0])
}
