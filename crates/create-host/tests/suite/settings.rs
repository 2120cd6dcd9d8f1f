//! `fleet.toml`, through the program.

use std::fs;

use crate::site::Site;

#[test]
fn an_invalid_key_or_value_is_refused_with_its_line() {
    let site = Site::without_server("web01");
    let good = site.fleet.read("fleet.toml");
    site.fleet
        .write("fleet.toml", good.replace("kv_mount =", "kv-mount ="));
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `fleet.toml`, line 25: `openbao.kv-mount` is not a setting

    hint: did you mean `kv_mount`? allowed here are `address`, `namespace`, `kv_mount`, `approle_mount`, `wrap_ttl`, `bind_cidr`
    ");
    site.fleet
        .write("fleet.toml", good.replace("\"24h\"", "\"a day\""));
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `fleet.toml`, line 32: `a day` is not a time between one second and ten years

    hint: write a number with `s`, `m` or `h`, such as `24h`
    ");
    site.fleet.write(
        "fleet.toml",
        good.replace("{hostname}\"'", "{host_name}\"'"),
    );
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `fleet.toml`, line 84: `{host_name}` is not a placeholder, did you mean `{hostname}`?

    hint: allowed are `{hostname}`, `{ip}`, `{address}`, `{prefix_length}`, `{gateway}`, `{domain}`, `{namespace}`, `{openbao_address}`, `{nameservers}`, `{system}`, `{environment}`
    ");
}

#[test]
fn the_defaults_fit_the_example_fleet() {
    let with = Site::without_server("web01");
    with.create_files().succeed();
    let without = Site::without_server("web01");
    fs::remove_file(without.path("fleet.toml")).unwrap();
    without.create_files().succeed();
    let files = |site: &Site| {
        let mut files = site.fleet.snapshot();
        files.retain(|(path, _)| path != std::path::Path::new("fleet.toml"));
        files
    };
    assert_eq!(files(&with), files(&without));
}

#[test]
fn paths_can_be_set() {
    zts_testkit::require_bao!();
    let site = Site::new("other-paths");
    for (from, to) in [
        ("flake.nix", "nix/flake.nix"),
        ("terraform/vms.tf", "infra/machines.tf"),
        ("hosts", "machines"),
    ] {
        let target = site.path(to);
        fs::create_dir_all(target.parent().unwrap()).unwrap();
        fs::rename(site.path(from), target).unwrap();
    }
    site.fleet.write(
        "fleet.toml",
        "[paths]\nflake = \"nix/flake.nix\"\nvms = \"infra/machines.tf\"\nhosts = \"machines\"\ntemplate = \"machines/template\"\ngenerated = \"infra/openbao/hosts.tf\"\n",
    );
    let before = site.fleet.snapshot();
    site.create().succeed();
    assert!(
        site.fleet
            .read("machines/other-paths/networking.nix")
            .contains("10.0.0.11/24")
    );
    assert!(
        site.fleet
            .read("infra/openbao/hosts.tf")
            .contains("hosts/other-paths/*")
    );
    site.remove().succeed();
    assert_eq!(site.fleet.snapshot(), before);
}
