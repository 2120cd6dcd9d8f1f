//! What goes wrong with files, told with the file's name.

use std::{io, path::Path};

use cli::Failure;

/// `doing` (such as `read`) failed on `path`.
pub(crate) fn io(doing: &str, path: &Path, cause: impl Into<io::Error>) -> Failure {
    let cause = cause.into();
    let failure = Failure::failed(format_args!(
        "could not {doing} `{}`: {cause}",
        path.display()
    ));
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failure.hint("nothing was changed; run this as a user who may write there")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.hint("nothing was changed; make room on the disk")
        }
        _ => failure,
    }
}

/// `file` could not be edited.
pub(crate) fn edit(file: &str, cause: &infra_edit::Error) -> Failure {
    let failure = Failure::failed(format_args!("`{file}`, {cause}"));
    match cause.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// `failure` with one more thing to do behind its hint.
pub(crate) fn and_then(failure: Failure, advice: &str) -> Failure {
    let hint = match failure.hint_text() {
        Some(hint) => format!("{hint}; then {advice}"),
        None => advice.to_owned(),
    };
    failure.hint(hint)
}
