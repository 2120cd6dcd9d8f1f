//! A token in a file of its own.

use std::{
    fs, io,
    path::{Path, PathBuf},
};

use secrecy::{ExposeSecret, SecretString};
use zts_cli::{Failure, shell_word};
use zts_secure_fs::{Access, Folder, Guard, ResolvedFile, parent_of};

use super::form::Form;
use crate::{failure::file_failure, fleet::DRAFT_PREFIX, git, host::HostName};

/// The folder that everybody can read.
const NIX_STORE: &str = "/nix/store";

/// A file for a token, with the mode 0600.
#[derive(Debug)]
pub(crate) struct TokenFile {
    path: PathBuf,
    form: Form,
    /// The folder that must exist; those between it and the file are created.
    base: PathBuf,
}

impl TokenFile {
    pub(super) fn new(path: PathBuf, form: Form) -> Self {
        let base = parent_of(&path).to_owned();
        Self { path, form, base }
    }

    /// A file below `base`, which `nixos-anywhere --extra-files` copies to a machine.
    pub(super) fn below(base: &Path, file: &str) -> Self {
        Self {
            path: base.join(file),
            form: Form::Token,
            base: base.to_owned(),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn exists(&self) -> bool {
        self.path.is_file()
    }

    /// Returns the failure for a file that may have another host's token.
    pub(super) fn refuse_other_host(&self, name: &HostName) -> Failure {
        let path = self.path.display().to_string();
        Failure::usage(format_args!(
            "`{path}` exists, and `{name}` has no credentials yet: it may have the token of another host"
        ))
        .hint(format!(
            "name another file; or, if nobody needs it any more, delete it with `rm {}`, or replace it with `--force`",
            shell_word(&path)
        ))
    }

    /// Checks the place: its folder exists, is not in the Nix store, and git does not track the
    /// file.
    pub(super) fn check(&self) -> Result<(), Failure> {
        let refuse = |reason: &str, hint: &str| {
            Err(Failure::usage(format_args!(
                "the wrapping token cannot be written to `{}`: {reason}",
                self.path.display()
            ))
            .hint(hint))
        };
        let real = match self.real_path() {
            Ok(real) => real,
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => {
                let folder = self.base.display();
                return refuse(
                    &format!("there is no folder `{folder}`"),
                    &format!("create it with `mkdir -p {folder}`"),
                );
            }
            Err(cause) => return Err(file_failure("open", &self.base, cause)),
        };
        match unfit_place(&real) {
            Some((reason, hint)) => refuse(reason, hint),
            None => Ok(()),
        }
    }

    /// Returns the path after every link; the file and the folders below the base may be missing.
    fn real_path(&self) -> io::Result<PathBuf> {
        if let Ok(real) = fs::canonicalize(&self.path) {
            return Ok(real);
        }
        let below = self.path.strip_prefix(&self.base).unwrap_or(&self.path);
        Ok(fs::canonicalize(&self.base)?.join(below))
    }

    /// Returns a warning if `git add` would take the file.
    pub(super) fn warning(&self) -> Option<String> {
        let real = self.real_path().ok()?;
        let folder = real.ancestors().skip(1).find(|folder| folder.is_dir())?;
        git::would_add(folder, &real).then(|| {
            format!(
                "git does not ignore `{}`: `git add --all` would commit the wrapping token",
                self.path.display()
            )
        })
    }

    /// Writes the token: the file has all of it, or is as before.
    pub(super) fn write(&self, token: &SecretString) -> Result<(), Failure> {
        let text = self.form.render(token);
        self.replace(text.expose_secret().as_bytes())
            .map_err(|cause| file_failure("write", &self.path, cause))
    }

    fn replace(&self, content: &[u8]) -> io::Result<()> {
        if parent_of(&self.path) != self.base {
            // the machine gets these folders with their modes
            Folder::create(parent_of(&self.path), Guard::Links, 0o755, 0o700)?;
        }
        let file = ResolvedFile::resolve(&self.path, Guard::Links)?;
        let draft = file.folder.unique_draft(DRAFT_PREFIX)?;
        draft
            .write(content, Access::Mode(0o600))?
            .replace(&file.name)
    }
}

/// Returns the reason why a token cannot be at a path, and the way out.
fn unfit_place(path: &Path) -> Option<(&'static str, &'static str)> {
    let existing = fs::metadata(path).ok();
    if existing.as_ref().is_some_and(fs::Metadata::is_dir) {
        return Some(("it is a folder", "name a file in it"));
    }
    if existing.is_some_and(|existing| !existing.is_file()) {
        return Some((
            "it is a device or a pipe, which a file would replace",
            "`--token-out -` writes to stdout",
        ));
    }
    if path.starts_with(NIX_STORE) {
        return Some((
            "everybody can read the Nix store",
            "name a file outside of it",
        ));
    }
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    git::is_tracked(parent_of(path), &name).then_some((
        "git tracks that file",
        "name a file that git does not track, or one outside of the repository",
    ))
}
