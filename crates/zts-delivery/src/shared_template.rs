//! Templates over several secrets: one file made of the files of secrets that are on this host.
//!
//! A placeholder `{{ SECRET.KEY }}` stands for the file of a key. So a template needs neither
//! OpenBao nor the cache, and is right for whatever versions are deployed: new, cached or rolled
//! back.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
};

use rustix::process::geteuid;
use zeroize::Zeroizing;
use zts_secure_fs::{Folder, Guard, read_file_bounded};

use crate::{
    Alteration, Declarations, DeclaredTemplate, Files, StateDir, Template, directory, error::Error,
    names, private_file,
};

/// The largest file of a key, in bytes: the largest answer of OpenBao.
const LARGEST: u64 = 64 << 20;

/// The most times that a secret is read again because another version was deployed meanwhile.
const MOST_EXCHANGES: usize = 10;

/// The contents of files, by the placeholders that stand for them.
type FileContents<'a> = BTreeMap<&'a str, Zeroizing<Vec<u8>>>;

/// A declared template over several secrets, with its text parsed.
pub struct SharedTemplate<'a> {
    name: &'a str,
    declared: &'a DeclaredTemplate,
    template: Template,
    /// The secret and the key of each placeholder, by its text.
    parts: BTreeMap<String, (&'a str, String)>,
    declarations: &'a Declarations,
}

impl<'a> SharedTemplate<'a> {
    /// Parses the declared template with the name `name`.
    ///
    /// # Errors
    /// [`Error::NotDeclared`], [`Error::Template`], and [`Error::Rendering`] for a placeholder
    /// without a declared secret.
    pub fn declared(declarations: &'a Declarations, name: &'a str) -> Result<Self, Error> {
        let declared = declarations.template(name)?;
        let template = Template::parse(name, &declared.content)?;
        let mut parts = BTreeMap::new();
        for placeholder in template.keys() {
            let part = split(declarations, placeholder).ok_or_else(|| {
                let reason = format!("`{placeholder}` begins with the name of no declared secret");
                rendering(name, reason)
            })?;
            parts.insert(placeholder.to_owned(), part);
        }
        Ok(Self {
            name,
            declared,
            template,
            parts,
            declarations,
        })
    }

