//! A snapshot that comes in: on the disk, and known to be whole, before it is anything.

use std::{
    io::{self, ErrorKind, Read},
    path::Path,
};

use cli::Failure;

use crate::{
    archive::Archive,
    cluster::Missing,
    digest::Digesting,
    draft::{self, Draft},
    encryption::{Recipients, Sink},
    inspection::{Inspected, Trouble, inspect},
};

/// Verifies the archive while it comes in, and writes it to a draft in `work`, encrypted where there are recipients.
///
/// # Errors
/// One that is damaged or ends too early, which another try may mend; a folder that cannot be written to.
pub(crate) fn receive(
    archive: impl Read,
    recipients: &Recipients,
    work: &Path,
) -> Result<Draft, Missing> {
    let unwritable = |cause: &io::Error| Missing {
        failure: Failure::failed(format!(
            "the snapshot could not be written to `{}`: {cause}",
            work.display()
        )),
        may_pass: false,
    };
    let checked = secure_fs::check(work, secure_fs::Guard::Links).map_err(io::Error::from);
    let file = checked
        .and_then(|()| draft::make(work))
        .map_err(|cause| unwritable(&cause))?;
    let mut sink = Sink::open(file.as_file(), recipients).map_err(|cause| unwritable(&cause))?;
    let mut archive = Digesting::new(archive);
    let inspected = inspect(&mut archive, &mut sink).map_err(|cause| unwritable(&cause))?;
    let about = judge(inspected, unwritable)?;
    let (_, whole) = archive.finish();
    let stored = sink.finish().map_err(|cause| unwritable(&cause))?;
    let stored = stored.unwrap_or_else(|| whole.clone());
    Draft::new(file, about, whole, stored).map_err(|cause| unwritable(&cause))
}

fn judge(
    inspected: Inspected,
    unwritable: impl FnOnce(&io::Error) -> Missing,
) -> Result<Archive, Missing> {
    let bad = |why: String| Missing {
        failure: Failure::failed(why),
        may_pass: true,
    };
    match (inspected.archive, inspected.trouble) {
        (_, Some(Trouble::To(cause))) => Err(unwritable(&cause)),
        (_, Some(Trouble::From(cause))) => {
            Err(bad(format!("OpenBao's snapshot ends too early: {cause}")))
        }
        (Err(cause), None) if cause.kind() == ErrorKind::UnexpectedEof => Err(bad(
            "OpenBao's snapshot is damaged: it ends too early".to_owned(),
        )),
        (Err(cause), None) => Err(bad(format!("OpenBao's snapshot is damaged: {cause}"))),
        (Ok(archive), None) => Ok(archive),
    }
}
