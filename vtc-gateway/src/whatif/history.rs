//! What was: the requests of one pool in one window, ready to be replayed.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use vtc_core::Tick;
use vtc_core::queue::Weight;
use vtc_sim::request::{Outcome, Served};

use super::WhatIfError;
use super::fit::FEWEST;
use crate::record::{Arrival, Fate, Recorded};

/// The requests of one pool.
#[derive(Clone, Debug, PartialEq)]
pub struct History {
    /// The pool.
    pub pool: Arc<str>,
    /// Who asked; a request's user is an index into these. Weights are those of the last requests.
    pub users: Vec<(Arc<str>, Weight)>,
    /// In the order in which they came, no two at the same moment.
    pub requests: Vec<Past>,
    /// How long pods are warmed up before it is measured, in seconds: requests that come before that moment count for nobody.
    pub warm_up: f64,
    /// How long it is measured, in seconds.
    pub span: f64,
    /// Whether the record does not reach back as far as was asked.
    pub is_cut: bool,
    /// Requests of that time that are not replayed: of other pools, and those whose clients left before their turn or that no
    /// pod could answer.
    pub left_out: [usize; 2],
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Past {
    /// When it came, in seconds since the warm-up began.
    pub at: f64,
    /// Whose it was.
    pub user: u32,
    /// Tokens read.
    pub input: u64,
    /// Tokens written, or expected of a request that was turned away.
    pub output: u64,
    /// Tokens of the answer that were expected.
    pub guess: u64,
    /// Its pod, by the hash of its name.
    pub pod: u32,
    /// How long it waited in the queue, in seconds.
    pub waited: f64,
    /// From its coming to its first token, in seconds, if its answer came in pieces.
    pub first_token: Option<f64>,
    /// From its coming to its end, in seconds.
    pub duration: f64,
    /// Whether it was served, and not turned away by the queue.
    pub is_served: bool,
}

/// How long pods are warmed up, if the record reaches back so far.
const WARM_UP: Duration = Duration::from_secs(30);

// === impl History ===

impl History {
    /// The requests that came in the last `span` before `now`, of that pool or else of the one with the most. Pure;
    /// O(arrivals * log(arrivals)).
    ///
    /// # Errors
    /// [`WhatIfError::Thin`].
    pub fn of(
        recorded: &Recorded,
        now: Tick,
        span: Duration,
        pool: Option<&str>,
    ) -> Result<Self, WhatIfError> {
        let asked = Tick::from_nanos(now.as_nanos().saturating_sub(span.as_nanos() as u64));
        let all = || recorded.pieces.iter().flat_map(|piece| piece.iter());
        let oldest = all().map(|it| it.at).min().unwrap_or(now);
        // A record that begins later than the window, or has lost some of it.
        let is_cut = recorded.complete_since > asked;
        let from = asked.max(recorded.complete_since).max(oldest);
        let begin = from.as_nanos().saturating_sub(WARM_UP.as_nanos() as u64);
        let begin = Tick::from_nanos(begin).max(recorded.complete_since).max(oldest);

        let mut pools: HashMap<&Arc<str>, usize> = HashMap::new();
        for it in all().filter(|it| it.at >= from) {
            *pools.entry(&it.pool).or_default() += 1;
        }
        let most = pools.iter().max_by_key(|(name, count)| (**count, std::cmp::Reverse(**name)));
        let pool: Arc<str> = match (pool, most) {
            (Some(pool), _) => pool.into(),
            (None, Some((name, _))) => Arc::clone(name),
            (None, None) => "*".into(),
        };

        let mut own: Vec<&Arrival> = all().filter(|it| it.at >= begin && *it.pool == *pool).collect();
        own.sort_by_key(|it| it.at);
        let others = pools.iter().filter(|(name, _)| ***name != pool).map(|(_, count)| count).sum();
        let is_measured = |it: &&&Arrival| it.at >= from;
        let lost = own.iter().filter(is_measured).filter(|it| it.fate == Fate::Lost).count();
        own.retain(|it| it.fate != Fate::Lost);

        let mut history = Self {
            pool,
            users: Vec::new(),
            requests: Vec::with_capacity(own.len()),
            warm_up: from.since(begin).as_secs_f64(),
            span: now.since(from).as_secs_f64(),
            is_cut,
            left_out: [others, lost],
        };
        let mut numbers: HashMap<&str, u32> = HashMap::new();
        let mut last = None;
        for it in own {
            // The moment is the request's name in the replay.
            let at = it.at.since(begin).as_nanos() as u64;
            let at = last.map_or(at, |last| at.max(last + 1));
            last = Some(at);
            let user = *numbers.entry(&it.user).or_insert_with(|| {
                history.users.push((Arc::clone(&it.user), it.weight));
                (history.users.len() - 1) as u32
            });
            history.users[user as usize].1 = it.weight;
            history.requests.push(Past {
                at: Duration::from_nanos(at).as_secs_f64(),
                user,
                input: it.input.into(),
                output: it.output.into(),
                guess: it.guess.into(),
                pod: it.pod,
                waited: it.waited.into(),
                first_token: it.first_token.map(f64::from),
                duration: it.duration.into(),
                is_served: it.fate == Fate::Served,
            });
        }
        let served = history.measured().filter(|it| it.is_served && it.output > 1).count();
        if served < FEWEST {
            let (pool, seconds) = (history.pool.to_string(), history.span);
            return Err(WhatIfError::Thin { pool, served, seconds });
        }
        Ok(history)
    }

