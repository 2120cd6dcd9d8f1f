//! Turns secrets into files on a host.
//!
//! A [`Session`] reads a secret in one request, with the host's AppRole credentials
//! ([`credentials`]). The processes of a host share notes about OpenBao in the [`RuntimeDir`].
//! [`Contents`] turns the secret into files. [`directory`] writes them in the hidden [`StateDir`]
//! beside the output directory and exchanges both in one step. The [`Cache`] keeps a copy for the
//! time when OpenBao is unavailable. [`fetch`] is all of this for one secret.
//!
//! While a new version is unproven ([`PendingRollout`]), it can be rolled back. A [`Rejection`]
//! notes a version with which a service failed.
//!
//! The library reads no environment variable, prints nothing and ends no process.

mod cache;
mod cached_copy;
mod certificate;
mod contents;
pub mod credentials;
mod declarations;
mod declared_source;
mod declared_template;
mod deployed_version;
pub mod directory;
mod encoding;
mod environment_file;
mod error;
mod failures;
pub mod fetch;
mod files;
mod fingerprint;
mod last_server;
mod leader;
mod login_limiter;
mod names;
mod numbering;
mod ownership;
mod pending_rollout;
mod private_file;
mod proof;
mod query;
mod recipe;
mod rejection;
mod removal;
mod rollout;
mod runtime_dir;
mod seal;
mod seal_keys;
mod secret_read;
mod secret_ref;
mod session;
mod shared_template;
mod state_dir;
mod systemd_creds;
mod takeover;
mod template;

pub use cache::{Cache, CachedCopyState, StoreResult};
pub use cached_copy::{CachedCopy, CopyAge, Proof};
pub use certificate::{CertificateRequest, SshCertificateRequest, certificate_end};
pub use contents::Contents;
pub use declarations::{
    CharacterSet, DECLARATIONS, Declarations, DeclaredOpenBao, DeclaredOwnership, DeclaredSecret,
    GeneratedValue, OnChange,
};
pub use declared_source::DeclaredSource;
pub use declared_template::DeclaredTemplate;
pub use deployed_version::{DeployedVersion, LastChange, OutputState, Source, uptime};
pub use error::{Error, is_bare_denial};
pub use failures::{FailureReason, Failures};
pub use files::Files;
pub use fingerprint::Alteration;
pub use leader::MissingLeader;
pub use login_limiter::LoginLimiter;
pub use names::{SecretIdentity, SecretPath};
pub use ownership::{FileMode, Ownership};
pub use pending_rollout::{PendingRollout, RolloutStage};
pub use query::{LoginMode, QueryError, RetryPolicy};
pub use recipe::Recipe;
pub use rejection::Rejection;
pub use removal::{Removal, remove_output, remove_secret};
pub use runtime_dir::{RUNTIME_DIR, RuntimeDir};
pub use seal::SealPolicy;
pub use secret_read::HostState;
pub use secret_ref::{Engine, SecretRef};
pub use session::{Session, SessionConfig};
pub use shared_template::SharedTemplate;
pub use state_dir::StateDir;
pub use systemd_creds::SealError;
pub use takeover::{CacheTakeover, take_over_output};
pub use template::Template;
