//! One request, as often as it takes.

use std::{
    io::Read,
    time::{Duration, Instant, SystemTime},
};

use openbao::transport::{Limits, plain};
use secrecy::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};
use ureq::{
    Body,
    http::{HeaderValue, Request, Response, Uri},
};

use crate::{
    Bucket, Error, Trouble,
    signature::{self, Signed},
};

/// Longer than any answer but an object.
const LONGEST: u64 = 16 << 20;
/// How slow a store may be, in bytes a second, before a request counts as stuck.
const SLOWEST: u64 = 256 << 10;
/// Between two tries.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(10)];

/// What is asked of a bucket.
#[derive(Default)]
pub(crate) struct Ask<'a> {
    /// In words, for errors: reading this object, listing.
    pub(crate) what: String,
    pub(crate) method: &'a str,
    /// The object; the bucket itself where it is empty.
    pub(crate) key: &'a str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Headers that are not signed.
    pub(crate) headers: &'a [(&'static str, &'static str)],
    pub(crate) body: &'a [u8],
    /// Whether the answer's body may take as long as it likes.
    pub(crate) endless: bool,
}

/// S3's description of an error.
#[derive(Deserialize, Default)]
pub(crate) struct Refusal {
    #[serde(rename = "Code", default)]
    pub(crate) code: String,
    #[serde(rename = "Message", default)]
    pub(crate) message: String,
}

impl Bucket {
    /// Sends it until it succeeds, fails for good, or patience is over.
    pub(crate) fn send(&self, ask: &Ask<'_>) -> Result<Response<Body>, Error> {
        self.repeat(ask, Ok)
    }

    /// As [`Bucket::send`], and reads the answer, which is XML. One that breaks off is asked for again.
    pub(crate) fn send_for<T: DeserializeOwned>(&self, ask: &Ask<'_>) -> Result<T, Error> {
        self.repeat(ask, |response| {
            let text = text(response)?;
            parse(&text)
        })
    }

    /// Sends it until `read` makes something of the answer, it fails for good, or patience is over.
    pub(crate) fn repeat<T>(
        &self,
        ask: &Ask<'_>,
        read: impl Fn(Response<Body>) -> Result<T, Trouble>,
    ) -> Result<T, Error> {
        let until = openbao::deadline_in(self.settings.patience);
        let answered = openbao::retry_until(until, PAUSES, Trouble::may_pass, || {
            let left = until.saturating_duration_since(Instant::now());
            self.once(ask, left).and_then(&read)
        });
        answered.map_err(|trouble| Error {
            what: ask.what.clone(),
            bucket: self.url(),
            trouble,
        })
    }

    /// A list of which one page leads to itself.
    pub(crate) fn endless(&self, what: String) -> Error {
        Error {
            what,
            bucket: self.url(),
            trouble: Trouble::BadReply("its list goes round in a circle".to_owned()),
        }
    }

    fn once(&self, ask: &Ask<'_>, left: Duration) -> Result<Response<Body>, Trouble> {
        // A try that hangs leaves time for others.
        let needed = Duration::from_secs(ask.body.len() as u64 / SLOWEST);
        let limit = (self.settings.patience / 4 + needed)
            .min(left + needed)
            .max(Duration::from_millis(100));
        let limits = Limits {
            connect: limit.min(Duration::from_secs(10)),
            answer: limit,
            total: limit,
        };
        let request = self.request(ask)?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_connect(Some(limits.connect))
            .timeout_recv_response(Some(limits.answer))
            .timeout_global(Some(limits.total).filter(|_| !ask.endless))
            .build();
        let response = self.agent.run(request);
        let response = response.map_err(|error| transport(error, limits))?;
        let status = response.status().as_u16();
        if (200..300).contains(&status) {
            return Ok(response);
        }
        let said = text(response).unwrap_or_default();
        let refusal: Refusal = parse(&said).unwrap_or_default();
        Err(Trouble::Refused {
            status,
            code: refusal.code,
            message: refusal.message,
        })
    }

    fn request<'a>(&self, ask: &Ask<'a>) -> Result<Request<&'a [u8]>, Trouble> {
        let (scheme, host, before) = self.base();
        let path = format!("{before}/{}", ask.key);
        let body = signature::sha256(ask.body);
        let time = now();
        let signed = Signed {
            method: ask.method,
            host: &host,
            path: &path,
            query: ask.query,
            body: &body,
            time: &time,
        };
        let unusable = |why: &dyn std::fmt::Display| {
            Trouble::BadReply(format!("the request cannot be written: {why}"))
        };
        let (path, query) = (
            signature::encode_path(&path),
            signature::encode_query(ask.query),
        );
        let mark = if query.is_empty() { "" } else { "?" };
        let uri: Uri = format!("{scheme}://{host}{path}{mark}{query}")
            .parse()
            .map_err(|why| unusable(&why))?;
        let mut request = Request::builder().method(ask.method).uri(uri);
        for (name, value) in
            signature::headers(&signed, &self.settings.region, &self.settings.credentials)
        {
            let mut value =
                HeaderValue::from_str(value.expose_secret()).map_err(|why| unusable(&why))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        for (name, value) in ask.headers {
            request = request.header(*name, *value);
        }
        request.body(ask.body).map_err(|why| unusable(&why))
    }
}

/// Now, as signatures have it: `20130524T000000Z`.
fn now() -> String {
    let time = humantime::format_rfc3339_seconds(SystemTime::now()).to_string();
    time.replace(['-', ':'], "")
}

pub(crate) fn text(response: Response<Body>) -> Result<String, Trouble> {
    let mut text = String::new();
    let body = response.into_body();
    let mut reader = body.into_with_config().limit(LONGEST).reader();
    reader
        .read_to_string(&mut text)
        .map_err(|cause| Trouble::Transport(format!("its answer broke off: {}", plain(&cause))))?;
    Ok(text)
}

pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    quick_xml::de::from_str(text).map_err(|_| Trouble::BadReply("it is not S3's XML".to_owned()))
}

fn transport(error: ureq::Error, limits: Limits) -> Trouble {
    Trouble::Transport(match openbao::transport::trouble(error, limits) {
        openbao::Trouble::BadReply(why) => format!("its answer makes no sense: {why}"),
        trouble => trouble.to_string(),
    })
}
