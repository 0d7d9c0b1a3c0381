//! The workloads of the paper.
//!
//! Source: Sheng et al., *Fairness in Serving Large Language Models*, OSDI'24, section 5, and the result files of its
//! artifact. "Uniform" there is a fixed spacing.

use super::rate::{Rate, Segment};
use super::stream::{Lengths, Spacing, Stream};
use super::{Entry, Parts};

/// Each of them.
pub(super) const ALL: [Entry; 10] = [
    ("overload", "2 clients want more than there is: 1.5 and 3 rps of 256/256 tokens", || {
        even(360.0, &[Rate::constant(1.5), Rate::constant(3.0)])
    }),
    ("overload-multi", "8 clients: three with 0.4 rps, five with 0.6 rps of 256/256 tokens", || {
        even(360.0, &[0.4, 0.4, 0.4, 0.6, 0.6, 0.6, 0.6, 0.6].map(Rate::constant))
    }),
    ("overload-weighted", "weights 1, 2, 3, 4; 0.4, 0.8, 1.2, 1.6 rps of 256/256 tokens", || Parts {
        weights: vec![1.0, 2.0, 3.0, 4.0],
        ..even(360.0, &[0.4, 0.8, 1.2, 1.6].map(Rate::constant))
    }),
    ("proportional", "3 clients: 0.25, 0.5 and 1.5 rps of 256/256 tokens", || {
        even(600.0, &[0.25, 0.5, 1.5].map(Rate::constant))
    }),
    ("on-off-less", "0.5 rps 60 s on and 60 s off; 2 rps always; 256/256 tokens", || {
        even(600.0, &[on_off(0.5, 0.0, f64::MAX), Rate::constant(2.0)])
    }),
    ("on-off-overload", "2 rps 60 s on and 60 s off; 3 rps always; 256/256 tokens", || {
        even(600.0, &[on_off(2.0, 0.0, f64::MAX), Rate::constant(3.0)])
    }),
    ("short-long", "Poisson: 8 rps of 64/64 tokens, 1.5 rps of 256/256", || {
        poisson([(8.0, 64, 64), (1.5, 256, 256)])
    }),
    ("short-long-2", "Poisson: 8 rps of 512/32 tokens, 1.5 rps of 32/512", || {
        poisson([(8.0, 512, 32), (1.5, 32, 512)])
    }),
    ("increase", "0.5 rps; a ramp from 0.2 to 2 rps over 600 s; 256/256 tokens", || {
        even(600.0, &[Rate::constant(0.5), Rate::ramp(0.2, 2.0, 0.0, 600.0)])
    }),
    (
        "dist-shift",
        "300 s each: 0.5 rps (60 s on, 60 s off) and 2 rps; 1 and 1; 0.5 and 1.5; 256/256 tokens",
        || {
            let steps = |begin: f64, rates: &[f64]| {
                let step = |(number, rate): (u32, &f64)| {
                    let from = begin + 300.0 * f64::from(number);
                    Segment::constant(from, from + 300.0, *rate)
                };
                Rate::new((0..).zip(rates).map(step).collect())
            };
            let quiet = on_off(0.5, 0.0, 300.0).then(steps(300.0, &[1.0, 0.5]));
            even(900.0, &[quiet, steps(0.0, &[2.0, 1.0, 1.5])])
        },
    ),
];

/// Far more turns than any run lasts, when `to` is the largest number: a day of them.
fn on_off(rate: f64, from: f64, to: f64) -> Rate {
    Rate::on_off(rate, 60.0, 60.0, from, to.min(86_400.0))
}

/// One client for each of these rates, evenly spaced requests of 256/256 tokens.
fn even(duration: f64, rates: &[Rate]) -> Parts {
    let stream = |(client, rate): (u32, &Rate)| Stream {
        client,
        rate: rate.clone(),
        spacing: Spacing::Uniform,
        lengths: Lengths::Fixed { input: 256, output: 256 },
    };
    Parts { weights: vec![1.0; rates.len()], duration, streams: (0..).zip(rates).map(stream).collect() }
}

/// Two clients with random arrivals, each of a rate, an input and an output.
fn poisson(clients: [(f64, u64, u64); 2]) -> Parts {
    let stream = |(client, (rate, input, output)): (u32, (f64, u64, u64))| Stream {
        client,
        rate: Rate::constant(rate),
        spacing: Spacing::Poisson,
        lengths: Lengths::Fixed { input, output },
    };
    Parts { weights: vec![1.0; 2], duration: 600.0, streams: (0..).zip(clients).map(stream).collect() }
}
