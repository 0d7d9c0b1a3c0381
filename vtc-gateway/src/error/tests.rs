use super::*;

#[test]
fn every_error_has_openais_shape_and_its_status() {
    let unknown = GatewayError::UnknownModel { model: "gpt-9".into(), known: vec!["a".into(), "b".into()] };
    let retry_after = Duration::from_millis(2001);
    let full = GatewayError::QueueFull { reason: "full".into(), retry_after };
    let late = GatewayError::QueueTimeout { waited: Duration::from_secs(60), retry_after };
    assert_eq!(full.to_string(), "full: come back in 3 s");
    assert_eq!(late.to_string(), "no pod had room within 60.0s: come back in 3 s");
    let cases = [
        (GatewayError::Request(RequestError::NotAnObject), 400),
        (GatewayError::LongUser, 400),
        (GatewayError::ManyUsers, 400),
        (GatewayError::Unauthorized(WrongKey::Unknown), 401),
        (GatewayError::NoAdminKey, 403),
        (GatewayError::LongHead { limit: 5 }, 431),
        (GatewayError::ManyConnections { limit: 5 }, 429),
        (GatewayError::RateLimited { reason: "x".into(), retry_after, standing: Standing::default() }, 429),
        (GatewayError::TooLarge { limit: 5 }, 413),
        (GatewayError::TooSlow { limit: Duration::from_secs(5) }, 408),
        (unknown.clone(), 404),
        (GatewayError::Policy(UnknownPolicy { name: "x".into() }), 400),
        (GatewayError::NoPods, 503),
        (GatewayError::Ending, 503),
        (full, 429),
        (late, 503),
        (GatewayError::PodFailed("refused".into()), 502),
        (GatewayError::PodTimeout("late".into()), 504),
        (GatewayError::NotFound { method: "GET".into(), path: "/x".into() }, 404),
        (GatewayError::WrongMethod { method: "GET".into(), path: "/x".into(), allowed: "POST" }, 405),
    ];
    for (error, status) in cases {
        let response = error.error_response();
        assert_eq!(response.status().as_u16(), status, "{error}");
        let told = response.headers().contains_key(RETRY_AFTER);
        assert_eq!(told, [429, 503].contains(&status), "{error}");
    }
    assert_eq!(unknown.to_string(), "the model \"gpt-9\" does not exist here; there are: a, b");
}
