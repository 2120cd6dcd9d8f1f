//! A connection to a client, in plain text or with TLS that ends here.

use std::{
    io::{self, Read, Write},
    net::TcpStream,
    sync::Arc,
};

use rustls::{
    ServerConfig, ServerConnection, StreamOwned,
    pki_types::{CertificateDer, PrivateKeyDer, pem::PemObject},
};

use crate::ServerCertificate;

pub(crate) trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// The TLS settings of a server that shows `certificate`.
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

/// The client's side of a connection; with `tls`, the handshake happens at the first read.
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

/// Whether the client opens with a TLS handshake, without taking a byte from it.
pub(crate) fn opens_with_tls(stream: &TcpStream) -> io::Result<bool> {
    const HANDSHAKE: u8 = 0x16;
    let mut first = [0];
    Ok(stream.peek(&mut first)? == 1 && first[0] == HANDSHAKE)
}
