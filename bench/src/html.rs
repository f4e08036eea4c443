//! The report as one page: no network, no script, light and dark.

use std::fmt::Write as _;

use crate::place::Placement;
use crate::report::{self, Look, Section, figure3, programs, sections, title};
use crate::sample::{Measure, Report, What, size};
use crate::svg::{Axis, Plot, Scale, Series, class, escape};
use crate::targets;
use crate::text::{endings, how, is_text};

/// The page.
pub fn page(report: &Report) -> String {
    let mut out = String::from(
        "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\
         <meta name=\"viewport\" content=\"width=device-width\">\
         <title>What each transport costs</title><style>",
    );
    out.push_str(include_str!("page.css"));
    out.push_str("</style></head><body>");
    out.push_str(
        "<header><h1>What each transport costs</h1><p class=\"machine\">",
    );
    for line in report.machine.lines() {
        let _ = write!(out, "{}<br>", escape(&line));
    }
    let _ = write!(out, "{}</p>", escape(&how(report)));
    legend(&mut out, report);
    out.push_str("</header><main>");

    overview(&mut out, report);
    claim(&mut out, report);
    numbers(&mut out, report);
    out.push_str(
        "<section><h2>Distribution, throughput, memory</h2>\
         <input type=\"radio\" name=\"place\" id=\"one\" checked>\
         <label for=\"one\">one core</label>\
         <input type=\"radio\" name=\"place\" id=\"two\">\
         <label for=\"two\">two cores</label>\
         <p class=\"note\">On one core a message costs what the programs and \
         the kernel do. On two, the other core has to be woken as well, \
         which on a virtual machine hides everything else.</p>",
    );
    for placement in [Placement::One, Placement::Two] {
        let class = match placement {
            Placement::One => "one",
            Placement::Two => "two",
        };
        let _ = write!(out, "<div class=\"place {class}\">");
        cards(
            &mut out,
            "How long round trips of 5 B take",
            "To the right ever fewer messages: the line shows how long the \
             slowest 10, 1, 0.1 percent take. Lower is better.",
            &latencies(report, placement),
        );
        cards(
            &mut out,
            "How much goes through",
            "Writes of each size, as many as the transport takes; all of it \
             comes back. Higher is better.",
            &throughputs(report, placement),
        );
        out.push_str("</div>");
    }
    cards(
        &mut out,
        "Memory of a server with clients that wait",
        "Resident memory. Lower is better.",
        &memories(report),
    );
    out.push_str("</section>");

    out.push_str("<section><h2>All figures</h2>");
    for section in sections(report).iter().filter(|one| !one.answers) {
        table(&mut out, section);
    }
    for (title, lines) in endings(report) {
        let _ = write!(out, "<h3>{}</h3><ul>", escape(&title));
        for line in lines {
            let _ = write!(out, "<li>{}</li>", escape(&line));
        }
        out.push_str("</ul>");
    }
    out.push_str("</section></main></body></html>\n");
    out
}

fn legend(out: &mut String, report: &Report) {
    let mut names: Vec<&str> = Vec::new();
    for sample in &report.samples {
        if !names.contains(&sample.program.as_str()) {
            names.push(&sample.program);
        }
    }
    out.push_str("<p class=\"legend\">");
    for name in names {
        let what = match name {
            "floor" => ": the least that the kernel allows",
            _ => "",
        };
        let _ = write!(
            out,
            "<span class=\"{}\"><i></i>{}{what}</span>",
            class(name),
            escape(name)
        );
    }
    out.push_str("</p>");
}

/// What was measured of this kind, in the order of the table.
fn transports(report: &Report, what: What) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for sample in &report.samples {
        if sample.what == what && !all.contains(&sample.transport) {
            all.push(sample.transport.clone());
        }
    }
    all
}

const HELLO: What = What {
    measure: Measure::RoundTrip,
    size: 5,
};

