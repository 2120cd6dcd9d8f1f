//! One stream to two ends: what is read is written, too, and whose fault an end was is known.

use std::io::{self, Read, Write};

/// Reads from one and writes to the other what was read.
pub(crate) struct Tee<R, W> {
    from: R,
    to: W,
    trouble: Option<Trouble>,
}

/// Which side failed.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Reading.
    From(io::Error),
    /// Writing.
    To(io::Error),
}

impl<R, W> Tee<R, W> {
    pub(crate) fn new(from: R, to: W) -> Self {
        Self {
            from,
            to,
            trouble: None,
        }
    }

    /// Where it wrote to, and what went wrong.
    pub(crate) fn finish(self) -> (W, Option<Trouble>) {
        (self.to, self.trouble)
    }
}

impl<R: Read, W: Write> Read for Tee<R, W> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let told = |cause: &io::Error| io::Error::new(cause.kind(), cause.to_string());
        let length = self.from.read(buffer).map_err(|cause| {
            let shown = told(&cause);
            if cause.kind() != io::ErrorKind::Interrupted {
                self.trouble = Some(Trouble::From(cause));
            }
            shown
        })?;
        self.to.write_all(&buffer[..length]).map_err(|cause| {
            let shown = told(&cause);
            self.trouble = Some(Trouble::To(cause));
            shown
        })?;
        Ok(length)
    }
}
