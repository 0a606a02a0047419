//! A client of HTTP/1.1 that costs as little as one can: it shares the machine with what it
//! measures.
//!
//! It knows what these servers answer and nothing else: every answer but 204 has a `content-length`.

use std::io;
use std::net::SocketAddr;
use std::ops::Range;

use anyhow::{Context as _, Result, bail};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// One keep-alive connection.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    buffer: Vec<u8>,
    filled: usize,
}

/// An answer, in the connection's buffer until the next request.
#[derive(Debug)]
pub struct Answer<'a> {
    /// Its status.
    pub status: u16,
    /// Its status line and headers.
    pub head: &'a str,
    /// Its body.
    pub body: &'a [u8],
}

/// Most answers have room in it; it grows for one that has not, up to the larger size.
const BUFFER_BYTES: usize = 16 << 10;
const MAX_BUFFER_BYTES: usize = 64 << 20;

impl Connection {
    /// Connect.
    ///
    /// # Errors
    /// Nothing listens there.
    pub async fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: vec![0; BUFFER_BYTES], filled: 0 })
    }

    /// Send a request and read its whole answer.
    ///
    /// # Errors
    /// The connection broke, or the answer is not one that this client knows.
    pub async fn send(&mut self, request: &[u8]) -> Result<Answer<'_>> {
        self.filled = 0;
        self.stream.write_all(request).await?;
        let head = self.read_head().await?;
        let head = std::str::from_utf8(&self.buffer[..head]).context("the head is not text")?;
        let status = head.get(9..12).and_then(|code| code.parse().ok());
        let status = status.with_context(|| format!("an answer without a status: {head:?}"))?;
        // An answer without content says nothing of its length.
        let length = if status == 204 { 0 } else { content_length(head)? };
        let body = head.len()..head.len() + length;
        self.read_to(body.end).await?;
        Ok(self.answer(status, body))
    }

    fn answer(&self, status: u16, body: Range<usize>) -> Answer<'_> {
        let head = std::str::from_utf8(&self.buffer[..body.start]).unwrap_or_default();
        Answer { status, head, body: &self.buffer[body] }
    }

    /// Read until the empty line, and give back where the body begins.
    async fn read_head(&mut self) -> Result<usize> {
        let mut searched = 0;
        loop {
            self.read_more().await?;
            let unsearched = &self.buffer[searched..self.filled];
            if let Some(place) = unsearched.windows(4).position(|bytes| bytes == b"\r\n\r\n") {
                return Ok(searched + place + 4);
            }
            searched = self.filled.saturating_sub(3);
        }
    }

    async fn read_to(&mut self, end: usize) -> Result<()> {
        while self.filled < end {
            self.read_more().await?;
        }
        Ok(())
    }

    async fn read_more(&mut self) -> Result<()> {
        if self.filled == self.buffer.len() && self.filled < MAX_BUFFER_BYTES {
            self.buffer.resize(2 * self.filled, 0);
        }
        match self.stream.read(&mut self.buffer[self.filled..]).await? {
            0 => bail!("the server closed the connection, or its answer is too long"),
            read => self.filled += read,
        }
        Ok(())
    }
}

impl Answer<'_> {
    /// The value of a header, by its name in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        header(self.head, name)
    }
}

fn header<'a>(head: &'a str, name: &str) -> Option<&'a str> {
    head.split("\r\n").find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
}

fn content_length(head: &str) -> Result<usize> {
    let length = header(head, "content-length").and_then(|length| length.parse().ok());
    length.with_context(|| format!("an answer without a length: {head:?}"))
}
