//! Why a secret did not become files, told as a host's operator needs it.

use delivery::{Error, says_denied};

use crate::Failure;

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match &error {
            Error::NoSuch { .. } => Self::usage(&error).hint("create it, or name another with `--owner` and `--group`"),
            Error::NoCredentials { .. } => Self::failed(&error).hint("`vault-unwrap` puts them there on first boot; look at the log of vault-bootstrap.service"),
            Error::BadCredentials { .. } => Self::failed(&error).hint("make new ones with `create-host --force` and run `vault-unwrap`"),
            Error::Output { .. } => Self::usage(&error).hint("name a directory that only vault-fetch writes to, such as `/run/secrets/db`"),
            Error::Key { .. } => Self::failed(&error).hint("rename the key in OpenBao: each key becomes a file"),
            Error::Template { .. } => Self::usage(&error).hint("placeholders are `{{ key }}`, `{{ key | json }}`, `{{ key | url }}`, `{{ key | base64 }}`; text with braces is `{{ \"{{\" }}`"),
            Error::Name { .. } => Self::usage(&error).hint("give it a plain file name of its own: it stands beside the keys' files"),
            Error::Incomplete { .. } => Self::failed(&error).hint("add the keys with `bao kv patch`; they are asked for by `--require` and by the templates"),
            Error::NoKeys { mount, path, version, .. } => Self::failed(&error).hint(without_keys(mount, path, *version)),
            Error::Taken { .. } => Self::failed(&error).hint("each key becomes a file: rename the key in OpenBao, or the other"),
            Error::Variable { .. } => Self::failed(&error).hint("rename or change the key in OpenBao, or do without the environment file"),
            Error::Credential { .. } => Self::failed(&error).hint("rename the key in OpenBao, or give the service the files in place of credentials (`asCredential = false`)"),
            Error::TooLarge { .. } => Self::failed(&error).hint("give the service the files in place of credentials (`asCredential = false`), or make the secret smaller"),
            Error::Declarations { .. } | Error::Declared { .. } | Error::NotDeclared { .. } => Self::usage(&error).hint("the NixOS module writes them to `/etc/vault/secrets.json`; name another file with `--declarations`"),
            Error::NoCache { cause } => Self::from(cause).suffix("no cache available"),
            Error::OpenBao(cause) => explain(cause),
            _ => Self::failed(&error),
        }
    }
}

/// Says how a version without keys comes about, and which command ends it.
fn without_keys(mount: &str, path: &str, version: u64) -> String {
    let comes = "`bao kv put … -` makes such a version of `null`, which `jq` prints for a name that is not there";
    let secret = format!("-mount={mount} {path}");
    match version.checked_sub(1).filter(|before| *before > 0) {
        Some(before) => format!(
            "{comes}; put the keys again, or version {before} as it was: `bao kv rollback -version={before} {secret}`"
        ),
        None => format!("{comes}; put the keys again: `bao kv put {secret} KEY=VALUE`"),
    }
}

/// A refusal, told as a host's operator needs it.
fn explain(error: &openbao::Error) -> Failure {
    match hint_of(error) {
        Some(hint) => Failure::from(error).hint(hint),
        None => Failure::from(error),
    }
}

/// What a host's operator can do where the general hint would not help.
fn hint_of(error: &openbao::Error) -> Option<&'static str> {
    use openbao::Error as From;
    let hint = match error {
        From::LoginRefused { refusal, .. } if says_denied(refusal) => {
            "is the mount of the AppRole auth method right (`--approle-mount`)?"
        }
        From::LoginRefused { .. } => {
            "this host's role or secret id is gone, or bound to another address; \
             make new credentials with `create-host --force` and run `vault-unwrap`"
        }
        From::Denied { refusal, .. } if says_denied(refusal) => {
            "the role's `token_bound_cidrs` may leave this host's address out, or its `token_num_uses` be used up \
             (0 sets no limit); with `--authentication inline`, the server may not know logins inside a request"
        }
        From::Denied { .. } => {
            "the host's policy must allow `read` on this path; `create-host` grants `hosts/<hostname>/*`"
        }
        From::NotFound { refusal, .. } if refusal.messages.is_empty() => {
            "write the secret with `bao kv put`; or are its path and mount (`--kv-mount`) not right?"
        }
        From::NotFound { .. } => "is the mount right (`--kv-mount`), and a KV version 2 engine?",
        From::Deleted { .. } => {
            "`bao kv undelete` brings it back; `bao kv put` writes a new version"
        }
        From::Destroyed { .. } => "write a new version with `bao kv put`",
        _ => return None,
    };
    Some(hint)
}
