//! A fleet with secrets of sops-nix and agenix, encrypted by the real programs.

use std::{env, ffi::OsString, fs, path::PathBuf};

use zts_testkit::{Fleet, Run, ScratchDir, Server, find_program, scratch_dir};

/// The module of web01, with a declaration of each kind.
pub(crate) const MODULE: &str = include_str!("../fleet/web01.nix");
/// Values that must be in no output.
pub(crate) const VALUES: [&str; 4] = [r"a 'b' \ %s", "smtp-value", "wifi-value", "token-value"];

/// A fleet and its operator's keys.
pub(crate) struct SecretFleet {
    pub(crate) fleet: Fleet,
    home: ScratchDir,
    recipient: String,
}

impl SecretFleet {
    /// Makes a fleet with these files, and keys for age; `None` without sops or age.
    pub(crate) fn new(files: &[(&str, &str)]) -> Option<Self> {
        find_program("sops")?;
        let keygen = find_program("age-keygen")?;
        let home = scratch_dir();
        let keys = home.join("keys.txt");
        Run::new(keygen)
            .args(["-o".as_ref(), keys.as_os_str()])
            .succeed();
        let text = fs::read_to_string(&keys).unwrap();
        let (_, rest) = text.split_once("public key: ").unwrap();
        let recipient = rest.split_whitespace().next().unwrap().to_owned();
        Some(Self {
            fleet: Fleet::from_files(files.iter().copied()),
            home,
            recipient,
        })
    }

    /// The fleet of [`MODULE`], with all its encrypted files.
    pub(crate) fn of_web01() -> Option<Self> {
        let fleet = Self::new(&[("hosts/web01/default.nix", MODULE)])?;
        let yaml = format!(
            "app:\n  password: \"{}\"\n  user: app\nsmtp: smtp-value\nnumber: 7\nroot: hash\n",
            VALUES[0].replace('\\', r"\\")
        );
        fleet.encrypt("secrets/web01.yaml", yaml);
        fleet.encrypt("secrets/key.bin", [0, 159, 146, 150, 10]);
        fleet.encrypt("secrets/app.env", "TOKEN=token-value\n");
        fleet.encrypt_for_agenix("secrets/wifi.age", "wifi-value\n");
        Some(fleet)
    }

    /// Encrypts a file of sops; its format is that of its name.
    pub(crate) fn encrypt(&self, file: &str, plain: impl AsRef<[u8]>) {
        self.fleet.write(file, plain);
        Run::new(find_program("sops").unwrap())
            .args(["--encrypt", "--in-place", "--age", &self.recipient, file])
            .current_dir(self.fleet.path())
            .succeed();
    }

    /// Encrypts a file of agenix.
    pub(crate) fn encrypt_for_agenix(&self, file: &str, plain: &str) {
        Run::new(find_program("age").unwrap())
            .args([
                "--encrypt",
                "--recipient",
                &self.recipient,
                "--output",
                file,
            ])
            .stdin(plain)
            .current_dir(self.fleet.path())
            .succeed();
    }

    /// The file of the operator's key.
    pub(crate) fn keys(&self) -> PathBuf {
        self.home.join("keys.txt")
    }

    /// Prepares a run of `vault-import` in the fleet, with the operator's keys.
    pub(crate) fn import(&self) -> Run {
        Run::new(env!("CARGO_BIN_EXE_vault-import"))
            .env("HOME", &*self.home)
            .env("PATH", path())
            .env("SOPS_AGE_KEY_FILE", self.keys())
            .args(["--identity".as_ref(), self.keys().as_os_str()])
            .current_dir(self.fleet.path())
    }

    /// As [`SecretFleet::import`], for web01 and its own files.
    pub(crate) fn import_web01(&self) -> Run {
        self.import().args(["web01", "--file", "hosts/web01"])
    }

    /// Prepares a run that writes, with the root token.
    pub(crate) fn write(&self, server: &Server) -> Run {
        self.import_web01()
            .arg("--write")
            .server(server)
            .env("BAO_TOKEN", server.root_token())
    }
}

/// Returns a `PATH` with sops and age.
pub(crate) fn path() -> OsString {
    let programs = ["sops", "age"].map(|name| find_program(name).unwrap());
    let folders = programs
        .iter()
        .map(|program| program.parent().unwrap().to_owned());
    env::join_paths(folders).unwrap()
}

/// Returns the fleet, or leaves the test function where the machine lacks a program.
macro_rules! require_fleet {
    ($fleet:expr) => {
        match $fleet {
            Some(fleet) => fleet,
            None => zts_testkit::skip!("no sops and age on this machine"),
        }
    };
}
pub(crate) use require_fleet;
