//! Makes declared secrets that OpenBao lacks, of random values.

use std::collections::BTreeMap;

use ring::rand::{SecureRandom, SystemRandom};
use zts_cli::{Failure, note};
use zts_delivery::{CharacterSet, DeclaredSecret, GeneratedValue};
use zts_openbao::{Client, Error, kv};

use crate::{
    host::Host,
    inspect::needed_keys,
    server::{Server, retry_rate_limited},
};

const ALPHANUMERIC: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";
const HEX: &[u8] = b"0123456789abcdef";
const SYMBOLS: &[u8] =
    b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789!%*+,-./:=?@_~";

/// Makes each declared secret that does not exist and whose keys are all generated. Two runs at
/// once make it once: OpenBao takes a first version only.
///
/// # Errors
/// A request that failed. What was made before stays.
pub(crate) fn make_missing(hosts: &[Host], server: &Server) -> Result<(), Failure> {
    for host in hosts {
        let client = server.client(host.namespace())?;
        for (_, secret) in host.kv_secrets() {
            if is_generated(secret) && make(&client, host.kv_mount(), secret)? {
                let keys: Vec<_> = secret.generate.keys().map(String::as_str).collect();
                note(format_args!(
                    "made `{}` with random values: {}",
                    secret.secret_path,
                    keys.join(", ")
                ));
            }
        }
    }
    Ok(())
}

/// Returns whether all keys that a host needs of the secret are generated.
pub(crate) fn is_generated(secret: &DeclaredSecret) -> bool {
    let mut needed = needed_keys(secret).into_iter();
    !secret.generate.is_empty() && needed.all(|key| secret.generate.contains_key(&key))
}

/// Makes a secret that does not exist, and returns whether it did.
fn make(client: &Client, mount: &str, secret: &DeclaredSecret) -> Result<bool, Failure> {
    let path = &secret.secret_path;
    match retry_rate_limited(|| kv::metadata(client, mount, path)) {
        Err(Error::NotFound { api_error, .. }) if api_error.messages.is_empty() => {}
        // one that was deleted is not made anew: somebody may want it back
        Ok(_) | Err(Error::NotFound { .. }) => return Ok(false),
        Err(error) => return Err(error.into()),
    }
    let values = secret.generate.iter();
    let values = values.map(|(key, value)| Ok((key, random_text(*value)?)));
    let values = values.collect::<Result<BTreeMap<_, _>, Failure>>()?;
    match retry_rate_limited(|| kv::create(client, mount, path, &values)) {
        Ok(()) => Ok(true),
        // another run made it meanwhile
        Err(Error::Refused { status: 400, .. }) if kv::read(client, mount, path).is_ok() => {
            Ok(false)
        }
        Err(error) => Err(Failure::from(error).context(format!("`{path}` was not made"))),
    }
}

/// Returns random characters, each as likely as the others.
fn random_text(GeneratedValue { length, characters }: GeneratedValue) -> Result<String, Failure> {
    let set = match characters {
        CharacterSet::Alphanumeric => ALPHANUMERIC,
        CharacterSet::Hex => HEX,
        CharacterSet::Symbols => SYMBOLS,
    };
    let random = SystemRandom::new();
    let highest = 256 / set.len() * set.len();
    let mut text = String::with_capacity(length);
    let mut bytes = [0; 64];
    while text.len() < length {
        random
            .fill(&mut bytes)
            .map_err(|_| Failure::failed("the system has no random numbers"))?;
        // the remainder of a larger byte would make the first characters more likely
        let usable = bytes
            .iter()
            .map(|byte| usize::from(*byte))
            .filter(|byte| *byte < highest);
        let letters = usable.map(|byte| char::from(set[byte % set.len()]));
        text.extend(letters.take(length - text.len()));
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_characters_of_a_set_are_as_likely() {
        for (characters, set) in [
            (CharacterSet::Alphanumeric, ALPHANUMERIC),
            (CharacterSet::Hex, HEX),
            (CharacterSet::Symbols, SYMBOLS),
        ] {
            let length = set.len() * 1_000;
            let text = random_text(GeneratedValue { length, characters }).unwrap();
            assert_eq!(text.len(), length);
            for character in set {
                let count = text.bytes().filter(|byte| byte == character).count();
                // six standard deviations of 32
                assert!(
                    (800..1_200).contains(&count),
                    "{characters:?}: {character} {count}"
                );
            }
        }
    }
}
