//! What a queue remembers for the others of its kind, and of them: who charged what, and who waits where.
//!
//! It keeps accounts and sums; the ledger, which knows the counters and the order, says when they change.

mod account;
mod replica;

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub(super) use self::account::Account;
pub(super) use self::replica::Replica;
use self::replica::Row;
use super::counter::Counter;
use super::news::UserNews;
use super::turn::Turn;
use super::users::UserIndex;

#[derive(Debug, Default)]
pub(super) struct Sharing {
    /// By the user's index.
    accounts: Vec<Account>,
    /// By name.
    pub(super) replicas: BTreeMap<Box<str>, Replica>,
    /// Requests that wait elsewhere.
    waiting: u64,
    /// The users who wait elsewhere and may not be chosen here, by counter.
    away: BTreeSet<(Counter, UserIndex)>,
    /// No era is later, of those that are known.
    clock: u64,
    /// How many times it was exported.
    pub(super) revision: u64,
    /// The users of whom something is to be told.
    changed: Vec<UserIndex>,
    /// The users whose rows are to be thrown away.
    pub(super) forgotten: Vec<Box<str>>,
    /// The highest counter that was forgotten: whoever comes in has at least that, as it may be the one.
    pub(super) highest_forgotten: Counter,
    pub(super) turn: Turn,
}

/// An idle user is kept for so many exchanges after anything of it has changed, as more may be on its way: what was told
/// before others had heard of the change, and what they told when they had. Half of it each.
const KEPT_FOR: u64 = 16;

// === impl Sharing ===

impl Sharing {
    pub(super) fn account(&self, user: UserIndex) -> Account {
        self.accounts.get(user as usize).copied().unwrap_or_default()
    }

    pub(super) fn account_mut(&mut self, user: UserIndex) -> &mut Account {
        let at = user as usize;
        if at >= self.accounts.len() {
            self.accounts.resize(at + 1, Account::default());
        }
        &mut self.accounts[at]
    }

    /// How many requests wait elsewhere.
    pub(super) const fn all_waiting(&self) -> u64 {
        self.waiting
    }

    /// Whether no other is known.
    pub(super) fn is_alone(&self) -> bool {
        self.replicas.is_empty()
    }

    /// The user was charged here, or something else of it has changed that is told.
    pub(super) fn touch(&mut self, user: UserIndex, charge: i128) {
        let now = self.revision;
        let account = self.account_mut(user);
        account.changed_at = now;
        account.own += charge;
        if !account.is_changed {
            account.is_changed = true;
            self.changed.push(user);
        }
    }

    /// The user begins a new era with this counter.
    pub(super) fn begin(&mut self, user: UserIndex, start: Counter) {
        self.clock += 1;
        let era = self.clock;
        self.account_mut(user).begin(era, start, 0);
        self.touch(user, 0);
    }

    /// The least counter of those who wait elsewhere and may not be chosen here.
    pub(super) fn least_away(&self) -> Option<Counter> {
        self.away.first().map(|(counter, _)| *counter)
    }

    /// Those, the least first, and how many requests of each wait elsewhere.
    pub(super) fn all_away(&self) -> impl Iterator<Item = (Counter, UserIndex, u64)> {
        self.away.iter().map(|(counter, user)| (*counter, *user, self.account(*user).waiting))
    }

    /// How many requests of the user wait elsewhere, and the first replica by name that has one.
    pub(super) fn waiting(&self, user: UserIndex) -> (u64, Option<&str>) {
        let waiting = self.account(user).waiting;
        let has = |replica: &Replica| replica.rows.get(&user).is_some_and(|row| row.waiting > 0);
        let first =
            self.replicas.iter().find(|(_, replica)| waiting > 0 && !replica.is_waived && has(replica));
        (waiting, first.map(|(name, _)| &**name))
    }

    /// The user has this counter, and stands in the order here or does not.
    pub(super) fn place(&mut self, user: UserIndex, counter: Counter, is_in_order: bool) {
        let account = self.account_mut(user);
        let now = (account.waits() && !is_in_order).then_some(counter);
        if now == account.away {
            return;
        }
        let before = std::mem::replace(&mut account.away, now);
        if let Some(before) = before {
            self.away.remove(&(before, user));
        }
        if let Some(now) = now {
            self.away.insert((now, user));
        }
    }

