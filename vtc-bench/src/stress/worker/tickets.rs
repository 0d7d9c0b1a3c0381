//! The part about tickets: opened here, ended here or on another thread, in every way there is.

use std::sync::Arc;

use vtc_core::{Clock, PodTable, RouteError, RouteRequest, Tick, Ticket, policy};

use super::{HELD, Worker};
use crate::stress::amount::Amount;
use crate::stress::held::{Held, Reservation};
use crate::stress::laws;
use crate::stress::ledger::Entry;
use crate::stress::operation::Kind;

/// Where a request goes, and how that was decided.
enum Way {
    /// The router's own table and policy.
    Default,
    /// This table, by a policy of that name.
    Among(PodTable, &'static str),
    /// The pod at that place of this table, which somebody else chose.
    Assigned(PodTable, usize),
}

impl<C: Clock> Worker<'_, C> {
    pub(super) fn route(&mut self) {
        let (stage, amount, meant) = (self.stage, self.amount(), self.seat.draws.next_user());
        let name = stage.name(meant);
        // Requests that name nobody, or a user without a name, are routed and not charged.
        let user = [None, Some(""), Some(name)][self.seat.rng.usize(..32).min(2)];
        let payer = user.filter(|user| !user.is_empty());
        let request = RouteRequest { user, input_tokens: amount.input(), output_tokens: amount.output() };
        let way = self.way();
        if payer.is_some() {
            stage.announced.charge(self.seat.number, meant, amount.cost());
        }
        stage.announced.open(self.seat.number);
        let before = self.now();
        let routed = self.seat.pace.time(Kind::Route, || match &way {
            Way::Default => stage.router.route(&request),
            Way::Among(table, policy) => match stage.router.policy(policy) {
                Ok(policy) => stage.router.route_among(table, policy, &request),
                Err(_) => Err(RouteError::NoPods),
            },
            Way::Assigned(table, place) => match table.pods().get(*place) {
                Some(pod) => stage.router.assign(pod, &request).map_err(RouteError::Tokens),
                None => Err(RouteError::NoPods),
            },
        });
        let stay = stage.term.stay(before, self.now());
        let ticket = match routed {
            Ok(ticket) => ticket,
            Err(error) => {
                stage.announced.withdraw_opening(self.seat.number);
                if payer.is_some() {
                    stage.announced.withdraw_charge(self.seat.number, meant, amount.cost());
                }
                // There are moments without pods.
                let is_right = match &way {
                    Way::Default => error == RouteError::NoPods,
                    Way::Among(table, _) | Way::Assigned(table, _) => table.is_empty(),
                };
                return self.accepted(is_right, "a request");
            }
        };
        if let Way::Among(table, _) | Way::Assigned(table, _) = &way {
            laws::one_table(&mut self.leavings.verdicts, table, ticket.pod());
        }
        laws::right_account(&mut self.leavings.verdicts, payer, ticket.user(), stage.shared_name());
        let reservation = self.account_named(ticket.user()).map(|account| {
            self.leavings.log.push(Entry::charge(account, stay, amount.cost()));
            Reservation { account, amount: amount.cost(), stay }
        });
        self.hand_on(ticket, reservation);
    }

    fn way(&mut self) -> Way {
        let table = |worker: &Self| worker.stage.router.pods().table();
        match self.seat.rng.u8(..4) {
            0 => Way::Among(table(self), policy::NAMES[self.seat.rng.usize(..policy::NAMES.len())]),
            1 if self.seat.rng.bool() => Way::Assigned(table(self), 0),
            _ => Way::Default,
        }
    }

    /// Keeps the ticket, or lets it cross to another thread, or to two.
    fn hand_on(&mut self, ticket: Ticket<C>, reservation: Option<Reservation>) {
        let draw = self.seat.rng.u8(..8);
        let held = Arc::new(Held::new(ticket, reservation, draw == 0));
        let stays = match draw {
            0 => {
                // If there is no room for the second one, nobody contests it.
                let first = self.stage.crossing.push(Arc::clone(&held)).err();
                drop(self.stage.crossing.push(held));
                first
            }
            1 | 2 => self.stage.crossing.push(held).err(),
            _ => Some(held),
        };
        if let Some(held) = stays {
            self.keep(held);
        }
    }

    fn keep(&mut self, held: Arc<Held<C>>) {
        if self.leavings.tickets.len() < HELD { self.leavings.tickets.push(held) } else { self.end(held) }
    }

    /// One of this thread's tickets, or one that crosses.
    fn some_ticket(&mut self) -> Option<Arc<Held<C>>> {
        let crossing = if self.seat.rng.bool() { self.stage.crossing.pop() } else { None };
        crossing.or_else(|| {
            let held = self.leavings.tickets.len();
            (held > 0).then(|| self.leavings.tickets.swap_remove(self.seat.rng.usize(..held)))
        })
    }

    pub(super) fn progress(&mut self) {
        let Some(held) = self.some_ticket() else { return };
        self.progress_of(&held);
        self.give_back(held);
    }

    /// A ticket that two threads have makes progress only while the time stands still: else nobody knows when what
    /// it streamed was charged.
    fn progress_of(&mut self, held: &Held<C>) {
        if held.is_contested && !self.is_still {
            return;
        }
        let mut amount = self.amount();
        if let Some(reservation) = &held.reservation {
            if held.is_contested {
                // Each time more than was charged, so that a charge meets the other thread's ending.
                let charged = held.delivered().unwrap_or_default().max(reservation.amount);
                amount = Amount::at_least(charged, &mut self.seat.rng);
            }
            held.deliver(amount.cost());
            let excess = amount.cost().saturating_sub(reservation.amount);
            self.stage.announced.charge(self.seat.number, reservation.account, excess);
        }
        let told =
            self.seat.pace.time(Kind::Progress, || held.ticket.progress(amount.input(), amount.output()));
        self.accepted(told.is_ok(), "progress");
    }

