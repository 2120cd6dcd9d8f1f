//! Failures on a file of the fleet.

use std::{io, path::Path};

use zts_cli::Failure;

/// Returns the failure of an action (such as `read`) on `path`.
pub(crate) fn file_failure(action: &str, path: &Path, cause: impl Into<io::Error>) -> Failure {
    let cause = cause.into();
    let failure = Failure::failed(format_args!(
        "could not {action} `{}`: {cause}",
        path.display()
    ));
    match cause.kind() {
        io::ErrorKind::PermissionDenied | io::ErrorKind::ReadOnlyFilesystem => {
            failure.hint("nothing was changed; run this as a user who may write there")
        }
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => {
            failure.hint("nothing was changed; free space on the disk")
        }
        _ => failure,
    }
}

/// Returns the failure of an edit of `file`.
pub(crate) fn edit_failure(file: &str, cause: &zts_infra_edit::Error) -> Failure {
    let failure = Failure::failed(format_args!("`{file}`, {cause}"));
    match cause.hint() {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Appends one more instruction to the hint of a failure.
pub(crate) fn append_hint(failure: Failure, instruction: &str) -> Failure {
    let hint = match failure.hint_text() {
        Some(hint) => format!("{hint}; then {instruction}"),
        None => instruction.to_owned(),
    };
    failure.hint(hint)
}
