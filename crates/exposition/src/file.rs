//! Files that `node_exporter`'s textfile collector reads.

use std::{
    fs::Permissions,
    io::{self, Write},
    os::unix::fs::PermissionsExt,
    path::Path,
};

use secure_fs::{Folder, Guard};

use crate::Page;

/// Writes `page` to `file`: whole or not at all, and readable for everybody, for there is nothing
/// secret in it. The draft beside it does not end in `.prom`, so nobody reads it. The folder may be a
/// service's, which may not lead root out of it.
///
/// # Errors
/// What the system refuses.
pub fn write(file: &Path, page: &Page) -> io::Result<()> {
    let folder = file.parent().filter(|name| !name.as_os_str().is_empty());
    let folder = Folder::open(folder.unwrap_or(Path::new(".")), Guard::Links)?;
    let mut draft = tempfile::Builder::new()
        .permissions(Permissions::from_mode(0o644))
        .tempfile_in(folder.within(""))?;
    draft.write_all(page.as_str().as_bytes())?;
    // whatever the umask was
    draft
        .as_file()
        .set_permissions(Permissions::from_mode(0o644))?;
    draft.persist(folder.within(file.file_name().unwrap_or_default()))?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn a_disk_without_room_keeps_the_file_before() {
        let Some(disk) = testkit::Tmpfs::mount(16_384) else {
            testkit::skip!("mounting needs root");
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
