//! `vault-snapshot` as people and timers run it, against real servers.
#![expect(
    clippy::unwrap_used,
    clippy::case_sensitive_file_extension_comparisons,
    reason = "a test that cannot go on has failed; names are ours, in lower case"
)]

mod buckets;
mod damaged;
mod dated;
mod documentation;
mod drilled;
mod encrypted;
mod hostile;
mod killed;
mod login;
mod many;
mod places;
mod pruning;
mod restored;
mod roles;
mod saved;
mod signed;
mod site;
mod undescribed;
mod usage;
mod wavering;
