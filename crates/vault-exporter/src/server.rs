//! Connections of clients: one thread polls all of them, and a few make the pages.
//!
//! A client that is silent, slow, or does not read its response costs a file descriptor for some
//! seconds, and no thread. While all connections are in use, new ones wait in the listener's queue.
//! Only a connection that makes no progress is closed for them, never one that waits for a page.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use zts_cli::{Failure, warn};
use zts_exposition::Page;

use crate::http::{self, Request};

/// The number of open connections; the default limit of a process is 1024 files.
const MAX_CONNECTIONS: usize = 256;
/// The number of connections that wait in the listener's queue.
const BACKLOG: i32 = 1024;
/// The time in which a client must send its request, and the time in which it must read the
/// response.
const CLIENT_TIMEOUT: Duration = Duration::from_secs(5);
/// The time without progress after which a connection is closed if all are in use.
const STALL_TIMEOUT: Duration = Duration::from_millis(100);
/// The time in which a page is made: far longer than the timeouts of the nodes.
const PAGE_TIMEOUT: Duration = Duration::from_secs(600);
/// The number of concurrent scrapes. Each is for all connections that wait when it begins.
const SCRAPE_THREADS: usize = 4;
/// The pause after the system refused to accept a connection.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// An HTTP server of one page.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

type Connections = BTreeMap<u64, Connection>;

/// A connection of a client.
struct Connection {
    stream: TcpStream,
    state: State,
    /// The time when the state began.
    since: Instant,
}

enum State {
    /// The part of the request that was received.
    Receiving(Vec<u8>),
    Waiting {
        with_body: bool,
    },
    Sending {
        response: Vec<u8>,
        sent: usize,
        last_progress: Instant,
    },
    Finished,
}

/// The state that is shared between the thread that polls connections and those that make pages.
struct Scrapes {
    /// The connections that wait for a page which is not begun yet.
    queue: Mutex<Vec<u64>>,
    queue_changed: Condvar,
    /// The pages, each with the connections that get it.
    finished: Mutex<Vec<(Page, Vec<u64>)>>,
    /// The socket that wakes the polling thread.
    wake: UnixStream,
}

impl Server {
    /// Listens on an address with a port.
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
        listener.set_nonblocking(true).map_err(failed)?;
        // the standard library's backlog is 128
        rustix::net::listen(&listener, BACKLOG).map_err(|cause| failed(cause.into()))?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Returns the address with the actual port.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves until the process ends.
    pub(crate) fn serve(&self, scrape: impl Fn() -> Page + Sync) -> Result<(), Failure> {
        let failed =
            |cause: io::Error| Failure::failed(format!("no client can be served: {cause}"));
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let scrapes = Scrapes {
            queue: Mutex::default(),
            queue_changed: Condvar::new(),
            finished: Mutex::default(),
            wake,
        };
        thread::scope(|scope| {
            for _ in 0..SCRAPE_THREADS {
                scope.spawn(|| scrapes.run(&scrape));
            }
            let mut connections = Connections::new();
            let mut next_id = 0;
            loop {
                if let Err(cause) =
                    self.process_events(&mut next_id, &mut connections, &scrapes, &woken)
                {
                    warn(format_args!("no connection could be accepted: {cause}"));
                    thread::sleep(ACCEPT_PAUSE);
                }
            }
        })
    }

    /// Waits for events and handles them.
    fn process_events(
        &self,
        next_id: &mut u64,
        connections: &mut Connections,
        scrapes: &Scrapes,
        woken: &UnixStream,
    ) -> io::Result<()> {
        let ready = self.poll(connections, woken)?;
        let mut bytes = [0; 64];
        while (&*woken).read(&mut bytes).is_ok_and(|count| count > 0) {}
        scrapes.deliver(connections);
        for id in ready {
            if let Some(connection) = connections.get_mut(&id) {
                connection.advance(id, scrapes);
            }
        }
        let now = Instant::now();
        connections.retain(|_, connection| {
            !matches!(connection.state, State::Finished) && connection.deadline() > now
        });
        self.accept(next_id, connections)
    }

    /// Waits for an event; returns the connections that have one.
    fn poll(&self, connections: &Connections, woken: &UnixStream) -> io::Result<Vec<u64>> {
        let is_full = connections.len() >= MAX_CONNECTIONS;
        let stalled = longest_stalled(connections).filter(|_| is_full);
        let slot_free_at = stalled.map(|(_, since)| since + STALL_TIMEOUT);
        let can_accept = !is_full || slot_free_at.is_some_and(|time| time <= Instant::now());
        let listener_flags = if can_accept {
            PollFlags::IN
        } else {
            PollFlags::empty()
        };
        let mut files = vec![
            PollFd::new(&self.listener, listener_flags),
            PollFd::new(woken, PollFlags::IN),
        ];
        files.extend(connections.values().map(|connection| {
            let flags = match connection.state {
                State::Receiving(_) => PollFlags::IN,
                State::Sending { .. } => PollFlags::OUT,
                State::Waiting { .. } | State::Finished => PollFlags::empty(),
            };
            PollFd::new(&connection.stream, flags)
        }));
        let deadlines = connections.values().map(Connection::deadline);
        let wake_at = deadlines.chain(slot_free_at.filter(|_| !can_accept)).min();
        let timeout = wake_at.map(|time| time.saturating_duration_since(Instant::now()));
        let timeout = timeout.and_then(|timeout| Timespec::try_from(timeout).ok());
        match poll(&mut files, timeout.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
        let ready = connections.keys().zip(&files[2..]);
        let ready = ready.filter(|(_, file)| !file.revents().is_empty());
        Ok(ready.map(|(id, _)| *id).collect())
    }

    /// Accepts connections until there are no more, or no slots for them.
    fn accept(&self, next_id: &mut u64, connections: &mut Connections) -> io::Result<()> {
        for _ in 0..MAX_CONNECTIONS {
            let is_full = connections.len() >= MAX_CONNECTIONS;
            if is_full && !close_stalled(connections, STALL_TIMEOUT) {
                return Ok(());
            }
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => {
                    close_stalled(connections, Duration::ZERO);
                    return Err(cause);
                }
            };
            if stream.set_nonblocking(true).is_ok() {
                let connection = Connection {
                    stream,
                    state: State::Receiving(Vec::new()),
                    since: Instant::now(),
                };
                connections.insert(*next_id, connection);
                *next_id += 1;
            }
        }
        Ok(())
    }
}

