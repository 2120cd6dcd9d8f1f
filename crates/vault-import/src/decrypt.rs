//! Values, decrypted by `sops` and `age`. They stay in memory.

use std::{
    collections::HashMap,
    env, fs, io,
    path::{Path, PathBuf},
    process::{Command, Stdio},
};

use secrecy::{ExposeSecret, SecretSlice, SecretString};
use serde_json::Value as Json;
use zts_cli::{Failure, on_path, printable_line};

use crate::{
    cli::Arguments,
    model::{Content, Declaration, HostPlan, Value},
    tool::Tool,
};

/// Runs the tools, once for each file.
pub(crate) struct Decrypter {
    identities: Vec<PathBuf>,
    decrypted: HashMap<(PathBuf, String), SecretSlice<u8>>,
}

impl Decrypter {
    pub(crate) fn new(arguments: &Arguments) -> Self {
        let identities = if arguments.identity.is_empty() {
            usual_identities()
        } else {
            arguments.identity.clone()
        };
        Self {
            identities,
            decrypted: HashMap::new(),
        }
    }

    /// Decrypts all values of the hosts.
    ///
    /// # Errors
    /// A file that cannot be decrypted, and a key that is not in it.
    pub(crate) fn decrypt(&mut self, plans: &mut [HostPlan]) -> Result<(), Failure> {
        let secrets = plans.iter_mut().flat_map(|plan| &mut plan.secrets);
        for file in secrets.flat_map(|secret| &mut secret.files) {
            let value = self.value(&file.old);
            file.value = Some(value.map_err(|failure| failure.context(file.old.option()))?);
        }
        Ok(())
    }

    fn value(&mut self, old: &Declaration) -> Result<Value, Failure> {
        Ok(match &old.content {
            Content::Age => Value::new(self.plain(old, "age")?),
            Content::Whole { format } => Value::new(self.plain(old, format)?),
            Content::Key { format, key } => Value {
                text: text_of_key(self.plain(old, format)?, key, &old.file)?,
                is_base64: false,
            },
        })
    }

    /// Returns the content of the declaration's file: of a file with keys as JSON.
    fn plain(&mut self, old: &Declaration, format: &str) -> Result<&SecretSlice<u8>, Failure> {
        let kind = match &old.content {
            Content::Key { .. } => format!("{format} keys"),
            _ => format.to_owned(),
        };
        let id = (old.file.clone(), kind);
        if !self.decrypted.contains_key(&id) {
            check_encrypted(old)?;
            let command = match old.tool {
                Tool::SopsNix => sops(&old.content, &old.file)?,
                Tool::Agenix => age(&self.identities, &old.file)?,
            };
            self.decrypted.insert(id.clone(), run(command, &old.file)?);
        }
        let plain = self.decrypted.get(&id);
        plain.ok_or_else(|| Failure::failed("the decrypted file is gone"))
    }
}

/// Returns the keys that the command line of agenix uses.
fn usual_identities() -> Vec<PathBuf> {
    let home = env::var_os("HOME").unwrap_or_default();
    let names = [".ssh/id_ed25519", ".ssh/id_rsa"];
    let paths = names.map(|name| Path::new(&home).join(name));
    paths.into_iter().filter(|path| path.is_file()).collect()
}

/// Refuses a file that is missing or not encrypted. The tools would repeat the text of such a file
/// in their messages.
fn check_encrypted(old: &Declaration) -> Result<(), Failure> {
    let file = old.file.display();
    let bytes = fs::read(&old.file)
        .map_err(|cause| Failure::failed(format_args!("`{file}` cannot be read: {cause}")))?;
    let has = |part: &str| {
        bytes
            .windows(part.len())
            .any(|bytes| bytes == part.as_bytes())
    };
    let (name, marks): (_, &[&str]) = match &old.content {
        Content::Age => (
            "age",
            &["age-encryption.org/v1", "BEGIN AGE ENCRYPTED FILE"],
        ),
        Content::Whole { format } if format == "dotenv" => ("sops", &["sops_mac="]),
        Content::Whole { format } if format == "ini" => ("sops", &["[sops]"]),
        Content::Key { .. } | Content::Whole { .. } => ("sops", &["\"sops\"", "sops:"]),
    };
    if marks.iter().any(|mark| has(mark)) {
        return Ok(());
    }
    Err(Failure::failed(format_args!(
        "`{file}` is not encrypted by {name}"
    )))
}

