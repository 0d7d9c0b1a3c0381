//! Draws a plot as SVG.

use plotters::coord::Shift;
use plotters::coord::types::RangedCoordi32;
use plotters::drawing::DrawingAreaErrorKind;
use plotters::prelude::*;
use plotters::style::text_anchor::{HPos, Pos, VPos};

use super::look::Look;
use super::plot::{Kind, Plot, Series};
use super::scale::Scale;

type Area<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Chart<'a, 'b> = ChartContext<'a, SVGBackend<'b>, Cartesian2d<Scale, Scale>>;
type Drawn = Result<(), DrawingAreaErrorKind<std::io::Error>>;

/// All lengths are in half pixels: positions are whole numbers, and a curve of whole pixels has stairs.
const WIDTH: u32 = 1440;
const HEIGHT: u32 = 800;
const LEGEND: i32 = 390;
const LEGEND_TOP: i32 = 84;
const LEGEND_LINE: i32 = 38;
const LEGEND_LETTERS: usize = 21;
/// Around everything, and left of the vertical axis for what is written there.
const MARGIN: i32 = 14;
const TICKS: i32 = 132;
const MARK: i32 = 9;
/// So many marks are on a line.
const MARKS: usize = 7;
const TITLE_LETTERS: usize = 100;
/// About how wide a letter is, in parts of the size.
const LETTER: f64 = 0.56;
/// The backend divides by 1.24.
const TITLE: f64 = 34.0 * 1.24;
const TEXT: f64 = 26.0 * 1.24;
const FONT: &str = "sans-serif";
const GREY: RGBColor = RGBColor(90, 90, 90);
const FAINT: RGBColor = RGBColor(222, 222, 222);

pub fn draw(plot: &Plot) -> String {
    let legend = LEGEND_TOP + LEGEND_LINE * (plot.series.len() as i32 + 1);
    let size = (WIDTH, HEIGHT.max(legend as u32));
    let mut text = String::new();
    let drawn = draw_on(&SVGBackend::with_string(&mut text, size).into_drawing_area(), plot);
    debug_assert!(drawn.is_ok(), "writing to a string does not fail: {drawn:?}");
    text
}

fn draw_on(root: &Area<'_>, plot: &Plot) -> Drawn {
    root.fill(&WHITE)?;
    // A long title is smaller, and a very long one is cut.
    let title = shortened(&plot.title, TITLE_LETTERS);
    let room = f64::from(WIDTH as i32 - 2 * MARGIN - TICKS) * 1.24;
    let size = TITLE.min(room / (LETTER * title.chars().count() as f64));
    let style = (FONT, size).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Top));
    root.draw_text(&title, &style, (MARGIN + TICKS, 12))?;
    let (left, right) = root.split_horizontally(WIDTH as i32 - LEGEND);
    let x = Scale::new(&plot.x, points(plot).map(|(x, _)| x));
    let y = Scale::new(&plot.y, points(plot).map(|(_, y)| y).chain(plot.levels.iter().map(|level| level.at)));
    let mut chart = ChartBuilder::on(&left)
        .margin(MARGIN)
        .margin_top(LEGEND_TOP - 22)
        .margin_right(30)
        .x_label_area_size(90)
        .y_label_area_size(TICKS)
        .build_cartesian_2d(x, y)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(FAINT)
        .axis_style(GREY.stroke_width(2))
        .label_style((FONT, TEXT).into_font())
        .axis_desc_style((FONT, TEXT).into_font())
        .x_desc(plot.x.label.as_str())
        .y_desc(plot.y.label.as_str())
        .draw()?;
    draw_levels(&mut chart, plot)?;
    for (number, series) in plot.series.iter().enumerate().rev() {
        draw_series(&mut chart, plot.kind, series, number, plot.series.len())?;
    }
    draw_legend(&right, plot)?;
    root.present()
}

fn points(plot: &Plot) -> impl Iterator<Item = (f64, f64)> + '_ {
    plot.series.iter().flat_map(|series| series.points.iter().copied())
}

