//! What one thread at a time does for all: publishing the extremes, closing idle accounts.

use super::calendar::Calendar;
use super::census::{BLOCK, Census};
use super::guests::Guests;
use super::leavers::Leavers;
use super::seat::Flags;
use super::unexported::Unexported;
use super::{Account, Charged, SlidingWindowTracker};
use crate::clock::{Clock, Tick};
use crate::extremes::Extremes;
use crate::sync::{Arc, Publisher};
use crate::tokens::Tokens;

/// The tracker's single writer. Whoever holds it may publish.
///
/// It keeps a copy of every count, and renews those that changed (their accounts raised a flag) and those of which
/// something expired (the calendar tells). So its work is in proportion to that, and not to the number of users.
pub(super) struct Upkeep<C> {
    publisher: Publisher<Extremes>,
    /// By seat: the accounts, and their counts as of the last run.
    accounts: Vec<Option<Account<C>>>,
    census: Census,
    /// The flags of all seats, in their order.
    flags: Vec<Arc<Flags>>,
    calendar: Calendar,
    /// The bucket in which the last run began: what was not known to it lies there or later, unless it came late.
    begun: u64,
    /// The bucket of the last run: what expired before it is gone.
    at: u64,
    leavers: Leavers,
    /// When the held ones were last asked again.
    asked_at: Tick,
    /// Who changed since the last export; `None` before the first.
    unexported: Option<Unexported>,
    /// Users who were charged elsewhere and are counted with those who share an account here.
    guests: Guests,
}

/// 64 neighbouring seats: which word of flags they are, and which of them.
#[derive(Clone, Copy)]
struct Group {
    word: usize,
    seats: u64,
}

/// The flags that were up in one word.
struct Raised {
    group: Group,
    /// Those of the group that were charged late.
    late: u64,
}

/// Groups whose totals are fetched together: when few change, most groups have one account that did.
const FETCHED_AT_A_TIME: usize = 16;
/// Seats of closed accounts that are given back together.
const RELEASED_AT_A_TIME: usize = 1024;

// === impl Upkeep ===

impl<C: Clock> Upkeep<C> {
    pub(super) fn new(publisher: Publisher<Extremes>, buckets: usize, now: Tick, bucket: u64) -> Self {
        Self {
            publisher,
            accounts: Vec::new(),
            census: Census::default(),
            flags: Vec::new(),
            calendar: Calendar::new(buckets),
            begun: bucket,
            at: bucket,
            leavers: Leavers::default(),
            asked_at: now,
            unexported: None,
            guests: Guests::default(),
        }
    }

    /// Publishes the extremes of now and closes the accounts of idle users. O(users that changed or of whom
    /// something expired since the last run), and one look at each 64 users.
    pub(super) fn run(&mut self, tracker: &SlidingWindowTracker<C>) -> Extremes {
        let ledger = tracker.ledger();
        let since = self.begun;
        self.begun = since.max(ledger.bucket());
        ledger.begin_refresh(self.begun);
        let raised = self.take_down_flags(tracker, since != self.begun);

        // Only now the time of this run: whoever raised one of these flags charged into this bucket or an earlier one.
        let as_of = ledger.clock.now();
        let before = self.at;
        self.at = before.max(ledger.latest(as_of));
        self.expire(before, self.at);
        self.renew(&raised, since);
        if let Some(unexported) = &mut self.unexported {
            raised.iter().for_each(|Raised { group, .. }| unexported.note(group.word, group.seats));
        }

        let (range, users) = self.census.range();
        let config = &ledger.config;
        let extremes = Extremes::new(range, users, config.min_tokens, config.max_tokens, as_of);
        // The adaptive bucket changes only here, so here is where it is shown: not once per request.
        metrics::gauge!("vtc_bucket_size_active").set(extremes.bucket);
        self.publisher.publish(Arc::new(extremes));
        if as_of.since(self.asked_at) >= ledger.window.lap() {
            self.asked_at = as_of;
            self.ask_the_held_again();
        }
        self.close_idle(tracker);
        extremes
    }

