//! Hosts of a flake, evaluated by Nix.

use std::{io, process::Stdio};

use serde::de::DeserializeOwned;

use crate::{
    external_programs::{nix_eval, nix_string},
    failure::Failure,
    table::quoted_list,
};

/// Applies a Nix function to the flake's `nixosConfigurations`, and returns its value. The word
/// `SELECTED` in it stands for the list of the hosts' names. Messages of Nix go to the terminal.
///
/// # Errors
/// No Nix, which gets the hint `without_nix`; a failed evaluation; a value of another type.
pub fn evaluate_hosts<T: DeserializeOwned>(
    flake: &str,
    function: &str,
    selected: &[String],
    without_nix: &str,
) -> Result<T, Failure> {
    let selected: Vec<_> = selected.iter().map(|name| nix_string(name)).collect();
    let function = function.replace("SELECTED", &format!("[ {} ]", selected.join(" ")));
    let output = format!("{flake}#nixosConfigurations");
    let run = nix_eval(&function, &output)
        .stderr(Stdio::inherit())
        .output();
    let result = run.map_err(|cause| {
        let failure = if cause.kind() == io::ErrorKind::NotFound {
            Failure::failed("Nix is not installed: there is no `nix` on `PATH`")
        } else {
            Failure::failed(format_args!("could not run `nix`: {cause}"))
        };
        failure.hint(without_nix)
    })?;
    if !result.status.success() {
        return Err(Failure::failed(format_args!(
            "`{output}` could not be evaluated (`nix eval`: {})",
            result.status
        ))
        .hint("see the messages of Nix above"));
    }
    serde_json::from_slice(&result.stdout).map_err(|error| {
        Failure::failed(format_args!("`nix eval` printed unexpected data: {error}"))
    })
}

/// Returns the error about a host that is not at `place`, with the known ones as the hint.
pub fn unknown_host<'a>(
    name: &str,
    place: &str,
    known: impl IntoIterator<Item = &'a String>,
) -> Failure {
    let known: Vec<_> = known.into_iter().collect();
    let failure = Failure::usage(format_args!("there is no host `{name}` {place}"));
    match known.as_slice() {
        [] => failure,
        [one] => failure.hint(format!("there is `{one}`")),
        known => failure.hint(format!("there are {}", quoted_list(known))),
    }
}
