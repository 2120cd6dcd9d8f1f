//! Writes changes: all of them or none.

mod staged;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use cli::Failure;
use secure_fs::{Folder, Guard, LARGEST_TEXT, read_bounded};

use crate::{
    failure,
    fleet::{Fleet, Tree},
    git,
    plan::Change,
};
use staged::Staged;

/// What a file that is not finished is called; one that a killed run left is known by it.
pub(crate) const PREFIX: &str = ".create-host.";

/// Writes `changes`. Every new content is on the disk beside its target before the first target is
/// touched; when a step fails, what was replaced is put back. `private` files are readable by their owner
/// only afterwards.
pub(crate) fn write(tree: &Tree, changes: &[Change], private: &[&str]) -> Result<(), Failure> {
    let targets = resolve(tree, changes)?;
    git::exclude(tree.root(), &format!("{PREFIX}*"))?;
    let mut made = MadeFolders::default();
    let staged = stage(tree, &targets, private, &mut made);
    let result = staged.and_then(|mut staged| {
        check_unchanged(&targets)?;
        put_in_place(&mut staged)
    });
    if let Err(failure) = result {
        made.remove();
        return Err(failure);
    }
    remove_empty_folders(tree, &targets);
    sync_folders(&targets)
}

type Target<'a> = (PathBuf, &'a Change);

fn resolve<'a>(tree: &Tree, changes: &'a [Change]) -> Result<Vec<Target<'a>>, Failure> {
    changes
        .iter()
        .map(|change| Ok((tree.resolve(&change.path)?, change)))
        .collect()
}

fn folders(targets: &[Target<'_>]) -> BTreeSet<PathBuf> {
    targets
        .iter()
        .filter_map(|(path, _)| path.parent().map(Path::to_owned))
        .collect()
}

/// Removes what killed runs left in the folders of the files that are written. The lock on the fleet keeps
/// runs that live out of this.
pub(crate) fn sweep(fleet: &Fleet) -> Result<(), Failure> {
    let paths = &fleet.settings.paths;
    for file in [&paths.flake, &paths.vms, &paths.generated] {
        if let Some(folder) = fleet.tree.resolve(file.as_str())?.parent() {
            sweep_folder(folder, false)?;
        }
    }
    sweep_folder(&fleet.tree.resolve(paths.hosts.as_str())?, true)
}

fn sweep_folder(folder: &Path, deep: bool) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(()); // it is not there yet
    };
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && deep {
            sweep_folder(&path, deep)?;
        } else if !is_folder && is_unfinished(&path) {
            fs::remove_file(&path).map_err(|cause| failure::io("remove", &path, cause))?;
        }
    }
    Ok(())
}

/// Whether that is a file on its way, which a run left that was killed.
pub(crate) fn is_unfinished(path: &Path) -> bool {
    let name = path.file_name().unwrap_or_default();
    name.to_string_lossy().starts_with(PREFIX)
}

