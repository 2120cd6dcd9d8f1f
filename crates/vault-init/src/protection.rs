//! The protection of key shares and root token on the disk.

use std::path::Path;

use age::x25519::Recipient;
use base64::{Engine, prelude::BASE64_STANDARD};
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;
use zeroize::Zeroizing;
use zts_cli::Failure;
use zts_openbao::init::{InitRequest, InitResponse};
use zts_secure_fs::{LARGEST_TEXT, read_bounded};

use crate::Arguments;

/// A file that is written to the key directory: its name and its content.
pub(crate) type StoredFile = (String, Zeroizing<Vec<u8>>);

/// The name of the file with shares and root token in clear.
pub(crate) const PLAIN_JSON: &str = "unseal.json";
/// The name of the file with the root token in clear.
pub(crate) const ROOT_TOKEN: &str = "root-token";

/// The encryption of the shares.
pub(crate) enum Protection {
    /// None: the file mode protects them.
    None,
    /// By this program: an age recipient for each share, and one for the root token.
    Age {
        shares: Vec<Recipient>,
        root_token: Option<Recipient>,
    },
    /// By OpenBao: a PGP key (base64 of the binary form) for each share, and one for the root
    /// token.
    Pgp {
        shares: Vec<String>,
        root_token: Option<String>,
    },
}

/// Refuses a number of required key shares that OpenBao does not accept.
fn check_threshold(threshold: u8, shares: u8) -> Result<(), Failure> {
    if threshold > shares {
        return Err(Failure::usage(format!(
            "{threshold} key shares of {shares} cannot be required"
        ))
        .hint("`--threshold` is at most `--shares`"));
    }
    if threshold == 1 && shares > 1 {
        return Err(Failure::usage(format!(
            "each of {shares} key shares alone would unseal a node, which OpenBao refuses"
        ))
        .hint("give one share, or a `--threshold` of at least 2"));
    }
    Ok(())
}

impl Protection {
    /// Checks the arguments, and reads the recipients.
    ///
    /// # Errors
    /// Another number of recipients than of shares, recipients that are not valid, a root token in
    /// clear beside encrypted shares.
    pub(crate) fn from_arguments(arguments: &Arguments) -> Result<Self, Failure> {
        check_threshold(arguments.threshold, arguments.shares)?;
        let recipients = arguments.age_recipient.len() + arguments.pgp_key.len();
        if recipients == 0 {
            return if arguments.root_token_recipient.is_some() {
                Err(
                    Failure::usage("the root token would be encrypted, and the key shares not")
                        .hint("give each share a recipient with `--age-recipient` or `--pgp-key`"),
                )
            } else {
                Ok(Self::None)
            };
        }
        if recipients != usize::from(arguments.shares) {
            return Err(Failure::usage(format!(
                "there are {} key shares and {recipients} recipients",
                arguments.shares
            ))
            .hint("give one recipient for each share"));
        }
        if arguments.root_token_recipient.is_none() && !arguments.revoke_root_token {
            return Err(Failure::usage(
                "the root token would be in clear beside encrypted key shares",
            )
            .hint("`--root-token-recipient` encrypts it, `--revoke-root-token` revokes it"));
        }
        if arguments.pgp_key.is_empty() {
            read_age_recipients(arguments)
        } else {
            read_pgp_keys(arguments)
        }
    }

    /// Returns the request. `has_auto_unseal` tells that the seal needs no key shares.
    pub(crate) fn init_request(&self, arguments: &Arguments, has_auto_unseal: bool) -> InitRequest {
        let (pgp_keys, root_token_pgp_key) = match self {
            Self::Pgp { shares, root_token } => (shares.clone(), root_token.clone()),
            Self::None | Self::Age { .. } => (Vec::new(), None),
        };
        InitRequest {
            shares: arguments.shares,
            threshold: arguments.threshold,
            pgp_keys,
            root_token_pgp_key,
            auto_unseal: has_auto_unseal,
        }
    }

    /// Returns the names of the files that [`Protection::encode_files`] returns.
    pub(crate) fn file_names(&self, arguments: &Arguments) -> Vec<String> {
        let (ending, encrypts_token) = match self {
            Self::None => return vec![PLAIN_JSON.to_owned()],
            Self::Age { root_token, .. } => ("age", root_token.is_some()),
            Self::Pgp { root_token, .. } => ("pgp", root_token.is_some()),
        };
        let mut names: Vec<_> = (1..=arguments.shares)
            .map(|number| share_name(number.into(), ending))
            .collect();
        names.push(token_name(ending, encrypts_token));
        names
    }

    /// Describes the keys that are missing in an answer; `None` if it is complete.
    pub(crate) fn describe_missing(arguments: &Arguments, answer: &InitResponse) -> Option<String> {
        let shares = shares(answer).len();
        if shares != usize::from(arguments.shares) {
            let noun = if shares == 1 { "share" } else { "shares" };
            return Some(format!(
                "it answered {shares} key {noun} where {} were requested",
                arguments.shares
            ));
        }
        has_empty_key(answer).then(|| "it answered an empty key share or root token".to_owned())
    }

