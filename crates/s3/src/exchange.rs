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

/// Longer than any answer but an object: a page of a listing has at most 1,000 keys of 1,024 bytes.
const LONGEST: u64 = 8 << 20;
/// How much is read of an error's description, in bytes.
const LONGEST_REFUSAL: u64 = 16 << 10;
/// How much is shown of it, in letters.
const SHOWN: usize = 500;
/// The longest tag of an answer, in bytes: each of its attributes is looked at.
const LONGEST_TAG: usize = 4 << 10;
/// How deep an answer's elements may lie in each other.
const DEEPEST: usize = 32;
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

    /// An answer to `what` that makes no sense, and why.
    pub(crate) fn bad_reply(&self, what: &str, why: String) -> Error {
        Error {
            what: what.to_owned(),
            bucket: self.url(),
            trouble: Trouble::BadReply(why),
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
        Err(refused(response))
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

/// Returns what a store says when it refuses. A description that is too long says nothing.
fn refused(response: Response<Body>) -> Trouble {
    let status = response.status().as_u16();
    let mut said = Vec::new();
    let body = response.into_body().into_with_config().limit(u64::MAX);
    let read = body.reader().take(LONGEST_REFUSAL).read_to_end(&mut said);
    let said = read.map_or(String::new(), |_| {
        String::from_utf8_lossy(&said).into_owned()
    });
    parse::<Refusal>(&said)
        .unwrap_or_default()
        .into_trouble(status)
}

impl Refusal {
    /// Returns the error that it describes, with as much of its words as a person reads, on one line.
    pub(crate) fn into_trouble(self, status: u16) -> Trouble {
        let shown = |text: &str| -> String {
            let plain = text.split(|letter: char| letter.is_control() || letter == ' ');
            let words: Vec<_> = plain.filter(|word| !word.is_empty()).collect();
            words.join(" ").chars().take(SHOWN).collect()
        };
        Trouble::Refused {
            status,
            code: shown(&self.code),
            message: shown(&self.message),
        }
    }
}

pub(crate) fn text(response: Response<Body>) -> Result<String, Trouble> {
    let mut text = Vec::new();
    let body = response.into_body().into_with_config().limit(u64::MAX);
    body.reader()
        .take(LONGEST + 1)
        .read_to_end(&mut text)
        .map_err(|cause| Trouble::Transport(format!("its answer broke off: {}", plain(&cause))))?;
    if text.len() as u64 > LONGEST {
        return Err(Trouble::BadReply(
            "it is longer than S3's can be".to_owned(),
        ));
    }
    String::from_utf8(text).map_err(|_| Trouble::BadReply("it is no text".to_owned()))
}

pub(crate) fn parse<T: DeserializeOwned>(text: &str) -> Result<T, Trouble> {
    if !is_simple(text) {
        return Err(Trouble::BadReply("its XML is no answer of S3's".to_owned()));
    }
    quick_xml::de::from_str(text).map_err(|_| Trouble::BadReply("it is not S3's XML".to_owned()))
}

/// Whether the tags of an XML text are short and not deep in each other, as all of S3's are.
fn is_simple(text: &str) -> bool {
    let mut depth = 0_usize;
    // What stands between two tags may hold a `>`, but no `<`.
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

fn transport(error: ureq::Error, limits: Limits) -> Trouble {
    Trouble::Transport(match openbao::transport::trouble(error, limits) {
        openbao::Trouble::BadReply(why) => format!("its answer makes no sense: {why}"),
        trouble => trouble.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::{multipart::Uploads, objects::Listing};

    /// What answers, and those that only look like one, are made of.
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
    fn what_is_not_simple_is_not_parsed() {
        let tag = |length: usize| format!("<Error {}></Error>", "a".repeat(length));
        assert!(is_simple(&tag(100)) && !is_simple(&tag(LONGEST_TAG)));
        let deep = |depth: usize| format!("{}{}", "<a>".repeat(depth), "</a>".repeat(depth));
        assert!(is_simple(&deep(DEEPEST)) && !is_simple(&deep(DEEPEST + 1)));
        assert!(is_simple(&"<a/><b></b>".repeat(1_000)) && !is_simple("<Error"));
    }

    #[test]
    fn a_refusals_words_are_one_short_line() {
        let refusal = Refusal {
            code: "A\u{1b}[31m\n\tB".to_owned(),
            message: "wort ".repeat(10_000),
        };
        let Trouble::Refused { code, message, .. } = refusal.into_trouble(403) else {
            panic!("it is refused");
        };
        assert_eq!(
            (code.as_str(), message.chars().count()),
            ("A [31m B", SHOWN)
        );
    }

    proptest! {
        #[test]
        fn a_list_gives_its_keys_back(
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
            let listing: Listing = parse(&text).unwrap();
            let found = listing.contents.into_iter().map(|object| (object.key, object.size));
            prop_assert_eq!(found.collect::<Vec<_>>(), keys);
        }

        #[test]
        fn anything_else_is_refused_or_parsed(
            pieces in prop::collection::vec(prop::sample::select(&PIECES[..]), 0..40), text in ".{0,200}",
        ) {
            for text in [pieces.concat(), text] {
                let _ = parse::<Listing>(&text);
                let _ = parse::<Uploads>(&text);
                let _ = parse::<Refusal>(&text);
            }
        }
    }
}
