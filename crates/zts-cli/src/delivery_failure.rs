//! Failures of a secret's delivery, with hints for a host's operator.

use std::io;

use rustix::io::Errno;
use zts_delivery::{Error, is_bare_denial};

use crate::{
    failure::{Failure, UNREACHABLE},
    printable::shell_word,
};

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::UnknownAccount { .. } => Self::usage(&error).hint("create it, or name another with `--owner` and `--group`"),
            Error::NoCredentials { .. } => Self::failed(&error).hint("`vault-unwrap` puts them there on first boot; look at the log of vault-bootstrap.service"),
            Error::BadCredentials { .. } => Self::failed(&error).hint("make new ones with `create-host --force`, hand the token to this host, and run `systemctl restart vault-bootstrap`"),
            Error::Path(zts_secure_fs::Error::Refused { .. }) => Self::usage(&error).hint("name a directory that only vault-fetch writes to, such as `/run/secrets/db`"),
            Error::Path(zts_secure_fs::Error::Io { cause, .. }) if is_disk_error(cause) => Self::failed(&error).hint("`journalctl -k` shows what is wrong with the disk; run it again when that is mended"),
            Error::Key { .. } => Self::failed(&error).hint("rename the key in OpenBao: each key becomes a file"),
            Error::Template { .. } => Self::usage(&error).hint("placeholders are `{{ key }}`, `{{ key | json }}`, `{{ key | url }}`, `{{ key | base64 }}`, `{{ key | base64decode }}`; text with braces is `{{ \"{{\" }}`"),
            Error::Rendering { .. } => Self::failed(&error).hint("correct the template, or add the key with `bao kv patch`; `vault-plan` shows the keys that templates need"),
            Error::NotOnHost { .. } => Self::failed(&error).hint("`vault-secrets status` shows the secrets that are on this host; `systemctl start vault-secret-NAME` fetches one"),
            Error::Name { .. } => Self::usage(&error).hint("give it a plain file name of its own: it stands beside the keys' files"),
            Error::Incomplete { .. } => Self::failed(&error).hint("add the keys with `bao kv patch`; they are asked for by `--require`, `--encoding` and the templates"),
            Error::NoKeys { mount, path, version, .. } => Self::failed(&error).hint(without_keys(mount, path, *version)),
            Error::NameTaken { .. } => Self::failed(&error).hint("each key becomes a file: rename the key in OpenBao, or the other"),
            Error::NotBase64 { mount, secret, key, .. } => Self::failed(&error).hint(encode(mount.as_deref(), secret, key)),
            Error::Variable { .. } => Self::failed(&error).hint("rename or change the key in OpenBao, or do without the environment file"),
            Error::Credential { .. } => Self::failed(&error).hint("rename the key in OpenBao, or give the service the files in place of credentials (`asCredential = false`)"),
            Error::CredentialsTooLarge { .. } => Self::failed(&error).hint("give the service the files in place of credentials (`asCredential = false`), or make the secret smaller"),
            Error::Declarations { .. } | Error::InvalidDeclaration { .. } | Error::NotDeclared { .. } => Self::usage(&error).hint("the NixOS module writes them to `/etc/vault/secrets.json`; name another file with `--declarations`"),
            Error::NoCache { cause } => without_cache(cause),
            Error::OpenBao(cause) => explain_openbao_error(cause),
            _ => Self::failed(&error),
        }
    }
}

/// Returns whether the disk failed, and not this program.
fn is_disk_error(cause: &io::Error) -> bool {
    cause.raw_os_error() == Some(Errno::IO.raw_os_error())
}

/// Returns the hint for a value that is not in Base64, with the command that stores a file so.
fn encode(mount: Option<&str>, secret: &str, key: &str) -> String {
    let mount = mount.map(|mount| format!("-mount={} ", shell_word(mount)));
    format!(
        "the declaration says that it is in Base64; to store a file so, pipe `base64 FILE` into `bao kv patch {}{} {}=-`",
        mount.unwrap_or_default(),
        shell_word(secret),
        shell_word(key)
    )
}

/// Returns the hint for a version without keys: its likely cause, and the command that mends it.
fn without_keys(mount: &str, path: &str, version: u64) -> String {
    let comes = "`bao kv put … -` makes such a version of `null`, which `jq` prints for a name that is not there";
    let secret = format!("-mount={} {}", shell_word(mount), shell_word(path));
    match version.checked_sub(1).filter(|before| *before > 0) {
        Some(before) => format!(
            "{comes}; put the keys again, or version {before} as it was: `bao kv rollback -version={before} {secret}`"
        ),
        None => format!(
            "{comes}; put the keys again: `bao kv put {secret} KEY=-` takes one from the pipe"
        ),
    }
}