/// One picture for everything: a line for each transport, a dot for each
/// program.
fn overview(out: &mut String, report: &Report) {
    const ROW: f64 = 44.0;
    const LEFT: f64 = 150.0;
    const WIDTH: f64 = 820.0;
    let median = |transport: &str, program: &str| {
        let spread = report.spread(
            transport,
            program,
            HELLO,
            Placement::One,
            |figures| figures.median,
        );
        spread.map(|spread| spread.median)
    };
    let rows: Vec<_> = transports(report, HELLO)
        .into_iter()
        .map(|transport| {
            let all = programs(report, &transport, HELLO, Placement::One);
            let dots: Vec<_> = all
                .into_iter()
                .filter_map(|name| {
                    let value = median(&transport, &name)?;
                    Some((name, value))
                })
                .collect();
            (transport, dots)
        })
        .filter(|(_, dots)| !dots.is_empty())
        .collect();
    let values = || {
        rows.iter()
            .flat_map(|(_, dots)| dots.iter().map(|(_, value)| *value))
    };
    let most = values().fold(0.0, f64::max);
    let least = values().fold(f64::INFINITY, f64::min);
    if rows.is_empty() || least <= 0.0 {
        return;
    }
    let height = ROW * rows.len() as f64 + 34.0;
    // Of a shared memory and of a broker: only factors fit side by side.
    let doublings = (most / least).log2().max(1.0);
    let step = (WIDTH - LEFT - 60.0) / doublings;
    let x = |value: f64| LEFT + 20.0 + (value / least).log2() * step;
    let _ = write!(
        out,
        "<section><h2>A message of 5 B, there and back</h2><p class=\"note\">\
         Median, in µs, both programs on one core. Further left is better; \
         from one upright line to the next it takes twice as long.</p><div class=\"scroll\"><svg class=\"overview\" viewBox=\"0 0 \
         {WIDTH} {height}\" role=\"img\" aria-label=\"Median round trip of \
         5 bytes for each transport\">"
    );
    let mut double = 2_f64.powf(least.log2().ceil());
    while double <= most {
        let at = x(double);
        let _ = write!(
            out,
            "<path class=\"grid\" d=\"M{at:.1} 0V{:.1}\"/><text class=\"mark \
             middle\" x=\"{at:.1}\" y=\"{:.1}\">{}</text>",
            height - 18.0,
            height - 4.0,
            figure3(double)
                .trim_end_matches(".0")
                .trim_end_matches(".00")
        );
        double *= 2.0;
    }
    for (i, (transport, dots)) in rows.iter().enumerate() {
        let y = ROW * (i as f64 + 0.5) + 8.0;
        let _ = write!(
            out,
            "<text class=\"name end\" x=\"{:.0}\" y=\"{:.1}\">{}</text>\
             <path class=\"rail\" d=\"M{LEFT} {y:.1}H{WIDTH}\"/>",
            LEFT - 14.0,
            y + 5.0,
            escape(&title(transport))
        );
        let mut dots = dots.clone();
        dots.sort_by(|a, b| a.1.total_cmp(&b.1));
        // A figure stands above its dot; where that would hide another, below.
        let mut last = f64::NEG_INFINITY;
        let mut below = false;
        for (program, value) in &dots {
            let at = x(*value);
            below = at - last < 34.0 && !below;
            last = at;
            let _ = write!(
                out,
                "<g class=\"{}\"><circle class=\"dot\" cx=\"{at:.1}\" \
                 cy=\"{y:.1}\" r=\"6\"><title>{}: {} µs</title></circle>\
                 <text class=\"value middle\" x=\"{at:.1}\" y=\"{:.1}\">{}\
                 </text></g>",
                class(program),
                escape(program),
                figure3(*value),
                if below { y + 20.0 } else { y - 10.0 },
                figure3(*value)
            );
        }
    }
    out.push_str("</svg></div></section>");
}

fn claim(out: &mut String, report: &Report) {
    let all = report::comparisons(report);
    if all.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<section class=\"claim\"><h2>Is a Unix socket twice as fast as TCP \
         on the same host?</h2><p>{}</p><details><summary>Each size</summary>\
         <p class=\"note\">How many times as fast as TCP a Unix socket is. \
         </p><div class=\"scroll\"><table><tr><th></th><th></th>",
        escape(&report::answer(&all))
    );
    const PROGRAMS: [&str; 3] = ["floor", "Rust", "Node"];
    for name in PROGRAMS {
        let _ = write!(out, "<th>{name}</th>");
    }
    out.push_str("</tr>");
    for one in &all {
        let _ =
            write!(out, "<tr><td>{}</td><td>{}</td>", one.what, one.placement);
        for name in PROGRAMS {
            let found = one.ratios.iter().find(|(whose, _)| *whose == name);
            let Some((_, ratio)) = found else {
                out.push_str("<td></td>");
                continue;
            };
            // Four times as fast fills the cell.
            let share = (ratio / 4.0).min(1.0) * 100.0;
            let _ = write!(
                out,
                "<td class=\"bar {}\"><i style=\"width:{share:.0}%\"></i>\
                 {ratio:.2}</td>",
                class(name)
            );
        }
        out.push_str("</tr>");
    }
    out.push_str("</table></div></details></section>");
}

