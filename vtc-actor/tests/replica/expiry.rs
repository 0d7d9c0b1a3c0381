//! Rows end by themselves: in the window, and in Redis.

use std::time::Duration;

use vtc_actor::RedisServers;
use vtc_core::{TimeUnit, VtcConfig};

use crate::node::{Node, pause, quick, wait_until};
use crate::server::Server;

fn short_window() -> VtcConfig {
    let mut config = VtcConfig::default();
    config.tracker.window_size = 3;
    config.tracker.time_unit = TimeUnit::Seconds;
    config.tracker.bucket_width = Some(Duration::from_millis(200));
    config
}

fn node(server: &Server) -> Node {
    Node::with(RedisServers::of_url(server.url()), quick(), short_window())
}

#[test]
fn what_was_charged_elsewhere_leaves_the_window_as_it_does_there() {
    let server = Server::start();
    let nodes = [node(&server), node(&server)];
    for _ in 0..3 {
        nodes[0].charge("alice", 5.0);
        wait_until("the other knows", || nodes[1].count("alice") == 5.0);
        // It leaves here first, and there when the news of it has had its way: nobody is told.
        wait_until("it is over here", || nodes[0].count("alice") == 0.0);
        wait_until("and there", || nodes[1].count("alice") == 0.0);
        wait_until("and forgotten", || nodes[1].status().users_elsewhere == 0);
    }
    nodes[1].router.tracker().upkeep();
    assert_eq!(nodes[1].router.tracker().account_count(), 0, "nobody has to be remembered");
}

#[test]
fn it_does_so_while_redis_is_away() {
    let mut server = Server::start();
    let nodes = [node(&server), node(&server)];
    nodes[0].charge("alice", 5.0);
    wait_until("the other knows", || nodes[1].count("alice") == 5.0);
    server.kill();
    wait_until("it is over", || nodes[1].count("alice") == 0.0);
    assert!(!nodes[1].status().is_connected);
}

#[test]
fn whoever_has_left_leaves_nothing_in_redis() {
    let server = Server::start();
    let mut nodes = [node(&server), node(&server)];
    nodes[0].charge("alice", 5.0);
    wait_until("the other knows", || nodes[1].count("alice") == 5.0);
    nodes[0].kill();
    wait_until("it is noticed", || nodes[1].status().others == 0);
    nodes[1].kill();
    // All but the list of names, from which the next one to come strikes those who have left.
    wait_until("the keys are gone", || server.ask::<Vec<String>>(&["KEYS", "*"]) == ["{vtc}:replicas"]);
    assert_eq!(server.ask::<usize>(&["ZCARD", "{vtc}:replicas"]), 2);
    let next = node(&server);
    wait_until("it sweeps", || {
        server.ask::<Vec<String>>(&["ZRANGE", "{vtc}:replicas", "0", "-1"]) == [&*next.status().id]
    });
}

#[test]
fn the_log_does_not_grow() {
    let server = Server::start();
    let node = node(&server);
    let length = || server.ask::<usize>(&["XLEN", "{vtc}:log"]);
    for round in 0..150 {
        node.charge(&format!("user-{}", round % 7), 1.0);
        pause(Duration::from_millis(100));
    }
    // 8 seconds of it, at 10 a second, and up to a node of Redis's stream more.
    assert!(length() < 300, "{} entries", length());
}
