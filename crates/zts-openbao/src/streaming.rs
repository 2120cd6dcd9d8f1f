//! Answers and bodies of any size, such as snapshots.
//!
//! Only the preferred server is tried, because a stream that has begun cannot continue on another
//! one.

use std::{io::Read, time::Duration};

use ureq::SendBody;
use zts_net::{Download, Limits};

use crate::{
    Client, Error, NodeError, Request,
    exchange::{Message, OpenedAnswer, open_stream},
};

impl Client {
    /// Sends `request` to the preferred server and returns the body of the answer as a stream of
    /// any length. `idle_timeout` limits the time until the answer begins, and each pause in it.
    ///
    /// # Errors
    /// Those of [`Client::send`]; a redirect by a standby is [`NodeError::Redirect`].
    pub fn download(
        &self,
        request: &Request<'_>,
        idle_timeout: Duration,
    ) -> Result<Download, Error> {
        let limits = self.stream_limits(idle_timeout, Duration::MAX);
        let opened = self.send_to_preferred(request, |agent, message| {
            open_stream(agent, message, (), limits)
        })?;
        let OpenedAnswer::Stream(body) = opened else {
            return Err(self.unavailable(NodeError::BadReply("it has no body".to_owned())));
        };
        let reader = body.into_with_config().limit(u64::MAX).reader();
        Ok(Download::new(reader, idle_timeout))
    }

    /// Sends `body`, of any length, to the preferred server within `timeout`.
    ///
    /// The body follows only after the server's `100 Continue`: a server that refuses in the middle
    /// closes the connection, and its answer would be lost.
    ///
    /// # Errors
    /// Those of [`Client::send`]; a `body` that cannot be read is
    /// [`zts_net::TransportError::Connect`].
    pub fn upload(
        &self,
        request: &Request<'_>,
        body: &mut dyn Read,
        timeout: Duration,
    ) -> Result<(), Error> {
        let limits = self.stream_limits(timeout, timeout);
        self.send_to_preferred(request, |agent, message| {
            let mut headers = message.headers.to_vec();
            headers.push(("expect", "100-continue".into()));
            let message = Message {
                url: message.url.clone(),
                headers: &headers,
                ..*message
            };
            open_stream(agent, &message, SendBody::from_reader(body), limits)
        })
        .map(|_| ())
    }

    fn stream_limits(&self, answer: Duration, total: Duration) -> Limits {
        Limits {
            connect: self.settings.connect_timeout,
            answer,
            total,
        }
    }
}
