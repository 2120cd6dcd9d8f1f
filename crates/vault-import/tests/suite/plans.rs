//! The plan: it shows names and places, and no value.

use crate::fleet::{SecretFleet, VALUES, require_fleet};

#[test]
fn the_plan_names_each_secret_and_shows_no_value() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    let output = fleet.import_web01().succeed();
    for value in VALUES {
        assert!(!output.to_string().contains(value), "{output}");
    }
    insta::assert_snapshot!(output, @r#"
    exit status: 0
    ----- stdout -----
    web01: 6 values to move, as 5 secrets; 1 to leave

    OPENBAO              KEY             FROM                         FILE
    hosts/web01/app      password        sops.secrets."app/password"  secrets/web01.yaml
    hosts/web01/app      user            sops.secrets."app/user"      secrets/web01.yaml
    hosts/web01/app.env  value           sops.secrets."app.env"       secrets/app.env
    hosts/web01/key      value (Base64)  sops.secrets.key             secrets/key.bin
    hosts/web01/smtp     value           sops.secrets.smtp            secrets/web01.yaml
    hosts/web01/wifi     value           age.secrets.wifi             secrets/wifi.age
    stays    sops.secrets.root of sops-nix: it is read before the network is up
    note     vault.secrets."app.env": no unit is known to read it; add `services`, the units that start after it
    note     vault.secrets.smtp: no unit is known to read it; add `services`, the units that start after it
    note     sops.secrets.smtp: remove `/etc/smtp-password` on the host right before the deployment of `--replace`, which makes a link there
    note     vault.secrets.wifi: no unit is known to read it; add `services`, the units that start after it
    ----- stderr -----
    "#);
}

#[test]
fn a_part_of_the_secrets_is_selected_by_name() {
    let fleet = require_fleet!(SecretFleet::of_web01());
    let output = fleet.import_web01().args(["--only", "app"]).succeed();
    insta::assert_snapshot!(output, @r#"
    exit status: 0
    ----- stdout -----
    web01: 2 values to move, as 1 secret; 0 to leave

    OPENBAO          KEY       FROM                         FILE
    hosts/web01/app  password  sops.secrets."app/password"  secrets/web01.yaml
    hosts/web01/app  user      sops.secrets."app/user"      secrets/web01.yaml
    ----- stderr -----
    "#);
    fleet
        .import_web01()
        .args(["--only", "ap"])
        .fail(2, "no host declares a secret `ap`");
}
