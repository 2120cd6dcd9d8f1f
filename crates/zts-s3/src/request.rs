//! One request, signed, sent and repeated.

use std::{
    io::Read,
    time::{Duration, Instant, SystemTime},
};

use base64::prelude::{BASE64_STANDARD, Engine as _};
use md5::{Digest as _, Md5};
use secrecy::ExposeSecret;
use serde::{Deserialize, de::DeserializeOwned};
use ureq::{
    Body,
    http::{HeaderValue, Request, Response, Uri},
};
use zts_net::{Limits, bounded::read_body, classify_error, deadline_in, plain_text, retry_until};

use crate::{
    Bucket, Cause, Error,
    signature::{self, Signed},
};

/// The largest answer but an object, in bytes: a page of a listing has at most 1,000 keys of 1,024
/// bytes.
const LARGEST: u64 = 8 << 20;
/// The most bytes that are read of an error's description.
const LARGEST_ERROR: u64 = 16 << 10;
/// The most characters of an error's code or message in a message.
const LONGEST_TEXT: usize = 500;
/// The longest tag of an answer, in bytes.
const LONGEST_TAG: usize = 4 << 10;
/// The deepest nesting of an answer's elements.
const DEEPEST: usize = 32;
/// The lowest rate at which a store may accept a body, in bytes a second.
const LOWEST_RATE: u64 = 256 << 10;
/// The first and the longest pause between two attempts.
const PAUSES: [Duration; 2] = [Duration::from_millis(300), Duration::from_secs(10)];

/// One request of the API.
#[derive(Default)]
pub(crate) struct Operation<'a> {
    /// The action and its object for errors, such as "reading `a`".
    pub(crate) action: String,
    pub(crate) method: &'a str,
    /// The object's key; empty for the bucket itself.
    pub(crate) key: &'a str,
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Headers that are not signed.
    pub(crate) headers: &'a [(&'static str, &'static str)],
    pub(crate) body: &'a [u8],
    /// Lets the answer's body take any time.
    pub(crate) is_stream: bool,
}

/// S3's description of an error (API reference, "REST error responses").
#[derive(Deserialize, Default)]
pub(crate) struct ErrorBody {
    #[serde(rename = "Code", default)]
    pub(crate) code: String,
    #[serde(rename = "Message", default)]
    pub(crate) message: String,
}

impl Bucket {
    /// Sends the request until it succeeds, fails for good, or the retry timeout is over.
    pub(crate) fn send(&self, operation: &Operation<'_>) -> Result<Response<Body>, Error> {
        self.send_and_read(operation, Ok)
    }

    /// Like [`Bucket::send`], and parses the answer, which is XML.
    pub(crate) fn send_and_parse<T: DeserializeOwned>(
        &self,
        operation: &Operation<'_>,
    ) -> Result<T, Error> {
        self.send_and_read(operation, |response| parse_xml(&read_text(response)?))
    }

    /// Like [`Bucket::send`], and reads the answer with `read`. The request is repeated where that
    /// fails, too.
    pub(crate) fn send_and_read<T>(
        &self,
        operation: &Operation<'_>,
        read: impl Fn(Response<Body>) -> Result<T, Cause>,
    ) -> Result<T, Error> {
        let deadline = deadline_in(self.settings.retry_timeout);
        retry_until(deadline, PAUSES, Cause::is_transient, || {
            let left = deadline.saturating_duration_since(Instant::now());
            self.send_once(operation, left).and_then(&read)
        })
        .map_err(|cause| self.error(&operation.action, cause))
    }

    /// Returns the error of a failed `action`.
    pub(crate) fn error(&self, action: &str, cause: Cause) -> Error {
        Error {
            action: action.to_owned(),
            bucket: self.url(),
            cause,
        }
    }

