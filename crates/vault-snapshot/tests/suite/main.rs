//! Tests of the program, against real servers.
#![expect(
    clippy::unwrap_used,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test that cannot go on has failed; names are ours, in lower case"
)]

/// Skips the test where OpenBao or the S3 store is missing.
macro_rules! require_store {
    () => {
        zts_testkit::require_bao!();
        if zts_testkit::find_versitygw().is_none() {
            zts_testkit::skip!("no versitygw on this machine");
        }
    };
}

mod buckets;
mod clock;
mod damaged;
mod drill;
mod drill_isolation;
mod encrypted;
mod failing_buckets;
mod folders;
mod foreign_leader;
mod hostile;
mod hostile_stores;
mod interrupted;
mod large;
mod login;
mod object_lock;
mod outages;
mod progress;
mod prune;
mod restore;
mod roles;
mod save;
mod settings;
mod signed;
mod site;
mod undescribed;
mod usage;
