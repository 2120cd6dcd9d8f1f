//! Real OpenBao servers and clusters, misbehaving networks, and places to work in, for the tests.
//!
//! Everything here is real: `bao` itself listens on loopback, proxies and black holes are sockets,
//! a full disk is a full disk. Each piece ends on `Drop`, also when its test panics, and dies with
//! the test runner when that is killed.
//!
//! A test says what it needs and is skipped by name where the machine lacks it:
//!
//! ```no_run
//! # fn reads_a_secret() {
//! testkit::require_bao!();
//! let server = testkit::Server::dev();
//! let host = server.add_host("web01");
//! server.put_secret("hosts/web01/db", &serde_json::json!({ "password": "hunter2" }));
//! # let _ = host;
//! # }
//! ```
#![expect(
    clippy::expect_used,
    clippy::missing_panics_doc,
    reason = "only tests call this: what cannot be set up is a failed test, and a panic says so"
)]

mod certificates;
mod documented;
mod encodings;
mod fleet;
mod kubernetes;
mod mount;
mod network;
mod object_store;
mod opentofu;
mod others;
mod port;
mod process;
mod program;
mod run;
mod scratch;
mod server;
mod skip;
mod steady;
mod wait;

pub use certificates::{Certificates, ServerCertificate};
pub use documented::assert_documented;
pub use encodings::{encodings, shown_of};
pub use fleet::Fleet;
pub use kubernetes::{Kubernetes, external_secrets_crds, missing_of_kubernetes, shared_kubernetes};
pub use mount::{ReadOnlyDir, Tmpfs};
pub use network::{BlackHole, Hit, Proxy, SilentAddress, Trouble, Turn};
pub use object_store::{ObjectStore, versitygw};
pub use opentofu::OpenTofu;
pub use others::{ANOTHER_USER, Acl, acl, as_another_user, give_by_acl};
pub use port::{RefusedAddress, refused_address};
pub use program::{bao, find};
pub use run::{Output, Run, Running, Signal};
pub use scratch::{ScratchDir, scratch_dir};
pub use server::{
    AuditedRequest, Builder, Certificate, Cluster, HostCredentials, LeftBehind, Server,
    shared_server,
};
pub use skip::report_skipped;
pub use steady::steady;
pub use wait::{busy, wait_for};
