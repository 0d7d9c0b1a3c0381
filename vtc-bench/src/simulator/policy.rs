//! Which policy is simulated, and how it is written.

use std::fmt;
use std::str::FromStr;

use vtc_core::policy::{self, VtcBasic};
use vtc_core::predict::{AsAllowed, MovingAverage, OutputPredictor, OverAll, Quantile};
use vtc_core::queue::discipline::{self, Fcfs, VtcPred};

/// Who goes next, and where to.
///
/// Written `ORDER`, `ORDER@CAP`, or either with `,POD-POLICY` behind it:
///
/// | order | |
/// | --- | --- |
/// | a discipline of the queue, as `fcfs` or `vtc-fair` | |
/// | `vtc-pred:PREDICTOR` | the discipline that charges in advance, with that [`Predictor`]; `vtc-pred` alone has the paper's |
/// | `vtc-oracle`, `vtc-pred-50` | the same as `vtc-pred:oracle` and `vtc-pred:within-50` |
/// | `rpm:N` | `fcfs`, and whoever had N requests accepted in the last 60 s is refused |
/// | `none` | no queue: requests go to a pod as they come, and wait there in its own line |
///
/// `@CAP` is the most requests of one client that run at the same time.
///
/// Without a pod policy the queue is the pods' own scheduler: a pod that has room asks it who comes in. With one, a
/// gateway holds the queue and routes whoever goes next to a pod with room by its own count; `none` always routes,
/// at `random` if nothing else is said.
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Who goes next.
    pub order: Order,
    /// The most requests of one client that run at the same time, if there is a limit.
    pub running_per_user: Option<usize>,
    /// Where to; `None`: to whichever pod asks.
    pub pods: Option<PodPolicy>,
}

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

/// Where to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPolicy {
    /// By a policy of the router, over pods in a stable order.
    Stable(&'static str),
    /// By `vtc-basic` over pods that are shuffled before each decision: a position then means a random pod.
    VtcBasicShuffled,
}

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

/// No policy is written like that.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{text:?} is no policy: {what:?} is not allowed; give {allowed}")]
pub struct InvalidPolicy {
    /// The whole.
    pub text: String,
    /// The part that is wrong.
    pub what: String,
    /// What it could be.
    pub allowed: String,
}

const PREDICTORS: [(&str, Predictor); 6] = [
    ("moving-average", Predictor::MovingAverage),
    ("moving-average-or-all", Predictor::MovingAverageOrAll),
    ("median", Predictor::Median),
    ("p90", Predictor::P90),
    ("oracle", Predictor::Oracle),
    ("within-50", Predictor::Within50),
];
const SHUFFLED: &str = "vtc-basic-shuffled";
const ORACLE: &str = "vtc-oracle";
const PRED_50: &str = "vtc-pred-50";
/// Predictors remember so many clients.
const REMEMBERED: usize = 100_000;

// === impl Policy ===

impl FromStr for Policy {
    type Err = InvalidPolicy;

    fn from_str(text: &str) -> Result<Self, InvalidPolicy> {
        let wrong = |what: &str, allowed: String| InvalidPolicy {
            text: text.to_owned(),
            what: what.to_owned(),
            allowed,
        };
        let (front, pods) = text.split_once(',').map_or((text, None), |(front, pods)| (front, Some(pods)));
        let (order, cap) = front.split_once('@').map_or((front, None), |(order, cap)| (order, Some(cap)));
        let running_per_user = cap
            .map(|cap| match cap.parse() {
                Ok(cap) if cap > 0 => Ok(cap),
                _ => Err(wrong(cap, "a whole number of at least 1".to_owned())),
            })
            .transpose()?;
        let order = Order::parse(order).map_err(|allowed| wrong(order, allowed))?;
        if let (Order::None, Some(cap)) = (order, cap) {
            return Err(wrong(cap, "no limit without a queue".to_owned()));
        }
        let named =
            pods.map(|pods| PodPolicy::parse(pods).map_err(|allowed| wrong(pods, allowed))).transpose()?;
        let pods = if order == Order::None {
            named.or(Some(PodPolicy::Stable(policy::Random::NAME)))
        } else {
            named
        };
        Ok(Self { order, running_per_user, pods })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.order)?;
        if let Some(cap) = self.running_per_user {
            write!(f, "@{cap}")?;
        }
        match self.pods {
            Some(pods) => write!(f, ",{pods}"),
            None => Ok(()),
        }
    }
}

