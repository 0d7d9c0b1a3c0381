//! HTTP/1.1 by hand: to leave in the middle, to say what no library would, and to see each byte.

use std::io;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

/// A connection with what was read of it and not used.
#[derive(Debug)]
pub struct Wire {
    pub stream: TcpStream,
    unused: Vec<u8>,
}

/// The first line and the headers of a message, in small letters.
#[derive(Debug)]
pub struct Head(String);

// === impl Wire ===

impl Wire {
    pub fn new(stream: TcpStream) -> Self {
        // What is small goes at once.
        let _ = stream.set_nodelay(true);
        Self { stream, unused: Vec::new() }
    }

    pub async fn send(&mut self, bytes: impl AsRef<[u8]>) -> io::Result<()> {
        self.stream.write_all(bytes.as_ref()).await
    }

    /// The next head; `None` if the other side is done.
    pub async fn head(&mut self) -> io::Result<Option<Head>> {
        loop {
            if let Some(end) = find(&self.unused, b"\r\n\r\n") {
                let rest = self.unused.split_off(end + 4);
                let head = std::mem::replace(&mut self.unused, rest);
                return Ok(Some(Head(String::from_utf8_lossy(&head).to_ascii_lowercase())));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// So many bytes; fewer if the other side leaves.
    pub async fn exactly(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.unused.len() < length && self.more().await? {}
        let rest = self.unused.split_off(length.min(self.unused.len()));
        Ok(std::mem::replace(&mut self.unused, rest))
    }

    /// The next chunk of a body in chunks; `None` behind the last, or if the other side leaves.
    pub async fn chunk(&mut self) -> io::Result<Option<Vec<u8>>> {
        loop {
            if let Some(end) = find(&self.unused, b"\r\n") {
                let length = String::from_utf8_lossy(&self.unused[..end]).into_owned();
                let length = usize::from_str_radix(length.trim(), 16).map_err(io::Error::other)?;
                self.exactly(end + 2).await?;
                let mut chunk = self.exactly(length + 2).await?;
                chunk.truncate(length);
                return Ok((length > 0).then_some(chunk));
            }
            if !self.more().await? {
                return Ok(None);
            }
        }
    }

    /// Waits until the other side has left.
    pub async fn left(&mut self) {
        while matches!(self.more().await, Ok(true)) {}
    }

    async fn more(&mut self) -> io::Result<bool> {
        Ok(self.stream.read_buf(&mut self.unused).await? > 0)
    }
}

// === impl Head ===

impl Head {
    pub fn first_line(&self) -> &str {
        self.0.lines().next().unwrap_or_default()
    }

    /// Of a response; 0 if it is none.
    pub fn status(&self) -> u16 {
        self.first_line().split(' ').nth(1).and_then(|status| status.parse().ok()).unwrap_or(0)
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        let fields = self.0.lines().filter_map(|line| line.split_once(": "));
        fields.filter(|(known, _)| *known == name).map(|(_, value)| value).next()
    }

    pub fn length(&self) -> usize {
        self.get("content-length").and_then(|length| length.parse().ok()).unwrap_or(0)
    }

    pub fn is_in_chunks(&self) -> bool {
        self.get("transfer-encoding") == Some("chunked")
    }
}

pub fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|window| window == what)
}
