//! A mirrored bar chart as SVG: one count above the line, the other below it, on one scale.

use anyhow::{Result, anyhow};
use maud::{Markup, PreEscaped, html};
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::palette::{ANSWERED, AXIS, GRID, LABEL, OUTSIDE, UNANSWERED};
use crate::report::numbers::short;

const FONT: &str = "sans-serif";
/// Plotters counts the font's whole height: letters become 0.8 times as high.
const FONT_SIZE: i32 = 16;
const LEFT: u32 = 56;
const BELOW: u32 = 30;

/// A bar above and one below.
pub(super) struct Bar {
    pub(super) from: i64,
    pub(super) to: i64,
    pub(super) above: u64,
    pub(super) below: u64,
    /// What it says when it is pointed at.
    pub(super) tip: String,
}

/// What is drawn.
pub(super) struct Plot {
    pub(super) from: i64,
    pub(super) to: i64,
    /// Side by side, all of one width.
    pub(super) bars: Vec<Bar>,
    pub(super) ticks: Vec<(i64, String)>,
    /// Set apart from the rest, with a name.
    pub(super) shaded: Vec<(i64, i64, &'static str)>,
}

impl Plot {
    /// The chart in that size, and over it what shows the numbers of the bar that is pointed at.
    pub(super) fn draw(&self, size: (u32, u32)) -> Result<Markup> {
        let mut svg = String::new();
        let area = self.chart(&mut svg, size).map_err(|why| anyhow!("cannot draw a chart: {why}"))?;
        let Area { x: (left, right), y: (top, bottom) } = area;
        let drawn = self.bars.last().map_or(0.0, |last| part(last.to - self.from, self.to - self.from));
        let percent = |pixels: i32, of: u32| f64::from(pixels) * 100.0 / f64::from(of);
        let place = format!(
            "left:{:.2}%;width:{:.2}%;top:{:.2}%;height:{:.2}%",
            percent(left, size.0),
            percent(right - left, size.0) * drawn,
            percent(top, size.1),
            percent(bottom - top, size.1)
        );
        let half = self.bars.len() / 2;
        Ok(html! {
            (PreEscaped(svg))
            div.hits style=(place) aria-hidden="true" {
                @for (number, bar) in self.bars.iter().enumerate() {
                    i tabindex="-1" data-tip=(bar.tip) class=[(number >= half).then_some("end")] {}
                }
            }
        })
    }

    fn chart(&self, svg: &mut String, size: (u32, u32)) -> Result<Area, DrawingAreaErrorKind<std::io::Error>> {
        let root = SVGBackend::with_string(svg, size).into_drawing_area();
        let (low, high, heights) = self.heights();
        let mut chart = ChartBuilder::on(&root)
            .margin_top(8)
            .margin_right(24)
            .x_label_area_size(BELOW)
            .y_label_area_size(LEFT)
            .build_cartesian_2d(
                (self.from..self.to).with_key_points(self.ticks.iter().map(|tick| tick.0).collect()),
                (-low..high).with_key_points(heights),
            )?;
        let shade =
            |&(from, to, _): &(i64, i64, _)| Rectangle::new([(from, -low), (to, high)], OUTSIDE.color().filled());
        chart.draw_series(self.shaded.iter().map(shade))?;
        let label = (FONT, FONT_SIZE).into_font().color(&LABEL.color());
        chart
            .configure_mesh()
            .disable_x_mesh()
            .bold_line_style(GRID.color())
            .axis_style(AXIS.color())
            .label_style(label.clone())
            .x_label_formatter(&|at| self.tick(*at))
            .y_label_formatter(&|height| short(height.unsigned_abs()))
            .draw()?;
        let gap = u32::from(size.0 > 5 * self.bars.len() as u32);
        let bar = |bar: &Bar, height: i64, color: RGBColor| {
            let mut block = Rectangle::new([(bar.from, 0), (bar.to, height)], color.filled());
            block.set_margin(0, 0, 0, gap);
            block
        };
        chart.draw_series(self.bars.iter().map(|of| bar(of, signed(of.above), ANSWERED.color())))?;
        chart.draw_series(self.bars.iter().map(|of| bar(of, -signed(of.below), UNANSWERED.color())))?;
        chart.draw_series([PathElement::new([(self.from, 0), (self.to, 0)], AXIS.color())])?;
        let centred = label.pos(Pos::new(HPos::Center, VPos::Top));
        let name = |&(from, to, name): &(i64, i64, &'static str)| {
            Text::new(name, (i64::midpoint(from, to), high), centred.clone())
        };
        chart.draw_series(self.shaded.iter().map(name))?;
        let (x, y) = chart.plotting_area().get_pixel_range();
        root.present()?;
        Ok(Area { x: (x.start, x.end), y: (y.start, y.end) })
    }

