//! A client's connection, in plain text or with TLS.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::certificates::ServerCertificate;

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// Returns the TLS settings of a server with `certificate`.
pub(crate) fn tls_config(certificate: &ServerCertificate) -> Arc<ServerConfig> {
    let chain =
        CertificateDer::pem_file_iter(&certificate.certificate).expect("the certificate is read");
    let chain = chain
        .collect::<Result<Vec<_>, _>>()
        .expect("the certificate is PEM");
    let key = PrivateKeyDer::from_pem_file(&certificate.key).expect("the key is PEM");
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder =
        ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let builder = builder
        .expect("the provider knows the default versions")
        .with_no_client_auth();
    Arc::new(
        builder
            .with_single_cert(chain, key)
            .expect("key and certificate belong together"),
    )
}

/// Returns the client's side of a connection. With `tls`, the first read does the handshake.
pub(crate) fn client_side(
    stream: TcpStream,
    tls: Option<&Arc<ServerConfig>>,
) -> io::Result<Box<dyn Stream>> {
    let Some(config) = tls else {
        return Ok(Box::new(stream));
    };
    let session = ServerConnection::new(Arc::clone(config)).map_err(io::Error::other)?;
    Ok(Box::new(StreamOwned::new(session, stream)))
}

/// Returns whether the client begins a TLS handshake; reads none of its bytes.
pub(crate) fn opens_with_tls(stream: &TcpStream) -> io::Result<bool> {
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    Ok(stream.peek(&mut first)? == 1 && first[0] == HANDSHAKE)
}
