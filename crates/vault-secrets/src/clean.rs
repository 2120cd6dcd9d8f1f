//! Removes the files of secrets that are no longer declared, takes over plain files of other
//! programs in declared places, and makes the declared links.

use std::{
    collections::BTreeSet,
    path::{Path, PathBuf},
};

use serde::{Deserialize, Serialize};
use zts_cli::{Failure, note, warn};
use zts_delivery::{
    Cache, CacheTakeover, Declarations, DeclaredOpenBao, DeclaredSecret, Error, SecretIdentity,
    StoreResult, remove_output,
};

use crate::{
    file::{self, unwritable},
    links::Link,
    text,
};

/// Places of secrets on the host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct Places {
    outputs: BTreeSet<PathBuf>,
    caches: BTreeSet<PathBuf>,
    #[serde(default)]
    links: BTreeSet<Link>,
}

/// Removes the places that are no longer declared, and records the present ones in `state`.
pub(crate) fn run(state: &Path, declarations: &Declarations) -> Result<(), Failure> {
    let earlier: Places = file::read(state);
    let present = Places::declared(declarations);
    // records both before the removal, so that a killed run leaves no unknown place
    write(state, &earlier.and(&present))?;
    let remaining = earlier.remove_except(&present);
    write(state, &present.and(&remaining))?;
    let taken = take_over(declarations);
    let linked = make_links(declarations, &earlier.links);
    if remaining != Places::default() {
        return Err(not_removed());
    }
    taken.and(linked)
}

/// Removes all places, and then `state` itself.
pub(crate) fn remove_all(state: &Path) -> Result<(), Failure> {
    let earlier: Places = file::read(state);
    let remaining = earlier.remove_except(&Places::default());
    if remaining == Places::default() {
        return file::remove(state);
    }
    write(state, &remaining)?;
    Err(not_removed())
}

/// Returns the failure of a removal that is not complete.
fn not_removed() -> Failure {
    Failure::failed("not everything that is no longer declared could be removed")
        .hint("remove the folders that are named above, or what is wrong with them")
}

/// Removes the secrets of `before` that `file` no longer declares. A switch may have removed them
/// before a rotation with the earlier declarations wrote them.
pub(crate) fn remove_undeclared(before: &Declarations, file: &Path) {
    let now = Declarations::read_text(file).and_then(|text| match text {
        Some(text) => Ok(Places::declared(&Declarations::parse(file, &text)?)),
        None => Ok(Places::default()),
    });
    if let Ok(now) = now {
        Places::declared(before).remove_except(&now);
    }
}

/// Makes the links of all secrets. Other files at their paths stay, and are an error.
fn make_links(declarations: &Declarations, earlier: &BTreeSet<Link>) -> Result<(), Failure> {
    let links = declarations.secrets.values().flat_map(Link::of);
    let missing: Vec<_> = links.filter(|link| !link.make(earlier)).collect();
    if missing.is_empty() {
        return Ok(());
    }
    let paths = missing.iter().map(|link| link.path().to_string_lossy());
    Err(
        Failure::failed(format!("links were not made: {}", text::list(paths))).hint(
            "move away the files at these paths, then `systemctl restart vault-setup` makes the links",
        ),
    )
}

/// Takes over the places of all secrets. An error of one does not stop the others.
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
        text::list(refused)
    ))
    .hint("move away what is named above; a secret needs a folder of its own"))
}

fn take_over_output(name: &str, secret: &DeclaredSecret) -> Result<(), Error> {
    let output = &secret.output_directory;
    let owner = secret.ownership(name)?.user;
    if let Some(files) = zts_delivery::take_over_output(output, owner)? {
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
    let identity = SecretIdentity::new(namespace, secret.reference(&openbao.kv_mount));
    let mut cache = Cache::new(folder.clone(), identity);
    cache.seal = secret.seal(name)?;
    let Some(CacheTakeover { files, stored }) = cache.take_over()? else {
        return Ok(());
    };
    let place = folder.display();
    match stored {
        None => note(format_args!(
            "took over `{place}`: removed {files} plain files, beside which there is a copy"
        )),
        Some(stored) => {
            note(format_args!(
                "took over `{place}`: {files} plain files became a copy, and were removed"
            ));
            if let StoreResult::Unsealed(cause) = stored {
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
        let outputs = secrets.map(|secret| &secret.output_directory);
        let templates = declarations.templates.values();
        let of_templates = templates.map(|template| &template.output_directory);
        Self {
            outputs: outputs
                .chain(of_templates)
                .map(|place| plain(place))
                .collect(),
            caches: caches.map(plain).collect(),
            links: declarations.secrets.values().flat_map(Link::of).collect(),
        }
    }

    fn and(&self, other: &Self) -> Self {
        Self {
            outputs: &self.outputs | &other.outputs,
            caches: &self.caches | &other.caches,
            links: &self.links | &other.links,
        }
    }

    /// Removes the places that `present` lacks, and returns those that could not be removed.
    fn remove_except(&self, present: &Self) -> Self {
        let remaining = |places: &BTreeSet<PathBuf>, remove: fn(&Path) -> Result<bool, _>| {
            let undeclared = places
                .iter()
                .filter(|place| !present.needs(place))
                .filter(|place| !report_removal(place, remove(place)));
            undeclared.cloned().collect()
        };
        // a link with another target is replaced by the new one
        let is_declared = |link: &&Link| {
            let mut paths = present.links.iter().map(Link::path);
            paths.any(|path| path == link.path())
        };
        let links = self.links.iter().filter(|link| !is_declared(link));
        Self {
            outputs: remaining(&self.outputs, remove_output),
            caches: remaining(&self.caches, Cache::remove_folder),
            links: links.filter(|link| !link.remove()).cloned().collect(),
        }
    }

    /// Returns whether `place`, or a place below it, is declared.
    fn needs(&self, place: &Path) -> bool {
        let mut all = self.outputs.iter().chain(&self.caches);
        all.any(|declared| declared.starts_with(place))
    }
}

/// Returns a path without redundant parts, such as a `/` at its end.
fn plain(path: &Path) -> PathBuf {
    path.components().collect()
}

/// Reports a removal, and returns whether it succeeded.
fn report_removal(place: &Path, removed: Result<bool, Error>) -> bool {
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
