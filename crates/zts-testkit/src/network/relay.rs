//! The connections of a proxy: passes requests on and injects faults.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, AtomicUsize, Ordering},
    },
    thread,
    time::Duration,
};

use rustls::ServerConfig;

use super::{
    faults::{Fault, Rule, select_faults},
    http::{self, Message},
    listener::State,
    stream::{Stream, client_side, opens_with_tls},
    vault,
};
use crate::text::encodings;

/// A request that a [`crate::Proxy`] has read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProxiedRequest {
    /// `GET`, `POST`, `LIST` and so on.
    pub method: String,
    /// The path with its query, such as `/v1/sys/health`.
    pub path: String,
    /// The headers, with names in lower case.
    pub headers: Vec<(String, String)>,
}

/// The moment at which a [`crate::Proxy`] in front of several servers picks the next one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Balancing {
    /// Picks a server for each connection, as TCP load balancers do.
    PerConnection,
    /// Picks a server for each request, as HTTP load balancers do.
    PerRequest,
}

/// The servers, rules and counters of a proxy, which its connections share.
#[derive(Debug)]
pub(super) struct Relay {
    servers: Vec<SocketAddr>,
    balancing: Balancing,
    picked: AtomicUsize,
    tls: Option<Arc<ServerConfig>>,
    pub(super) rules: Mutex<Vec<Rule>>,
    pub(super) requests: Mutex<Vec<ProxiedRequest>>,
    pub(super) bytes_from_clients: AtomicU64,
    pub(super) bytes_to_clients: AtomicU64,
}

impl Relay {
    pub(super) fn new(
        servers: Vec<SocketAddr>,
        balancing: Balancing,
        tls: Option<Arc<ServerConfig>>,
    ) -> Self {
        Self {
            servers,
            balancing,
            picked: AtomicUsize::new(0),
            tls,
            rules: Mutex::default(),
            requests: Mutex::default(),
            bytes_from_clients: AtomicU64::new(0),
            bytes_to_clients: AtomicU64::new(0),
        }
    }

    pub(super) fn ends_tls(&self) -> bool {
        self.tls.is_some()
    }

    fn pick_server(&self) -> SocketAddr {
        let picked = self.picked.fetch_add(1, Ordering::SeqCst);
        self.servers[picked % self.servers.len()]
    }

    /// Serves one connection until either side ends it.
    pub(super) fn serve(self: &Arc<Self>, stream: TcpStream, state: &State) -> io::Result<()> {
        stream.set_nodelay(true)?;
        if self.tls.is_none() && opens_with_tls(&stream)? {
            return self.pass_through(&stream, state);
        }
        let mut client = CountedStream {
            stream: client_side(stream, self.tls.as_ref())?,
            relay: Arc::clone(self),
        };
        let mut server = self.pick_server();
        let mut is_first = true;
        while let Some(request) = http::read_request(&mut client)? {
            if self.balancing == Balancing::PerRequest && !is_first {
                server = self.pick_server();
            }
            is_first = false;
            let seen = ProxiedRequest {
                method: request.word(0).to_owned(),
                path: request.word(1).to_owned(),
                headers: request.headers.clone(),
            };
            let line = format!("{} {}", seen.method, seen.path);
            let faults = select_faults(&mut lock(&self.rules), &line);
            lock(&self.requests).push(seen);
            if !answer(server, request, &faults, &mut client, state)? {
                break;
            }
        }
        Ok(())
    }

    /// Passes TLS on, unread.
    fn pass_through(self: &Arc<Self>, client: &TcpStream, state: &State) -> io::Result<()> {
        let faults = select_faults(&mut lock(&self.rules), "");
        let mut limit = u64::MAX;
        for fault in &faults {
            match fault {
                Fault::Close => return Ok(()),
                Fault::Delay(time) if !state.pause(*time) => return Ok(()),
                Fault::Hang if !state.pause(Duration::MAX) => return Ok(()),
                Fault::Truncate(length) => limit = *length as u64,
                _ => {}
            }
        }
        let server = TcpStream::connect(self.pick_server())?;
        let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
        let relay = Arc::clone(self);
        thread::spawn(move || {
            copy_counted(
                &from_client,
                &to_server,
                &relay.bytes_from_clients,
                u64::MAX,
            );
        });
        copy_counted(&server, client, &self.bytes_to_clients, limit);
        Ok(())
    }
}

/// A client's connection whose bytes are counted.
struct CountedStream {
    stream: Box<dyn Stream>,
    relay: Arc<Relay>,
}

