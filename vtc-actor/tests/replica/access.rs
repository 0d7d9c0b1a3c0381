//! Who may, under which names, and over what.

use std::fs;

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair};
use vtc_actor::{RedisServers, ReplicaConfig};

use crate::node::{Node, long_window, quick, wait_until};
use crate::server::{Server, free_port};

/// The commands that are documented as those a user needs.
const COMMANDS: [&str; 26] = [
    "+time",
    "+multi",
    "+exec",
    "+unlink",
    "+hset",
    "+hdel",
    "+hgetall",
    "+pexpire",
    "+pttl",
    "+sadd",
    "+srem",
    "+smembers",
    "+zadd",
    "+zrange",
    "+zremrangebyscore",
    "+xadd",
    "+eval",
    "+xread",
    "+xrange",
    "+xrevrange",
    "+rpush",
    "+ltrim",
    "+lrange",
    "+lindex",
    "+auth",
    "+select",
];

fn with(servers: &RedisServers, config: &ReplicaConfig) -> Node {
    Node::with(servers.clone(), config.clone(), long_window())
}

fn agree(nodes: &[Node; 2]) {
    nodes[0].charge("alice", 5.0);
    nodes[1].charge("alice", 7.0);
    wait_until("both know", || nodes.iter().all(|node| node.count("alice") == 12.0));
}

#[test]
fn a_user_of_redis_who_may_do_what_is_documented_and_no_more() {
    let server = Server::start();
    let mut user = vec!["ACL", "SETUSER", "team", "on", ">secret", "~{fair}:*"];
    user.extend(COMMANDS);
    server.ask::<()>(&user);
    let servers = |password: &str| RedisServers {
        username: Some("team".to_owned()),
        password: Some(password.to_owned()),
        ..RedisServers::of_url(server.url())
    };
    let config = ReplicaConfig { prefix: "fair".to_owned(), ..quick() };
    agree(&[(); 2].map(|()| with(&servers("secret"), &config)));

    // A wrong password, or another's keys: alone, and says why.
    let refused = [with(&servers("guess"), &config), with(&servers("secret"), &quick())];
    for (node, why) in refused.iter().zip(["AUTHENTICATION", "NOPERM"]) {
        wait_until(why, || node.status().error.is_some_and(|error| error.to_uppercase().contains(why)));
        assert!(!node.status().is_connected);
    }
}

#[test]
fn two_fleets_on_one_redis_know_nothing_of_each_other() {
    let server = Server::start();
    let servers = RedisServers::of_url(server.url());
    let fleet = |prefix: &str| {
        let config = ReplicaConfig { prefix: prefix.to_owned(), ..quick() };
        [with(&servers, &config), with(&servers, &config)]
    };
    let (one, other) = (fleet("one"), fleet("other"));
    agree(&one);
    wait_until("they exchange", || other.iter().all(|node| node.status().others == 1));
    assert_eq!(other[0].count("alice"), 0.0);
}

#[test]
fn keys_that_something_else_uses_are_an_error_that_says_so() {
    let server = Server::start();
    server.ask::<()>(&["SET", "{vtc}:log", "mine"]);
    let node = Node::start(server.url());
    wait_until("it says so", || node.status().error.is_some_and(|error| error.contains("WRONGTYPE")));
    server.ask::<()>(&["DEL", "{vtc}:log"]);
    server.ask::<String>(&["XADD", "{vtc}:log", "*", "e", "what is this?"]);
    wait_until("it goes on", || node.status().is_connected && node.status().error.is_none());
    server.ask::<String>(&["XADD", "{vtc}:log", "*", "e", "\u{1}what is this?"]);
    wait_until("it counts what it cannot read", || node.status().unreadable > 0);
    agree(&[node, Node::start(server.url())]);
}

#[test]
fn over_tls_with_certificates_of_ones_own() {
    let ca_key = KeyPair::generate().unwrap();
    let mut ca = CertificateParams::new(Vec::new()).unwrap();
    ca.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    ca.distinguished_name.push(DnType::CommonName, "an authority");
    let ca_certificate = ca.self_signed(&ca_key).unwrap();
    let issuer = Issuer::new(ca, ca_key);
    let issued = |name: &str| {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new([name.to_owned()]).unwrap();
        params.distinguished_name.push(DnType::CommonName, name);
        let certificate = params.signed_by(&key, &issuer).unwrap();
        (certificate.pem(), key.serialize_pem())
    };
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: &str| {
        let path = folder.path().join(name);
        fs::write(&path, text).unwrap();
        path.into_os_string().into_string().unwrap()
    };
    let (certificate, key) = issued("localhost");
    let (certificate, key) = (write("server.pem", &certificate), write("server.key", &key));
    let trusted = write("ca.pem", &ca_certificate.pem());
    let port = free_port();
    let options = [
        "--tls-port",
        &port.to_string(),
        "--tls-cert-file",
        &certificate,
        "--tls-key-file",
        &key,
        "--tls-ca-cert-file",
        &trusted,
        "--tls-auth-clients",
        "yes",
    ];
    let _server = Server::with_options(&options);
    let url = format!("rediss://localhost:{port}");
    let (certificate, key) = issued("a gateway");
    let servers = RedisServers {
        ca: Some(ca_certificate.pem().into_bytes()),
        certificate: Some((certificate.into_bytes(), key.into_bytes())),
        ..RedisServers::of_url(url.clone())
    };
    agree(&[(); 2].map(|()| with(&servers, &quick())));

    // One that does not trust it.
    let stranger = with(&RedisServers::of_url(url), &quick());
    wait_until("it says so", || stranger.status().error.is_some());
    assert_eq!(stranger.status().exchanges, 0);
}