/// The numbers to reach: those that are about the same stand together.
fn numbers(out: &mut String, report: &Report) {
    let section = targets::section(report);
    let _ = write!(
        out,
        "<section><h2>{}</h2><p class=\"note\">{}</p><dl class=\"numbers\">",
        escape(&section.title),
        escape(&section.note)
    );
    let mut last = "";
    for one in targets::all(report) {
        if one.what != last {
            let end = if last.is_empty() { "" } else { "</dd>" };
            let _ = write!(out, "{end}<dt>{}</dt><dd>", escape(one.what));
            last = one.what;
        }
        let (class, mark, said) = match one.reached {
            Some(true) => ("reached", "✓", "reached"),
            Some(false) => ("missed", "✗", "not reached"),
            None => ("open", "·", "not measured"),
        };
        let floor = match &*one.floor {
            "" => String::new(),
            floor => format!(", floor {floor}"),
        };
        let _ = write!(
            out,
            "<span class=\"chip {class}\"><i title=\"{said}\">{mark}</i>{} \
             <b>{}</b> <small>{}{floor}</small></span>",
            escape(&one.transport),
            escape(&one.measured),
            escape(&one.wanted)
        );
    }
    out.push_str("</dd></dl></section>");
}

fn cards(out: &mut String, title: &str, note: &str, plots: &[(String, Plot)]) {
    let drawn: Vec<_> = plots
        .iter()
        .filter_map(|(name, plot)| Some((name, plot.svg()?)))
        .collect();
    if drawn.is_empty() {
        return;
    }
    let _ = write!(
        out,
        "<h3>{title}</h3><p class=\"note\">{note}</p><div class=\"cards\">"
    );
    for (name, svg) in drawn {
        let _ = write!(
            out,
            "<figure><figcaption>{}</figcaption>{svg}</figure>",
            escape(name)
        );
    }
    out.push_str("</div>");
}

/// The share of messages that took longer, as nines: 0.9 is at 1, 0.99 at 2.
fn nines(share: f64) -> f64 {
    -(1.0 - share).log10()
}

fn latencies(report: &Report, placement: Placement) -> Vec<(String, Plot)> {
    /// What is slower than this is too little to be drawn.
    const LAST: f64 = 0.9999;

    let plot = |transport: &String| {
        let series = programs(report, transport, HELLO, placement)
            .into_iter()
            .map(|program| {
                let bars =
                    report.histogram(transport, &program, HELLO, placement);
                let all: u64 = bars.iter().map(|(_, count)| count).sum();
                let mut points: Vec<(f64, f64)> = Vec::new();
                let mut so_far = 0;
                for (time, count) in bars {
                    let share = so_far as f64 / all as f64;
                    so_far += count;
                    let at = nines(share.min(LAST));
                    // Closer than a pixel says nothing.
                    let far =
                        points.last().is_none_or(|last| at - last.0 > 0.012);
                    if far && share <= LAST {
                        points.push((at, time as f64 / 1e3));
                    }
                }
                Series {
                    name: program,
                    points,
                }
            })
            .collect();
        let plot = Plot {
            title: format!("Round trips of 5 B over {}", title(transport)),
            x: Axis {
                label: "share of messages that are quicker".to_owned(),
                scale: Scale::Linear,
                marks: [0.0, 0.5, 0.9, 0.99, 0.999, LAST]
                    .into_iter()
                    .map(|share: f64| {
                        let percent = share * 100.0;
                        let rounded = (percent * 100.0).round() / 100.0;
                        let name = match rounded {
                            0.0 => String::new(),
                            _ => format!("{rounded}%"),
                        };
                        (nines(share), name)
                    })
                    .collect(),
            },
            y: Axis {
                label: "µs".to_owned(),
                scale: Scale::Log,
                marks: Vec::new(),
            },
            series,
            dots: false,
        };
        (title(transport), plot)
    };
    transports(report, HELLO).iter().map(plot).collect()
}

