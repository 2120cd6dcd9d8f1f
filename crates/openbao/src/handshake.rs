//! What a server shows in the TLS handshake: its certificate, and the CA certificates behind it.

use std::{
    io::{self, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    time::{Duration, Instant},
};

use rustls::{
    ClientConnection,
    pki_types::{CertificateDer, ServerName},
};

use crate::{
    Address, Attempt, Error, Trouble,
    tls::TlsTrouble,
    transport::{explain_tls, plain},
    verifier::client_config,
};

/// The chain (DER) that a server shows, its own certificate first. It is verified with `roots` (DER), and
/// the server has proved to have that certificate's key; the others may be anything. The connection and the
/// handshake may take `patience` each.
///
/// # Errors
/// [`Error::Unavailable`]: no connection, or a certificate that `roots` do not vouch for.
pub fn shown_chain(
    address: &Address,
    roots: &[Vec<u8>],
    patience: Duration,
) -> Result<Vec<Vec<u8>>, Error> {
    exchange(address, roots, patience).map_err(|trouble| Error::Unavailable {
        attempts: vec![Attempt {
            address: address.clone(),
            trouble,
        }],
    })
}

fn exchange(
    address: &Address,
    roots: &[Vec<u8>],
    patience: Duration,
) -> Result<Vec<Vec<u8>>, Trouble> {
    if !address.is_encrypted() {
        return Err(Trouble::Tls(TlsTrouble::Other(
            "the address is not https".to_owned(),
        )));
    }
    let name = ServerName::try_from(address.host().to_owned()).map_err(|cause| other(&cause))?;
    let roots = roots.iter().cloned().map(CertificateDer::from);
    let configuration = client_config(Some(roots.collect())).map_err(|cause| other(&cause))?;
    let mut connection =
        ClientConnection::new(configuration, name).map_err(|cause| other(&cause))?;
    let mut stream = Limited {
        stream: connect(address, patience)?,
        until: Instant::now() + patience,
    };
    while connection.is_handshaking() {
        connection
            .complete_io(&mut stream)
            .map_err(|cause| interrupted(&cause, patience))?;
    }
    let shown = connection.peer_certificates().unwrap_or_default();
    Ok(shown.iter().map(|shown| shown.to_vec()).collect())
}

/// A stream that is used no longer than until then, also by a server that sends byte by byte.
struct Limited {
    stream: TcpStream,
    until: Instant,
}

impl Limited {
    fn left(&self) -> io::Result<Duration> {
        let left = self.until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        Ok(left)
    }
}

impl Read for Limited {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(Some(self.left()?))?;
        self.stream.read(buffer)
    }
}

impl Write for Limited {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(Some(self.left()?))?;
        self.stream.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

fn other(cause: &impl ToString) -> Trouble {
    Trouble::Tls(TlsTrouble::Other(cause.to_string()))
}

fn connect(address: &Address, patience: Duration) -> Result<TcpStream, Trouble> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout(patience),
        _ => Trouble::Connect(plain(&cause)),
    };
    let places = (address.host(), address.port())
        .to_socket_addrs()
        .map_err(failed)?;
    let mut last = Trouble::Connect("its name has no address".to_owned());
    for place in places {
        match TcpStream::connect_timeout(&place, patience) {
            Ok(stream) => return Ok(stream),
            Err(cause) => last = failed(cause),
        }
    }
    Err(last)
}

fn interrupted(cause: &io::Error, patience: Duration) -> Trouble {
    let inner = cause.get_ref();
    if let Some(tls) = inner.and_then(|inner| inner.downcast_ref::<rustls::Error>()) {
        return Trouble::Tls(explain_tls(tls));
    }
    match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout(patience),
        _ => Trouble::Connect(plain(cause)),
    }
}
