//! Clients behind TLS.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;
use tokio_rustls::rustls::ClientConfig;

use crate::common::binary::Binary;
use crate::common::certificate::Identity;
use crate::common::gateway::Pod;
use crate::common::scripted_pod::piece;
use crate::common::wire::Message;
use crate::common::{Gateway, ScriptedPod, fast_pod, soon};
use crate::top::Terminal;

const LOOK: &str = "GET /livez HTTP/1.1\r\nhost: gateway\r\n\r\n";

/// Speaks TLS as that identity.
fn speaking(identity: &Identity) -> String {
    format!("[tls]\ncert_file = {:?}\nkey_file = {:?}\n", identity.file("cert.pem"), identity.file("key.pem"))
}

async fn connect(address: SocketAddr, config: ClientConfig) -> io::Result<TlsStream<TcpStream>> {
    let stream = TcpStream::connect(address).await.unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    soon(connector.connect("127.0.0.1".try_into().unwrap(), stream)).await
}

async fn exchange(stream: &mut TlsStream<TcpStream>, request: impl AsRef<[u8]>) -> Option<Message> {
    stream.write_all(request.as_ref()).await.unwrap();
    soon(Message::read(stream)).await
}

fn chat(stream: bool) -> String {
    let body = format!(
        "{{\"model\":\"m\",\"messages\":[{{\"role\":\"user\",\"content\":\"hi\"}}],\"stream\":{stream}}}"
    );
    let length = body.len();
    format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nuser: alice\r\ncontent-length: {length}\r\n\r\n{body}"
    )
}

/// Reads until that text has come.
async fn read_until(stream: &mut TlsStream<TcpStream>, text: &str) {
    let mut bytes = Vec::new();
    while !String::from_utf8_lossy(&bytes).contains(text) {
        assert_ne!(soon(stream.read_buf(&mut bytes)).await.unwrap(), 0, "no {text:?} in {bytes:?}");
    }
}

