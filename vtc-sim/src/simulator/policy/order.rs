//! Who goes next.

use std::fmt;

use vtc_core::queue::discipline::{self, Fcfs, VtcPred};

use super::predictor::Predictor;

/// Who goes next.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// By a discipline of the queue; the predictor is asked only by one that charges in advance.
    Queue(&'static str, Predictor),
    /// First come first served, and no more than so many a minute of each client.
    Rpm(usize),
    /// Whatever the pods do.
    None,
}

const ORACLE: &str = "vtc-oracle";
const PRED_50: &str = "vtc-pred-50";

// === impl Order ===

impl Order {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        let (name, argument) = text.split_once(':').map_or((text, None), |(name, of)| (name, Some(of)));
        match (name, argument) {
            ("none", None) => Ok(Self::None),
            ("rpm", Some(most)) => {
                let most = most.parse().ok().filter(|most| *most > 0);
                most.map(Self::Rpm).ok_or_else(|| "rpm:N, with a whole number of at least 1".to_owned())
            }
            (ORACLE, None) => Ok(Self::Queue(VtcPred::NAME, Predictor::Oracle)),
            (PRED_50, None) => Ok(Self::Queue(VtcPred::NAME, Predictor::Within50)),
            (VtcPred::NAME, Some(of)) => {
                let predictor = Predictor::by_name(of);
                predictor
                    .map(|predictor| Self::Queue(VtcPred::NAME, predictor))
                    .ok_or_else(|| format!("vtc-pred: and one of {}", Predictor::names()))
            }
            (name, None) if discipline::NAMES.contains(&name) => {
                let known = discipline::NAMES.iter().find(|known| **known == name);
                Ok(Self::Queue(known.copied().unwrap_or(Fcfs::NAME), Predictor::MovingAverage))
            }
            _ => Err(format!(
                "one of none, rpm:N, {}, vtc-pred:PREDICTOR, {ORACLE}, {PRED_50}",
                discipline::NAMES.join(", ")
            )),
        }
    }
}

impl fmt::Display for Order {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::None => write!(f, "none"),
            Self::Rpm(most) => write!(f, "rpm:{most}"),
            Self::Queue(VtcPred::NAME, Predictor::Oracle) => write!(f, "{ORACLE}"),
            Self::Queue(VtcPred::NAME, Predictor::Within50) => write!(f, "{PRED_50}"),
            Self::Queue(VtcPred::NAME, of) if *of != Predictor::MovingAverage => {
                write!(f, "{}:{}", VtcPred::NAME, of.name())
            }
            Self::Queue(discipline, _) => write!(f, "{discipline}"),
        }
    }
}
