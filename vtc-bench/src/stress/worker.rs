//! One thread's part: it draws actions, announces them, does them, logs what is to be counted, and judges what it
//! reads.

mod tickets;

use std::sync::Arc;

use vtc_core::{Clock, Tick, TokenTracker, UserHandle};

use super::amount::Amount;
use super::held::Held;
use super::law::Verdicts;
use super::laws;
use super::ledger::{AccountNumber, Bounds, Entry, Ledger};
use super::operation::{Action, Kind, Mix, Pace};
use super::skew::Draws;
use super::stage::Stage;

/// What a thread keeps from round to round.
#[derive(Debug)]
pub struct Seat {
    /// The thread's number.
    pub number: usize,
    /// Its random numbers.
    pub rng: fastrand::Rng,
    /// Its users.
    pub draws: Draws,
    /// What it does.
    pub mix: Mix,
    /// How fast.
    pub pace: Pace,
}

/// A thread at work.
#[derive(Debug)]
pub struct Worker<'a, C: Clock> {
    seat: &'a mut Seat,
    stage: &'a Stage<C>,
    /// Whether the clock stands still for as long as this works.
    is_still: bool,
    leavings: Leavings<C>,
    /// What is on the account that this thread has to itself; account 0 there.
    own: Ledger,
    last_snapshot: Tick,
}

/// What a thread leaves when the round is over.
#[derive(Debug)]
pub struct Leavings<C: Clock> {
    /// What is to be counted.
    pub log: Vec<Entry>,
    /// The handles that it holds.
    pub handles: Vec<UserHandle<C>>,
    /// The tickets that it holds.
    pub tickets: Vec<Arc<Held<C>>>,
    /// What it found.
    pub verdicts: Verdicts,
}

/// Handles and tickets that a thread holds at most.
const HELD: usize = 64;

// === impl Worker ===

impl<'a, C: Clock> Worker<'a, C> {
    /// A thread that holds nothing.
    pub fn new(seat: &'a mut Seat, stage: &'a Stage<C>, is_still: bool) -> Self {
        let leavings = Leavings {
            log: Vec::new(),
            handles: Vec::new(),
            tickets: Vec::new(),
            verdicts: Verdicts::default(),
        };
        let own = Ledger::new(stage.term, 2);
        Self { seat, stage, is_still, leavings, own, last_snapshot: Tick::ZERO }
    }

    /// Opens the account that is its own while there are seats: under a cap the others may take them all.
    pub fn begin(&mut self) {
        self.read_your_writes();
    }

    /// Operates until the round is over.
    pub fn run(mut self) -> Leavings<C> {
        while !self.stage.is_over.load() {
            match self.seat.mix.draw(&mut self.seat.rng) {
                Action::ChargeByName => self.charge_by_name(),
                Action::ChargeByHandle => self.charge_by_handle(),
                Action::TakeHandle => self.take_handle(),
                Action::CountByName => self.count_by_name(),
                Action::CountByHandle => self.count_by_handle(),
                Action::ReadYourWrites => self.read_your_writes(),
                Action::Route => self.route(),
                Action::Progress => self.progress(),
                Action::End => self.end_some(),
                Action::Move => self.move_some(),
                Action::Extremes => self.extremes(),
                Action::LookAtPods => self.look_at_pods(),
                Action::BadInput => self.bad_input(),
                Action::Nothing => self.seat.pace.time(Kind::Nothing, || ()),
                Action::Users => self.users(),
                Action::Upkeep => self.upkeep(),
                Action::SetPods => self.set_pods(),
            }
        }
        self.leavings
    }

    /// What it leaves.
    pub fn leave(self) -> Leavings<C> {
        self.leavings
    }

    fn now(&self) -> Tick {
        self.stage.router.tracker().clock().now()
    }

    fn charge_by_name(&mut self) {
        let (stage, account, amount) = (self.stage, self.seat.draws.next_user(), self.amount());
        let (tracker, name) = (stage.router.tracker(), stage.name(account));
        stage.announced.charge(self.seat.number, account, amount.cost());
        let before = self.now();
        let charge = || tracker.update_token_count(name, amount.input(), amount.output());
        let charged = self.seat.pace.time(Kind::ChargeByName, charge);
        let stay = stage.term.stay(before, self.now());
        self.accepted(charged.is_ok(), "a charge by name");
        let is_certain = !stage.is_capped;
        self.leavings.log.push(Entry { is_certain, ..Entry::charge(account, stay, amount.cost()) });
    }

    fn charge_by_handle(&mut self) {
        let Some(place) = self.some_handle() else { return self.take_handle() };
        let (stage, amount) = (self.stage, self.amount());
        let handle = &self.leavings.handles[place];
        let Some(account) = stage.number(handle.name()) else { return };
        stage.announced.charge(self.seat.number, account, amount.cost());
        let before = self.now();
        let charged =
            self.seat.pace.time(Kind::ChargeByHandle, || handle.charge(amount.input(), amount.output()));
        let stay = stage.term.stay(before, self.now());
        self.accepted(charged.is_ok(), "a charge through a handle");
        self.leavings.log.push(Entry::charge(account, stay, amount.cost()));
    }

    fn take_handle(&mut self) {
        let place = self.some_handle().filter(|_| self.leavings.handles.len() >= HELD);
        let (stage, meant) = (self.stage, self.seat.draws.next_user());
        let (tracker, name) = (stage.router.tracker(), stage.name(meant));
        let handles = &mut self.leavings.handles;
        let taken = self.seat.pace.time(Kind::TakeHandle, || {
            // The older one is dropped here.
            place.map(|place| handles.swap_remove(place));
            tracker.user(name)
        });
        self.accepted(taken.is_ok(), "a handle");
        let Ok(handle) = taken else { return };
        laws::right_account(
            &mut self.leavings.verdicts,
            Some(name),
            Some(handle.name()),
            stage.shared_name(),
        );
        self.leavings.handles.push(handle);
    }