    /// Takes down all flags; says which seats raised them. In a new bucket (`always`) all words are written, so that
    /// whoever charges into an older one from then on knows that it is late.
    fn take_down_flags(&mut self, tracker: &SlidingWindowTracker<C>, always: bool) -> Vec<Raised> {
        self.welcome(tracker);
        let mut raised = Vec::new();
        for (shared, flags) in self.flags.iter().enumerate() {
            let first = shared * Flags::SEATS / BLOCK;
            flags.take_down(always, |word, changed, late| {
                raised.push(Raised { group: Group { word: first + word, seats: changed }, late });
            });
        }
        // A flag may belong to an account that was opened meanwhile: those are known from here on.
        self.welcome(tracker);
        raised
    }

    /// Takes in the accounts that were opened since. They count as idle until they raise a flag.
    fn welcome(&mut self, tracker: &SlidingWindowTracker<C>) {
        for account in tracker.seats().arrivals() {
            let seat = account.seat();
            let number = seat.number as usize;
            if number >= self.accounts.len() {
                self.accounts.resize(number + 1, None);
            }
            if number / Flags::SEATS >= self.flags.len() {
                // Seats are given out in order, so no shared flags are left out.
                self.flags.push(Arc::clone(seat.flags()));
            }
            self.leavers.note(seat.number);
            if !self.guests.is_empty()
                && let Some(amount) = self.guests.remove(account.name())
            {
                // It has room of its own now.
                account.set_elsewhere(amount.units());
                count(&mut self.census, &mut self.leavers, number, &account);
                self.count_guests(tracker);
            }
            self.accounts[number] = Some(account);
        }
    }

