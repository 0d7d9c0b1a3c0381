//! HTTP/1.1 by hand, to send what no library would, and to see all that was sent.

use tokio::io::{AsyncRead, AsyncReadExt};

/// A request or a response that came in whole.
#[derive(Clone, Debug)]
pub struct Message {
    /// `POST /path HTTP/1.1` or `HTTP/1.1 200 OK`.
    pub first_line: String,
    pub headers: Vec<(String, String)>,
    pub body: Vec<u8>,
}

// === impl Message ===

impl Message {
    /// Reads a message whose body has a content-length, or that has none. `None` if the other side leaves before
    /// it is complete.
    pub async fn read(stream: &mut (impl AsyncRead + Unpin)) -> Option<Self> {
        let mut bytes = Vec::new();
        let body_at = loop {
            if let Some(at) = bytes.windows(4).position(|end| end == b"\r\n\r\n") {
                break at + 4;
            }
            read_more(stream, &mut bytes).await?;
        };
        let mut body = bytes.split_off(body_at);
        let head = String::from_utf8(bytes).unwrap();
        let (first_line, fields) = head.split_once("\r\n").unwrap();
        let field =
            |line: &str| line.split_once(": ").map(|(name, value)| (name.to_lowercase(), value.to_owned()));
        let headers = fields.lines().filter_map(field).collect();
        let mut message = Self { first_line: first_line.to_owned(), headers, body: Vec::new() };
        let length = message.header("content-length").map_or(0, |length| length.parse().unwrap());
        while body.len() < length {
            read_more(stream, &mut body).await?;
        }
        message.body = body;
        Some(message)
    }

    /// The one header of that name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let mut values =
            self.headers.iter().filter(|(other, _)| other == name).map(|(_, value)| value.as_str());
        let first = values.next();
        assert_eq!(values.next(), None, "{name} stands twice");
        first
    }
}

async fn read_more(stream: &mut (impl AsyncRead + Unpin), bytes: &mut Vec<u8>) -> Option<()> {
    let count = stream.read_buf(bytes).await.ok()?;
    (count > 0).then_some(())
}
