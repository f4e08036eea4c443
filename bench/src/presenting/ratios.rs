//! Ratios between programs. Both took their turns in the same rounds, so a
//! ratio is the median of the ratios within the rounds: drift of the machine
//! hits both alike and cancels out.

use crate::sample::{
    Better, Figures, Measure, Placement, Report, Sample, Task,
};

/// A floor may be this much slower than what stands on it: noise.
const NOISE: f64 = 0.9;

/// The median of several values, and how far they lie apart.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    /// The smallest.
    pub least: f64,
    /// The middle one.
    pub median: f64,
    /// The greatest.
    pub most: f64,
}

impl Spread {
    /// Of `values`, unless there are none.
    pub fn new(mut values: Vec<f64>) -> Option<Self> {
        values.sort_by(f64::total_cmp);
        let (least, most) = (*values.first()?, *values.last()?);
        let middle = values.len() / 2;
        let median = match values.len() % 2 {
            0 => f64::midpoint(values[middle - 1], values[middle]),
            _ => values[middle],
        };
        Some(Self {
            least,
            median,
            most,
        })
    }

    /// The same in another unit.
    pub fn scaled(self, factor: f64) -> Self {
        Self {
            least: self.least * factor,
            median: self.median * factor,
            most: self.most * factor,
        }
    }
}

/// How one program did against another, in one task.
#[derive(Clone, Debug)]
pub struct Compared {
    /// In what.
    pub task: Task,
    /// How many times better, in the worst round, the median one, the best.
    pub times: Spread,
}

impl Compared {
    /// Worse in every round: less than that is noise.
    pub fn is_slower(&self) -> bool {
        self.times.most < 1.0
    }

    /// In some rounds slower, in some not.
    pub fn is_even(&self) -> bool {
        self.times.median < 1.0 && !self.is_slower()
    }
}

impl Report {
    /// The samples that failed.
    pub fn failures(&self) -> impl Iterator<Item = &Sample> {
        self.samples.iter().filter(|sample| sample.error.is_some())
    }

