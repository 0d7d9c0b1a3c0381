//! What a request is charged from its dispatch to its end.

use proptest::prelude::*;
use vtc_core::cost::{LinearCost, ProfiledCost};
use vtc_core::predict::{AsAllowed, MovingAverage};
use vtc_core::queue::discipline::{VtcFair, VtcPred};
use vtc_core::queue::{Discipline, RequestId, Weight};
use vtc_core::{Arrival, FairQueue, ServiceCost, Usage};

fn counter(queue: &FairQueue<()>) -> f64 {
    queue.standing("alice").unwrap().counter.as_f64()
}

/// Dispatches a request with this input and this limit.
fn dispatch(queue: &mut FairQueue<()>, input: u64, max_output: Option<u64>) -> RequestId {
    queue.push(Arrival { max_output, ..Arrival::new("alice", input, ()) }).unwrap();
    queue.pop(|_| Some(())).unwrap().id
}

/// A queue in which alice has something that waits, so that her counter stays to be seen.
fn waiting(queue: FairQueue<()>) -> FairQueue<()> {
    let mut queue = queue;
    let _ = dispatch(&mut queue, 0, None);
    queue.push(Arrival::new("alice", 0, ())).unwrap();
    queue.push(Arrival::new("alice", 0, ())).unwrap();
    queue
}

/// The same, in which this request runs.
fn running(queue: FairQueue<()>, input: u64, max_output: Option<u64>) -> (FairQueue<()>, RequestId) {
    let mut queue = queue;
    let id = dispatch(&mut queue, input, max_output);
    (waiting(queue), id)
}

#[test]
fn without_prediction_tokens_are_charged_as_they_flow() {
    let (mut queue, id) = running(FairQueue::new(Box::new(VtcFair)), 100, Some(50));
    assert_eq!(counter(&queue), 100.0);
    assert!(queue.delivered(id, 3));
    assert!(queue.delivered(id, 4));
    assert_eq!(counter(&queue), 114.0);
    assert!(
        queue.settle(id, Usage::new(90, 9)),
        "it read less than was thought, and wrote more than was seen"
    );
    assert_eq!(counter(&queue), 108.0);
}

#[test]
fn what_was_charged_in_advance_is_not_charged_again_and_the_rest_is_refunded() {
    let queue = || FairQueue::new(Box::new(VtcPred)).with_predictor(AsAllowed);
    let (mut longer, id) = running(queue(), 100, Some(50));
    assert_eq!(counter(&longer), 200.0);
    assert!(longer.delivered(id, 50));
    assert_eq!(counter(&longer), 200.0);
    assert!(longer.delivered(id, 1));
    assert_eq!(counter(&longer), 202.0);
    assert!(longer.settle(id, Usage::new(100, 51)));
    assert_eq!(counter(&longer), 202.0);

    let (mut shorter, id) = running(queue(), 100, Some(50));
    assert!(shorter.delivered(id, 10));
    assert!(shorter.settle(id, Usage::new(100, 10)));
    assert_eq!(counter(&shorter), 120.0);
}

#[test]
fn an_answer_that_nobody_accounts_for_costs_what_was_delivered_and_one_that_never_came_nothing() {
    let queue = || FairQueue::new(Box::new(VtcPred)).with_predictor(AsAllowed);
    let (mut cut, id) = running(queue(), 100, Some(50));
    assert!(cut.delivered(id, 10));
    assert!(cut.close(id));
    assert_eq!(counter(&cut), 120.0);

    let (mut unknown, id) = running(queue(), 100, Some(50));
    assert!(unknown.close(id));
    assert_eq!(counter(&unknown), 200.0, "nothing is known: the charge stays");

    let (mut never, id) = running(queue(), 100, Some(50));
    assert!(never.void(id));
    assert_eq!(counter(&never), 0.0);
    assert!(
        !never.delivered(id, 1) && !never.close(id) && !never.settle(id, Usage::new(1, 1)),
        "it has ended"
    );
    assert_eq!(counter(&never), 0.0);
}

#[test]
fn cached_input_is_refunded_when_it_is_known() {
    let cost = LinearCost::default().with_cached(0.1).unwrap();
    let (mut queue, id) = running(FairQueue::new(Box::new(VtcFair)).with_cost(cost), 100, None);
    assert_eq!(counter(&queue), 100.0);
    assert!(queue.settle(id, Usage { input: 100, cached: 80, output: 5 }));
    assert_eq!(counter(&queue), 38.0);
}

#[test]
fn the_predictor_learns_from_what_is_settled_alone() {
    let queue = FairQueue::new(Box::new(VtcPred)).with_predictor(MovingAverage::new(10));
    let (mut queue, first) = running(queue, 1, None);
    queue.settle(first, Usage::new(1, 40));
    let mut prepaid = |end: fn(&mut FairQueue<()>, RequestId) -> bool| {
        queue.push(Arrival::new("alice", 1, ())).unwrap();
        let dispatched = queue.pop(|_| Some(())).unwrap();
        assert!(queue.delivered(dispatched.id, 3));
        assert!(end(&mut queue, dispatched.id));
        dispatched.prepaid
    };
    assert_eq!(prepaid(FairQueue::close), 40);
    assert_eq!(prepaid(FairQueue::void), 40);
    assert_eq!(prepaid(|queue, id| queue.settle(id, Usage::new(1, 90))), 40);
    assert_eq!(prepaid(FairQueue::close), 50, "(4 * 40 + 90) / 5");
}

proptest! {
    /// Whatever was charged on the way, and in whatever pieces, the end is the cost of what was used.
    #[test]
    fn in_the_end_a_user_is_charged_what_was_used(
        weight in 0.001..1000.0f64,
        requests in proptest::collection::vec(
            (0..1000u64, 0..300u64, proptest::collection::vec(0..100u64, 0..6), 0..1000u64, 0..1000u64, 0..1000u64),
            1..20,
        ),
        quadratic in any::<bool>(),
        pred in any::<bool>(),
    ) {
        let cost: fn() -> Box<dyn ServiceCost> = match quadratic {
            true => || Box::new(ProfiledCost::default().with_cached(0.5).unwrap()),
            false => || Box::new(LinearCost::default().with_cached(0.5).unwrap()),
        };
        let discipline: Box<dyn Discipline> = if pred { Box::new(VtcPred) } else { Box::new(VtcFair) };
        let mut queue = FairQueue::new(discipline).with_cost(cost()).with_predictor(AsAllowed);
        let weight = Weight::new(weight).unwrap();
        let mut due = 0;
        let push = |queue: &mut FairQueue<()>, input, max_output| {
            queue.push(Arrival { weight, max_output: Some(max_output), ..Arrival::new("alice", input, ()) }).unwrap();
        };
        // It stays at the end of the line, so that the counter stays to be seen.
        for (input, max_output, ..) in &requests {
            push(&mut queue, *input, *max_output);
        }
        push(&mut queue, 0, 0);
        for (_, _, pieces, input, cached, output) in requests {
            let id = queue.pop(|_| Some(())).unwrap().id;
            let mut last = queue.standing("alice").unwrap().counter;
            for piece in pieces {
                prop_assert!(queue.delivered(id, piece));
                let now = queue.standing("alice").unwrap().counter;
                prop_assert!(now >= last);
                last = now;
            }
            let usage = Usage { input, cached, output };
            prop_assert!(queue.settle(id, usage));
            due += u128::from(weight.charge(cost().cost(usage)));
        }
        prop_assert_eq!(queue.standing("alice").unwrap().counter.units(), due);
    }
}