fn draw_levels(chart: &mut Chart<'_, '_>, plot: &Plot) -> Drawn {
    let (from, to) = (chart.x_range().start, chart.x_range().end);
    for level in &plot.levels {
        let ends = [(from, level.at), (to, level.at)];
        chart.draw_series(DashedLineSeries::new(ends, 16, 10, BLACK.stroke_width(3)))?;
        // Above its line, unless that is where the title is.
        let top = chart.plotting_area().get_pixel_range().1.start;
        let is_high = chart.backend_coord(&ends[0]).1 - top < LEGEND_LINE;
        let (side, off) = if is_high { (VPos::Top, 8) } else { (VPos::Bottom, -4) };
        let style = (FONT, TEXT).into_font().color(&BLACK).pos(Pos::new(HPos::Left, side));
        let label = EmptyElement::at(ends[0]) + Text::new(level.label.clone(), (12, off), style);
        chart.draw_series(std::iter::once(label))?;
    }
    Ok(())
}

fn draw_series(chart: &mut Chart<'_, '_>, kind: Kind, series: &Series, number: usize, of: usize) -> Drawn {
    let look = Look::of(number);
    let points = match kind {
        Kind::Steps => steps(&series.points),
        Kind::Lines | Kind::Marks => series.points.clone(),
    };
    if kind != Kind::Marks {
        chart.draw_series(LineSeries::new(points, look.colour.stroke_width(4)))?;
    }
    let marked: Vec<_> = match kind {
        Kind::Marks => series.points.clone(),
        Kind::Lines | Kind::Steps => marked(&series.points, number, of),
    };
    for point in marked {
        let size = if kind == Kind::Marks { MARK * 3 / 2 } else { MARK };
        chart.draw_series(std::iter::once(EmptyElement::at(point) + polygon(look, size, (0, 0))))?;
    }
    Ok(())
}

/// Each value lasts until the next point.
fn steps(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let corners = points.windows(2).flat_map(|pair| [pair[0], (pair[1].0, pair[0].1)]);
    corners.chain(points.last().copied()).collect()
}

/// The points that get a mark: some, evenly, and not where another series has its own.
fn marked(points: &[(f64, f64)], number: usize, of: usize) -> Vec<(f64, f64)> {
    let phase = (number as f64 + 0.5) / of as f64;
    let place = |mark: usize| ((mark as f64 + phase) / MARKS as f64 * points.len() as f64) as usize;
    let mut places: Vec<_> = (0..MARKS).map(place).collect();
    places.dedup();
    places.into_iter().filter_map(|place| points.get(place).copied()).collect()
}

/// A mark, as a polygon around a place.
fn polygon(look: Look, size: i32, at: (i32, i32)) -> Polygon<(i32, i32)> {
    // A circle, from 24 corners.
    let round = (0..24).map(|corner| {
        let (sin, cos) = (f64::from(corner) * std::f64::consts::TAU / 24.0).sin_cos();
        ((cos * 10.0).round() as i32, (sin * 10.0).round() as i32)
    });
    let corners = if look.mark.is_empty() { round.collect() } else { look.mark.to_vec() };
    let scaled = |(x, y): (i32, i32)| (at.0 + x * size / 10, at.1 + y * size / 10);
    Polygon::new(corners.into_iter().map(scaled).collect::<Vec<_>>(), look.colour.filled())
}

fn draw_legend(area: &Area<'_>, plot: &Plot) -> Drawn {
    let area = area.apply_coord_spec(Cartesian2d::<RangedCoordi32, RangedCoordi32>::new(
        0..LEGEND,
        0..area.dim_in_pixel().1 as i32,
        (area.get_pixel_range().0, area.get_pixel_range().1),
    ));
    let style = (FONT, TEXT).into_font().color(&BLACK).pos(Pos::new(HPos::Left, VPos::Center));
    for (number, series) in plot.series.iter().enumerate() {
        let look = Look::of(number);
        let y = LEGEND_TOP + LEGEND_LINE * number as i32;
        if plot.kind != Kind::Marks {
            area.draw(&PathElement::new([(0, y), (44, y)], look.colour.stroke_width(4)))?;
        }
        area.draw(&polygon(look, MARK, (22, y)))?;
        area.draw(&Text::new(shortened(&series.name, LEGEND_LETTERS), (58, y), style.clone()))?;
    }
    Ok(())
}

fn shortened(text: &str, letters: usize) -> String {
    match text.char_indices().nth(letters) {
        None => text.to_owned(),
        Some(_) => text.chars().take(letters - 1).chain(['…']).collect(),
    }
}
