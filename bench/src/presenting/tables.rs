//! The tables of figures: round trips and rates on one core and on two, and
//! what a program costs that starts, waits and logs.

use super::ratios::Spread;
use super::section::{Look, Row, Section, figure3, range};
use crate::sample::{Better, Figures, Measure, Placement, Report, Task, size};
use crate::transports::title;

/// The maximum number of letters of a program's name.
const NAME: usize = 9;

/// Those that there are samples for.
pub fn tables(report: &Report) -> Vec<Section> {
    let mut all = Vec::new();
    for placement in [Placement::One, Placement::Two] {
        all.push(round_trips(report, placement));
        all.push(rates(report, placement));
    }
    all.push(others(report));
    all.retain(|section| !section.rows.is_empty());
    all
}

/// A row for each program that took part in a task; the names of transport
/// and task only in the first.
fn rows(
    report: &Report,
    task: &Task,
    name: &str,
    cells: impl Fn(&str) -> Option<Vec<String>>,
) -> Vec<Row> {
    let mut rows = Vec::new();
    for program in report.programs(task) {
        let first = rows.is_empty();
        let shown = |text: &str| if first { text } else { "" }.to_owned();
        let mut row = vec![shown(title(&task.transport)), shown(name)];
        row.push(match program.char_indices().nth(NAME) {
            Some((cut, _)) => format!("{}…", &program[..cut]),
            None => program.to_owned(),
        });
        let failed = report
            .of(task, program)
            .any(|sample| sample.error.is_some());
        let cells = cells(program);
        let look = match (&cells, program) {
            _ if failed => Look::Bad,
            (None, _) => Look::Bad,
            (_, "Rust") => Look::Ours,
            _ => Look::Plain,
        };
        row.extend(cells.unwrap_or_else(|| vec!["FAILED".to_owned()]));
        if failed {
            row[2].push_str(" !");
        }
        rows.push(Row { cells: row, look });
    }
    rows
}

/// The two ratios at a row's end: how much of the floor is reached, and how
/// many times better than the quicker Node it is.
fn ratios(report: &Report, task: &Task, program: &str) -> [String; 2] {
    let against = |other: &str| {
        let times = report.times(task, [program, other])?.median;
        (other != program).then_some(times)
    };
    // "1.2 of the floor" is a cost for times and a share for rates.
    let floor =
        against("floor").map(|times| match task.what.measure.better() {
            Better::Less => 1.0 / times,
            Better::More => times,
        });
    [floor, against(report.node(task))]
        .map(|ratio| ratio.map_or_else(String::new, figure3))
}

/// What was measured of some kinds at one place.
fn tasks(
    report: &Report,
    placement: Placement,
    of: impl Fn(Measure) -> bool,
) -> Vec<Task> {
    let mut all = report.tasks();
    all.retain(|one| one.placement == placement && of(one.what.measure));
    all
}

fn median(spread: Option<Spread>) -> String {
    spread.map_or_else(String::new, |spread| figure3(spread.median))
}

