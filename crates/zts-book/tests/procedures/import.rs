//! Secrets of sops-nix that move, encrypted by the real sops with a key of the real age.

use std::fs;

use serde_json::json;
use zts_testkit::{Run, write_program};

use crate::host::Host;

const MODULE: &str = "\
{ config, pkgs, ... }:
{
  sops.defaultSopsFile = ../../secrets/web01.yaml;
  sops.secrets.\"app/password\" = {
    owner = \"app\";
    restartUnits = [ \"app.service\" ];
  };
  sops.secrets.\"app/user\" = {
    owner = \"app\";
    restartUnits = [ \"app.service\" ];
  };

  systemd.services.app.serviceConfig.ExecStart =
    \"${pkgs.app}/bin/app --password-file ${config.sops.secrets.\"app/password\".path}\";
}
";

/// Makes web01's module and its encrypted file, and a stand-in for Nix. It prints the value that
/// Nix itself evaluated for this module.
fn prepare(host: &Host, sops: &std::path::Path, recipient: &str) {
    host.fleet.write("hosts/web01/app.nix", MODULE);
    let plain = format!(
        "app:\n  password: \"{}\"\n  user: app\nsmtp: relay\n",
        r"a 'b' \\ %s"
    );
    host.fleet.write("secrets/web01.yaml", plain);
    Run::new(sops)
        .args(["--encrypt", "--in-place", "--age", recipient])
        .arg("secrets/web01.yaml")
        .current_dir(host.fleet.path())
        .succeed();
    assert!(!host.fleet.read("secrets/web01.yaml").contains("%s"));
    host.fleet.commit("web01 has an application");
    let secret = |name: &str| {
        json!({
            "tool": "sops-nix", "name": name, "key": name, "format": "yaml",
            "file": "/nix/store/46xvrd2pz8b63phs9kqag6nkfil0rbpj-source/secrets/web01.yaml",
            "owner": "app", "group": "app", "mode": "0400",
            "path": format!("/run/secrets/{name}"),
            "default_path": format!("/run/secrets/{name}"),
            "restart_units": ["app.service"], "reload_units": [], "readers": ["app"],
            "needed_early": false,
        })
    };
    let evaluated = json!({
        "names": ["web01"],
        "others": {},
        "hosts": { "web01": {
            "hostname": "web01",
            "secrets_directory": null,
            "templates": [],
            "files": ["/nix/store/46xvrd2pz8b63phs9kqag6nkfil0rbpj-source/hosts/web01/app.nix"],
            "secrets": [secret("app/password"), secret("app/user")],
        } },
    });
    let script = format!("#!/bin/sh\ncat <<'END'\n{evaluated}\nEND\n");
    write_program(&host.home().join("bin"), "nix", &script);
}

#[test]
fn from_sops_nix() {
    zts_testkit::require_bao!();
    zts_testkit::require_program!("git");
    let sops = zts_testkit::require_program!("sops");
    let keygen = zts_testkit::require_program!("age-keygen");
    let mut host = Host::new();
    let keys = host.home().join(".config/sops/age/keys.txt");
    fs::create_dir_all(keys.parent().expect("a folder")).expect("it is created");
    Run::new(keygen)
        .args(["-o".as_ref(), keys.as_os_str()])
        .succeed();
    let text = fs::read_to_string(&keys).expect("the key is read");
    let (_, rest) = text.split_once("public key: ").expect("it is named");
    let recipient = rest.split_whitespace().next().expect("it is there");
    prepare(&host, &sops, recipient);

    host.follow("how-to/from-sops-nix.md");
    let values = |path: &str| {
        let now = host.server.read(&format!("secret/data/hosts/web01/{path}"));
        now.expect("it is there")["data"].clone()
    };
    assert_eq!(
        values("app"),
        json!({ "password": r"a 'b' \ %s", "user": "app" })
    );
    assert_eq!(values("smtp"), json!({ "value": "relay" }));
}