    /// The samples of one program, in the order of the rounds.
    pub fn of<'a>(
        &'a self,
        task: &'a Task,
        program: &'a str,
    ) -> impl Iterator<Item = &'a Sample> {
        self.samples
            .iter()
            .filter(move |one| one.task == *task && one.program == program)
    }

    /// The median over the rounds of one figure, with its range.
    pub fn spread(
        &self,
        task: &Task,
        program: &str,
        figure: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<Spread> {
        let samples = self.of(task, program);
        Spread::new(samples.filter_map(|one| figure(&one.figures)).collect())
    }

    /// As [`Report::spread`], of the figure that stands for the task.
    pub fn value(&self, task: &Task, program: &str) -> Option<Spread> {
        self.spread(task, program, |one| task.what.measure.of(one))
    }

    /// How many times better `ours` did than `theirs` within each round.
    pub fn times(&self, task: &Task, pair: [&str; 2]) -> Option<Spread> {
        let better = task.what.measure.better();
        self.times_by(pair.map(|program| (task, program)), better, |figures| {
            task.what.measure.of(figures)
        })
    }

    /// As [`Report::times`], by another figure or over two transports.
    pub fn times_by(
        &self,
        [ours, theirs]: [(&Task, &str); 2],
        better: Better,
        figure: impl Fn(&Figures) -> Option<f64>,
    ) -> Option<Spread> {
        let ratios = self.of(ours.0, ours.1).filter_map(|own| {
            // A round may hold a failed warming up besides.
            let theirs = self
                .of(theirs.0, theirs.1)
                .filter(|other| other.round == own.round)
                .find_map(|other| figure(&other.figures))?;
            Some(better.times(figure(&own.figures)?, theirs))
        });
        Spread::new(ratios.filter(|ratio| !ratio.is_nan()).collect())
    }

    /// How many times better `program` did than Node.
    pub fn than_node(&self, task: &Task, program: &str) -> Option<Spread> {
        self.times(task, [program, self.node(task)])
    }

    /// The quicker way of writing it in Node: the lesson's twin, or the
    /// bench's own echo with events where there is one.
    pub fn node(&self, task: &Task) -> &'static str {
        let better = task.what.measure.better();
        let median = |program| Some(self.value(task, program)?.median);
        match (median("events"), median("Node")) {
            (Some(events), Some(twin)) if better.times(events, twin) > 1.0 => {
                "events"
            }
            _ => "Node",
        }
    }

    /// What was measured, each once, in the order in which it was; what was
    /// measured of one transport stands together.
    pub fn tasks(&self) -> Vec<Task> {
        let mut all: Vec<Task> = Vec::new();
        for sample in &self.samples {
            if !all.contains(&sample.task) {
                all.push(sample.task.clone());
            }
        }
        let names: Vec<_> =
            all.iter().map(|one| one.transport.clone()).collect();
        all.sort_by_key(|task| {
            names.iter().position(|name| *name == task.transport)
        });
        all
    }

    /// Who took part, in the order of the turns.
    pub fn programs(&self, task: &Task) -> Vec<&str> {
        let mut all: Vec<&str> = Vec::new();
        for sample in &self.samples {
            let program = sample.program.as_str();
            if sample.task == *task && !all.contains(&program) {
                all.push(program);
            }
        }
        all
    }

    /// The lesson's Rust half against Node, in all that was asked of both.
    pub fn against_node(&self) -> Vec<Compared> {
        let compared = |task: Task| {
            let times = self.than_node(&task, "Rust")?;
            Some(Compared { task, times })
        };
        self.tasks().into_iter().filter_map(compared).collect()
    }

    /// The floors that were slower than a program that stands on them, in
    /// every round and by more than noise. The least that the kernel allows
    /// cannot be slower: such a run was disturbed. On two cores it can: how
    /// often a side sleeps and has to be woken is chance. And with small
    /// writes: a program that is slower to read finds more of them at once,
    /// and answers them with one.
    pub fn slow_floors(&self) -> Vec<Compared> {
        let mut all = Vec::new();
        let mut tasks = self.tasks();
        tasks.retain(|task| {
            let what = task.what;
            let small = what.measure == Measure::Stream && what.size < 4096;
            task.placement == Placement::One && !small
        });
        for task in tasks {
            let times = ["Rust", "Node", "events"]
                .iter()
                .filter_map(|one| self.times(&task, ["floor", one]))
                .min_by(|one, other| one.median.total_cmp(&other.median));
            if let Some(times) = times
                && times.most < 1.0
                && times.median < NOISE
            {
                all.push(Compared { task, times });
            }
        }
        all
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sample::tests::{hello, report, sample};

    #[test]
    fn the_median_stands_between_the_extremes() {
        assert_eq!(Spread::new(vec![]), None);
        let of = |values: &[f64]| Spread::new(values.to_vec()).unwrap();
        assert_eq!(of(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(of(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(of(&[7.0]).least, 7.0);
        assert_eq!(of(&[3.0, 1.0, 2.0]).most, 3.0);
    }

    #[test]
    fn drift_that_hits_all_alike_leaves_the_ratios_as_they_are() {
        let report = report();
        let times = |pair| report.times(&hello(), pair);
        let node = times(["Rust", "Node"]).unwrap().median;
        let floor = times(["floor", "Rust"]).unwrap().median;
        assert!((node - 2.0).abs() < 1e-9 && (floor - 1.2).abs() < 1e-9);
        assert_eq!(times(["Rust", "nobody"]), None);
    }

    #[test]
    fn rust_is_compared_with_the_quicker_way_of_writing_it_in_node() {
        let mut report = report();
        assert_eq!(report.node(&hello()), "Node");
        for (round, median) in [(0, 9.0), (1, 9.0), (2, 9.0)] {
            report.samples.push(sample("events", round, median));
        }
        assert_eq!(report.node(&hello()), "events");
        let times = report.than_node(&hello(), "Rust").unwrap();
        assert_eq!((times.least, times.median), (1.0, 1.2));
        report.samples.retain(|one| one.program != "Node");
        assert_eq!(report.against_node().len(), 0);
    }

    #[test]
    fn a_floor_slower_than_what_stands_on_it_is_found() {
        let with_floor = |floor: [f64; 3]| {
            let mut report = report();
            report.samples.clear();
            for (round, floor) in (0..).zip(floor) {
                report.samples.push(sample("floor", round, floor));
                report.samples.push(sample("Rust", round, 6.0));
            }
            report.slow_floors().len()
        };
        assert_eq!(with_floor([5.0, 5.0, 5.0]), 0);
        // In one round only, or by next to nothing: noise.
        assert_eq!(with_floor([9.0, 9.0, 5.0]), 0);
        assert_eq!(with_floor([6.6, 6.6, 6.6]), 0);
        assert_eq!(with_floor([7.0, 9.0, 7.0]), 1);
    }
}
