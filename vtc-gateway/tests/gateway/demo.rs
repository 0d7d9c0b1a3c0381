//! The demo, tried as it says.

use serde_json::Value;
use tokio::process::Command;

use crate::common::binary::Binary;
use crate::common::{cost, soon};

/// Runs a line as a user would who pastes it.
async fn run(line: &str) -> String {
    let output = soon(Command::new("sh").args(["-c", line]).output()).await.unwrap();
    assert!(output.status.success(), "{line}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

#[actix_web::test]
async fn the_three_lines_that_the_demo_shows_can_be_pasted() {
    let mut demo = Binary::start(&["demo", "--listen", "127.0.0.1:0"], &[]);
    let mut lines = Vec::new();
    loop {
        let line = demo.line().await.expect("it ended");
        if line == "Ctrl-C ends it." {
            break;
        }
        lines.push(line.trim().to_owned());
    }
    lines.retain(|line| line.starts_with("curl "));
    let [whole, streamed, users] = &lines[..] else { panic!("not three: {lines:?}") };

    let reply = run(whole).await;
    let (head, body) = reply.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200"), "{head}");
    assert!(head.to_lowercase().contains("\r\ntarget-pod: pod-"), "{head}");
    let answer: Value = serde_json::from_str(body).unwrap();
    assert!(!answer["choices"][0]["message"]["content"].as_str().unwrap().is_empty());

    let events = run(streamed).await;
    let pieces: Vec<&str> = events.split_terminator("\n\n").collect();
    assert_eq!(*pieces.last().unwrap(), "data: [DONE]");
    let content = |event: &&str| event.contains(r#""content":""#) && !event.contains(r#""content":"""#);
    assert_eq!(pieces.iter().filter(|event| content(event)).count(), 32);

    // Both asked the same.
    let users: Value = serde_json::from_str(&run(users).await).unwrap();
    let tokens = cost(&answer["usage"]);
    let charged =
        ["alice", "bob"].map(|user| serde_json::json!({ "user": user, "tokens": tokens, "weight": 1.0 }));
    assert_eq!(users["users"], Value::from_iter(charged));

    demo.terminate().await;
    assert_eq!(demo.exit_code().await, Some(0));
}

#[actix_web::test]
async fn traffic_of_a_second_ends_with_what_came_of_it() {
    let arguments = ["demo", "--listen", "127.0.0.1:0", "--traffic", "--seconds", "1", "--whale", "2"];
    let mut demo = Binary::start(&arguments, &[]);
    let mut lines = Vec::new();
    while let Some(line) = demo.line().await {
        lines.push(line);
    }
    let whale = lines.last().unwrap();
    let figures: Vec<_> = whale.split_whitespace().collect();
    assert_eq!(figures[..2], ["whale", "2"], "both of its requests have begun: {lines:#?}");
    assert_eq!(demo.exit_code().await, Some(0));
}

#[actix_web::test]
async fn a_queue_that_there_is_not_is_named() {
    let refused = Binary::refused(&["demo", "--listen", "127.0.0.1:0", "--queue", "lottery"], &[]).await;
    assert!(refused.contains("none or one of fcfs, vtc-fair"), "{refused}");
}
