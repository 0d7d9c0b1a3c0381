//! The demo's clients: a whale who always has many long requests in flight, and a few light users
//! who ask for something short about once a second.
//!
//! Each second a line says what everybody got, and now and then a table says what has come of it so far. Without
//! fairness the whale's requests fill the pods and the light users wait behind them; with it, they hardly notice the
//! whale.

mod question;
mod scoreboard;

use std::cell::RefCell;
use std::convert::Infallible;
use std::io::{self, Write};
use std::ops::RangeInclusive;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{join, join_all, pending};
use futures_util::{Stream, StreamExt, stream};
use tokio::time::{Instant, MissedTickBehavior, interval_at, sleep, sleep_until};

use self::question::{Asker, Question};
use self::scoreboard::{Kind, Scoreboard};
use super::text;

/// From one line to the next.
const LINE_EVERY: Duration = Duration::from_secs(1);

/// After so many lines the header comes again.
const LINES_PER_HEADER: usize = 20;

/// What the whale waits after a request that failed, so as not to hammer a gateway in trouble.
const PAUSE_AFTER_FAILURE: Duration = Duration::from_secs(1);

/// Who asks for what.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Traffic {
    /// The model that everybody asks for.
    pub model: String,
    /// The heavy user.
    pub whale: Whale,
    /// The light users.
    pub light: Light,
}

/// A user who sends the next request as soon as one is answered.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Whale {
    /// The user's name.
    pub name: String,
    /// Requests under way at any time.
    pub in_flight: usize,
    /// Tokens of each prompt.
    pub prompt_tokens: u32,
    /// Tokens of an answer: each time anything in this range, which must not be empty. Were all as long, they would
    /// end all at once, again and again.
    pub output_tokens: RangeInclusive<u32>,
}

/// Users who ask one short thing at a time.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Light {
    /// The users' names.
    pub names: Vec<String>,
    /// From one request of a user to the next, on average; longer if the answer takes longer.
    pub every: Duration,
    /// Tokens of each prompt.
    pub prompt_tokens: u32,
    /// Tokens of an answer: each time anything in this range, which must not be empty.
    pub output_tokens: RangeInclusive<u32>,
}

// === impl Traffic ===

impl Traffic {
    /// The traffic of the demo: a whale with so many requests in flight, of which an A10G pod holds some 9 at once,
    /// against alice, bob, carol and dave.
    #[must_use]
    pub fn demo(model: impl Into<String>, in_flight: usize) -> Self {
        Self {
            model: model.into(),
            whale: Whale {
                name: "whale".to_owned(),
                in_flight,
                prompt_tokens: 768,
                output_tokens: 128..=384,
            },
            light: Light {
                names: ["alice", "bob", "carol", "dave"].map(str::to_owned).to_vec(),
                every: Duration::from_secs(1),
                prompt_tokens: 48,
                output_tokens: 32..=64,
            },
        }
    }

    /// The whale first, then the light users: the order of the scoreboard's columns.
    fn names(&self) -> Vec<String> {
        let mut names = vec![self.whale.name.clone()];
        names.extend(self.light.names.iter().cloned());
        names
    }

    /// The most requests that are under way at once.
    fn connections(&self) -> usize {
        self.whale.in_flight + self.light.names.len()
    }
}

/// Sends `traffic` to the gateway at `base_url` (as `http://host:port`) and writes a line a second to standard output:
/// for so many seconds, or until the future is dropped. Requests that fail are counted in the line.
///
/// # Errors
///
/// Only when standard output cannot be written to.
///
/// # Panics
///
/// Outside the local set of an actix runtime, which the HTTP client needs.
pub async fn run(base_url: &str, traffic: &Traffic, for_seconds: Option<usize>) -> io::Result<()> {
    let begin = Instant::now();
    let mut seconds = interval_at(begin + LINE_EVERY, LINE_EVERY);
    seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let ticks = stream::unfold(seconds, |mut seconds| async move {
        seconds.tick().await;
        Some((begin.elapsed(), seconds))
    });
    let ticks = ticks.take(for_seconds.unwrap_or(usize::MAX));
    run_to(base_url, traffic, ticks, &mut io::stdout()).await
}

/// [`run`] with a line to `out` at every tick, until there are no more; a tick is the time since the beginning.
async fn run_to(
    base_url: &str,
    traffic: &Traffic,
    ticks: impl Stream<Item = Duration>,
    out: &mut impl Write,
) -> io::Result<()> {
    let board = RefCell::new(Scoreboard::new(traffic.names()));
    let asker = Asker::new(base_url, &traffic.model, traffic.connections());
    let whale = (0..traffic.whale.in_flight).map(|_| keep_asking(&asker, &traffic.whale, &board));
    let light =
        (0..traffic.light.names.len()).map(|index| ask_now_and_then(&asker, &traffic.light, index, &board));
    // `join_all` of nobody would end at once, and so might the clients.
    let clients = join(join_all(whale), join_all(light));
    tokio::select! {
        reported = report(ticks, &board, out) => reported,
        ((_, _), ()) = join(clients, pending()) => Ok(()),
    }
}

