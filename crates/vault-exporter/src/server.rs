//! Connections of clients: one thread waits for all of them, and a few make the answers.
//!
//! A client that is silent, slow, or does not take its answer costs a file descriptor for some seconds,
//! and no thread. Beyond [`MOST`] connections, the one that has been silent for longest is closed.

use std::{
    collections::BTreeMap,
    io::{self, Read, Write},
    net::{SocketAddr, TcpListener, TcpStream},
    os::unix::net::UnixStream,
    sync::{Condvar, Mutex, MutexGuard, PoisonError},
    thread,
    time::{Duration, Instant},
};

use cli::{Failure, warn};
use exposition::Page;
use rustix::event::{PollFd, PollFlags, Timespec, poll};

use crate::http::{self, Request};

/// How many connections are open at once; a process may have 1024 files by default.
const MOST: usize = 256;
/// How long a client may take to ask, and how long to take the answer.
const PATIENCE: Duration = Duration::from_secs(5);
/// How many pages are made at once. Each is for all who wait when it begins.
const SCRAPES: usize = 4;
/// How long a listener rests that the system gives no more connections.
const REST: Duration = Duration::from_millis(100);

/// Where it listens.
pub(crate) struct Server {
    listener: TcpListener,
    address: SocketAddr,
}

/// A client.
struct Connection {
    stream: TcpStream,
    state: State,
    /// It is closed then.
    until: Instant,
}

enum State {
    /// It has sent this much of its request.
    Asks(Vec<u8>),
    /// It waits for the metrics.
    Waits { with_body: bool },
    /// So much of its answer is not sent yet.
    Takes { answer: Vec<u8>, sent: usize },
    /// There is nothing left to do.
    Done,
}

/// What the threads that make pages share with the one that waits for connections.
struct Scrapes {
    /// The connections that wait for a page which has not begun yet.
    wanted: Mutex<Vec<u64>>,
    changed: Condvar,
    /// Pages, each with the connections that it is for.
    made: Mutex<Vec<(Page, Vec<u64>)>>,
    /// Wakes the thread that waits for connections.
    wake: UnixStream,
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
        listener.set_nonblocking(true).map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// The address, also where the port was to be any.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Answers until the process ends.
    pub(crate) fn serve(&self, scrape: impl Fn() -> Page + Sync) -> Result<(), Failure> {
        let failed =
            |cause: io::Error| Failure::failed(format!("no client can be served: {cause}"));
        let (wake, woken) = UnixStream::pair().map_err(failed)?;
        for end in [&wake, &woken] {
            end.set_nonblocking(true).map_err(failed)?;
        }
        let scrapes = Scrapes {
            wanted: Mutex::default(),
            changed: Condvar::new(),
            made: Mutex::default(),
            wake,
        };
        thread::scope(|scope| {
            for _ in 0..SCRAPES {
                scope.spawn(|| scrapes.make(&scrape));
            }
            let mut connections = BTreeMap::new();
            let mut next = 0;
            loop {
                if let Err(cause) = self.turn(&mut next, &mut connections, &scrapes, &woken) {
                    warn(format_args!("no connection could be accepted: {cause}"));
                    thread::sleep(REST);
                }
            }
        })
    }

    /// Waits until something happens, and does what there is to do.
    fn turn(
        &self,
        next: &mut u64,
        connections: &mut BTreeMap<u64, Connection>,
        scrapes: &Scrapes,
        woken: &UnixStream,
    ) -> io::Result<()> {
        let ready = self.wait(connections, woken)?;
        let mut bytes = [0; 64];
        while (&*woken).read(&mut bytes).is_ok_and(|count| count > 0) {}
        scrapes.hand_over(connections);
        let now = Instant::now();
        for id in ready {
            if let Some(connection) = connections.get_mut(&id) {
                connection.go_on(id, scrapes);
            }
        }
        connections.retain(|_, connection| {
            !matches!(connection.state, State::Done) && connection.until > now
        });
        self.accept(next, connections)
    }

    /// The connections that something can be done for.
    fn wait(
        &self,
        connections: &BTreeMap<u64, Connection>,
        woken: &UnixStream,
    ) -> io::Result<Vec<u64>> {
        let mut files = vec![
            PollFd::new(&self.listener, PollFlags::IN),
            PollFd::new(woken, PollFlags::IN),
        ];
        files.extend(connections.values().map(|connection| {
            let flags = match connection.state {
                State::Asks(_) => PollFlags::IN,
                State::Takes { .. } => PollFlags::OUT,
                State::Waits { .. } | State::Done => PollFlags::empty(),
            };
            PollFd::new(&connection.stream, flags)
        }));
        let first = connections
            .values()
            .map(|connection| connection.until)
            .min();
        let left = first.map(|until| until.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        match poll(&mut files, left.as_ref()) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {}
            Err(cause) => return Err(cause.into()),
        }
        let ready = connections.keys().zip(&files[2..]);
        let ready = ready.filter(|(_, file)| !file.revents().is_empty());
        Ok(ready.map(|(id, _)| *id).collect())
    }