fn round_trips(report: &Report, placement: Placement) -> Section {
    let mut all = Vec::new();
    let tasks =
        tasks(report, placement, |measure| measure == Measure::RoundTrip);
    for task in &tasks {
        all.extend(rows(report, task, &size(task.what.size), |program| {
            let of = |figure: fn(&Figures) -> Option<f64>| {
                median(report.spread(task, program, figure))
            };
            let main = report.value(task, program)?;
            let mut cells = vec![
                of(|figures| figures.min),
                figure3(main.median),
                range(main),
                of(|figures| figures.p99),
                of(|figures| figures.p999),
                of(|figures| figures.server_cpu),
            ];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    let mut note = "One message, its answer, the next message. Median and \
                    range are those of the rounds' medians. CPU: of the \
                    program measured, for each message. Floor: how many times \
                    the floor's time. Node: how many times as fast as Node, \
                    the quicker way of writing it."
        .to_owned();
    let is_free = |task: &Task| task.transport == "shared-memory";
    if placement == Placement::Two && tasks.iter().any(is_free) {
        note += " Shared memory is not pinned: its two programs run where the \
                 kernel puts them.";
    }
    Section {
        title: format!("Round trips on {placement}, in µs"),
        note,
        head: vec![
            "", "size", "program", "min", "median", "range", "p99", "p99.9",
            "CPU", "floor", "Node",
        ],
        rows: all,
    }
}

fn rates(report: &Report, placement: Placement) -> Section {
    let mut all = Vec::new();
    let tasks = tasks(report, placement, |measure| {
        measure.better() == Better::More
    });
    for task in &tasks {
        all.extend(rows(report, task, &task.what.to_string(), |program| {
            let (unit, scale) = match task.what.measure {
                Measure::Stream => ("MB/s", 1.0),
                _ => ("k/s", 1e-3),
            };
            let rate = report.value(task, program)?.scaled(scale);
            let cpu = |figure: fn(&Figures) -> Option<f64>| {
                median(report.spread(task, program, figure))
            };
            let mut cells = vec![
                figure3(rate.median),
                unit.to_owned(),
                range(rate),
                cpu(|figures| figures.server_cpu),
                cpu(|figures| figures.load_cpu),
            ];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    Section {
        title: format!("Rates on {placement}"),
        note: "CPU and load: µs of processor time for each message, of the \
               program measured and of the load. Floor: share of the floor's \
               rate. Node: how many times Node's rate, the quicker way of \
               writing it. Catch-up: clients connect and receive the 100 \
               events that the server remembers; events in a second."
            .to_owned(),
        head: vec![
            "", "what", "program", "median", "", "range", "CPU", "load",
            "floor", "Node",
        ],
        rows: all,
    }
}

fn others(report: &Report) -> Section {
    let mut all = Vec::new();
    let tasks = tasks(report, Placement::One, |measure| {
        measure.better() == Better::Less && measure != Measure::RoundTrip
    });
    for task in &tasks {
        all.extend(rows(report, task, &task.what.to_string(), |program| {
            let (unit, scale) = match task.what.measure {
                Measure::Push => ("µs", 1.0),
                Measure::Start => ("ms", 1.0),
                _ => ("MiB", 1.0 / 1024.0),
            };
            let value = report.value(task, program)?.scaled(scale);
            let mut cells =
                vec![figure3(value.median), unit.to_owned(), range(value)];
            cells.extend(ratios(report, task, program));
            Some(cells)
        }));
    }
    Section {
        title: "Starting, memory, events, on one core".to_owned(),
        note: "First answer: from the start of the program until its first \
               answer. Memory: resident, with that many connections that \
               wait. Event: processor time for each client that receives it."
            .to_owned(),
        head: vec![
            "", "what", "program", "median", "", "range", "floor", "Node",
        ],
        rows: all,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::report;

    #[test]
    fn what_is_not_pinned_is_said_where_it_counts() {
        let mut report = report();
        let says = |report: &Report| {
            let all = tables(report);
            let notes = all.iter().filter(|one| one.note.contains("pinned"));
            notes.map(|one| one.title.clone()).collect::<Vec<_>>()
        };
        for sample in &mut report.samples {
            sample.task.transport = "shared-memory".to_owned();
        }
        assert_eq!(says(&report), [""; 0]);
        for sample in &mut report.samples {
            sample.task.placement = Placement::Two;
        }
        assert_eq!(says(&report), ["Round trips on two cores, in µs"]);
    }

    #[test]
    fn a_failed_run_stands_in_the_table() {
        let mut report = report();
        report.samples[1].error = Some("wrong byte".to_owned());
        report.samples[1].figures = Figures::default();
        let row = &tables(&report)[0].rows[1];
        assert_eq!(row.cells[2], "Rust !");
        assert_eq!(row.look, Look::Bad);
        // The other rounds still count.
        assert_eq!(row.cells[4], "8.25");

        for sample in &mut report.samples {
            sample.error = Some("wrong byte".to_owned());
            sample.figures = Figures::default();
        }
        let row = &tables(&report)[0].rows[0];
        assert_eq!(row.cells[2..], ["floor !", "FAILED"]);
    }
}