    /// Takes note of a row of another replica. The account follows, and so does the counter, which is returned. It was
    /// `counter`; `is_present` says whether anything of the user waits or runs here.
    pub(super) fn hear(
        &mut self,
        from: &str,
        user: UserIndex,
        news: &UserNews,
        counter: Counter,
        is_present: bool,
    ) -> Counter {
        let Some(replica) = self.replicas.get_mut(from) else { return counter };
        let before = replica.rows.get(&user).copied().unwrap_or_default();
        let UserNews { era, start, charged, held, waiting, present, .. } = *news;
        replica.rows.insert(user, Row { era, charged, held, waiting, present });
        let counts = !replica.is_waived;
        self.clock = self.clock.max(era);
        let now = self.revision;
        let account = self.account_mut(user);
        account.changed_at = now;
        account.held = account.held + held - before.held;
        account.present = account.present + u32::from(present) - u32::from(before.present);
        if counts {
            account.waiting = account.waiting + u64::from(waiting) - u64::from(before.waiting);
            self.waiting = self.waiting + u64::from(waiting) - u64::from(before.waiting);
        }
        let account = self.account_mut(user);
        let counted = if before.era == account.era { before.charged } else { 0 };
        if era > account.era {
            // Whoever began this era had not heard of our last charges: they belong to it.
            let unheard = account.unheard(now);
            let own_start = counter.minus(unheard.unsigned_abs());
            account.begin(era, start.max(own_start), unheard);
            // Who is present has a row in the era, with its start: others go by it.
            let is_news = is_present || unheard > 0 || own_start > start;
            self.account_mut(user).others = self.charged_elsewhere(user, era);
            if is_news {
                self.touch(user, 0);
            }
        } else if era == account.era {
            account.others += charged - counted;
            if start > account.start {
                account.start = start;
                if is_present {
                    self.touch(user, 0);
                }
            }
        } else {
            account.others -= counted;
        }
        self.turn.served(if before.era == era { charged - before.charged } else { charged });
        self.account(user).counter()
    }

    /// A row of another replica is gone: what was charged stays charged.
    pub(super) fn lose(&mut self, from: &str, user: UserIndex) {
        let Some(replica) = self.replicas.get_mut(from) else { return };
        let counts = !replica.is_waived;
        let Some(row) = replica.rows.remove(&user) else { return };
        let account = self.account_mut(user);
        account.held -= row.held;
        account.present -= u32::from(row.present);
        if counts {
            account.waiting -= u64::from(row.waiting);
            self.waiting -= u64::from(row.waiting);
        }
        let account = self.account_mut(user);
        account.has_ghosts |= row.era == account.era && row.charged != 0;
    }

    /// The users of whom something is to be told since the last time; with `all`, those of the `known` of whom there is
    /// anything to be told.
    pub(super) fn take_changed(
        &mut self,
        all: bool,
        known: impl Iterator<Item = UserIndex>,
    ) -> Vec<UserIndex> {
        let mut changed = std::mem::take(&mut self.changed);
        changed.retain(|user| std::mem::take(&mut self.account_mut(*user).is_changed));
        if all {
            let mut also: Vec<_> = known.filter(|user| self.account(*user).is_told).collect();
            changed.append(&mut also);
            changed.sort_unstable();
            changed.dedup();
        }
        changed
    }

    /// The user is told of, in news of that revision.
    pub(super) fn tell(&mut self, user: UserIndex, revision: u64) {
        let account = self.account_mut(user);
        let served = account.tell(revision);
        self.turn.served(served);
    }

    /// Whether more may be on its way of this user.
    pub(super) fn is_fresh(&self, user: UserIndex) -> bool {
        self.revision < self.account(user).changed_at + KEPT_FOR
    }

    /// The user is forgotten here.
    pub(super) fn forget(&mut self, user: UserIndex, name: Option<&str>, counter: Counter) {
        self.highest_forgotten = self.highest_forgotten.max(counter);
        self.place(user, counter, true);
        for replica in self.replicas.values_mut() {
            replica.rows.remove(&user);
        }
        // Its index may soon be another's, of whom nothing is to be told: if it is listed, the mark on it is gone.
        let Account { is_told, .. } = std::mem::take(self.account_mut(user));
        if let Some(name) = name.filter(|_| is_told) {
            self.forgotten.push(name.into());
        }
    }

    /// Accounts have moved: from where, and to where. Nobody waits or runs anywhere.
    pub(super) fn moved(&mut self, moves: &HashMap<UserIndex, UserIndex>) {
        let before = std::mem::take(&mut self.accounts);
        for (old, account) in (0..).zip(before) {
            if let Some(new) = moves.get(&old) {
                *self.account_mut(*new) = account;
            }
        }
        let to = |user: &UserIndex| moves.get(user).copied();
        self.changed = self.changed.iter().filter_map(to).collect();
        for replica in self.replicas.values_mut() {
            let rows = std::mem::take(&mut replica.rows);
            replica.rows = rows.into_iter().filter_map(|(user, row)| Some((to(&user)?, row))).collect();
        }
    }

    /// What others have charged the user in that era, as far as is known.
    fn charged_elsewhere(&self, user: UserIndex, era: u64) -> i128 {
        let rows = self.replicas.values().filter_map(|replica| replica.rows.get(&user));
        rows.filter(|row| row.era == era).map(|row| row.charged).sum()
    }
}
