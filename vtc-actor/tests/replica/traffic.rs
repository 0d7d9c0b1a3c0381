//! Requests by the hundred, and what they must come to.

use std::collections::BTreeMap;
use std::sync::mpsc;
use std::thread::{Scope, ScopedJoinHandle};
use std::time::Duration;

use vtc_core::RouteRequest;

use crate::node::{Node, pause, wait_until};

pub const USERS: [&str; 5] =
    ["alice", "bob", "Ünïcødé and\nmore", "a name so long that it lies elsewhere: 123456789", "e"];

/// What was charged, in thousandths of a token, by user. Sums of whole numbers are exact.
pub type Charged = BTreeMap<&'static str, u64>;

/// Requests that go on until they are told to stop.
pub struct Traffic<'scope> {
    stop: mpsc::Sender<()>,
    thread: ScopedJoinHandle<'scope, Charged>,
}

// === impl Traffic ===

impl<'scope> Traffic<'scope> {
    /// On that node: requests that reserve, stream, and settle for more or for less, some later than others.
    pub fn start(scope: &'scope Scope<'scope, '_>, node: &'scope Node, seed: u64) -> Self {
        let (stop, stopped) = mpsc::channel();
        let thread = scope.spawn(move || {
            let (mut charged, mut open, mut random) =
                (Charged::new(), Vec::new(), fastrand::Rng::with_seed(seed));
            while matches!(stopped.try_recv(), Err(mpsc::TryRecvError::Empty)) {
                for _ in 0..20 {
                    let user = USERS[random.usize(..USERS.len())];
                    let request = RouteRequest { user: Some(user), input_tokens: 10.0, output_tokens: 45.0 };
                    open.push((user, node.router.route(&request).unwrap()));
                    if open.len() > 30 {
                        let (user, ticket) = open.swap_remove(random.usize(..open.len()));
                        let output = random.u64(0..100);
                        ticket.progress(10.0, (output / 2) as f64).unwrap();
                        ticket.settle(10.0, output as f64).unwrap();
                        *charged.entry(user).or_default() += (10 + 2 * output) * 1000;
                    }
                }
                pause(Duration::from_millis(5));
            }
            for (user, ticket) in open {
                ticket.settle(0.0, 0.5).unwrap();
                *charged.entry(user).or_default() += 1000;
            }
            charged
        });
        Self { stop, thread }
    }

    pub fn stop(self) -> Charged {
        drop(self.stop);
        self.thread.join().unwrap()
    }
}

pub fn sum(charged: impl IntoIterator<Item = Charged>) -> Charged {
    let mut sum = Charged::new();
    for (user, amount) in charged.into_iter().flatten() {
        *sum.entry(user).or_default() += amount;
    }
    sum
}

/// Every node comes to count exactly that, and to stay so.
pub fn expect_counts(nodes: &[&Node], charged: &Charged) {
    let counts = |node: &Node| -> Charged {
        let count = |user| (node.count(user) * 1000.0).round() as u64;
        USERS.iter().map(|user| (*user, count(user))).filter(|(_, count)| *count > 0).collect()
    };
    for node in nodes {
        let mut last = Charged::new();
        let what = format!("{:?} counts {charged:?}", node.status());
        wait_until(&what, || {
            last = counts(node);
            last == *charged
        });
    }
    pause(Duration::from_millis(300));
    for node in nodes {
        assert_eq!(counts(node), *charged, "{:?}", node.status());
        let most = charged.values().max().copied().unwrap_or_default() as f64 / 1000.0;
        assert_eq!(node.router.tracker().extremes().max, most);
    }
}