    fn send_once(
        &self,
        operation: &Operation<'_>,
        left: Duration,
    ) -> Result<Response<Body>, Cause> {
        // an attempt that hangs leaves time for others
        let needed = Duration::from_secs(operation.body.len() as u64 / LOWEST_RATE);
        let limit = (self.settings.retry_timeout / 4 + needed)
            .min(left + needed)
            .max(Duration::from_millis(100));
        let limits = Limits {
            connect: limit.min(Duration::from_secs(10)),
            answer: limit,
            total: limit,
        };
        let request = self.signed_request(operation)?;
        let request = self
            .agent
            .configure_request(request)
            .timeout_connect(Some(limits.connect))
            .timeout_resolve(Some(limits.connect))
            .timeout_recv_response(Some(limits.answer))
            .timeout_global(Some(limits.total).filter(|_| !operation.is_stream))
            .build();
        let response = self
            .agent
            .run(request)
            .map_err(|error| classify_error(error, limits).error)?;
        if response.status().is_success() {
            return Ok(response);
        }
        Err(read_error(response))
    }

    fn signed_request<'a>(&self, operation: &Operation<'a>) -> Result<Request<&'a [u8]>, Cause> {
        let (scheme, host, before) = self.base();
        let path = format!("{before}/{}", operation.key);
        let body = signature::sha256(operation.body);
        let time = signature_time(SystemTime::now());
        let signed = Signed {
            method: operation.method,
            host: &host,
            path: &path,
            query: operation.query,
            body: &body,
            time: &time,
        };
        let invalid = |why: &dyn std::fmt::Display| {
            Cause::BadReply(format!("the request cannot be written: {why}"))
        };
        let (path, query) = (
            signature::encode_path(&path),
            signature::encode_query(operation.query),
        );
        let mark = if query.is_empty() { "" } else { "?" };
        let uri: Uri = format!("{scheme}://{host}{path}{mark}{query}")
            .parse()
            .map_err(|why| invalid(&why))?;
        let mut request = Request::builder().method(operation.method).uri(uri);
        for (name, value) in
            signature::headers(&signed, &self.settings.region, &self.settings.credentials)
        {
            let mut value =
                HeaderValue::from_str(value.expose_secret()).map_err(|why| invalid(&why))?;
            value.set_sensitive(true);
            request = request.header(name, value);
        }
        for (name, value) in operation.headers {
            request = request.header(*name, *value);
        }
        if operation.method == "PUT" {
            request = request.header("content-md5", md5(operation.body));
        }
        request.body(operation.body).map_err(|why| invalid(&why))
    }
}

/// Returns the value of `Content-MD5`. Buckets with object lock refuse an upload without it or
/// another digest in a header of its own (API reference, `PutObject`); the signature's SHA-256 does
/// not count.
fn md5(body: &[u8]) -> String {
    BASE64_STANDARD.encode(Md5::digest(body))
}

/// Formats a time as signatures need it: `20130524T000000Z`.
fn signature_time(time: SystemTime) -> String {
    let time = humantime::format_rfc3339_seconds(time).to_string();
    time.replace(['-', ':'], "")
}

/// Returns the cause in an answer with an error status. A description that is too long is dropped.
fn read_error(response: Response<Body>) -> Cause {
    let status = response.status().as_u16();
    let mut text = Vec::new();
    let body = response.into_body().into_with_config().limit(u64::MAX);
    let read = body.reader().take(LARGEST_ERROR).read_to_end(&mut text);
    let text = read.map_or(String::new(), |_| {
        String::from_utf8_lossy(&text).into_owned()
    });
    parse_xml::<ErrorBody>(&text)
        .unwrap_or_default()
        .into_cause(status)
}

impl ErrorBody {
    /// Returns the cause that it describes, each text on one line of at most [`LONGEST_TEXT`]
    /// characters.
    pub(crate) fn into_cause(self, status: u16) -> Cause {
        let one_line = |text: &str| -> String {
            let words = text.split(|letter: char| letter.is_control() || letter == ' ');
            let words: Vec<_> = words.filter(|word| !word.is_empty()).collect();
            words.join(" ").chars().take(LONGEST_TEXT).collect()
        };
        Cause::Refused {
            status,
            code: one_line(&self.code),
            message: one_line(&self.message),
        }
    }
}

