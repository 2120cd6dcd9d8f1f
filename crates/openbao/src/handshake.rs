//! What a server shows in the TLS handshake: its certificate, and the CA certificates behind it.

use std::{
    io,
    net::{TcpStream, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};

use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    pki_types::{CertificateDer, ServerName},
};

use crate::{Address, Attempt, Error, Trouble};

/// The chain (DER) that a server shows, its own certificate first. It is verified with `roots` (DER), and
/// the server has proved to have that certificate's key; the others may be anything.
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
        return Err(Trouble::Tls("the address is not https".to_owned()));
    }
    let name = ServerName::try_from(address.host().to_owned())
        .map_err(|cause| Trouble::Tls(cause.to_string()))?;
    let connection = ClientConnection::new(Arc::new(configuration(roots)?), name)
        .map_err(|cause| Trouble::Tls(cause.to_string()))?;
    let mut stream = StreamOwned::new(connection, connect(address, patience)?);
    while stream.conn.is_handshaking() {
        stream
            .conn
            .complete_io(&mut stream.sock)
            .map_err(|cause| interrupted(&cause, patience))?;
    }
    let shown = stream.conn.peer_certificates().unwrap_or_default();
    Ok(shown.iter().map(|shown| shown.to_vec()).collect())
}

fn configuration(roots: &[Vec<u8>]) -> Result<ClientConfig, Trouble> {
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(
        roots
            .iter()
            .map(|root| CertificateDer::from(root.as_slice())),
    );
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(|cause| Trouble::Tls(cause.to_string()))?;
    Ok(builder.with_root_certificates(store).with_no_client_auth())
}

fn connect(address: &Address, patience: Duration) -> Result<TcpStream, Trouble> {
    let failed = |cause: io::Error| match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout(patience),
        _ => Trouble::Connect(cause.to_string()),
    };
    let places = (address.host(), address.port())
        .to_socket_addrs()
        .map_err(failed)?;
    let mut last = Trouble::Connect("the name has no address".to_owned());
    for place in places {
        match TcpStream::connect_timeout(&place, patience) {
            Ok(stream) => {
                let limited = stream
                    .set_read_timeout(Some(patience))
                    .and_then(|()| stream.set_write_timeout(Some(patience)));
                return limited.map(|()| stream).map_err(failed);
            }
            Err(cause) => last = failed(cause),
        }
    }
    Err(last)
}

fn interrupted(cause: &io::Error, patience: Duration) -> Trouble {
    match cause.kind() {
        io::ErrorKind::TimedOut | io::ErrorKind::WouldBlock => Trouble::Timeout(patience),
        _ => Trouble::Tls(cause.to_string()),
    }
}
