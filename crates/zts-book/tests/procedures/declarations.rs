//! Declarations of the host web01.

use std::fs;

use serde_json::{Value, json};
use zts_testkit::{Run, RunOutput, declarations, declared_secret};

use crate::{host::Host, programs};

/// Returns the text of the template in the declaration that a page has, as Nix would.
pub(crate) fn content_of(page: &str) -> String {
    let text = zts_book::read(page);
    let (_, content) = text.split_once("content = ''\n").expect("it has a text");
    let (content, _) = content.split_once("  '';").expect("it ends");
    let lines = content
        .lines()
        .map(|line| format!("{}\n", line.trim_start()));
    lines.collect()
}

impl Host {
    /// Declares its secret, with keys that it must have, as the module writes it down.
    pub(crate) fn declare(&self, required_keys: &[&str]) {
        let db = declared_secret(
            "hosts/web01/db",
            &json!({
                "output_directory": self.place("/run/secrets/db"),
                "cache_directory": self.place("/var/lib/vault/cache/db"),
                "required_keys": required_keys,
                "rotation": "hourly",
            }),
        );
        let approle = self.place("/var/lib/vault/approle");
        let secrets = json!({ "db": db });
        let mut declared = declarations("web01", &self.server.address(), &approle, &secrets);
        declared["openbao"]["ca_certificate"] = json!(self.server.ca_certificate());
        fs::write(self.place("/etc/secrets.json"), declared.to_string()).expect("it is declared");
    }

    /// Runs `vault-plan` for a host with its own secret and the one at `path`.
    pub(crate) fn plan(&self, path: &str) -> RunOutput {
        self.declare(&[]);
        let text = fs::read_to_string(self.place("/etc/secrets.json")).expect("it is declared");
        let mut declared: Value = serde_json::from_str(&text).expect("it is JSON");
        let mut shared = declared["secrets"]["db"].clone();
        shared["secret_path"] = path.into();
        declared["secrets"]["shared"] = shared;
        Run::new(programs::build_programs().join("vault-plan"))
            .args(["--declarations", "-"])
            .stdin(declared.to_string())
            .server(&self.server)
            .env("BAO_TOKEN", self.server.root_token())
            .run()
    }

    /// Declares its secrets `db` and `smtp`, and a template of both.
    pub(crate) fn declare_template(&self, name: &str, content: &str) {
        self.declare(&[]);
        let file = self.place("/etc/secrets.json");
        let text = fs::read_to_string(&file).expect("it is declared");
        let mut declared: Value = serde_json::from_str(&text).expect("it is JSON");
        let mut smtp = declared["secrets"]["db"].clone();
        smtp["secret_path"] = "hosts/web01/smtp".into();
        smtp["output_directory"] = json!(self.place("/run/secrets/smtp"));
        let db = &declared["secrets"]["db"];
        let template = json!({
            "output_directory": self.place("/run/vault-templates").join(name), "file": name,
            "content": content, "owner": db["owner"], "group": db["group"], "mode": "0400",
            "services": [],
        });
        declared["templates"] = json!({ name: template });
        declared["secrets"]["smtp"] = smtp;
        fs::write(file, declared.to_string()).expect("it is declared");
    }

    /// The command of the unit that renders a template.
    pub(crate) fn render(&self, name: &str) -> Run {
        let declarations = self.place("/etc/secrets.json");
        Run::new(programs::build_programs().join("vault-secrets"))
            .args(["render", name])
            .args(["--declarations".as_ref(), declarations.as_os_str()])
    }
}
