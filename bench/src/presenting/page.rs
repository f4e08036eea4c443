//! The report as one page: no network, no script, light and dark.

use std::fmt::Write as _;

use super::parts::{Part, anchor, how, parts};
use super::plot::{Plot, class, escape, marks};
use super::section::{Look, Section, figure3};
use crate::sample::{HELLO, Measure, Placement, Report, Task, size};
use crate::transports::title;

/// The page: the answer first, for those who have to choose, then the plots.
pub fn page(report: &Report) -> String {
    let mut body = String::new();
    let [answers, rest] = parts(report);
    show(&mut body, answers);
    overview(&mut body, report);
    plots(&mut body, report);
    show(&mut body, rest);

    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>What each transport costs</title><style>",
    );
    out.push_str(include_str!("page.css"));
    out.push_str(
        "</style></head><body><header><h1>What each transport costs</h1>\
         <p class=\"note\">",
    );
    for line in report.machine.lines() {
        let _ = write!(out, "{}<br>", escape(&line));
    }
    let _ = write!(out, "{}</p>", escape(&how(report)));
    legend(&mut out, report);
    contents(&mut out, &body);
    let _ = writeln!(out, "</header><main>{body}</main></body></html>");
    out
}

fn heading(out: &mut String, title: &str) {
    let id = anchor(title);
    let _ = write!(out, "<h2 id=\"{id}\">{}</h2>", escape(title));
}

fn note(out: &mut String, text: &str) {
    if text.is_empty() {
        return;
    }
    let _ = write!(out, "<p class=\"note\">{}</p>", escape(text));
}

/// The parts, each below its title. A table is folded away.
fn show(out: &mut String, parts: Vec<Part>) {
    for part in parts {
        match part {
            Part::List(title, lines, text) => {
                heading(out, &title);
                out.push_str("<ul>");
                for line in lines {
                    let _ = write!(out, "<li>{}</li>", escape(&line));
                }
                out.push_str("</ul>");
                note(out, text);
            }
            Part::Table(section) => {
                heading(out, &section.title);
                note(out, &section.note);
                details(out, &section);
            }
        }
    }
}

/// Links to all headings of the body.
fn contents(out: &mut String, body: &str) {
    out.push_str("<nav><ul>");
    for rest in body.split("<h2 id=\"").skip(1) {
        if let Some((id, rest)) = rest.split_once("\">")
            && let Some((title, _)) = rest.split_once("</h2>")
        {
            let _ = write!(out, "<li><a href=\"#{id}\">{title}</a></li>");
        }
    }
    out.push_str("</ul></nav>");
}

fn legend(out: &mut String, report: &Report) {
    let mut names: Vec<&str> = Vec::new();
    for sample in &report.samples {
        if !names.contains(&sample.program.as_str()) {
            names.push(&sample.program);
        }
    }
    let node = report.machine.node.as_deref().unwrap_or_default();
    out.push_str("<p class=\"legend\">");
    for name in names {
        let what = match name {
            "floor" => ": the least that the kernel allows".to_owned(),
            "Node" => format!(" {node}"),
            "events" => ": Node, written with events".to_owned(),
            _ => String::new(),
        };
        let class = class(name);
        let text = escape(&(name.to_owned() + &what));
        let _ = write!(out, "<span class=\"{class}\"><i></i>{text}</span> ");
    }
    out.push_str("</p>");
}

/// What was measured of this kind on one core.
fn tasks(report: &Report, of: impl Fn(&Task) -> bool) -> Vec<Task> {
    let mut all = report.tasks();
    all.retain(|task| task.placement == Placement::One && of(task));
    all
}

/// One picture for everything: a line for each transport, a dot for each
/// program. No SVG: on a narrow screen the texts keep their size.
fn overview(out: &mut String, report: &Report) {
    let median = |task: &Task, program: &str| {
        Some(report.value(task, program)?.median).filter(|one| *one > 0.0)
    };
    let tasks = tasks(report, |task| task.what == HELLO);
    let rows: Vec<_> = tasks
        .iter()
        .map(|task| {
            let mut dots: Vec<_> = report
                .programs(task)
                .into_iter()
                .filter_map(|name| Some((name, median(task, name)?)))
                .collect();
            dots.sort_by(|a, b| a.1.total_cmp(&b.1));
            (title(&task.transport), dots)
        })
        .filter(|(_, dots)| !dots.is_empty())
        .collect();
    let values = rows
        .iter()
        .flat_map(|(_, dots)| dots.iter().map(|dot| dot.1));
    let (least, most) = values
        .fold((f64::INFINITY, 0.0), |(low, high), one| {
            (one.min(low), one.max(high))
        });
    if rows.is_empty() {
        return;
    }
    heading(out, "Round trips of 5 B");
    note(
        out,
        "Median round trip in µs, both programs on one core. Further left is \
         better; equal distances are equal ratios.",
    );
    // A little room at both ends.
    let (low, high) = (least / 1.2, most * 1.2);
    let at = |value: f64| (value / low).ln() / (high / low).ln() * 100.0;
    let mut lines = String::new();
    let mut axis = String::new();
    for value in marks(low, high) {
        let at = at(value);
        let _ = write!(lines, "<s style=\"left:{at:.1}%\"></s>");
        let _ = write!(axis, "<b style=\"left:{at:.1}%\">{value} µs</b>");
    }
    out.push_str("<div class=\"overview\">");
    for (name, dots) in &rows {
        let _ = write!(
            out,
            "<strong>{}</strong><div class=\"rail\">{lines}",
            escape(name)
        );
        let mut texts = String::new();
        for (program, value) in dots {
            let (class, shown) = (class(program), figure3(*value));
            let program = escape(program);
            let _ = write!(
                out,
                "<i class=\"{class}\" style=\"left:{:.1}%\" \
                 title=\"{program}: {shown} µs\"></i>",
                at(*value)
            );
            let _ = write!(
                texts,
                "<span class=\"{class}\">{program} {shown}</span> "
            );
        }
        let _ = write!(out, "</div><p>{texts}</p>");
    }
    let _ = write!(out, "<em></em><div class=\"axis\">{axis}</div></div>");
}