fn sops(content: &Content, file: &Path) -> Result<Command, Failure> {
    let (input, output) = match content {
        Content::Key { format, .. } => (format.as_str(), "json"),
        Content::Whole { format } => (format.as_str(), format.as_str()),
        Content::Age => ("binary", "binary"),
    };
    let mut command = Command::new(program(&["sops"], "sops")?);
    command
        .args(["--decrypt", "--input-type", input, "--output-type", output])
        .arg(absolute(file)?);
    Ok(command)
}

fn age(identities: &[PathBuf], file: &Path) -> Result<Command, Failure> {
    if identities.is_empty() {
        return Err(
            Failure::usage("there is no key for files of agenix in `~/.ssh`")
                .hint("name the file of one with `--identity FILE`"),
        );
    }
    let mut command = Command::new(program(&["age", "rage"], "age")?);
    command.arg("--decrypt");
    for identity in identities {
        command.arg("--identity").arg(identity);
    }
    command.arg(absolute(file)?);
    Ok(command)
}

fn program(names: &[&str], package: &str) -> Result<PathBuf, Failure> {
    names.iter().find_map(on_path).ok_or_else(|| {
        Failure::failed(format_args!(
            "there is no `{}` on `PATH`",
            names.join("` or `")
        ))
        .hint(format!("`nix shell nixpkgs#{package}` has it"))
    })
}

/// Makes a path absolute, so that none is taken for an option.
fn absolute(file: &Path) -> Result<PathBuf, Failure> {
    std::path::absolute(file)
        .map_err(|cause| Failure::usage(format_args!("`{}`: {cause}", file.display())))
}

/// Runs the tool, and returns its output. It may ask on the terminal for a passphrase.
fn run(mut command: Command, file: &Path) -> Result<SecretSlice<u8>, Failure> {
    let program = command.get_program().to_string_lossy().into_owned();
    let failed = |cause: String| {
        Failure::failed(format_args!(
            "`{}` could not be decrypted: {cause}",
            file.display()
        ))
    };
    let output = command
        .env_remove("BAO_TOKEN")
        .stdin(Stdio::null())
        .output()
        .map_err(|cause: io::Error| failed(format!("{program}: {cause}")))?;
    if output.status.success() {
        return Ok(output.stdout.into());
    }
    let words = String::from_utf8_lossy(&output.stderr);
    let first = words.lines().find(|line| !line.trim().is_empty());
    let reason = first.map_or_else(|| output.status.to_string(), printable_line);
    Err(failed(reason).hint("the file must be encrypted to one of your keys"))
}

/// Returns the text of a key; those of nested maps have slashes in between, as in sops-nix.
fn text_of_key(json: &SecretSlice<u8>, key: &str, file: &Path) -> Result<SecretString, Failure> {
    let unusable = |reason: &str| {
        Failure::failed(format_args!(
            "the key `{key}` of `{}` {reason}",
            file.display()
        ))
    };
    let all: Json = serde_json::from_slice(json.expose_secret())
        .map_err(|_| Failure::failed(format_args!("`{}` has no keys", file.display())))?;
    let mut value = &all;
    for part in key.split('/') {
        value = value.get(part).ok_or_else(|| unusable("is missing"))?;
    }
    if value.as_str().is_some_and(|text| text.contains('\u{fffd}')) {
        return Err(unusable("has bytes that are no text (UTF-8)")
            .hint("put the bytes into a file of their own, with `format = \"binary\"`"));
    }
    let text = value.as_str().ok_or_else(|| {
        unusable("is no string, which sops-nix cannot use either")
            .hint("quote the value in the file")
    })?;
    Ok(text.to_owned().into())
}
