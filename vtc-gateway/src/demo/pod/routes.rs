//! The endpoints of a pod.

use std::hash::{DefaultHasher, Hash, Hasher};

use actix_web::http::header::{CACHE_CONTROL, ContentType};
use actix_web::web::{self, Bytes, Data, PayloadConfig, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use futures_util::StreamExt;

use super::error::ApiError;
use super::exposition;
use super::live::LiveEngine;
use super::reply::{self, Reply};
use super::request::{Embeddings, Generation, Style};
use super::stream::EventStream;
use crate::demo::engine::{Profile, Request};
use crate::demo::text::{self, Prose};

/// The header that names the user when the body does not.
const USER_HEADER: &str = "user";

/// The largest body that is read: far above what a prompt that fits has.
const MOST_BODY_BYTES: usize = 8 * 1024 * 1024;

/// What the handlers of one worker share.
#[derive(Debug)]
pub(super) struct Pod {
    name: String,
    model: String,
    engine: LiveEngine,
}

/// A body that may not have arrived.
type Body = Result<Bytes, actix_web::Error>;

// === impl Pod ===

impl Pod {
    /// A pod with an engine of its own, which runs on the local set of this thread.
    pub(super) fn start(name: &str, model: &str, profile: Profile) -> Self {
        Self { name: name.to_owned(), model: model.to_owned(), engine: LiveEngine::start(profile) }
    }

    fn check_model(&self, asked: &str) -> Result<(), ApiError> {
        if asked == self.model { Ok(()) } else { Err(ApiError::unknown_model(asked, &self.model)) }
    }

    async fn generate(&self, client: u64, generation: Generation) -> Result<HttpResponse, ApiError> {
        self.check_model(&generation.model)?;
        let mut seat = self.engine.submit(Request {
            client,
            input_tokens: generation.prompt_tokens,
            output_tokens: generation.output_tokens,
        })?;
        let reply = Reply::new(&generation, &self.name);
        if generation.stream.is_some() {
            return Ok(HttpResponse::Ok()
                .content_type("text/event-stream; charset=utf-8")
                .insert_header((CACHE_CONTROL, "no-cache"))
                .streaming(EventStream::new(seat, reply)));
        }
        let mut prose = Prose::new(seat.id().number());
        let mut answer = String::new();
        while let Some(progress) = seat.next().await {
            answer.push_str(&prose.next_token());
            if progress.finished {
                return Ok(HttpResponse::Ok()
                    .content_type(ContentType::json())
                    .body(reply.whole(&answer, progress.produced)));
            }
        }
        Err(ApiError::interrupted())
    }

    async fn embed(&self, client: u64, embeddings: Embeddings) -> Result<HttpResponse, ApiError> {
        self.check_model(&embeddings.model)?;
        let seats = embeddings
            .inputs
            .iter()
            .map(|input| self.engine.submit(Request { client, input_tokens: input.tokens, output_tokens: 0 }))
            .collect::<Result<Vec<_>, _>>()?;
        for mut seat in seats {
            seat.next().await.ok_or_else(ApiError::interrupted)?;
        }
        let inputs = &embeddings.inputs;
        let vectors: Vec<_> = inputs.iter().map(|input| text::embedding(&input.bytes)).collect();
        let tokens = inputs.iter().map(|input| input.tokens).sum();
        Ok(HttpResponse::Ok().json(reply::embeddings(&self.model, &vectors, tokens)))
    }
}

/// Adds the endpoints to an app that has a [`Pod`] as data.
pub(super) fn configure(config: &mut ServiceConfig) {
    config
        .app_data(PayloadConfig::new(MOST_BODY_BYTES))
        .route("/v1/chat/completions", web::post().to(chat))
        .route("/v1/completions", web::post().to(complete))
        .route("/v1/embeddings", web::post().to(embed))
        .route("/v1/models", web::get().to(models))
        .route("/metrics", web::get().to(metrics))
        .route("/health", web::get().to(HttpResponse::Ok))
        .default_service(web::to(unknown_route));
}

async fn chat(pod: Data<Pod>, http: HttpRequest, body: Body) -> Result<HttpResponse, ApiError> {
    generate(Style::Chat, &pod, &http, body).await
}

async fn complete(pod: Data<Pod>, http: HttpRequest, body: Body) -> Result<HttpResponse, ApiError> {
    generate(Style::Text, &pod, &http, body).await
}

async fn generate(style: Style, pod: &Pod, http: &HttpRequest, body: Body) -> Result<HttpResponse, ApiError> {
    let body = body.map_err(|error| ApiError::unread(&error))?;
    let generation = Generation::read(style, &body)?;
    let client = client_of(http, generation.user.as_deref());
    pod.generate(client, generation).await
}

async fn embed(pod: Data<Pod>, http: HttpRequest, body: Body) -> Result<HttpResponse, ApiError> {
    let body = body.map_err(|error| ApiError::unread(&error))?;
    let embeddings = Embeddings::read(&body)?;
    let client = client_of(&http, embeddings.user.as_deref());
    pod.embed(client, embeddings).await
}

async fn models(pod: Data<Pod>) -> HttpResponse {
    let context_tokens = pod.engine.limits().context_tokens();
    HttpResponse::Ok().json(reply::models(&pod.model, context_tokens))
}

async fn metrics(pod: Data<Pod>) -> HttpResponse {
    let text = exposition::render(&pod.model, pod.engine.gauges(), pod.engine.totals());
    HttpResponse::Ok().content_type(exposition::CONTENT_TYPE).body(text)
}

async fn unknown_route(http: HttpRequest) -> Result<HttpResponse, ApiError> {
    Err(ApiError::unknown_route(http.method().as_str(), http.path()))
}

/// Whose request it is, as the engine knows clients. All who do not say are one.
fn client_of(http: &HttpRequest, user: Option<&str>) -> u64 {
    let header = || http.headers().get(USER_HEADER)?.to_str().ok();
    let mut hasher = DefaultHasher::new();
    user.or_else(header).unwrap_or_default().hash(&mut hasher);
    hasher.finish()
}
