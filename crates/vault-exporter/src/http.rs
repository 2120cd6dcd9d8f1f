//! What is asked and answered on one connection.

use exposition::Page;

/// No request of Prometheus is longer.
const LARGEST: usize = 16 << 10;

const INDEX: &str = "vault-exporter: the metrics are at /metrics\n";

/// What a client asks for.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The request has not ended yet.
    Unfinished,
    /// The metrics.
    Metrics {
        /// Whether the answer has a body.
        with_body: bool,
    },
    /// Something else, with the answer to it.
    Other(Vec<u8>),
}

impl Request {
    /// Reads what has come in so far.
    pub(crate) fn read(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Partial) if bytes.len() < LARGEST => Self::Unfinished,
            Ok(httparse::Status::Complete(_)) => Self::of(
                request.method.unwrap_or_default(),
                request.path.unwrap_or_default(),
            ),
            _ => Self::Other(plain("400 Bad Request", "this is no HTTP request\n", true)),
        }
    }

    fn of(method: &str, path: &str) -> Self {
        let with_body = method != "HEAD";
        let path = path.split('?').next().unwrap_or_default();
        match (method, path) {
            ("GET" | "HEAD", "/metrics") => Self::Metrics { with_body },
            ("GET" | "HEAD", "/") => Self::Other(plain("200 OK", INDEX, with_body)),
            ("GET" | "HEAD", _) => Self::Other(plain("404 Not Found", INDEX, with_body)),
            _ => Self::Other(plain("405 Method Not Allowed", "only GET\n", with_body)),
        }
    }
}

/// The answer with the metrics.
pub(crate) fn metrics(page: &Page, with_body: bool) -> Vec<u8> {
    let kind = "text/plain; version=0.0.4; charset=utf-8";
    answer("200 OK", kind, page.as_str(), with_body)
}

fn plain(status: &str, text: &str, with_body: bool) -> Vec<u8> {
    answer(status, "text/plain; charset=utf-8", text, with_body)
}

fn answer(status: &str, kind: &str, text: &str, with_body: bool) -> Vec<u8> {
    let length = text.len();
    let mut message = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    if with_body {
        message.push_str(text);
    }
    message.into_bytes()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_request_is_read_as_it_comes_in() {
        let whole = b"GET /metrics?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(Request::read(&whole[..end]), Request::Unfinished, "{end}");
        }
        let with_body = true;
        assert_eq!(Request::read(whole), Request::Metrics { with_body });
        let endless = [&whole[..30], &[b'a'; LARGEST]].concat();
        assert!(matches!(Request::read(&endless), Request::Other(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn whatever_is_sent_gets_an_answer_or_is_unfinished(
            bytes in prop_oneof![
                "(GET|HEAD|PUT) /(metrics)?[?a-z]{0,4} HTTP/1.[01]\r\n([A-Za-z]{1,5}: .{0,9}\r\n){0,3}(\r\n)?".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..300),
            ]
        ) {
            if let Request::Other(answer) = Request::read(&bytes) {
                prop_assert!(answer.starts_with(b"HTTP/1.1 "));
            }
        }
    }
}
