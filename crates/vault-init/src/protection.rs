//! How key shares and root token are protected on disk.

use std::path::Path;

use age::x25519::Recipient;
use base64::{Engine, prelude::BASE64_STANDARD};
use cli::Failure;
use openbao::init::{Initialisation, Initialised};
use secrecy::{ExposeSecret, SecretString};
use secure_fs::{LARGEST_TEXT, read_bounded};
use serde_json::json;
use zeroize::Zeroizing;

use crate::Arguments;

/// A file to be written: its name, and what is in it.
pub(crate) type Kept = (String, Zeroizing<Vec<u8>>);

/// The one file of shares and token in clear.
pub(crate) const IN_CLEAR: &str = "unseal.json";
/// The root token in clear, until it is revoked.
pub(crate) const ROOT_TOKEN: &str = "root-token";

/// Whom the shares are encrypted to.
pub(crate) enum Protection {
    /// Nobody: they are root's.
    Files,
    /// One age recipient a share, and one for the root token.
    Age {
        shares: Vec<Recipient>,
        root_token: Option<Recipient>,
    },
    /// OpenBao encrypts to PGP keys (base64 of the binary form).
    Pgp {
        shares: Vec<String>,
        root_token: Option<String>,
    },
}

impl Protection {
    /// What the arguments ask for.
    ///
    /// # Errors
    /// Another number of recipients than of shares, recipients that are none, a root token in clear beside
    /// encrypted shares.
    pub(crate) fn read(arguments: &Arguments) -> Result<Self, Failure> {
        let recipients = arguments.age_recipient.len() + arguments.pgp_key.len();
        if arguments.threshold > arguments.shares {
            return Err(Failure::usage(format!(
                "{} key shares of {} cannot be asked for",
                arguments.threshold, arguments.shares
            ))
            .hint("`--threshold` is at most `--shares`"));
        }
        if arguments.threshold == 1 && arguments.shares > 1 {
            return Err(Failure::usage(format!(
                "each of {} key shares alone would unseal a node, which OpenBao refuses",
                arguments.shares
            ))
            .hint("give one share, or a `--threshold` of at least 2"));
        }
        if recipients == 0 {
            return if arguments.root_token_recipient.is_some() {
                Err(
                    Failure::usage("the root token would be encrypted, and the key shares not")
                        .hint("give each share a recipient with `--age-recipient` or `--pgp-key`"),
                )
            } else {
                Ok(Self::Files)
            };
        }
        if recipients != usize::from(arguments.shares) {
            return Err(Failure::usage(format!(
                "there are {} key shares and {recipients} recipients",
                arguments.shares
            ))
            .hint("each share needs a recipient of its own"));
        }
        if arguments.root_token_recipient.is_none() && !arguments.revoke_root_token {
            return Err(Failure::usage(
                "the root token would lie in clear beside encrypted key shares",
            )
            .hint(
                "`--root-token-recipient` encrypts it, `--revoke-root-token` revokes it in the end",
            ));
        }
        if arguments.pgp_key.is_empty() {
            age(arguments)
        } else {
            pgp(arguments)
        }
    }

    /// The request that asks OpenBao for it.
    pub(crate) fn request(&self, arguments: &Arguments, opens_itself: bool) -> Initialisation {
        let (pgp_keys, root_token_pgp_key) = match self {
            Self::Pgp { shares, root_token } => (shares.clone(), root_token.clone()),
            Self::Files | Self::Age { .. } => (Vec::new(), None),
        };
        Initialisation {
            shares: arguments.shares,
            threshold: arguments.threshold,
            pgp_keys,
            root_token_pgp_key,
            opens_itself,
        }
    }

    /// The names of the files that [`Protection::files`] gives.
    pub(crate) fn names(&self, arguments: &Arguments) -> Vec<String> {
        let (ending, encrypts_token) = match self {
            Self::Files => return vec![IN_CLEAR.to_owned()],
            Self::Age { root_token, .. } => ("age", root_token.is_some()),
            Self::Pgp { root_token, .. } => ("pgp", root_token.is_some()),
        };
        let mut names: Vec<_> = (1..=arguments.shares)
            .map(|number| share_name(number.into(), ending))
            .collect();
        names.push(token_name(ending, encrypts_token));
        names
    }

    /// What an answer lacks of what was asked for, in words.
    pub(crate) fn lacks(arguments: &Arguments, answer: &Initialised) -> Option<String> {
        let shares = shares(answer).len();
        if shares != usize::from(arguments.shares) {
            let keys = if shares == 1 { "share" } else { "shares" };
            return Some(format!(
                "it answered {shares} key {keys} where {} were asked for",
                arguments.shares
            ));
        }
        let empty = shares_are_empty(answer);
        empty.then(|| "it answered an empty key share or root token".to_owned())
    }

    /// What OpenBao answered, as the files that keep it.
    ///
    /// # Errors
    /// A recipient that cannot be encrypted to, or an answer that lacks shares.
    pub(crate) fn files(
        &self,
        arguments: &Arguments,
        answer: &Initialised,
    ) -> Result<Vec<Kept>, Failure> {
        let shares = shares(answer);
        match self {
            Self::Files => Ok(vec![(IN_CLEAR.to_owned(), in_clear(arguments, answer))]),
            Self::Age {
                shares: recipients,
                root_token,
            } => {
                let mut files = Vec::new();
                // one share too many is better encrypted to somebody than lost
                let recipients = recipients.iter().cycle();
                for (index, (share, recipient)) in shares.iter().zip(recipients).enumerate() {
                    files.push((share_name(index + 1, "age"), encrypt(recipient, share)?));
                }
                let token = match root_token {
                    Some(recipient) => encrypt(recipient, &answer.root_token)?,
                    None => text(&answer.root_token),
                };
                files.push((token_name("age", root_token.is_some()), token));
                Ok(files)
            }
            Self::Pgp { root_token, .. } => {
                let shares = shares.iter().enumerate();
                let mut files: Vec<_> = shares
                    .map(|(index, share)| (share_name(index + 1, "pgp"), text(share)))
                    .collect();
                files.push((
                    token_name("pgp", root_token.is_some()),
                    text(&answer.root_token),
                ));
                Ok(files)
            }
        }
    }
}

