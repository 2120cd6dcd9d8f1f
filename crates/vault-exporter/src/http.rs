//! Requests and responses of one connection.

use zts_exposition::Page;

/// The largest request in bytes; Prometheus sends shorter ones.
const MAX_REQUEST: usize = 16 << 10;

const INDEX: &str = "vault-exporter: the metrics are at /metrics\n";

/// A request, or the part of it that was received.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Request {
    /// The request is not complete yet.
    Incomplete,
    /// A request of the metrics.
    Metrics {
        /// True for `GET`, false for `HEAD`.
        with_body: bool,
    },
    /// Another request, with its response.
    Other(Vec<u8>),
}

impl Request {
    /// Parses the bytes that were received so far.
    pub(crate) fn parse(bytes: &[u8]) -> Self {
        let mut headers = [httparse::EMPTY_HEADER; 64];
        let mut request = httparse::Request::new(&mut headers);
        match request.parse(bytes) {
            Ok(httparse::Status::Partial) if bytes.len() < MAX_REQUEST => Self::Incomplete,
            Ok(httparse::Status::Complete(_)) => Self::route(
                request.method.unwrap_or_default(),
                request.path.unwrap_or_default(),
            ),
            _ => Self::Other(text_response(
                "400 Bad Request",
                "not an HTTP request\n",
                true,
            )),
        }
    }

    fn route(method: &str, path: &str) -> Self {
        let with_body = method != "HEAD";
        let path = path.split('?').next().unwrap_or_default();
        match (method, path) {
            ("GET" | "HEAD", "/metrics") => Self::Metrics { with_body },
            ("GET" | "HEAD", "/") => Self::Other(text_response("200 OK", INDEX, with_body)),
            ("GET" | "HEAD", _) => Self::Other(text_response("404 Not Found", INDEX, with_body)),
            _ => Self::Other(text_response(
                "405 Method Not Allowed",
                "only GET\n",
                with_body,
            )),
        }
    }
}

/// Returns the response with the metrics.
pub(crate) fn metrics_response(page: &Page, with_body: bool) -> Vec<u8> {
    let content_type = "text/plain; version=0.0.4; charset=utf-8";
    response("200 OK", content_type, page.as_str(), with_body)
}

fn text_response(status: &str, text: &str, with_body: bool) -> Vec<u8> {
    response(status, "text/plain; charset=utf-8", text, with_body)
}

fn response(status: &str, content_type: &str, text: &str, with_body: bool) -> Vec<u8> {
    let length = text.len();
    let mut message = format!(
        "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
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
    fn requests_are_parsed_in_pieces() {
        let whole = b"GET /metrics?a=b HTTP/1.1\r\nHost: a\r\n\r\n";
        for end in 0..whole.len() {
            assert_eq!(Request::parse(&whole[..end]), Request::Incomplete, "{end}");
        }
        let with_body = true;
        assert_eq!(Request::parse(whole), Request::Metrics { with_body });
        let endless = [&whole[..30], &[b'a'; MAX_REQUEST]].concat();
        assert!(matches!(Request::parse(&endless), Request::Other(_)));
    }

    proptest! {
        #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn any_request_gets_a_response_or_is_incomplete(
            bytes in prop_oneof![
                "(GET|HEAD|PUT) /(metrics)?[?a-z]{0,4} HTTP/1.[01]\r\n([A-Za-z]{1,5}: .{0,9}\r\n){0,3}(\r\n)?".prop_map(String::into_bytes),
                prop::collection::vec(any::<u8>(), 0..300),
            ]
        ) {
            if let Request::Other(response) = Request::parse(&bytes) {
                prop_assert!(response.starts_with(b"HTTP/1.1 "));
            }
        }
    }
}
