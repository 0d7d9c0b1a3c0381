//! One chat request, asked as a stream.

use std::time::Duration;

use awc::error::{PayloadError, SendRequestError};
use awc::http::StatusCode;
use awc::{Client, Connector};
use futures_util::StreamExt;
use serde_json::json;
use tokio::time::Instant;

use crate::sse::{self, Piece, SseSplitter};
use crate::usage::{StreamPart, Tally};

/// The header that tells the gateway who asks.
const USER_HEADER: &str = "user";

/// What a user asks for.
#[derive(Debug)]
pub(super) struct Question<'a> {
    pub(super) user: &'a str,
    pub(super) prompt: String,
    pub(super) output_tokens: u32,
}

/// Tokens that came in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Arrival {
    /// How many, at least one.
    pub(super) tokens: u64,
    /// If they are the first of their answer: how long after the question.
    pub(super) first_after: Option<Duration>,
}

/// A question that got no answer, or half of one.
#[derive(Debug, thiserror::Error)]
pub(super) enum AskError {
    #[error("the gateway cannot be reached")]
    Unreachable(#[source] SendRequestError),
    #[error("the gateway answered with status {0}")]
    Refused(StatusCode),
    #[error("the connection broke in the middle of the answer")]
    Broken(#[from] PayloadError),
    #[error("the answer ended before its end")]
    Unfinished,
}

/// Who puts questions to one gateway.
pub(super) struct Asker {
    client: Client,
    url: String,
    model: String,
}

// === impl Asker ===

impl Asker {
    /// For up to `connections` questions to `model` at once.
    pub(super) fn new(base_url: &str, model: &str, connections: usize) -> Self {
        let connector = Connector::new().limit(connections);
        let client = Client::builder()
            .connector(connector)
            // Who waits in a queue may wait long for the head of the answer.
            .disable_timeout()
            .disable_redirects()
            .finish();
        Self {
            client,
            url: format!("{}/v1/chat/completions", base_url.trim_end_matches('/')),
            model: model.to_owned(),
        }
    }

    /// Asks, and tells `arrived` of every token as it comes.
    pub(super) async fn ask(
        &self,
        question: &Question<'_>,
        mut arrived: impl FnMut(Arrival),
    ) -> Result<(), AskError> {
        let asked = Instant::now();
        let request = self.client.post(&self.url);
        let mut response = request
            .insert_header((USER_HEADER, question.user))
            .send_json(&json!({
                "model": self.model,
                "messages": [{ "role": "user", "content": question.prompt }],
                "max_tokens": question.output_tokens,
                "stream": true,
            }))
            .await
            .map_err(AskError::Unreachable)?;
        if response.status() != StatusCode::OK {
            return Err(AskError::Refused(response.status()));
        }
        let mut answer = Answer::new();
        while let Some(chunk) = response.next().await {
            answer.splitter.push(chunk?);
            let before = answer.tally.output_tokens();
            answer.read();
            let tokens = answer.tally.output_tokens() - before;
            if tokens > 0 {
                arrived(Arrival { tokens, first_after: (before == 0).then(|| asked.elapsed()) });
            }
        }
        if answer.finished { Ok(()) } else { Err(AskError::Unfinished) }
    }
}

/// A streamed answer, as far as it has come.
struct Answer {
    splitter: SseSplitter,
    tally: Tally,
    /// Whether the choice has said that it ends.
    finished: bool,
}

// === impl Answer ===

impl Answer {
    fn new() -> Self {
        Self { splitter: SseSplitter::new(), tally: Tally::new(1), finished: false }
    }

    /// Reads the whole events that were pushed.
    fn read(&mut self) {
        while let Some(piece) = self.splitter.next_event() {
            let Piece::Event(event) = piece else { continue };
            let Some(data) = sse::data(&event) else {
                continue;
            };
            let part = StreamPart::read(&data);
            self.tally.add(&part);
            self.finished |= part.finished;
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::{App, HttpRequest, HttpResponse, HttpServer, web};

    use super::*;
    use crate::demo::engine::Profile;
    use crate::demo::latency::LatencyModel;
    use crate::demo::pod::SimulatedPod;

    fn pod() -> SimulatedPod {
        let latency = LatencyModel::a10g().at_speed(1e6).unwrap();
        let profile = Profile { latency, ..Profile::a10g() };
        SimulatedPod::start("pod-0", "llama", profile).unwrap()
    }

    async fn ask(base_url: &str, model: &str) -> (Vec<Arrival>, Result<(), AskError>) {
        let question =
            Question { user: "alice", prompt: "Where is the river?".to_owned(), output_tokens: 40 };
        let mut arrivals = Vec::new();
        let asker = Asker::new(base_url, model, 1);
        let ended = asker.ask(&question, |arrival| arrivals.push(arrival)).await;
        (arrivals, ended)
    }

    /// A gateway that gives this answer to alice and none to others.
    fn gateway_that_says(events: &'static str) -> String {
        let server = HttpServer::new(move || {
            App::new().default_service(web::to(move |http: HttpRequest| async move {
                match http.headers().get("user") {
                    Some(user) if user == "alice" => HttpResponse::Ok().body(events),
                    _ => HttpResponse::Unauthorized().finish(),
                }
            }))
        })
        .workers(1)
        .disable_signals()
        .bind(("127.0.0.1", 0))
        .unwrap();
        let url = format!("http://{}", server.addrs()[0]);
        actix_web::rt::spawn(server.run());
        url
    }

    #[actix_web::test]
    async fn every_token_arrives_and_one_of_them_is_the_first() {
        let pod = pod();
        let (arrivals, ended) = ask(pod.url(), "llama").await;
        ended.unwrap();
        let tokens: u64 = arrivals.iter().map(|arrival| arrival.tokens).sum();
        assert_eq!(tokens, 40);
        let firsts: Vec<bool> = arrivals.iter().map(|it| it.first_after.is_some()).collect();
        assert!(firsts[0]);
        assert!(!firsts[1..].contains(&true));
    }

    #[actix_web::test]
    async fn a_refusal_and_an_absent_gateway_are_different_errors() {
        let pod = pod();
        let (arrivals, ended) = ask(pod.url(), "another-model").await;
        assert!(matches!(ended, Err(AskError::Refused(StatusCode::NOT_FOUND))));
        assert_eq!(arrivals, []);
        let url = pod.url().to_owned();
        pod.stop().await.unwrap();
        let (_, ended) = ask(&url, "llama").await;
        assert!(matches!(ended, Err(AskError::Unreachable(_))));
    }

    #[actix_web::test]
    async fn the_user_is_named_and_an_answer_without_its_end_is_told_from_a_whole_one() {
        let whole = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                     data: {\"choices\":[{\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
                     data: [DONE]\n\n";
        let (arrivals, ended) = ask(&gateway_that_says(whole), "llama").await;
        assert!(ended.is_ok());
        assert_eq!(arrivals.len(), 1);
        let half = "data: {\"choices\":[{\"delta\":{\"content\":\"a\"}}]}\n\n\
                    data: {\"error\":{\"message\":\"the pod is gone\"}}\n\n\
                    data: [DONE]\n\n";
        let (arrivals, ended) = ask(&gateway_that_says(half), "llama").await;
        assert!(matches!(ended, Err(AskError::Unfinished)));
        assert_eq!(arrivals.len(), 1);
    }
}
