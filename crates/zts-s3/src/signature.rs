//! AWS Signature Version 4 in a request's headers (S3's API reference, "Authenticating Requests").

use std::fmt::Write;

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use ring::{digest, hmac};
use secrecy::{ExposeSecret, SecretString};

use crate::Credentials;

/// The characters that S3 needs encoded in a value: all but letters, digits and `-._~`.
const VALUE: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');
/// The same in a path, whose slashes stay.
const PATH: &AsciiSet = &VALUE.remove(b'/');

/// The signed parts of a request.
pub(crate) struct Signed<'a> {
    pub(crate) method: &'a str,
    pub(crate) host: &'a str,
    /// The path, not encoded.
    pub(crate) path: &'a str,
    /// The query, not encoded.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// The SHA-256 (hex) of the body.
    pub(crate) body: &'a str,
    /// The time of the request, such as `20130524T000000Z`.
    pub(crate) time: &'a str,
}

/// Returns the headers that authenticate a request.
pub(crate) fn headers(
    request: &Signed<'_>,
    region: &str,
    credentials: &Credentials,
) -> Vec<(&'static str, SecretString)> {
    let mut headers: Vec<(&'static str, SecretString)> = vec![
        ("host", request.host.into()),
        ("x-amz-content-sha256", request.body.into()),
        ("x-amz-date", request.time.into()),
    ];
    if let Some(token) = &credentials.session_token {
        headers.push(("x-amz-security-token", token.clone()));
    }
    let authorization = authorization(request, &headers, region, credentials);
    headers.push(("authorization", authorization.into()));
    headers
}

fn authorization(
    request: &Signed<'_>,
    headers: &[(&'static str, SecretString)],
    region: &str,
    credentials: &Credentials,
) -> String {
    let names: Vec<_> = headers.iter().map(|(name, _)| *name).collect();
    let names = names.join(";"); // already sorted
    let mut canonical = format!(
        "{}\n{}\n{}\n",
        request.method,
        encode_path(request.path),
        encode_query(request.query)
    );
    for (name, value) in headers {
        // writing to a String cannot fail
        let _ = writeln!(canonical, "{name}:{}", value.expose_secret());
    }
    let _ = write!(canonical, "\n{names}\n{}", request.body);
    let day = request.time.get(..8).unwrap_or_default();
    let scope = format!("{day}/{region}/s3/aws4_request");
    let digest = sha256(canonical.as_bytes());
    let text = format!("AWS4-HMAC-SHA256\n{}\n{scope}\n{digest}", request.time);
    let first = format!("AWS4{}", credentials.secret.expose_secret());
    let key = [day, region, "s3", "aws4_request"]
        .iter()
        .fold(first.into_bytes(), |key, part| sign(&key, part.as_bytes()));
    let signature = hex(&sign(&key, text.as_bytes()));
    let key_id = &credentials.key_id;
    format!(
        "AWS4-HMAC-SHA256 Credential={key_id}/{scope}, SignedHeaders={names}, Signature={signature}"
    )
}

/// Encodes a path for a URL.
pub(crate) fn encode_path(path: &str) -> String {
    utf8_percent_encode(path, PATH).to_string()
}

/// Encodes a query for a URL, without `?`, sorted as in the signature.
pub(crate) fn encode_query(query: &[(&str, &str)]) -> String {
    let encode = |text| utf8_percent_encode(text, VALUE);
    let mut pairs: Vec<_> = query
        .iter()
        .map(|(name, value)| format!("{}={}", encode(name), encode(value)))
        .collect();
    pairs.sort();
    pairs.join("&")
}

fn sign(key: &[u8], text: &[u8]) -> Vec<u8> {
    let key = hmac::Key::new(hmac::HMAC_SHA256, key);
    hmac::sign(&key, text).as_ref().to_vec()
}

/// Returns the SHA-256 (hex) of `bytes`.
pub(crate) fn sha256(bytes: &[u8]) -> String {
    hex(digest::digest(&digest::SHA256, bytes).as_ref())
}

fn hex(bytes: &[u8]) -> String {
    let mut text = String::with_capacity(2 * bytes.len());
    for byte in bytes {
        let _ = write!(text, "{byte:02x}");
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compares with the examples of S3's API reference ("Authenticating Requests: Using the
    /// Authorization Header") that sign these headers and no others.
    #[test]
    fn signatures_match_the_api_reference() {
        let credentials = Credentials {
            key_id: "AKIAIOSFODNN7EXAMPLE".to_owned(),
            secret: "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY".into(),
            session_token: None,
        };
        for (query, expected) in [
            (
                &[("max-keys", "2"), ("prefix", "J")][..],
                "34b48302e7b5fa45bde8084f4b7868a86f0a534bc59db6670ed5711ef69dc6f7",
            ),
            (
                &[("lifecycle", "")][..],
                "fea454ca298b7da1c68078a5d1bdbfbbe0d65c699e0f91ac7a200a0136783543",
            ),
        ] {
            let empty = sha256(b"");
            let request = Signed {
                method: "GET",
                host: "examplebucket.s3.amazonaws.com",
                path: "/",
                query,
                body: &empty,
                time: "20130524T000000Z",
            };
            let headers = headers(&request, "us-east-1", &credentials);
            let (_, authorization) = headers.last().unwrap();
            assert_eq!(
                authorization.expose_secret(),
                format!(
                    "AWS4-HMAC-SHA256 Credential=AKIAIOSFODNN7EXAMPLE/20130524/us-east-1/s3/aws4_request, \
                     SignedHeaders=host;x-amz-content-sha256;x-amz-date, Signature={expected}"
                )
            );
        }
    }

    #[test]
    fn special_characters_are_encoded_once() {
        assert_eq!(encode_path("/b/a b+ü~/c"), "/b/a%20b%2B%C3%BC~/c");
        assert_eq!(
            encode_query(&[("b", "x/y="), ("a", ""), ("a-", "1")]),
            "a-=1&a=&b=x%2Fy%3D"
        );
    }
}
