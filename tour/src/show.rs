//! Shows one lesson: builds it, starts its pair, prints their lines.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use console::{Color, style};
use harness::{
    Arguments, Exit, Language, Lesson, Profile, Shape, Stream, build,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Outcome, Report};
use crate::screen;

/// Few messages at a quick pace: a look, not a wait.
const PACE: [&str; 4] = ["--count", "3", "--every", "200"];

/// What a client says in a chat.
const SAID: &[u8] = b"hello\nhow are you?\nbye\n";

/// Builds and shows `lesson`, its second half written in `second`. It counts
/// as hung when it takes longer than `limit`.
pub fn show(
    lesson: &'static Lesson,
    second: Language,
    limit: Duration,
) -> Report {
    screen::line(format_args!(
        "\n{}  {}",
        style(lesson.name).bold(),
        lesson.watch
    ));
    if let Some(missing) = lesson.missing(second) {
        screen::line(format_args!("  skipped: {missing}"));
        return Report::skipped(lesson);
    }
    let exchanges = Arc::new(AtomicUsize::new(0));
    let languages = lesson.pairing_with(second);
    let mut begun = Instant::now();
    let outcome = build_programs(lesson).and_then(|()| {
        begun = Instant::now();
        play(lesson, languages, limit, &exchanges)
    });
    if let Err(error) = &outcome {
        screen::line(format_args!(
            "  {} {error:#}",
            style("failed:").red().bold()
        ));
    }
    Report {
        lesson,
        exchanges: exchanges.load(Ordering::Relaxed),
        time: begun.elapsed(),
        outcome: match outcome {
            Ok(()) => Outcome::Well,
            Err(_) => Outcome::Failed,
        },
    }
}

fn build_programs(lesson: &Lesson) -> Result<()> {
    // Hidden by itself where stderr is not a terminal.
    let spinner = ProgressBar::new_spinner().with_style(
        ProgressStyle::with_template("  {spinner} building {msg} ({elapsed})")?,
    );
    spinner.set_message(lesson.name);
    spinner.enable_steady_tick(Duration::from_millis(100));
    let built = build(lesson.name, Profile::Debug);
    spinner.finish_and_clear();
    built.map(drop)
}

fn play(
    lesson: &'static Lesson,
    languages: [Language; 2],
    limit: Duration,
    exchanges: &Arc<AtomicUsize>,
) -> Result<()> {
    let counted = Arc::clone(exchanges);
    let print = move |half, stream, line: &str| {
        let half = speaker(lesson, half, line);
        if stream == Stream::Stdout && line.starts_with(lesson.exchange.0) {
            let [first, second] = lesson.halves();
            // An echo is complete at the side that began it, and a message
            // through a broker where it arrives.
            if match lesson.shape {
                Shape::Family { .. } | Shape::Broker { .. } => half == first,
                Shape::Solo(_) => true,
                _ => half == second,
            } {
                counted.fetch_add(1, Ordering::Relaxed);
            }
        }
        print_line(lesson, languages, half, stream, line);
    };
    let arguments = match lesson.shape {
        Shape::Chat => Arguments {
            first: &[],
            second: &["--name", "Ada"],
        },
        Shape::Family { .. } => Arguments {
            first: &PACE,
            second: &[],
        },
        Shape::Solo(_) => Arguments::default(),
        _ => Arguments {
            first: &[],
            second: &PACE,
        },
    };
    let mut pair = lesson.start(languages, arguments, print)?;
    if let (Shape::Chat, Some(client)) = (lesson.shape, &pair.second) {
        client.take_stdin()?.write_all(SAID)?;
    }
    for exit in pair.finish(limit).context("it hangs; stopped")? {
        if exit != Exit::Code(0) {
            bail!("a half ended with {exit:?}");
        }
    }
    if exchanges.load(Ordering::Relaxed) == 0 {
        bail!("nothing was exchanged");
    }
    Ok(())
}

/// Who printed the line: a child may share its parent's terminal.
fn speaker(lesson: &Lesson, half: &'static str, line: &str) -> &'static str {
    match lesson.shape {
        Shape::Family {
            child_lines: Some(start),
            ..
        } if line.starts_with(start) => lesson.halves()[1],
        _ => half,
    }
}

fn print_line(
    lesson: &Lesson,
    languages: [Language; 2],
    half: &'static str,
    stream: Stream,
    line: &str,
) {
    let is_second = half == lesson.halves()[1];
    let colour = if is_second {
        Color::Yellow
    } else {
        Color::Cyan
    };
    let name = match languages[usize::from(is_second)] {
        Language::Node => format!("{half} (node)"),
        Language::Rust => half.to_owned(),
    };
    let name = style(format!("{name:>14}")).fg(colour);
    match stream {
        Stream::Stdout => screen::line(format_args!("{name} │ {line}")),
        Stream::Stderr => {
            screen::line(format_args!("{name} │ {}", style(line).dim()))
        }
    }
}
