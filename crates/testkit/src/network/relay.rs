//! What a proxy does with one connection.

use std::{
    io::{self, Read, Write},
    net::{Shutdown, SocketAddr, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    thread,
    time::Duration,
};

use crate::encodings;

use super::{
    http::{self, Message},
    listener::State,
    proxy::{Hit, Shared, Turn, lock},
    rules::{Trouble, draw},
    stream::{Stream, client_side, opens_with_tls},
    vault,
};

/// Serves one connection until either side ends it.
pub(super) fn serve(shared: &Arc<Shared>, stream: TcpStream, state: &State) -> io::Result<()> {
    stream.set_nodelay(true)?;
    if shared.tls.is_none() && opens_with_tls(&stream)? {
        return pass_through(shared, &stream, state);
    }
    let mut client = Counted {
        stream: client_side(stream, shared.tls.as_ref())?,
        shared: Arc::clone(shared),
    };
    let mut server = shared.next_server();
    let mut is_first = true;
    while let Some(request) = http::read_request(&mut client)? {
        if shared.turn == Turn::Request && !is_first {
            server = shared.next_server();
        }
        is_first = false;
        let path = request.word(1).to_owned();
        let hit = Hit {
            method: request.word(0).to_owned(),
            path,
            headers: request.headers.clone(),
        };
        let place = format!("{} {}", hit.method, hit.path);
        let troubles = draw(&mut lock(&shared.rules), &place);
        lock(&shared.hits).push(hit);
        if !answer(server, request, &troubles, &mut client, state)? {
            break;
        }
    }
    Ok(())
}

/// Counts what passes.
struct Counted {
    stream: Box<dyn Stream>,
    shared: Arc<Shared>,
}

impl Read for Counted {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.stream.read(buffer)?;
        self.shared
            .bytes_from_client
            .fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }
}

impl Write for Counted {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        let count = self.stream.write(buffer)?;
        self.shared
            .bytes_to_client
            .fetch_add(count as u64, Ordering::SeqCst);
        Ok(count)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

/// Answers one request; false when the connection ends with it.
fn answer(
    server: SocketAddr,
    mut request: Message,
    troubles: &[Trouble],
    client: &mut dyn Stream,
    state: &State,
) -> io::Result<bool> {
    let closes = request
        .header("connection")
        .is_some_and(|value| value.eq_ignore_ascii_case("close"));
    let mut invented = None;
    for trouble in troubles {
        match trouble {
            Trouble::Delay(time) if !state.pause(*time) => return Ok(false),
            Trouble::Close => return Ok(false),
            Trouble::Hang => return Ok(state.pause(Duration::MAX)),
            Trouble::Huge(bytes) => return send_huge(client, *bytes).map(|()| !closes),
            Trouble::StripHeaders(prefix) => request
                .headers
                .retain(|(name, _)| !name.starts_with(prefix)),
            Trouble::AsVault => vault::request(&mut request),
            Trouble::Echo(status) => {
                let sent = String::from_utf8_lossy(&request.bytes()).into_owned();
                invented = Some(Message::refusal(*status, &encodings(&sent)));
            }
            other => invented = invent(other).or(invented),
        }
    }
    let mut reply = match invented {
        Some(reply) => reply,
        None => http::ask(server, &request).unwrap_or_else(|_| bad_gateway()),
    };
    if troubles.contains(&Trouble::AsVault) {
        vault::reply(&request, &mut reply);
    }
    send(client, &reply, troubles, state).map(|whole| whole && !closes)
}

/// The answer of something that is not OpenBao.
fn invent(trouble: &Trouble) -> Option<Message> {
    match trouble {
        Trouble::Status(status) => Some(Message::reply(
            *status,
            "text/plain",
            format!("status {status}\n"),
        )),
        Trouble::Redirect(url) => Some(Message::redirect(307, url)),
        Trouble::Moved(status, url) => Some(Message::redirect(*status, url)),
        Trouble::LongRefusal(status, bytes) => {
            Some(Message::refusal(*status, &["a ".repeat(bytes / 2)]))
        }
        Trouble::Html => Some(Message::reply(
            200,
            "text/html",
            "<!doctype html><title>Sign in</title>\n",
        )),
        Trouble::Body(text) => Some(Message::reply(200, "application/json", text.as_str())),
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

/// Sends a reply; false when not all of it was sent.
fn send(
    client: &mut dyn Stream,
    reply: &Message,
    troubles: &[Trouble],
    state: &State,
) -> io::Result<bool> {
    let mut bytes = reply.bytes();
    let full = bytes.len();
    for trouble in troubles {
        match trouble {
            Trouble::Truncate(kept) => bytes.truncate(full - reply.body.len() + kept),
            Trouble::Trickle(pause) => return trickle(client, &bytes, *pause, state),
            _ => {}
        }
    }
    client.write_all(&bytes)?;
    client.flush()?;
    Ok(bytes.len() == full)
}

fn trickle(
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

/// Passes TLS on, unread.
fn pass_through(shared: &Arc<Shared>, client: &TcpStream, state: &State) -> io::Result<()> {
    let troubles = draw(&mut lock(&shared.rules), "");
    let mut limit = u64::MAX;
    for trouble in &troubles {
        match trouble {
            Trouble::Close => return Ok(()),
            Trouble::Delay(time) if !state.pause(*time) => return Ok(()),
            Trouble::Hang if !state.pause(Duration::MAX) => return Ok(()),
            Trouble::Truncate(kept) => limit = *kept as u64,
            _ => {}
        }
    }
    let server = TcpStream::connect(shared.next_server())?;
    let (from_client, to_server) = (client.try_clone()?, server.try_clone()?);
    let counted = Arc::clone(shared);
    thread::spawn(move || {
        pump(
            &from_client,
            &to_server,
            &counted.bytes_from_client,
            u64::MAX,
        );
    });
    pump(&server, client, &shared.bytes_to_client, limit);
    Ok(())
}

/// Copies until one side hangs up or `limit` bytes have passed, then hangs up on both.
fn pump(mut from: &TcpStream, mut to: &TcpStream, counter: &AtomicU64, limit: u64) {
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
    let _ = (from.shutdown(Shutdown::Both), to.shutdown(Shutdown::Both)); // one may be gone already
}
