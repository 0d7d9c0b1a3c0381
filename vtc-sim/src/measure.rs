//! How fair a run was, how fast, and for whom: from what became of each request to a few numbers.
//!
//! Figures of two runs compare only if they are made by the same formula. This is the one that the published tables of
//! the Virtual Token Counter are made by.
//!
//! # The formula
//!
//! ```text
//! service of a request   w_p * input + w_q * output                     weighted tokens; by default 1 and 2
//!                        spread evenly from its first token to its end
//! ticks                  x_k = k (T - warm-up) / 20, k = 1 ... 19       s
//! y_i                    client i's service in [x_k, x_k + window)      weighted tokens per second of the window
//! r_i                    service of i's requests that came in it,       weighted tokens per second of the window
//!                        each as a whole when it came; none that was refused
//! m                      the largest y_i
//! diff(x_k)              sum over i of min(m - y_i, |r_i - y_i|)        weighted tokens per second
//!
//! Max, Avg, Var          of the 19 diffs; Var is the population's       weighted tokens per second; Var: their square
//! throughput             (input + output) of all served / length        tokens per second, not weighted
//! length                 from 0 until the last request came or ended    s
//! ```
//!
//! `T` is how long requests come: [`Setting::duration`]. The window is 60 s and the warm-up 30 s by default. A client is
//! unfairly served only as far as somebody got more (`m - y`) and it wanted more than it got (`r - y`): hence the
//! lesser of the two. Who has nothing to say in a window counts 0.
//!
//! Max Diff is the extreme of one window and hangs on a millisecond; judge by Avg Diff over several seeds, and by the
//! accumulated gap.
//!
//! ```text
//! accumulated gap        the largest, over the ends of all bins in      weighted tokens / weight
//!                        (warm-up, T], of max - min over clients of
//!                        the service since the warm-up / weight
//! 2 U                    what two clients who always wait differ by at  the same
//!                        most: 2 (w_q M + max(0, w_p - w_q) L) /
//!                        least weight, M the tokens that all pods
//!                        together hold, L the most input of a request
//! Jain's index           of service from the warm-up to T / weight      1 / clients to 1
//! p50, p90, p99          nearest rank: the least time that so large a   s
//!                        part of the served requests keep within
//! ```
//!
//! The bound speaks of clients who always wait. Where one wants less than its share, or nothing, the gap grows with what
//! the others want, and says nothing about the policy. Diff knows no weights: among clients of unequal weight it is not
//! zero when each gets its share.
//!
//! # What it takes
//!
//! A [`Recorder`] takes outcomes one by one, in any order, and keeps per client 38 sums for the windows, one number per
//! bin up to `T` for the curves, and two numbers per served request: percentiles are exact, by sorting, so that a table
//! repeats to the digit; histograms for each of 10,000 clients would take more memory than the 16 MB of a million requests.
//!
//! ```
//! use vtc_sim::measure::{Recorder, Setting};
//! use vtc_sim::request::{Outcome, Served};
//!
//! let mut recorder = Recorder::new(Setting::new(600.0)?);
//! for second in 0..600 {
//!     let arrival = f64::from(second);
//!     let served = Some(Served { first_token: arrival + 0.5, end: arrival + 2.0 });
//!     recorder.add(&Outcome { arrival, client: second % 2, input: 100, output: 50, served });
//! }
//! let run = recorder.finish();
//! assert!(run.avg_diff < 2.0, "both get what they want: {}", run.avg_diff);
//! assert_eq!(run.clients[0].first_token.quantile(0.99), Some(0.5));
//! # Ok::<(), vtc_core::ConfigError>(())
//! ```
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24, section 5, and its artifact.

mod account;
mod gap;
mod isolation;
mod recorder;
mod setting;
mod spread;
mod summary;
mod table;
mod times;
mod windows;

pub use self::gap::Gap;
pub use self::isolation::Isolation;
pub use self::recorder::Recorder;
pub use self::setting::Setting;
pub use self::summary::{ClientSummary, RunSummary};
pub use self::times::Times;
pub use self::windows::{TICKS, Tick};