    /// Contested tickets go on crossing: each thread has them for a moment.
    fn give_back(&mut self, held: Arc<Held<C>>) {
        if held.is_contested {
            if let Err(held) = self.stage.crossing.push(held) {
                self.end(held);
            }
        } else {
            self.keep(held);
        }
    }

    pub(super) fn move_some(&mut self) {
        let (stage, Some(mut held)) = (self.stage, self.some_ticket()) else { return };
        if let Some(held) = Arc::get_mut(&mut held).filter(|held| !held.is_contested) {
            let rest = stage.router.pods().table().without(held.ticket.pod());
            let name = held.reservation.map(|reservation| stage.name(reservation.account));
            let ticket = &mut held.ticket;
            self.seat.pace.time(Kind::Move, || {
                if let Some(pod) = stage.router.choose(&rest, stage.router.default_policy(), name) {
                    ticket.move_to(pod);
                }
            });
        }
        self.give_back(held);
    }

    pub(super) fn end_some(&mut self) {
        if let Some(held) = self.some_ticket() {
            self.end(held);
        }
    }

    /// Ends a ticket, unless another thread does.
    pub(crate) fn end(&mut self, held: Arc<Held<C>>) {
        if held.is_contested {
            (0..self.seat.rng.u8(..6)).for_each(|_| self.progress_of(&held));
            return self.settle(&held);
        }
        match self.seat.rng.u8(..8) {
            0 => self.close(&held),
            1 => return self.abandon(held),
            _ => self.settle(&held),
        }
        self.end_again(&held);
    }

    fn settle(&mut self, held: &Held<C>) {
        // A stream that takes back what it said gets it from the bucket of now, which is that of the charge while
        // the time stands still.
        let amount = match held.delivered() {
            Some(delivered) if !self.is_still => Amount::at_least(delivered, &mut self.seat.rng),
            _ => self.amount(),
        };
        let reserved = held.reservation.map(|reservation| (reservation.account, reservation.amount));
        if let Some((account, reserved)) = reserved {
            let excess = amount.cost().saturating_sub(reserved);
            self.stage.announced.charge(self.seat.number, account, excess);
        }
        let before = self.now();
        let settled =
            self.seat.pace.time(Kind::Settle, || held.ticket.settle(amount.input(), amount.output()));
        self.accepted(settled.is_ok(), "a settlement");
        if settled == Ok(true) {
            self.ended(held, Some(amount.cost()), before);
        }
    }

    fn close(&mut self, held: &Held<C>) {
        let before = self.now();
        if self.seat.pace.time(Kind::Close, || held.ticket.close()) {
            self.ended(held, held.delivered(), before);
        }
    }

    fn abandon(&mut self, held: Arc<Held<C>>) {
        let Ok(held) = Arc::try_unwrap(held) else { return };
        let (reservation, delivered, before) = (held.reservation, held.delivered(), self.now());
        self.seat.pace.time(Kind::Abandon, || drop(held.ticket));
        self.stage.announced.end(self.seat.number);
        self.log_ending(reservation, delivered, delivered, before);
    }

    fn ended(&mut self, held: &Held<C>, actual: Option<u64>, before: Tick) {
        self.stage.announced.end(self.seat.number);
        self.log_ending(held.reservation, held.delivered(), actual, before);
    }

    /// `actual`: what is charged in the end; the estimate if nothing is known.
    fn log_ending(
        &mut self,
        reservation: Option<Reservation>,
        delivered: Option<u64>,
        actual: Option<u64>,
        before: Tick,
    ) {
        if let (Some(reservation), Some(actual)) = (reservation, actual) {
            let entries = reservation.ending(delivered, actual, (before, self.now()), &self.stage.term);
            self.leavings.log.extend(entries.into_iter().flatten());
        }
    }

    /// What has ended ends no second time.
    fn end_again(&mut self, held: &Held<C>) {
        let again = match self.seat.rng.u8(..8) {
            0 => held.ticket.close(),
            1 => held.ticket.settle(1.0, 1.0) == Ok(true),
            _ => return,
        };
        laws::second_ending(&mut self.leavings.verdicts, again, held.ticket.has_ended());
    }

    pub(super) fn look_at_pods(&mut self) {
        let stage = self.stage;
        let ended = stage.announced.ended();
        let table = stage.router.pods().table();
        let loads = self.seat.pace.time(Kind::LookAtPods, || {
            table.pods().iter().map(|pod| pod.in_flight()).max().unwrap_or_default()
        });
        let open = stage.announced.opened().saturating_sub(ended);
        laws::in_flight(&mut self.leavings.verdicts, loads, open);
    }

    /// At times none for a moment, else some of them, in any order.
    pub(super) fn set_pods(&mut self) {
        let stage = self.stage;
        let mut names: Vec<_> = stage.pods.iter().map(String::as_str).collect();
        self.seat.rng.shuffle(&mut names);
        names.truncate(self.seat.rng.usize(1..=names.len()));
        if self.seat.rng.u8(..8) == 0 {
            stage.router.pods().set([]);
        }
        self.seat.pace.time(Kind::SetPods, || stage.router.pods().set(names));
    }
}
