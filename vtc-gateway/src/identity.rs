//! Who asks: the request's user.

use std::borrow::Cow;

use actix_web::http::header::HeaderMap;

use crate::error::GatewayError;

/// The header that names the user, as in AIBrix's gateway.
pub const USER: &str = "user";

/// The longest name of a user, in bytes. A cap on users bounds memory only if their names are bounded, too.
pub const LONGEST_NAME: usize = 256;

/// The user that the header `user` names. `None` if there is no such header: the request is nobody's. Any bytes are
/// a name; what in them is no UTF-8 reads as `\u{fffd}`, so that an odd name is no way to be served for nothing.
///
/// # Errors
/// [`GatewayError::LongUser`].
pub fn user(headers: &HeaderMap) -> Result<Option<Cow<'_, str>>, GatewayError> {
    match headers.get(USER) {
        Some(name) if name.len() > LONGEST_NAME => Err(GatewayError::LongUser),
        name => Ok(name.map(|name| String::from_utf8_lossy(name.as_bytes()))),
    }
}

#[cfg(test)]
mod tests {
    use actix_web::http::header::{HeaderName, HeaderValue};

    use super::*;

    fn of(name: &[u8]) -> Result<Option<String>, GatewayError> {
        let name = HeaderValue::from_bytes(name).unwrap();
        let headers: HeaderMap = [(HeaderName::from_static(USER), name)].into_iter().collect();
        user(&headers).map(|name| name.map(Cow::into_owned))
    }

    #[test]
    fn absent_and_empty_are_different() {
        assert_eq!(user(&HeaderMap::new()), Ok(None));
        assert_eq!(of(b""), Ok(Some(String::new())));
        assert_eq!(of(b"alice"), Ok(Some("alice".to_owned())));
    }

    #[test]
    fn every_name_is_somebodys() {
        assert_eq!(of("José".as_bytes()), Ok(Some("José".to_owned())));
        assert_eq!(of(b"a\xff"), Ok(Some("a\u{fffd}".to_owned())));
    }

    #[test]
    fn a_name_has_an_end() {
        assert_eq!(of(&[b'x'; LONGEST_NAME]).map(|name| name.map(|name| name.len())), Ok(Some(LONGEST_NAME)));
        assert_eq!(of(&[b'x'; LONGEST_NAME + 1]), Err(GatewayError::LongUser));
    }
}
