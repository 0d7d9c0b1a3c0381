//! The queue's part in an exchange with other replicas: what it tells, and what it does with what it hears.

use std::collections::HashSet;

use super::FairQueue;
use super::counter::Counter;
use super::ledger::Ledger;
use super::news::{QueueNews, UserNews};
use super::sharing::Sharing;
use super::turn::{MOST_DEALT, PATIENCE, Waiting, turns_elsewhere};
use super::users::{Kind, User, UserIndex};
use crate::predict::UserName;

impl<R> FairQueue<R> {
    /// What has changed since the last time, or with `whole` everything: for the other replicas, once in each exchange.
    /// From the first time on the queue is shared. O(users who have changed); with `whole`, O(users known).
    pub fn export(&mut self, whole: bool) -> QueueNews {
        self.ledger.export(whole)
    }

    /// Takes in what was heard from other replicas, by name, in the order in which they said it: once in each exchange, with
    /// all that was heard. `None` is a replica that is no more: what it has charged stays charged, and nobody waits
    /// there. O(rows log users).
    pub fn import<'a>(&mut self, heard: impl IntoIterator<Item = (&'a str, Option<&'a QueueNews>)>) {
        let heard: Vec<_> = heard.into_iter().collect();
        self.ledger.import(&heard, self.limits.users);
    }

    /// So many places are free, as this replica of that name sees it after an exchange; `None`: any number. Others see
    /// them too. Until the next time, as many go from here as would if all stood in one queue, and one more for each that
    /// ends. O(users who wait + places log users); O(1) if nobody waits elsewhere.
    pub fn deal(&mut self, replica: &str, places: Option<usize>) {
        self.ledger.deal(replica, places);
    }

    /// There is room for the head of the queue, and it was left to the others, as [`Head::yields`](super::Head::yields)
    /// says. If that goes on for two exchanges, it does not say so any more. O(1).
    pub fn left_room(&mut self) {
        if let Some(sharing) = &mut self.ledger.sharing {
            sharing.turn.leave();
        }
    }

    /// The most that the users here may be ahead of those who wait elsewhere and go all the same: what was charged, by all
    /// replicas, in one exchange of late. O(1).
    #[must_use]
    pub fn slack(&self) -> Counter {
        let slack = self.ledger.sharing.as_ref().map_or(0, |sharing| sharing.turn.slack());
        Counter::from_units(slack)
    }
}

impl Ledger {
    fn export(&mut self, whole: bool) -> QueueNews {
        let level = self.level();
        let sharing = self.shared();
        sharing.revision += 1;
        let alone = sharing.is_alone();
        let (revision, dispatched) = (sharing.revision, sharing.turn.all_dispatched());
        let forgotten = std::mem::take(&mut sharing.forgotten);
        let known: Vec<_> =
            if whole { self.users.iter().map(|(user, _)| user).collect() } else { Vec::new() };
        let changed = self.shared().take_changed(whole, known.into_iter());
        let users = changed.into_iter().filter_map(|user| self.tell(user, revision)).collect();
        match self.shared().turn.next_exchange() {
            0 => self.shared().ask_again(),
            left_for if left_for >= PATIENCE => self.waive_those_who_do_not_answer(),
            _ => {}
        }
        QueueNews { revision, whole, alone, level, dispatched, users, forgotten }
    }

    /// The row of a user; `None` for all those beyond the limit on users, whom each replica has for itself.
    fn tell(&mut self, index: UserIndex, revision: u64) -> Option<UserNews> {
        let user = &self.users[index];
        let name: Box<str> = user.own_name()?.into();
        let waiting = if user.tie.is_some() { user.line.len } else { 0 };
        let present = user.is_present();
        let held = user.counter.minus(user.base.units()).units();
        let sharing = self.shared();
        sharing.tell(index, revision);
        let account = sharing.account(index);
        let (era, start, charged) = (account.era, account.start, account.own);
        Some(UserNews { user: name, era, start, charged, held, waiting, present })
    }

    fn import(&mut self, heard: &[(&str, Option<&QueueNews>)], limit: usize) {
        let was_alone = self.shared().is_alone();
        if was_alone {
            self.meet(heard.iter().filter_map(|(_, news)| *news));
        }
        let mut rows = 0;
        for (from, news) in heard {
            match news {
                // It does not know our scale yet. Once it does, it will tell everything.
                Some(news) if news.alone && !was_alone => {}
                Some(news) => {
                    rows += news.users.len();
                    self.hear(from, news, limit);
                }
                None => {
                    self.lose_all(from);
                    self.shared().replicas.remove(*from);
                }
            }
        }
        // Whoever was told of only to be forgotten.
        self.forget_some(rows);
    }

