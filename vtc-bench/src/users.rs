//! Made-up users: who they are, and in which order they come.

use vtc_core::{Clock, SlidingWindowTracker, TokenTracker};

/// So many names of 12 bytes, in the order of their numbers: in which their accounts are opened.
pub fn numbered(count: usize) -> impl Iterator<Item = String> {
    (0..count).map(|number| format!("user-{number:07}"))
}

/// The same names, shuffled: in which they are visited.
///
/// Whoever opens accounts one after the other gets them side by side in memory. Visited in another order, no
/// prefetcher guesses the next; only the name itself is at hand, as it is for one who just read it from a request.
#[must_use]
pub fn names(count: usize) -> Vec<String> {
    let mut names: Vec<_> = numbered(count).collect();
    fastrand::Rng::with_seed(0x5eed).shuffle(&mut names);
    // Copied, so that the letters of one lie beside those of the next.
    names.iter().map(String::clone).collect()
}

/// Opens their accounts, in the order of their numbers, each with some tokens: 97 different totals.
///
/// # Panics
/// If the tracker refuses, which it does not.
pub fn open<C: Clock>(tracker: &SlidingWindowTracker<C>, count: usize) {
    for (name, tokens) in numbered(count).zip(tokens()) {
        #[expect(clippy::expect_used, reason = "a name of 12 bytes and a few tokens")]
        tracker.update_token_count(&name, tokens, 0.0).expect("a charge");
    }
}

/// What the users have in the beginning, one after the other.
pub fn tokens() -> impl Iterator<Item = f64> {
    (1..=97_u8).cycle().map(|tokens| 10.0 * f64::from(tokens))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_name_comes_once_and_seldom_after_its_neighbour() {
        for count in [1, 2, 10, 1000] {
            let visited = names(count);
            let number = |name: &String| name[5..].parse::<i64>().unwrap();
            let beside = visited.windows(2).filter(|pair| (number(&pair[0]) - number(&pair[1])).abs() == 1);
            assert!(beside.count() <= 2 + count / 100, "{count}");
            let mut sorted = visited;
            sorted.sort_unstable();
            assert!(sorted.into_iter().eq(numbered(count)));
            assert!(numbered(count).all(|name| name.len() == 12));
        }
    }
}