/// Returns the connection that has made no progress for the longest time, and the time of its last
/// one.
fn longest_stalled(connections: &Connections) -> Option<(u64, Instant)> {
    let stalled = connections.iter().filter_map(|(id, connection)| {
        let since = match connection.state {
            State::Receiving(_) => connection.since,
            State::Sending { last_progress, .. } => last_progress,
            State::Waiting { .. } | State::Finished => return None,
        };
        Some((*id, since))
    });
    stalled.min_by_key(|(_, since)| *since)
}

/// Closes the connection that has made no progress for the longest time, and for at least
/// `timeout`.
fn close_stalled(connections: &mut Connections, timeout: Duration) -> bool {
    let stalled = longest_stalled(connections).filter(|(_, since)| since.elapsed() >= timeout);
    stalled.is_some_and(|(id, _)| connections.remove(&id).is_some())
}

impl Connection {
    /// Returns the time when the connection is closed if its state does not change.
    fn deadline(&self) -> Instant {
        self.since
            + match self.state {
                State::Waiting { .. } => PAGE_TIMEOUT,
                _ => CLIENT_TIMEOUT,
            }
    }

    /// Receives or sends as much as is possible now. An error only ends the connection.
    fn advance(&mut self, id: u64, scrapes: &Scrapes) {
        match &mut self.state {
            State::Receiving(bytes) => match receive_request(&mut self.stream, bytes) {
                Ok(Request::Incomplete) => {}
                Ok(Request::Metrics { with_body }) => {
                    self.enter(State::Waiting { with_body });
                    scrapes.enqueue(id);
                }
                Ok(Request::Other(response)) => self.respond(response),
                Err(_) => self.enter(State::Finished),
            },
            State::Sending { .. } => self.send(),
            // the client has closed it
            State::Waiting { .. } | State::Finished => self.enter(State::Finished),
        }
    }

    fn enter(&mut self, state: State) {
        self.state = state;
        self.since = Instant::now();
    }

    fn respond(&mut self, response: Vec<u8>) {
        self.enter(State::Sending {
            response,
            sent: 0,
            last_progress: Instant::now(),
        });
        self.send();
    }

    /// Sends as much of the response as is possible now.
    fn send(&mut self) {
        let State::Sending {
            response,
            sent,
            last_progress,
        } = &mut self.state
        else {
            return;
        };
        while *sent < response.len() {
            match self.stream.write(&response[*sent..]) {
                Ok(count) => {
                    *sent += count;
                    *last_progress = Instant::now();
                }
                Err(cause) if is_temporary(&cause) => return,
                Err(_) => break,
            }
        }
        self.enter(State::Finished);
    }
}

/// Receives more of a request and parses it.
fn receive_request(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Request> {
    let mut part = [0; 2048];
    match stream.read(&mut part) {
        Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
        Ok(count) => {
            bytes.extend_from_slice(&part[..count]);
            Ok(Request::parse(bytes))
        }
        Err(cause) if is_temporary(&cause) => Ok(Request::Incomplete),
        Err(cause) => Err(cause),
    }
}

fn is_temporary(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl Scrapes {
    /// Queues a connection for the next page.
    fn enqueue(&self, id: u64) {
        lock(&self.queue).push(id);
        self.queue_changed.notify_one();
    }

    /// Makes pages until the process ends.
    fn run(&self, scrape: &impl Fn() -> Page) {
        loop {
            let queue = self
                .queue_changed
                .wait_while(lock(&self.queue), |queue| queue.is_empty());
            let ids = std::mem::take(&mut *queue.unwrap_or_else(PoisonError::into_inner));
            let page = scrape();
            lock(&self.finished).push((page, ids));
            let _ = (&self.wake).write(&[0]); // a full socket wakes the other thread as well
        }
    }

    /// Sends the finished pages to the connections that wait for them.
    fn deliver(&self, connections: &mut Connections) {
        for (page, ids) in lock(&self.finished).drain(..) {
            for id in ids {
                if let Some(connection) = connections.get_mut(&id)
                    && let State::Waiting { with_body } = connection.state
                {
                    connection.respond(http::metrics_response(&page, with_body));
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
