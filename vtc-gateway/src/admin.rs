//! Who may look into the gateway, and change it.
//!
//! [`guard`] stands before everything under `/v1/vtc/` and before `/metrics`. Without a configured key looking is open, as
//! it is in most gateways that stand in a network of their own; changing (every method but GET and HEAD) never is.

pub(crate) mod orders;

use actix_web::body::MessageBody;
use actix_web::dev::{ServiceRequest, ServiceResponse};
use actix_web::http::Method;
use actix_web::http::header::HeaderMap;
use actix_web::middleware::Next;
use actix_web::web::Data;
use actix_web::{Error, ResponseError};

use crate::error::GatewayError;
use crate::gateway::Gateway;
use crate::headers::{REQUEST_ID, request_id};
use crate::identity::key::{KeyHash, WrongKey};
use crate::identity::keys;

/// Who may look into the gateway.
#[derive(Clone, Debug, Default)]
pub struct Admin {
    /// The hashes of the keys that open it; empty: whoever reaches it may look.
    pub keys: Vec<KeyHash>,
    /// Whether `/metrics` is open in spite of that.
    pub open_metrics: bool,
}

/// The path of the metrics.
pub(crate) const METRICS: &str = "/metrics";

/// Lets through whoever may; others get [`GatewayError::Unauthorized`] or [`GatewayError::NoAdminKey`]. For scopes and
/// resources, by [`from_fn`](actix_web::middleware::from_fn).
///
/// # Errors
/// Those of what it guards.
pub async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let gateway = request.app_data::<Data<Gateway>>();
    let check = |gateway: &Data<Gateway>| {
        gateway.configuration().may_look(request.method(), request.path(), request.headers())
    };
    match gateway.map_or(Err(GatewayError::NoAdminKey), check) {
        Ok(()) => Ok(next.call(request).await?.map_into_left_body()),
        Err(error) => {
            let mut response = error.error_response();
            response.headers_mut().insert(REQUEST_ID, request_id(request.headers()));
            Ok(request.into_response(response).map_into_right_body())
        }
    }
}

// === impl Admin ===

impl Admin {
    /// Whether that request may pass.
    ///
    /// # Errors
    /// [`GatewayError::Unauthorized`]; [`GatewayError::NoAdminKey`].
    pub fn check(&self, method: &Method, path: &str, headers: &HeaderMap) -> Result<(), GatewayError> {
        if self.keys.is_empty() {
            let looks = [Method::GET, Method::HEAD].contains(method);
            return if looks { Ok(()) } else { Err(GatewayError::NoAdminKey) };
        }
        if self.open_metrics && path == METRICS {
            return Ok(());
        }
        if keys(headers).any(|key| self.is_opened_by(key)) {
            return Ok(());
        }
        Err(keys(headers).next().map_or(WrongKey::Missing, |_| WrongKey::Unknown).into())
    }

    /// Whether it is one of the keys. All are compared, and each in constant time.
    pub(crate) fn is_opened_by(&self, key: &[u8]) -> bool {
        self.keys.iter().fold(false, |fits, hash| fits | hash.is_of(key))
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{AUTHORIZATION, HeaderValue};

    use super::*;

    fn with(key: &str) -> HeaderMap {
        let value = HeaderValue::from_str(&format!("Bearer {key}")).unwrap();
        [(AUTHORIZATION, value)].into_iter().collect()
    }

    #[test]
    fn without_a_key_everybody_may_look_and_nobody_change() {
        let open = Admin::default();
        for method in [Method::GET, Method::HEAD] {
            assert_eq!(open.check(&method, "/v1/vtc/pods", &HeaderMap::new()), Ok(()));
        }
        for method in [Method::POST, Method::PUT, Method::DELETE, Method::PATCH] {
            assert_eq!(open.check(&method, "/v1/vtc/pods", &with("x")), Err(GatewayError::NoAdminKey));
        }
    }

    #[test]
    fn with_keys_one_of_them_is_needed_and_enough() {
        let keys = ["one", "two"].map(|key| KeyHash::of(key.as_bytes())).to_vec();
        let closed = Admin { keys, open_metrics: false };
        for method in [Method::GET, Method::POST] {
            for path in ["/v1/vtc/pods", METRICS] {
                assert_eq!(closed.check(&method, path, &with("one")), Ok(()));
                assert_eq!(closed.check(&method, path, &with("two")), Ok(()));
                let refused = |key: WrongKey| Err(key.into());
                assert_eq!(closed.check(&method, path, &with("three")), refused(WrongKey::Unknown));
                assert_eq!(closed.check(&method, path, &HeaderMap::new()), refused(WrongKey::Missing));
            }
        }
        let open = Admin { open_metrics: true, ..closed };
        assert_eq!(open.check(&Method::GET, METRICS, &HeaderMap::new()), Ok(()));
        assert!(open.check(&Method::GET, "/v1/vtc/users", &HeaderMap::new()).is_err());
    }
}
