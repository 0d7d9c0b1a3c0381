//! The fairness measures that the published figures are given in, written down as plainly as can be.

use vtc_bench::request::Outcome;

/// Length of a window and of the warm-up, in seconds.
const WINDOW: f64 = 60.0;
const WARM_UP: f64 = 30.0;

fn service(outcome: &Outcome) -> f64 {
    (outcome.input + 2 * outcome.output) as f64
}

/// The service that an outcome got from `from` to `to`: spread evenly from its first token to its end.
fn service_within(outcome: &Outcome, from: f64, to: f64) -> f64 {
    let Some(served) = outcome.served else { return 0.0 };
    let span = served.end - served.first_token;
    let part = match span > 0.0 {
        true => (served.end.min(to) - served.first_token.max(from)).max(0.0) / span,
        false => f64::from(u8::from((from..to).contains(&served.end))),
    };
    part * service(outcome)
}

/// Each client's service from `from` to `to`.
pub fn services(outcomes: &[Outcome], clients: usize, from: f64, to: f64) -> Vec<f64> {
    let mut services = vec![0.0; clients];
    for outcome in outcomes {
        services[outcome.client as usize] += service_within(outcome, from, to);
    }
    services
}

/// The average over the ticks of the sum over clients of `min(most - own, |asked - own|)`, each per second of the window.
/// Ticks whose window begins after `last` are left out.
pub fn avg_diff(outcomes: &[Outcome], clients: usize, duration: f64, last: f64) -> f64 {
    let ticks = (1..20).map(|k| f64::from(k) * (duration - WARM_UP) / 20.0).filter(|x| *x <= last);
    let diffs: Vec<f64> = ticks
        .map(|x| {
            let got = services(outcomes, clients, x, x + WINDOW);
            let mut asked = vec![0.0; clients];
            let of =
                outcomes.iter().filter(|of| of.served.is_some() && (x..x + WINDOW).contains(&of.arrival));
            of.for_each(|of| asked[of.client as usize] += service(of));
            let most = got.iter().copied().fold(0.0, f64::max);
            got.iter().zip(asked).map(|(got, asked)| (most - got).min((asked - got).abs()) / WINDOW).sum()
        })
        .collect();
    diffs.iter().sum::<f64>() / diffs.len() as f64
}

/// The largest, over the seconds from the warm-up to `to`, of the difference between the most and the least service since
/// the warm-up.
pub fn gap(outcomes: &[Outcome], clients: usize, to: f64) -> f64 {
    let seconds = (1..).map(|second| WARM_UP + f64::from(second)).take_while(|at| *at <= to);
    let gap = |at| {
        let services = services(outcomes, clients, WARM_UP, at);
        let most = services.iter().copied().fold(f64::MIN, f64::max);
        most - services.iter().copied().fold(f64::MAX, f64::min)
    };
    seconds.map(gap).fold(0.0, f64::max)
}

/// Seconds from arrival to first token of a client's requests, sorted.
pub fn first_tokens(outcomes: &[Outcome], client: u32) -> Vec<f64> {
    let own = outcomes.iter().filter(|of| of.client == client);
    let mut waits: Vec<_> =
        own.filter_map(|of| of.served.map(|served| served.first_token - of.arrival)).collect();
    waits.sort_by(f64::total_cmp);
    waits
}

/// Tokens read and written per second of the whole run.
pub fn tokens_per_second(outcomes: &[Outcome]) -> f64 {
    let served =
        || outcomes.iter().filter_map(|of| of.served.map(|served| (of.input + of.output, served.end)));
    served().map(|(tokens, _)| tokens as f64).sum::<f64>() / served().map(|(_, end)| end).fold(0.0, f64::max)
}
