//! How long answers are thought to be.

use vtc_core::predict::{AsAllowed, MovingAverage, OutputPredictor, OverAll, Quantile};

/// How long answers are thought to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predictor {
    /// The paper's: per client `(4 p + length) / 5`.
    MovingAverage,
    /// The same, and for a newcomer that over all clients.
    MovingAverageOrAll,
    /// The median of the client's last 16 answers, or else the average over all.
    Median,
    /// The length that a tenth of the client's last 16 answers passed, or else the average over all.
    P90,
    /// The truth.
    Oracle,
    /// The truth times a number drawn evenly from 0.5 to 1.5, for each request.
    Within50,
}

const PREDICTORS: [(&str, Predictor); 6] = [
    ("moving-average", Predictor::MovingAverage),
    ("moving-average-or-all", Predictor::MovingAverageOrAll),
    ("median", Predictor::Median),
    ("p90", Predictor::P90),
    ("oracle", Predictor::Oracle),
    ("within-50", Predictor::Within50),
];
/// Predictors remember so many clients.
const REMEMBERED: usize = 100_000;

// === impl Predictor ===

impl Predictor {
    /// The predictor that is written like that.
    pub(super) fn by_name(text: &str) -> Option<Self> {
        PREDICTORS.iter().find(|(known, _)| *known == text).map(|(_, predictor)| *predictor)
    }

    /// How they are written.
    pub(super) fn names() -> String {
        PREDICTORS.map(|(name, _)| name).join(", ")
    }

    /// How it is written.
    pub(super) fn name(self) -> &'static str {
        PREDICTORS.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The predictor itself. One that knows the truth goes by what a request is said to allow, which
    /// [`told`](Predictor::told) says.
    pub(in crate::simulator) fn make(self) -> Box<dyn OutputPredictor> {
        let quantile = |fraction| match Quantile::new(REMEMBERED, fraction) {
            Ok(quantile) => Box::new(quantile.or(OverAll::default())) as Box<dyn OutputPredictor>,
            Err(_) => Box::new(OverAll::default()),
        };
        match self {
            Self::MovingAverage => Box::new(MovingAverage::new(REMEMBERED)),
            Self::MovingAverageOrAll => Box::new(MovingAverage::new(REMEMBERED).or(OverAll::default())),
            Self::Median => quantile(0.5),
            Self::P90 => quantile(0.9),
            Self::Oracle | Self::Within50 => Box::new(AsAllowed),
        }
    }

    /// What is said of an answer that will have so many tokens; `unit` is a draw from 0 to 1.
    pub(in crate::simulator) fn told(self, output: u64, unit: impl FnOnce() -> f64) -> Option<u64> {
        match self {
            Self::Oracle => Some(output),
            Self::Within50 => Some((output as f64 * (0.5 + unit())).round() as u64),
            _ => None,
        }
    }
}