    /// Accepts who has come since.
    fn accept(
        &self,
        next: &mut u64,
        connections: &mut BTreeMap<u64, Connection>,
    ) -> io::Result<()> {
        for _ in 0..MOST {
            if connections.len() >= MOST {
                close_one(connections);
            }
            let stream = match self.listener.accept() {
                Ok((stream, _)) => stream,
                Err(cause) if cause.kind() == io::ErrorKind::WouldBlock => return Ok(()),
                Err(cause) => {
                    close_one(connections);
                    return Err(cause);
                }
            };
            if stream.set_nonblocking(true).is_ok() {
                let connection = Connection {
                    stream,
                    state: State::Asks(Vec::new()),
                    until: Instant::now() + PATIENCE,
                };
                connections.insert(*next, connection);
                *next += 1;
            }
        }
        Ok(())
    }
}

/// Closes the oldest connection that has asked for nothing yet, else the oldest.
fn close_one(connections: &mut BTreeMap<u64, Connection>) {
    let is_idle = |connection: &Connection| matches!(connection.state, State::Asks(_));
    let idle = connections
        .iter()
        .find(|(_, connection)| is_idle(connection));
    if let Some(id) = idle.or(connections.iter().next()).map(|(id, _)| *id) {
        connections.remove(&id);
    }
}

impl Connection {
    /// Reads or writes as much as can be at once. A client that goes away is its own affair.
    fn go_on(&mut self, id: u64, scrapes: &Scrapes) {
        let went = match &mut self.state {
            State::Asks(bytes) => ask(&mut self.stream, bytes),
            State::Takes { answer, sent } => take(&mut self.stream, answer, sent),
            State::Waits { .. } => Ok(Some(State::Done)), // nothing is waited for but its end
            State::Done => Ok(None),
        };
        match went.unwrap_or(Some(State::Done)) {
            Some(State::Waits { with_body }) => {
                self.state = State::Waits { with_body };
                // a page comes in time, or the nodes' own limits are far longer than this
                self.until = Instant::now() + Duration::from_secs(600);
                scrapes.want(id);
            }
            Some(state) => self.answer(state),
            None => {}
        }
    }

    fn answer(&mut self, state: State) {
        self.state = state;
        self.until = Instant::now() + PATIENCE;
        if let State::Takes { answer, sent } = &mut self.state
            && !matches!(take(&mut self.stream, answer, sent), Ok(None))
        {
            self.state = State::Done;
        }
    }
}

/// Reads more of a request; what comes next where that has ended.
fn ask(stream: &mut TcpStream, bytes: &mut Vec<u8>) -> io::Result<Option<State>> {
    let mut part = [0; 2048];
    match stream.read(&mut part) {
        Ok(0) => return Ok(Some(State::Done)),
        Ok(count) => bytes.extend_from_slice(&part[..count]),
        Err(cause) if would_wait(&cause) => return Ok(None),
        Err(cause) => return Err(cause),
    }
    Ok(match Request::read(bytes) {
        Request::Unfinished => None,
        Request::Metrics { with_body } => Some(State::Waits { with_body }),
        Request::Other(answer) => Some(State::Takes { answer, sent: 0 }),
    })
}

/// Writes more of an answer.
fn take(stream: &mut TcpStream, answer: &[u8], sent: &mut usize) -> io::Result<Option<State>> {
    while *sent < answer.len() {
        match stream.write(&answer[*sent..]) {
            Ok(count) => *sent += count,
            Err(cause) if would_wait(&cause) => return Ok(None),
            Err(cause) => return Err(cause),
        }
    }
    Ok(Some(State::Done))
}

fn would_wait(cause: &io::Error) -> bool {
    matches!(
        cause.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}

impl Scrapes {
    /// Asks for a page for this connection.
    fn want(&self, id: u64) {
        lock(&self.wanted).push(id);
        self.changed.notify_one();
    }

    /// Makes pages for ever.
    fn make(&self, scrape: &impl Fn() -> Page) {
        loop {
            let wanted = self
                .changed
                .wait_while(lock(&self.wanted), |wanted| wanted.is_empty());
            let ids = std::mem::take(&mut *wanted.unwrap_or_else(PoisonError::into_inner));
            let page = scrape();
            lock(&self.made).push((page, ids));
            let _ = (&self.wake).write(&[0]); // one that is full wakes as well
        }
    }

    /// Gives pages to those who wait for them.
    fn hand_over(&self, connections: &mut BTreeMap<u64, Connection>) {
        for (page, ids) in lock(&self.made).drain(..) {
            for id in ids {
                if let Some(connection) = connections.get_mut(&id)
                    && let State::Waits { with_body } = connection.state
                {
                    let answer = http::metrics(&page, with_body);
                    connection.answer(State::Takes { answer, sent: 0 });
                }
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
