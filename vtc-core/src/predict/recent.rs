//! What is remembered of users, and of how many.

use std::collections::HashMap;
use std::mem;

/// Something about each of the users heard of last: of at least so many, and at most twice as many.
///
/// Two generations: who is heard of enters the young one; when that is full it becomes the old one, and the one that
/// was old is forgotten. So whoever is heard of at least once in `users` other users is never forgotten, at O(1) and
/// without a list to keep in order.
#[derive(Clone, Debug)]
pub struct RecentUsers<T> {
    users: usize,
    young: Generation<T>,
    old: Generation<T>,
}

// Names are chosen by clients: the seed is random.
type Generation<T> = HashMap<Box<str>, T, foldhash::fast::RandomState>;

impl<T: Copy> RecentUsers<T> {
    /// Remembers at least the last `users` users; at least 1.
    #[must_use]
    pub fn new(users: usize) -> Self {
        Self { users: users.max(1), young: HashMap::default(), old: HashMap::default() }
    }

    /// What is remembered of the user.
    #[must_use]
    pub fn get(&self, user: &str) -> Option<T> {
        self.young.get(user).or_else(|| self.old.get(user)).copied()
    }

    /// Remembers what `change` makes of what was remembered.
    pub fn update(&mut self, user: &str, change: impl FnOnce(Option<T>) -> T) {
        if let Some(value) = self.young.get_mut(user) {
            *value = change(Some(*value));
            return;
        }
        let value = change(self.old.remove(user));
        if self.young.len() >= self.users {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert(user.into(), value);
    }

    /// How many users are remembered: at most twice the number asked for.
    #[must_use]
    pub fn len(&self) -> usize {
        self.young.len() + self.old.len()
    }

    /// Whether nobody is remembered.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn the_last_ones_are_remembered_and_never_more_than_twice_as_many(
            users in 1..8usize,
            heard in proptest::collection::vec(0..20u8, 0..200),
        ) {
            let mut recent = RecentUsers::new(users);
            // Who was heard of last stands last.
            let mut order: Vec<(u8, u32)> = Vec::new();
            for who in heard {
                let known = order.iter().rev().take(users).any(|(user, _)| *user == who);
                let times = order.iter().position(|(user, _)| *user == who).map_or(0, |at| order.remove(at).1);
                recent.update(&who.to_string(), |times| times.unwrap_or(0) + 1);
                let now = recent.get(&who.to_string()).unwrap();
                prop_assert!(now == 1 || now == times + 1, "{now} after {times}");
                prop_assert!(!known || now == times + 1);
                order.push((who, now));
                prop_assert!(recent.len() <= 2 * users);
                for (user, times) in order.iter().rev().take(users) {
                    prop_assert_eq!(recent.get(&user.to_string()), Some(*times));
                }
            }
        }
    }
}
