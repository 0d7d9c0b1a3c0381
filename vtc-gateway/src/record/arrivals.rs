//! Who came when and took what: of many more requests than decisions are kept of, and of each no more than a replay needs.

use std::collections::VecDeque;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};
use std::sync::Arc;
use std::time::Duration;

use vtc_core::queue::Weight;
use vtc_core::{Tick, Usage};

use super::{Decision, Ending};
use crate::error::{QUEUE_FULL, QUEUE_TIMEOUT};

/// One request that was let in to wait for a pod.
#[derive(Clone, Debug, PartialEq)]
pub struct Arrival {
    /// When it came.
    pub at: Tick,
    /// Who was charged.
    pub user: Arc<str>,
    /// The pods that could serve it: a model, or `*`.
    pub pool: Arc<str>,
    /// The pod that it went to last, by a hash of its name; 0 of none.
    pub pod: u32,
    /// Its account's share, where others have 1.
    pub weight: Weight,
    /// Tokens that were read.
    pub input: u32,
    /// Tokens that were written; of a request that was turned away, as many as were expected.
    pub output: u32,
    /// Tokens of the answer that were expected.
    pub guess: u32,
    /// How long it waited in the queue, in seconds; 0 where there is none.
    pub waited: f32,
    /// From its coming to its first token, in seconds; `None`: its answer came whole.
    pub first_token: Option<f32>,
    /// From its coming to its end, in seconds.
    pub duration: f32,
    /// What became of it.
    pub fate: Fate,
}

/// What became of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fate {
    /// It was served, to the end or until its client left.
    Served,
    /// The queue was full, or it waited there for as long as it may.
    TurnedAway,
    /// Its client left before its turn, or no pod could answer it.
    Lost,
}

/// The last of them, by their ends.
#[derive(Debug)]
pub struct Arrivals {
    /// How many pieces it keeps, besides the one that grows; `None`: nothing at all.
    room: Option<usize>,
    whole: VecDeque<Piece>,
    growing: Vec<Arrival>,
    complete_since: Tick,
}

/// Arrivals that are not changed any more.
pub type Piece = Arc<[Arrival]>;

/// What is remembered.
#[derive(Clone, Debug, Default)]
pub struct Recorded {
    /// In the order of their ends.
    pub pieces: Vec<Piece>,
    /// Whoever came at that moment or later, and has ended, is among them.
    pub complete_since: Tick,
}

/// A piece is shared whole with whoever looks, so that no request waits for the look.
const PIECE: usize = 1024;

const _: () = assert!(size_of::<Arrival>() <= 80, "what the settings say an arrival takes");

// === impl Arrival ===

impl Arrival {
    /// What a replay needs of that request, if it was let in. Pure.
    #[must_use]
    pub fn of(decision: &Decision) -> Option<Self> {
        let Decision { account: Some(user), pool: Some(pool), .. } = decision else { return None };
        let fate = fate(decision)?;
        let estimate = decision.estimate;
        // The casts saturate.
        let guess = estimate.map_or(0, |it| it.output_tokens.ceil() as u32);
        let expected = (estimate.map_or(0, |it| it.input_tokens.ceil() as u32), guess);
        let count = |tokens| u32::try_from(tokens).unwrap_or(u32::MAX);
        let flowed = decision.delivered.map(|(input, output)| (count(input), count(output)));
        let (input, output) = match (fate, decision.ending) {
            (Fate::Served, Ending::Settled(Usage { input, output, .. })) => (count(input), count(output)),
            (Fate::Served, Ending::Left) => flowed.unwrap_or((expected.0, 0)),
            (Fate::Served, _) => flowed.unwrap_or(expected),
            _ => expected,
        };
        Some(Self {
            at: decision.at,
            user: Arc::clone(user),
            pool: Arc::clone(pool),
            pod: decision.tries.last().map_or(0, |it| number(&it.pod)),
            weight: Weight::new(decision.weight).unwrap_or_default(),
            input,
            output,
            guess,
            waited: decision.turn.map_or(0.0, |turn| turn.waited.as_secs_f32()),
            first_token: decision.first_token.map(|time| time.as_secs_f32()),
            duration: decision.duration.as_secs_f32(),
            fate,
        })
    }

    /// When it ended.
    #[must_use]
    pub fn end(&self) -> Tick {
        self.at.saturating_add(Duration::try_from_secs_f32(self.duration).unwrap_or_default())
    }
}

fn fate(decision: &Decision) -> Option<Fate> {
    match &decision.refused {
        Some(refused) if [QUEUE_FULL, QUEUE_TIMEOUT].contains(&refused.code) => Some(Fate::TurnedAway),
        // Quotas, unknown models, bad bodies: it never came to the queue.
        Some(_) if decision.tries.is_empty() => None,
        Some(_) => Some(Fate::Lost),
        None => match decision.ending {
            Ending::Settled(_) | Ending::Closed => Some(Fate::Served),
            Ending::Left if !decision.tries.is_empty() => Some(Fate::Served),
            Ending::Left | Ending::Voided => Some(Fate::Lost),
        },
    }
}

/// A number that stands for a pod's name; not 0.
fn number(pod: &str) -> u32 {
    let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(pod);
    (hash as u32).max(1)
}

// === impl Arrivals ===

