//! What a queue remembers for the others of its kind, and of them: who charged what, and who waits where.
//!
//! It keeps accounts and sums; the ledger, which knows the counters and the order, says when they change.

use std::collections::{BTreeMap, BTreeSet, HashMap};

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

/// What is shared of a user. Its counter is `start + own + others`.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Account {
    pub(super) era: u64,
    /// The counter at the beginning of the era.
    pub(super) start: Counter,
    /// What was charged here in this era.
    pub(super) own: i128,
    /// What is known to have been charged elsewhere in this era.
    others: i128,
    /// How much of its charges elsewhere may be taken back.
    pub(super) held: u128,
    /// Requests that wait elsewhere.
    waiting: u64,
    /// At how many other replicas it is present.
    present: u32,
    /// Whether `others` has charges of which there is no row any more.
    pub(super) has_ghosts: bool,
    /// Its key among those who wait elsewhere, if it is there.
    away: Option<Counter>,
    is_changed: bool,
    /// How many exchanges there had been when anything of it last changed, here or elsewhere.
    changed_at: u64,
    /// Whether others have been told of it.
    pub(super) is_told: bool,
    told: Told,
}

/// What others were told of own charges in this era.
#[derive(Clone, Copy, Debug, Default)]
struct Told {
    revision: u64,
    /// By the news of that revision.
    last: i128,
    /// By the news before.
    before: i128,
}

/// What is known of another replica.
#[derive(Debug, Default)]
pub(super) struct Replica {
    rows: HashMap<UserIndex, Row>,
    revision: u64,
    level: Option<Counter>,
    /// How many requests it has dispatched.
    dispatched: u64,
    /// Whether it has dispatched any since room was last left to it.
    has_answered: bool,
    /// Whether who waits there does not count, as room that was left to it was not taken.
    is_waived: bool,
}

/// A row of another replica.
#[derive(Clone, Copy, Debug, Default)]
struct Row {
    era: u64,
    charged: i128,
    held: u128,
    waiting: u32,
    present: bool,
}

/// An idle user is kept for so many exchanges after anything of it has changed, as more may be on its way.
const KEPT_FOR: u64 = 8;

// === impl Account ===

impl Account {
    /// The counter that follows.
    pub(super) fn counter(&self) -> Counter {
        let start = i128::try_from(self.start.units()).unwrap_or(i128::MAX);
        let sum = start.saturating_add(self.others).saturating_add(self.own);
        Counter::from_units(sum.max(0).unsigned_abs())
    }

    /// Whether anything of the user waits or runs elsewhere.
    pub(super) const fn is_present(&self) -> bool {
        self.present > 0
    }

    /// Whether anything of the user waits elsewhere.
    pub(super) const fn waits(&self) -> bool {
        self.waiting > 0
    }

    fn begin(&mut self, era: u64, start: Counter, own: i128) {
        (self.era, self.start, self.own, self.others) = (era, start, own, 0);
        (self.told, self.has_ghosts) = (Told::default(), false);
    }

    /// Own charges that others may not have heard of: all since the news before the last, which may be on its way.
    const fn unheard(&self, revision: u64) -> i128 {
        let told = if self.told.revision == revision { self.told.before } else { self.told.last };
        let unheard = self.own - told;
        if unheard > 0 { unheard } else { 0 }
    }
}

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

    /// The highest level of the others.
    pub(super) fn highest_level(&self) -> Option<Counter> {
        self.replicas.values().filter_map(|replica| replica.level).max()
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

    /// The users of whom that replica has a row.
    pub(super) fn users_of(&self, from: &str) -> Vec<UserIndex> {
        let mut users: Vec<_> =
            self.replicas.get(from).into_iter().flat_map(|replica| replica.rows.keys().copied()).collect();
        users.sort_unstable();
        users
    }

    /// No room was left to others: they have nothing to answer yet.
    pub(super) fn ask_again(&mut self) {
        self.replicas.values_mut().for_each(|replica| replica.has_answered = false);
    }

    /// The replicas where somebody waits, though room was left to them, and who have dispatched nobody since.
    pub(super) fn silent(&self) -> Vec<Box<str>> {
        let waits = |replica: &Replica| replica.rows.values().any(|row| row.waiting > 0);
        let silent = self.replicas.iter().filter(|(_, replica)| !replica.has_answered && waits(replica));
        silent.map(|(name, _)| name.clone()).collect()
    }

    /// Takes note of what a replica says of itself, unless that is old: then nothing else of it is to be read. Says whether it
    /// has dispatched anything that it had not before.
    pub(super) fn hear_of(
        &mut self,
        from: &str,
        revision: u64,
        level: Option<Counter>,
        dispatched: u64,
    ) -> Option<bool> {
        if !self.replicas.contains_key(from) {
            self.replicas.insert(from.into(), Replica { dispatched, ..Replica::default() });
        }
        let replica = self.replicas.get_mut(from).filter(|replica| replica.revision <= revision)?;
        let has_moved = replica.dispatched != dispatched;
        (replica.revision, replica.level, replica.dispatched) = (revision, level, dispatched);
        replica.has_answered |= has_moved;
        Some(has_moved)
    }

    /// Whether who waits at that replica counts, from now on. Returns those for whom that makes a difference.
    pub(super) fn waive(&mut self, from: &str, is_waived: bool) -> Vec<UserIndex> {
        let Some(replica) = self.replicas.get_mut(from).filter(|replica| replica.is_waived != is_waived)
        else {
            return Vec::new();
        };
        replica.is_waived = is_waived;
        let waiting: Vec<_> =
            replica.rows.iter().map(|(user, row)| (*user, u64::from(row.waiting))).collect();
        let mut users = Vec::new();
        for (user, waiting) in waiting.into_iter().filter(|(_, waiting)| *waiting > 0) {
            let account = self.account_mut(user);
            let after = |sum: u64| if is_waived { sum - waiting } else { sum + waiting };
            account.waiting = after(account.waiting);
            self.waiting = after(self.waiting);
            users.push(user);
        }
        users
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
        let served = account.own - account.told.last;
        account.told = Told { revision, last: account.own, before: account.told.last };
        account.is_told = true;
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
