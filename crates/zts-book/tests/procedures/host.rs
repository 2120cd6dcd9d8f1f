//! An OpenBao, an operator with a fleet, and the host web01, whose disk is a folder. This module
//! starts programs in place of systemd, as the rendered units do.

use std::{
    collections::BTreeMap,
    fs,
    path::PathBuf,
    thread,
    time::{Duration, SystemTime},
};

use serde_json::json;
use zts_book::{Command, Step, Values, match_output};
use zts_testkit::{Fleet, Run, RunOutput, ScratchDir, Server, ServerCertificate, scratch_dir};

use crate::{
    programs,
    shell::{Shells, Surroundings},
};

pub(crate) const BOOTSTRAP: &str = "vault-bootstrap.service";
pub(crate) const FETCH: &str = "vault-secret-db.service";
/// The units that fetch a secret, each with the secret's name, its path, and flags.
const FETCHES: [(&str, &str, &str, &[&str]); 5] = [
    (FETCH, "db", "hosts/web01/db", &[]),
    ("vault-secret-smtp.service", "smtp", "hosts/web01/smtp", &[]),
    ("vault-secret-wifi.service", "wifi", "shared/wifi", &[]),
    (
        "vault-secret-app.service",
        "app",
        "hosts/web01/app",
        &["--encoding=keystore.p12=base64"],
    ),
    (
        "vault-secret-tls.service",
        "tls",
        "pki/sign/web01",
        &["--source=pki", "--common-name=web01.example.org"],
    ),
];
/// The value that a person types.
pub(crate) const TYPED: &str = "a \\ 'typed' %s value";
const CERTIFICATES: &str = "openbao-certs.service";

/// The host's folders.
const PLACES: [&str; 4] = [
    "/etc/environment",
    "/var/lib/vault",
    "/run/secrets",
    "/run/vault-templates",
];

pub(crate) struct Host {
    pub(crate) server: Server,
    pub(crate) fleet: Fleet,
    shells: Shells,
    /// Of the host in `web01`, of the node in `bao1`.
    disks: ScratchDir,
    /// The output of each unit's last run.
    journal: BTreeMap<String, String>,
}

impl Host {
    /// A host that was made, and whose disk is empty; a secret is there for it.
    pub(crate) fn new() -> Self {
        let disks = scratch_dir();
        for folder in ["bao1", "web01/etc", "web01/var/lib", "web01/run"] {
            fs::create_dir_all(disks.join(folder)).expect("a disk is made");
        }
        let authority = disks.join("bao1/authority");
        Run::new(programs::build_programs().join("vault-certs"))
            .args([
                "authority".as_ref(),
                "--output".as_ref(),
                authority.as_os_str(),
            ])
            .succeed();
        renew(&disks, 0);
        let files = ServerCertificate {
            certificate: disks.join("bao1/certs/chain.pem"),
            key: disks.join("bao1/certs/key.pem"),
        };
        let shows = Server::builder().certificate_files(files, disks.join("bao1/certs/ca.pem"));
        let server = shows.raft().audit().start();
        server.enable_approle();
        server.put_secret("hosts/web01/db", &json!({ "password": "correct horse" }));
        let values = Values::from([
            ("SHARE_1".to_owned(), server.unseal_key().to_owned()),
            ("TYPED".to_owned(), TYPED.to_owned()),
        ]);
        let host = Self {
            server,
            fleet: Fleet::copy_example(),
            shells: Shells::new(values),
            disks,
            journal: BTreeMap::new(),
        };
        let token = host.server.root_token();
        fs::write(host.shells.home("").join(".vault-token"), token).expect("the operator logs in");
        host
    }

    /// Returns the operator's home directory.
    pub(crate) fn home(&self) -> PathBuf {
        self.shells.home("")
    }

    /// Has create-host make it, hands over the token, and has it trade that.
    pub(crate) fn enrol(&mut self) {
        self.hand_over();
        self.start(BOOTSTRAP);
    }

    /// Has create-host make it, and hands over the token as cloud-init does.
    pub(crate) fn hand_over(&mut self) {
        Run::new(programs::build_programs().join("create-host"))
            .args([
                "--hostname",
                "web01",
                "--ip",
                "10.0.0.11/24",
                "--apply",
                "api",
            ])
            .server(&self.server)
            .env("BAO_TOKEN", self.server.root_token())
            .env("PATH", programs::path())
            .current_dir(self.fleet.path())
            .succeed();
        let line = format!("VAULT_WRAPPED_TOKEN={}\n", self.token());
        fs::write(self.disks.join("web01/etc/environment"), line).expect("it is handed over");
    }

