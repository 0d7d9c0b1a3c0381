//! Numbers for accounts, and the flags by which an account tells that it changed.

use super::Account;
use crate::flag::{Flag, take_down, take_down_some};
use crate::sync::{Arc, AtomicU64, AtomicUsize, Mutex, Ordering};

/// An account's number, small and used again when the account is closed: what is known of all accounts lies in arrays.
#[derive(Debug)]
pub(super) struct Seat {
    pub(super) number: u32,
    flags: Arc<Flags>,
}

/// The flags of [`Flags::SEATS`] neighbouring seats.
#[derive(Debug)]
pub(super) struct Flags {
    changed: [AtomicU64; WORDS],
    late: [AtomicU64; WORDS],
}

/// All seats, of a limited number. Its lock is for newcomers and for whoever closes accounts.
pub(super) struct Seats<C> {
    state: Mutex<State<C>>,
    taken: AtomicUsize,
    limit: usize,
}

struct State<C> {
    /// Seats that were given back.
    free: Vec<u32>,
    /// The lowest number never used so far.
    unused: u32,
    flags: Vec<Arc<Flags>>,
    arrivals: Vec<Account<C>>,
}

/// 64 flags each; a power of two.
const WORDS: usize = if cfg!(all(loom, feature = "loom")) { 1 } else { 64 };

// === impl Seat ===

impl Seat {
    /// Raised after each change of the account's total.
    #[inline]
    pub(super) fn changed(&self) -> Flag<'_> {
        Flag::new(&self.flags.changed[self.word()], self.number)
    }

    /// Raised, and then `changed` once more, by a charge that came into a bucket before that of the last refresh.
    #[inline]
    pub(super) fn late(&self) -> Flag<'_> {
        Flag::new(&self.flags.late[self.word()], self.number)
    }

    /// The flags of this seat and its neighbours.
    pub(super) const fn flags(&self) -> &Arc<Flags> {
        &self.flags
    }

    const fn word(&self) -> usize {
        (self.number as usize / 64) & (WORDS - 1)
    }
}

// === impl Flags ===

impl Flags {
    /// How many seats share one of these.
    pub(super) const SEATS: usize = WORDS * 64;

    fn new() -> Self {
        let down = |_| AtomicU64::new(0);
        Self { changed: std::array::from_fn(down), late: std::array::from_fn(down) }
    }

    /// Takes all flags down and gives those that were up: 64 seats at a time, those that changed and, of them, those
    /// that were charged late. `always`: as in [`take_down`].
    pub(super) fn take_down(&self, always: bool, mut visit: impl FnMut(usize, u64, u64)) {
        for (word, (changed, late)) in self.changed.iter().zip(&self.late).enumerate() {
            let changed = take_down(changed, always);
            if changed != 0 {
                // A late flag is raised before the changed one that belongs to it: one without the other stays.
                visit(word, changed, take_down_some(late, changed));
            }
        }
    }
}

// === impl Seats ===

impl<C> Seats<C> {
    /// `limit`: how many there are.
    pub(super) fn new(limit: usize) -> Self {
        let state = State { free: Vec::new(), unused: 0, flags: Vec::new(), arrivals: Vec::new() };
        Self { state: Mutex::new(state), taken: AtomicUsize::new(0), limit }
    }

    /// Gives a seat to a new account and notes its arrival; `None` if all are taken.
    pub(super) fn admit(&self, open: impl FnOnce(Seat) -> Account<C>) -> Option<Account<C>> {
        let mut state = self.state.lock();
        if self.taken() >= self.limit {
            return None;
        }
        let number = match state.free.pop() {
            Some(number) => number,
            None => {
                state.unused += 1;
                state.unused - 1
            }
        };
        let shared = number as usize / Flags::SEATS;
        if shared == state.flags.len() {
            state.flags.push(Arc::new(Flags::new()));
        }
        let account = open(Seat { number, flags: Arc::clone(&state.flags[shared]) });
        state.arrivals.push(account.clone());
        // Relaxed: changed under the lock only; without it, a statistic.
        self.taken.fetch_add(1, Ordering::Relaxed);
        Some(account)
    }

    /// The accounts that came since this was last asked.
    pub(super) fn arrivals(&self) -> Vec<Account<C>> {
        std::mem::take(&mut self.state.lock().arrivals)
    }

    /// Takes back the seats of closed accounts.
    pub(super) fn release(&self, seats: &[u32]) {
        if seats.is_empty() {
            return;
        }
        let mut state = self.state.lock();
        state.free.extend_from_slice(seats);
        // Relaxed: as above.
        self.taken.fetch_sub(seats.len(), Ordering::Relaxed);
    }

    /// How many are taken.
    #[inline]
    pub(super) fn taken(&self) -> usize {
        // Relaxed: as above.
        self.taken.load(Ordering::Relaxed)
    }

    /// Whether all are taken.
    #[inline]
    pub(super) fn is_full(&self) -> bool {
        self.taken() >= self.limit
    }
}
