//! Metrics as Prometheus reads them: the text format (version 0.0.4), and files of it.
//!
//! A program names what it knows as [`Family`] constants, and writes a [`Page`] of them: to a file that
//! `node_exporter` or `vault-exporter` reads ([`write()`]), or as the answer to a scrape. [`parse`] reads
//! what others wrote.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod file;
mod page;
mod parse;
mod value;

pub use file::write;
pub use page::{Family, Kind, Page};
pub use parse::{Sample, parse};
pub use value::{flag, number, seconds};