/// The shares that unseal, or where a seal does that, those that recover.
fn shares(answer: &Initialised) -> &[SecretString] {
    if answer.keys_base64.is_empty() {
        &answer.recovery_keys_base64
    } else {
        &answer.keys_base64
    }
}

fn shares_are_empty(answer: &Initialised) -> bool {
    let mut all = shares(answer).iter().chain([&answer.root_token]);
    all.any(|secret| secret.expose_secret().is_empty())
}

fn share_name(number: usize, ending: &str) -> String {
    format!("unseal-key-{number}.{ending}")
}

fn token_name(ending: &str, encrypted: bool) -> String {
    if encrypted {
        format!("{ROOT_TOKEN}.{ending}")
    } else {
        ROOT_TOKEN.to_owned()
    }
}

fn text(secret: &SecretString) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("{}\n", secret.expose_secret()).into_bytes())
}

/// As `bao operator init -format=json` prints it, so that what reads that reads this.
fn in_clear(arguments: &Arguments, answer: &Initialised) -> Zeroizing<Vec<u8>> {
    let list = |secrets: &[SecretString]| -> Vec<String> {
        let texts = secrets
            .iter()
            .map(|secret| secret.expose_secret().to_owned());
        texts.collect()
    };
    let opens_itself = !answer.recovery_keys.is_empty();
    let (shares, threshold) = if opens_itself {
        (1, 1)
    } else {
        (arguments.shares, arguments.threshold)
    };
    let value = json!({
        "unseal_keys_b64": list(&answer.keys_base64),
        "unseal_keys_hex": list(&answer.keys),
        "unseal_shares": shares,
        "unseal_threshold": threshold,
        "recovery_keys_b64": list(&answer.recovery_keys_base64),
        "recovery_keys_hex": list(&answer.recovery_keys),
        "recovery_keys_shares": if opens_itself { arguments.shares } else { 0 },
        "recovery_keys_threshold": if opens_itself { arguments.threshold } else { 0 },
        "root_token": answer.root_token.expose_secret(),
    });
    Zeroizing::new(format!("{value:#}\n").into_bytes())
}

fn encrypt(recipient: &Recipient, secret: &SecretString) -> Result<Zeroizing<Vec<u8>>, Failure> {
    age::encrypt(recipient, secret.expose_secret().as_bytes())
        .map(Zeroizing::new)
        .map_err(|cause| Failure::failed(format!("a key share could not be encrypted: {cause}")))
}

fn age(arguments: &Arguments) -> Result<Protection, Failure> {
    let shares: Vec<_> = arguments
        .age_recipient
        .iter()
        .map(|text| recipient(text))
        .collect::<Result<_, _>>()?;
    let root_token = arguments
        .root_token_recipient
        .as_ref()
        .map(|text| recipient(text))
        .transpose()?;
    Ok(Protection::Age { shares, root_token })
}

fn recipient(text: &str) -> Result<Recipient, Failure> {
    text.parse().map_err(|cause| {
        let hint = if text.starts_with("ssh-") {
            "`ssh-to-age` makes one of an Ed25519 SSH key"
        } else {
            "it begins with `age1`; `age-keygen` prints it"
        };
        Failure::usage(format!("`{text}` is no age recipient: {cause}")).hint(hint)
    })
}

const ARMOUR: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";

fn dearmoured(key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key).ok()?;
    let lines = text.lines().map(str::trim);
    let body = lines.skip_while(|line| !line.is_empty()).skip(1);
    // The checksum and the last line, neither of which is base64 of the key.
    let mut is_ended = false;
    let base64: String = body
        .take_while(|line| {
            is_ended = line.starts_with('=') || line.starts_with("-----END");
            !is_ended
        })
        .collect();
    let is_whole = !base64.is_empty() && BASE64_STANDARD.decode(&base64).is_ok();
    (is_whole && is_ended).then_some(base64)
}

fn pgp(arguments: &Arguments) -> Result<Protection, Failure> {
    let shares = arguments.pgp_key.iter().map(|path| pgp_key(path));
    let root_token = arguments.root_token_recipient.as_ref();
    Ok(Protection::Pgp {
        shares: shares.collect::<Result<_, _>>()?,
        root_token: root_token
            .map(|path| pgp_key(Path::new(path)))
            .transpose()?,
    })
}

/// The key as the API wants it: base64 of the binary form. `gpg --export KEY` gives that form, and with
/// `--armor` base64 of it between headers and a checksum (RFC 9580, section 6.2).
fn pgp_key(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let key = read_bounded(path, LARGEST_TEXT).map_err(|cause| {
        Failure::usage(format!("the PGP key `{shown}` could not be read: {cause}"))
    })?;
    if key.starts_with(ARMOUR) {
        return dearmoured(&key).ok_or_else(|| {
            Failure::usage(format!("the PGP key `{shown}` is not whole"))
                .hint("`gpg --armor --export KEY > FILE` writes it anew")
        });
    }
    match std::str::from_utf8(&key) {
        Ok(text) if BASE64_STANDARD.decode(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        _ => Ok(BASE64_STANDARD.encode(&key)),
    }
}