    /// The same with a token that has expired.
    pub(crate) fn hand_over_expired(&mut self) {
        let settings = self.fleet.read("fleet.toml");
        let brief = settings.replace("wrap_ttl = \"24h\"", "wrap_ttl = \"1s\"");
        self.fleet.write("fleet.toml", &brief);
        self.hand_over();
        self.fleet.write("fleet.toml", &settings);
        thread::sleep(Duration::from_millis(2100)); // it tells its expiry in whole seconds
    }

    /// The wrapping token in OpenTofu's variables.
    pub(crate) fn token(&self) -> String {
        let text = self
            .fleet
            .read("terraform/wrapping-tokens.auto.tfvars.json");
        let (_, rest) = text.rsplit_once("\"web01\": ").expect("there is a token");
        rest.split('"').nth(1).expect("it is quoted").to_owned()
    }

    /// A place on its disk, as it is named there.
    pub(crate) fn place(&self, name: &str) -> PathBuf {
        self.disks.join("web01").join(name.trim_start_matches('/'))
    }

    /// OpenBao shows a certificate that is so many days old, of the 30 that it is good for; its CA
    /// is trusted.
    pub(crate) fn show_a_certificate_of(&mut self, days: u64) {
        fs::remove_file(self.disks.join("bao1/certs/chain.pem")).expect("a new one is due");
        renew(&self.disks, days * 86_400);
        self.server.reload();
    }

    /// `vault-secret-rotate-db.service`; whether it went well.
    pub(crate) fn rotate(&self) -> bool {
        let rotate = self.vault_secrets("rotate");
        let output = Run::new("/bin/sh")
            .args(["-c", &format!("exec {rotate} db")])
            .env("PATH", programs::path())
            .run();
        output.code() == Some(0)
    }

    /// A command with the places that are the defaults on a real host.
    fn vault_secrets(&self, command: &str) -> String {
        let notes = match command {
            "rotate" => format!(
                " --runtime-dir {}",
                self.place("/run/vault-fetch").display()
            ),
            _ => String::new(),
        };
        format!(
            "vault-secrets {command} --declarations {} --state-dir {}{notes}",
            self.place("/etc/secrets.json").display(),
            self.place("/run/vault").display()
        )
    }

    /// Starts a unit's program, and keeps what it says. Whether it went well.
    pub(crate) fn start(&mut self, unit: &str) -> bool {
        let output = match unit {
            CERTIFICATES => renew(&self.disks, 0),
            _ => self.program(unit).run(),
        };
        if unit == CERTIFICATES {
            self.server.reload(); // as `--reload-unit` does
        }
        let place = if unit == CERTIFICATES {
            "bao1"
        } else {
            "web01"
        };
        let said = self.surroundings(place).delocalize(&output.stderr);
        self.journal.insert(unit.to_owned(), said);
        output.code() == Some(0)
    }

    /// Returns the output of a unit's last run.
    pub(crate) fn said(&self, unit: &str) -> &str {
        &self.journal[unit]
    }

    fn program(&self, unit: &str) -> Run {
        let run = |name: &str| {
            Run::new(programs::build_programs().join(name))
                .server(&self.server)
                .args([
                    "--approle-dir".as_ref(),
                    self.place("/var/lib/vault/approle").as_os_str(),
                ])
                .args(["--deadline", "2s"])
        };
        if unit == BOOTSTRAP {
            return run("vault-unwrap").args([
                "--environment-file".as_ref(),
                self.place("/etc/environment").as_os_str(),
            ]);
        }
        if let Some(name) = unit.strip_prefix("vault-template-") {
            return self.render(name.trim_end_matches(".service"));
        }
        let fetch = FETCHES.iter().find(|(fetch, ..)| *fetch == unit);
        let (_, name, path, flags) = fetch.expect("the host has this unit");
        let copy = self.place(&format!("/var/lib/vault/cache/{name}"));
        let notes = self.place("/run/vault-fetch");
        run("vault-fetch")
            .args(["--cache-dir".as_ref(), copy.as_os_str()])
            .args(["--runtime-dir".as_ref(), notes.as_os_str()])
            .args(*flags)
            .arg(path)
            .arg(self.place(&format!("/run/secrets/{name}")))
    }

    /// Adds the settings that a page has to `fleet.toml`.
    pub(crate) fn append_to_fleet(&self, page: &str) {
        let text = zts_book::read(page);
        let (_, settings) = text.split_once("```toml\n").expect("it has settings");
        let (settings, _) = settings.split_once("```").expect("they end");
        let fleet = self.fleet.read("fleet.toml");
        self.fleet
            .write("fleet.toml", format!("{fleet}\n{settings}"));
    }

