//! A proxy between gateway and pod that spoils connections.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use rand::rngs::Xoshiro256PlusPlus;
use rand::{RngExt, SeedableRng};
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

/// What is wrong with a connection.
#[derive(Clone, Copy, Debug)]
enum Fault {
    None,
    /// It is reset at once.
    Refuse,
    /// Nothing ever comes back.
    Hang,
    /// It is reset when the request has come.
    Reset,
    /// It is closed when the request has come.
    Close,
    /// What comes back is no HTTP.
    Garbage,
    /// What comes back is an error without a body that anybody wants.
    Broken,
    /// What comes back has a head without end.
    HugeHead,
    /// What comes back is shorter than it says.
    Truncated,
    /// What comes back comes byte by byte.
    Trickle,
}

const FAULTS: [Fault; 9] = [
    Fault::Refuse,
    Fault::Hang,
    Fault::Reset,
    Fault::Close,
    Fault::Garbage,
    Fault::Broken,
    Fault::HugeHead,
    Fault::Truncated,
    Fault::Trickle,
];

/// How long a connection hangs before it is closed.
const HANGS: Duration = Duration::from_millis(500);

/// Starts one before that pod, which spoils such a part of the connections, and says where.
pub async fn start(pod: SocketAddr, faults: f64, seed: u64) -> io::Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let mut rng = Xoshiro256PlusPlus::seed_from_u64(seed);
    tokio::task::spawn_local(async move {
        // The first one, by which the gateway looks for the pod's models, is good.
        let mut fault = Fault::None;
        while let Ok((stream, _)) = listener.accept().await {
            tokio::task::spawn_local(async move {
                // A connection that breaks is no news here.
                let _ = serve(stream, pod, fault).await;
            });
            let is_good = rng.random::<f64>() >= faults;
            fault = if is_good { Fault::None } else { FAULTS[rng.random_range(0..FAULTS.len())] };
        }
    });
    Ok(address)
}

async fn serve(mut gateway: TcpStream, pod: SocketAddr, fault: Fault) -> io::Result<()> {
    gateway.set_nodelay(true)?;
    let mut request = [0; 16 * 1024];
    match fault {
        Fault::None => {
            let mut pod = TcpStream::connect(pod).await?;
            pod.set_nodelay(true)?;
            if copy_bidirectional(&mut gateway, &mut pod).await.is_err() {
                // A reset on one side is a reset on the other.
                gateway.set_zero_linger()?;
                pod.set_zero_linger()?;
            }
            return Ok(());
        }
        Fault::Trickle => return trickle(gateway, TcpStream::connect(pod).await?).await,
        Fault::Refuse => return gateway.set_zero_linger(),
        Fault::Hang => {
            tokio::time::sleep(HANGS).await;
            return Ok(());
        }
        Fault::Reset | Fault::Close | Fault::Garbage | Fault::Broken | Fault::HugeHead | Fault::Truncated => {
            let _ = gateway.read(&mut request).await?;
        }
    }
    match fault {
        Fault::Reset => gateway.set_zero_linger()?,
        Fault::Garbage => gateway.write_all(b"\x00\x01SMTP ready\r\n\r\n").await?,
        Fault::Broken => {
            let answer = b"HTTP/1.1 502 Bad Gateway\r\ncontent-type: text/html\r\ncontent-length: 6\r\nconnection: close\r\n\r\n<html>";
            gateway.write_all(answer).await?;
        }
        Fault::HugeHead => {
            gateway.write_all(b"HTTP/1.1 200 OK\r\n").await?;
            let field = format!("x-padding: {}\r\n", "x".repeat(1000));
            for _ in 0..2000 {
                gateway.write_all(field.as_bytes()).await?;
            }
        }
        Fault::Truncated => {
            let answer = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 1000\r\n\r\n{\"usage\":";
            gateway.write_all(answer).await?;
        }
        _ => {}
    }
    Ok(())
}

/// What the pod says comes byte by byte.
async fn trickle(gateway: TcpStream, pod: TcpStream) -> io::Result<()> {
    gateway.set_nodelay(true)?;
    let (mut from_gateway, mut to_gateway) = gateway.into_split();
    let (mut from_pod, mut to_pod) = pod.into_split();
    let there = tokio::task::spawn_local(async move {
        let _ = copy(&mut from_gateway, &mut to_pod).await;
    });
    let mut piece = [0; 1];
    while from_pod.read(&mut piece).await? > 0 {
        to_gateway.write_all(&piece).await?;
        tokio::task::yield_now().await;
    }
    drop(to_gateway);
    there.abort();
    Ok(())
}
