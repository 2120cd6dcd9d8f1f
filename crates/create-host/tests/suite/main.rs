//! Runs of the program on scratch fleets with real OpenBao servers, one topic in each file.
#![expect(
    clippy::expect_used,
    clippy::unwrap_used,
    reason = "what the helpers below cannot do fails their test"
)]

mod site;

mod cluster;
mod corpus;
mod credentials;
mod deliver;
mod deliver_ssh;
mod dry_run;
mod earlier;
mod edits;
mod enroll;
mod entries;
mod environment_roles;
mod environments;
mod evaluation;
mod evaluation_git;
mod file_writes;
mod files;
mod flakes;
mod grants;
mod hints;
mod host_types;
mod init;
mod init_runs;
mod interrupted;
mod json;
mod machines;
mod names;
mod openbao;
mod operator_token;
mod policies;
mod preflight;
mod prose_hints;
mod remove;
mod settings;
mod tofu;
mod tofu_output;
mod together;
mod token_variables;
mod usage;
mod verbose;