    /// Does what the page says, to its end.
    pub(crate) fn follow(&mut self, page: &str) {
        self.follow_steps(zts_book::steps(&zts_book::read(page)));
    }

    /// Does those of a page.
    pub(crate) fn follow_steps(&mut self, steps: Vec<Step>) {
        assert!(!steps.is_empty(), "the page has no steps");
        for step in steps {
            let Step::Run(command) = step else {
                panic!("nothing is configured here")
            };
            if !self.systemctl(&command) {
                let surroundings = self.surroundings(&command.place);
                self.shells.run(&command, &surroundings);
            }
        }
    }

    /// Returns whether these commands, which change nothing, print now what the page shows.
    pub(crate) fn shows(&self, steps: &[Step]) -> bool {
        assert!(!steps.is_empty(), "the page has nothing to look at");
        steps.iter().all(|step| {
            let Step::Run(command) = step else {
                panic!("nothing is configured here")
            };
            if let Some(unit) = command.text.strip_prefix("journalctl -u ") {
                return match_output(&command.expected, &self.journal[unit]).is_ok();
            }
            let surroundings = self.surroundings(&command.place);
            self.shells.shows(command, &surroundings)
        })
    }

    /// Does the work of a `systemctl` command.
    fn systemctl(&mut self, command: &Command) -> bool {
        let words: Vec<_> = command.text.split_whitespace().collect();
        match words[..] {
            ["systemctl", "start", "openbao.service"] => self.server.restart(),
            ["systemctl", "start" | "restart", unit] => {
                let well = self.start(unit);
                assert!(well, "line {}: {}", command.line, self.journal[unit]);
            }
            ["journalctl", "-u", unit] => {
                let said = match_output(&command.expected, &self.journal[unit]);
                if let Err(line) = said {
                    panic!(
                        "line {}: `{line}` is not what it said:\n{}",
                        command.line, self.journal[unit]
                    );
                }
            }
            // Without journalctl, what is said of its output.
            ["journalctl", "-u", unit, "|", ..] => {
                let (_, rest) = command.text.split_once('|').expect("a pipe");
                let file = self.disks.join("journal");
                fs::write(&file, &self.journal[unit]).expect("the journal is written");
                let text = format!("cat {} | {rest}", file.display());
                let command = Command {
                    text,
                    ..command.clone()
                };
                self.shells.run(
                    &command,
                    &Surroundings {
                        variables: path(),
                        ..Surroundings::default()
                    },
                );
            }
            _ => return false,
        }
        true
    }

    fn surroundings(&self, place: &str) -> Surroundings {
        let mut variables = path();
        let mut stands_for = vec![("https://bao1:8200".to_owned(), self.server.address())];
        let mut folder = None;
        match place {
            "" => {
                folder = Some(self.fleet.path().to_owned());
                let own = self.home().join("bin");
                let path = format!("{}:{}", own.display(), programs::path());
                variables.insert("PATH".to_owned(), path);
            }
            "web01" => {
                let here = |name: &str| (name.to_owned(), self.place(name).display().to_string());
                stands_for.extend(PLACES.map(here));
                let commands = ["status", "rotate", "metrics"]
                    .map(|name| (format!("vault-secrets {name}"), self.vault_secrets(name)));
                stands_for.extend(commands);
            }
            "bao1" => {
                let here =
                    |name: &str, place: PathBuf| (name.to_owned(), place.display().to_string());
                let log = self.server.folder().join("audit.log");
                stands_for.push(here("/var/log/openbao/audit.log", log));
                let (_, certificates) = here("", self.disks.join("bao1/certs"));
                let show = format!("vault-certs show --directory {certificates}");
                stands_for.push(("vault-certs show".to_owned(), show));
            }
            other => panic!("`{other}` is not here"),
        }
        let authority = self.server.ca_certificate().expect("it has TLS");
        variables.insert("BAO_ADDR".to_owned(), self.server.address());
        variables.insert("BAO_CACERT".to_owned(), authority.display().to_string());
        Surroundings {
            variables,
            stands_for,
            folder,
        }
    }
}

fn path() -> Values {
    Values::from([("PATH".to_owned(), programs::path())])
}

/// `openbao-certs.service` so many seconds ago.
fn renew(disks: &ScratchDir, ago: u64) -> RunOutput {
    let now = SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .expect("after 1970");
    Run::new(programs::build_programs().join("vault-certs"))
        .args(["renew", "--cluster", "main", "--name", "bao1"])
        .args([
            "--authority".as_ref(),
            disks.join("bao1/authority").as_os_str(),
        ])
        .args(["--directory".as_ref(), disks.join("bao1/certs").as_os_str()])
        .args(["--at", &(now.as_secs() - ago).to_string()])
        .succeed()
}
