//! A picture as plain data.

/// A picture: named points on two axes, lines across, and a legend.
#[derive(Clone, Debug, PartialEq)]
pub struct Plot {
    /// What it shows.
    pub title: String,
    /// The horizontal axis.
    pub x: Axis,
    /// The vertical axis.
    pub y: Axis,
    /// How points are drawn.
    pub kind: Kind,
    /// What is drawn, in the order of the legend; the first ones lie above the others.
    pub series: Vec<Series>,
    /// Values of the vertical axis to hold the others against.
    pub levels: Vec<Level>,
}

/// An axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Axis {
    /// What it says, with the unit.
    pub label: String,
    /// Whether each step is a factor. Values that are not above 0 are then drawn at the axis' end.
    pub is_log: bool,
    /// A value that it goes to at least; the data extend it.
    pub from: Option<f64>,
    /// A value that it goes to at least; the data extend it.
    pub to: Option<f64>,
}

/// How points are drawn.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// Joined by straight lines, with a mark on some.
    Lines,
    /// Joined by steps: the value stays until the next point. For distributions.
    Steps,
    /// As marks alone.
    Marks,
}

/// Named points.
#[derive(Clone, Debug, PartialEq)]
pub struct Series {
    /// What the legend calls it.
    pub name: String,
    /// `(x, y)`, finite, in ascending order of x for lines and steps.
    pub points: Vec<(f64, f64)>,
}

/// A value of the vertical axis, drawn as a dashed line across.
#[derive(Clone, Debug, PartialEq)]
pub struct Level {
    /// What it is.
    pub label: String,
    /// Where it is.
    pub at: f64,
}

// === impl Axis ===

impl Axis {
    /// With even steps, from 0 or what the data begin with, if that is less.
    #[must_use]
    pub fn linear(label: impl Into<String>) -> Self {
        Self { label: label.into(), is_log: false, from: Some(0.0), to: None }
    }

    /// With each step a factor, as far as the data go.
    #[must_use]
    pub fn log(label: impl Into<String>) -> Self {
        Self { label: label.into(), is_log: true, from: None, to: None }
    }

    /// The same, and to that value at least.
    #[must_use]
    pub fn up_to(self, to: f64) -> Self {
        Self { to: Some(to), ..self }
    }
}

// === impl Series ===

impl Series {
    /// Those points under that name. What is not finite is left out.
    #[must_use]
    pub fn new(name: impl Into<String>, points: impl IntoIterator<Item = (f64, f64)>) -> Self {
        let is_finite = |point: &(f64, f64)| point.0.is_finite() && point.1.is_finite();
        Self { name: name.into(), points: points.into_iter().filter(is_finite).collect() }
    }
}

// === impl Plot ===

impl Plot {
    /// The text of an SVG file. The same data give the same bytes.
    #[must_use]
    pub fn svg(&self) -> String {
        super::canvas::draw(self)
    }
}
