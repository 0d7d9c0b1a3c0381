//! Pods whose answers are none, or that answer before they have listened.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use vtc_gateway::settings::PodSetting;

use crate::common::gateway::Pod;
use crate::common::scripted_pod::Call;
use crate::common::{Gateway, ScriptedPod, ask_chat, fast_pod, soon};

/// A pod that sends these bytes has failed: alone it is a 502, and with another the other answers.
async fn is_a_failed_pod(answer: impl AsRef<[u8]>) {
    let (mut bad, good) = (ScriptedPod::start("a").await, fast_pod("b"));
    let answering = async |pod: &mut ScriptedPod| {
        let mut call: Call = pod.call().await;
        call.send(answer.as_ref()).await;
        call.close();
    };
    let gateway = Gateway::before(&[&bad, &good]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    answering(&mut bad).await;
    assert_eq!(reply.await.unwrap().pod(), "b");
    let gateway = Gateway::before(&[&bad]).await;
    let reply = gateway.start_asking(ask_chat().of("alice"));
    answering(&mut bad).await;
    let reply = reply.await.unwrap();
    assert_eq!((reply.status, &reply.json()["error"]["code"]), (502, &"pod_failed".into()));
    assert!(gateway.has_charged_nobody().await);
}

const JSON: &str = "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\n";

#[actix_web::test]
async fn a_header_of_an_answer_that_never_ends_is_a_failure() {
    is_a_failed_pod(format!("{JSON}x-long: {}", "x".repeat(1 << 20))).await;
}

#[actix_web::test]
async fn headers_without_number_are_a_failure() {
    is_a_failed_pod(format!("{JSON}{}content-length: 2\r\n\r\n{{}}", "x-a: b\r\n".repeat(1000))).await;
}

#[actix_web::test]
async fn garbage_is_a_failure() {
    for garbage in
        ["\0\0\0\0\r\n\r\n", "HTTP/9.9 200 OK\r\n\r\n", "HTTP/1.1 two hundred\r\n\r\n", "{}\r\n\r\n"]
    {
        is_a_failed_pod(garbage).await;
    }
}

#[actix_web::test]
async fn a_change_of_the_protocol_is_a_failure() {
    is_a_failed_pod("HTTP/1.1 101 -\r\nconnection: upgrade\r\nupgrade: other\r\n\r\n").await;
}

#[actix_web::test]
async fn an_answer_that_stops_short_of_what_it_announced_is_a_failure() {
    is_a_failed_pod(format!("{JSON}content-length: 10\r\n\r\n{{}}")).await;
    is_a_failed_pod(format!("{JSON}transfer-encoding: chunked\r\n\r\n2\r\n{{}}\r\n")).await;
    is_a_failed_pod(format!("{JSON}transfer-encoding: chunked\r\n\r\nzz\r\n{{}}\r\n")).await;
    is_a_failed_pod(format!("{JSON}content-length: 2\r\ncontent-length: 3\r\n\r\n{{}}")).await;
}

#[actix_web::test]
async fn what_is_said_before_the_answer_is_passed_over() {
    let mut pod = ScriptedPod::start("a").await;
    let gateway = Gateway::before(&[&pod]).await;
    let reply = gateway.start_asking(ask_chat());
    let mut call = pod.call().await;
    call.send("HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n").await;
    call.answer_chat(7, 5).await;
    assert_eq!(reply.await.unwrap().status, 200);
}

/// A pod that answers every question as soon as it has seen its head.
struct HastyPod(SocketAddr);

impl HastyPod {
    /// It then closes the connection, or else never reads on.
    async fn start(closes: bool) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        actix_web::rt::spawn(async move {
            loop {
                let (connection, _) = listener.accept().await.unwrap();
                actix_web::rt::spawn(Self::refuse(connection, closes));
            }
        });
        Self(address)
    }

    async fn refuse(mut connection: TcpStream, closes: bool) {
        let mut head = Vec::new();
        while !head.windows(4).any(|end| end == b"\r\n\r\n") {
            head.push(connection.read_u8().await.unwrap());
        }
        let (status, body) = if head.starts_with(b"GET") {
            (200, r#"{"object":"list","data":[{"id":"m"}]}"#)
        } else {
            (413, r#"{"error":"too much"}"#)
        };
        let length = body.len();
        let head =
            format!("HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}");
        connection.write_all(format!("{head}\r\n\r\n{body}").as_bytes()).await.unwrap();
        if !closes {
            std::future::pending::<()>().await;
        }
    }
}

impl Pod for HastyPod {
    fn setting(&self) -> PodSetting {
        PodSetting::new("a", format!("http://{}", self.0))
    }
}

#[actix_web::test]
async fn a_pod_that_refuses_before_it_has_read_the_body_has_answered() {
    for closes in [true, false] {
        let pod = HastyPod::start(closes).await;
        let gateway = Gateway::before(&[&pod]).await;
        let long = "x".repeat(8 << 20);
        for _ in 0..3 {
            let reply = soon(gateway.ask(ask_chat().with("extra", long.as_str()).of("alice"))).await;
            assert_eq!((reply.status, &reply.body[..]), (413, &br#"{"error":"too much"}"#[..]));
        }
        assert!(gateway.has_charged_nobody().await);
    }
}
