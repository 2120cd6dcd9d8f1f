//! Files for `node_exporter`'s textfile collector.

use std::{io, path::Path};

use zts_secure_fs::{Access, Folder, Guard, parent_of};

use crate::Page;

/// Writes `page` to `file` atomically and readable for every user, because it holds no secret. The
/// draft beside it does not end in `.prom`, so the collector ignores it. The folder may belong to a
/// service; links in it are not followed.
///
/// # Errors
/// A file that cannot be written.
pub fn write(file: &Path, page: &Page) -> io::Result<()> {
    let draft = Folder::open(parent_of(file), Guard::Links)?.unique_draft(".tmp")?;
    let draft = draft.write(page.as_str().as_bytes(), Access::Mode(0o644))?;
    draft.rename(file.file_name().unwrap_or_default()).map(drop)
}

#[cfg(test)]
mod tests {
    use std::{fs, os::unix::fs::PermissionsExt};

    use super::*;

    #[test]
    fn a_full_disk_keeps_the_previous_file() {
        let Some(disk) = zts_testkit::Tmpfs::mount(16_384) else {
            zts_testkit::skip!("mounting needs root");
        };
        let file = disk.path().join("a.prom");
        let mut page = Page::default();
        page.append("a 1");
        write(&file, &page).unwrap();
        page.append(&"b 2\n".repeat(10_000));
        write(&file, &page).unwrap_err();
        assert_eq!(fs::read_to_string(&file).unwrap(), "a 1\n");
        assert_eq!(
            fs::read_dir(disk.path()).unwrap().count(),
            1,
            "no draft stays"
        );
        let mode = fs::metadata(&file).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o644);
    }
}
