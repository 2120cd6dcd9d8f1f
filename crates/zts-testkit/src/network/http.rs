//! The part of HTTP/1.1 that a proxy on loopback needs.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
};

use super::stream::Stream;

const MAX_HEADERS: usize = 64;

/// A message: its first line, its headers (names in lower case) and its body.
#[derive(Clone, Debug, Default)]
pub(crate) struct Message {
    pub(crate) start: String,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Message {
    pub(crate) fn reply(status: u16, kind: &str, body: impl Into<Vec<u8>>) -> Self {
        let headers = vec![("content-type".to_owned(), kind.to_owned())];
        Self {
            start: format!("HTTP/1.1 {status} {}", reason(status)),
            headers,
            body: body.into(),
        }
    }

    pub(crate) fn redirect(status: u16, url: &str) -> Self {
        let mut message = Self::reply(status, "text/plain", "");
        message
            .headers
            .push(("location".to_owned(), url.to_owned()));
        message
    }

    /// Returns a refusal with `errors` in OpenBao's form.
    pub(crate) fn refusal(status: u16, errors: &[String]) -> Self {
        let body = serde_json::json!({ "errors": errors }).to_string();
        Self::reply(status, "application/json", body)
    }

    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers
            .iter()
            .find(|(key, _)| key == name)
            .map(|(_, value)| value.as_str())
    }

    pub(crate) fn word(&self, index: usize) -> &str {
        self.start.split(' ').nth(index).unwrap_or_default()
    }

    /// Returns everything before the body, with `length` as its content length.
    pub(crate) fn head(&self, length: u64) -> Vec<u8> {
        let mut text = format!("{}\r\n", self.start);
        let framing = ["content-length", "transfer-encoding", "connection"];
        for (name, value) in self
            .headers
            .iter()
            .filter(|(name, _)| !framing.contains(&name.as_str()))
        {
            text.extend([name, ": ", value, "\r\n"]);
        }
        let bodiless = self.start.starts_with("HTTP/") && matches!(self.word(1), "204" | "304");
        if !bodiless {
            text.extend(["content-length: ", &length.to_string(), "\r\n"]);
        }
        text.push_str("\r\n");
        text.into_bytes()
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = self.head(self.body.len() as u64);
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

fn reason(status: u16) -> &'static str {
    match status {
        200 => "OK",
        429 => "Too Many Requests",
        500 => "Internal Server Error",
        502 => "Bad Gateway",
        503 => "Service Unavailable",
        504 => "Gateway Timeout",
        _ => "Because",
    }
}

/// Reads a client's next request; `None` when it has closed the connection.
pub(crate) fn read_request(stream: &mut dyn Stream) -> io::Result<Option<Message>> {
    let mut bytes = Vec::new();
    let mut block = [0; 8192];
    let (mut request, head) = loop {
        if let Some(parsed) = parse_request(&bytes)? {
            break parsed;
        }
        match stream.read(&mut block)? {
            0 => return Ok(None),
            count => bytes.extend_from_slice(&block[..count]),
        }
    };
    request.body = bytes.split_off(head);
    let length = request
        .header("content-length")
        .and_then(|length| length.parse().ok())
        .unwrap_or(0);
    let have = request.body.len();
    request.body.resize(length, 0);
    stream.read_exact(&mut request.body[have.min(length)..])?;
    Ok(Some(request))
}

fn parse_request(bytes: &[u8]) -> io::Result<Option<(Message, usize)>> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Request::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(io::Error::other)? else {
        return Ok(None);
    };
    let start = format!(
        "{} {} HTTP/1.1",
        parsed.method.unwrap_or_default(),
        parsed.path.unwrap_or_default()
    );
    Ok(Some((
        Message {
            start,
            headers: owned(parsed.headers),
            body: Vec::new(),
        },
        head,
    )))
}

fn owned(headers: &[httparse::Header<'_>]) -> Vec<(String, String)> {
    let text = |value| String::from_utf8_lossy(value).into_owned();
    headers
        .iter()
        .map(|header| (header.name.to_lowercase(), text(header.value)))
        .collect()
}

/// Sends the request to the real server over a new connection and reads the reply. With HTTP/1.0,
/// the server closes the connection after its answer, so no chunked encoding occurs.
pub(crate) fn forward(server: SocketAddr, request: &Message) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server)?;
    let mut sent = request.clone();
    sent.start = format!("{} {} HTTP/1.0", request.word(0), request.word(1));
    stream.write_all(&sent.bytes())?;
    let mut bytes = Vec::new();
    stream.read_to_end(&mut bytes)?;
    parse_reply(&bytes)
}

fn parse_reply(bytes: &[u8]) -> io::Result<Message> {
    let mut headers = [httparse::EMPTY_HEADER; MAX_HEADERS];
    let mut parsed = httparse::Response::new(&mut headers);
    let httparse::Status::Complete(head) = parsed.parse(bytes).map_err(io::Error::other)? else {
        return Err(io::ErrorKind::UnexpectedEof.into());
    };
    let start = format!(
        "HTTP/1.1 {} {}",
        parsed.code.unwrap_or_default(),
        parsed.reason.unwrap_or_default()
    );
    Ok(Message {
        start,
        headers: owned(parsed.headers),
        body: bytes[head..].to_vec(),
    })
}
