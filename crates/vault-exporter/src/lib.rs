//! Metrics of an OpenBao cluster, seen from outside. A node that is sealed, unreachable or without
//! a leader cannot report that itself.
//!
//! It needs no token. A scrape probes all nodes at once ([`probe`]), writes the answers to a page
//! ([`page`], with the metrics of [`families`]) and adds the files of other programs
//! ([`textfiles`]). [`server`] serves the page over HTTP ([`http`]).

mod cli;
mod families;
mod http;
mod nodes;
mod page;
mod probe;
mod server;
mod textfiles;

pub use cli::Arguments;

use std::time::Instant;

use zts_cli::{Failure, data, note};
use zts_exposition::Page;

use nodes::Nodes;

/// Runs the program: it serves until it is ended.
///
/// # Errors
/// A configuration that cannot be used, an address that cannot be listened on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let nodes = Nodes::new(&arguments)?;
    let directories = arguments.textfile_directory;
    let scrape = move || {
        let started = Instant::now();
        let mut page = Page::default();
        let probes = probe::probe_all(&nodes);
        page::add_nodes(&mut page, &probes, &nodes);
        textfiles::add_files(&mut page, &directories);
        page::add_exporter(&mut page, started.elapsed());
        page
    };
    if arguments.once {
        return data(scrape().as_str().trim_end());
    }
    let server = server::Server::bind(&arguments.listen)?;
    note(format_args!("listens on {}", server.address()));
    // fails where systemd did not start this process
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    server.serve(scrape)
}
