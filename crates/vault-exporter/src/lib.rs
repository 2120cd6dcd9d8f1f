//! Metrics of an OpenBao cluster, seen from outside: what OpenBao's own endpoint cannot say, because a
//! node that is sealed, lost or without a leader does not know, or does not answer.
//!
//! It needs no token. A scrape asks all nodes at once ([`look`]), and what they answered becomes a page
//! ([`page`], whose metrics are named in [`families`]) with the files of other programs behind it
//! ([`textfiles`]). [`server`] hands it out, as [`http`] has it.

mod certificate;
mod cli;
mod families;
mod http;
mod look;
mod nodes;
mod page;
mod server;
mod textfiles;

pub use cli::Arguments;

use std::time::Instant;

use ::cli::{Failure, data, note};
use exposition::Page;

use nodes::Nodes;

/// Runs the program: it serves until it is told to end.
///
/// # Errors
/// A configuration that cannot be used, an address that cannot be listened on.
pub fn run(arguments: Arguments) -> Result<(), Failure> {
    let nodes = Nodes::new(&arguments)?;
    let folders = arguments.textfile_directory;
    let scrape = move || {
        let began = Instant::now();
        let mut page = Page::default();
        page::nodes(&mut page, &look::all(&nodes), &nodes);
        textfiles::add(&mut page, &folders);
        page::own(&mut page, began.elapsed());
        page
    };
    if arguments.once {
        return data(scrape().as_str().trim_end());
    }
    let server = server::Server::bind(&arguments.listen)?;
    note(format_args!("listens on {}", server.address()));
    // Nobody waits where it was not systemd that started this.
    let _ = sd_notify::notify(&[sd_notify::NotifyState::Ready]);
    server.serve(scrape)
}
