//! Plots as SVG, drawn by hand: a page takes their colours from its style, so
//! one file serves a light screen and a dark one.

use std::fmt::Write as _;

use crate::report::figure3;

/// Size of the drawing, in its own units; the page scales it.
const WIDTH: f64 = 380.0;
const HEIGHT: f64 = 240.0;
/// Room for the axes.
const LEFT: f64 = 48.0;
const RIGHT: f64 = 24.0;
const TOP: f64 = 22.0;
const BOTTOM: f64 = 40.0;

/// How values become places.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Scale {
    /// Equal steps for equal differences.
    Linear,
    /// Equal steps for equal factors.
    Log,
}

/// One axis.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it shows.
    pub label: String,
    /// How.
    pub scale: Scale,
    /// Marks and their names; where empty, they are chosen.
    pub marks: Vec<(f64, String)>,
}

/// A line.
#[derive(Clone, Debug)]
pub struct Series {
    /// The program whose figures these are.
    pub name: String,
    /// Its points, from left to right.
    pub points: Vec<(f64, f64)>,
}

/// A plot.
#[derive(Clone, Debug)]
pub struct Plot {
    /// Read out to those who cannot see it.
    pub title: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// The lines.
    pub series: Vec<Series>,
    /// Whether each point is shown as a dot.
    pub dots: bool,
}

