//! The tracker that lives in Redis: the same laws as the one in the process, for all who share it.

use std::collections::BTreeMap;
use std::time::Duration;

use vtc_actor::{RedisServers, RedisTracker, RedisTrackerConfig};
use vtc_core::{SlidingWindowTracker, TimeUnit, TokenTracker, TrackerConfig, UpdateError};

use crate::node::{pause, wait_until};
use crate::server::Server;

fn tracker(url: String, config: TrackerConfig) -> RedisTracker {
    let redis = RedisTrackerConfig { timeout: Duration::from_secs(5), ..RedisTrackerConfig::default() };
    RedisTracker::new(config, &RedisServers::of_url(url), &redis).unwrap()
}

fn short() -> TrackerConfig {
    TrackerConfig {
        window_size: 2,
        time_unit: TimeUnit::Seconds,
        bucket_width: Some(Duration::from_millis(200)),
        ..TrackerConfig::default()
    }
}

#[test]
fn it_agrees_with_the_tracker_in_the_process_as_long_as_nothing_expires() {
    let server = Server::start();
    let config = TrackerConfig { staleness: Duration::ZERO, ..TrackerConfig::default() };
    let (one, other) = (tracker(server.url(), config.clone()), tracker(server.url(), config.clone()));
    let naive = SlidingWindowTracker::builder().config(config).build().unwrap();
    let mut random = fastrand::Rng::with_seed(5);
    assert_eq!((one.min_token_count(), one.max_token_count()), (1000.0, 8000.0));
    let users = ["alice", "bob", "a:b", "ü\n", "5"];
    for round in 0..500 {
        let user = users[random.usize(..users.len())];
        let (input, output) = (random.f64() * 100.0, random.f64() * 100.0);
        let charger = if random.bool() { &one } else { &other };
        charger.update_token_count(user, input, output).unwrap();
        naive.update_token_count(user, input, output).unwrap();
        if round % 20 == 0 {
            for user in users {
                assert_eq!(one.token_count(user), naive.token_count(user), "{user}");
            }
            assert_eq!(other.min_token_count(), naive.min_token_count());
            assert_eq!(other.max_token_count(), naive.max_token_count());
        }
    }
    assert_eq!(one.update_token_count("", 1.0, 1.0), naive.update_token_count("", 1.0, 1.0));
    assert!(matches!(one.update_token_count("alice", f64::NAN, 1.0), Err(UpdateError::Tokens(_))));
    assert_eq!((one.token_count(""), one.token_count("nobody")), (0.0, 0.0));
    assert_eq!((one.failures(), other.failures()), (0, 0));
}

#[test]
fn what_has_left_the_window_is_gone_and_so_are_its_keys() {
    let server = Server::start();
    let tracker = tracker(server.url(), short());
    let mut seen = BTreeMap::new();
    for round in 0..20 {
        tracker.update_token_count("alice", 1.0, 0.0).unwrap();
        pause(Duration::from_millis(300));
        *seen.entry(tracker.token_count("alice") as u64).or_insert(0) += 1;
        assert!(tracker.token_count("alice") >= f64::from((round + 1).min(6)), "{seen:?}");
        assert!(tracker.token_count("alice") <= 8.0, "2.2 seconds are 8 charges: {seen:?}");
    }
    wait_until("all is over", || tracker.token_count("alice") == 0.0);
    assert_eq!(tracker.min_token_count(), 1000.0);
    wait_until("and nothing left of it", || server.ask::<Vec<String>>(&["KEYS", "*"]).is_empty());
    assert_eq!(tracker.failures(), 0);
}

#[test]
fn threads_lose_nothing() {
    let server = Server::start();
    let tracker = tracker(server.url(), TrackerConfig::default());
    std::thread::scope(|scope| {
        for _ in 0..4 {
            scope.spawn(|| (0..500).for_each(|_| tracker.update_token_count("alice", 1.0, 0.0).unwrap()));
        }
    });
    assert_eq!((tracker.token_count("alice"), tracker.failures()), (2000.0, 0));
}

#[test]
fn without_redis_everybody_sees_its_own_and_it_is_counted() {
    let mut server = Server::start();
    let (one, other) =
        (tracker(server.url(), TrackerConfig::default()), tracker(server.url(), TrackerConfig::default()));
    one.update_token_count("alice", 5.0, 0.0).unwrap();
    other.update_token_count("alice", 7.0, 0.0).unwrap();
    assert_eq!(one.token_count("alice"), 12.0);
    server.kill();
    assert_eq!((one.token_count("alice"), other.token_count("alice")), (5.0, 7.0));
    one.update_token_count("alice", 1.0, 0.0).unwrap();
    assert_eq!((one.token_count("alice"), one.min_token_count(), one.max_token_count()), (6.0, 6.0, 6.0));
    assert!(one.failures() >= 5 && one.last_error().is_some());
    // Empty, and the scripts forgotten: it goes on.
    server.restart();
    wait_until("it is back", || {
        one.update_token_count("bob", 1.0, 0.0).unwrap();
        other.token_count("bob") > 0.0
    });
}
