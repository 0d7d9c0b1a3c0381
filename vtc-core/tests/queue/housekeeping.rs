//! What is left when everybody has gone.

use vtc_core::queue::QueueLimits;
use vtc_core::queue::discipline::{self, DisciplineOptions};
use vtc_core::{Arrival, FairQueue, Tick, Usage};

const CROWD: u64 = 100_000;

fn queue(discipline: &str) -> FairQueue<u64> {
    let discipline = discipline::by_name(discipline, &DisciplineOptions::default()).unwrap();
    FairQueue::new(discipline).with_limits(QueueLimits::NONE)
}

fn name(number: u64) -> String {
    format!("user-{number}")
}

fn crowd(queue: &mut FairQueue<u64>) -> Vec<vtc_core::queue::RequestId> {
    (0..CROWD)
        .map(|number| {
            let deadline = Some(Tick::from_nanos(number * 7 % CROWD));
            let name = name(number / 2);
            let arrival = Arrival { bytes: 10, deadline, ..Arrival::new(&name, 1, number) };
            queue.push(arrival).unwrap()
        })
        .collect()
}

fn assert_empty(queue: &FairQueue<u64>) {
    assert_eq!((queue.waiting(), queue.running(), queue.bytes()), (0, 0, 0));
    assert_eq!(queue.known_users(), 0, "{}", queue.discipline());
    assert_eq!(queue.next_deadline(), None);
}

#[test]
fn when_all_have_cancelled_nothing_is_left() {
    for discipline in discipline::NAMES {
        let mut queue = queue(discipline);
        let left = allocation_counter::measure(|| {
            let mut ids = crowd(&mut queue);
            assert_eq!(queue.known_users(), 50_000);
            // From both ends and the middle.
            let far = ids.split_off(ids.len() / 3);
            for id in far.into_iter().rev().chain(ids) {
                assert!(queue.cancel(id).is_some());
            }
        });
        assert_empty(&queue);
        assert!(left.bytes_current < 200_000, "{discipline} keeps {} bytes", left.bytes_current);
    }
}

/// Some are ahead of the level, and so remembered: a crowd's room is given back all the same, and they stay as they are.
#[test]
fn debts_do_not_keep_the_room_of_a_crowd() {
    let debtors = [0, 20_000, 40_000].map(name);
    let come_and_go = |queue: &mut FairQueue<u64>| {
        let first = debtors.each_ref().map(|debtor| {
            queue.push(Arrival::new(debtor, 0, 0)).unwrap();
            queue.pop(|_| Some(())).unwrap().id
        });
        for id in crowd(queue) {
            queue.cancel(id);
        }
        for (id, output) in first.into_iter().zip(10..) {
            queue.settle(id, Usage::new(0, output));
        }
    };
    let mut queue = queue("vtc-fair");
    let left = allocation_counter::measure(|| {
        come_and_go(&mut queue);
        let before = debtors.each_ref().map(|debtor| queue.standing(debtor).unwrap());
        queue.tidy();
        assert_eq!(debtors.each_ref().map(|debtor| queue.standing(debtor).unwrap()), before);
    });
    assert_eq!(queue.known_users(), debtors.len());
    assert!(left.bytes_current < 20_000, "keeps {} bytes", left.bytes_current);
    // They go by their debts, and are forgotten as ever.
    for debtor in [0, 2, 1].map(|at| &debtors[at]) {
        queue.push(Arrival::new(debtor, 0, 0)).unwrap();
    }
    for debtor in &debtors {
        assert_eq!(queue.standing(debtor).unwrap().waiting, 1);
        let dispatched = queue.pop(|_| Some(())).unwrap();
        assert_eq!(queue.standing(debtor).unwrap().running, 1);
        queue.settle(dispatched.id, Usage::new(0, 100));
    }
    queue.tidy();
    assert_eq!(queue.known_users(), 0, "the level has passed them");
}

#[test]
fn when_all_have_expired_nothing_is_left() {
    let mut queue = queue("vtc-fair");
    crowd(&mut queue);
    assert_eq!(queue.expire(Tick::from_nanos(CROWD)).count() as u64, CROWD);
    assert_empty(&queue);
}

#[test]
fn whoever_the_level_has_passed_is_forgotten_and_debts_are_kept() {
    let mut queue = queue("vtc-fair");
    let serve = |queue: &mut FairQueue<u64>, user: &str, output| {
        queue.push(Arrival::new(user, 0, 0)).unwrap();
        let dispatched = queue.pop(|_| Some(())).unwrap();
        assert!(queue.settle(dispatched.id, Usage::new(0, output)));
    };
    serve(&mut queue, "alice", 100);
    assert_eq!(queue.known_users(), 0, "she left last, so all come in at her level");
    serve(&mut queue, "bob", 30);
    assert_eq!(queue.known_users(), 0, "he came in at her level, and is the level now");

    // Two at a time: the one who was served more is owed nothing by the level of the other.
    for user in ["carol", "dave"] {
        queue.push(Arrival::new(user, 0, 0)).unwrap();
    }
    let (carol, dave) = (queue.pop(|_| Some(())).unwrap(), queue.pop(|_| Some(())).unwrap());
    queue.settle(carol.id, Usage::new(0, 50));
    queue.settle(dave.id, Usage::new(0, 10));
    assert_eq!(queue.known_users(), 1, "carol is ahead of dave, who left last");
    assert!(queue.standing("carol").is_some());
    serve(&mut queue, "erin", 100);
    assert_eq!(queue.known_users(), 0, "the level has passed her");
}

#[test]
fn names_that_come_once_do_not_pile_up() {
    for discipline in discipline::NAMES.into_iter().filter(|name| *name != "lcf") {
        let mut queue = queue(discipline);
        // A round of `drr` is 500: users are remembered for that long.
        let (mut most, may) = (0, if discipline == "drr" { 100 } else { 2 });
        for number in 0..20_000 {
            queue.push(Arrival::new(&name(number), 5, number)).unwrap();
            let dispatched = queue.pop(|_| Some(())).unwrap();
            queue.delivered(dispatched.id, 1);
            queue.settle(dispatched.id, Usage::new(5, number % 10));
            most = most.max(queue.known_users());
        }
        assert!(most <= may, "{discipline}: {most}");
    }
}

/// One call forgets a few; what is left when no more come, `tidy` does.
#[test]
fn a_crowd_that_the_level_passes_at_once_is_forgotten_bit_by_bit() {
    let mut queue = queue("vtc-fair");
    let crowd = 1000;
    let mut running = Vec::new();
    for number in 0..=crowd {
        queue.push(Arrival::new(&name(number), 0, number)).unwrap();
        running.push(queue.pop(|_| Some(())).unwrap().id);
    }
    // All are ahead of the one who left last.
    let last = running.pop().unwrap();
    for id in running {
        queue.settle(id, Usage::new(0, 10));
    }
    assert_eq!(queue.known_users() as u64, crowd + 1);
    queue.settle(last, Usage::new(0, 100));
    let known = queue.known_users() as u64;
    assert!(crowd / 2 < known && known < crowd, "{known}");
    queue.tidy();
    assert_eq!(queue.known_users(), 0);
}

#[test]
fn an_actor_may_own_it() {
    fn sent<T: Send>() {}
    sent::<FairQueue<u64>>();
}
