//! How long answers are guessed to be by those of late, where no queue learns that.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use vtc_core::predict::{Ask, Capped, MovingAverage, Or, OutputPredictor, OverAll, UserName};

use super::{Estimate, MOST_OUTPUT};
use crate::lock::Lock;

/// The lengths of answers, learned for each pool by itself: by the paper's average over each user's last answers, and
/// for newcomers over everybody's. The same as in the queue, see [`vtc_core::predict`].
pub(crate) struct Lengths(Lock<HashMap<Arc<str>, Learned>>);

type Learned = Capped<Or<MovingAverage, OverAll>>;

/// Users whose averages each pool remembers.
const REMEMBERED: usize = 10_000;

/// One request: what is known of it now, and what is learned from it when it has ended.
pub(crate) struct Lesson {
    lengths: Arc<Lengths>,
    pool: Arc<str>,
    user: String,
    input: u64,
    max_output: Option<u64>,
}

// === impl Lesson ===

impl Lesson {
    /// The lesson of a request; nothing if it writes nothing. Pools come from the fleet, so that there are no more of
    /// them than models.
    pub(crate) fn of(
        lengths: &Arc<Lengths>,
        pool: &Arc<str>,
        user: &str,
        estimate: &Estimate,
    ) -> Option<Self> {
        // The casts saturate.
        let max_output = estimate.most_output.map(|most| most as u64);
        (max_output != Some(0)).then(|| Self {
            lengths: Arc::clone(lengths),
            pool: Arc::clone(pool),
            user: user.to_owned(),
            input: estimate.input_tokens as u64,
            max_output,
        })
    }

    /// How long the answer will be; nothing before the pool's first has ended.
    pub(crate) fn guess(&self) -> Option<f64> {
        let guess = self.lengths.0.with(|pools| pools.get(&self.pool)?.predict(&self.ask()))?;
        Some((guess as f64).min(MOST_OUTPUT))
    }

    /// The answer had so many tokens.
    pub(crate) fn learn(&self, output: u64) {
        let fresh = || MovingAverage::new(REMEMBERED).or(OverAll::default()).capped();
        self.lengths.0.with(|pools| {
            pools.entry(Arc::clone(&self.pool)).or_insert_with(fresh).observe(&self.ask(), output);
        });
    }

    fn ask(&self) -> Ask<'_> {
        Ask { user: UserName::new(&self.user), input: self.input, max_output: self.max_output }
    }
}

// === impl Lengths ===

impl Default for Lengths {
    fn default() -> Self {
        Self(Lock::new(HashMap::new()))
    }
}

impl fmt::Debug for Lengths {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let pools = self.0.with(|pools| pools.len());
        f.debug_struct("Lengths").field("pools", &pools).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_guessed_by_those_before_them_of_the_same_user_and_model() {
        let lengths = Arc::new(Lengths::default());
        let (pool, other) = ("m".into(), "other".into());
        let lesson = |pool, user, most_output| {
            let estimate = Estimate { input_tokens: 3.0, output_tokens: 5.0, most_output };
            Lesson::of(&lengths, pool, user, &estimate)
        };
        let guess = |pool, user, most| lesson(pool, user, most).unwrap().guess();
        assert_eq!(guess(&pool, "alice", None), None);
        lesson(&pool, "alice", None).unwrap().learn(100);
        lesson(&pool, "alice", None).unwrap().learn(200);
        assert_eq!(guess(&pool, "alice", None), Some(120.0));
        assert_eq!(guess(&pool, "alice", Some(50.0)), Some(50.0), "never more than is allowed");
        assert_eq!(guess(&pool, "newcomer", None), Some(120.0), "a newcomer is like the others");
        assert_eq!(guess(&other, "alice", None), None, "each model by itself");
        assert!(lesson(&pool, "alice", Some(0.0)).is_none(), "embeddings teach nothing");
        lesson(&pool, "bob", None).unwrap().learn(u64::MAX);
        assert_eq!(guess(&pool, "bob", None), Some(MOST_OUTPUT));
    }
}