/// Reads the text of an answer.
pub(crate) fn read_text(response: Response<Body>) -> Result<String, Cause> {
    let body = response.into_body();
    let reader = body.into_with_config().limit(u64::MAX).reader();
    let text = read_body(reader, None, LARGEST)
        .map_err(|cause| Cause::BrokenOff(plain_text(&cause)))?
        .ok_or_else(|| Cause::BadReply("it is larger than 8 MiB".to_owned()))?;
    String::from_utf8(text.to_vec()).map_err(|_| Cause::BadReply("it is not UTF-8".to_owned()))
}

/// Parses the XML of an answer.
pub(crate) fn parse_xml<T: DeserializeOwned>(text: &str) -> Result<T, Cause> {
    if !is_simple(text) {
        return Err(Cause::BadReply(
            "its XML has tags that are too long or too deep".to_owned(),
        ));
    }
    quick_xml::de::from_str(text)
        .map_err(|_| Cause::BadReply("it is not the XML expected here".to_owned()))
}

/// Returns whether the tags of an XML text are short and not deeply nested, as all of S3's are.
fn is_simple(text: &str) -> bool {
    let mut depth = 0_usize;
    // the text between two tags may hold a `>`, but no `<`
    for tag in text.split('<').skip(1) {
        let Some(length) = tag.find('>').filter(|length| *length <= LONGEST_TAG) else {
            return false;
        };
        let tag = &tag[..length];
        if tag.starts_with('/') {
            depth = depth.saturating_sub(1);
        } else if !tag.ends_with('/') && !tag.starts_with(['?', '!']) {
            depth += 1;
        }
        if depth > DEEPEST {
            return false;
        }
    }
    true
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{multipart::Uploads, objects::Listing};

    /// Parts of answers and of texts that resemble them.
    const PIECES: [&str; 24] = [
        "<ListBucketResult>",
        "</ListBucketResult>",
        "<Contents>",
        "</Contents>",
        "<Key>",
        "</Key>",
        "<Size>",
        "</Size>",
        "<Upload>",
        "</Upload>",
        "<Error>",
        "<Code>",
        "</Code>",
        "<a b=\"\" b='c'>",
        "<Key/>",
        "</",
        "<![CDATA[",
        "]]>",
        "<!-- ",
        "-->",
        "&amp;",
        "&#0;",
        "&#x110000;",
        "12345678901234567890123",
    ];

    #[test]
    fn long_tags_and_deep_nesting_are_rejected() {
        let tag = |length: usize| format!("<Error {}></Error>", "a".repeat(length));
        assert!(is_simple(&tag(100)) && !is_simple(&tag(LONGEST_TAG)));
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(is_simple(&deep(DEEPEST)) && !is_simple(&deep(DEEPEST + 1)));
        assert!(is_simple(&"<a/><b></b>".repeat(1_000)) && !is_simple("<Error"));
    }

    #[test]
    fn an_error_description_is_one_short_line() {
        let body = ErrorBody {
            code: "A\u{1b}[31m\n\tB".to_owned(),
            message: "wort ".repeat(10_000),
        };
        let Cause::Refused { code, message, .. } = body.into_cause(403) else {
            panic!("it is refused");
        };
        assert_eq!(
            (code.as_str(), message.chars().count()),
            ("A [31m B", LONGEST_TEXT)
        );
    }

    proptest! {
        #[test]
        fn a_listing_is_parsed(
            keys in prop::collection::vec(("[^\\p{C}\\p{Z}]{1,40}", any::<u64>()), 0..20),
        ) {
            let entries: Vec<_> = keys
                .iter()
                .map(|(key, size)| {
                    let key = quick_xml::escape::escape(key);
                    format!("<Contents><Key>{key}</Key><Size>{size}</Size></Contents>")
                })
                .collect();
            let text = format!("<ListBucketResult>{}</ListBucketResult>", entries.concat());
            let listing: Listing = parse_xml(&text).unwrap();
            let parsed = listing.contents.into_iter().map(|object| (object.key, object.size));
            prop_assert_eq!(parsed.collect::<Vec<_>>(), keys);
        }

        #[test]
        fn other_texts_do_not_panic(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40), text in ".{0,200}",
        ) {
            for text in [pieces.concat(), text] {
                let _ = parse_xml::<Listing>(&text);
                let _ = parse_xml::<Uploads>(&text);
                let _ = parse_xml::<ErrorBody>(&text);
            }
        }
    }
}
