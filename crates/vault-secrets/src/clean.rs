//! Removes what earlier declarations put on the host and the present ones do not, and takes over what
//! another program left in the places of those that are declared.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use cli::{Failure, note, warn};
use delivery::{
    Cache, Declarations, DeclaredOpenBao, DeclaredSecret, Error, Failures, Kept, TakenCopy,
    Workplace, identity,
};
use serde::{Deserialize, Serialize};

use crate::{
    file::{self, unwritable},
    words,
};

/// Places of secrets on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Places {
    outputs: BTreeSet<PathBuf>,
    caches: BTreeSet<PathBuf>,
}

/// Removes what is no longer declared, and notes what is in `state` for the next time.
pub(crate) fn run(state: &Path, declarations: &Declarations) -> Result<(), Failure> {
    let earlier: Places = file::read(state);
    let present = Places::declared(declarations);
    // both, before anything is removed: a run that is killed leaves nothing that nobody knows of
    write(state, &earlier.and(&present))?;
    let left = earlier.remove_but(&present);
    write(state, &present.and(&left))?;
    let taken = take_over(declarations);
    if left != Places::default() {
        return Err(
            Failure::failed("not everything that is no longer declared could be removed")
                .hint("remove the folders that are named above, or what is wrong with them"),
        );
    }
    taken
}

/// Takes over the places of all secrets; one that is refused keeps no other from it.
fn take_over(declarations: &Declarations) -> Result<(), Failure> {
    let mut refused = Vec::new();
    for (name, secret) in &declarations.secrets {
        for taken in [
            take_over_output(name, secret),
            take_over_cache(name, secret, &declarations.openbao),
        ] {
            if let Err(error) = taken {
                warn(format_args!("the secret `{name}`: {error}"));
                refused.push(name.as_str());
            }
        }
    }
    if refused.is_empty() {
        return Ok(());
    }
    refused.dedup();
    Err(Failure::failed(format!(
        "places of {} hold what vault-fetch did not write, and were not taken over",
        words::list(refused)
    ))
    .hint("move away what is named above; a secret needs a folder of its own"))
}

fn take_over_output(name: &str, secret: &DeclaredSecret) -> Result<(), Error> {
    let output = &secret.output_directory;
    let owner = secret.ownership(name)?.user;
    if let Some(files) = delivery::take_over_output(output, owner)? {
        note(format_args!(
            "took over `{}`: the next fetch replaces {files} files that vault-fetch did not write",
            output.display()
        ));
    }
    Ok(())
}

fn take_over_cache(
    name: &str,
    secret: &DeclaredSecret,
    openbao: &DeclaredOpenBao,
) -> Result<(), Error> {
    let Some(folder) = &secret.cache_directory else {
        return Ok(());
    };
    let namespace = openbao.namespace.as_deref();
    let identity = identity(namespace, &openbao.kv_mount, &secret.secret_path);
    let mut cache = Cache::new(folder.clone(), identity);
    cache.seal = secret.seal(name)?;
    let Some(TakenCopy { files, kept }) = cache.take_over()? else {
        return Ok(());
    };
    let place = folder.display();
    match kept {
        None => note(format_args!(
            "took over `{place}`: removed {files} plain files, beside which there is a copy"
        )),
        Some(kept) => {
            note(format_args!(
                "took over `{place}`: {files} plain files became a copy, and were removed"
            ));
            if let Kept::Unsealed(cause) = kept {
                warn(format_args!(
                    "the copy of `{name}` is kept unsealed: {cause}"
                ));
            }
        }
    }
    Ok(())
}

fn write(state: &Path, places: &Places) -> Result<(), Failure> {
    let text = serde_json::to_vec_pretty(places).map_err(|cause| unwritable(state, cause))?;
    file::write(state, &text, 0o600)
}

impl Places {
    fn declared(declarations: &Declarations) -> Self {
        let secrets = declarations.secrets.values();
        let caches = secrets
            .clone()
            .filter_map(|secret| secret.cache_directory.as_deref());
        Self {
            outputs: secrets
                .map(|secret| plain(&secret.output_directory))
                .collect(),
            caches: caches.map(plain).collect(),
        }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            outputs: &self.outputs | &other.outputs,
            caches: &self.caches | &other.caches,
        }
    }

    /// Removes all that `present` has not, and gives what could not be removed.
    fn remove_but(&self, present: &Self) -> Self {
        let left = |places: &BTreeSet<PathBuf>, remove: fn(&Path) -> Result<bool, _>| {
            let gone = places
                .iter()
                .filter(|place| !present.needs(place))
                .filter(|place| !tell(place, remove(place)));
            gone.cloned().collect()
        };
        Self {
            outputs: left(&self.outputs, remove_output),
            caches: left(&self.caches, Cache::remove),
        }
    }

    /// Whether `place` is declared, or something below it.
    fn needs(&self, place: &Path) -> bool {
        let mut all = self.outputs.iter().chain(&self.caches);
        all.any(|declared| declared.starts_with(place))
    }
}

/// Without what means nothing in it, such as a `/` at its end.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Whether there was one. A directory without vault-fetch's hidden folder beside it is somebody else's.
fn remove_output(output: &Path) -> Result<bool, Error> {
    Failures::forget(output)?;
    let is_there = Workplace::is_there(output);
    if is_there {
        Workplace::open(output)?.remove()?;
    }
    Ok(is_there)
}

/// Whether nothing is left.
fn tell(place: &Path, removed: Result<bool, Error>) -> bool {
    match removed {
        Ok(true) => note(format_args!("removed `{}`", place.display())),
        Ok(false) => {}
        Err(error) => {
            warn(format_args!(
                "`{}` is no longer declared, and could not be removed: {error}",
                place.display()
            ));
            return false;
        }
    }
    true
}