fn stage(
    tree: &Tree,
    targets: &[Target<'_>],
    private: &[&str],
    made: &mut MadeFolders,
) -> Result<Vec<Staged>, Failure> {
    for folder in folders(targets) {
        made.make(&folder)?;
    }
    targets
        .iter()
        .map(|(path, change)| {
            let private = private.contains(&change.path.as_str());
            Staged::new(path, change, private)
                .map_err(|cause| failure::io("write", &tree.root().join(&change.path), cause))
        })
        .collect()
}

/// An editor that saved meanwhile must not lose what it wrote.
fn check_unchanged(targets: &[Target<'_>]) -> Result<(), Failure> {
    for (path, change) in targets {
        let now = match read_bounded(path, LARGEST_TEXT) {
            Ok(bytes) => Some(bytes),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(failure::io("read", path, cause)),
        };
        if now != change.before {
            return Err(Failure::failed(format_args!(
                "`{}` was changed by somebody else meanwhile",
                change.path
            ))
            .hint("nothing was changed; run the same command again"));
        }
    }
    Ok(())
}

fn put_in_place(staged: &mut [Staged]) -> Result<(), Failure> {
    for index in 0..staged.len() {
        let Err(cause) = staged[index].put() else {
            continue;
        };
        let failure = failure::io("write", staged[index].path(), cause);
        let back = staged[..=index].iter_mut().rev().map(|done| {
            done.put_back()
                .map_err(|cause| (done.path().to_owned(), cause))
        });
        let stuck: Vec<String> = back
            .filter_map(Result::err)
            .map(|(path, cause)| format!("`{}` ({cause})", path.display()))
            .collect();
        if stuck.is_empty() {
            return Err(failure);
        }
        return Err(failure
            .suffix(format_args!(
                "and could not be put back: {}",
                stuck.join(", ")
            ))
            .hint("look at these files by hand, with `git diff` for instance"));
    }
    Ok(())
}

/// Folders that this run made, and takes away when it fails.
#[derive(Debug, Default)]
struct MadeFolders(Vec<PathBuf>);

impl MadeFolders {
    fn make(&mut self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|folder| !folder.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            make_folder(folder).map_err(|cause| failure::io("make the folder", folder, cause))?;
            self.0.push(folder.to_owned());
        }
        Ok(())
    }

    fn remove(self) {
        for folder in self.0.iter().rev() {
            // it stays where somebody put something into it meanwhile
            let _ = fs::remove_dir(folder);
        }
    }
}

fn make_folder(folder: &Path) -> io::Result<()> {
    let parent = Folder::open(folder.parent().unwrap_or(Path::new("/")), Guard::Links)?;
    fs::DirBuilder::new()
        .mode(0o775) // less what the umask takes away: never writable by everybody
        .create(parent.within(folder.file_name().unwrap_or_default()))
}

/// Removes the folders that removed files leave empty, up to the fleet's root.
fn remove_empty_folders(tree: &Tree, targets: &[Target<'_>]) {
    let removed = targets.iter().filter(|(_, change)| change.after.is_none());
    for (path, _) in removed {
        let above = path
            .ancestors()
            .skip(1)
            .take_while(|folder| *folder != tree.root());
        for folder in above {
            if fs::remove_dir(folder).is_err() {
                break; // something is in it
            }
        }
    }
}

/// A rename is on the disk when its folder is.
fn sync_folders(targets: &[Target<'_>]) -> Result<(), Failure> {
    for folder in folders(targets) {
        match File::open(&folder).and_then(|opened| opened.sync_all()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(failure::io("flush", &folder, cause));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> Change {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        Change {
            path: path.to_owned(),
            before: bytes(before),
            after: bytes(after),
        }
    }

    #[test]
    fn what_an_editor_saved_meanwhile_is_not_lost() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path()).unwrap();
        fs::write(folder.path().join("flake.nix"), "saved").unwrap();
        for change in [
            change("flake.nix", Some("old"), Some("new")),
            change("flake.nix", None, Some("new")),
            change("flake.nix", Some("old"), None),
        ] {
            let failure = write(&tree, &[change], &[]).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(failure.message(), @"`flake.nix` was changed by somebody else meanwhile");
            }
            let text = fs::read_to_string(folder.path().join("flake.nix"));
            assert_eq!(text.unwrap(), "saved");
        }
    }

    #[test]
    fn what_was_replaced_comes_back_when_a_later_step_fails() {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        for name in ["edited", "removed", "late"] {
            fs::write(path(name), "old").unwrap();
        }
        let changes = [
            change("made", None, Some("new")),
            change("edited", Some("old"), Some("new")),
            change("removed", Some("old"), None),
            change("late", Some("old"), Some("new")),
        ];
        let stage = |change: &Change| Staged::new(&path(&change.path), change, false).unwrap();
        let mut staged: Vec<Staged> = changes.iter().map(stage).collect();
        // the last one cannot be put in place any more
        fs::remove_file(path("late")).unwrap();
        fs::create_dir_all(path("late/in the way")).unwrap();

        let failure = put_in_place(&mut staged).unwrap_err();
        assert!(failure.message().contains("late"), "{failure:?}");
        drop(staged);
        assert!(!path("made").exists());
        for name in ["edited", "removed"] {
            assert_eq!(fs::read_to_string(path(name)).unwrap(), "old");
        }
        let mut left: Vec<_> = fs::read_dir(folder.path())
            .unwrap()
            .flatten()
            .map(|entry| entry.file_name())
            .collect();
        left.sort();
        assert_eq!(left, ["edited", "late", "removed"]);
    }
}
