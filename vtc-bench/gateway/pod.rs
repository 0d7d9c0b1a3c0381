//! A pod that costs next to nothing: it answers every chat with the same 600 bytes, or streams events that tell when
//! they were sent. `bench.py` compiles it by itself: it needs no more than the standard library.
//!
//! `pod PORT`. A thread per connection: a handful of connections is all that a benchmark makes.

use std::env;
use std::io::{Read, Result, Write};
use std::net::{TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

const MODELS: &str = r#"{"object":"list","data":[{"id":"m","object":"model","owned_by":"vllm","max_model_len":4096}]}"#;
/// Events of a stream, and the pause before each.
const EVENTS: usize = 300;
const PAUSE: Duration = Duration::from_millis(2);

fn main() {
    let port: u16 = env::args().nth(1).and_then(|port| port.parse().ok()).expect("pod PORT");
    let listener = TcpListener::bind(("127.0.0.1", port)).expect("the port is free");
    for connection in listener.incoming().flatten() {
        // However it ends is the client's business.
        thread::spawn(move || serve(connection));
    }
}

fn serve(mut connection: TcpStream) -> Result<()> {
    connection.set_nodelay(true)?;
    let chat = answer(&chat());
    let mut bytes = Vec::with_capacity(1 << 16);
    loop {
        let Some(body_at) = end_of_head(&bytes) else {
            if read(&mut connection, &mut bytes)? == 0 {
                return Ok(());
            }
            continue;
        };
        let head = String::from_utf8_lossy(&bytes[..body_at]).to_ascii_lowercase();
        let length = head.split("content-length:").nth(1).and_then(|rest| rest.lines().next()?.trim().parse().ok());
        let end = body_at + length.unwrap_or(0);
        while bytes.len() < end {
            if read(&mut connection, &mut bytes)? == 0 {
                return Ok(());
            }
        }
        if head.starts_with("get ") {
            let body = if head.starts_with("get /v1/models") { MODELS } else { r#"{"status":"ok"}"# };
            connection.write_all(&answer(body))?;
        } else if contains(&bytes[body_at..end], br#""stream":true"#) || contains(&bytes[body_at..end], br#""stream": true"#) {
            stream(&mut connection)?;
        } else {
            connection.write_all(&chat)?;
        }
        bytes.drain(..end);
    }
}

fn stream(connection: &mut TcpStream) -> Result<()> {
    connection.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")?;
    for _ in 0..EVENTS {
        thread::sleep(PAUSE);
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default().as_nanos();
        let event = format!(
            r#"data: {{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":[{{"index":0,"delta":{{"content":"{now}"}}}}]}}"#
        );
        chunk(connection, &event)?;
    }
    chunk(connection, "data: [DONE]")?;
    connection.write_all(b"0\r\n\r\n")
}

fn chunk(connection: &mut TcpStream, event: &str) -> Result<()> {
    connection.write_all(format!("{:x}\r\n{event}\n\n\r\n", event.len() + 2).as_bytes())
}

fn chat() -> String {
    let (before, after) = (
        r#"{"id":"chatcmpl-1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":""#,
        r#""},"finish_reason":"stop"}],"usage":{"prompt_tokens":100,"completion_tokens":80,"total_tokens":180}}"#,
    );
    format!("{before}{}{after}", "word ".repeat(120).split_at(600 - before.len() - after.len()).0)
}

fn answer(body: &str) -> Vec<u8> {
    let length = body.len();
    format!("HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}").into_bytes()
}

fn read(connection: &mut TcpStream, bytes: &mut Vec<u8>) -> Result<usize> {
    let mut part = [0; 16384];
    let count = connection.read(&mut part)?;
    bytes.extend_from_slice(&part[..count]);
    Ok(count)
}

fn end_of_head(bytes: &[u8]) -> Option<usize> {
    bytes.windows(4).position(|end| end == b"\r\n\r\n").map(|at| at + 4)
}

fn contains(bytes: &[u8], part: &[u8]) -> bool {
    bytes.windows(part.len()).any(|window| window == part)
}
