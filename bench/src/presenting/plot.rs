//! A line plot as SVG. The page's style gives it its colours, so one file
//! serves a light screen and a dark one.

use std::fmt::Write as _;

use super::section::figure3;

/// Size of the drawing, in its own units; the page scales it.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 240.0;
/// Room for the axes.
const LEFT: f64 = 66.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 12.0;
const BOTTOM: f64 = 40.0;

/// A plot. From bottom to top equal steps stand for equal factors, as it is
/// ratios that are compared.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Read out to those who cannot see it.
    pub title: String,
    /// What the x axis shows, and its marks.
    pub x: (String, Vec<(f64, String)>),
    /// The unit of the y axis.
    pub unit: &'static str,
    /// The lines: each program's name, and its points from left to right.
    pub series: Vec<(String, Vec<(f64, f64)>)>,
}

/// The class that gives a program its colour.
pub fn class(program: &str) -> &'static str {
    match program {
        "floor" => "floor",
        "Rust" => "rust",
        "Node" => "node",
        "events" => "events",
        "nginx" => "nginx",
        _ => "other",
    }
}

/// Text for use within HTML.
pub fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

impl Plot {
    /// The drawing; nothing where there is nothing to draw.
    pub fn svg(&self) -> Option<String> {
        let (label, x_marks) = &self.x;
        let points = || self.series.iter().flat_map(|(_, points)| points);
        points().next()?;
        let (left, right) = range(
            points()
                .map(|point| point.0)
                .chain(x_marks.iter().map(|m| m.0)),
        );
        let (least, most) = range(points().map(|point| point.1));
        let (low, high) = (step_at_most(least), step_at_least(most));
        let x =
            |value| LEFT + share(value, left, right) * (WIDTH - RIGHT - LEFT);
        let y = |value: f64| {
            let share = share(value.log10(), low.log10(), high.log10());
            HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        };

        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{}\">",
            escape(&self.title)
        );
        for value in marks(low, high) {
            let at = y(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>\
                 <text class=\"mark end\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 3.5,
                with_unit(value, self.unit)
            );
        }
        for (value, name) in x_marks {
            let at = x(*value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{at:.1} {TOP}V{:.1}\"/>\
                 <text class=\"mark middle\" x=\"{at:.1}\" y=\"{:.1}\">{name}\
                 </text>",
                HEIGHT - BOTTOM,
                HEIGHT - BOTTOM + 14.0,
            );
        }
        let _ = write!(
            out,
            "<text class=\"label middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 8.0,
            escape(label),
        );
        for (name, points) in &self.series {
            let class = class(name);
            let name = escape(name);
            let line = points
                .iter()
                .map(|point| format!("{:.1} {:.1}", x(point.0), y(point.1)))
                .collect::<Vec<_>>();
            let _ = write!(
                out,
                "<g class=\"{class}\"><title>{name}</title>\
                 <path class=\"line\" d=\"M{}\"/>",
                line.join("L")
            );
            for point in points {
                let _ = write!(
                    out,
                    "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" \
                     r=\"3.2\"><title>{name}: {} {}</title></circle>",
                    x(point.0),
                    y(point.1),
                    figure3(point.1),
                    self.unit
                );
            }
            out.push_str("</g>");
        }
        out.push_str("</svg>");
        Some(out)
    }
}

/// As in `20 µs` and `5 ms`.
pub fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "µs" if value >= 1000.0 => format!("{} ms", value / 1000.0),
        _ => format!("{value} {unit}"),
    }
}

fn range(values: impl Iterator<Item = f64>) -> (f64, f64) {
    values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), value| {
        (low.min(value), high.max(value))
    })
}

fn share(value: f64, low: f64, high: f64) -> f64 {
    match high - low {
        0.0 => 0.5,
        span => (value - low) / span,
    }
}

/// 1, 2 and 5 times the power of ten below `value`, and 10 times.
fn steps(value: f64) -> [f64; 4] {
    let power = 10_f64.powf(value.max(f64::MIN_POSITIVE).log10().floor());
    // 10^-3 is not quite a thousandth: 5 times that would not be 0.005.
    [1.0, 2.0, 5.0, 10.0].map(|step| match power < 1.0 {
        true => step / (1.0 / power).round(),
        false => step * power,
    })
}

fn step_at_most(value: f64) -> f64 {
    let mut steps = steps(value).into_iter().rev();
    steps.find(|step| *step <= value).unwrap_or(value)
}

fn step_at_least(value: f64) -> f64 {
    let mut steps = steps(value).into_iter();
    steps.find(|step| *step >= value).unwrap_or(value)
}

/// 1, 2, 5, 10, ...; only powers of ten where there would be too many.
pub fn marks(low: f64, high: f64) -> Vec<f64> {
    let few = (high / low).log10() > 2.5;
    let mut all = Vec::new();
    let mut value = low;
    while value <= high {
        let [first, second, fifth, next] = steps(value);
        all.extend(
            [first, second, fifth]
                .into_iter()
                .filter(|step| (low..=high).contains(step))
                .filter(|step| !few || *step == first),
        );
        value = next;
    }
    all
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        Plot {
            title: "A \"plot\"".to_owned(),
            x: ("clients <now>".to_owned(), vec![(1000.0, "1k".to_owned())]),
            unit: "µs",
            series: vec![("Rust".to_owned(), points)],
        }
    }

    #[test]
    fn every_point_is_inside_the_drawing_and_where_its_axes_say() {
        let points = vec![(0.0, 0.3), (500.0, 7.0), (1000.0, 4000.0)];
        let svg = plot(points).svg().unwrap();
        let places = |name: &str| -> Vec<f64> {
            let parts = svg.split(name).skip(1);
            let ends = parts.map(|part| part.split('"').next().unwrap());
            ends.map(|text| text.parse().unwrap()).collect()
        };
        // From 0 to 1000, and from 0.2 to 5000.
        let width = |share| LEFT + share * (WIDTH - RIGHT - LEFT);
        let tall = |value: f64| {
            let share = (value / 0.2).log10() / 25_000_f64.log10();
            HEIGHT - BOTTOM - share * (HEIGHT - BOTTOM - TOP)
        };
        for (found, expected) in [
            (places("cx=\""), [0.0, 0.5, 1.0].map(width)),
            (places("cy=\""), [0.3, 7.0, 4000.0].map(tall)),
        ] {
            assert_eq!(found.len(), 3);
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.1, "{found} {expected}");
            }
        }
        assert!(svg.contains("&lt;now&gt;") && svg.contains("&quot;plot"));
        assert!(svg.contains(">10 µs<") && svg.contains(">1k<"), "{svg}");
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_no_drawing() {
        assert!(plot(Vec::new()).svg().is_none());
        let one = plot(vec![(1000.0, 5.0)]).svg().unwrap();
        assert!(!one.contains("NaN"), "{one}");
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(marks(2.0, 50.0), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(marks(1.0, 1000.0), [1.0, 10.0, 100.0, 1000.0]);
        assert_eq!(marks(0.005, 0.02), [0.005, 0.01, 0.02]);
        assert_eq!((step_at_most(7.0), step_at_least(7.0)), (5.0, 10.0));
    }
}
