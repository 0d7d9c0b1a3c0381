//! What is not taken in, and what leaves before its turn.

use std::time::Duration;

use proptest::prelude::*;
use vtc_core::queue::discipline::VtcFair;
use vtc_core::queue::{QueueFull, QueueLimits, Refused, RequestId};
use vtc_core::{Arrival, FairQueue, Tick, Usage};

fn queue<R>(limits: QueueLimits) -> FairQueue<R> {
    FairQueue::new(Box::new(VtcFair)).with_limits(limits)
}

fn of_size(user: &str, bytes: u64) -> Arrival<'_, &'static str> {
    Arrival { bytes, ..Arrival::new(user, 1, "the payload") }
}

#[test]
fn each_limit_gives_the_request_back_and_says_which_it_was() {
    let mut queue = queue(QueueLimits { requests: 3, bytes: 100, per_user: 2, ..QueueLimits::NONE });
    let refused = |reason| Err(Refused { payload: "the payload", reason });
    assert_eq!(queue.push(of_size("alice", 101)), refused(QueueFull::Bytes { limit: 100 }));
    assert_eq!(queue.push(of_size("alice", u64::MAX)), refused(QueueFull::Bytes { limit: 100 }));
    assert_eq!(queue.known_users(), 0, "who is refused opens no account");
    let first = queue.push(of_size("alice", 60)).unwrap();
    assert_eq!(queue.push(of_size("bob", 41)), refused(QueueFull::Bytes { limit: 100 }));
    queue.push(of_size("alice", 10)).unwrap();
    assert_eq!(queue.push(of_size("alice", 0)), refused(QueueFull::User { limit: 2 }));
    queue.push(of_size("bob", 30)).unwrap();
    assert_eq!(queue.push(of_size("carol", 0)), refused(QueueFull::Requests { limit: 3 }));
    assert_eq!((queue.waiting(), queue.bytes()), (3, 100));

    // Whatever leaves makes room.
    assert_eq!(queue.cancel(first), Some("the payload"));
    assert_eq!((queue.waiting(), queue.bytes()), (2, 40));
    queue.push(of_size("alice", 60)).unwrap();
    assert!(queue.pop(|_| Some(())).is_some());
    assert!(queue.push(of_size("carol", 0)).is_ok());
    let full = QueueFull::Requests { limit: 3 }.to_string();
    assert_eq!(full, "3 requests are waiting, and no more may");
}

#[test]
fn a_user_with_as_much_running_as_it_may_is_passed_over_until_something_ends() {
    let mut queue = queue(QueueLimits { running_per_user: 1, ..QueueLimits::NONE });
    for (user, input) in [("alice", 1), ("alice", 1), ("bob", 50), ("bob", 50)] {
        queue.push(Arrival::new(user, input, user)).unwrap();
    }
    let alice = queue.pop(|_| Some(())).unwrap();
    let bob = queue.pop(|_| Some(())).unwrap();
    assert_eq!((alice.payload, bob.payload), ("alice", "bob"), "alice was served less, but has one running");
    assert!(queue.pop(|_| -> Option<()> { panic!("nobody may") }).is_none());
    assert_eq!((queue.ahead("alice"), queue.waiting()), (None, 2));
    assert!(queue.settle(bob.id, Usage::new(50, 1)));
    assert_eq!(queue.pop(|_| Some(())).unwrap().payload, "bob");
}

#[test]
fn other_limits_hold_for_what_comes_and_for_what_goes() {
    let mut queue = queue(QueueLimits { requests: 2, ..QueueLimits::NONE });
    for user in ["alice", "alice"] {
        queue.push(Arrival::new(user, 1, user)).unwrap();
    }
    assert!(queue.push(Arrival::new("bob", 50, "bob")).is_err());
    queue.set_limits(QueueLimits { requests: 4, running_per_user: 1, ..QueueLimits::NONE });
    for user in ["bob", "bob"] {
        queue.push(Arrival::new(user, 50, user)).unwrap();
    }
    assert_eq!([(); 2].map(|()| queue.pop(|_| Some(())).unwrap().payload), ["alice", "bob"]);
    assert!(queue.pop(|_| Some(())).is_none(), "each has one running");
    assert_eq!(queue.ahead("alice"), None);
    // More may run: who waits may be chosen at once.
    queue.set_limits(QueueLimits { requests: 1, running_per_user: 2, ..QueueLimits::NONE });
    assert_eq!(queue.waiting(), 2, "what waits goes on to wait");
    assert_eq!(queue.ahead("alice"), Some(0));
    assert!(queue.push(Arrival::new("carol", 1, "carol")).is_err());
    // Less may run: who waits may not be chosen any more.
    queue.set_limits(QueueLimits { running_per_user: 1, ..QueueLimits::NONE });
    assert!(queue.pop(|_| Some(())).is_none());
    queue.set_limits(QueueLimits::NONE);
    assert_eq!([(); 2].map(|()| queue.pop(|_| Some(())).unwrap().payload), ["alice", "bob"]);
}

#[test]
fn beyond_the_limit_newcomers_are_one_user() {
    let mut queue = queue(QueueLimits { users: 2, ..QueueLimits::NONE });
    for user in ["alice", "bob", "invented-1", "invented-2", "invented-3", "alice"] {
        queue.push(Arrival::new(user, 10, user)).unwrap();
    }
    assert_eq!(queue.known_users(), 3);
    assert_eq!(queue.standing("invented-9").unwrap().waiting, 3);
    let order: Vec<_> =
        std::iter::from_fn(|| queue.pop(|_| Some(()))).map(|dispatched| dispatched.payload).collect();
    assert_eq!(order, ["alice", "bob", "invented-1", "invented-2", "alice", "invented-3"]);
}

