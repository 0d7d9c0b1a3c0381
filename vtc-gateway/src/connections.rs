//! How many connections one client may have.
//!
//! A connection is counted from when it is accepted to when it is closed. One too many is told so at its first request,
//! and closed; one that sends none is closed when the time for its head is over. Known proxies speak for many clients and
//! are not counted.

use std::any::Any;
use std::net::IpAddr;
use std::sync::Arc;

use actix_tls::accept::rustls_0_23::TlsStream;
use actix_web::body::MessageBody;
use actix_web::dev::{Extensions, ServiceRequest, ServiceResponse};
use actix_web::middleware::Next;
use actix_web::rt::net::TcpStream;
use actix_web::{Error, ResponseError};
use dashmap::DashMap;
use ipnet::IpNet;

use crate::error::GatewayError;
use crate::identity::address;

/// The connections of all clients. Clones are one and the same.
#[derive(Clone, Debug)]
pub(crate) struct Connections {
    by_client: Arc<DashMap<IpAddr, usize>>,
    most: usize,
    proxies: Arc<[IpNet]>,
}

/// A connection that is counted, until it is dropped.
#[derive(Debug)]
struct Place {
    connections: Connections,
    client: IpAddr,
    /// Whether there were as many as there may be.
    is_beyond: bool,
}

/// Refuses what comes over a connection too many.
///
/// # Errors
/// Those of what it guards.
pub(crate) async fn guard(
    request: ServiceRequest,
    next: Next<impl MessageBody + 'static>,
) -> Result<ServiceResponse<impl MessageBody>, Error> {
    let place = request.conn_data::<Place>().filter(|place| place.is_beyond);
    let Some(limit) = place.map(|place| place.connections.most) else {
        return Ok(next.call(request).await?.map_into_left_body());
    };
    let mut response = GatewayError::ManyConnections { limit }.error_response();
    response.head_mut().set_connection_type(actix_web::http::ConnectionType::Close);
    Ok(request.into_response(response).map_into_right_body())
}

// === impl Connections ===

impl Connections {
    /// At most so many for each client but the proxies.
    pub(crate) fn new(most: usize, proxies: &[IpNet]) -> Self {
        Self { by_client: Arc::default(), most, proxies: proxies.into() }
    }

    /// Counts a connection that was accepted, as long as `data` lives.
    pub(crate) fn accept(&self, connection: &dyn Any, data: &mut Extensions) {
        let tls = || Some(connection.downcast_ref::<TlsStream<TcpStream>>()?.get_ref().0);
        let stream = connection.downcast_ref::<TcpStream>().or_else(tls);
        let peer = stream.and_then(|stream| stream.peer_addr().ok());
        let client = peer.map(|peer| peer.ip().to_canonical());
        if let Some(client) = client.filter(|client| !address::is_in(&self.proxies, *client)) {
            data.insert(self.place(client));
        }
    }

    fn place(&self, client: IpAddr) -> Place {
        let mut open = self.by_client.entry(client).or_insert(0);
        *open += 1;
        Place { connections: self.clone(), client, is_beyond: *open > self.most }
    }
}

// === impl Place ===

impl Drop for Place {
    fn drop(&mut self) {
        self.connections.by_client.remove_if_mut(&self.client, |_, open| {
            *open -= 1;
            *open == 0
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_client_has_so_many_places_and_gives_them_back() {
        let connections = Connections::new(2, &[]);
        let [one, other] = ["10.0.0.1", "10.0.0.2"].map(|address| address.parse().unwrap());
        let first = connections.place(one);
        let second = connections.place(one);
        let third = connections.place(one);
        assert_eq!([&first, &second, &third].map(|place| place.is_beyond), [false, false, true]);
        assert!(!connections.place(other).is_beyond);
        drop((first, third));
        assert!(!connections.place(one).is_beyond);
        drop(second);
        assert!(connections.by_client.is_empty(), "nobody is remembered who has none");
    }
}
