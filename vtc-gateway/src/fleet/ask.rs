//! Asks a pod: is it there, what does it serve, how much does it do.

use std::time::Duration;

use actix_web::http::StatusCode;
use actix_web::http::header::HeaderValue;
use bytes::Bytes;
use serde::Deserialize;
use serde_json::Value;

use super::Report;
use super::load::PodLoad;
use crate::dialect::Dialect;
use crate::upstream::Upstream;

/// How long a pod may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// What the pod is shown of the gateway.
type Key<'a> = Option<&'a HeaderValue>;

/// The longest answer that is read, in bytes.
const LONGEST: usize = 4 << 20;

#[derive(Deserialize)]
struct ModelList {
    data: Vec<Value>,
}

/// What the pod at that URL says; why it is not ready, if it is not. `health`: a path that has to answer as well.
pub(super) async fn check(
    upstream: &Upstream,
    url: &str,
    key: Key<'_>,
    health: Option<&str>,
) -> Result<Report, String> {
    if let Some(path) = health {
        let (status, _) = get(upstream, url, key, path).await?;
        if !status.is_success() {
            return Err(format!("it answers {status} at {path}"));
        }
    }
    let (status, body) = get(upstream, url, key, "/v1/models").await?;
    match status {
        StatusCode::OK => {
            let list: ModelList = serde_json::from_slice(&body)
                .map_err(|error| format!("what it says at /v1/models is no list of models: {error}"))?;
            let owner = list.data.first().and_then(|model| model["owned_by"].as_str()).unwrap_or_default();
            Ok(Report { dialect: Dialect::from_owned_by(owner), models: Some(list.data) })
        }
        // It is there, but does not list its models, or not to us.
        status if status.is_client_error() => Ok(Report::default()),
        status => Err(format!("it answers {status} at /v1/models")),
    }
}

/// Its load, if it tells one.
pub(super) async fn load(upstream: &Upstream, url: &str, key: Key<'_>) -> Option<PodLoad> {
    let (status, body) = get(upstream, url, key, "/metrics").await.ok()?;
    if status == StatusCode::OK { PodLoad::read(std::str::from_utf8(&body).ok()?) } else { None }
}

async fn get(
    upstream: &Upstream,
    url: &str,
    key: Key<'_>,
    path: &str,
) -> Result<(StatusCode, Bytes), String> {
    upstream.get(url, path, key, PATIENCE, LONGEST).await.map_err(|error| error.to_string())
}
