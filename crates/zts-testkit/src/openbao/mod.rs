//! Real OpenBao servers and clusters.

mod cluster;
mod configuration;
mod engines;
mod enrolled_host;
mod hosts;
mod key_shares;
mod launch;
mod options;
mod records;
mod server;

pub use cluster::Cluster;
pub use enrolled_host::EnrolledHost;
pub use hosts::HostCredentials;
pub use launch::shared_server;
pub use options::{CertificateKind, ServerBuilder};
pub use records::{AuditedRequest, TokensAndLeases};
pub use server::Server;
