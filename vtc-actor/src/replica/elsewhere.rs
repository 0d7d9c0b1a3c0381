//! What users were charged by other replicas: by replica, bucket and user, and the sum for each user. Plain data.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use slab::Slab;
use vtc_core::{Tick, Tokens};

/// The others' charges that are in the window.
///
/// Each row stands once, however often it is heard: a later one takes the place of an earlier one.
#[derive(Debug, Default)]
pub struct Elsewhere {
    /// By replica and bucket.
    buckets: BTreeMap<(Arc<str>, u64), Bucket>,
    users: Slab<User>,
    by_name: HashMap<Arc<str>, usize>,
    /// Users whose sums changed, each once.
    changed: Vec<usize>,
}

#[derive(Debug)]
struct Bucket {
    ends: Tick,
    /// By user.
    amounts: HashMap<usize, Tokens>,
}

#[derive(Debug)]
struct User {
    name: Arc<str>,
    /// Units. So wide that no number of amounts is too much for it.
    sum: u128,
    /// In how many buckets it stands.
    buckets: usize,
    has_changed: bool,
}

// === impl Elsewhere ===

impl Elsewhere {
    /// How many users have something elsewhere.
    pub fn users(&self) -> usize {
        self.users.len()
    }

    /// That replica charged these users so much in that bucket of its own, which leaves the window then. If that was said
    /// before, the earlier moment holds: whatever was longer on its way was told too late, never too early. `whole`: whoever
    /// is not named was charged nothing there.
    pub fn hear<'a>(
        &mut self,
        from: &Arc<str>,
        bucket: u64,
        ends: Tick,
        whole: bool,
        rows: impl IntoIterator<Item = (&'a str, Tokens)>,
    ) {
        let key = (Arc::clone(from), bucket);
        let known = self.buckets.remove(&key);
        let mut known = known.unwrap_or_else(|| Bucket { ends, amounts: HashMap::new() });
        known.ends = known.ends.min(ends);
        if whole {
            known.amounts.drain().for_each(|(user, amount)| self.take(user, amount));
        }
        for (name, amount) in rows {
            let user = self.user(name);
            if amount.is_zero() {
                if let Some(before) = known.amounts.remove(&user) {
                    self.take(user, before);
                }
            } else {
                if let Some(before) = known.amounts.insert(user, amount) {
                    self.take(user, before);
                }
                self.give(user, amount);
            }
        }
        self.buckets.insert(key, known);
    }

    /// Lets everything go that has left the window by `now`.
    pub fn expire(&mut self, now: Tick) {
        let over: Vec<_> =
            self.buckets.extract_if(.., |_, bucket| bucket.ends <= now).map(|(_, bucket)| bucket).collect();
        for (user, amount) in over.into_iter().flat_map(|bucket| bucket.amounts) {
            self.take(user, amount);
        }
    }

    /// Tells of each user whose sum may have changed since the last call what it is now.
    pub fn take_changed(&mut self, mut tell: impl FnMut(&str, Tokens)) {
        for user in std::mem::take(&mut self.changed) {
            let Some(User { name, sum, buckets, has_changed }) = self.users.get_mut(user) else { continue };
            *has_changed = false;
            tell(name, Tokens::from_units(u64::try_from(*sum).unwrap_or(u64::MAX)));
            if *buckets == 0 {
                self.by_name.remove(name);
                self.users.remove(user);
            }
        }
    }

    fn user(&mut self, name: &str) -> usize {
        if let Some(user) = self.by_name.get(name) {
            return *user;
        }
        let name: Arc<str> = name.into();
        let user =
            self.users.insert(User { name: Arc::clone(&name), sum: 0, buckets: 0, has_changed: false });
        self.by_name.insert(name, user);
        // Should nothing be given to it, it is let go with the next telling.
        self.note(user);
        user
    }

    fn give(&mut self, user: usize, amount: Tokens) {
        if let Some(known) = self.users.get_mut(user) {
            known.sum += u128::from(amount.units());
            known.buckets += 1;
        }
        self.note(user);
    }

    fn take(&mut self, user: usize, amount: Tokens) {
        if let Some(known) = self.users.get_mut(user) {
            known.sum -= u128::from(amount.units());
            known.buckets -= 1;
        }
        self.note(user);
    }

    fn note(&mut self, user: usize) {
        if let Some(known) = self.users.get_mut(user)
            && !std::mem::replace(&mut known.has_changed, true)
        {
            self.changed.push(user);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[derive(Clone, Debug)]
    struct Saying {
        from: usize,
        bucket: u64,
        ends: u64,
        whole: bool,
        rows: Vec<(usize, u64)>,
        then: u64,
        tell: bool,
    }

    fn saying() -> impl Strategy<Value = Saying> {
        let rows = prop::collection::vec((0..5usize, prop_oneof![Just(0u64), 1..100u64]), 0..6);
        let when = (0..3usize, 0..4u64, 5..40u64, any::<bool>());
        (when, rows, 0..4u64, any::<bool>()).prop_map(|((from, bucket, ends, whole), rows, then, tell)| {
            Saying { from, bucket, ends, whole, rows, then, tell }
        })
    }

    proptest! {
        #[test]
        fn a_users_sum_is_that_of_what_was_said_last_of_each_bucket_that_is_not_over(
            sayings in prop::collection::vec(saying(), 1..80),
        ) {
            let names: Vec<String> = (0..5).map(|user| format!("user-{user}")).collect();
            let mut elsewhere = Elsewhere::default();
            let mut told: HashMap<String, u64> = HashMap::new();
            let mut naive: BTreeMap<(usize, u64), (u64, BTreeMap<usize, u64>)> = BTreeMap::new();
            let mut now = 0;
            for Saying { from, bucket, ends, whole, rows, then, tell } in sayings {
                let ends = now + ends;
                let replica: Arc<str> = from.to_string().into();
                let named = rows.iter().map(|(user, units)| (names[*user].as_str(), Tokens::from_units(*units)));
                elsewhere.hear(&replica, bucket, Tick::from_nanos(ends), whole, named);
                let (known_end, amounts) = naive.entry((from, bucket)).or_insert((ends, BTreeMap::new()));
                *known_end = ends.min(*known_end);
                if whole {
                    amounts.clear();
                }
                amounts.extend(rows);

                now += then;
                elsewhere.expire(Tick::from_nanos(now));
                naive.retain(|_, (ends, _)| *ends > now);
                if tell {
                    elsewhere.take_changed(|user, sum| {
                        told.insert(user.to_owned(), sum.units());
                    });
                    for (user, name) in names.iter().enumerate() {
                        let sum: u64 = naive.values().filter_map(|(_, amounts)| amounts.get(&user)).sum();
                        prop_assert_eq!(told.get(name).copied().unwrap_or(0), sum);
                    }
                    let with = names.iter().filter(|name| told.get(*name).is_some_and(|sum| *sum > 0)).count();
                    prop_assert_eq!(elsewhere.users(), with);
                }
            }
        }
    }
}