/// Returns the failure for a server that cannot be used where no copy stands in. The page about the
/// server's own problem is named if there is one.
fn without_cache(cause: &zts_openbao::Error) -> Failure {
    let failure = explain_openbao_error(cause).suffix("no cache available");
    match failure.page_name() {
        None | Some(UNREACHABLE) => failure.page("runbook/no-cache.md"),
        Some(_) => failure,
    }
}

/// Returns the failure for OpenBao's error, with a hint for a host's operator.
fn explain_openbao_error(error: &zts_openbao::Error) -> Failure {
    let failure = match error {
        zts_openbao::Error::LoginRefused { .. } => {
            Failure::from(error).page("runbook/credentials-refused.md")
        }
        _ => Failure::from(error),
    };
    match hint_of(error) {
        Some(hint) => failure.hint(hint),
        None => failure,
    }
}

/// Returns the hint for a certificate that the role's parameters do not allow. The messages are in
/// lower case, because engines differ in that.
fn hint_for_certificate(messages: &str) -> Option<&'static str> {
    let hints = [
        (
            "unknown role",
            "`bao list` with the engine's mount and `/roles` shows the roles that there are",
        ),
        (
            "keys of type",
            "set `key_type=any` on the role: the host makes an EC key",
        ),
        (
            "not allowed by this role",
            "set `allowed_domains`, with `allow_subdomains` or `allow_bare_domains`, on the role",
        ),
        (
            "beyond the expiration of the ca",
            "declare a shorter `ttl`, or set one on the role",
        ),
        (
            "valid_principals",
            "set `allowed_domains`, with `allow_subdomains` or `allow_bare_domains`, on the role",
        ),
        (
            "cert_type",
            "set `allow_host_certificates=true` on the role",
        ),
        ("ip_sans", "set `allow_ip_sans` on the role"),
    ];
    let mut hints = hints.into_iter();
    hints.find_map(|(text, hint)| messages.contains(text).then_some(hint))
}

/// Returns the hint for a host's operator where the general one would not help.
fn hint_of(error: &zts_openbao::Error) -> Option<&'static str> {
    use zts_openbao::Error as From;
    let hint = match error {
        From::LoginRefused { api_error, .. } if is_bare_denial(api_error) => {
            "is the mount of the AppRole auth method right (`--approle-mount`)?"
        }
        From::LoginRefused { .. } => {
            "this host's role or secret id is gone, or bound to another address; \
             make new credentials with `create-host --force`, hand the token to this host, and run `systemctl restart \
             vault-bootstrap`"
        }
        From::Denied { api_error, .. } if is_bare_denial(api_error) => {
            "the role's `token_bound_cidrs` may leave this host's address out, or its `token_num_uses` be used up \
             (0 sets no limit); with `--authentication inline`, the server may not know logins inside a request"
        }
        From::Denied { path, .. } if path.contains("/sign/") => {
            "one of the host's policies must allow `update` on this path: write one, and add its name to `policies` in `fleet.toml`"
        }
        From::Denied { path, .. } if !path.contains("/data/") => {
            "one of the host's policies must allow `read` on this path: write one, and add its name to `policies` in `fleet.toml`"
        }
        From::Denied { .. } => {
            "the host's policy must allow `read` on this path; `create-host` grants `hosts/<hostname>/*`"
        }
        From::Lease { .. } => {
            "of a PKI role, set `generate_lease=false`; of a database, use a static role"
        }
        From::Certificate { reason, .. } if reason.starts_with("cannot be asked for: `") => {
            "`ssh-keygen -A` makes the keys of a host that has none"
        }
        From::Certificate { .. } => {
            "the role decides which names it takes: `use_csr_common_name`, `use_csr_sans`, `exclude_cn_from_sans`"
        }
        From::Refused {
            path, api_error, ..
        } if path.contains("/sign/") => {
            return hint_for_certificate(&api_error.messages.join(" ").to_lowercase());
        }
        From::NotFound { path, api_error }
            if api_error.messages.is_empty() && !path.contains("/data/") =>
        {
            "is the path right? `bao read` with a token that may read it shows what is there"
        }
        From::NotFound { api_error, .. } if api_error.messages.is_empty() => {
            "write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?"
        }
        From::NotFound { .. } => "is the mount right (`--kv-mount`), and a KV version 2 engine?",
        From::NoSuchVersion { .. } => {
            "declare another `version`, or none for the newest; OpenBao keeps as many as the secret's `max_versions`"
        }
        From::Deleted { .. } => {
            "`bao kv undelete` brings it back; `bao kv put` writes a new version"
        }
        From::Destroyed { .. } => "write a new version with `bao kv put`",
        _ => return None,
    };
    Some(hint)
}
