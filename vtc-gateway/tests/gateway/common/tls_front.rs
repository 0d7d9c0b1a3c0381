//! TLS before a pod.

use std::net::SocketAddr;
use std::sync::Arc;

use tokio::io::copy_bidirectional;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::ServerConfig;
use vtc_gateway::settings::PodSetting;

use super::ScriptedPod;
use super::gateway::Pod;

/// Takes TLS off what goes to a pod, until it is dropped.
pub struct TlsFront {
    name: &'static str,
    address: SocketAddr,
    serving: JoinHandle<()>,
}

// === impl TlsFront ===

impl TlsFront {
    pub async fn before(pod: &ScriptedPod, config: ServerConfig) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let serving = actix_web::rt::spawn(serve(listener, TlsAcceptor::from(Arc::new(config)), pod.address));
        Self { name: pod.name, address, serving }
    }
}

async fn serve(listener: TcpListener, acceptor: TlsAcceptor, pod: SocketAddr) {
    loop {
        let (connection, _) = listener.accept().await.unwrap();
        let acceptor = acceptor.clone();
        actix_web::rt::spawn(async move {
            // A gateway that does not trust it ends the handshake.
            let Ok(mut front) = acceptor.accept(connection).await else { return };
            let mut back = TcpStream::connect(pod).await.unwrap();
            let _ = copy_bidirectional(&mut front, &mut back).await;
        });
    }
}

impl Pod for TlsFront {
    fn setting(&self) -> PodSetting {
        PodSetting::new(self.name, format!("https://{}", self.address))
    }
}

impl Drop for TlsFront {
    fn drop(&mut self) {
        self.serving.abort();
    }
}