/// For each transport, a line for each program through all sizes of one
/// measure.
fn by_size(
    report: &Report,
    placement: Option<Placement>,
    measure: Measure,
    x: &Axis,
    y: &Axis,
    factor: f64,
) -> Vec<(String, Plot)> {
    let mut all: Vec<(String, Plot)> = Vec::new();
    let mut seen: Vec<&str> = Vec::new();
    for sample in &report.samples {
        let place = placement.unwrap_or(sample.placement);
        if sample.what.measure != measure
            || sample.placement != place
            || seen.contains(&sample.transport.as_str())
        {
            continue;
        }
        let transport = sample.transport.as_str();
        seen.push(transport);
        let mut sizes: Vec<_> = report
            .samples
            .iter()
            .filter(|one| one.transport == transport)
            .filter(|one| one.what.measure == measure)
            .map(|one| one.what)
            .collect();
        sizes.sort();
        sizes.dedup();
        let series = programs(report, transport, sample.what, place)
            .into_iter()
            .map(|program| {
                let point = |what: &What| {
                    let spread = report.spread(
                        transport,
                        &program,
                        *what,
                        place,
                        |figures| measure.of(figures),
                    )?;
                    Some((what.size as f64, spread.median * factor))
                };
                Series {
                    points: sizes.iter().filter_map(point).collect(),
                    name: program.clone(),
                }
            })
            .collect();
        let marks = match x.marks.is_empty() && x.scale == Scale::Log {
            true => sizes
                .iter()
                .map(|what| (what.size as f64, size(what.size)))
                .collect(),
            false => x.marks.clone(),
        };
        let plot = Plot {
            title: format!("{} over {}", y.label, title(transport)),
            x: Axis { marks, ..x.clone() },
            y: y.clone(),
            series,
            dots: true,
        };
        all.push((title(transport), plot));
    }
    // A line needs two points.
    all.retain(|(_, plot)| {
        plot.series.iter().any(|series| series.points.len() > 1)
    });
    all
}

fn throughputs(report: &Report, placement: Placement) -> Vec<(String, Plot)> {
    let x = Axis {
        label: "bytes in each write".to_owned(),
        scale: Scale::Log,
        marks: Vec::new(),
    };
    let y = Axis {
        label: "MB/s".to_owned(),
        scale: Scale::Linear,
        marks: Vec::new(),
    };
    by_size(report, Some(placement), Measure::Stream, &x, &y, 1.0)
}

fn memories(report: &Report) -> Vec<(String, Plot)> {
    let x = Axis {
        label: "connections".to_owned(),
        scale: Scale::Linear,
        marks: Vec::new(),
    };
    let y = Axis {
        label: "MiB".to_owned(),
        scale: Scale::Linear,
        marks: Vec::new(),
    };
    by_size(report, None, Measure::Memory, &x, &y, 1.0 / 1024.0)
}

fn table(out: &mut String, section: &Section) {
    let _ = write!(
        out,
        "<details{}><summary>{}</summary><p class=\"note\">{}</p>\
         <div class=\"scroll\"><table><tr>",
        if section.title.ends_with("one core, in µs") {
            " open"
        } else {
            ""
        },
        escape(&section.title),
        escape(&section.note)
    );
    let align = |column| {
        if is_text(section, column) {
            ""
        } else {
            " class=\"n\""
        }
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
    use crate::sample::tests::{report, sample};

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
    fn there_is_a_line_for_each_program() {
        let plots = latencies(&report(), Placement::One);
        assert_eq!(plots.len(), 1);
        let names: Vec<_> = plots[0]
            .1
            .series
            .iter()
            .map(|one| one.name.as_str())
            .collect();
        assert_eq!(names, ["floor", "Rust", "Node"]);
        // Half of Rust's took at least 6, 7.5 or 9 µs, and one of a hundred
        // three times as long; Node's are twice that.
        let of = |program: usize| &plots[0].1.series[program].points;
        assert_eq!(of(1)[0], (0.0, 6.0));
        assert_eq!(of(1).last(), Some(&(nines(299.0 / 300.0), 27.0)));
        assert_eq!(of(1).len(), of(2).len());
        for (ours, theirs) in of(1).iter().zip(of(2)) {
            assert_eq!((ours.0, ours.1 * 2.0), *theirs);
        }
    }

    #[test]
    fn memory_is_plotted_against_connections() {
        let mut report = report();
        for (connections, kib) in [(0, 2048.0), (1000, 4096.0)] {
            let mut one = sample("Rust", 0, 1.0);
            one.what = What {
                measure: Measure::Memory,
                size: connections,
            };
            one.figures.memory_kib = Some(kib);
            report.samples.push(one);
        }
        let plots = memories(&report);
        let points = &plots[0].1.series[0].points;
        assert_eq!(points, &[(0.0, 2.0), (1000.0, 4.0)]);
    }
}