#[actix_web::test]
async fn an_event_reaches_its_client_before_the_pod_goes_on() {
    let (identity, mut pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    let mut client = connect(gateway.address, identity.client(None)).await.unwrap();
    client.write_all(chat(true).as_bytes()).await.unwrap();
    let mut call = pod.call().await;
    call.begin().await;
    read_until(&mut client, "200 OK").await;
    for number in ["one", "two", "three"] {
        call.event(piece(number)).await;
        read_until(&mut client, number).await;
    }
    call.event("[DONE]").await;
    call.finish().await;
    read_until(&mut client, "\r\n0\r\n\r\n").await;
}

#[actix_web::test]
async fn a_client_that_leaves_is_noticed_while_its_pod_is_silent() {
    let (identity, mut pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    for (is_stream, has_begun) in [(false, false), (true, false), (true, true)] {
        let mut client = connect(gateway.address, identity.client(None)).await.unwrap();
        client.write_all(chat(is_stream).as_bytes()).await.unwrap();
        let mut call = pod.call().await;
        if has_begun {
            call.begin().await;
            read_until(&mut client, "200 OK").await;
        }
        drop(client);
        call.closed().await;
    }
}

#[actix_web::test]
async fn a_connection_carries_one_request_after_the_other() {
    let (identity, mut pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    let mut client = connect(gateway.address, identity.client(None)).await.unwrap();
    for _ in 0..2 {
        client.write_all(chat(false).as_bytes()).await.unwrap();
        pod.call().await.answer_chat(7, 5).await;
        assert_eq!(soon(Message::read(&mut client)).await.unwrap().first_line, "HTTP/1.1 200 OK");
    }
}

#[actix_web::test]
async fn http_1_1_is_what_is_spoken_whatever_else_is_offered() {
    let (identity, pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    let offering = |protocols: &[&str]| {
        let mut config = identity.client(None);
        config.alpn_protocols = protocols.iter().map(|it| it.as_bytes().to_vec()).collect();
        config
    };
    let mut client = connect(gateway.address, offering(&["h2", "http/1.1"])).await.unwrap();
    assert_eq!(client.get_ref().1.alpn_protocol(), Some(&b"http/1.1"[..]));
    assert_eq!(exchange(&mut client, LOOK).await.unwrap().first_line, "HTTP/1.1 200 OK");
    connect(gateway.address, offering(&["h2"])).await.unwrap_err();
}

#[actix_web::test]
async fn a_client_without_tls_gets_no_answer() {
    let (identity, pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    let mut stream = TcpStream::connect(gateway.address).await.unwrap();
    stream.write_all(LOOK.as_bytes()).await.unwrap();
    assert!(soon(Message::read(&mut stream)).await.is_none());
}

#[actix_web::test]
async fn where_clients_must_show_who_they_are_others_are_not_let_in() {
    let [identity, known, stranger] = ["127.0.0.1", "known", "stranger"].map(Identity::of);
    let pod = ScriptedPod::start("a").await;
    let toml = speaking(&identity) + &format!("client_ca_file = {:?}", known.file("cert.pem"));
    let gateway = Gateway::configured(&[&pod], &toml).await;
    let mut client = connect(gateway.address, identity.client(Some(&known))).await.unwrap();
    assert_eq!(exchange(&mut client, LOOK).await.unwrap().first_line, "HTTP/1.1 200 OK");
    for other in [None, Some(&stranger)] {
        // With TLS 1.3 the client learns it only after its side of the handshake.
        if let Ok(mut client) = connect(gateway.address, identity.client(other)).await {
            let _ = client.write_all(LOOK.as_bytes()).await;
            assert!(soon(Message::read(&mut client)).await.is_none());
        }
    }
}

#[actix_web::test]
async fn connections_of_one_client_are_counted() {
    let (identity, pod) = (Identity::of("127.0.0.1"), ScriptedPod::start("a").await);
    let toml = speaking(&identity) + "[limits]\nconnections_per_client = 1";
    let gateway = Gateway::configured(&[&pod], &toml).await;
    let mut first = connect(gateway.address, identity.client(None)).await.unwrap();
    assert_eq!(exchange(&mut first, LOOK).await.unwrap().first_line, "HTTP/1.1 200 OK");
    let mut second = connect(gateway.address, identity.client(None)).await.unwrap();
    let refusal = exchange(&mut second, LOOK).await.unwrap();
    assert_eq!(refusal.first_line, "HTTP/1.1 429 Too Many Requests");
}

#[actix_web::test]
async fn a_renewed_certificate_is_shown_and_a_broken_one_is_not() {
    let [identity, renewed] = [(); 2].map(|()| Identity::of("127.0.0.1"));
    let pod = ScriptedPod::start("a").await;
    let config = identity.file("gateway.toml");
    std::fs::write(&config, speaking(&identity) + "[log]\nlevel = \"vtc_gateway=info\"").unwrap();
    let pod = format!("a={}", pod.setting().url);
    let (mut binary, mut log) = Binary::logging(&[
        "serve",
        "--listen",
        "127.0.0.1:0",
        "--pod",
        &pod,
        "--config",
        config.to_str().unwrap(),
    ]);
    let line = binary.line().await.unwrap();
    let address: SocketAddr = line.strip_prefix("listening on https://").unwrap().parse().unwrap();
    let mut said = async |text: &str| {
        while !soon(log.next_line()).await.unwrap().unwrap().contains(text) {}
    };
    let is_shown = async |identity: &Identity| connect(address, identity.client(None)).await.is_ok();
    assert!(is_shown(&identity).await && !is_shown(&renewed).await);

    let old = connect(address, identity.client(None)).await;
    renewed.write_to(&identity);
    binary.hang_up().await;
    said("a new certificate").await;
    assert!(is_shown(&renewed).await);
    // Who was there before stays.
    assert_eq!(exchange(&mut old.unwrap(), LOOK).await.unwrap().first_line, "HTTP/1.1 200 OK");

    std::fs::write(identity.file("cert.pem"), "no certificate").unwrap();
    binary.hang_up().await;
    said("the old one stays in force").await;
    assert!(is_shown(&renewed).await);
}

#[actix_web::test]
async fn the_terminal_asks_over_tls_if_it_trusts_the_certificate() {
    let (identity, pod) = (Identity::of("127.0.0.1"), fast_pod("a"));
    let gateway = Gateway::configured(&[&pod], &speaking(&identity)).await;
    let mut client = connect(gateway.address, identity.client(None)).await.unwrap();
    let chat = chat(false).replace("user: alice", "user: alice\r\nrequest-id: the-first");
    assert_eq!(exchange(&mut client, chat).await.unwrap().first_line, "HTTP/1.1 200 OK");

    let url = format!("https://{}", gateway.address);
    let cert = identity.file("cert.pem");
    let trusting = ["--gateway", &url, "--cacert", cert.to_str().unwrap()];
    let mut binary = Binary::start(&[&["explain", "the-first"], &trusting[..]].concat(), &[]);
    assert_eq!(binary.line().await.as_deref(), Some("request the-first"));
    let mut terminal = Terminal::running(&[&["top"], &trusting[..]].concat());
    terminal.until("it is live", |seen| seen.contains(" live ") && seen.contains("alice")).await;

    let error = Binary::refused(&["explain", "the-first", "--gateway", &url], &[]).await;
    assert!(error.contains("certificate"), "{error}");
    let missing = identity.file("none.pem");
    let missing = ["explain", "the-first", "--gateway", &url, "--cacert", missing.to_str().unwrap()];
    let error = Binary::refused(&missing, &[]).await;
    assert!(error.contains("--cacert"), "{error}");
}
