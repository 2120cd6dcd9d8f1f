//! One line on a terminal about a step that takes time. Nothing is written elsewhere.

use std::{
    collections::BTreeMap,
    env, fmt,
    io::{self, IsTerminal, Read, Write},
    sync::{
        Arc, Condvar, LazyLock, Mutex, MutexGuard, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
    thread::{self, JoinHandle},
    time::{Duration, Instant, SystemTime},
};

use nix::sys::signal::{SigSet, SigmaskHow};
use rustix::termios::tcgetwinsize;
use zts_net::Waiting;

use crate::{
    duration::utc,
    printable::{clean, printable_line},
    table::format_size,
};

/// The time after which a step is shown.
const DELAY: Duration = Duration::from_secs(1);
const INTERVAL: Duration = Duration::from_millis(200);

/// A step that is shown on stderr from its second second on, until it is dropped. The step that
/// began last is shown.
#[must_use = "it is shown until it is dropped"]
pub struct Progress(Option<ShownStep>);

struct ShownStep {
    number: u64,
    bytes: Arc<AtomicU64>,
}

struct Step {
    text: String,
    begun: Instant,
    bytes: Arc<AtomicU64>,
    total: Option<u64>,
    until: Option<Instant>,
}

#[derive(Default)]
struct Line {
    /// The steps in the order in which they began.
    steps: BTreeMap<u64, Step>,
    last_number: u64,
    is_shown: bool,
    /// The thread that draws, and its number: an earlier one ends.
    thread: Option<JoinHandle<()>>,
    thread_number: u64,
}

static LINE: LazyLock<Mutex<Line>> = LazyLock::new(Mutex::default);
static STEPS_CHANGED: Condvar = Condvar::new();

impl Progress {
    /// Begins a step, such as "OpenTofu applies `terraform`".
    pub fn begin(text: impl fmt::Display) -> Self {
        Self::begin_step(&text, None, None)
    }

    /// Begins a step that reads a known or unknown number of bytes: see [`Progress::reader`].
    pub fn begin_bytes(text: impl fmt::Display, total: impl Into<Option<u64>>) -> Self {
        Self::begin_step(&text, total.into(), None)
    }

    /// Begins to wait for something, at most until `until`.
    pub fn begin_wait(text: impl fmt::Display, until: Instant) -> Self {
        Self::begin_step(&text, None, Some(until))
    }

    fn begin_step(text: &dyn fmt::Display, total: Option<u64>, until: Option<Instant>) -> Self {
        static IS_TERMINAL: LazyLock<bool> = LazyLock::new(|| {
            io::stderr().is_terminal() && env::var_os("TERM").is_none_or(|name| name != "dumb")
        });
        if !*IS_TERMINAL {
            return Self(None);
        }
        let bytes = Arc::new(AtomicU64::new(0));
        let step = Step {
            text: printable_line(clean(&text.to_string())),
            begun: Instant::now(),
            bytes: bytes.clone(),
            total,
            until,
        };
        let mut line = lock();
        line.last_number += 1;
        let number = line.last_number;
        line.steps.insert(number, step);
        if line.thread.is_none() {
            line.thread_number = number;
            line.thread = start_thread(number);
        }
        Self(Some(ShownStep { number, bytes }))
    }

    /// Replaces the text.
    pub fn set_text(&self, text: impl fmt::Display) {
        let Some(ShownStep { number, .. }) = &self.0 else {
            return;
        };
        if let Some(step) = lock().steps.get_mut(number) {
            step.text = printable_line(clean(&text.to_string()));
        }
    }

    /// Returns a reader whose bytes are counted.
    pub fn reader<R: Read>(&self, reader: R) -> impl Read + use<R> {
        let bytes = self.0.as_ref().map(|step| step.bytes.clone());
        CountingReader { reader, bytes }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        let Some(ShownStep { number, .. }) = &self.0 else {
            return;
        };
        let mut line = lock();
        line.steps.remove(number);
        if !line.steps.is_empty() {
            return;
        }
        clear(&mut line);
        let thread = line.thread.take();
        drop(line);
        STEPS_CHANGED.notify_all();
        // A program may need to have one thread after this.
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}

struct CountingReader<R> {
    reader: R,
    bytes: Option<Arc<AtomicU64>>,
}

impl<R: Read> Read for CountingReader<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(buffer)?;
        if let Some(bytes) = &self.bytes {
            bytes.fetch_add(count as u64, Ordering::Relaxed);
        }
        Ok(count)
    }
}

/// Calls `print`, which writes to the terminal, while the line is not there.
pub(crate) fn without_line<T>(print: impl FnOnce() -> T) -> T {
    let mut line = lock();
    clear(&mut line);
    print()
}

/// Shows what requests wait for while they are repeated.
pub(crate) fn show_retries() {
    zts_net::observe_retries(|until| Box::new(Retries(Progress::begin_wait("waiting", until))));
}

struct Retries(Progress);

impl Waiting for Retries {
    fn attempt_failed(&mut self, reason: &dyn fmt::Display) {
        self.0.set_text(format_args!("trying again: {reason}"));
    }
}

fn lock() -> MutexGuard<'static, Line> {
    LINE.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Starts the thread that draws the line. All signals are blocked in it, because a program may rely
/// on blocked signals while it does something that must not be interrupted.
fn start_thread(number: u64) -> Option<JoinHandle<()>> {
    let before = SigSet::all().thread_swap_mask(SigmaskHow::SIG_BLOCK).ok()?;
    let thread = thread::Builder::new().spawn(move || draw(number));
    let _ = before.thread_set_mask();
    thread.ok()
}

/// Draws the line until no step is left.
fn draw(number: u64) {
    let mut line = lock();
    while let Some((_, step)) = line.steps.last_key_value()
        && line.thread_number == number
    {
        if step.begun.elapsed() >= DELAY {
            let text = describe(step);
            let _ = write!(io::stderr().lock(), "\r\x1b[2K{text}");
            line.is_shown = true;
        }
        let waited = STEPS_CHANGED.wait_timeout(line, INTERVAL);
        line = waited.unwrap_or_else(PoisonError::into_inner).0;
    }
}

fn clear(line: &mut Line) {
    if std::mem::take(&mut line.is_shown) {
        let _ = write!(io::stderr().lock(), "\r\x1b[2K");
    }
}

/// Returns the line, which fits the terminal.
fn describe(step: &Step) -> String {
    let mut parts = Vec::new();
    let bytes = step.bytes.load(Ordering::Relaxed);
    match step.total {
        Some(total) => parts.push(format!("{} of {}", format_size(bytes), format_size(total))),
        None if bytes > 0 => parts.push(format_size(bytes)),
        None => {}
    }
    parts.push(format!("{} s", step.begun.elapsed().as_secs()));
    if let Some(until) = step.until {
        let left = until.saturating_duration_since(Instant::now());
        let time = utc(SystemTime::now() + left);
        let time = time.split_once('T').map_or(time.as_str(), |(_, time)| time);
        parts.push(format!("at most until {time}"));
    }
    let end = format!(" ({})", parts.join(", "));
    let width = tcgetwinsize(io::stderr()).map_or(80, |size| usize::from(size.ws_col));
    let width = if width == 0 { 80 } else { width }.saturating_sub(1);
    let room = width.saturating_sub(end.chars().count());
    if step.text.chars().count() <= room {
        return step.text.clone() + &end;
    }
    let cut: String = step.text.chars().take(room.saturating_sub(1)).collect();
    format!("{cut}…{end}")
}
