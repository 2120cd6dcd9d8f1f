//! Writes file changes: all of them or none.

mod staged;

use std::{
    collections::BTreeSet,
    fs::{self, File},
    io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
};

use zts_cli::Failure;
use zts_infra_edit::nix;
use zts_secure_fs::{Folder, Guard, LARGEST_TEXT, read_bounded, remove_file_if_exists};

use crate::{
    change::FileChange,
    failure::file_failure,
    fleet::{DRAFT_PREFIX, Fleet, SETTINGS_FILE, Tree, is_draft},
    git,
};
use staged::StagedFile;

/// Writes `changes`. Every new content is on the disk beside its target before the first target is
/// replaced. If a step fails, the replaced files are restored. Only their owner can read `private`
/// files afterwards.
pub(crate) fn write_changes(
    tree: &Tree,
    changes: &[FileChange],
    private: &[&str],
) -> Result<(), Failure> {
    let targets = resolve_targets(tree, changes)?;
    git::exclude_pattern(tree.root(), &format!("{DRAFT_PREFIX}*"))?;
    let mut new_folders = NewFolders::default();
    let staged = stage_files(tree, &targets, private, &mut new_folders);
    let result = staged.and_then(|mut staged| {
        check_unchanged(&targets)?;
        replace_targets(&mut staged)
    });
    if let Err(failure) = result {
        new_folders.remove();
        return Err(failure);
    }
    let removed = targets.iter().filter(|(_, change)| change.after.is_none());
    for folder in removed.filter_map(|(path, _)| path.parent()) {
        remove_empty_folders(tree, folder);
    }
    sync_folders(&targets)
}

/// The real path of a file, and its change.
type Target<'a> = (PathBuf, &'a FileChange);

fn resolve_targets<'a>(tree: &Tree, changes: &'a [FileChange]) -> Result<Vec<Target<'a>>, Failure> {
    // The next run continues one that was killed in between: a host that the flake has, but not all
    // of whose files exist, would be somebody else's.
    let mut changes: Vec<&FileChange> = changes.iter().collect();
    changes.sort_by_key(|change| {
        let is_nix = nix::is_nix_file(&change.path);
        (change.after.is_none(), change.before.is_some(), is_nix)
    });
    changes
        .into_iter()
        .map(|change| Ok((tree.resolve(&change.path)?, change)))
        .collect()
}

