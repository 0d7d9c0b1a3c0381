//! What becomes of a request that runs: it delivers, and it ends.

use super::FairQueue;
use super::requests::RequestId;
use crate::cost::Usage;
use crate::predict::Ask;

impl<R> FairQueue<R> {
    /// The answer has `tokens` more: charges them, as far as they were not charged in advance. Whether the request
    /// runs. O(log users).
    pub fn delivered(&mut self, id: RequestId, tokens: u64) -> bool {
        let Some((request, mut running)) = self.requests.running(id) else { return false };
        running.output = running.output.saturating_add(tokens);
        let usage = Usage::new(request.input, running.output.max(running.prepaid));
        let due = request.weight.charge(self.cost.cost(usage));
        let more = due.saturating_sub(running.charged);
        let user = request.user;
        running.charged = running.charged.max(due);
        self.requests.set_running(id, running);
        if more > 0 {
            self.ledger.charge(user, more);
        }
        true
    }

    /// The request has ended, and this is what it took: the user is charged that and nothing else, and the predictor
    /// learns from it, if predictions are charged. Whether the request ran. O(log users).
    pub fn settle(&mut self, id: RequestId, usage: Usage) -> bool {
        let Some((request, _)) = self.requests.running(id) else { return false };
        if self.ledger.discipline().prepays() {
            let user = self.ledger.users[request.user].name();
            let ask = Ask { user, input: request.input, max_output: request.max_output };
            self.predictor.observe(&ask, usage.output);
        }
        let due = request.weight.charge(self.cost.cost(usage));
        self.end(id, due)
    }

    /// The request has ended, and nobody says what it took: the user is charged what was delivered. If nothing was, the
    /// charge stays as it is: to leave early is no way to be served for nothing. Whether the request ran.
    /// O(log users).
    pub fn close(&mut self, id: RequestId) -> bool {
        let Some((request, running)) = self.requests.running(id) else { return false };
        let due = match running.output {
            0 => running.charged,
            output => request.weight.charge(self.cost.cost(Usage::new(request.input, output))),
        };
        self.end(id, due)
    }

    /// The request was never served: the user is charged nothing. Whether the request ran. O(log users).
    pub fn void(&mut self, id: RequestId) -> bool {
        self.end(id, 0)
    }

    fn end(&mut self, id: RequestId, due: u64) -> bool {
        let Some((request, running)) = self.requests.running(id) else { return false };
        let user = request.user;
        self.requests.remove_running(id);
        self.ledger.users[user].running -= 1;
        self.ledger.end(user, running.charged, due, self.head(user));
        if let Some(sharing) = &mut self.ledger.sharing {
            sharing.turn.ended(due);
        }
        true
    }
}