/// The class that gives a program its colour.
pub fn class(program: &str) -> &'static str {
    match program {
        "floor" => "floor",
        "Rust" => "rust",
        "Node" => "node",
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

/// From a value to a place.
struct Place {
    scale: Scale,
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Place {
    fn of(&self, value: f64) -> f64 {
        let at = |value: f64| match self.scale {
            Scale::Linear => value,
            Scale::Log => value.max(f64::MIN_POSITIVE).log10(),
        };
        let (low, high) = (at(self.low), at(self.high));
        let share = match high - low {
            0.0 => 0.5,
            span => (at(value) - low) / span,
        };
        self.from + share * (self.to - self.from)
    }
}

impl Plot {
    /// The drawing; nothing where there is nothing to draw.
    pub fn svg(&self) -> Option<String> {
        let points = || self.series.iter().flat_map(|one| &one.points);
        points().next()?;
        let x = self.x.place(points().map(|p| p.0), LEFT, WIDTH - RIGHT);
        let y = self.y.place(points().map(|p| p.1), HEIGHT - BOTTOM, TOP);

        let mut out = format!(
            "<svg viewBox=\"0 0 {WIDTH} {HEIGHT}\" role=\"img\" \
             aria-label=\"{}\">",
            escape(&self.title)
        );
        for (value, name) in self.y.marks(&y) {
            let at = y.of(value);
            let _ = write!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {at:.1}H{:.1}\"/>\
                 <text class=\"mark end\" x=\"{:.1}\" y=\"{:.1}\">{name}\
                 </text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                at + 3.5,
            );
        }
        for (value, name) in self.x.marks(&x) {
            let at = x.of(value);
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
            "<text class=\"label middle\" x=\"{:.1}\" y=\"{:.1}\">{}</text>\
             <text class=\"label\" x=\"2\" y=\"9\">{}</text>",
            f64::midpoint(LEFT, WIDTH - RIGHT),
            HEIGHT - 8.0,
            escape(&self.x.label),
            escape(&self.y.label),
        );
        for series in &self.series {
            self.line(&mut out, series, &x, &y);
        }
        out.push_str("</svg>");
        Some(out)
    }

    fn line(&self, out: &mut String, series: &Series, x: &Place, y: &Place) {
        let name = escape(&series.name);
        let class = class(&series.name);
        let _ = write!(
            out,
            "<g class=\"{class}\"><title>{name}</title><path class=\"line\" \
             d=\""
        );
        for (i, point) in series.points.iter().enumerate() {
            let _ = write!(
                out,
                "{}{:.1} {:.1}",
                if i == 0 { 'M' } else { 'L' },
                x.of(point.0),
                y.of(point.1)
            );
        }
        out.push_str("\"/>");
        if self.dots {
            for point in &series.points {
                let _ = write!(
                    out,
                    "<circle class=\"dot\" cx=\"{:.1}\" cy=\"{:.1}\" \
                     r=\"3.2\"><title>{name}: {}</title></circle>",
                    x.of(point.0),
                    y.of(point.1),
                    figure3(point.1)
                );
            }
        }
        out.push_str("</g>");
    }
}

impl Axis {
    fn place(
        &self,
        values: impl Iterator<Item = f64>,
        from: f64,
        to: f64,
    ) -> Place {
        let (mut low, mut high) = (f64::INFINITY, f64::NEG_INFINITY);
        for value in values {
            low = low.min(value);
            high = high.max(value);
        }
        match (self.scale, self.marks.as_slice()) {
            (_, [(first, _), .., (last, _)]) => {
                low = low.min(*first);
                high = high.max(*last);
            }
            (Scale::Linear, _) => {
                low = 0.0;
                high *= 1.05;
            }
            (Scale::Log, _) => {
                low = step_below(low);
                high = -step_below(-high);
            }
        }
        Place {
            scale: self.scale,
            low,
            high,
            from,
            to,
        }
    }

    fn marks(&self, place: &Place) -> Vec<(f64, String)> {
        if !self.marks.is_empty() {
            return self.marks.clone();
        }
        let values = match self.scale {
            Scale::Linear => {
                let step = nice(place.high / 4.0);
                let count = (place.high / step) as u32;
                (0..=count).map(|i| f64::from(i) * step).collect()
            }
            Scale::Log => log_marks(place.low, place.high),
        };
        values
            .into_iter()
            .map(|value| (value, short(value)))
            .collect()
    }
}

/// 1, 2 or 5 times a power of ten: the greatest that is not above `value`;
/// for a negative one, the least above its amount, negative.
fn step_below(value: f64) -> f64 {
    let amount = value.abs().max(f64::MIN_POSITIVE);
    let power = 10_f64.powf(amount.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|step| step * power);
    match value < 0.0 {
        true => -steps
            .into_iter()
            .find(|step| *step >= amount * 0.999)
            .unwrap_or(amount),
        false => steps
            .into_iter()
            .rev()
            .find(|step| *step <= amount * 1.001)
            .unwrap_or(amount),
    }
}

fn nice(step: f64) -> f64 {
    -step_below(-step.max(f64::MIN_POSITIVE))
}

/// 1, 2, 5, 10, ...; only powers of ten where there would be too many.
fn log_marks(low: f64, high: f64) -> Vec<f64> {
    let few = (high / low).log10() > 2.5;
    let mut all = Vec::new();
    let mut power = 10_f64.powf(low.log10().floor());
    while power <= high * 1.001 {
        for step in [1.0, 2.0, 5.0] {
            let value = step * power;
            let within = value >= low * 0.999 && value <= high * 1.001;
            if within && (step < 1.5 || !few) {
                all.push(value);
            }
        }
        power *= 10.0;
    }
    all
}

/// A number in few letters: `0.5`, `20`, `3k`, `5M`.
fn short(value: f64) -> String {
    let (value, unit) = match value.abs() {
        size if size >= 1e6 => (value / 1e6, "M"),
        size if size >= 1e3 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let rounded = (value * 1000.0).round() / 1000.0;
    format!("{rounded}{unit}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(points: Vec<(f64, f64)>) -> Plot {
        let axis = |scale| Axis {
            label: "µs <now>".to_owned(),
            scale,
            marks: Vec::new(),
        };
        Plot {
            title: "A \"plot\"".to_owned(),
            x: axis(Scale::Linear),
            y: axis(Scale::Log),
            series: vec![Series {
                name: "Rust".to_owned(),
                points,
            }],
            dots: true,
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
        let (x, y) = (places("cx=\""), places("cy=\""));
        assert!(
            x.iter().all(|x| (LEFT..=WIDTH - RIGHT).contains(x)),
            "{x:?}"
        );
        assert!(
            y.iter().all(|y| (TOP..=HEIGHT - BOTTOM).contains(y)),
            "{y:?}"
        );
        // From 0 to 1050, and from 0.2 to 5000.
        let shares = [0.0, 500.0 / 1050.0, 1000.0 / 1050.0];
        let widths = shares.map(|share| LEFT + share * (WIDTH - RIGHT - LEFT));
        let tall = |value: f64| (value / 0.2).log10() / 25_000_f64.log10();
        let heights = [0.3, 7.0, 4000.0].map(|value| {
            HEIGHT - BOTTOM - tall(value) * (HEIGHT - BOTTOM - TOP)
        });
        for (found, expected) in [(x, widths), (y, heights)] {
            for (found, expected) in found.iter().zip(expected) {
                assert!((found - expected).abs() < 0.1, "{found} {expected}");
            }
        }
        assert!(svg.contains("&lt;now&gt;") && svg.contains("&quot;plot"));
        assert!(!svg.contains("NaN"));
    }

    #[test]
    fn nothing_to_draw_is_no_drawing() {
        assert!(plot(Vec::new()).svg().is_none());
        let one = plot(vec![(5.0, 5.0)]).svg().unwrap();
        assert!(!one.contains("NaN"));
    }

    #[test]
    fn marks_are_round_numbers() {
        assert_eq!(log_marks(2.0, 50.0), [2.0, 5.0, 10.0, 20.0, 50.0]);
        assert_eq!(log_marks(1.0, 1000.0), [1.0, 10.0, 100.0, 1000.0]);
        let names = [0.5, 20.0, 3000.0, 5e6].map(short);
        assert_eq!(names, ["0.5", "20", "3k", "5M"]);
        assert_eq!(step_below(7.0), 5.0);
        assert_eq!(-step_below(-7.0), 10.0);
    }
}
