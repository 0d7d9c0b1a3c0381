//! A proxy between a replica and Redis, which delays, cuts and halves what passes.

use std::net::SocketAddr;
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::Runtime;
use tokio::sync::watch;

/// What it does to the traffic.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Pass,
    /// Everything comes so much later, in both directions.
    Delay(Duration),
    /// No connection lasts, and no new one is made.
    Cut,
    /// Of each piece half passes, then the connection breaks: requests, or replies.
    HalveRequests,
    HalveReplies,
}

/// On a runtime of its own, which ends with it.
pub struct Proxy {
    runtime: Option<Runtime>,
    address: SocketAddr,
    mood: watch::Sender<Mood>,
}

// === impl Proxy ===

impl Proxy {
    pub fn before(port: u16) -> Self {
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, moods) = watch::channel(Mood::Pass);
        runtime.spawn(async move {
            loop {
                let Ok((client, _)) = listener.accept().await else { continue };
                if *moods.borrow() == Mood::Cut {
                    continue;
                }
                let Ok(server) = TcpStream::connect(("127.0.0.1", port)).await else { continue };
                tokio::spawn(pass_both(client, server, moods.clone()));
            }
        });
        Self { runtime: Some(runtime), address, mood }
    }

    pub fn url(&self) -> String {
        format!("redis://{}", self.address)
    }

    pub fn set(&self, mood: Mood) {
        self.mood.send_replace(mood);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if let Some(runtime) = self.runtime.take() {
            runtime.shutdown_background();
        }
    }
}

async fn pass_both(client: TcpStream, server: TcpStream, moods: watch::Receiver<Mood>) {
    let (from_client, to_client) = client.into_split();
    let (from_server, to_server) = server.into_split();
    // When one direction ends, so does the other.
    tokio::select! {
        () = pass(from_client, to_server, moods.clone(), Mood::HalveRequests) => {}
        () = pass(from_server, to_client, moods, Mood::HalveReplies) => {}
    }
}

async fn pass(
    mut from: impl AsyncReadExt + Unpin,
    mut to: impl AsyncWriteExt + Unpin,
    mut moods: watch::Receiver<Mood>,
    halve: Mood,
) {
    let mut piece = vec![0; 64 * 1024];
    loop {
        let read = tokio::select! {
            read = from.read(&mut piece) => read,
            cut = moods.wait_for(|mood| *mood == Mood::Cut) => {
                drop(cut);
                return;
            }
        };
        let Ok(length @ 1..) = read else { return };
        let mood = *moods.borrow();
        match mood {
            Mood::Cut => return,
            Mood::Delay(span) => tokio::time::sleep(span).await,
            _ if mood == halve => {
                drop(to.write_all(&piece[..length / 2]).await);
                return;
            }
            Mood::Pass | Mood::HalveRequests | Mood::HalveReplies => {}
        }
        if to.write_all(&piece[..length]).await.is_err() {
            return;
        }
    }
}
