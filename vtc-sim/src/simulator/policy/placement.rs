//! Where requests go.

use std::fmt;

use vtc_core::policy::{self, VtcBasic};

/// Where requests go.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Placement {
    /// To whichever pod asks: the queue is the pods' own scheduler.
    Pulled,
    /// To one engine that all pods together are: as much memory, and what N pods do in a step each, it does in one. The
    /// reference for fairness: over one pool of N times the memory VTC's bounds are known.
    Pooled,
    /// To the pod that a gateway chooses.
    Routed(PodPolicy),
}

/// By what a gateway chooses a pod.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PodPolicy {
    /// By a policy of the router, over pods in a stable order.
    Stable(&'static str),
    /// By `vtc-basic` over pods that are shuffled before each decision: a position then means a random pod.
    VtcBasicShuffled,
}

const POOLED: &str = "pooled";
const SHUFFLED: &str = "vtc-basic-shuffled";

// === impl Placement ===

impl Placement {
    pub(super) fn parse(text: &str) -> Result<Self, String> {
        if text == POOLED {
            return Ok(Self::Pooled);
        }
        PodPolicy::parse(text).map(Self::Routed).map_err(|routed| format!("{routed}, {POOLED}"))
    }

    /// The gateway's policy, if there is a gateway.
    pub(in crate::simulator) const fn routed(self) -> Option<PodPolicy> {
        match self {
            Self::Routed(policy) => Some(policy),
            Self::Pulled | Self::Pooled => None,
        }
    }
}

impl fmt::Display for Placement {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pulled => Ok(()),
            Self::Pooled => write!(f, ",{POOLED}"),
            Self::Routed(policy) => write!(f, ",{policy}"),
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
    pub(in crate::simulator) const fn name(self) -> &'static str {
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
