//! A pod that does as was planned, and reports usage as vLLM does.

use std::io;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::net::{TcpListener, TcpStream};

use crate::board::{Board, Entry, PLAN};
use crate::plan::{Course, Death};
use crate::wire::{Head, Wire};

/// The model that it serves.
pub const MODEL: &str = "m";

/// Every so many answers it closes the connection behind one, unannounced.
const CLOSES_EVERY: u64 = 7;

/// Starts one, and says where.
pub async fn start(board: Rc<Board>) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    tokio::task::spawn_local(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let board = Rc::clone(&board);
            tokio::task::spawn_local(async move {
                // A connection that breaks is no news here.
                let _ = serve(stream, &board).await;
            });
        }
    });
    Ok(address)
}

async fn serve(stream: TcpStream, board: &Board) -> io::Result<()> {
    let mut wire = Wire::new(stream);
    while let Some(head) = wire.head().await? {
        wire.exactly(head.length()).await?;
        let goes_on = match plan_of(&head, board) {
            Some(entry) => answer(&mut wire, &entry).await? && entry.id % CLOSES_EVERY != 0,
            None if head.first_line().contains("/v1/models") => {
                let model = format!(r#"{{"data":[{{"id":"{MODEL}","object":"model","owned_by":"vllm"}}]}}"#);
                whole(&mut wire, 200, &model).await?;
                true
            }
            None => {
                // Of a client that has left meanwhile, or a path that it has not.
                whole(&mut wire, 404, r#"{"error":{"message":"nothing here"}}"#).await?;
                true
            }
        };
        if !goes_on {
            return Ok(());
        }
    }
    Ok(())
}

fn plan_of(head: &Head, board: &Board) -> Option<Rc<Entry>> {
    board.find(head.get(PLAN)?.parse().ok()?)
}

/// Answers as was planned, and says whether the connection is still good.
async fn answer(wire: &mut Wire, entry: &Entry) -> io::Result<bool> {
    let plan = entry.plan;
    entry.reached.notify_one();
    match plan.course {
        Course::PodRefuses(status) => {
            whole(wire, status, r#"{"error":{"message":"not today"}}"#).await?;
            return Ok(true);
        }
        Course::LeavesWaiting => {
            wire.left().await;
            return Ok(false);
        }
        _ if !plan.is_streamed() => {
            let usage = usage(plan.input, plan.output);
            let body = format!(
                r#"{{"object":"chat.completion","choices":[{{"index":0,"message":{{"role":"assistant","content":"hello"}},"finish_reason":"stop"}}],"usage":{usage}}}"#
            );
            whole(wire, 200, &body).await?;
            return Ok(true);
        }
        _ => {}
    }
    wire.send("HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n")
        .await?;
    for written in 1..=plan.output {
        chunk(wire, &format!("data: {}\n\n", piece(plan.input, written))).await?;
        match plan.course {
            Course::LeavesStream { after } if written == after => {
                wire.left().await;
                return Ok(false);
            }
            Course::PodDies { after, how } if written == after => {
                tokio::select! {
                    () = entry.read.notified() => die(wire, how, plan.input, written).await?,
                    () = wire.left() => {}
                }
                return Ok(false);
            }
            Course::AcrossTheEnd { after } if written == after => entry.read.notified().await,
            // What the client sees piece by piece comes piece by piece.
            _ => tokio::task::yield_now().await,
        }
    }
    let usage = usage(plan.input, plan.output);
    chunk(
        wire,
        &format!("data: {{\"object\":\"chat.completion.chunk\",\"choices\":[],\"usage\":{usage}}}\n\n"),
    )
    .await?;
    chunk(wire, "data: [DONE]\n\n").await?;
    wire.send("0\r\n\r\n").await?;
    Ok(true)
}

async fn die(wire: &mut Wire, how: Death, input: u64, written: u64) -> io::Result<()> {
    match how {
        Death::Close => {}
        Death::Reset => wire.stream.set_zero_linger()?,
        Death::InEvent => {
            let event = format!("data: {}", piece(input, written + 1));
            let half = &event[..event.len() / 2];
            wire.send(format!("{:x}\r\n{half}", event.len())).await?;
        }
    }
    Ok(())
}

async fn whole(wire: &mut Wire, status: u16, body: &str) -> io::Result<()> {
    let length = body.len();
    wire.send(format!(
        "HTTP/1.1 {status} -\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
    .await
}

async fn chunk(wire: &mut Wire, text: &str) -> io::Result<()> {
    wire.send(format!("{:x}\r\n{text}\r\n", text.len())).await
}

fn piece(input: u64, written: u64) -> String {
    let usage = usage(input, written);
    format!(
        r#"{{"object":"chat.completion.chunk","choices":[{{"index":0,"delta":{{"content":"w"}}}}],"usage":{usage}}}"#
    )
}

fn usage(input: u64, output: u64) -> String {
    let total = input + output;
    format!(r#"{{"prompt_tokens":{input},"completion_tokens":{output},"total_tokens":{total}}}"#)
}
