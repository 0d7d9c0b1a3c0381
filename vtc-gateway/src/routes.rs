//! Which path leads where.

use actix_web::middleware::from_fn;
use actix_web::web::{self, Data};
use actix_web::{Resource, Route, guard};

use crate::admin::{METRICS, orders};
use crate::gateway::Gateway;
use crate::request::Endpoint;
use crate::{admin, live, page, proxy, record, status, whatif};

/// All of them, but for what is nowhere.
pub(crate) fn all(config: &mut web::ServiceConfig) {
    for endpoint in Endpoint::ALL {
        for path in endpoint.description().paths {
            let resource = web::resource(*path).route(work(web::post(), endpoint));
            config.service(resource.default_service(web::to(|it| status::wrong_method(it, "POST"))));
        }
    }
    for (path, text) in page::SCRIPTS {
        config.service(looked(path, look().to(async move || page::script(text))));
    }
    config
        .service(looked("/", look().to(page::index)))
        .service(looked(page::STYLE, look().to(page::style)))
        .service(looked("/v1/models", look().to(status::models)))
        .service(looked("/v1/models/{model:.+}", look().to(status::model)))
        .service(looked("/healthz", look().to(status::healthz)))
        .service(looked("/livez", look().to(status::livez)))
        .service(looked("/readyz", look().to(status::readyz)))
        .service(looked(METRICS, look().to(status::prometheus)).wrap(from_fn(admin::guard)))
        // Whatever comes to this scope is guarded, and the gateway's own.
        .service(
            web::scope("/v1/vtc")
                .wrap(from_fn(admin::guard))
                .service(looked("/users", look().to(status::users)))
                .service(looked("/pods", look().to(status::pods)))
                .route("/pods/{pod}", web::put().to(orders::put))
                .route("/pods/{pod}", web::delete().to(orders::remove))
                .route("/pods/{pod}/drain", web::post().to(orders::drain))
                .route("/pods/{pod}/undrain", web::post().to(orders::undrain))
                .service(looked("/config", look().to(status::config)))
                .service(looked("/queues", look().to(status::queues)))
                .service(looked("/replica", look().to(status::replica)))
                .service(looked("/live", web::get().to(live::live)))
                .service(looked("/requests", look().to(record::routes::requests)))
                .service(looked("/whatif", look().to(whatif::routes::whatif)))
                .service(looked("/explain/{id:.+}", look().to(record::routes::explain)))
                .default_service(web::to(status::nothing)),
        );
    config.route("/v1/{rest:.*}", work(web::route().guard(guard::fn_guard(is_for_pods)), Endpoint::Other));
}

/// What can only be looked at.
fn looked(path: &str, route: Route) -> Resource {
    let wrong_method = |it| status::wrong_method(it, "GET, HEAD");
    web::resource(path).route(route).default_service(web::to(wrong_method))
}

/// The way of requests for this endpoint.
fn work(route: Route, endpoint: Endpoint) -> Route {
    route.to(move |client, payload, gateway, upstream| {
        proxy::generate(endpoint, client, payload, gateway, upstream)
    })
}

/// Whether a path that the gateway does not know goes to a pod as it is. One that climbs out of `/v1/` would not stay
/// what it is.
fn is_for_pods(context: &guard::GuardContext<'_>) -> bool {
    let passes =
        context.app_data::<Data<Gateway>>().is_some_and(|it| it.configuration().endpoints.pass_unknown);
    passes && !climbs(context.head().uri.path())
}

/// Whether a path has a segment `.` or `..`, however that is written.
fn climbs(path: &str) -> bool {
    let plain = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/").replace(['\\'], "/");
    plain.replace("%5c", "/").split('/').any(|segment| matches!(segment, "." | ".."))
}

/// A route for GET, and for HEAD: load balancers like to look without reading.
fn look() -> Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_that_climbs_is_seen_however_it_is_written() {
        for path in [
            "/v1/..",
            "/v1/../metrics",
            "/v1/./x",
            "/v1/%2E%2e/x",
            "/v1/x%2f..%2Fy",
            "/v1/..\\x",
            "/v1/%2e%5Cx",
        ] {
            assert!(climbs(path), "{path}");
        }
        for path in ["/v1/files", "/v1/a..b/...", "/v1/.well-known", "/v1/x.y%2ez"] {
            assert!(!climbs(path), "{path}");
        }
    }
}
