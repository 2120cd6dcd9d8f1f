//! A listener on a free port that serves each connection in a thread.

use std::{
    net::{Shutdown, SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc, Condvar, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicUsize, Ordering},
    },
    thread::{self, JoinHandle},
    time::Duration,
};

/// A listener on a free port of 127.0.0.1. `Drop` ends it and all its connections.
#[derive(Debug)]
pub(crate) struct Listener {
    address: SocketAddr,
    state: Arc<State>,
    accepting: Option<JoinHandle<()>>,
}

/// The state that the accepting thread, the connections and the test share.
#[derive(Debug, Default)]
pub(crate) struct State {
    connections: AtomicUsize,
    open: Mutex<Open>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct Open {
    stopped: bool,
    streams: Vec<TcpStream>,
}

impl Listener {
    /// Starts it; `serve` runs in a new thread for each connection.
    pub(crate) fn start(serve: impl Fn(TcpStream, &State) + Clone + Send + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port is bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let state = Arc::new(State::default());
        let shared = Arc::clone(&state);
        let accepting = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if !shared.register(&stream) {
                    return;
                }
                let (serve, state) = (serve.clone(), Arc::clone(&shared));
                thread::spawn(move || {
                    let end = stream.try_clone();
                    serve(stream, &state);
                    // The handle in `State` would keep the connection open.
                    let _ = end.and_then(|stream| stream.shutdown(Shutdown::Both));
                });
            }
        });
        Self {
            address,
            state,
            accepting: Some(accepting),
        }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Returns the number of accepted connections so far.
    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl State {
    /// Registers a connection, which ends with the listener. Returns false when that has ended.
    fn register(&self, stream: &TcpStream) -> bool {
        let mut open = self.open();
        if open.stopped {
            return false;
        }
        self.connections.fetch_add(1, Ordering::SeqCst);
        open.streams.extend(stream.try_clone());
        true
    }

    /// Pauses a connection's thread. Returns false when the listener ended meanwhile.
    pub(crate) fn pause(&self, time: Duration) -> bool {
        let waited = self
            .changed
            .wait_timeout_while(self.open(), time, |open| !open.stopped);
        !waited.unwrap_or_else(PoisonError::into_inner).0.stopped
    }

    fn open(&self) -> MutexGuard<'_, Open> {
        self.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn stop(&self) {
        let mut open = self.open();
        open.stopped = true;
        for stream in open.streams.drain(..) {
            let _ = stream.shutdown(Shutdown::Both); // the client may have closed it
        }
        drop(open);
        self.changed.notify_all();
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        self.state.stop();
        let woken = TcpStream::connect(self.address); // `accept` returns only for a connection
        if let (Ok(_), Some(thread)) = (woken, self.accepting.take()) {
            let _ = thread.join();
        }
    }
}
