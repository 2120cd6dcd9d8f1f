//! The tutorial, from a clone of this repository to the day OpenBao is gone.

use std::{env, net::TcpListener};

use zts_book::{Command, Step, Values, root};
use zts_testkit::{Run, Running, Signal};

use crate::{
    programs,
    shell::{Shells, Surroundings},
};

const ADDRESS: &str = "127.0.0.1:8200";

#[test]
fn a_fleet_from_nothing() {
    zts_testkit::require_bao!();
    if env::var_os("NIX_BUILD_TOP").is_some() {
        zts_testkit::skip!("a build of Nix has no network for tools/setup");
    }
    let mut shells = Shells::new(Values::new());
    let surroundings = surroundings();
    let mut server = None;
    for step in zts_book::steps(&zts_book::read("tutorial.md")) {
        let Step::Run(command) = step else {
            panic!("nothing is configured here")
        };
        match (command.place.as_str(), command.text.as_str()) {
            ("", _) => shells.run(&command, &surroundings),
            ("server", "^C") => end(server.take()),
            ("server", _) => server = Some(start(&command, &surroundings)),
            (other, _) => panic!("`{other}` is no terminal"),
        }
    }
}

/// A terminal in which a program runs on.
fn start(command: &Command, surroundings: &Surroundings) -> Running {
    let run = Run::new("/bin/sh")
        .args([
            "-c",
            &format!("exec env {}", surroundings.localize(&command.text)),
        ])
        .timeout(std::time::Duration::from_secs(600));
    let each = surroundings.variables.iter();
    each.fold(run, |run, (name, value)| run.env(name, value))
        .start()
}

fn end(server: Option<Running>) {
    let mut server = server.expect("it was started");
    server.signal(Signal::INT);
    server.finish();
}

/// A clone, the programs and caches of this machine, and a port that is free.
fn surroundings() -> Surroundings {
    let free = TcpListener::bind("127.0.0.1:0").and_then(|listener| listener.local_addr());
    let address = free.expect("a port is free").to_string();
    let mut variables = Values::from([("PATH".to_owned(), programs::path())]);
    let kept = ["CARGO_HOME", "RUSTUP_HOME", "XDG_CACHE_HOME", "TMPDIR"];
    for name in kept {
        if let Ok(value) = env::var(name) {
            variables.insert(name.to_owned(), value);
        }
    }
    // The shell has another home than the machine's caches.
    for (name, folder) in [
        ("CARGO_HOME", ".cargo"),
        ("RUSTUP_HOME", ".rustup"),
        ("XDG_CACHE_HOME", ".cache"),
    ] {
        if let Ok(home) = env::var("HOME") {
            variables
                .entry(name.to_owned())
                .or_insert(format!("{home}/{folder}"));
        }
    }
    let target = programs::build_programs()
        .parent()
        .expect("it is below the target folder");
    // A folder of its own: what is built there with other features must not replace what other
    // tests run.
    let target = target.join("tutorial").display().to_string();
    variables.insert("CARGO_TARGET_DIR".to_owned(), target);
    Surroundings {
        variables,
        stands_for: vec![(ADDRESS.to_owned(), address)],
        folder: Some(root()),
    }
}
