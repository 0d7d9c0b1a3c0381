//! Who asks: the request's user.

use actix_web::http::header::HeaderMap;

/// The header that names the user, as in AIBrix's gateway.
pub const USER: &str = "user";

/// The user that the header `user` names. `None` if there is no such header: the request is nobody's. A
/// header that is no text names nobody in particular: it counts as the empty name.
#[must_use]
pub fn user(headers: &HeaderMap) -> Option<&str> {
    headers.get(USER).map(|name| name.to_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    #[test]
    fn absent_and_empty_are_different() {
        let mut headers = HeaderMap::new();
        assert_eq!(user(&headers), None);
        let mut set = |value: &'static [u8]| {
            headers.insert(
                HeaderName::from_static(USER),
                HeaderValue::from_static(std::str::from_utf8(value).unwrap()),
            );
            user(&headers).map(str::to_owned)
        };
        assert_eq!(set(b""), Some(String::new()));
        assert_eq!(set(b"alice"), Some("alice".to_owned()));
    }
}
