//! Accounts that have nothing left, until they are closed or have something again. Plain numbers, no atomics.

/// Seats, each listed once: idle ones of whom it was not asked yet whether somebody holds them, and held ones.
#[derive(Debug, Default)]
pub(super) struct Leavers {
    idle: Vec<u32>,
    held: Vec<u32>,
    /// By seat, whether it is listed.
    is_listed: Vec<bool>,
}

// === impl Leavers ===

impl Leavers {
    /// The account of that seat has nothing left.
    #[inline]
    pub(super) fn note(&mut self, seat: u32) {
        let place = seat as usize;
        if place >= self.is_listed.len() {
            self.is_listed.resize(place + 1, false);
        }
        if !std::mem::replace(&mut self.is_listed[place], true) {
            self.idle.push(seat);
        }
    }

    /// The idle ones. Each must then be [held](Self::hold) or [struck off](Self::strike_off).
    pub(super) fn take_idle(&mut self) -> Vec<u32> {
        std::mem::take(&mut self.idle)
    }

    /// Somebody holds that account: it is not idle before it was [asked again](Self::ask_again).
    pub(super) fn hold(&mut self, seat: u32) {
        self.held.push(seat);
    }

    /// That account is closed, or has something again.
    pub(super) fn strike_off(&mut self, seat: u32) {
        if let Some(is_listed) = self.is_listed.get_mut(seat as usize) {
            *is_listed = false;
        }
    }

    /// All held ones count as idle: whether somebody holds them is to be asked once more. Says which.
    pub(super) fn ask_again(&mut self) -> &[u32] {
        let first = self.idle.len();
        self.idle.append(&mut self.held);
        &self.idle[first..]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seat_is_listed_once_until_it_is_struck_off() {
        let mut leavers = Leavers::default();
        [5, 5, 7].into_iter().for_each(|seat| leavers.note(seat));
        assert_eq!(leavers.take_idle(), [5, 7]);
        leavers.hold(5);
        leavers.strike_off(7);
        [5, 7].into_iter().for_each(|seat| leavers.note(seat));
        assert_eq!(leavers.take_idle(), [7], "5 is held");
        assert_eq!(leavers.ask_again(), [5]);
        assert_eq!(leavers.take_idle(), [5]);
        assert_eq!(leavers.ask_again(), []);
    }
}
