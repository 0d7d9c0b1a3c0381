//! What is remembered of users, and of how many.

use std::mem;

use hashbrown::HashTable;

use super::UserName;

/// Something about each of the users heard of last: of at least so many, and at most twice as many.
///
/// Two generations: who is heard of enters the young one; when that is full it becomes the old one, and the one that
/// was old is forgotten. So whoever is heard of at least once in `users` other users is never forgotten, at O(1) and
/// without a list to keep in order.
///
/// Users are told apart by their [keys](UserName::key) alone, and no name is kept.
#[derive(Clone, Debug)]
pub struct RecentUsers<T> {
    users: usize,
    young: Generation<T>,
    old: Generation<T>,
}

/// Something about each user, by its key.
type Generation<T> = HashTable<(u64, T)>;

impl<T: Copy> RecentUsers<T> {
    /// Remembers at least the last `users` users; at least 1.
    #[must_use]
    pub fn new(users: usize) -> Self {
        Self { users: users.max(1), young: Generation::new(), old: Generation::new() }
    }

    /// What is remembered of the user.
    #[must_use]
    pub fn get(&self, user: UserName<'_>) -> Option<T> {
        let (key, is_it) = by_key(user);
        let found = self.young.find(key, is_it).or_else(|| self.old.find(key, is_it));
        found.map(|(_, value)| *value)
    }

    /// Remembers what `change` makes of what was remembered.
    pub fn update(&mut self, user: UserName<'_>, change: impl FnOnce(Option<T>) -> T) {
        let (key, is_it) = by_key(user);
        if let Some((_, value)) = self.young.find_mut(key, is_it) {
            *value = change(Some(*value));
            return;
        }
        let before = self.old.find_entry(key, is_it).ok().map(|entry| entry.remove().0.1);
        if self.young.len() >= self.users {
            self.old = mem::take(&mut self.young);
        }
        self.young.insert_unique(key, (key, change(before)), |(key, _)| *key);
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

/// Where the user's entry is, and which it is.
fn by_key<T>(user: UserName<'_>) -> (u64, impl Fn(&(u64, T)) -> bool + Copy) {
    let key = user.key();
    (key, move |(other, _)| *other == key)
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
                recent.update(UserName::new(&who.to_string()), |times| times.unwrap_or(0) + 1);
                let now = recent.get(UserName::new(&who.to_string())).unwrap();
                prop_assert!(now == 1 || now == times + 1, "{now} after {times}");
                prop_assert!(!known || now == times + 1);
                order.push((who, now));
                prop_assert!(recent.len() <= 2 * users);
                for (user, times) in order.iter().rev().take(users) {
                    prop_assert_eq!(recent.get(UserName::new(&user.to_string())), Some(*times));
                }
            }
        }
    }
}
