//! The certificates that a server presents in the TLS handshake.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

use rustls::{
    ClientConnection,
    pki_types::{CertificateDer, ServerName},
};
use tracing::{debug, info};

use crate::{
    TlsError, TransportError,
    resolver::resolve,
    transport::{plain_text, tls_error_in},
    verifier::client_config,
};

/// Returns the chain (DER) that a server presents, its own certificate first.
///
/// The server's certificate is verified with `roots` (DER), and the server has proved to hold its
/// key. The other certificates are not verified. Connecting and the handshake may take `timeout`
/// each.
///
/// # Errors
/// No connection, or a certificate that `roots` do not vouch for.
pub fn fetch_peer_certificates(
    host: &str,
    port: u16,
    roots: &[Vec<u8>],
    timeout: Duration,
) -> Result<Vec<Vec<u8>>, TransportError> {
    let started = Instant::now();
    let result = read_chain(host, port, roots, timeout);
    let took = started.elapsed();
    match &result {
        Ok(_) => debug!(host, port, ?took, "server presented its certificates"),
        Err(reason) => info!(host, port, %reason, ?took, "server presented no certificate"),
    }
    result
}

fn read_chain(
    host: &str,
    port: u16,
    roots: &[Vec<u8>],
    timeout: Duration,
) -> Result<Vec<Vec<u8>>, TransportError> {
    let name = ServerName::try_from(host.to_owned()).map_err(|cause| other(&cause))?;
    let roots = roots.iter().cloned().map(CertificateDer::from);
    let configuration = client_config(Some(roots.collect())).map_err(|cause| other(&cause))?;
    let mut connection =
        ClientConnection::new(configuration, name).map_err(|cause| other(&cause))?;
    let mut stream = DeadlineStream {
        stream: connect(host, port, timeout)?,
        deadline: Instant::now() + timeout,
    };
    while connection.is_handshaking() {
        connection
            .complete_io(&mut stream)
            .map_err(|cause| classify_interruption(&cause, timeout))?;
    }
    let chain = connection.peer_certificates().unwrap_or_default();
    Ok(chain
        .iter()
        .map(|certificate| certificate.to_vec())
        .collect())
}

/// A stream whose reads and writes end at a deadline, also with a server that sends byte by byte.
struct DeadlineStream {
    stream: TcpStream,
    deadline: Instant,
}

impl DeadlineStream {
    fn time_left(&self) -> io::Result<Duration> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for DeadlineStream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.time_left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for DeadlineStream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.time_left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn other(cause: &impl ToString) -> TransportError {
    TlsError::Other(cause.to_string()).into()
}

fn connect(host: &str, port: u16, timeout: Duration) -> Result<TcpStream, TransportError> {
    let failed = |cause: io::Error| classify_interruption(&cause, timeout);
    let mut last = TransportError::no_address();
    for address in resolve(host, port, timeout).map_err(failed)? {
        match TcpStream::connect_timeout(&address, timeout) {
            Ok(stream) => return Ok(stream),
            Err(cause) => last = failed(cause),
        }
    }
    Err(last)
}

fn classify_interruption(cause: &io::Error, timeout: Duration) -> TransportError {
    if let Some(tls) = tls_error_in(cause) {
        return tls.into();
    }
    match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => TransportError::Timeout(timeout),
        _ => TransportError::Connect(plain_text(cause)),
    }
}