// === impl Order ===

impl Order {
    fn parse(text: &str) -> Result<Self, String> {
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
                let found = PREDICTORS.iter().find(|(known, _)| *known == of);
                let names = || PREDICTORS.map(|(name, _)| name).join(", ");
                found
                    .map(|(_, predictor)| Self::Queue(VtcPred::NAME, *predictor))
                    .ok_or_else(|| format!("vtc-pred: and one of {}", names()))
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

// === impl PodPolicy ===

impl PodPolicy {
    fn parse(text: &str) -> Result<Self, String> {
        if text == SHUFFLED {
            return Ok(Self::VtcBasicShuffled);
        }
        let known = policy::NAMES.iter().find(|known| **known == text);
        known
            .map(|name| Self::Stable(name))
            .ok_or_else(|| format!("one of {}, {SHUFFLED}", policy::NAMES.join(", ")))
    }

    /// The router's policy that decides.
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::Stable(name) => name,
            Self::VtcBasicShuffled => VtcBasic::NAME,
        }
    }
}

impl fmt::Display for PodPolicy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Stable(name) => write!(f, "{name}"),
            Self::VtcBasicShuffled => write!(f, "{SHUFFLED}"),
        }
    }
}

// === impl Predictor ===

impl Predictor {
    fn name(self) -> &'static str {
        PREDICTORS.iter().find(|(_, known)| *known == self).map_or("", |(name, _)| name)
    }

    /// The predictor itself. One that knows the truth goes by what a request is said to allow, which
    /// [`told`](Predictor::told) says.
    pub(super) fn make(self) -> Box<dyn OutputPredictor> {
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
    pub(super) fn told(self, output: u64, unit: impl FnOnce() -> f64) -> Option<u64> {
        match self {
            Self::Oracle => Some(output),
            Self::Within50 => Some((output as f64 * (0.5 + unit())).round() as u64),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_and_the_other_way_round() {
        for order in [
            "none",
            "rpm:5",
            "fcfs",
            "vtc-fair",
            "drr",
            "vtc-pred",
            "vtc-pred:p90",
            "vtc-oracle",
            "vtc-pred-50",
        ] {
            for cap in if order == "none" { &[""][..] } else { &["", "@3"] } {
                for pods in [",random", ",power-of-two", ",vtc-basic-shuffled"] {
                    let text = format!("{order}{cap}{pods}");
                    assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
                }
            }
        }
        assert_eq!("vtc-pred:oracle".parse(), "vtc-oracle".parse::<Policy>());
        assert_eq!("none".parse::<Policy>().unwrap().to_string(), "none,random");
        assert_eq!("vtc-fair".parse::<Policy>().unwrap().pods, None);
    }

    #[test]
    fn what_is_wrong_is_named_with_what_there_is() {
        for (text, part, allowed) in [
            ("vtc", "vtc", "vtc-fair"),
            ("rpm", "rpm", "rpm:N"),
            ("rpm:0", "rpm:0", "at least 1"),
            ("fcfs@0", "0", "at least 1"),
            ("none@2", "2", "no limit"),
            ("fcfs:oracle", "fcfs:oracle", "vtc-pred:PREDICTOR"),
            ("vtc-pred:tarot", "vtc-pred:tarot", "moving-average-or-all, median"),
            ("fcfs,nearest", "nearest", "least-request"),
        ] {
            let error = text.parse::<Policy>().unwrap_err();
            assert_eq!(error.what, part);
            assert!(error.to_string().contains(allowed), "{error}");
        }
    }
}