    /// Who was alone hears of others. Scales of counters that grew apart are brought together: whoever joins a fleet takes
    /// that's, and of two who were alone the lower one rises. The order of the users does not change.
    fn meet<'a>(&mut self, news: impl Iterator<Item = &'a QueueNews>) {
        let (mut alone, mut fleet, mut any) = (None, None, false);
        for news in news {
            any = true;
            let level = if news.alone { &mut alone } else { &mut fleet };
            *level = news.level.max(*level);
        }
        if !any {
            return;
        }
        if let Some(own) = self.level()
            && let Some(to) = fleet.or(alone.filter(|alone| *alone > own))
        {
            self.shift(own, to);
        }
        // What was told before may not have been read.
        let known: Vec<_> = self.users.iter().map(|(user, _)| user).collect();
        known.into_iter().for_each(|user| self.shared().touch(user, 0));
    }

    fn hear(&mut self, from: &str, news: &QueueNews, limit: usize) {
        let QueueNews { revision, level, dispatched, .. } = *news;
        let Some(has_moved) = self.shared().hear_of(from, revision, level, dispatched) else { return };
        if has_moved {
            let back = self.shared().waive(from, false);
            back.into_iter().for_each(|user| self.settle_account(user));
        }
        for name in &news.forgotten {
            if let Some(user) = self.users.find_own(UserName::new(name)) {
                self.shared().lose(from, user);
                self.settle_account(user);
            }
        }
        let mut told = HashSet::new();
        for row in &news.users {
            let name = UserName::new(&row.user);
            let known = self.users.find_own(name);
            let Some(user) = known.or_else(|| self.users.open_own(name, limit)) else { continue };
            told.insert(user);
            let User { counter, .. } = self.users[user];
            let is_present = self.users[user].is_present();
            let counter = self.shared().hear(from, user, row, counter, is_present);
            self.reckon(user, counter);
            self.settle_account(user);
        }
        if news.whole {
            let users = self.shared().users_of(from);
            for user in users.into_iter().filter(|user| !told.contains(user)) {
                self.shared().lose(from, user);
                self.settle_account(user);
            }
        }
    }

    fn lose_all(&mut self, from: &str) {
        for user in self.shared().users_of(from) {
            self.shared().lose(from, user);
            self.settle_account(user);
        }
    }

    /// What is known of a user elsewhere has changed: puts it where it belongs.
    fn settle_account(&mut self, index: UserIndex) {
        self.fold(index);
        let user = &self.users[index];
        let (counter, is_in_order) = (user.counter, user.tie.is_some());
        let was_idle = user.noted.is_some_and(|(kind, _)| kind == Kind::Idle);
        self.shared().place(index, counter, is_in_order);
        self.note_anew(index);
        let account = self.shared().account(index);
        if was_idle && account.is_present() && account.own != 0 {
            // Somebody may have forgotten what was charged here. Nobody forgets a user who is present.
            self.shared().touch(index, 0);
        }
    }

    /// Room was left to others for long enough: those who took none of it do not count until they dispatch again.
    fn waive_those_who_do_not_answer(&mut self) {
        for name in self.shared().silent() {
            let users = self.shared().waive(&name, true);
            users.into_iter().for_each(|user| self.settle_account(user));
        }
    }

    fn deal(&mut self, replica: &str, places: Option<usize>) {
        let dealt = places.map(|places| {
            let places = places as u64;
            places - self.turns_elsewhere(replica, places)
        });
        self.shared().turn.deal(dealt);
    }

    /// How many of the next turns are not of this replica.
    fn turns_elsewhere(&self, replica: &str, places: u64) -> u64 {
        let Some(sharing) = &self.sharing else { return 0 };
        if sharing.all_waiting() == 0 || places == 0 {
            return 0;
        }
        let most = usize::try_from(places.min(MOST_DEALT)).unwrap_or(usize::MAX);
        let name = |user: UserIndex| self.users[user].own_name().unwrap_or_default();
        let here = self.in_order().map(|user| {
            let (elsewhere, first) = sharing.waiting(user);
            let here = u64::from(self.users[user].line.len);
            let is_first = first.is_none_or(|first| replica < first);
            Waiting { counter: self.counter(&self.users[user]), name: name(user), here, elsewhere, is_first }
        });
        let away = sharing.all_away().map(|(counter, user, elsewhere)| Waiting {
            counter: counter.max(self.floor()),
            name: name(user),
            here: 0,
            elsewhere,
            is_first: false,
        });
        // Of each only so many can have a turn.
        turns_elsewhere(here.take(most).chain(away.take(most)), most as u64, sharing.turn.cost())
    }

    /// Whether the next user leaves its place to one who waits elsewhere and is further behind.
    pub(super) fn yields(&self, next: UserIndex) -> bool {
        let Some(sharing) = &self.sharing else { return false };
        if sharing.turn.is_open() || sharing.all_waiting() == 0 {
            return false;
        }
        if sharing.turn.is_over() {
            return true;
        }
        let Some(least) = sharing.least_away() else { return false };
        let reach = Counter::from_units(least.units().saturating_add(sharing.turn.slack()));
        let rank = |counter: Counter| self.discipline().rank(counter);
        rank(self.counter(&self.users[next])) > rank(reach)
    }

    /// What is shared; from now on it is.
    fn shared(&mut self) -> &mut Sharing {
        if self.sharing.is_none() {
            let mut sharing = Sharing::default();
            for (index, user) in self.users.iter() {
                sharing.begin(index, user.counter);
            }
            return self.sharing.insert(Box::new(sharing));
        }
        self.sharing.get_or_insert_default()
    }
}
