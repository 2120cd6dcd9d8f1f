//! The references of commands and exit statuses match the programs' definitions.
//!
//! `BOOK=write cargo test -p zts-book --test suite reference` writes both again.

use std::{
    collections::{BTreeMap, BTreeSet},
    env,
    fmt::Write,
    fs,
};

use clap::Command;
use serde_json::Value;
use zts_book::{docs, root};
use zts_cli::command;

/// The width of a common terminal, which the pages of the book have room for.
const WIDTH: usize = 80;

/// Returns all programs, in the order in which people meet them.
fn programs() -> Vec<Command> {
    vec![
        command::<create_host::Arguments>(),
        command::<vault_import::Arguments>(),
        command::<vault_plan::Arguments>(),
        command::<vault_unwrap::Arguments>(),
        command::<vault_fetch::Arguments>(),
        command::<vault_secrets::Arguments>(),
        command::<vault_certs::Arguments>(),
        command::<vault_init::Arguments>(),
        command::<vault_unseal::Arguments>(),
        command::<vault_node::Arguments>(),
        command::<vault_snapshot::Arguments>(),
        command::<vault_exporter::Arguments>(),
    ]
}

#[test]
fn every_program_is_in_the_reference() {
    let crates = fs::read_dir(root().join("crates")).expect("the crates are listed");
    let present: BTreeSet<_> = crates
        .flatten()
        .filter(|folder| folder.path().join("src/main.rs").exists())
        .map(|folder| folder.file_name().to_string_lossy().into_owned())
        .collect();
    let listed: BTreeSet<_> = programs()
        .iter()
        .map(|program| program.get_name().to_owned())
        .collect();
    assert_eq!(listed, present, "`programs` in {} lists them", file!());
}

#[test]
fn commands() {
    let mut text = "# Commands\n\n\
        What `--help` of each program says. Man pages and completions of the same definitions come with the\n\
        packages; `PROGRAM --generate man|bash|zsh|fish` prints them, and `PROGRAM --generate man DIRECTORY`\n\
        writes the pages of all subcommands.\n"
        .to_owned();
    for program in programs() {
        let mut program = program.term_width(WIDTH);
        program.build();
        section(&mut text, &mut program, "##");
    }
    current("reference/commands.md", &text);
}

/// Writes the help of a command and of its subcommands.
fn section(text: &mut String, command: &mut Command, level: &str) {
    let name = command
        .get_bin_name()
        .unwrap_or(command.get_name())
        .to_owned();
    let help = command.render_long_help().to_string();
    let lines: Vec<_> = help.lines().map(str::trim_end).collect();
    write!(
        text,
        "\n{level} {name}\n\n```text\n{}\n```\n",
        lines.join("\n").trim_end()
    )
    .expect("text");
    for part in command.get_subcommands_mut() {
        if part.get_name() != "help" && !part.is_hide_set() {
            section(text, part, "###");
        }
    }
}

/// A terminal breaks no line, and what is no command is a comment of the shell.
#[test]
fn examples_can_be_pasted() {
    let (mut count, mut wrong) = (0, Vec::new());
    for program in programs() {
        let name = program.get_name().to_owned();
        let subcommands = program.get_subcommands().cloned().collect::<Vec<_>>();
        for command in [program].into_iter().chain(subcommands) {
            let help = command.get_after_help().or(command.get_after_long_help());
            let help = help.map(ToString::to_string).unwrap_or_default();
            let examples = help.split("Examples:\n").nth(1).unwrap_or_default();
            let examples = examples.split("\n\n").next().unwrap_or_default();
            for line in examples.lines() {
                count += 1;
                let words = line.trim_start().split_once("   ");
                let is_comment = words.is_none_or(|(_, rest)| rest.trim_start().starts_with('#'));
                if line.chars().count() > WIDTH || !is_comment {
                    wrong.push(format!("{name}: {line}"));
                }
            }
        }
    }
    assert!(count > 35, "only {count} lines of examples");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn exit_statuses() {
    let mut text = "# Exit statuses\n\n\
        All programs mean the same by them:\n\n\
        - 0: the job is done;\n\
        - 1: the job failed: the message says on what and why, and trying again may help;\n\
        - 2: wrong usage or configuration: trying again does not help.\n\n\
        A program that a signal ended has none; systemd shows the signal.\n"
        .to_owned();
    for program in programs() {
        let help = program
            .get_after_help()
            .map(ToString::to_string)
            .unwrap_or_default();
        let name = program.get_name();
        let (_, statuses) = help.split_once("Exit status: ").unwrap_or_else(|| {
            panic!("the help of `{name}` does not end with what its exit statuses mean")
        });
        let statuses = statuses.trim().replace('\n', " ");
        for status in ["0", "1", "2"] {
            assert!(
                statuses.contains(status),
                "`{name}` does not say when it ends with {status}"
            );
        }
        write!(text, "\n## {name}\n\n{statuses}\n").expect("text");
    }
    current("reference/exit-statuses.md", &text);
}

/// Compares a generated page with the present one, or writes it.
pub(crate) fn current(page: &str, text: &str) {
    let path = docs().join(page);
    if env::var("BOOK").is_ok_and(|how| how == "write") {
        fs::write(&path, text).expect("the page is written");
    }
    let there = fs::read_to_string(&path).unwrap_or_default();
    let hint = "write it anew: BOOK=write cargo test -p zts-book --test suite";
    assert!(
        there == text,
        "`{page}` is not what the programs say; {hint}"
    );
}

/// `systemctl help UNIT` shows the page.
#[test]
fn units_name_manual_pages_that_exist() {
    let mut pages = BTreeSet::from(["logrotate(8)".to_owned()]);
    for mut program in programs() {
        program.build();
        add_pages(&mut pages, &program, program.get_name());
    }
    let rendered = root().join("tests/units/rendered.json");
    let rendered = fs::read_to_string(rendered).expect("the units are read");
    let rendered = serde_json::from_str(&rendered).expect("they are JSON");
    let mut services = BTreeMap::new();
    add_services(&mut services, &rendered);
    let ours = services
        .iter()
        .filter(|(name, _)| name.starts_with("vault-") || OF_NODES.contains(&name.as_str()));
    let (mut count, mut wrong) = (0, Vec::new());
    for (name, text) in ours {
        count += 1;
        let named = text.split("\nDocumentation=man:").nth(1);
        let page = named.and_then(|rest| rest.split([' ', '\n']).next());
        if !page.is_some_and(|page| pages.contains(page)) {
            wrong.push(format!("{name}: {page:?}"));
        }
    }
    assert!(count > 20, "only {count} services are rendered");
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Services of `vault.server` whose names do not begin with `vault-`.
const OF_NODES: [&str; 3] = [
    "openbao-audit-rotate.service",
    "openbao-certs.service",
    "openbao-init.service",
];

/// Adds the services among the rendered files, by their names.
fn add_services(services: &mut BTreeMap<String, String>, rendered: &Value) {
    let Some(files) = rendered.as_object() else {
        return;
    };
    for (name, value) in files {
        match value.as_str() {
            Some(text) if name.ends_with(".service") && text.contains("ExecStart=") => {
                services.insert(name.clone(), text.to_owned());
            }
            Some(_) => {}
            None => add_services(services, value),
        }
    }
}

/// Adds the names of the pages of a command and of its subcommands.
fn add_pages(pages: &mut BTreeSet<String>, command: &Command, name: &str) {
    pages.insert(format!("{name}(1)"));
    for part in command.get_subcommands() {
        add_pages(pages, part, &format!("{name}-{}", part.get_name()));
    }
}