    fn count_by_name(&mut self) {
        let (stage, account) = (self.stage, self.seat.draws.next_user());
        let (tracker, name) = (stage.router.tracker(), stage.name(account));
        let count = self.seat.pace.time(Kind::CountByName, || tracker.token_count(name));
        let announced =
            if stage.is_capped { stage.announced.charged() } else { stage.announced.charged_to(account) };
        laws::count(&mut self.leavings.verdicts, count, announced);
    }

    fn count_by_handle(&mut self) {
        let Some(place) = self.some_handle() else { return };
        let (stage, handle) = (self.stage, &self.leavings.handles[place]);
        let Some(account) = stage.number(handle.name()) else { return };
        let count = self.seat.pace.time(Kind::CountByHandle, || handle.token_count());
        let is_shared = account == stage.shared();
        let announced =
            if is_shared { stage.announced.charged() } else { stage.announced.charged_to(account) };
        laws::count(&mut self.leavings.verdicts, count, announced);
    }

    /// Nobody else charges that account, but everybody sweeps it, and closes it when it is idle.
    fn read_your_writes(&mut self) {
        let (stage, meant, amount) = (self.stage, self.stage.own(self.seat.number), self.amount());
        let taken = self.seat.pace.time(Kind::TakeHandle, || stage.router.tracker().user(stage.name(meant)));
        self.accepted(taken.is_ok(), "a handle");
        let Ok(handle) = taken else { return };
        let account = stage.account_of(&handle, meant);
        stage.announced.charge(self.seat.number, account, amount.cost());
        let before = self.now();
        let charged = handle.charge(amount.input(), amount.output());
        let between = self.now();
        self.accepted(charged.is_ok(), "a charge through a handle");
        let entry = Entry::charge(account, stage.term.stay(before, between), amount.cost());
        self.leavings.log.push(entry);
        if account == meant {
            let count = handle.token_count();
            self.own.forget(before);
            self.own.absorb([Entry { account: 0, ..entry }]);
            let least = self.own.balance(self.now()).accounts[0].least;
            // What expires while it is read may show or not, so there is an upper bound while nothing expires.
            let most = if self.is_still { least } else { stage.announced.charged_to(account) };
            laws::own_count(&mut self.leavings.verdicts, count, Bounds { least, most });
        }
    }

    fn extremes(&mut self) {
        let (tracker, before) = (self.stage.router.tracker(), self.now());
        let seen = self.seat.pace.time(Kind::Extremes, || tracker.extremes());
        self.judge(&seen);
        if tracker.config().staleness.is_zero() {
            laws::exact_read(&mut self.leavings.verdicts, &seen, before);
        }
        let last = self.seat.pace.time(Kind::LastExtremes, || tracker.last_extremes());
        self.judge(&last);
        laws::snapshots_in_order(&mut self.leavings.verdicts, self.last_snapshot, last.as_of);
        self.last_snapshot = last.as_of;
    }

    fn users(&mut self) {
        let (stage, tracker) = (self.stage, self.stage.router.tracker());
        let users = self.seat.pace.time(Kind::Users, || tracker.users());
        let announced = stage.announced.charged();
        for (_, count) in users {
            laws::count(&mut self.leavings.verdicts, count, announced);
        }
    }

    fn upkeep(&mut self) {
        let tracker = self.stage.router.tracker();
        let seen = self.seat.pace.time(Kind::Upkeep, || tracker.upkeep());
        self.judge(&seen);
        let (accounts, cap) = (tracker.account_count(), tracker.config().max_users);
        laws::accounts_meanwhile(&mut self.leavings.verdicts, accounts, cap);
    }

    fn judge(&mut self, seen: &vtc_core::Extremes) {
        let floor = self.stage.router.tracker().config().min_tokens;
        laws::snapshot(&mut self.leavings.verdicts, seen, floor, self.stage.announced.charged());
    }

    /// What it must refuse, and charge to nobody: a charge that counted would show when the books are compared.
    fn bad_input(&mut self) {
        let (tracker, name) = (self.stage.router.tracker(), self.stage.name(self.seat.draws.next_user()));
        let bad = [f64::NAN, f64::INFINITY, f64::NEG_INFINITY][self.seat.rng.usize(..3)];
        let is_refused = match self.seat.rng.u8(..4) {
            0 => tracker.update_token_count(name, bad, 1.0).is_err(),
            1 => tracker.update_token_count("", 1.0, 1.0).is_err(),
            2 => tracker.user("").is_err(),
            _ => self.leavings.handles.first().is_none_or(|handle| handle.charge(1.0, bad).is_err()),
        };
        laws::answer(&mut self.leavings.verdicts, is_refused, true, "no number, or no name,");
    }

    fn accepted(&mut self, is_ok: bool, what: &str) {
        laws::answer(&mut self.leavings.verdicts, !is_ok, false, what);
    }

    fn amount(&mut self) -> Amount {
        Amount::draw(&mut self.seat.rng)
    }

    fn some_handle(&mut self) -> Option<usize> {
        let held = self.leavings.handles.len();
        (held > 0).then(|| self.seat.rng.usize(..held))
    }

    fn account_named(&self, name: Option<&str>) -> Option<AccountNumber> {
        self.stage.number(name?)
    }
}
