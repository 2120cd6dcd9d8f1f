//! `vault-certs` through the binary. Replacements under load on whole nodes are a scenario, too:
//! `cluster-authorities`.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on has failed")]

mod authority;
mod following;
mod interrupted;
mod kubernetes;
mod renewal;
mod rotation;

use std::{
    fs,
    path::PathBuf,
    process::Command,
    time::{SystemTime, UNIX_EPOCH},
};

use testkit::{Output, Run, ScratchDir, Server, ServerCertificate};

/// 90 days.
pub(crate) const PERIOD: u64 = 7_776_000;
/// The middle of a period.
pub(crate) const NOW: u64 = PERIOD * 230 + PERIOD / 2;
pub(crate) const DAY: u64 = 86_400;

pub(crate) struct Fleet {
    folder: ScratchDir,
}

impl Fleet {
    /// An authority file, and nothing made of it yet.
    pub(crate) fn new() -> Self {
        Self::with_period("90days")
    }

    pub(crate) fn with_period(period: &str) -> Self {
        let fleet = Self {
            folder: testkit::scratch_dir(),
        };
        let file = fleet.path("authority");
        let file = file.to_str().unwrap();
        let made = run(&["authority", "--period", period, "--output", file]);
        assert_eq!(made.code(), Some(0), "{made}");
        fleet
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn renew(&self, node: &str, at: u64, more: &[&str]) -> Output {
        self.renewing(node, at, more).run()
    }

    pub(crate) fn renewing(&self, node: &str, at: u64, more: &[&str]) -> Run {
        program()
            .args(["renew", "--cluster", "main", "--name", node])
            .args(["--at", &at.to_string()])
            .args(["--authority".as_ref(), self.path("authority").as_os_str()])
            .args(["--directory".as_ref(), self.path(node).as_os_str()])
            .args(more)
    }

    /// A real server that shows a node's files, whoever trusts them.
    pub(crate) fn serve(&self, node: &str) -> Server {
        let files = ServerCertificate {
            certificate: self.path(&format!("{node}/chain.pem")),
            key: self.path(&format!("{node}/key.pem")),
        };
        let authority = self.path(&format!("{node}/ca.pem"));
        Server::builder().shows(files, authority).start()
    }

    /// A client's run that keeps `bundle` current.
    pub(crate) fn fetch(&self, bundle: &str, addresses: &[&str], more: &[&str]) -> Output {
        program()
            .args(["fetch", "--address", &addresses.join(",")])
            .args(["--output".as_ref(), self.path(bundle).as_os_str()])
            .args(more)
            .run()
    }

    /// The certificates of a PEM file, each as its text.
    pub(crate) fn certificates(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        let certificates = text.split_inclusive("-----END CERTIFICATE-----\n");
        certificates.map(str::to_owned).collect()
    }

    /// What is in a folder, hidden files too, sorted.
    pub(crate) fn entries(&self, folder: &str) -> Vec<String> {
        let entries = fs::read_dir(self.path(folder)).unwrap();
        let mut names: Vec<_> = entries
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    /// Whether OpenSSL takes a node's chain at this moment with that bundle.
    pub(crate) fn trusts(&self, bundle: &str, node: &str, at: u64) -> bool {
        let (bundle, chain) = (self.path(bundle), self.path(&format!("{node}/chain.pem")));
        let mut command = Command::new("openssl");
        command.args([
            "verify",
            "-partial_chain",
            "-attime",
            &at.to_string(),
            "-CAfile",
        ]);
        command
            .arg(bundle)
            .arg(chain)
            .output()
            .unwrap()
            .status
            .success()
    }
}

pub(crate) fn program() -> Run {
    Run::new(env!("CARGO_BIN_EXE_vault-certs"))
}

pub(crate) fn run(arguments: &[&str]) -> Output {
    program().args(arguments).run()
}

/// Seconds since 1970, for what real servers and clients look at.
pub(crate) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[track_caller]
pub(crate) fn said(output: &Output, word: &str) {
    assert_eq!(
        (output.code(), output.stdout.trim()),
        (Some(0), word),
        "{output}"
    );
}
