//! Answers and bodies of any size, a piece at a time.
//!
//! One server is asked, the one that is preferred: what has begun to flow cannot go on elsewhere. Whoever
//! calls knows which server it must be.

use std::{
    fmt,
    io::{self, Read},
    sync::mpsc::{self, Receiver, RecvTimeoutError},
    thread,
    time::Duration,
};

use ureq::SendBody;

use crate::{
    Client, Error, Request, Trouble,
    exchange::{Message, Opened, open},
    transport::{Limits, plain},
};

/// How much is taken from the connection at once, in bytes: a record of TLS holds no more.
const PIECE: usize = 16 << 10;
/// How many pieces may lie ready.
const PIECES: usize = 32;

/// The body of an answer as it comes in. Its Debug print shows nothing of it.
pub struct Download {
    pieces: Receiver<io::Result<Vec<u8>>>,
    current: Vec<u8>,
    taken: usize,
    end: Option<End>,
    silence: Duration,
}

/// How it ended. What broke off is no end for who asks again.
enum End {
    Whole,
    BrokenOff(io::ErrorKind, String),
}

impl fmt::Debug for Download {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Download").finish_non_exhaustive()
    }
}

impl Client {
    /// Asks the preferred server and gives the body of its answer as a stream, however long it is. A server
    /// that is silent for `silence` counts as gone, before the answer and in the middle of it.
    ///
    /// # Errors
    /// What [`Client::send`] gives; a standby's pointer to another server is [`Trouble::BadReply`].
    pub fn download(&self, request: &Request<'_>, silence: Duration) -> Result<Download, Error> {
        let limits = self.streaming(silence, None);
        let opened =
            self.at_preferred(request, |agent, message| open(agent, message, (), limits))?;
        let Opened::Stream(body) = opened else {
            return Err(self.unusable(Trouble::BadReply("it has no body".to_owned())));
        };
        Ok(Download::new(
            body.into_with_config().limit(u64::MAX).reader(),
            silence,
        ))
    }

    /// Sends `body` to the preferred server, however long it is, once that has said that it wants it: who is
    /// refused in the middle would lose the answer with the connection. All in all it may take `total`.
    ///
    /// # Errors
    /// What [`Client::send`] gives; a `body` that cannot be read is [`Trouble::Connect`].
    pub fn upload(
        &self,
        request: &Request<'_>,
        body: &mut dyn Read,
        total: Duration,
    ) -> Result<(), Error> {
        let limits = self.streaming(total, Some(total));
        self.at_preferred(request, |agent, message| {
            let mut headers = message.headers.to_vec();
            headers.push(("expect", "100-continue".into()));
            let message = Message {
                method: message.method,
                url: message.url.clone(),
                headers: &headers,
                body: &[],
                largest: message.largest,
            };
            open(agent, &message, SendBody::from_reader(body), limits)
        })
        .map(|_| ())
    }

    fn streaming(&self, answer: Duration, total: Option<Duration>) -> Limits {
        Limits {
            connect: self.connect_timeout(),
            answer,
            total: total.unwrap_or(Duration::MAX),
        }
    }
}

impl Download {
    /// Reads `body` in a thread of its own: only so can a reader stop waiting for a server that is silent, here
    /// for `silence`.
    pub fn new(mut body: impl Read + Send + 'static, silence: Duration) -> Self {
        let (sender, pieces) = mpsc::sync_channel(PIECES);
        thread::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE];
                let read = body.read(&mut piece).map(|length| {
                    piece.truncate(length);
                    piece
                });
                let last = !matches!(&read, Ok(piece) if !piece.is_empty());
                if sender.send(read).is_err() || last {
                    return;
                }
            }
        });
        Self {
            pieces,
            current: Vec::new(),
            taken: 0,
            end: None,
            silence,
        }
    }

    fn next(&mut self) {
        self.taken = 0;
        let next = match self.pieces.recv_timeout(self.silence) {
            Ok(Ok(piece)) if !piece.is_empty() => Ok(piece),
            Ok(Ok(_)) | Err(RecvTimeoutError::Disconnected) => Err(End::Whole),
            Ok(Err(cause)) => Err(End::BrokenOff(cause.kind(), plain(&cause))),
            Err(RecvTimeoutError::Timeout) => {
                let why = format!("nothing came for {} s", self.silence.as_secs());
                Err(End::BrokenOff(io::ErrorKind::TimedOut, why))
            }
        };
        self.current = next.unwrap_or_else(|end| {
            self.end = Some(end);
            Vec::new()
        });
    }
}

impl Read for Download {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.taken == self.current.len() && self.end.is_none() {
            self.next();
        }
        if let Some(End::BrokenOff(kind, why)) = &self.end {
            return Err(io::Error::new(*kind, why.clone()));
        }
        let left = &self.current[self.taken..];
        let length = left.len().min(buffer.len());
        buffer[..length].copy_from_slice(&left[..length]);
        self.taken += length;
        Ok(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives three bytes, and then fails once: whoever asks it again is told that it has ended.
    struct Breaks(u8);

    impl Read for Breaks {
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

    #[test]
    fn what_broke_off_never_ends_well() {
        let mut download = Download::new(Breaks(0), Duration::from_secs(10));
        let mut read = Vec::new();
        for _ in 0..3 {
            let cause = download.read_to_end(&mut read).unwrap_err();
            assert_eq!(cause.kind(), io::ErrorKind::ConnectionReset);
        }
        assert_eq!(read, b"abc");
    }
}
