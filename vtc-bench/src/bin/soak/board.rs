//! Where a client and the pod that gets its request find the same plan.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use tokio::sync::Notify;

use crate::plan::Plan;

/// The plans of the requests under way.
#[derive(Debug, Default)]
pub struct Board {
    entries: RefCell<HashMap<u64, Rc<Entry>>>,
    last: Cell<u64>,
}

/// A request under way.
#[derive(Debug)]
pub struct Entry {
    /// Its number, which travels in the header [`PLAN`].
    pub id: u64,
    pub plan: Plan,
    /// A pod has the request.
    pub reached: Notify,
    /// The client has read as many events as were planned.
    pub read: Notify,
    /// Whoever waits with the client for something that happens in the middle: the client is there, and may go on.
    pub halfway: Notify,
    pub go_on: Notify,
}

/// The header by which a pod finds the plan.
pub const PLAN: &str = "x-plan";

// === impl Board ===

impl Board {
    /// Puts up a plan.
    pub fn post(&self, plan: Plan) -> Rc<Entry> {
        let id = self.last.get() + 1;
        self.last.set(id);
        let [reached, read, halfway, go_on] = [const { Notify::const_new() }; 4];
        let entry = Rc::new(Entry { id, plan, reached, read, halfway, go_on });
        self.entries.borrow_mut().insert(id, Rc::clone(&entry));
        entry
    }

    /// The plan of that number, while it is up.
    pub fn find(&self, id: u64) -> Option<Rc<Entry>> {
        self.entries.borrow().get(&id).cloned()
    }

    /// The request has ended.
    pub fn take_down(&self, id: u64) {
        self.entries.borrow_mut().remove(&id);
    }
}