fn plots(out: &mut String, report: &Report) {
    heading(out, "Throughput, memory, events");
    note(
        out,
        "All on one core; what two cores make of it stands in the tables.",
    );
    cards(
        out,
        "How much goes through",
        "Writes of each size, as many as the transport takes; all of it comes \
         back. Higher is better.",
        by_size(report, Measure::Stream),
    );
    cards(
        out,
        "Memory of a server with clients that wait",
        "Resident memory. Lower is better.",
        by_size(report, Measure::Memory),
    );
    cards(
        out,
        "What an event costs",
        "Processor time of the server for each client that receives it. Lower \
         is better.",
        by_size(report, Measure::Push),
    );
}

fn cards(out: &mut String, title: &str, text: &str, plots: Vec<Plot>) {
    let drawn: Vec<_> = plots
        .into_iter()
        .filter_map(|plot| Some((plot.svg()?, plot.title)))
        .collect();
    if drawn.is_empty() {
        return;
    }
    let _ = write!(out, "<h3>{title}</h3>");
    note(out, text);
    out.push_str("<div class=\"cards\">");
    for (svg, name) in drawn {
        let name = escape(&name);
        let _ = write!(
            out,
            "<figure><figcaption>{name}</figcaption>{svg}</figure>"
        );
    }
    out.push_str("</div>");
}

/// For each transport, a line for each program through all sizes of one
/// measure.
fn by_size(report: &Report, measure: Measure) -> Vec<Plot> {
    // Sizes of writes grow by factors.
    let (label, unit, factor, at): (_, _, _, fn(usize) -> f64) = match measure {
        Measure::Memory => {
            ("connections", "MiB", 1.0 / 1024.0, |size| size as f64)
        }
        Measure::Push => ("clients", "µs", 1.0, |size| (size as f64).log2()),
        _ => ("bytes in each write", "MB/s", 1.0, |size| {
            (size as f64).log2()
        }),
    };
    let tasks = tasks(report, |task| task.what.measure == measure);
    let plot = |tasks: &[Task]| {
        let mark = |task: &Task| {
            let name = match measure {
                Measure::Memory | Measure::Push => task.what.size.to_string(),
                _ => size(task.what.size),
            };
            (at(task.what.size), name)
        };
        let line = |program: &str| {
            let point = |task: &Task| {
                let median = report.value(task, program)?.median;
                Some((at(task.what.size), median * factor))
            };
            let mut points: Vec<_> = tasks.iter().filter_map(point).collect();
            points.sort_by(|one, other| one.0.total_cmp(&other.0));
            (program.to_owned(), points)
        };
        let programs = report.programs(&tasks[0]);
        Plot {
            title: title(&tasks[0].transport).to_owned(),
            x: (label.to_owned(), tasks.iter().map(mark).collect()),
            unit,
            series: programs.into_iter().map(line).collect(),
        }
    };
    let mut all: Vec<_> = tasks
        .chunk_by(|one, other| one.transport == other.transport)
        .map(plot)
        .collect();
    // A line needs two points.
    all.retain(|plot| plot.series.iter().any(|(_, line)| line.len() > 1));
    all
}

fn details(out: &mut String, section: &Section) {
    out.push_str("<details><summary>The figures</summary>");
    out.push_str("<div class=\"scroll\"><table><tr>");
    let align = |column| match section.is_text(column) {
        true => "",
        false => " class=\"n\"",
    };
    for (i, name) in section.head.iter().enumerate() {
        let _ = write!(out, "<th{}>{name}</th>", align(i));
    }
    out.push_str("</tr>");
    for row in &section.rows {
        let look = match row.look {
            Look::Plain => "",
            Look::Ours => " class=\"ours\"",
            Look::Bad => " class=\"bad\"",
        };
        let _ = write!(out, "<tr{look}>");
        for (i, cell) in row.cells.iter().enumerate() {
            let _ = write!(out, "<td{}>{}</td>", align(i), escape(cell));
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div></details>");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::report;

    #[test]
    fn the_page_needs_nothing_from_elsewhere() {
        let mut report = report();
        report.notes.push("<script>".to_owned());
        report.samples[0].error = Some("a < b".to_owned());
        let page = page(&report);
        for outside in ["//", "<script", "src=", "@import", "url(", "<link"] {
            assert!(!page.contains(outside), "{outside}");
        }
        assert!(page.contains("&lt;script&gt;") && page.contains("a &lt; b"));
        assert!(!page.contains("NaN"));
    }

    #[test]
    fn the_contents_name_every_heading_and_a_quick_run_has_no_verdict() {
        let mut report = report();
        let whole = page(&report);
        let links = whole.matches("<a href=\"#").count();
        assert_eq!(links, whole.matches("<h2 id=").count());
        assert!(whole.contains("slower than Node"));
        report.settings.quick = true;
        let quick = page(&report);
        assert!(!quick.contains("slower than Node"));
    }
}
