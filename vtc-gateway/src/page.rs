//! The dashboard: one page at `/`, all of it in the binary.
//!
//! The page itself is open, and holds nothing; what it shows it reads from `/v1/vtc/`, with the admin's key where there is
//! one. It loads nothing from elsewhere, and a browser lets it run no script but its own.

use actix_web::HttpResponse;
use actix_web::http::header::{
    CACHE_CONTROL, CONTENT_SECURITY_POLICY, REFERRER_POLICY, X_CONTENT_TYPE_OPTIONS,
};

/// Where its files are, relative to the page, so that it works below any path that a proxy puts before it.
pub(crate) const STYLE: &str = "/assets/app.css";
/// The script that starts the rest.
pub(crate) const SCRIPTS: [(&str, &str); 5] = [
    ("/assets/app.js", include_str!("page/app.js")),
    ("/assets/charts.js", include_str!("page/charts.js")),
    ("/assets/feed.js", include_str!("page/feed.js")),
    ("/assets/tables.js", include_str!("page/tables.js")),
    ("/assets/whatif.js", include_str!("page/whatif.js")),
];

/// What the page may do: nothing but what it is made of, and asking its own gateway.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data:; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// `GET /`.
pub(crate) async fn index() -> HttpResponse {
    file("text/html; charset=utf-8", include_str!("page/index.html"))
}

/// `GET /assets/app.css`.
pub(crate) async fn style() -> HttpResponse {
    file("text/css; charset=utf-8", include_str!("page/app.css"))
}

/// `GET /assets/….js`.
pub(crate) fn script(text: &'static str) -> HttpResponse {
    file("text/javascript; charset=utf-8", text)
}

fn file(kind: &'static str, text: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .content_type(kind)
        .insert_header((CONTENT_SECURITY_POLICY, POLICY))
        .insert_header((X_CONTENT_TYPE_OPTIONS, "nosniff"))
        .insert_header((REFERRER_POLICY, "no-referrer"))
        // It is of this binary, and asked for once per visit.
        .insert_header((CACHE_CONTROL, "no-cache"))
        .body(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_offers_every_discipline_and_policy() {
        let page = include_str!("page/index.html");
        let names =
            vtc_core::queue::discipline::NAMES.into_iter().chain(vtc_core::policy::NAMES).chain(["none"]);
        for name in names {
            assert!(page.contains(&format!("<option>{name}</option>")), "{name}");
        }
    }

    #[test]
    fn all_of_it_is_small_and_none_of_it_comes_from_elsewhere() {
        let scripts = SCRIPTS.map(|(_, text)| text);
        let page = include_str!("page/index.html");
        let style = include_str!("page/app.css");
        let all: Vec<&str> = scripts.into_iter().chain([page, style]).collect();
        assert!(all.iter().map(|text| text.len()).sum::<usize>() < 100_000);
        for text in all {
            assert!(!text.contains("//cdn") && !text.contains("https://"), "something from elsewhere");
        }
        assert!(!page.contains("style=") && !page.contains("onclick"), "the policy forbids it");
    }
}
