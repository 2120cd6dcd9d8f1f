//! Answers to `GET /metrics`: one request a connection, each of which ends after some seconds.

use std::{
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    thread,
    time::{Duration, Instant},
};

use cli::{Failure, warn};
use exposition::Page;

/// How many connections are served at once; others wait.
const AT_ONCE: usize = 8;
/// How long a client may take to ask, and how long to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// No request of Prometheus is longer.
const LARGEST: usize = 16 << 10;
/// How long a listener rests that the system gives no more connections.
const REST: Duration = Duration::from_millis(100);

const INDEX: &str = "vault-exporter: the metrics are at /metrics\n";

/// Where it listens.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

struct Answer {
    status: &'static str,
    kind: &'static str,
    text: String,
}

impl Server {
    /// Listens on an address with its port.
    pub(crate) fn bind(address: &str) -> Result<Self, Failure> {
        let failed = |cause: io::Error| {
            let message = format!("`{address}` cannot be listened on: {cause}");
            let failure = match cause.kind() {
                io::ErrorKind::InvalidInput => Failure::usage(message),
                _ => Failure::failed(message),
            };
            failure.hint(
                "an address reads `127.0.0.1:9410` or `[::]:9410`; name another with `--listen`",
            )
        };
        let listener = TcpListener::bind(address).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address, also where the port was to be any.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process ends.
    pub(crate) fn serve(&self, scrape: impl Fn() -> Page + Sync) -> Result<(), Failure> {
        thread::scope(|scope| {
            for _ in 0..AT_ONCE {
                scope.spawn(|| self.accept(&scrape));
            }
        });
        Err(Failure::failed("all threads have ended"))
    }

    fn accept(&self, scrape: &impl Fn() -> Page) {
        loop {
            match self.listener.accept() {
                // a client that goes away is its own affair
                Ok((stream, _)) => drop(answer(stream, scrape)),
                Err(cause) => {
                    warn(format_args!("no connection could be accepted: {cause}"));
                    thread::sleep(REST);
                }
            }
        }
    }
}

fn answer(mut stream: TcpStream, scrape: &impl Fn() -> Page) -> io::Result<()> {
    let (with_body, answer) = match read_head(&mut stream)? {
        Some((method, path)) => respond(&method, &path, scrape),
        None => (true, plain("400 Bad Request", "this is no HTTP request\n")),
    };
    let Answer { status, kind, text } = answer;
    let length = text.len();
    let mut message = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    if with_body {
        message.push_str(&text);
    }
    stream.set_write_timeout(Some(PATIENCE))?;
    stream.write_all(message.as_bytes())?;
    stream.flush()
}

/// Whether the answer has a body, and the answer.
fn respond(method: &str, path: &str, scrape: &impl Fn() -> Page) -> (bool, Answer) {
    let path = path.split('?').next().unwrap_or_default();
    let answer = match (method, path) {
        ("GET" | "HEAD", "/metrics") => Answer {
            status: "200 OK",
            kind: "text/plain; version=0.0.4; charset=utf-8",
            text: scrape().as_str().to_owned(),
        },
        ("GET" | "HEAD", "/") => plain("200 OK", INDEX),
        ("GET" | "HEAD", _) => plain("404 Not Found", INDEX),
        _ => plain("405 Method Not Allowed", "only GET\n"),
    };
    (method != "HEAD", answer)
}

fn plain(status: &'static str, text: &str) -> Answer {
    Answer {
        status,
        kind: "text/plain; charset=utf-8",
        text: text.to_owned(),
    }
}

/// Method and path of a request; nothing where it is none.
fn read_head(stream: &mut TcpStream) -> io::Result<Option<(String, String)>> {
    let until = Instant::now() + PATIENCE;
    let mut bytes = Vec::new();
    let mut part = [0; 2048];
    while bytes.len() < LARGEST {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        stream.set_read_timeout(Some(left))?;
        let count = stream.read(&mut part)?;
        if count == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&part[..count]);
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(&bytes) {
            Ok(httparse::Status::Partial) => {}
            Ok(httparse::Status::Complete(_)) => {
                let parts = request.method.zip(request.path);
                return Ok(parts.map(|(method, path)| (method.to_owned(), path.to_owned())));
            }
            Err(_) => return Ok(None),
        }
    }
    Ok(None)
}
