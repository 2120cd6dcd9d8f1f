//! The tutorials, each from a clone of this repository to its end.

use std::{collections::BTreeMap, env, path::Path};

use zts_book::{Command, Outline, Step, Values, root};
use zts_testkit::{Run, Running, Signal, closed_port_pair};

use crate::{
    programs,
    shell::{Shells, Surroundings},
};

/// Ends the test in a build of Nix, which has no network for `tools/setup`.
macro_rules! skip_without_network {
    () => {
        if env::var_os("NIX_BUILD_TOP").is_some() {
            zts_testkit::skip!("a build of Nix has no network for tools/setup");
        }
    };
}

#[test]
fn a_fleet_from_nothing() {
    zts_testkit::require_bao!();
    skip_without_network!();
    follow("tutorial.md", &["127.0.0.1:8200"]);
}

#[test]
fn a_first_cluster() {
    zts_testkit::require_bao!();
    skip_without_network!();
    let nodes = ["127.0.0.1:8210", "127.0.0.1:8220", "127.0.0.1:8230"];
    follow("tutorial-cluster.md", &nodes);
}

/// Follows a tutorial on other ports than those of its addresses. Programs that run on are those of
/// other terminals than the first.
fn follow(page: &str, addresses: &[&str]) {
    let values = Values::from([("PASSWORD_OF_ALICE".to_owned(), "correct horse".to_owned())]);
    let mut shells = Shells::new(values);
    let ports: Vec<_> = addresses.iter().map(|_| closed_port_pair()).collect();
    let stands_for = addresses.iter().zip(&ports).map(|(shown, [first, _])| {
        let free = first.address();
        (
            (*shown).to_owned(),
            free.trim_start_matches("http://").to_owned(),
        )
    });
    let surroundings = surroundings(stands_for.collect());
    let mut running = BTreeMap::new();
    for command in commands(page) {
        match (command.place.as_str(), command.text.as_str()) {
            ("", _) => shells.run(&command, &surroundings),
            (terminal, "^C") => end(running.remove(terminal)),
            (terminal, _) => {
                let program = start(&command, &surroundings, &shells.home(""));
                running.insert(terminal.to_owned(), program);
            }
        }
    }
    assert!(
        running.is_empty(),
        "programs still run: {:?}",
        running.keys()
    );
}

/// Returns the commands of a page, with those of a section in place of `Follow [it](page#section)`.
fn commands(page: &str) -> Vec<Command> {
    let text = zts_book::read(page);
    let mut commands = Vec::new();
    for step in zts_book::steps(&text) {
        match step {
            Step::Run(command) => commands.push((command.line, vec![command])),
            Step::Configure(..) => panic!("nothing is configured here"),
        }
    }
    for (place, _) in text.match_indices("Follow [") {
        let target = text[place..]
            .split(['(', ')'])
            .nth(1)
            .expect("it is a link");
        let (other, anchor) = target.split_once('#').expect("it leads to a section");
        let line = text[..place].matches('\n').count() + 1;
        commands.push((line, commands_of_section(other, anchor)));
    }
    commands.sort_by_key(|(line, _)| *line);
    commands
        .into_iter()
        .flat_map(|(_, commands)| commands)
        .collect()
}

fn commands_of_section(page: &str, anchor: &str) -> Vec<Command> {
    let text = zts_book::read(page);
    let mut sections = text.split("\n## ").skip(1);
    let section = sections.find(|section| {
        let heading = section.lines().next().unwrap_or_default();
        Outline::parse(&format!("## {heading}"))
            .anchors
            .contains(anchor)
    });
    let section = section.unwrap_or_else(|| panic!("`{page}` has no section `{anchor}`"));
    let steps = zts_book::steps(section).into_iter();
    let commands = steps.map(|step| match step {
        Step::Run(command) => command,
        Step::Configure(..) => panic!("nothing is configured here"),
    });
    commands.collect()
}

/// A terminal in which a program runs on.
fn start(command: &Command, surroundings: &Surroundings, home: &Path) -> Running {
    let run = Run::new("/bin/sh")
        .args([
            "-c",
            &format!("exec env {}", surroundings.localize(&command.text)),
        ])
        .env("HOME", home)
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

/// A clone, and the programs and caches of this machine.
fn surroundings(stands_for: Vec<(String, String)>) -> Surroundings {
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
        stands_for,
        folder: Some(root()),
    }
}
