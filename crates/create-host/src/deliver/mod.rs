//! The delivery of a wrapping token: the place that it goes to, checked before a token is issued.

mod file;
mod form;
mod ssh;

use std::{
    path::{Path, PathBuf},
    time::SystemTime,
};

use secrecy::{ExposeSecret, SecretString};
use zts_cli::{Failure, data};
use zts_openbao::wrapping;

use crate::{cli::HostArguments, fleet::Fleet, host::HostName, token_variables, vms_file};
use file::TokenFile;
use form::Form;

/// The file from which `vault-bootstrap.service` reads a token after a boot: the default of
/// `vault.bootstrap.tokenFile`.
const FIRST_BOOT_FILE: &str = "var/lib/vault/bootstrap/token";

/// The ways to deliver a token that need no machine map, for hints.
pub(crate) const WAYS: &str = "`--token-out FILE` writes it to a file, `--token-out -` to stdout; \
     `--deliver ssh root@HOST` hands it to a running host; `--deliver extra-files DIR` puts it where \
     `nixos-anywhere --extra-files DIR` takes it; `--deliver credential FILE` writes a string for the \
     SMBIOS of a QEMU or Incus machine";

/// A place for a wrapping token.
#[derive(Debug)]
pub(crate) enum Delivery {
    /// The machine map, from where cloud-init passes the token to the machine.
    MachineMap,
    /// The variables of OpenTofu beside the machine map, from where it comes to cloud-init, too.
    Variables,
    /// Stdout.
    Stdout(Form),
    /// A file with nothing else in it.
    File(TokenFile),
    /// A host that runs, over ssh.
    Ssh(String),
}

impl Delivery {
    /// Returns the delivery that the command line names, if it names one.
    pub(crate) fn from_arguments(arguments: &HostArguments) -> Result<Option<Self>, Failure> {
        if let Some(path) = &arguments.token_out {
            return Ok(Some(Self::to(path, Form::Token)));
        }
        let Some([method, target]) = arguments.deliver.as_deref() else {
            return Ok(None);
        };
        Ok(Some(match method.as_str() {
            "ssh" => Self::Ssh(ssh::check_destination(target)?.to_owned()),
            "extra-files" => Self::File(TokenFile::below(Path::new(target), FIRST_BOOT_FILE)),
            "credential" => Self::to(Path::new(target), Form::Credential),
            _ => {
                return Err(Failure::usage(format_args!(
                    "`--deliver {method}` is unknown"
                ))
                .hint("`--deliver ssh DESTINATION`, `--deliver extra-files DIR` or `--deliver credential FILE`"));
            }
        }))
    }

    fn to(path: &Path, form: Form) -> Self {
        if path.as_os_str() == "-" {
            return Self::Stdout(form);
        }
        Self::File(TokenFile::new(PathBuf::from(path), form))
    }

    /// Returns the place beside the machine map: the variables if OpenTofu's code declares them and
    /// the map has no token, or if the map is no place for one. That is an entry that is an
    /// address, or a map that the flake reads, too: its values come to the Nix store.
    pub(crate) fn of_machine_map(
        fleet: &Fleet,
        map: Option<&str>,
        name: &HostName,
        is_read_by_flake: bool,
    ) -> Result<Self, Failure> {
        let place = &fleet.settings.vms_place;
        let is_in_map = map.is_some_and(|map| vms_file::has_any_token(map, place));
        let is_address = map
            .and_then(|map| vms_file::find_entry(map, place, name))
            .is_some_and(|entry| entry.is_address);
        let is_no_place = is_address || is_read_by_flake;
        if is_no_place || (!is_in_map && token_variables::is_declared(fleet)?) {
            return Ok(Self::Variables);
        }
        Ok(Self::MachineMap)
    }

    /// Returns whether the token reaches the machine by OpenTofu and cloud-init.
    pub(crate) fn is_by_opentofu(&self) -> bool {
        matches!(self, Self::MachineMap | Self::Variables)
    }

