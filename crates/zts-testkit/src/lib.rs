//! Real OpenBao servers and clusters, misbehaving networks and temporary folders for tests.
//!
//! All parts are real: `bao` listens on loopback, proxies and black holes are sockets, a full file
//! system is full. Each part ends on `Drop`, also when its test panics, and with the test runner
//! when that is killed.
//!
//! A test names its requirements and is skipped by name where the machine lacks one:
//!
//! ```no_run
//! # fn reads_a_secret() {
//! zts_testkit::require_bao!();
//! let server = zts_testkit::Server::dev();
//! let host = server.add_host("web01");
//! server.put_secret("hosts/web01/db", &serde_json::json!({ "password": "hunter2" }));
//! # let _ = host;
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this: a failed setup is a failed test, which a panic reports"
)]

mod another_user;
mod certificates;
mod declarations;
mod failing_call;
mod files;
mod fleet;
mod kubernetes;
mod metrics_documentation;
mod mount;
mod network;
mod object_store;
mod openbao;
mod opentofu;
mod output;
mod port;
mod process;
mod program;
mod run;
mod scratch;
mod text;
mod wait;

pub use another_user::{ANOTHER_USER, AclKind, grant_by_acl, read_acl, spawn_as_another_user};
pub use certificates::{CertificateAuthority, ServerCertificate};
pub use declarations::{declarations, declared_secret, merge};
pub use failing_call::{FILE_CALLS, FailingCall};
pub use files::{is_root, mode, names, names_if_any, set_mode, write_program};
pub use fleet::Fleet;
pub use kubernetes::{
    Kubernetes, find_external_secrets_crds, missing_kubernetes_program, shared_kubernetes,
};
pub use metrics_documentation::assert_metrics_documented;
pub use mount::{ReadOnlyDir, Tmpfs};
pub use network::{
    Balancing, BlackHole, ClosedPort, DnsAnswer, DnsServer, Fault, ProxiedRequest, Proxy,
    SilentListener, closed_port, closed_port_pair,
};
pub use object_store::{ObjectStore, find_versitygw};
pub use openbao::{
    AuditedRequest, CertificateKind, Cluster, EnrolledHost, HostCredentials, Server, ServerBuilder,
    TokensAndLeases, shared_server,
};
pub use opentofu::OpenTofu;
pub use output::RunOutput;
pub use program::{
    build_programs, find_bao, find_program, path_with, path_without, report_skipped,
};
pub use run::{Run, Running, Signal};
pub use scratch::{ScratchDir, scratch_dir};
pub use text::{encodings, find_leak, normalize_output};
pub use wait::{scale_timeout, wait_for};