fn parent_folders(targets: &[Target<'_>]) -> BTreeSet<PathBuf> {
    targets
        .iter()
        .filter_map(|(path, _)| path.parent().map(Path::to_owned))
        .collect()
}

/// Removes the drafts that killed runs left in the folders of the fleet's files and in `folders`,
/// and the folders that are then empty. The lock on the fleet excludes runs that still work.
pub(crate) fn remove_drafts(fleet: &Fleet, folders: &BTreeSet<&str>) -> Result<(), Failure> {
    let (tree, paths) = (&fleet.tree, &fleet.settings.paths);
    let files = [
        SETTINGS_FILE,
        paths.flake.as_str(),
        paths.vms.as_str(),
        paths.generated.as_str(),
    ];
    for file in files.into_iter().filter(|file| !file.is_empty()) {
        if let Some(folder) = tree.resolve(file)?.parent() {
            remove_drafts_in(tree, folder, false)?;
        }
    }
    for folder in folders {
        remove_drafts_in(tree, &tree.resolve(folder)?, false)?;
    }
    remove_drafts_in(tree, &tree.resolve(paths.hosts.as_str())?, true)
}

fn remove_drafts_in(tree: &Tree, folder: &Path, deep: bool) -> Result<(), Failure> {
    let Ok(entries) = fs::read_dir(folder) else {
        return Ok(()); // the folder does not exist yet
    };
    let mut has_drafts = false;
    for entry in entries.flatten() {
        let path = entry.path();
        let is_folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if is_folder && deep {
            remove_drafts_in(tree, &path, deep)?;
        } else if !is_folder && is_draft(&path) {
            has_drafts |= remove_file_if_exists(&path)
                .map_err(|cause| file_failure("remove", &path, cause))?;
        }
    }
    if has_drafts {
        remove_empty_folders(tree, folder);
    }
    Ok(())
}

fn stage_files(
    tree: &Tree,
    targets: &[Target<'_>],
    private: &[&str],
    new_folders: &mut NewFolders,
) -> Result<Vec<StagedFile>, Failure> {
    for folder in parent_folders(targets) {
        new_folders.create(&folder)?;
    }
    targets
        .iter()
        .map(|(path, change)| {
            let private = private.contains(&change.path.as_str());
            StagedFile::new(path, change, private)
                .map_err(|cause| file_failure("write", &tree.root().join(&change.path), cause))
        })
        .collect()
}

/// Checks that no target has changed since it was read, for example by an editor.
fn check_unchanged(targets: &[Target<'_>]) -> Result<(), Failure> {
    for (path, change) in targets {
        let now = match read_bounded(path, LARGEST_TEXT) {
            Ok(bytes) => Some(bytes),
            Err(cause) if cause.kind() == io::ErrorKind::NotFound => None,
            Err(cause) => return Err(file_failure("read", path, cause)),
        };
        if now != change.before {
            return Err(Failure::failed(format_args!(
                "`{}` has been changed since it was read",
                change.path
            ))
            .hint("nothing was changed; run the same command again"));
        }
    }
    Ok(())
}

/// Replaces the targets one by one, and restores all of them if one fails.
fn replace_targets(staged: &mut [StagedFile]) -> Result<(), Failure> {
    for index in 0..staged.len() {
        let Err(cause) = staged[index].replace_target() else {
            continue;
        };
        let failure = file_failure("write", staged[index].path(), cause);
        let restored = staged[..=index].iter_mut().rev().map(|done| {
            done.restore_target()
                .map_err(|cause| (done.path().to_owned(), cause))
        });
        let not_restored: Vec<String> = restored
            .filter_map(Result::err)
            .map(|(path, cause)| format!("`{}` ({cause})", path.display()))
            .collect();
        if not_restored.is_empty() {
            return Err(failure);
        }
        return Err(failure
            .suffix(format_args!(
                "and could not be restored: {}",
                not_restored.join(", ")
            ))
            .hint("check these files, for example with `git diff`"));
    }
    Ok(())
}

/// The folders that this run created, and removes if it fails.
#[derive(Debug, Default)]
struct NewFolders(Vec<PathBuf>);

impl NewFolders {
    fn create(&mut self, folder: &Path) -> Result<(), Failure> {
        let missing: Vec<&Path> = folder
            .ancestors()
            .take_while(|folder| !folder.exists())
            .collect();
        for folder in missing.into_iter().rev() {
            match create_folder(folder) {
                Ok(()) => self.0.push(folder.to_owned()),
                // another process was faster: the folder is not of this run
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                Err(cause) => return Err(file_failure("create the folder", folder, cause)),
            }
        }
        Ok(())
    }

    fn remove(self) {
        for folder in self.0.iter().rev() {
            // a folder stays if another process has put a file into it
            let _ = fs::remove_dir(folder);
        }
    }
}

fn create_folder(folder: &Path) -> io::Result<()> {
    let parent = Folder::open(folder.parent().unwrap_or(Path::new("/")), Guard::Links)?;
    fs::DirBuilder::new()
        .mode(0o775) // less the bits of the umask: never writable by everybody
        .create(parent.within(folder.file_name().unwrap_or_default()))
}

/// Removes a folder if it is empty, and those above that are empty then, up to the fleet's root.
fn remove_empty_folders(tree: &Tree, folder: &Path) {
    let above = folder.ancestors();
    for folder in above.take_while(|folder| *folder != tree.root()) {
        if fs::remove_dir(folder).is_err() {
            break; // it is not empty
        }
    }
}

/// Flushes the folders, because a rename is on the disk only with its folder.
fn sync_folders(targets: &[Target<'_>]) -> Result<(), Failure> {
    for folder in parent_folders(targets) {
        match File::open(&folder).and_then(|opened| opened.sync_all()) {
            Err(cause) if cause.kind() != io::ErrorKind::NotFound => {
                return Err(file_failure("flush", &folder, cause));
            }
            _ => {}
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(path: &str, before: Option<&str>, after: Option<&str>) -> FileChange {
        let bytes = |text: Option<&str>| text.map(|text| text.as_bytes().to_vec());
        FileChange {
            path: path.to_owned(),
            before: bytes(before),
            after: bytes(after),
        }
    }

    #[test]
    fn a_file_that_an_editor_saved_meanwhile_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let tree = Tree::new(folder.path()).unwrap();
        fs::write(folder.path().join("flake.nix"), "saved").unwrap();
        for change in [
            change("flake.nix", Some("old"), Some("new")),
            change("flake.nix", None, Some("new")),
            change("flake.nix", Some("old"), None),
        ] {
            let failure = write_changes(&tree, &[change], &[]).unwrap_err();
            insta::allow_duplicates! {
                insta::assert_snapshot!(failure.message(), @"`flake.nix` has been changed since it was read");
            }
            let text = fs::read_to_string(folder.path().join("flake.nix"));
            assert_eq!(text.unwrap(), "saved");
        }
    }

    #[test]
    fn a_folder_that_another_process_creates_meanwhile_is_used() {
        let folder = tempfile::tempdir().unwrap();
        let start = std::sync::Barrier::new(2);
        let create_all = || {
            for number in 0..200 {
                let path = folder.path().join(format!("{number}/hosts/web01"));
                start.wait();
                let mut created = NewFolders::default();
                created.create(&path).unwrap();
                assert!(path.is_dir());
            }
        };
        std::thread::scope(|scope| {
            let other = scope.spawn(create_all);
            create_all();
            other.join().unwrap();
        });
    }

    #[test]
    fn replaced_files_are_restored_if_a_later_step_fails() {
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
        let stage =
            |change: &FileChange| StagedFile::new(&path(&change.path), change, false).unwrap();
        let mut staged: Vec<StagedFile> = changes.iter().map(stage).collect();
        // the last target can no longer be replaced
        fs::remove_file(path("late")).unwrap();
        fs::create_dir_all(path("late/in the way")).unwrap();

        let failure = replace_targets(&mut staged).unwrap_err();
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