    /// Returns a note about what is left until the token reaches its machine.
    pub(crate) fn next_step(&self, fleet: &Fleet) -> Result<Option<String>, Failure> {
        let is_unused = matches!(self, Self::Variables) && !token_variables::is_declared(fleet)?;
        Ok(is_unused.then(|| {
            "next: OpenTofu's code does not use the token yet: declare the variable `vault_wrapped_tokens` and give \
             `var.vault_wrapped_tokens[NAME]` to cloud-init, as `example/terraform` of zero-touch-secrets does"
                .to_owned()
        }))
    }

    /// Checks that a token can be delivered, before anything is changed.
    pub(crate) fn check(&self, fleet: &Fleet) -> Result<(), Failure> {
        match self {
            Self::MachineMap | Self::Stdout(_) => Ok(()),
            Self::Variables => token_variables::check_place(fleet),
            Self::File(file) => file.check(),
            Self::Ssh(destination) => ssh::check_host(destination),
        }
    }

    /// Refuses a file that exists, for a host without a secret id: it may have the token of another
    /// host, which is lost if this one replaces it.
    pub(crate) fn check_is_free(&self, name: &HostName) -> Result<(), Failure> {
        match self {
            Self::File(file) if file.exists() => Err(file.refuse_other_host(name)),
            _ => Ok(()),
        }
    }

    /// Returns whether the place has a token that its host may still use. A place that cannot be
    /// looked at has one if the host has secret ids.
    pub(crate) fn has_token(
        &self,
        fleet: &Fleet,
        map: Option<&str>,
        name: &HostName,
        has_ids: bool,
    ) -> Result<bool, Failure> {
        Ok(match self {
            Self::MachineMap => map
                .and_then(|map| vms_file::find_entry(map, &fleet.settings.vms_place, name))
                .is_some_and(|entry| entry.has_token),
            Self::Variables => token_variables::read_token(fleet, name)?.is_some(),
            Self::Stdout(_) => false, // the caller waits for a token
            Self::File(file) => file.exists(),
            Self::Ssh(_) => has_ids,
        })
    }

    /// Returns the time at which the token in the place expires, if the token contains it.
    pub(crate) fn token_expiry(
        &self,
        fleet: &Fleet,
        map: Option<&str>,
        name: &HostName,
    ) -> Result<Option<SystemTime>, Failure> {
        Ok(match self {
            Self::MachineMap => map
                .and_then(|map| vms_file::find_entry(map, &fleet.settings.vms_place, name))
                .and_then(|entry| entry.token_expiry),
            Self::Variables => {
                token_variables::read_token(fleet, name)?.and_then(|token| wrapping::expiry(&token))
            }
            Self::Stdout(_) | Self::File(_) | Self::Ssh(_) => None,
        })
    }

    /// Writes the token to its place.
    pub(crate) fn deliver(
        &self,
        fleet: &Fleet,
        name: &HostName,
        token: &SecretString,
    ) -> Result<(), Failure> {
        match self {
            Self::MachineMap => vms_file::write_token(fleet, name, token),
            Self::Variables => token_variables::write_token(fleet, name, token),
            Self::Stdout(form) => data(form.render(token).expose_secret()),
            Self::File(file) => file.write(token),
            Self::Ssh(destination) => ssh::deliver(destination, token),
        }
    }

    /// Describes the place, as in "a token, in `terraform/vms.tf`".
    pub(crate) fn describe(&self, fleet: &Fleet) -> String {
        match self {
            Self::MachineMap => format!("in `{}`", fleet.settings.paths.vms),
            Self::Variables => format!("in `{}`", token_variables::path(fleet).unwrap_or_default()),
            Self::Stdout(_) => "on stdout".to_owned(),
            Self::File(file) => format!("in `{}`", file.path().display()),
            Self::Ssh(destination) => format!("on the host, over ssh to `{destination}`"),
        }
    }

    /// Returns a warning about a place that others may read.
    pub(crate) fn warning(&self) -> Option<String> {
        match self {
            Self::File(file) => file.warning(),
            Self::MachineMap | Self::Variables | Self::Stdout(_) | Self::Ssh(_) => None,
        }
    }
}