/// One of the whale's requests in flight, again and again.
async fn keep_asking(asker: &Asker, whale: &Whale, board: &RefCell<Scoreboard>) -> Infallible {
    loop {
        let question = Question {
            user: &whale.name,
            prompt: text::prompt(fastrand::u64(..), whale.prompt_tokens),
            output_tokens: fastrand::u32(whale.output_tokens.clone()),
        };
        let asked = asker.ask(&question, |arrival| {
            let mut board = board.borrow_mut();
            board.received(0, arrival.tokens);
            if let Some(wait) = arrival.first_after {
                board.first_token(Kind::Whale, wait);
            }
        });
        if let Err(error) = asked.await {
            tracing::debug!(user = whale.name, %error, "a request failed");
            board.borrow_mut().failed();
            sleep(PAUSE_AFTER_FAILURE).await;
        }
    }
}

/// The light user at `index`.
async fn ask_now_and_then(
    asker: &Asker,
    light: &Light,
    index: usize,
    board: &RefCell<Scoreboard>,
) -> Infallible {
    // A random phase first, so that they do not all come at once.
    let mut next = Instant::now() + light.every.mul_f64(fastrand::f64());
    loop {
        sleep_until(next).await;
        next = Instant::now() + light.every.mul_f64(0.75 + fastrand::f64() / 2.0);
        let question = Question {
            user: &light.names[index],
            prompt: text::prompt(fastrand::u64(..), light.prompt_tokens),
            output_tokens: fastrand::u32(light.output_tokens.clone()),
        };
        let asked = asker.ask(&question, |arrival| {
            let mut board = board.borrow_mut();
            board.received(index + 1, arrival.tokens);
            if let Some(wait) = arrival.first_after {
                board.first_token(Kind::Light, wait);
            }
        });
        if let Err(error) = asked.await {
            tracing::debug!(user = light.names[index], %error, "a request failed");
            board.borrow_mut().failed();
        }
    }
}

/// Writes the scoreboard's line at every tick, its summary every so many lines and at the end.
async fn report(
    ticks: impl Stream<Item = Duration>,
    board: &RefCell<Scoreboard>,
    out: &mut impl Write,
) -> io::Result<()> {
    let mut ticks = pin!(ticks.enumerate());
    while let Some((line, since_begin)) = ticks.next().await {
        if line % LINES_PER_HEADER == 0 {
            if line > 0 {
                writeln!(out, "\n{}\n", board.borrow().summary())?;
            }
            writeln!(out, "{}", board.borrow().header())?;
        }
        let row = board.borrow_mut().row(since_begin);
        writeln!(out, "{row}")?;
        out.flush()?;
    }
    writeln!(out, "\n{}", board.borrow().summary())?;
    out.flush()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::demo::engine::Profile;
    use crate::demo::latency::LatencyModel;
    use crate::demo::pod::SimulatedPod;

    /// An output that closes once every user has got something.
    #[derive(Default)]
    struct UntilAllServed {
        written: Vec<u8>,
    }

    impl UntilAllServed {
        fn lines(&self) -> impl Iterator<Item = Vec<&str>> {
            let text = std::str::from_utf8(&self.written).unwrap();
            text.lines().map(|line| line.split_whitespace().collect())
        }

        /// Whether some row has a figure above 0 in the column of every user.
        fn all_served(&self) -> bool {
            let served = |column: usize| {
                self.lines().any(|columns| {
                    let figure = |at: usize| columns.get(at).and_then(|figure| figure.parse::<u64>().ok());
                    figure(0).is_some() && figure(column).is_some_and(|rate| rate > 0)
                })
            };
            (1..=3).all(served)
        }
    }

    impl Write for UntilAllServed {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            if self.all_served() {
                return Err(io::ErrorKind::BrokenPipe.into());
            }
            self.written.extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[actix_web::test]
    async fn everybody_is_served_and_a_closed_output_ends_the_run() {
        let latency = LatencyModel::a10g().at_speed(1e6).unwrap();
        let profile = Profile { latency, ..Profile::a10g() };
        let pod = SimulatedPod::start("pod-0", "llama", profile).unwrap();
        let mut traffic = Traffic::demo("llama", 24);
        traffic.light.names.truncate(2);
        traffic.light.every = Duration::ZERO;
        let ticks = stream::iter((1..).map(Duration::from_secs)).then(|tick| async move {
            tokio::task::yield_now().await;
            tick
        });
        let mut out = UntilAllServed::default();
        let run = run_to(pod.url(), &traffic, ticks, &mut out);
        // The limit only keeps a broken run from hanging the test.
        let ended = tokio::time::timeout(Duration::from_secs(60), run).await;
        let error = ended.unwrap().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
    }

    #[actix_web::test]
    async fn with_no_ticks_left_the_run_ends_with_what_has_come_of_it() {
        let latency = LatencyModel::a10g().at_speed(1e6).unwrap();
        let pod = SimulatedPod::start("pod-0", "llama", Profile { latency, ..Profile::a10g() }).unwrap();
        for whale in [0, 3] {
            let mut out = Vec::new();
            let ticks = stream::iter([Duration::from_secs(1), Duration::from_secs(2)]);
            run_to(pod.url(), &Traffic::demo("llama", whale), ticks, &mut out).await.unwrap();
            let text = String::from_utf8(out).unwrap();
            let last: Vec<_> = text.lines().rev().take(3).collect();
            assert!(last[1].trim_start().starts_with("light users"), "{text}");
            assert!(last[0].trim_start().starts_with("whale"), "{text}");
        }
    }

    #[test]
    fn a_pod_holds_nine_of_the_whales_requests() {
        let Whale { prompt_tokens, output_tokens, .. } = Traffic::demo("llama", 1).whale;
        let on_average = prompt_tokens + (output_tokens.start() + output_tokens.end()) / 2;
        assert_eq!(Profile::a10g().limits.kv_pool / on_average, 9);
    }
}
