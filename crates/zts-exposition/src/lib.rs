//! Metrics in Prometheus's text format (version 0.0.4).
//!
//! A program declares its metrics as [`Family`] constants and writes a [`Page`] of them: to a file
//! for `node_exporter` or `vault-exporter` ([`write()`]), or as the answer to a scrape. [`parse`]
//! reads such a page.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod file;
mod page;
mod parse;

pub use file::write;
pub use page::{Family, Kind, Page, flag, number, seconds};
pub use parse::{Sample, parse};
