//! Shows one lesson: builds it, starts its pair, prints their lines.

use std::io::Write;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use console::{Color, style};
use harness::{
    Arguments, Exit, Language, Lesson, Profile, Shape, Stream, build, rabbit,
};
use indicatif::{ProgressBar, ProgressStyle};

use crate::report::{Outcome, Report};
use crate::screen;

/// Few messages at a quick pace: a look, not a wait.
const PACE: [&str; 4] = ["--count", "3", "--every", "200"];
const COUNT: usize = 3;

/// What a client says in a chat.
const SAID: &[u8] = b"hello\nhow are you?\nbye\n";

/// What stands between the two halves, where something does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Broker {
    /// What the lesson starts for itself.
    Own,
    /// A RabbitMQ, which the tour has started.
    RabbitMq,
}

/// Builds and shows `lesson`, its second half written in `second`. It counts
/// as hung when it takes longer than `limit`.
pub fn show(
    lesson: &'static Lesson,
    broker: Broker,
    second: Language,
    limit: Duration,
) -> Report {
    let (name, watch, missing) = match broker {
        Broker::Own => {
            (lesson.name.to_owned(), lesson.watch, lesson.missing(second))
        }
        Broker::RabbitMq => (
            format!("{} over RabbitMQ", lesson.name),
            "The same two programs, and another broker.",
            lesson.missing_over_rabbitmq(second),
        ),
    };
    screen::line(format_args!("\n{}  {watch}", style(name).bold()));
    let found = missing.map_or_else(|| url(broker), Err);
    let url = match found {
        Ok(url) => url,
        Err(missing) => {
            screen::line(format_args!("  skipped: {missing}"));
            return Report::skipped(lesson, broker);
        }
    };
    let exchanges = Arc::new(AtomicUsize::new(0));
    let languages = lesson.pairing_with(second);
    let mut begun = Instant::now();
    let outcome = build_programs(lesson).and_then(|()| {
        begun = Instant::now();
        play(lesson, url.as_deref(), languages, limit, &exchanges)
    });
    if let Err(error) = &outcome {
        screen::line(format_args!(
            "  {} {error:#}",
            style("failed:").red().bold()
        ));
    }
    Report {
        lesson,
        broker,
        exchanges: exchanges.load(Ordering::Relaxed),
        time: begun.elapsed(),
        outcome: match outcome {
            Ok(()) => Outcome::Well,
            Err(_) => Outcome::Failed,
        },
    }
}

fn build_programs(lesson: &Lesson) -> Result<()> {
    let what = format!("building {}", lesson.name);
    spin(what, || build(lesson.name, Profile::Debug))?.map(drop)
}

/// Where the tour's own broker is, or why there is none.
fn url(broker: Broker) -> Result<Option<String>, String> {
    if broker == Broker::Own {
        return Ok(None);
    }
    let up = spin("waiting for RabbitMQ".to_owned(), rabbit::shared);
    let url = up.flatten().map_err(|error| {
        let said = format!("{error:#}");
        let first = said.lines().next().unwrap_or_default();
        format!("{} does not start here: {first}", rabbit::PROGRAM)
    })?;
    Ok(Some(url))
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
    broker: Option<&str>,
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
    // Both halves of a pair are told of a broker that is not their own.
    let broker = broker.map(|url| ["--broker", url]);
    let broker: &[&str] = broker.as_ref().map_or(&[], |pair| pair);
    let arguments = Arguments {
        first: &[arguments.first, broker].concat(),
        second: &[arguments.second, broker].concat(),
    };
    let mut pair = lesson.start(languages, arguments, limit, print)?;
    if let (Shape::Chat, Some(client)) = (lesson.shape, &pair.second) {
        client.take_stdin()?.write_all(SAID)?;
    }
    if let Shape::Broker { .. } = lesson.shape {
        // What was sent last may still be on its way.
        let (received, _) = lesson.exchange;
        let all = pair.first.wait_for_lines_at_most(limit, COUNT, received);
        all.context("it hangs; stopped")?;
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
