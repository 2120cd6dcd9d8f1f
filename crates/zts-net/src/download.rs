//! The body of an answer as a stream, of any size.

use std::{
    fmt,
    io::{self, Read},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::{Duration, Instant},
};

use crate::plain_text;

/// The size of a chunk in bytes: a TLS record holds no more.
const CHUNK_SIZE: usize = 16 << 10;
/// The lowest accepted average, in bytes a second. A server that sends single bytes is never idle.
const LOWEST_RATE: u64 = 4 << 10;
/// The most chunks that are read ahead.
const CHUNKS_AHEAD: usize = 32;

/// The body of an answer as a stream. Its Debug output shows nothing of it.
pub struct Download {
    chunks: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    consumed: usize,
    end: Option<End>,
    idle_timeout: Duration,
    /// The bytes received so far, and the time spent waiting for them.
    received: u64,
    waited: Duration,
}

/// The end of a stream. An error stays one for every further read.
enum End {
    Complete,
    Failed(io::ErrorKind, String),
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl Download {
    /// Starts a thread that reads `body`. So a read can end after `idle_timeout` without data.
    pub fn new(mut body: impl Read + Send + 'static, idle_timeout: Duration) -> Self {
        let (sender, chunks) = mpsc::sync_channel(CHUNKS_AHEAD);
        thread::spawn(move || {
            loop {
                let mut chunk = vec![0; CHUNK_SIZE];
                let read = body.read(&mut chunk).map(|length| {
                    chunk.truncate(length);
                    chunk
                });
                let is_last = !matches!(&read, Ok(chunk) if !chunk.is_empty());
                if sender.send(read).is_err() || is_last {
                    return;
                }
            }
        });
        Self {
            chunks,
            current: Vec::new(),
            consumed: 0,
            end: None,
            idle_timeout,
            received: 0,
            waited: Duration::ZERO,
        }
    }

    fn receive_chunk(&mut self) {
        self.consumed = 0;
        let began = Instant::now();
        let received = self.chunks.recv_timeout(self.idle_timeout);
        self.waited += began.elapsed();
        let chunk = match received {
            Ok(Ok(chunk)) if !chunk.is_empty() => self.check_rate(chunk),
            Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => Err(End::Complete),
            Ok(Err(cause)) => Err(End::Failed(cause.kind(), plain_text(&cause))),
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("nothing came for {} s", self.idle_timeout.as_secs());
                Err(End::Failed(io::ErrorKind::TimedOut, why))
            }
        };
        self.current = chunk.unwrap_or_else(|end| {
            self.end = Some(end);
            Vec::new()
        });
    }

    /// Counts `chunk`, and fails where the average rate is too low.
    fn check_rate(&mut self, chunk: Vec<u8>) -> Result<Vec<u8>, End> {
        self.received += chunk.len() as u64;
        let seconds = self.waited.as_secs_f64();
        #[expect(clippy::cast_precision_loss, reason = "the magnitude is enough")]
        let is_slow = (self.received as f64) < seconds * LOWEST_RATE as f64;
        if is_slow && self.waited > self.idle_timeout.saturating_mul(2) {
            let why = format!("only {} bytes came in {seconds:.0} s", self.received);
            return Err(End::Failed(io::ErrorKind::TimedOut, why));
        }
        Ok(chunk)
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.consumed == self.current.len() && self.end.is_none() {
            self.receive_chunk();
        }
        if let Some(End::Failed(kind, why)) = &self.end {
            return Err(io::Error::new(*kind, why.clone()));
        }
        let left = &self.current[self.consumed..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.consumed += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A reader that gives three bytes, fails once, and is at its end after that.
    struct FailingReader(u8);

    impl Read for FailingReader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            self.0 += 1;
            match self.0 {
                1 => {
                    buffer[..3].copy_from_slice(b"abc");
                    Ok(3)
                }
                2 => Err(io::ErrorKind::ConnectionReset.into()),
                _ => Ok(0),
            }
        }
    }

    /// A reader that gives a byte every 20 milliseconds, without an end.
    struct SlowReader;

    impl Read for SlowReader {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            thread::sleep(Duration::from_millis(20));
            buffer[0] = b'a';
            Ok(1)
        }
    }

    #[test]
    fn a_low_rate_is_a_timeout() {
        let mut download = Download::new(SlowReader, Duration::from_millis(500));
        let cause = io::copy(&mut download, &mut io::sink()).unwrap_err();
        assert_eq!(cause.kind(), io::ErrorKind::TimedOut);
        assert!(cause.to_string().contains("bytes came in"), "{cause}");
    }

    #[test]
    fn a_failed_stream_stays_failed() {
        let mut download = Download::new(FailingReader(0), Duration::from_secs(10));
        let mut read = Vec::new();
        for _ in 0..3 {
            let cause = download.read_to_end(&mut read).unwrap_err();
            assert_eq!(cause.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(read, b"abc");
    }
}
