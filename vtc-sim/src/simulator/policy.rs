//! Which policy is simulated, and how it is written.

mod order;
mod placement;
mod predictor;

use std::fmt;
use std::str::FromStr;

use vtc_core::policy::Random;

pub use self::order::Order;
pub use self::placement::{Placement, PodPolicy};
pub use self::predictor::Predictor;

/// Who goes next, and where to.
///
/// Written `ORDER`, `ORDER@CAP`, or either with `,POD-POLICY` or `,pooled` behind it:
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
/// at `random` if nothing else is said. With `pooled` all pods are one engine, which asks: see [`Placement::Pooled`].
#[derive(Clone, Debug, PartialEq)]
pub struct Policy {
    /// Who goes next.
    pub order: Order,
    /// The most requests of one client that run at the same time, if there is a limit.
    pub running_per_user: Option<usize>,
    /// Where to.
    pub placement: Placement,
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
            pods.map(|pods| Placement::parse(pods).map_err(|allowed| wrong(pods, allowed))).transpose()?;
        let placement = match (named, order) {
            (Some(Placement::Pooled), Order::None) => {
                return Err(wrong("pooled", "a queue with it, or where requests go without one".to_owned()));
            }
            (Some(placement), _) => placement,
            (None, Order::None) => Placement::Routed(PodPolicy::Stable(Random::NAME)),
            (None, _) => Placement::Pulled,
        };
        Ok(Self { order, running_per_user, placement })
    }
}

impl fmt::Display for Policy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.order)?;
        if let Some(cap) = self.running_per_user {
            write!(f, "@{cap}")?;
        }
        write!(f, "{}", self.placement)
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
                for pods in [",random", ",power-of-two", ",vtc-basic-shuffled", ",pooled"] {
                    let text = format!("{order}{cap}{pods}");
                    if text == "none,pooled" {
                        continue;
                    }
                    assert_eq!(text.parse::<Policy>().unwrap().to_string(), text);
                }
            }
        }
        assert_eq!("vtc-pred:oracle".parse(), "vtc-oracle".parse::<Policy>());
        assert_eq!("none".parse::<Policy>().unwrap().to_string(), "none,random");
        assert_eq!("vtc-fair".parse::<Policy>().unwrap().placement, Placement::Pulled);
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
            ("fcfs,nearest", "nearest", "pooled"),
            ("none,pooled", "pooled", "a queue"),
        ] {
            let error = text.parse::<Policy>().unwrap_err();
            assert_eq!(error.what, part);
            assert!(error.to_string().contains(allowed), "{error}");
        }
    }
}
