//! HTTP agents whose TLS accepts the certificates that [`Trust`] describes.
//!
//! `ureq`'s own TLS connector supports CA certificates only.

use std::{
    fmt,
    io::{Read, Write},
    sync::Arc,
    time::Instant,
};

use rustls::{ClientConfig, ClientConnection, StreamOwned, pki_types::ServerName};
use tracing::{Level, enabled, trace};
use ureq::{
    Agent, Body, SendBody,
    config::{Config, ConfigBuilder},
    http::{Request, Response},
    middleware::MiddlewareNext,
    typestate::AgentScope,
    unversioned::transport::{
        Buffers, ConnectionDetails, Connector, Either, LazyBuffers, NextTimeout, TcpConnector,
        Transport, TransportAdapter,
    },
};

use crate::{Trust, TrustError, resolver::NameResolver, transport::plain_text};

/// Returns the configuration that all agents share.
///
/// An HTTP status is not an error, and there is no proxy. Redirects are not followed, because a
/// signature or a token must not go to another server.
pub fn agent_config() -> ConfigBuilder<AgentScope> {
    Agent::config_builder()
        .http_status_as_error(false)
        .max_redirects(0)
        .max_redirects_will_error(false)
        .proxy(None)
        .user_agent(concat!("zero-touch-secrets/", env!("CARGO_PKG_VERSION")))
        .middleware(trace_exchange)
}

/// Sends a request, and reports the head of the answer, or the reason why there is none. No header
/// and no body is in the event.
fn trace_exchange(
    request: Request<SendBody<'_>>,
    next: MiddlewareNext<'_>,
) -> Result<Response<Body>, ureq::Error> {
    if !enabled!(Level::TRACE) {
        return next.handle(request);
    }
    let (method, url) = (request.method().clone(), request.uri().clone());
    let started = Instant::now();
    let result = next.handle(request);
    let took = started.elapsed();
    let (mut status, mut length, mut reason) = (None, None, None);
    match &result {
        Ok(response) => {
            status = Some(response.status().as_u16());
            length = response.body().content_length();
        }
        Err(error) => reason = Some(plain_text(error)),
    }
    trace!(%method, %url, status, length, reason, ?took, "HTTP exchange");
    result
}

/// Builds an agent with `config` for servers whose certificates `trust` accepts.
///
/// Without `needs_tls`, no certificates are loaded: reading 140 system roots takes longer than a
/// fetch.
///
/// # Errors
/// Root certificates that cannot be loaded.
pub fn build_agent(config: Config, trust: &Trust, needs_tls: bool) -> Result<Agent, TrustError> {
    let tls = needs_tls.then(|| trust.client_config()).transpose()?;
    let connector = ().chain(TcpConnector::default()).chain(TlsConnector(tls));
    Ok(Agent::with_parts(
        config,
        connector,
        NameResolver::default(),
    ))
}

struct TlsConnector(Option<Arc<ClientConfig>>);

impl fmt::Debug for TlsConnector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsConnector").finish_non_exhaustive()
    }
}

impl<In: Transport> Connector<In> for TlsConnector {
    type Out = Either<In, TlsTransport>;

    fn connect(
        &self,
        details: &ConnectionDetails<'_>,
        chained: Option<In>,
    ) -> Result<Option<Self::Out>, ureq::Error> {
        let Some(transport) = chained else {
            return Ok(None);
        };
        if !details.needs_tls() {
            return Ok(Some(Either::A(transport)));
        }
        let config = self.0.as_ref().ok_or(ureq::Error::TlsRequired)?;
        let host = details.uri.host().unwrap_or_default();
        let host = host.trim_start_matches('[').trim_end_matches(']');
        let name = ServerName::try_from(host.to_owned())
            .map_err(|_| ureq::Error::Tls("its name cannot be in a certificate"))?;
        let mut session = ClientConnection::new(Arc::clone(config), name)?;
        let boxed: Box<dyn Transport> = Box::new(transport);
        let mut socket = TransportAdapter::new(boxed, Arc::clone(&details.current_time));
        socket.set_timeout(details.timeout);
        session.complete_io(&mut socket)?;
        trace!(server = host, version = ?session.protocol_version(), "TLS connection");
        let (input, output) = (
            details.config.input_buffer_size(),
            details.config.output_buffer_size(),
        );
        Ok(Some(Either::B(TlsTransport {
            buffers: LazyBuffers::new(input, output),
            stream: StreamOwned::new(session, socket),
        })))
    }
}

/// A TLS connection.
struct TlsTransport {
    buffers: LazyBuffers,
    stream: StreamOwned<ClientConnection, TransportAdapter>,
}

impl fmt::Debug for TlsTransport {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("TlsTransport").finish_non_exhaustive()
    }
}

impl Transport for TlsTransport {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        self.stream.write_all(&self.buffers.output()[..amount])?;
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, ureq::Error> {
        self.stream.get_mut().set_timeout(timeout);
        let amount = self.stream.read(self.buffers.input_append_buf())?;
        self.buffers.input_appended(amount);
        Ok(amount > 0)
    }

    fn is_open(&mut self) -> bool {
        self.stream.get_mut().get_mut().is_open()
    }

    fn is_tls(&self) -> bool {
        true
    }
}
