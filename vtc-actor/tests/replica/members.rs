//! Replicas come and go.

use std::time::Duration;

use crate::node::{Node, pause, wait_until};
use crate::server::Server;
use crate::traffic::{Traffic, expect_counts, sum};

#[test]
fn what_a_killed_one_charged_counts_on_and_its_successor_counts_nothing_twice() {
    let server = Server::start();
    let stays = Node::start(server.url());
    let mut generations = Vec::new();
    let mut charged = Vec::new();
    std::thread::scope(|scope| {
        let traffic = Traffic::start(scope, &stays, 7);
        for generation in 0..4 {
            let node = Node::start(server.url());
            charged.push(std::thread::scope(|scope| {
                let traffic = Traffic::start(scope, &node, generation);
                pause(Duration::from_millis(600));
                traffic.stop()
            }));
            // What it had no time to say would be lost with it.
            let said = node.status().exchanges;
            wait_until("it said everything", || node.status().exchanges > said + 2);
            generations.push(node);
            generations.last_mut().unwrap().kill();
        }
        charged.push(traffic.stop());
    });
    let charged = sum(charged);
    let ids: std::collections::BTreeSet<_> = generations.iter().map(|node| node.status().id).collect();
    assert_eq!(ids.len(), 4, "no two have the same id");
    expect_counts(&[&stays], &charged);
    wait_until("the dead are noticed", || stays.status().others == 0);
    let newcomer = Node::start(server.url());
    expect_counts(&[&stays, &newcomer], &charged);
}

#[test]
fn a_replica_starts_without_redis_and_joins_when_there_is_one() {
    let mut server = Server::start();
    server.kill();
    let nodes = [Node::start(server.url()), Node::start(server.url())];
    nodes[0].charge("alice", 5.0);
    wait_until("it tried", || nodes[0].status().failures > 2);
    assert_eq!((nodes[0].count("alice"), nodes[1].count("alice")), (5.0, 0.0));
    server.restart();
    wait_until("both know", || nodes.iter().all(|node| node.count("alice") == 5.0));
}

#[test]
fn a_hundred_of_them() {
    let server = Server::start();
    let nodes: Vec<_> = (0..100).map(|_| Node::start(server.url())).collect();
    nodes.iter().for_each(|node| node.charge("alice", 1.0));
    wait_until("all know of all", || {
        nodes.iter().all(|node| node.count("alice") == 100.0 && node.status().others == 99)
    });
}
