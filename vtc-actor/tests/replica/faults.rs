//! Redis breaks under load. Afterwards every replica counts what all were charged, to the token.

use std::time::Duration;

use vtc_actor::RedisServers;

use crate::node::{Node, long_window, pause, quick, wait_until};
use crate::proxy::{Mood, Proxy};
use crate::server::Server;
use crate::traffic::{Traffic, USERS, expect_counts, sum};

/// Two nodes under load, something that goes wrong meanwhile, and the law.
fn under_load(nodes: [&Node; 2], fault: impl FnOnce()) {
    let charged = std::thread::scope(|scope| {
        let traffic = [Traffic::start(scope, nodes[0], 1), Traffic::start(scope, nodes[1], 2)];
        wait_until("both exchange", || nodes.iter().all(|node| node.status().exchanges > 10));
        fault();
        sum(traffic.map(Traffic::stop))
    });
    expect_counts(&nodes, &charged);
}

fn pair(url: &str) -> [Node; 2] {
    [Node::start(url), Node::start(url)]
}

fn both(nodes: &[Node; 2], what: &str, mut condition: impl FnMut(&Node) -> bool) {
    wait_until(what, || nodes.iter().all(&mut condition));
}

#[test]
fn without_a_fault() {
    let server = Server::start();
    let nodes = pair(&server.url());
    under_load([&nodes[0], &nodes[1]], || pause(Duration::from_secs(2)));
    both(&nodes, "they know of each other", |node| node.status().others == 1);
    assert_eq!(nodes[0].status().failures, 0);
    assert_eq!(nodes[0].status().rewrites, 0);
    assert_eq!(nodes[0].status().unreadable, 0);
}

#[test]
fn killed_and_restarted_empty() {
    let mut server = Server::start();
    let nodes = pair(&server.url());
    under_load([&nodes[0], &nodes[1]], || {
        for _ in 0..3 {
            server.kill();
            both(&nodes, "they are alone", |node| !node.status().is_connected);
            pause(Duration::from_millis(300));
            server.restart();
            both(&nodes, "they are back", |node| node.status().is_connected && node.status().others == 1);
        }
    });
    both(&nodes, "they wrote anew", |node| node.status().rewrites >= 3);
}

#[test]
fn emptied_by_somebody() {
    let server = Server::start();
    let nodes = pair(&server.url());
    under_load([&nodes[0], &nodes[1]], || {
        for _ in 0..5 {
            server.ask::<()>(&["FLUSHALL"]);
            pause(Duration::from_millis(200));
        }
    });
    // Whoever comes now finds everything, too.
    let third = Node::start(server.url());
    wait_until("the third knows", || USERS.iter().all(|user| third.count(user) == nodes[0].count(user)));
}

#[test]
fn frozen_for_ten_seconds() {
    let server = Server::start();
    let nodes = pair(&server.url());
    under_load([&nodes[0], &nodes[1]], || {
        let known = nodes[0].status().users_elsewhere;
        server.freeze();
        both(&nodes, "they notice", |node| !node.status().is_connected);
        pause(Duration::from_secs(10));
        assert_eq!(nodes[0].status().users_elsewhere, known, "what is known of others holds");
        assert_eq!(nodes[0].status().others, 0, "that they are there does not");
        assert!(nodes[0].status().error.is_some());
        server.thaw();
        both(&nodes, "they are back", |node| node.status().is_connected && node.status().others == 1);
    });
}

#[test]
fn failed_over_to_a_copy_that_lagged() {
    fail_over(0);
}

#[test]
fn failed_over_to_a_copy_whose_clock_is_ahead() {
    fail_over(2);
}

#[test]
fn failed_over_to_a_copy_whose_clock_is_behind() {
    fail_over(-2);
}

fn fail_over(clock: i32) {
    let mut master = Server::start();
    let copy = Server::with_clock(&["--replicaof", "127.0.0.1", &master.port().to_string()], clock);
    let seconds = |server: &Server| server.ask::<Vec<i64>>(&["TIME"])[0];
    assert!(
        (seconds(&copy) - seconds(&master) - i64::from(clock)).abs() <= 1,
        "its clock is as it should be"
    );
    wait_until("the copy is in sync", || {
        copy.ask::<String>(&["INFO", "replication"]).contains("master_link_status:up")
    });
    let servers = RedisServers { urls: vec![master.url(), copy.url()], ..RedisServers::default() };
    let nodes = [(); 2].map(|()| Node::with(servers.clone(), quick(), long_window()));
    under_load([&nodes[0], &nodes[1]], || {
        pause(Duration::from_secs(1));
        // It falls behind, by a second's changes, and never gets them.
        copy.ask::<()>(&["REPLICAOF", "127.0.0.1", "1"]);
        pause(Duration::from_secs(1));
        master.kill();
        both(&nodes, "they are alone", |node| !node.status().is_connected);
        copy.ask::<()>(&["REPLICAOF", "NO", "ONE"]);
        both(&nodes, "they are back", |node| node.status().is_connected && node.status().others == 1);
        pause(Duration::from_secs(1));
    });
    both(&nodes, "they noticed what was lost", |node| node.status().rewrites > 0);
}

#[test]
fn behind_a_network_that_delays_cuts_and_halves() {
    let server = Server::start();
    let proxies = [Proxy::before(server.port()), Proxy::before(server.port())];
    let nodes = [Node::start(proxies[0].url()), Node::start(proxies[1].url())];
    under_load([&nodes[0], &nodes[1]], || {
        let moods = [
            Mood::Delay(Duration::from_millis(150)),
            Mood::HalveRequests,
            Mood::Delay(Duration::from_millis(700)),
            Mood::HalveReplies,
            Mood::Cut,
        ];
        for round in 0..moods.len() * 2 {
            proxies[0].set(moods[round % moods.len()]);
            proxies[1].set(moods[(round * 3 + 1) % moods.len()]);
            pause(Duration::from_millis(900));
        }
        assert!(nodes.iter().all(|node| node.status().failures > 3));
        proxies.iter().for_each(|proxy| proxy.set(Mood::Pass));
        both(&nodes, "they are back", |node| node.status().is_connected && node.status().others == 1);
    });
}