    /// Returns the files with the keys of an answer.
    ///
    /// # Errors
    /// A key that cannot be encrypted.
    pub(crate) fn encode_files(
        &self,
        arguments: &Arguments,
        answer: &InitResponse,
    ) -> Result<Vec<StoredFile>, Failure> {
        let shares = shares(answer);
        match self {
            Self::None => Ok(vec![(
                PLAIN_JSON.to_owned(),
                encode_plain_json(arguments, answer),
            )]),
            Self::Age {
                shares: recipients,
                root_token,
            } => {
                // shares beyond the requested number are encrypted, too, instead of lost
                let recipients = recipients.iter().cycle();
                let files = shares.iter().zip(recipients).enumerate();
                let files = files.map(|(index, (share, recipient))| {
                    Ok((share_name(index + 1, "age"), encrypt(recipient, share)?))
                });
                let token = match root_token {
                    Some(recipient) => encrypt(recipient, &answer.root_token)?,
                    None => encode_line(&answer.root_token),
                };
                let token = (token_name("age", root_token.is_some()), token);
                files.chain([Ok(token)]).collect()
            }
            Self::Pgp { root_token, .. } => {
                let files = shares.iter().enumerate();
                let files =
                    files.map(|(index, share)| (share_name(index + 1, "pgp"), encode_line(share)));
                let token = encode_line(&answer.root_token);
                let token = (token_name("pgp", root_token.is_some()), token);
                Ok(files.chain([token]).collect())
            }
        }
    }
}

/// Returns the unseal key shares, or the recovery key shares of an auto-unseal.
fn shares(answer: &InitResponse) -> &[SecretString] {
    if answer.keys_base64.is_empty() {
        &answer.recovery_keys_base64
    } else {
        &answer.keys_base64
    }
}

fn has_empty_key(answer: &InitResponse) -> bool {
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

fn encode_line(secret: &SecretString) -> Zeroizing<Vec<u8>> {
    Zeroizing::new(format!("{}\n", secret.expose_secret()).into_bytes())
}

/// Returns the JSON of `bao operator init -format=json`, which other tools can read.
fn encode_plain_json(arguments: &Arguments, answer: &InitResponse) -> Zeroizing<Vec<u8>> {
    let list = |secrets: &[SecretString]| -> Vec<String> {
        let texts = secrets
            .iter()
            .map(|secret| secret.expose_secret().to_owned());
        texts.collect()
    };
    let has_auto_unseal = !answer.recovery_keys.is_empty();
    let (shares, threshold) = if has_auto_unseal {
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
        "recovery_keys_shares": if has_auto_unseal { arguments.shares } else { 0 },
        "recovery_keys_threshold": if has_auto_unseal { arguments.threshold } else { 0 },
        "root_token": answer.root_token.expose_secret(),
    });
    Zeroizing::new(format!("{value:#}\n").into_bytes())
}

fn encrypt(recipient: &Recipient, secret: &SecretString) -> Result<Zeroizing<Vec<u8>>, Failure> {
    age::encrypt(recipient, secret.expose_secret().as_bytes())
        .map(Zeroizing::new)
        .map_err(|cause| Failure::failed(format!("a key share could not be encrypted: {cause}")))
}

fn read_age_recipients(arguments: &Arguments) -> Result<Protection, Failure> {
    let shares: Vec<_> = arguments
        .age_recipient
        .iter()
        .map(|text| parse_age_recipient(text))
        .collect::<Result<_, _>>()?;
    let root_token = arguments
        .root_token_recipient
        .as_ref()
        .map(|text| parse_age_recipient(text))
        .transpose()?;
    Ok(Protection::Age { shares, root_token })
}

fn parse_age_recipient(text: &str) -> Result<Recipient, Failure> {
    text.parse().map_err(|cause| {
        let hint = if text.starts_with("ssh-") {
            "`ssh-to-age` converts an Ed25519 SSH key"
        } else {
            "it begins with `age1`; `age-keygen` prints it"
        };
        Failure::usage(format!("`{text}` is not an age recipient: {cause}")).hint(hint)
    })
}

/// The first line of a PGP key in text form.
const ARMOUR: &[u8] = b"-----BEGIN PGP PUBLIC KEY BLOCK-----";

/// Returns the base64 text in an armoured key; `None` if the key is incomplete.
fn remove_armour(key: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(key).ok()?;
    let lines = text.lines().map(str::trim);
    let body = lines.skip_while(|line| !line.is_empty()).skip(1);
    // the checksum and the last line are not base64 of the key
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

fn read_pgp_keys(arguments: &Arguments) -> Result<Protection, Failure> {
    let shares = arguments.pgp_key.iter().map(|path| read_pgp_key(path));
    let root_token = arguments.root_token_recipient.as_ref();
    Ok(Protection::Pgp {
        shares: shares.collect::<Result<_, _>>()?,
        root_token: root_token
            .map(|path| read_pgp_key(Path::new(path)))
            .transpose()?,
    })
}

/// Reads a key and returns base64 of its binary form, as the API requires. `gpg --export KEY`
/// writes the binary form, and with `--armor` base64 of it between headers and a checksum (RFC
/// 9580, section 6.2).
fn read_pgp_key(path: &Path) -> Result<String, Failure> {
    let shown = path.display();
    let key = read_bounded(path, LARGEST_TEXT).map_err(|cause| {
        Failure::usage(format!("the PGP key `{shown}` could not be read: {cause}"))
    })?;
    if key.starts_with(ARMOUR) {
        return remove_armour(&key).ok_or_else(|| {
            Failure::usage(format!("the PGP key `{shown}` is incomplete"))
                .hint("write it again with `gpg --armor --export KEY > FILE`")
        });
    }
    match std::str::from_utf8(&key) {
        Ok(text) if BASE64_STANDARD.decode(text.trim()).is_ok() => Ok(text.trim().to_owned()),
        _ => Ok(BASE64_STANDARD.encode(&key)),
    }
}