    /// Those that are measured, after the warm-up.
    pub fn measured(&self) -> impl Iterator<Item = &Past> {
        self.requests.iter().filter(|it| it.at >= self.warm_up)
    }

    /// What became of all of them, in the same order. The first token of an answer that came whole is its end.
    pub fn outcomes(&self) -> impl Iterator<Item = Outcome> {
        self.requests.iter().map(|it| Outcome {
            arrival: it.at,
            client: it.user,
            input: it.input,
            output: it.output,
            served: it.is_served.then(|| Served {
                first_token: it.at + it.first_token.unwrap_or(it.duration),
                end: it.at + it.duration,
            }),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: f64) -> Tick {
        Tick::after_origin(Duration::from_secs_f64(second))
    }

    fn arrival(second: f64, user: &str, pool: &str, fate: Fate) -> Arrival {
        Arrival {
            at: at(second),
            user: user.into(),
            pool: pool.into(),
            pod: 1,
            weight: Weight::ONE,
            input: 10,
            output: 20,
            guess: 15,
            waited: 0.25,
            first_token: Some(0.5),
            duration: 2.0,
            fate,
        }
    }

    fn recorded(arrivals: Vec<Arrival>, complete_since: f64) -> Recorded {
        Recorded { pieces: vec![arrivals.into()], complete_since: at(complete_since) }
    }

    fn minute() -> Vec<Arrival> {
        (0..120).map(|second| arrival(f64::from(second), "alice", "m", Fate::Served)).collect()
    }

    #[test]
    fn the_window_is_what_was_asked_and_the_warm_up_what_came_before() {
        let history =
            History::of(&recorded(minute(), 0.0), at(120.0), Duration::from_secs(60), None).unwrap();
        assert_eq!((history.warm_up, history.span, history.is_cut), (30.0, 60.0, false));
        assert_eq!((history.requests.len(), history.measured().count()), (90, 60));
        assert_eq!((history.requests[0].at, &*history.pool), (0.0, "m"));
    }

    #[test]
    fn a_record_that_is_too_short_is_cut_and_said_to_be() {
        let history =
            History::of(&recorded(minute(), 70.0), at(120.0), Duration::from_secs(60), None).unwrap();
        assert_eq!((history.warm_up, history.span, history.is_cut), (0.0, 50.0, true));
        let young = History::of(&recorded(minute(), 0.0), at(120.0), Duration::from_secs(600), None).unwrap();
        assert_eq!(
            (young.warm_up, young.span, young.is_cut),
            (0.0, 120.0, false),
            "it has not run for longer"
        );
        let thin = History::of(&recorded(minute(), 119.0), at(120.0), Duration::from_secs(60), None);
        assert!(matches!(thin, Err(WhatIfError::Thin { served: 1, .. })), "{thin:?}");
    }

    #[test]
    fn one_pool_is_looked_at_and_what_is_left_out_is_counted() {
        let mut arrivals = minute();
        arrivals
            .extend((60..70).map(|second| arrival(f64::from(second) + 0.5, "bob", "m", Fate::TurnedAway)));
        arrivals.extend((60..75).map(|second| arrival(f64::from(second), "bob", "other", Fate::Served)));
        arrivals.extend((0..80).map(|second| arrival(f64::from(second), "bob", "m", Fate::Lost)));
        let recorded = recorded(arrivals, 0.0);
        let history = History::of(&recorded, at(120.0), Duration::from_secs(60), None).unwrap();
        assert_eq!(history.left_out, [15, 20]);
        assert_eq!(history.users.iter().map(|(name, _)| &**name).collect::<Vec<_>>(), ["alice", "bob"]);
        assert_eq!(history.measured().filter(|it| !it.is_served).count(), 10);
        assert_eq!(history.outcomes().filter(|it| it.served.is_none()).count(), 10);
        let other = History::of(&recorded, at(120.0), Duration::from_secs(60), Some("nobody's"));
        assert!(other.unwrap_err().to_string().starts_with("0 requests of nobody's"));
    }

    #[test]
    fn no_two_come_at_the_same_moment() {
        let same = (0..40).map(|_| arrival(1.0, "alice", "m", Fate::Served)).collect();
        let history = History::of(&recorded(same, 0.0), at(2.0), Duration::from_secs(60), None).unwrap();
        assert!(history.requests.windows(2).all(|pair| pair[0].at < pair[1].at));
    }
}
