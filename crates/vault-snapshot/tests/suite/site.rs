//! A server with data, a folder for its snapshots, and helpers for both.

use std::{
    fmt::Write,
    fs,
    path::{Path, PathBuf},
};

use serde_json::{Value, json};
use zts_testkit::{Run, RunOutput, ScratchDir, Server, scratch_dir, set_mode};

pub(crate) struct Site {
    pub(crate) server: Server,
    pub(crate) folder: ScratchDir,
}

/// Returns a run of the program.
pub(crate) fn vault_snapshot(arguments: &[&str]) -> Run {
    Run::new(env!("CARGO_BIN_EXE_vault-snapshot")).args(arguments)
}

impl Site {
    /// Starts a raft server with some megabytes of data.
    pub(crate) fn new() -> Self {
        Self::around(Server::builder().raft().start())
    }

    /// Fills a running server with data.
    pub(crate) fn around(server: Server) -> Self {
        fill(&server, 40, 50_000);
        Self {
            server,
            folder: scratch_dir(),
        }
    }

    pub(crate) fn dir(&self) -> String {
        self.folder.display().to_string()
    }

    /// Returns `save` into the folder, with the root token.
    pub(crate) fn save(&self) -> Run {
        self.save_from(&self.server.address())
    }

    pub(crate) fn save_from(&self, address: &str) -> Run {
        vault_snapshot(&["save", "--dir", &self.dir()])
            .env("BAO_ADDR", address)
            .env("BAO_TOKEN", self.server.root_token())
    }

    /// Saves a snapshot and returns its name.
    pub(crate) fn saved(&self) -> String {
        let output = self.save().succeed();
        output.stdout.trim().to_owned()
    }

    pub(crate) fn verify_all(&self) -> RunOutput {
        vault_snapshot(&["verify", "--all", "--dir", &self.dir()]).run()
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.join(name)
    }
}

/// Writes `count` secrets of `size` bytes each, which do not compress.
pub(crate) fn fill(server: &Server, count: usize, size: usize) {
    let mut seed = 0x2545_f491_4f6c_dd1d_u64;
    for number in 0..count {
        let mut text = String::with_capacity(size);
        while text.len() < size {
            seed ^= seed << 13;
            seed ^= seed >> 7;
            seed ^= seed << 17;
            write!(text, "{seed:016x}").unwrap();
        }
        let path = format!("secret/data/fill/{number}");
        server.write(&path, &json!({ "data": { "value": text } }));
    }
}

/// Creates a role and its policy of the same name, and a folder with its credentials.
pub(crate) fn approle(server: &Server, role: &str, policy: &str, folder: &Path) {
    server.write_policy(role, policy);
    server.write(
        &format!("auth/approle/role/{role}"),
        &json!({ "token_policies": [role], "token_type": "batch", "token_no_default_policy": true, "token_ttl": "10m" }),
    );
    issue(server, role, folder);
}

/// Creates a folder with credentials of a role.
pub(crate) fn issue(server: &Server, role: &str, folder: &Path) {
    fs::create_dir_all(folder).unwrap();
    server.issue_secret_id(role).write_to(folder);
}

/// Writes the key share of a server to a file for its owner only.
pub(crate) fn write_share(server: &Server, file: &Path) {
    fs::write(file, format!("{}\n", server.unseal_key())).unwrap();
    set_mode(file, 0o600);
}

/// Returns the names in a folder, sorted, without the lock file.
pub(crate) fn names(folder: &Path) -> Vec<String> {
    let names = zts_testkit::names(folder).into_iter();
    names
        .filter(|name| name != ".vault-snapshot.lock")
        .collect()
}

/// Reads the description beside a snapshot.
pub(crate) fn description(snapshot: &Path) -> Value {
    let beside = format!("{}.json", snapshot.display());
    serde_json::from_slice(&fs::read(beside).unwrap()).unwrap()
}

/// Copies a snapshot with another time, such as `2026-11-24T19:50:00Z`, and returns the copy's
/// name.
pub(crate) fn copy_with_time(folder: &Path, name: &str, time: &str) -> String {
    let mut about = description(&folder.join(name));
    let cluster = about["cluster_name"].as_str().unwrap();
    let other = format!("openbao-{cluster}-{}.snap", time.replace(':', "-"));
    about["taken_at"] = json!(time);
    fs::copy(folder.join(name), folder.join(&other)).unwrap();
    fs::write(folder.join(format!("{other}.json")), about.to_string()).unwrap();
    other
}