    fn tick(&self, at: i64) -> String {
        self.ticks.iter().find(|tick| tick.0 == at).map_or_else(String::new, |tick| tick.1.clone())
    }

    /// How far the picture reaches below and above the line, with room for the names of what is shaded; and round
    /// numbers in between.
    fn heights(&self) -> (i64, i64, Vec<i64>) {
        let most = |of: fn(&Bar) -> u64| self.bars.iter().map(|bar| signed(of(bar))).max().unwrap_or(0);
        let (above, below) = (most(|bar| bar.above), most(|bar| bar.below));
        let step = round(above.max(below));
        let reach = |most: i64| (most + most / 12).max(step);
        let (low, high) =
            (reach(below), reach(above) + if self.shaded.is_empty() { 0 } else { (reach(above) / 8).max(1) });
        let heights = (-(low / step)..=high / step).map(|number| number * step).collect();
        (low, high, heights)
    }
}

#[expect(clippy::cast_precision_loss, reason = "a share of the picture's width")]
fn part(of: i64, whole: i64) -> f64 {
    of as f64 / whole.max(1) as f64
}

/// Where in the picture the bars are, in pixels.
struct Area {
    x: (i32, i32),
    y: (i32, i32),
}

/// A third of the height at most, and 1, 2 or 5 times a power of ten.
fn round(most: i64) -> i64 {
    let third = (most / 3).max(1);
    let power = 10_i64.pow(third.ilog10());
    [5, 2, 1].into_iter().map(|factor| factor * power).find(|&step| step <= third).unwrap_or(power)
}

/// Heights below the line are negative numbers.
fn signed(count: u64) -> i64 {
    i64::try_from(count).unwrap_or(i64::MAX).min(i64::MAX / 8)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plot(counts: &[(u64, u64)]) -> Plot {
        let bars = (0..).zip(counts).map(|(number, &(above, below))| Bar {
            from: number * 10,
            to: number * 10 + 10,
            above,
            below,
            tip: format!("{above} and {below}"),
        });
        let (to, ticks) = (counts.len() as i64 * 10, vec![(0, "left".to_owned())]);
        Plot { from: 0, to: to.max(1), bars: bars.collect(), ticks, shaded: vec![(0, 10, "shaded")] }
    }

    fn rectangles(svg: &str, color: &str) -> Vec<(i32, i32, i32, i32)> {
        let document = roxmltree::Document::parse(svg).unwrap();
        let of = |node: &roxmltree::Node<'_, '_>, name| node.attribute(name).unwrap().parse::<i32>().unwrap();
        let found = document.descendants().filter(|node| node.has_tag_name("rect") || node.tag_name().name() == "rect");
        found
            .filter(|node| node.attribute("fill") == Some(color))
            .map(|node| (of(&node, "x"), of(&node, "y"), of(&node, "width"), of(&node, "height")))
            .collect()
    }

    #[test]
    fn bars_are_as_high_as_their_counts_and_on_their_side_of_the_line() {
        let mut svg = String::new();
        let area = plot(&[(10, 40), (20, 0)]).chart(&mut svg, (600, 300)).unwrap();
        let (above, below) = (rectangles(&svg, "#0072B2"), rectangles(&svg, "#D55E00"));
        let line = above[0].1 + above[0].3;
        assert_eq!(below[0].1, line);
        assert!((above[1].3 - 2 * above[0].3).abs() <= 2, "{above:?}");
        assert!((below[0].3 - 4 * above[0].3).abs() <= 4, "{above:?} {below:?}");
        assert_eq!(above[0].0, area.x.0);
        assert!(below[0].1 + below[0].3 <= area.y.1);
    }

    #[test]
    fn any_count_can_be_drawn() {
        for counts in [&[][..], &[(0, 0)], &[(u64::MAX, u64::MAX), (1, 1)], &[(1, 0); 300]] {
            let mut svg = String::new();
            plot(counts).chart(&mut svg, (358, 260)).unwrap();
            assert!(roxmltree::Document::parse(&svg).is_ok());
            assert!(svg.contains("left") && svg.contains("shaded"));
        }
    }

    #[test]
    fn the_scale_has_round_numbers() {
        for (most, step) in [(0, 1), (1, 1), (5, 1), (8, 2), (100, 20), (151, 50), (4_000_000, 1_000_000)] {
            assert_eq!(round(most), step, "{most}");
        }
    }
}