    /// Returns the names of the secrets in the template.
    pub fn secrets(&self) -> BTreeSet<&'a str> {
        self.parts.values().map(|(secret, _)| *secret).collect()
    }

    /// Writes the file if it is not in place, and returns whether it was not. Where a secret is not
    /// on this host, the file is removed, because its values are of a secret that is gone.
    ///
    /// # Errors
    /// [`Error::NotOnHost`]; [`Error::Rendering`], with the file unchanged, for a key that is
    /// missing or cannot be written; an unknown owner, and a place that cannot or must not be
    /// written to.
    pub fn render(&self) -> Result<bool, Error> {
        let ownership = self.declared.ownership(self.name)?;
        if let Some(reason) = names::not_a_file_name(&self.declared.file) {
            return Err(self.failed(format!("its file `{}`: {reason}", self.declared.file)));
        }
        // locked before the secrets are read: a run that read older files must not write later
        let state_dir = StateDir::open(&self.declared.output_directory)?;
        let Some(files) = self.files()? else {
            state_dir.remove_output()?;
            return Err(Error::NotOnHost {
                template: self.name.to_owned(),
                secrets: self.absent_secrets(),
            });
        };
        directory::deploy(&state_dir, &files, ownership, None)
    }

    /// Returns whether the file is in place as [`SharedTemplate::render`] would write it now.
    ///
    /// # Errors
    /// Those of [`SharedTemplate::render`] that prevent writing it.
    pub fn is_in_place(&self) -> Result<bool, Error> {
        let ownership = self.declared.ownership(self.name)?;
        let files = self.files()?;
        let output = &self.declared.output_directory;
        Ok(files.is_some_and(|files| directory::holds(output, &files, ownership)))
    }

    /// Returns the rendered file. `None` if a secret is not on this host.
    fn files(&self) -> Result<Option<Files>, Error> {
        let Some(contents) = self.read_contents()? else {
            return Ok(None);
        };
        let read = |placeholder: &str| Ok(contents[placeholder].as_slice());
        let refuse = |placeholder: &str, reason: &str| self.unusable(placeholder, reason);
        let content = self.template.render_contents(read, refuse)?;
        let files = BTreeMap::from([(self.declared.file.clone(), content)]);
        Ok(Some(Files::from(files)))
    }

    /// Reads the files of the keys, each secret from one set. `None` if a secret is not on this
    /// host.
    fn read_contents(&self) -> Result<Option<FileContents<'_>>, Error> {
        let mut contents = BTreeMap::new();
        for secret in self.secrets() {
            match self.read_secret(secret)? {
                Some(of_secret) => contents.extend(of_secret),
                None => return Ok(None),
            }
        }
        Ok(Some(contents))
    }

    /// Reads the keys of a secret, as they were written. Its owner may change its files, and this
    /// template may be for a service of somebody else.
    fn read_secret(&self, secret: &str) -> Result<Option<FileContents<'_>>, Error> {
        let output = &self.declarations.secret(secret)?.output_directory;
        for _ in 0..MOST_EXCHANGES {
            let folder = match Folder::open(output, Guard::Strict) {
                Err(error) if error.is_absent() => return Ok(None),
                folder => folder?,
            };
            let of_secret = self.parts.iter().filter(|(_, part)| part.0 == secret);
            let contents = of_secret
                .map(|(placeholder, (_, key))| {
                    let content = self.read_key(&folder, placeholder, key)?;
                    Ok((placeholder.as_str(), content))
                })
                .collect::<Result<_, Error>>();
            // after the files were read: their change times only grow
            let alteration = Alteration::detect(output, "");
            if !is_still_at(&folder, output) {
                continue; // another version was deployed meanwhile
            }
            return match alteration {
                Some(Alteration::Altered { names, .. }) => Err(self.altered(secret, &names)),
                Some(Alteration::Unknown) if !is_own(&folder) => Err(self.altered(secret, &[])),
                _ => contents.map(Some),
            };
        }
        Err(self.failed(format!("the secret `{secret}` changes all the time")))
    }

    fn read_key(
        &self,
        folder: &Folder,
        placeholder: &str,
        key: &str,
    ) -> Result<Zeroizing<Vec<u8>>, Error> {
        if names::not_a_file_name(key).is_some() {
            return Err(self.unusable(placeholder, "it cannot be the name of a file"));
        }
        let file = match private_file::open(&folder.within(key)) {
            Err(cause) if cause.kind() == std::io::ErrorKind::NotFound => {
                return Err(self.unusable(placeholder, "the secret has no such key"));
            }
            file => file,
        };
        let content = file.and_then(|file| read_file_bounded(file, LARGEST));
        let path = folder.path().join(key);
        let content = content.map_err(|cause| Error::io("read", &path, cause))?;
        if content.is_empty() {
            return Err(self.unusable(placeholder, "it has nothing in it"));
        }
        Ok(Zeroizing::new(content))
    }

    fn altered(&self, secret: &str, names: &[String]) -> Error {
        let names: Vec<_> = names.iter().map(|name| format!("`{name}`")).collect();
        let what = if names.is_empty() {
            "its files".to_owned()
        } else {
            names.join(", ")
        };
        self.failed(format!(
            "somebody altered {what} of the secret `{secret}`: \
             `systemctl start vault-secret-{secret}` writes it anew"
        ))
    }

    fn failed(&self, reason: String) -> Error {
        rendering(self.name, reason)
    }

    fn unusable(&self, placeholder: &str, reason: &str) -> Error {
        let (secret, key) = &self.parts[placeholder];
        self.failed(format!(
            "the key `{key}` of the secret `{secret}`: {reason}"
        ))
    }

    fn absent_secrets(&self) -> Vec<String> {
        let is_absent = |secret: &&str| {
            let declared = self.declarations.secret(secret);
            declared.is_ok_and(|declared| !declared.output_directory.exists())
        };
        let absent = self.secrets().into_iter().filter(is_absent);
        absent.map(ToOwned::to_owned).collect()
    }
}

/// Returns whether the folder is the one at `path` now.
fn is_still_at(folder: &Folder, path: &Path) -> bool {
    let inode = |path: &Path| {
        fs::metadata(path)
            .map(|found| (found.dev(), found.ino()))
            .ok()
    };
    inode(&folder.within(".")) == inode(path)
}

/// Returns whether all files in a folder belong to this user, who wrote them.
fn is_own(folder: &Folder) -> bool {
    let own = geteuid().as_raw();
    fs::read_dir(folder.within(".")).is_ok_and(|mut entries| {
        entries.all(|entry| {
            let metadata = entry.and_then(|entry| entry.metadata());
            metadata.is_ok_and(|found| found.uid() == own)
        })
    })
}

fn rendering(name: &str, reason: String) -> Error {
    Error::Rendering {
        template: name.to_owned(),
        reason,
    }
}

/// Splits a placeholder into the name of a declared secret and a key. Both may have dots: the
/// longest name counts.
fn split<'a>(declarations: &'a Declarations, placeholder: &str) -> Option<(&'a str, String)> {
    let names = declarations.secrets.keys();
    let parts = names.filter_map(|name| {
        let key = placeholder.strip_prefix(name.as_str())?.strip_prefix('.')?;
        (!key.is_empty()).then(|| (name.as_str(), key.to_owned()))
    });
    parts.max_by_key(|(name, _)| name.len())
}
