use std::collections::BTreeMap;
use std::rc::Rc;

use proptest::prelude::*;
use vtc_core::queue::Weight;
use vtc_core::{ManualClock, TrackerConfig};

use super::*;
use crate::record::Trail;

/// What happens to the record.
#[derive(Clone, Debug)]
enum Step {
    /// A request of that user comes.
    Comes(u8),
    /// So many tokens more flow to the request of that number, of those in flight.
    Flows(usize, u64),
    /// The request of that number ends.
    Ends(usize),
    Look,
    /// Whoever watched leaves, and another one comes.
    Anew,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let step = prop_oneof![
        4 => (0..9_u8).prop_map(Step::Comes),
        4 => (0..99_usize, 1..50_u64).prop_map(|(which, tokens)| Step::Flows(which, tokens)),
        3 => (0..99_usize).prop_map(Step::Ends),
        3 => Just(Step::Look),
        1 => Just(Step::Anew),
    ];
    proptest::collection::vec(step, 1..120)
}

proptest! {
    #[test]
    fn whatever_flows_is_seen_once_and_whoever_has_something_in_flight_is_seen_each_time(steps in steps()) {
        let clock = ManualClock::new();
        let record = Record::of_test(&clock);
        let tracker = SlidingWindowTracker::new(TrackerConfig::default(), clock).unwrap();
        let mut observer = Observer::begin(&record, &tracker);
        let mut requests: Vec<(u8, u64, Rc<Trail>)> = Vec::new();
        let mut unseen: BTreeMap<String, i64> = BTreeMap::new();
        for step in steps {
            match step {
                Step::Comes(user) => {
                    let trail = record.begin_of_test();
                    trail.enters(&format!("user-{user}"), Weight::ONE);
                    trail.goes_to("pod");
                    requests.push((user, 0, trail));
                }
                Step::Flows(which, tokens) if !requests.is_empty() => {
                    let at = which % requests.len();
                    let (user, written, trail) = &mut requests[at];
                    *written += tokens;
                    trail.progress(0, *written);
                    *unseen.entry(format!("user-{user}")).or_default() += tokens as i64;
                }
                Step::Ends(which) if !requests.is_empty() => drop(requests.swap_remove(which % requests.len())),
                Step::Flows(..) | Step::Ends(_) => {}
                Step::Anew => {
                    observer = Observer::begin(&record, &tracker);
                    unseen.clear();
                }
                Step::Look => {
                    observer.looks += 1;
                    let crowd = Crowd::look(&record, &tracker, &observer.shown, (observer.looks, 1.0));
                    let mut seen = BTreeMap::new();
                    for glance in &crowd.glances {
                        prop_assert!(seen.insert(glance.user.name().to_string(), glance).is_none(), "twice");
                    }
                    for number in 0..9_u8 {
                        let name = format!("user-{number}");
                        let in_flight = requests.iter().filter(|(user, ..)| *user == number).count();
                        let glance = seen.get(&name);
                        prop_assert_eq!(glance.map_or(0, |it| it.in_flight), in_flight, "{}", &name);
                        let flow = glance.map_or(0, |it| it.flow.output);
                        prop_assert_eq!(flow, unseen.remove(&name).unwrap_or(0), "{}", &name);
                    }
                    prop_assert_eq!(crowd.in_flight, requests.len());
                    observer.shown = crowd.glances.into_iter().map(|glance| glance.user).collect();
                }
            }
        }
    }
}

#[test]
fn a_pace_fades_also_in_looks_that_leave_its_user_out() {
    let clock = ManualClock::new();
    let record = Record::of_test(&clock);
    let tracker = SlidingWindowTracker::new(TrackerConfig::default(), clock).unwrap();
    let observer = Observer::begin(&record, &tracker);
    let asks = |tokens| {
        let trail = record.begin_of_test();
        trail.enters("alice", Weight::ONE);
        trail.goes_to("pod");
        trail.progress(tokens, 0);
    };
    let pace =
        |look| Crowd::look(&record, &tracker, &observer.shown, (look, 1.0)).glances.first().map(|it| it.pace);
    asks(100);
    assert_eq!(pace(1), Some(20.0));
    assert_eq!([pace(2), pace(3)], [None, None], "nothing stirs");
    asks(100);
    let faded = 20.0 * 0.8 * 0.8;
    let expected = faded + NEWS * (100.0 - faded);
    assert!((pace(4).unwrap() - expected).abs() < 1e-9);
}

#[test]
fn whoever_is_idle_for_long_is_not_kept_by_the_list() {
    let clock = ManualClock::new();
    let record = Record::of_test(&clock);
    let ask = |user: &str| {
        let trail = record.begin_of_test();
        trail.enters(user, Weight::ONE);
        trail
    };
    drop(ask("alice"));
    let stays = ask("bob");
    clock.advance(Duration::from_secs(100));
    record.shrink(Duration::from_secs(60));
    let names: Vec<_> = record.stirred().iter().map(|user| user.name().to_string()).collect();
    assert_eq!((names, record.known_users()), (vec!["bob".to_owned()], 1));
    drop(stays);
}
