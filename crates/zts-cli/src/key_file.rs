//! Files with key shares.

use std::{
    fmt,
    fs::File,
    io::{self, Read},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
};

use secrecy::SecretString;
use serde::Deserialize;
use zeroize::Zeroizing;

use crate::failure::Failure;

/// The largest file that is read, more than any list of key shares; `/dev/zero` has no end.
const LONGEST: u64 = 1 << 20;

/// The content and the mode of a file with key shares. The Debug output shows no content.
pub struct KeyFile {
    path: PathBuf,
    content: Zeroizing<Vec<u8>>,
    mode: u32,
}

impl fmt::Debug for KeyFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("KeyFile")
            .field("path", &self.path)
            .finish_non_exhaustive()
    }
}

/// The JSON fields with shares, as `bao operator init -format=json` and `vault-init` write them,
/// and as the API answers (`sys/init`, `sys/rotate/root/update`). Each list is there in two
/// encodings.
#[derive(Default, Deserialize)]
#[serde(default)]
struct Initialised {
    unseal_keys_b64: Vec<SecretString>,
    unseal_keys_hex: Vec<SecretString>,
    keys_base64: Vec<SecretString>,
    keys: Vec<SecretString>,
    data: Option<Box<Initialised>>,
}

impl Initialised {
    /// Returns the shares in the first encoding that is present.
    fn shares(self) -> Option<Vec<SecretString>> {
        let lists = [
            self.unseal_keys_b64,
            self.keys_base64,
            self.unseal_keys_hex,
            self.keys,
        ];
        let first = lists.into_iter().find(|list| !list.is_empty());
        first.or_else(|| self.data?.shares())
    }
}

/// Parses the shares in a text: one a line, or JSON.
fn parse_shares(text: &str) -> Result<Vec<SecretString>, &'static str> {
    if text.trim_start().starts_with('{') {
        // serde's message could show a part of the file
        let parsed: Initialised = serde_json::from_str(text)
            .map_err(|_| "it is no JSON, or its lists of key shares are none")?;
        return parsed.shares().ok_or(
            "it is JSON, and has key shares in none of `unseal_keys_b64`, `unseal_keys_hex`, \
             `keys_base64` and `keys`",
        );
    }
    let lines = text.lines().map(str::trim);
    Ok(lines
        .filter(|line| !line.is_empty())
        .map(SecretString::from)
        .collect())
}

impl KeyFile {
    /// Reads the file, up to a length that no such file has.
    ///
    /// # Errors
    /// A file that cannot be read.
    pub fn read(path: &Path) -> Result<Self, Failure> {
        let (content, mode) = open(path)
            .map_err(|cause| unusable(path, format_args!("it could not be read: {cause}")))?;
        Ok(Self {
            path: path.to_owned(),
            content,
            mode,
        })
    }

    /// Returns the content.
    pub fn content(&self) -> &[u8] {
        &self.content
    }

    /// Returns the permission bits.
    pub fn mode(&self) -> u32 {
        self.mode
    }

    /// Refuses the file where its mode has one of the bits of `forbidden`, because key shares that
    /// others can read are no secret.
    ///
    /// # Errors
    /// A file that others can read.
    pub fn refuse_readers(&self, forbidden: u32) -> Result<(), Failure> {
        let mode = self.mode;
        if mode & forbidden == 0 {
            return Ok(());
        }
        Err(self
            .unusable(format_args!(
                "it holds key shares, and others than its owner may read it (mode {mode:04o})"
            ))
            .hint(format!(
                "`chmod 0600 {}`; where somebody may have read them, make new ones with `bao operator rotate-keys -init`",
                self.path.display()
            )))
    }

    /// Returns the shares: one a line, or as `bao operator init -format=json`, `vault-init` and the
    /// API write them. There may be none; their form is not checked.
    ///
    /// # Errors
    /// A file that is not text, or JSON of another kind.
    pub fn shares(&self) -> Result<Vec<SecretString>, Failure> {
        let text =
            std::str::from_utf8(&self.content).map_err(|_| self.unusable("it is no text"))?;
        parse_shares(text).map_err(|why| self.unusable(why))
    }

    /// Returns the failure of a file that cannot be used for this reason.
    pub fn unusable(&self, why: impl fmt::Display) -> Failure {
        unusable(&self.path, why)
    }
}

fn open(path: &Path) -> io::Result<(Zeroizing<Vec<u8>>, u32)> {
    let file = File::open(path)?;
    let mode = file.metadata()?.permissions().mode() & 0o777;
    let mut content = Zeroizing::new(Vec::new());
    file.take(LONGEST).read_to_end(&mut content)?;
    Ok((content, mode))
}

/// Returns the failure of a file at `path` that cannot be used for this reason.
pub fn unusable(path: &Path, why: impl fmt::Display) -> Failure {
    Failure::usage(format!("`{}` cannot be used: {why}", path.display()))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secrecy::ExposeSecret;
    use serde_json::{Value, json};

    use super::*;

    fn plain(shares: &[SecretString]) -> Vec<&str> {
        shares.iter().map(ExposeSecret::expose_secret).collect()
    }

    /// Generates any JSON, often with the parser's own keys.
    fn any_json() -> impl Strategy<Value = Value> {
        let leaf = prop_oneof![
            Just(Value::Null),
            any::<bool>().prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            ".{0,20}".prop_map(Value::from),
        ];
        let key = prop_oneof![
            Just("keys".to_owned()),
            Just("keys_base64".to_owned()),
            Just("unseal_keys_b64".to_owned()),
            Just("data".to_owned()),
            ".{0,8}",
        ];
        leaf.prop_recursive(4, 32, 6, move |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Value::from),
                prop::collection::vec((key.clone(), inner), 0..6)
                    .prop_map(|pairs| Value::Object(pairs.into_iter().collect())),
            ]
        })
    }

    proptest! {
        #[test]
        fn any_text_is_read_or_refused(text in "\\PC*") {
            let _ = parse_shares(&text);
        }

        #[test]
        fn any_json_is_read_or_refused(value in any_json()) {
            let _ = parse_shares(&value.to_string());
        }

        #[test]
        fn any_bytes_are_read_or_refused(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let folder = tempfile::tempdir()?;
            let path = folder.path().join("shares");
            std::fs::write(&path, bytes)?;
            let file = KeyFile::read(&path).map_err(|failure| TestCaseError::fail(failure.message().to_owned()))?;
            let _ = file.shares();
        }

        #[test]
        fn shares_of_every_program_are_read(
            shares in prop::collection::vec("[A-Za-z0-9+/]{22,44}", 1..6),
            form in 0_usize..6,
        ) {
            let text = match form {
                0 => json!({ "unseal_keys_b64": shares, "unseal_keys_hex": ["00"], "root_token": "s.x" }).to_string(),
                1 => json!({ "keys": ["00"], "keys_base64": shares, "root_token": "s.x" }).to_string(),
                2 => json!({ "keys": shares }).to_string(),
                3 => json!({ "data": { "keys": ["00"], "keys_base64": shares, "complete": true } }).to_string(),
                4 => shares.join("\r\n\r\n"),
                _ => format!("\n  {}\n", shares.join("\n")),
            };
            let found = parse_shares(&text).map_err(TestCaseError::fail)?;
            prop_assert_eq!(plain(&found), shares);
        }
    }

    #[test]
    fn json_without_shares_is_refused() {
        for text in [
            "{",
            "{}",
            r#"{"keys":"abc"}"#,
            r#"{"keys":[1]}"#,
            r#"{"data":{}}"#,
        ] {
            assert!(parse_shares(text).is_err(), "{text}");
        }
    }
}
