//! Tests of the program. The scenario `cluster-authorities` tests replacements under load on whole
//! nodes.
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

use zts_testkit::{Run, RunOutput, ScratchDir, Server, ServerCertificate};

/// The period of CAs, 90 days, in seconds.
pub(crate) const PERIOD: u64 = 7_776_000;
/// A time in the middle of a period.
pub(crate) const NOW: u64 = PERIOD * 230 + PERIOD / 2;
pub(crate) const DAY: u64 = 86_400;

pub(crate) struct Fleet {
    folder: ScratchDir,
}

impl Fleet {
    /// Creates an authority file, without any nodes.
    pub(crate) fn new() -> Self {
        Self::with_period("90days")
    }

    pub(crate) fn with_period(period: &str) -> Self {
        let fleet = Self {
            folder: zts_testkit::scratch_dir(),
        };
        let file = fleet.path("authority");
        let file = file.to_str().unwrap();
        run(&["authority", "--period", period, "--output", file]).assert_success();
        fleet
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }

    pub(crate) fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap()
    }

    pub(crate) fn renew(&self, node: &str, at: u64, more: &[&str]) -> RunOutput {
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

    /// Starts a real TLS server with a node's files.
    pub(crate) fn serve(&self, node: &str) -> Server {
        let files = ServerCertificate {
            certificate: self.path(&format!("{node}/chain.pem")),
            key: self.path(&format!("{node}/key.pem")),
        };
        let authority = self.path(&format!("{node}/ca.pem"));
        Server::builder()
            .certificate_files(files, authority)
            .start()
    }

    /// Runs `fetch` for `bundle`.
    pub(crate) fn fetch(&self, bundle: &str, addresses: &[&str], more: &[&str]) -> RunOutput {
        program()
            .args(["fetch", "--address", &addresses.join(",")])
            .args(["--output".as_ref(), self.path(bundle).as_os_str()])
            .args(more)
            .run()
    }

    /// Returns the certificates of a PEM file, each in PEM.
    pub(crate) fn certificates(&self, name: &str) -> Vec<String> {
        let text = self.text(name);
        let certificates = text.split_inclusive("-----END CERTIFICATE-----\n");
        certificates.map(str::to_owned).collect()
    }

    /// Returns the names in a folder, with hidden ones, sorted.
    pub(crate) fn entries(&self, folder: &str) -> Vec<String> {
        zts_testkit::names(&self.path(folder))
    }

    /// Returns whether OpenSSL accepts a node's chain at a time with this bundle.
    pub(crate) fn trusts(&self, bundle: &str, node: &str, at: u64) -> bool {
        let (bundle, chain) = (self.path(bundle), self.path(&format!("{node}/chain.pem")));
        let mut command = Command::new(zts_testkit::find_program("openssl").unwrap());
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

pub(crate) fn run(arguments: &[&str]) -> RunOutput {
    program().args(arguments).run()
}

/// Returns the current time (seconds since 1970), which real servers and clients use.
pub(crate) fn clock() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[track_caller]
pub(crate) fn assert_output(output: &RunOutput, word: &str) {
    assert_eq!(
        (output.code(), output.stdout.trim()),
        (Some(0), word),
        "{output}"
    );
}