impl Read for CountedStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.relay
            .bytes_from_clients
            .fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Write for CountedStream {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.relay
            .bytes_to_clients
            .fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Answers one request. Returns false when the connection ends with it.
fn answer(
    server: SocketAddr,
    mut request: Message,
    faults: &[Fault],
    client: &mut dyn Stream,
    state: &State,
) -> io::Result<bool> {
    let closes = request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let mut fabricated = None;
    for fault in faults {
        match fault {
            Fault::Delay(time) if !state.pause(*time) => return Ok(false),
            Fault::Close => return Ok(false),
            Fault::Hang => return Ok(state.pause(Duration::MAX)),
            Fault::Huge(bytes) => return send_huge(client, *bytes).map(|()| !closes),
            Fault::StripHeaders(prefix) => request
                .headers
                .retain(|(name, _)| !name.starts_with(prefix)),
            Fault::AsVault => vault::translate_request(&mut request),
            Fault::Echo(status) => {
                let sent = String::from_utf8_lossy(&request.bytes()).into_owned();
                fabricated = Some(Message::refusal(*status, &encodings(&sent)));
            }
            Fault::EchoBody(status) => {
                let sent = String::from_utf8_lossy(&request.body).into_owned();
                fabricated = Some(Message::refusal(*status, &encodings(&sent)));
            }
            other => fabricated = fabricate_reply(other).or(fabricated),
        }
    }
    let mut reply = match fabricated {
        Some(reply) => reply,
        None => http::forward(server, &request).unwrap_or_else(|_| bad_gateway()),
    };
    if faults.contains(&Fault::AsVault) {
        vault::translate_reply(&request, &mut reply);
    }
    for fault in faults {
        if let Fault::Header(name, value) = fault {
            reply.headers.retain(|(other, _)| other != name);
            reply.headers.push(((*name).to_owned(), value.clone()));
        }
    }
    send(client, &reply, faults, state).map(|is_complete| is_complete && !closes)
}

/// Returns the reply that a fault puts in place of the server's.
fn fabricate_reply(fault: &Fault) -> Option<Message> {
    match fault {
        Fault::Status(status) => Some(Message::reply(
            *status,
            "text/plain",
            format!("status {status}\n"),
        )),
        Fault::Redirect(url) => Some(Message::redirect(307, url)),
        Fault::RedirectWith(status, url) => Some(Message::redirect(*status, url)),
        Fault::LongError(status, bytes) => {
            Some(Message::refusal(*status, &["a ".repeat(bytes / 2)]))
        }
        Fault::Html => Some(Message::reply(
            200,
            "text/html",
            "<!doctype html><title>Sign in</title>\n",
        )),
        Fault::Body(text) => Some(Message::reply(200, "application/json", text.as_str())),
        _ => None,
    }
}

fn bad_gateway() -> Message {
    Message::reply(
        502,
        "text/plain",
        "the server behind this proxy cannot be reached\n",
    )
}

/// Sends a reply. Returns false when a part of it was not sent.
fn send(
    client: &mut dyn Stream,
    reply: &Message,
    faults: &[Fault],
    state: &State,
) -> io::Result<bool> {
    let mut bytes = reply.bytes();
    let full = bytes.len();
    for fault in faults {
        match fault {
            Fault::Truncate(length) => bytes.truncate(full - reply.body.len() + length),
            Fault::Trickle(pause) => return send_slowly(client, &bytes, *pause, state),
            _ => {}
        }
    }
    client.write_all(&bytes)?;
    client.flush()?;
    Ok(bytes.len() == full)
}

fn send_slowly(
    client: &mut dyn Stream,
    bytes: &[u8],
    pause: Duration,
    state: &State,
) -> io::Result<bool> {
    for byte in bytes {
        client.write_all(&[*byte])?;
        client.flush()?;
        if !state.pause(pause) {
            return Ok(false);
        }
    }
    Ok(true)
}

fn send_huge(client: &mut dyn Stream, bytes: u64) -> io::Result<()> {
    let opening = br#"{"data":{"data":{"key":""#;
    client.write_all(&Message::reply(200, "application/json", "").head(bytes))?;
    let endless = opening.chain(io::repeat(b'a'));
    io::copy(&mut endless.take(bytes), client)?;
    client.flush()
}

/// Copies until one side closes or `limit` bytes have passed, then closes both.
fn copy_counted(mut from: &TcpStream, mut to: &TcpStream, counter: &AtomicU64, limit: u64) {
    let mut block = [0; 16 << 10];
    let mut left = limit;
    while left > 0 {
        let wanted = usize::try_from(left).map_or(block.len(), |left| left.min(block.len()));
        let count = from.read(&mut block[..wanted]).unwrap_or(0);
        if count == 0 || to.write_all(&block[..count]).is_err() {
            break;
        }
        counter.fetch_add(count as u64, Ordering::SeqCst);
        left -= count as u64;
    }
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)); // one may be closed
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