impl Arrivals {
    /// With room for so many, rounded up to whole pieces. Takes no memory yet.
    #[must_use]
    pub const fn new(room: usize) -> Self {
        let pieces = if room == 0 { None } else { Some(room.div_ceil(PIECE)) };
        Self { room: pieces, whole: VecDeque::new(), growing: Vec::new(), complete_since: Tick::ZERO }
    }

    /// One more. The oldest piece is given back when it has to go.
    pub fn push(&mut self, arrival: Arrival) -> Option<Piece> {
        let room = self.room?;
        self.growing.push(arrival);
        if self.growing.len() < PIECE {
            return None;
        }
        self.whole.push_back(std::mem::take(&mut self.growing).into());
        if self.whole.len() <= room {
            return None;
        }
        let oldest = self.whole.pop_front()?;
        // Whoever came after all of these have ended has ended after them.
        self.complete_since = oldest.iter().map(Arrival::end).fold(self.complete_since, Ord::max);
        Some(oldest)
    }

    /// Whether any are kept.
    #[must_use]
    pub const fn keeps(&self) -> bool {
        self.room.is_some()
    }

    /// All of them.
    #[must_use]
    pub fn recorded(&self) -> Recorded {
        let growing = (!self.growing.is_empty()).then(|| self.growing.as_slice().into());
        let pieces = self.whole.iter().cloned().chain(growing).collect();
        Recorded { pieces, complete_since: self.complete_since }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arrival(second: u64) -> Arrival {
        Arrival {
            at: Tick::after_origin(Duration::from_secs(second)),
            user: "alice".into(),
            pool: "m".into(),
            pod: 1,
            weight: Weight::ONE,
            input: 10,
            output: 20,
            guess: 15,
            waited: 0.0,
            first_token: Some(0.5),
            duration: 2.0,
            fate: Fate::Served,
        }
    }

    #[test]
    fn the_last_are_kept_and_it_is_known_from_when_on_they_are_all() {
        let mut arrivals = Arrivals::new(2000);
        let count = |recorded: &Recorded| recorded.pieces.iter().map(|piece| piece.len()).sum::<usize>();
        (0..3000).for_each(|second| assert_eq!(arrivals.push(arrival(second)), None));
        assert_eq!(count(&arrivals.recorded()), 3000, "two whole pieces and one that grows");
        assert_eq!(arrivals.recorded().complete_since, Tick::ZERO);
        let dropped: Vec<_> = (3000..5000).filter_map(|second| arrivals.push(arrival(second))).collect();
        let recorded = arrivals.recorded();
        assert_eq!((dropped.len(), count(&recorded)), (2, 5000 - 2 * 1024));
        // The last that was dropped came at 2,047 s.
        assert_eq!(recorded.complete_since, Tick::after_origin(Duration::from_secs(2049)));
        let first = recorded.pieces[0][0].at;
        assert_eq!(first, Tick::after_origin(Duration::from_secs(2048)));
    }

    #[test]
    fn with_no_room_nothing_is_kept() {
        let mut arrivals = Arrivals::new(0);
        assert_eq!(arrivals.push(arrival(1)), None);
        assert!(arrivals.recorded().pieces.is_empty());
    }

    #[test]
    fn what_a_request_took_follows_from_how_it_ended() {
        let settled = Ending::Settled(Usage { input: 11, cached: 0, output: 22 });
        let estimate =
            crate::estimate::Estimate { input_tokens: 9.5, output_tokens: 14.1, most_output: None };
        let tries = || vec![super::super::Try { pod: "a".into(), failure: None }];
        let seen = Decision {
            account: Some("alice".into()),
            pool: Some("m".into()),
            estimate: Some(estimate),
            tries: tries(),
            delivered: Some((7, 8)),
            ending: settled,
            ..Decision::default()
        };
        let of =
            |decision: Decision| Arrival::of(&decision).map(|it| (it.fate, it.input, it.output, it.guess));
        assert_eq!(of(seen.clone()), Some((Fate::Served, 11, 22, 15)));
        assert_eq!(of(Decision { ending: Ending::Closed, ..seen.clone() }), Some((Fate::Served, 7, 8, 15)));
        let unseen = Decision { delivered: None, ..seen.clone() };
        assert_eq!(
            of(Decision { ending: Ending::Closed, ..unseen.clone() }),
            Some((Fate::Served, 10, 15, 15))
        );
        assert_eq!(of(Decision { ending: Ending::Left, ..unseen.clone() }), Some((Fate::Served, 10, 0, 15)));
        assert_eq!(of(Decision { ending: Ending::Voided, ..unseen.clone() }), Some((Fate::Lost, 10, 15, 15)));
        let refused = |code| Some(super::super::Refused { code, message: None });
        let before = Decision { tries: Vec::new(), ending: Ending::Left, ..unseen };
        assert_eq!(of(before.clone()), Some((Fate::Lost, 10, 15, 15)));
        let full = Decision { refused: refused(QUEUE_FULL), ..before.clone() };
        assert_eq!(of(full), Some((Fate::TurnedAway, 10, 15, 15)));
        assert_eq!(of(Decision { refused: refused("rate_limit_exceeded"), ..before }), None);
        assert_eq!(of(Decision { account: None, ..seen }), None);
    }
}
