//! An actix-web app that shares its model fairly: it routes, "serves", settles and shows the counts.
//!
//! ```text
//! cargo run -p vtc-actor --example embed [address]
//! ```
//!
//! The app's workers talk to one actor, which is on the main thread, through a [`TrackerHandle`].

use std::error::Error;
use std::fmt;
use std::sync::Arc;

use actix_web::http::{StatusCode, header};
use actix_web::{App, HttpResponse, HttpResponseBuilder, HttpServer, ResponseError, get, post, web};
use serde::Deserialize;
use serde_json::{Value, json};
use vtc_actor::{HandleConfig, HandleError, Route, RouteRefusal, TrackerHandle};
use vtc_core::{InvalidTokens, RouteError, RouteRequest, Router, SimpleTokenEstimator, VtcConfig};

#[actix_web::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:8080".to_owned());
    let router = Arc::new(Router::new(VtcConfig::from_env()?)?);
    let handle = TrackerHandle::start(router, HandleConfig::default())?;
    handle.set_pods(["pod-0", "pod-1", "pod-2"]).await?;

    let app = move || App::new().app_data(web::Data::new(handle.clone())).configure(routes);
    let server = HttpServer::new(app).workers(2).bind(&address)?;
    for address in server.addrs() {
        println!("listening on http://{address}; try");
        println!(
            "  curl 'http://{address}/complete?user=alice' --json '{{\"prompt\": \"Tell me a story\"}}'"
        );
        println!(
            "  curl 'http://{address}/complete?user=bob' --json '{{\"prompt\": \"Hi\", \"usage\": [2, 500]}}'"
        );
        println!("  curl http://{address}/users/alice");
        println!("  curl http://{address}/extremes");
    }
    Ok(server.run().await?)
}

/// Everything that the app answers. It wants a [`TrackerHandle`] among its data.
pub fn routes(config: &mut web::ServiceConfig) {
    config.service(complete).service(user).service(extremes);
}

#[derive(Deserialize)]
struct Caller {
    user: Option<String>,
}

#[derive(Deserialize)]
struct Completion {
    prompt: String,
    policy: Option<String>,
    /// What the pod is going to say that it took: tokens read, tokens written.
    usage: Option<(f64, f64)>,
}

/// A request from its beginning to its end. In a real app the pod is called between the two.
#[post("/complete")]
async fn complete(
    handle: web::Data<TrackerHandle>,
    caller: web::Query<Caller>,
    completion: web::Json<Completion>,
) -> Result<web::Json<Value>, Refused> {
    let Completion { prompt, policy, usage } = completion.into_inner();
    let estimate = RouteRequest::from_text(caller.user.as_deref(), &prompt, &SimpleTokenEstimator::default());
    let mut route = Route::from(estimate);
    route.policy = policy.map(Into::into);

    let ticket = handle.route(route).await??;
    // The request is with ticket.pod() now. If the client goes away here, the ticket is dropped, and it ends.
    match usage {
        Some((input, output)) => ticket.settle(input, output)?,
        None => ticket.close(),
    };
    let answer = json!({ "user": ticket.user(), "pod": ticket.pod().name(), "reserved": ticket.reserved() });
    Ok(web::Json(answer))
}

#[get("/users/{user}")]
async fn user(
    handle: web::Data<TrackerHandle>,
    user: web::Path<String>,
) -> Result<web::Json<Value>, Refused> {
    let user = user.into_inner();
    let tokens = handle.token_count(user.as_str()).await?;
    Ok(web::Json(json!({ "user": user, "tokens": tokens })))
}

#[get("/extremes")]
async fn extremes(handle: web::Data<TrackerHandle>) -> web::Json<Value> {
    // The direct way: the core is made to be shared, so it needs no message.
    let extremes = handle.router().tracker().extremes();
    web::Json(json!({ "min": extremes.min, "max": extremes.max, "users": extremes.users }))
}

/// Every way in which a request may fail; HTTP's words for it are in one place.
#[derive(Debug)]
enum Refused {
    /// There is no answer.
    Unanswered(HandleError),
    /// There is one: no.
    Unrouted(RouteRefusal),
    /// The usage is no number.
    Unsettled(InvalidTokens),
}

// === impl Refused ===

impl ResponseError for Refused {
    fn status_code(&self) -> StatusCode {
        match self {
            Self::Unanswered(HandleError::Timeout) => StatusCode::GATEWAY_TIMEOUT,
            Self::Unanswered(_) | Self::Unrouted(RouteRefusal::Route(RouteError::NoPods)) => {
                StatusCode::SERVICE_UNAVAILABLE
            }
            Self::Unrouted(_) | Self::Unsettled(_) => StatusCode::BAD_REQUEST,
        }
    }

    fn error_response(&self) -> HttpResponse {
        let mut response = HttpResponseBuilder::new(self.status_code());
        if let Self::Unanswered(HandleError::Overloaded { retry_after }) = self {
            let seconds = retry_after.as_secs_f64().ceil();
            response.insert_header((header::RETRY_AFTER, seconds.to_string()));
        }
        response.json(json!({ "error": { "message": self.to_string() } }))
    }
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unanswered(error) => error.fmt(f),
            Self::Unrouted(refusal) => refusal.fmt(f),
            Self::Unsettled(invalid) => invalid.fmt(f),
        }
    }
}

impl From<HandleError> for Refused {
    fn from(error: HandleError) -> Self {
        Self::Unanswered(error)
    }
}

impl From<RouteRefusal> for Refused {
    fn from(refusal: RouteRefusal) -> Self {
        Self::Unrouted(refusal)
    }
}

impl From<InvalidTokens> for Refused {
    fn from(invalid: InvalidTokens) -> Self {
        Self::Unsettled(invalid)
    }
}
