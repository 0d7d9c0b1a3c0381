//! The operations that are counted.

use std::hint::black_box;
use std::time::Duration;

use clap::ValueEnum;
use vtc_core::{
    RouteRequest, Router, SlidingWindowTracker, Ticket, TimeUnit, TokenTracker, TrackerConfig, VtcConfig,
};

use crate::users;

/// One operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Row {
    /// A charge through a handle.
    ChargeByHandle,
    /// A charge by name, of 1,000 users in turn.
    ChargeByName,
    /// A decision by `vtc-basic`, its charge and its place, of 1,000 users in turn; the tickets stay open.
    Route,
    /// The same, and the settlement with a usage that is not the estimate.
    RouteAndSettle,
    /// The extremes, checked for their age.
    Extremes,
}

// === impl Row ===

impl Row {
    /// Every row there is.
    pub const ALL: [Self; 5] =
        [Self::ChargeByHandle, Self::ChargeByName, Self::Route, Self::RouteAndSettle, Self::Extremes];

    /// Its name: that of the benchmark which tells its time.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::ChargeByHandle => "charge through a handle",
            Self::ChargeByName => "charge by name, 1,000 users",
            Self::Route => "route over 8 pods, 1,000 users",
            Self::RouteAndSettle => "route over 8 pods, 1,000 users, and settle",
            Self::Extremes => "reading the extremes",
        }
    }

    /// Does it so many times, after a set-up that does not depend on how many.
    ///
    /// # Errors
    /// The core's, if it does not do what it should.
    pub fn run(self, times: u64) -> anyhow::Result<()> {
        // The noise of the decisions, the same in each run.
        fastrand::seed(7);
        let router = Router::new(config())?;
        let pods: Vec<_> = (0..8).map(|pod| format!("pod-{pod}")).collect();
        router.pods().set(pods.iter().map(String::as_str));
        let names = users::names(1000);
        for name in &names {
            router.tracker().update_token_count(name, 10.0, 0.0)?;
        }
        router.tracker().upkeep();
        let names = names.iter().cycle().take(usize::try_from(times)?);
        match self {
            Self::ChargeByHandle => charge_by_handle(router.tracker(), times),
            Self::ChargeByName => names.clone().try_for_each(|name| charge_by_name(router.tracker(), name)),
            Self::Route => names.clone().try_for_each(|name| {
                // Its drop would be an ending, and is not counted here.
                std::mem::forget(route(&router, name)?);
                Ok(())
            }),
            Self::RouteAndSettle => names.clone().try_for_each(|name| {
                let ticket = route(&router, name)?;
                ticket.settle(black_box(10.0), black_box(15.0))?;
                Ok(())
            }),
            Self::Extremes => {
                (0..times).for_each(|_| {
                    black_box(router.tracker().extremes());
                });
                Ok(())
            }
        }
    }
}

fn charge_by_handle(tracker: &SlidingWindowTracker, times: u64) -> anyhow::Result<()> {
    let user = tracker.user("alice")?;
    (0..times).try_for_each(|_| user.charge(black_box(10.0), black_box(20.0)))?;
    Ok(())
}

fn charge_by_name(tracker: &SlidingWindowTracker, name: &str) -> anyhow::Result<()> {
    tracker.update_token_count(black_box(name), black_box(10.0), black_box(20.0))?;
    Ok(())
}

fn route(router: &Router, name: &str) -> anyhow::Result<Ticket> {
    let request = RouteRequest {
        user: Some(black_box(name)),
        input_tokens: black_box(10.0),
        output_tokens: black_box(20.0),
    };
    Ok(router.route(&request)?)
}

/// The default, but for the window, of as many buckets, and the staleness.
fn config() -> VtcConfig {
    let tracker = TrackerConfig {
        window_size: 60,
        time_unit: TimeUnit::Hours,
        staleness: Duration::from_secs(3600),
        ..TrackerConfig::default()
    };
    VtcConfig { tracker, ..VtcConfig::default() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_runs_on_a_ring_as_long_as_the_default_one() {
        for row in Row::ALL {
            row.run(2_000).unwrap();
        }
        let buckets = |config: &TrackerConfig| config.span().as_nanos() / config.width().as_nanos();
        assert_eq!(buckets(&config().tracker), buckets(&TrackerConfig::default()));
    }
}
