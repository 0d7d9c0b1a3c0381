//! A client that does as was planned, and sees what becomes of its request.

use std::io;
use std::net::SocketAddr;

use serde::de::IgnoredAny;
use tokio::net::TcpStream;

use crate::board::{Entry, PLAN};
use crate::plan::{Course, Plan};
use crate::pod::MODEL;
use crate::wire::{Wire, find};

/// What became of a request, and what it must cost.
#[derive(Debug)]
pub enum Outcome {
    /// It was answered.
    Completed { cost: u64 },
    /// The gateway or a pod refused it, with this status and a reason.
    Refused { status: u16 },
    /// It was cut off as was planned.
    CutOff { cost: u64 },
    /// What may not happen.
    Wrong(String),
}

/// Larger than any body may be here.
pub const TOO_MUCH: u64 = 1 << 20;

/// Asks as was planned.
pub async fn ask(gateway: SocketAddr, user: u64, entry: &Entry) -> Outcome {
    match attempt(gateway, user, entry).await {
        Ok(outcome) => outcome,
        Err(error) => Outcome::Wrong(format!("the connection to the gateway broke: {error}")),
    }
}

async fn attempt(gateway: SocketAddr, user: u64, entry: &Entry) -> io::Result<Outcome> {
    let mut wire = Wire::new(TcpStream::connect(gateway).await?);
    let plan = entry.plan;
    let request = request(user, entry);
    match plan.course {
        Course::LeavesInBody => {
            wire.send(&request[..request.len() - 10]).await?;
            return Ok(Outcome::CutOff { cost: 0 });
        }
        Course::SlowSender => {
            for piece in request.chunks(50) {
                wire.send(piece).await?;
                tokio::task::yield_now().await;
            }
        }
        Course::Pipelined => {
            wire.send([&request[..], b"GET /healthz HTTP/1.1\r\nhost: gateway\r\n\r\n"].concat()).await?
        }
        _ => wire.send(&request).await?,
    }
    if plan.course == Course::LeavesWaiting {
        tokio::select! {
            () = entry.reached.notified() => return Ok(Outcome::CutOff { cost: plan.estimate() }),
            head = wire.head() => {
                let head = head?.ok_or(io::ErrorKind::UnexpectedEof)?;
                return refusal(&mut wire, head.status(), head.length()).await;
            }
        }
    }
    let head = wire.head().await?.ok_or(io::ErrorKind::UnexpectedEof)?;
    if head.status() != 200 {
        return refusal(&mut wire, head.status(), head.length()).await;
    }
    if !head.is_in_chunks() {
        let body = wire.exactly(head.length()).await?;
        let outcome = completed(&plan, &body);
        if plan.course == Course::Pipelined && wire.head().await?.is_none_or(|head| head.status() == 0) {
            return Ok(Outcome::Wrong("the second of two requests at once had no answer".to_owned()));
        }
        return Ok(outcome);
    }
    stream(&mut wire, entry).await
}

fn request(user: u64, entry: &Entry) -> Vec<u8> {
    let plan = entry.plan;
    let stream = plan.is_streamed();
    let body = match plan.course {
        Course::NotJson => "{\"model\":".to_owned(),
        _ => format!(
            r#"{{"model":"{MODEL}","stream":{stream},"messages":[{{"role":"user","content":"{}"}}]}}"#,
            plan.prompt()
        ),
    };
    let length = if plan.course == Course::TooMuch { TOO_MUCH + 1 } else { body.len() as u64 };
    let id = entry.id;
    let head = format!(
        "POST /v1/chat/completions HTTP/1.1\r\nhost: gateway\r\nuser: user-{user}\r\n{PLAN}: {id}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n"
    );
    (head + &body).into_bytes()
}

async fn refusal(wire: &mut Wire, status: u16, length: usize) -> io::Result<Outcome> {
    let body = wire.exactly(length).await?;
    let is_reason = find(&body, b"\"error\"").is_some() || find(&body, b"<html>").is_some();
    Ok(match status {
        400..=599 if is_reason => Outcome::Refused { status },
        _ => Outcome::Wrong(format!("status {status} without a reason")),
    })
}

fn is_piece(event: &[u8]) -> bool {
    let data = event.strip_prefix(b"data: ").unwrap_or_default();
    find(data, b"\"delta\"").is_some() && serde_json::from_slice::<IgnoredAny>(data).is_ok()
}

fn completed(plan: &Plan, body: &[u8]) -> Outcome {
    let said = format!(r#""prompt_tokens":{},"completion_tokens":{}"#, plan.input, plan.output);
    match plan.course {
        Course::NotJson | Course::TooMuch | Course::PodRefuses(_) => {
            Outcome::Wrong("an answer to what has none".to_owned())
        }
        _ if find(body, said.as_bytes()).is_some() => Outcome::Completed { cost: plan.cost() },
        _ => Outcome::Wrong("an answer to another request, or a part of one".to_owned()),
    }
}

async fn stream(wire: &mut Wire, entry: &Entry) -> io::Result<Outcome> {
    let plan = entry.plan;
    let (mut events, mut text) = (0, Vec::new());
    let (mut is_done, mut has_error) = (false, false);
    while let Some(chunk) = wire.chunk().await? {
        text.extend(chunk);
        while let Some(end) = find(&text, b"\n\n") {
            let event: Vec<u8> = text.drain(..end + 2).collect();
            // An event that a dying pod left unfinished is none.
            events += u64::from(is_piece(&event));
            is_done |= event.starts_with(b"data: [DONE]");
            has_error |= find(&event, b"\"error\"").is_some();
        }
        match plan.course {
            Course::LeavesStream { after } if events == after => {
                return Ok(Outcome::CutOff { cost: plan.cost_after(after) });
            }
            Course::PodDies { after, .. } if events == after => entry.read.notify_one(),
            Course::AcrossTheEnd { after } if events == after => {
                entry.halfway.notify_one();
                entry.go_on.notified().await;
                entry.read.notify_one();
            }
            _ => {}
        }
    }
    Ok(match plan.course {
        Course::Stream | Course::AcrossTheEnd { .. } if is_done && events == plan.output => {
            Outcome::Completed { cost: plan.cost() }
        }
        Course::PodDies { after, .. } if has_error && !is_done && events == after => {
            Outcome::CutOff { cost: plan.cost_after(after) }
        }
        _ => Outcome::Wrong(format!(
            "a stream of {events} events, done: {is_done}, error: {has_error}, planned {plan:?}"
        )),
    })
}
