//! Workloads of a gateway with tenants: neighbours, crowds and those who come back.

use super::rate::{Rate, Segment};
use super::stream::{Lengths, Spacing, Stream};
use super::{Entry, Parts};

/// Each of them. Rates are for one pod of the default profile, which serves about 1.6 rps of 256/256 tokens.
pub(super) const ALL: [Entry; 6] = [
    (
        "noisy-neighbour",
        "7 quiet clients of 0.1 rps, and from 120 s to 480 s one of 4 rps; Poisson, 256/256 tokens",
        || {
            let quiet = (0..7).map(|client| of(client, Rate::constant(0.1), Spacing::Poisson, PAPER));
            let noisy = Rate::new(vec![Segment::constant(120.0, 480.0, 4.0)]);
            parts(8, 600.0, quiet.chain([of(7, noisy, Spacing::Poisson, PAPER)]))
        },
    ),
    (
        "returning-user",
        "one client is away from 60 s to 360 s and comes back with 3 rps beside one of 3 rps; 256/256",
        || {
            let gone = Segment::constant(0.0, 60.0, 3.0);
            let back = Segment::constant(360.0, f64::INFINITY, 3.0);
            let returning = of(0, Rate::new(vec![gone, back]), Spacing::Uniform, PAPER);
            parts(2, 600.0, [returning, of(1, Rate::constant(3.0), Spacing::Uniform, PAPER)])
        },
    ),
    (
        "zipf",
        "100 clients that share 3 rps by Zipf's law (exponent 1.1); Poisson, log-normal lengths",
        || parts(100, 600.0, shared_by_zipf(100, 3.0, 1.1, CHAT)),
    ),
    (
        "burst",
        "one client sends 60 requests at once every 60 s, two others 0.3 rps each; 256/256 tokens",
        || {
            let bursts = of(0, Rate::constant(1.0), Spacing::Bursts { size: 60 }, PAPER);
            let steady = (1..3).map(|client| of(client, Rate::constant(0.3), Spacing::Uniform, PAPER));
            parts(3, 600.0, [bursts].into_iter().chain(steady))
        },
    ),
    (
        "many-tenants",
        "10,000 clients that share 20 rps by Zipf's law (exponent 1); Poisson, log-normal, short",
        || parts(10_000, 600.0, shared_by_zipf(10_000, 20.0, 1.0, SHORT)),
    ),
    (
        "short-requests",
        "1,000 clients of 3.4 rps each, 8/8 tokens: a million requests in 300 s, for 16 pods",
        || {
            let lengths = Lengths::Fixed { input: 8, output: 8 };
            parts(
                1000,
                300.0,
                (0..1000).map(|client| of(client, Rate::constant(3.4), Spacing::Poisson, lengths)),
            )
        },
    ),
];

const PAPER: Lengths = Lengths::Fixed { input: 256, output: 256 };
const CHAT: Lengths = Lengths::LogNormal { input: 120.0, output: 180.0, sigma: 0.9, most: 2048 };
const SHORT: Lengths = Lengths::LogNormal { input: 40.0, output: 20.0, sigma: 0.7, most: 512 };

const fn of(client: u32, rate: Rate, spacing: Spacing, lengths: Lengths) -> Stream {
    Stream { client, rate, spacing, lengths }
}

fn parts(clients: usize, duration: f64, streams: impl IntoIterator<Item = Stream>) -> Parts {
    Parts { weights: vec![1.0; clients], duration, streams: streams.into_iter().collect() }
}

/// Client k, from 0, asks for a share of `1 / (k + 1)^exponent`.
fn shared_by_zipf(clients: u32, rate: f64, exponent: f64, lengths: Lengths) -> impl Iterator<Item = Stream> {
    let share = move |client: u32| f64::from(client + 1).powf(-exponent);
    let all: f64 = (0..clients).map(share).sum();
    (0..clients)
        .map(move |client| of(client, Rate::constant(rate * share(client) / all), Spacing::Poisson, lengths))
}