    /// Visits what changed since the last export, or everything.
    pub(super) fn export(
        &mut self,
        tracker: &SlidingWindowTracker<C>,
        all: bool,
        mut visit: impl FnMut(Charged<'_>),
    ) {
        let as_of = self.run(tracker).as_of;
        let (begun, at) = (self.begun, self.at);
        let all = all || self.unexported.is_none();
        let unexported = self.unexported.get_or_insert_with(|| Unexported::since(begun));
        let (since, mut changed) = unexported.take(begun);
        let mut since = since;
        if all {
            since = 0;
            changed = (0..self.accounts.len().div_ceil(BLOCK)).map(|word| (word, u64::MAX)).collect();
        }
        let window = &tracker.ledger().window;
        let Self { accounts, census, leavers, .. } = self;
        for (word, seats) in changed {
            Group { word, seats }.for_each(accounts, |seat, account| {
                account.export(since, at, |bucket, amount| {
                    let left = window.end_of(bucket).since(as_of);
                    visit(Charged { user: account.name(), bucket, amount, left });
                });
                // Until now it could not be closed.
                if census.count(seat).is_zero() {
                    leavers.note(seat as u32);
                }
            });
        }
    }

    /// That user was charged so much elsewhere.
    pub(super) fn set_elsewhere(&mut self, tracker: &SlidingWindowTracker<C>, user: &str, amount: Tokens) {
        self.welcome(tracker);
        if self.guests.remove(user).is_some() {
            self.count_guests(tracker);
        }
        let account = match tracker.own_account(user) {
            None if amount.is_zero() => return,
            None => tracker.account_or_open(user),
            Some(account) => Ok(account),
        };
        let Ok(account) = account else { return };
        if account.seat().number == tracker.overflow().seat().number {
            self.guests.put(user, amount);
            self.count_guests(tracker);
            return;
        }
        // It may have been opened just now.
        self.welcome(tracker);
        account.set_elsewhere(amount.units());
        count(&mut self.census, &mut self.leavers, account.seat().number as usize, &account);
    }

    /// The guests are counted with those who share an account.
    fn count_guests(&mut self, tracker: &SlidingWindowTracker<C>) {
        let overflow = tracker.overflow();
        overflow.set_elsewhere(self.guests.sum());
        count(&mut self.census, &mut self.leavers, overflow.seat().number as usize, overflow);
    }

    /// Takes everything out of the counts that lies in buckets which were in the window of `before` and are not in
    /// that of `now`.
    fn expire(&mut self, before: u64, now: u64) {
        let buckets = self.calendar.buckets();
        let oldest_before = (before + 1).saturating_sub(buckets);
        let expired = oldest_before..(now + 1).saturating_sub(buckets).min(before + 1);
        let Self { calendar, accounts, census, leavers, .. } = self;
        for bucket in expired {
            calendar.expire(bucket, |word, seats| {
                let group = Group { word, seats };
                group.fetch(accounts);
                group.for_each(accounts, |seat, account| {
                    account.ring().expire(bucket);
                    count(census, leavers, seat, account);
                });
            });
        }
    }

    /// Renews the counts of all accounts that raised a flag. What was not known before lies in the buckets from `since`
    /// to that of now.
    fn renew(&mut self, raised: &[Raised], since: u64) {
        let Self { calendar, accounts, census, leavers, at: now, .. } = self;
        let lap = (*now + 1).saturating_sub(calendar.buckets())..=*now;
        // If nobody looked for long, some of it has expired already.
        let may_have_expired = since < *lap.start();
        let since = since.max(*lap.start())..=*now;
        for some in raised.chunks(FETCHED_AT_A_TIME) {
            some.iter().for_each(|raised| raised.group.fetch(accounts));
            for Raised { group, late } in some {
                let mut positive = 0;
                group.for_each(accounts, |seat, account| {
                    let bit = 1 << (seat % BLOCK);
                    if may_have_expired || late & bit != 0 {
                        account.ring().sweep(*now);
                    }
                    count(census, leavers, seat, account);
                    positive |= if census.count(seat).is_zero() { 0 } else { bit };
                });
                since.clone().for_each(|bucket| calendar.enroll(bucket, group.word, positive));
                // What came late lies anywhere.
                if late & positive != 0 {
                    lap.clone().for_each(|bucket| calendar.enroll(bucket, group.word, late & positive));
                }
            }
        }
    }

    /// Who was idle and held is asked whether it is so still.
    fn ask_the_held_again(&mut self) {
        for seat in self.leavers.ask_again() {
            if let Some(account) = &self.accounts[*seat as usize] {
                // It may be that nobody else reads it, and a ring wants to be used once in a while.
                account.ring().sweep(self.at);
            }
        }
    }

    /// Closes the accounts that have nothing left and that nobody holds.
    fn close_idle(&mut self, tracker: &SlidingWindowTracker<C>) {
        let mut closed = Vec::new();
        for seat in self.leavers.take_idle() {
            let place = seat as usize;
            if self.unexported.as_ref().is_some_and(|unexported| unexported.contains(place)) {
                // That it has nothing left is not told yet. It is listed again when it is.
                self.leavers.strike_off(seat);
                continue;
            }
            let Some(account) = self.accounts[place].take_if(|_| self.census.count(place).is_zero()) else {
                self.leavers.strike_off(seat);
                continue;
            };
            match tracker.close(account) {
                Ok(()) => {
                    closed.push(seat);
                    self.leavers.strike_off(seat);
                    // Newcomers wait for the seats' lock: it is never held for long.
                    if closed.len() == RELEASED_AT_A_TIME {
                        tracker.seats().release(&closed);
                        closed.clear();
                    }
                }
                Err(account) => {
                    // Who has been charged since has raised a flag. All others are held.
                    if account.watch().is_zero() {
                        self.leavers.hold(seat);
                    } else {
                        self.leavers.strike_off(seat);
                    }
                    self.accounts[place] = Some(account);
                }
            }
        }
        tracker.seats().release(&closed);
    }
}

/// Reads an account's total into the census.
fn count<C: Clock>(census: &mut Census, leavers: &mut Leavers, seat: usize, account: &Account<C>) {
    let count = account.watch();
    if count.is_zero() {
        leavers.note(seat as u32);
    }
    census.set(seat, count);
}

// === impl Group ===

impl Group {
    fn for_each<C>(self, accounts: &[Option<Account<C>>], mut visit: impl FnMut(usize, &Account<C>)) {
        let mut seats = self.seats;
        while seats != 0 {
            let seat = self.word * BLOCK + seats.trailing_zeros() as usize;
            seats &= seats - 1;
            if let Some(account) = accounts.get(seat).and_then(Option::as_ref) {
                visit(seat, account);
            }
        }
    }

    /// Has the processor fetch all totals from memory at a time. One after the other, by read-modify-writes, they would
    /// take several times as long.
    fn fetch<C: Clock>(self, accounts: &[Option<Account<C>>]) {
        self.for_each(accounts, |_, account| {
            std::hint::black_box(account.peek());
        });
    }
}