#[test]
fn what_has_waited_too_long_leaves_earliest_first_and_uncharged() {
    let mut queue = queue(QueueLimits::NONE);
    let at = |millis| Some(Tick::after_origin(Duration::from_millis(millis)));
    for (user, deadline) in [("carol", at(30)), ("alice", at(10)), ("bob", at(20)), ("dave", None)] {
        queue.push(Arrival { deadline, ..Arrival::new(user, 10, user) }).unwrap();
    }
    assert_eq!(queue.next_deadline(), at(10));
    assert_eq!(queue.expire(Tick::ZERO).count(), 0);
    let expired: Vec<_> = queue.expire(at(20).unwrap()).map(|(_, user)| user).collect();
    assert_eq!(expired, ["alice", "bob"]);
    assert_eq!(queue.next_deadline(), at(30));
    let carol = queue.pop(|_| Some(())).unwrap();
    assert_eq!(carol.payload, "carol");
    assert_eq!(queue.next_deadline(), None, "what runs does not wait");
    assert_eq!(queue.expire(at(1000).unwrap()).count(), 0);
    assert_eq!(queue.waiting(), 1);
    assert!(queue.standing("alice").is_none());
}

#[test]
fn an_expiry_that_is_not_asked_for_to_the_end_leaves_the_rest() {
    let mut queue = queue(QueueLimits::NONE);
    for number in 0..3u64 {
        queue
            .push(Arrival { deadline: Some(Tick::from_nanos(number)), ..Arrival::new("alice", 1, number) })
            .unwrap();
    }
    let late = Tick::from_nanos(9);
    assert_eq!(queue.expire(late).next().unwrap().1, 0);
    assert_eq!(queue.waiting(), 2);
    assert_eq!(queue.expire(late).map(|(_, number)| number).collect::<Vec<_>>(), [1, 2]);
}

proptest! {
    /// Each request leaves once, by one way, and takes its bytes and its deadline with it.
    #[test]
    fn each_request_leaves_once(
        actions in proptest::collection::vec((0..5u8, 0..4usize, 0..50u64, proptest::option::of(0..100u64)), 0..300),
    ) {
        let names = ["alice", "bob", "carol", "dave"];
        let limits = QueueLimits { requests: 20, bytes: 300, per_user: 8, ..QueueLimits::NONE };
        let mut queue = queue(limits);
        // What should wait: id, number, user, bytes, deadline.
        let mut waiting: Vec<(RequestId, u64, usize, u64, Option<Tick>)> = Vec::new();
        let mut now = 0;
        for (number, (action, user, amount, deadline)) in (0u64..).zip(actions) {
            match action {
                0 | 1 => {
                    let arrival = Arrival {
                        bytes: amount,
                        deadline: deadline.map(|after| Tick::from_nanos(now + after)),
                        ..Arrival::new(names[user], amount, number)
                    };
                    let bytes: u64 = waiting.iter().map(|(.., bytes, _)| bytes).sum();
                    let own = waiting.iter().filter(|(_, _, other, ..)| *other == user).count();
                    let may = waiting.len() < 20 && bytes + amount <= 300 && own < 8;
                    let deadline = arrival.deadline;
                    match queue.push(arrival) {
                        Ok(id) => waiting.push((id, number, user, amount, deadline)),
                        Err(refused) => prop_assert_eq!(refused.payload, number),
                    }
                    prop_assert_eq!(waiting.last().is_some_and(|(_, last, ..)| *last == number), may);
                }
                2 => {
                    if let Some(dispatched) = queue.pop(|head| Some(*head.payload)) {
                        prop_assert_eq!(dispatched.place, dispatched.payload);
                        let at = waiting.iter().position(|(id, ..)| *id == dispatched.id).unwrap();
                        prop_assert_eq!(waiting.remove(at).1, dispatched.payload);
                        prop_assert_eq!(queue.cancel(dispatched.id), None, "it runs");
                        queue.settle(dispatched.id, Usage::new(amount, 1));
                    } else {
                        prop_assert!(waiting.is_empty());
                    }
                }
                3 => {
                    if !waiting.is_empty() {
                        let (id, number, ..) = waiting.remove(user * 7 % waiting.len());
                        prop_assert_eq!(queue.cancel(id), Some(number));
                        prop_assert_eq!(queue.cancel(id), None);
                    }
                }
                _ => {
                    now += amount;
                    let late = |deadline: &Option<Tick>| deadline.is_some_and(|deadline| deadline.as_nanos() <= now);
                    let mut expected: Vec<_> = waiting.extract_if(.., |(.., deadline)| late(deadline)).collect();
                    expected.sort_by_key(|(id, .., deadline)| (*deadline, id.arrival()));
                    let expired: Vec<_> = queue.expire(Tick::from_nanos(now)).collect();
                    prop_assert_eq!(expired, expected.iter().map(|(id, number, ..)| (*id, *number)).collect::<Vec<_>>());
                }
            }
            prop_assert_eq!(queue.waiting(), waiting.len());
            prop_assert_eq!(queue.bytes(), waiting.iter().map(|(.., bytes, _)| bytes).sum::<u64>());
            prop_assert_eq!(queue.next_deadline(), waiting.iter().filter_map(|(.., deadline)| *deadline).min());
        }
    }
}
