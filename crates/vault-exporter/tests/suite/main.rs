//! `vault-exporter` on real servers and clusters, through the binary.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod answers;
mod certificates;
mod hostile;
mod monitoring;
mod nodes;
mod textfiles;

use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

use zts_exposition::Sample;
use zts_testkit::{Run, Running};

/// A running exporter, on a free port.
pub(crate) struct Exporter {
    pub(crate) process: Running,
    pub(crate) address: String,
}

pub(crate) fn run(arguments: &[&str]) -> Run {
    Run::new(env!("CARGO_BIN_EXE_vault-exporter")).args(arguments)
}

impl Exporter {
    pub(crate) fn start(run: Run) -> Self {
        let process = run.args(["--listen", "127.0.0.1:0"]).start();
        let address = process.listen_address();
        Self { process, address }
    }

    /// Scrapes the exporter.
    pub(crate) fn scrape(&self) -> Page {
        let (head, body) = self.request("GET /metrics HTTP/1.1\r\nHost: a\r\n\r\n");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        Page::parse(&body)
    }

    /// Sends a request; returns head and body of the response.
    pub(crate) fn request(&self, request: &str) -> (String, String) {
        let mut stream = self.connect();
        stream.write_all(request.as_bytes()).unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.to_owned() + "\r\n", body.to_owned())
    }

    pub(crate) fn connect(&self) -> TcpStream {
        let stream = TcpStream::connect(&self.address).unwrap();
        let limit = Some(Duration::from_secs(30));
        stream.set_read_timeout(limit).unwrap();
        stream
    }
}

/// The result of a scrape.
pub(crate) struct Page {
    pub(crate) text: String,
    samples: Vec<Sample>,
}

impl Page {
    pub(crate) fn parse(text: &str) -> Self {
        let samples =
            zts_exposition::parse(text).unwrap_or_else(|line| panic!("line {line}: {text}"));
        Self {
            text: text.to_owned(),
            samples,
        }
    }

    /// Returns the value of a metric with this label among others, or without labels.
    pub(crate) fn value(&self, name: &str, label: Option<(&str, &str)>) -> Option<f64> {
        let has = |sample: &&Sample| match label {
            None => sample.labels.is_empty(),
            Some((label, value)) => {
                let mut labels = sample.labels.iter();
                labels.any(|(known, text)| known == label && text == value)
            }
        };
        let mut found = self
            .samples
            .iter()
            .filter(|sample| sample.name == name)
            .filter(has);
        found.next().map(|sample| sample.value)
    }

    /// Returns a whole number: a node's value of `vault_node_<name>`.
    pub(crate) fn node(&self, name: &str, node: &str) -> Option<i64> {
        whole(self.value(&format!("vault_node_{name}"), Some(("node", node))))
    }

    pub(crate) fn cluster(&self, name: &str) -> Option<i64> {
        whole(self.value(&format!("vault_cluster_{name}"), None))
    }
}

#[expect(clippy::cast_possible_truncation, reason = "whole numbers, and small")]
fn whole(value: Option<f64>) -> Option<i64> {
    let value = value?;
    assert!(value.fract() == 0.0, "{value} is no whole number");
    Some(value as i64)
}
