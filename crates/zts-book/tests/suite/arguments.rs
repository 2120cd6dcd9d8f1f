//! No page puts the value of a secret into the arguments of a command.

use zts_book::{pages, read};

/// Keys whose values are not secret.
const NOT_SECRET: [&str; 1] = ["username"];

#[test]
fn no_value_of_a_secret_is_an_argument() {
    let mut found = Vec::new();
    let mut commands = 0;
    for page in pages("") {
        for line in read(&page).lines().filter(|line| line.contains("$ ")) {
            let Some((_, written)) = line.split_once("bao kv p") else {
                continue;
            };
            commands += 1;
            found.extend(values(written).map(|value| format!("{page}: {value}")));
        }
    }
    assert!(commands > 5, "only {commands} commands were found");
    assert!(found.is_empty(), "{}", found.join("\n"));
}

#[test]
fn values_are_found() {
    let of = |command| values(command).collect::<Vec<_>>();
    assert_eq!(of("ut -mount=secret a b=c d='e"), ["b=c", "d='e"]);
    assert!(of("atch -cas=0 a b=- c=@file username=web01").is_empty());
}

/// Returns the arguments with a value, but those from a pipe or a file.
fn values(command: &str) -> impl Iterator<Item = &str> {
    command.split_whitespace().filter(|word| {
        let pair = word.split_once('=');
        pair.is_some_and(|(key, value)| {
            let is_key = !key.starts_with('-') && !NOT_SECRET.contains(&key);
            is_key && value != "-" && !value.starts_with('@')
        })
    })
}
