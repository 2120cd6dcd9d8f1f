//! Entries of machines in other forms than `ip = "address/length"`.

use crate::site::Site;

const PROXMOX: &str = r#"locals {
  vms = {
    db01 = {
      vmid      = 101
      ipconfig0 = "ip=10.0.0.3/24,gw=10.0.0.1"
      mac       = "BC:24:11:00:00:01"
      pool      = "infra"
      cores     = 2
    }
    ns1 = {
      vmid      = 104
      ipconfig0 = "ip=10.0.0.2/24,gw=10.0.0.1"
      mac       = "BC:24:11:00:00:02"
      pool      = "dns"
      cores     = 2
    }
  }
}
"#;

fn fleet_with(vms: &str) -> Site {
    let site = Site::without_server("web01");
    site.fleet.write("terraform/vms.tf", vms);
    site
}

#[track_caller]
fn remove(site: &Site) {
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
}

#[test]
fn all_missing_values_are_in_one_message_whose_flags_work() {
    let site = fleet_with(PROXMOX);
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the entry of `web01` in `terraform/vms.tf` needs values that differ among its machines: `mac`, `pool`

    hint: give them: `--set mac=BC:24:11:00:00:03 --set pool=dns`; or set the whole entry with `vm_entry` under `[text]` in `fleet.toml`
    ");
    assert_eq!(site.fleet.snapshot(), before);
    let created = site
        .create_files()
        .args(["--set", "mac=BC:24:11:00:00:03", "--set", "pool=dns"])
        .succeed();
    let note = "`vmid` of `web01` is the next number, `105`: `--set vmid=VALUE` sets another one\n";
    created.assert_reports(note);
    let text = site.fleet.read("terraform/vms.tf");
    let entry = "    web01 = {\n      vmid      = 105\n      ipconfig0 = \"ip=10.0.0.11/24,gw=10.0.0.1\"\n      \
                 mac       = \"BC:24:11:00:00:03\"\n      pool      = \"dns\"\n      cores     = 2\n    }\n";
    assert!(text.contains(entry), "{text}");
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
    remove(&site);
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_text_in_the_settings_has_own_placeholders() {
    let site = fleet_with(PROXMOX);
    let toml = "[text]\nvm_entry = '''\nvmid      = {next:vmid}\nipconfig0 = \"ip={ip},gw={gateway}\"\n\
                mac       = \"{mac}\"\ndisk      = \"{disk}\"\n'''\n";
    site.fleet.write("fleet.toml", toml);
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `{mac}` in `vm_entry`, `{disk}` in `vm_entry` have no value

    hint: give values: `--set disk=VALUE --set mac=VALUE`
    ");
    site.create_files()
        .args(["--set", "mac=x", "--set", "disk=20G"])
        .succeed();
    let text = site.fleet.read("terraform/vms.tf");
    assert!(text.contains("vmid      = 105"), "{text}");
    assert!(text.contains("mac       = \"x\""), "{text}");
    remove(&site);
    assert_eq!(site.fleet.read("terraform/vms.tf"), PROXMOX);
}

#[test]
fn an_address_in_use_is_found_in_any_notation() {
    for used in [
        "{ ipconfig0 = \"gw=10.0.0.1,ip=10.0.0.11/24\" }",
        "{ ip_address = \"10.0.0.11\" }",
        "{ ipv4 = \"10.0.0.11/16\" }",
        "{ net = { eth0 = { address = \"10.0.0.11\" } } }",
        "{ ip = \"10.0.0.12/24\", ips = [\"10.0.0.11\"] }",
        "\"10.0.0.11\"",
    ] {
        let site = fleet_with(&format!(
            "locals {{\n  vms = {{\n    other = {used}\n  }}\n}}\n"
        ));
        let refused = site.create_files().run();
        let message = "the address `10.0.0.11` is in use: `other` has it in `terraform/vms.tf`";
        assert!(refused.stderr.contains(message), "{used}: {refused}");
    }
}

#[test]
fn a_host_is_listed_in_any_notation() {
    for own in [
        "{ ipconfig0 = \"ip=10.0.0.11/24,gw=10.0.0.1\" }",
        "{ ip_address = \"10.0.0.11\" }",
        "{ net = { ip = \"10.0.0.11/24\" } }",
        "{ memory = 2048 }",
        "\"10.0.0.11\"",
    ] {
        let vms = format!("locals {{\n  vms = {{\n    web01 = {own}\n  }}\n}}\n");
        let site = fleet_with(&vms);
        site.create_files().succeed();
        assert_eq!(site.fleet.read("terraform/vms.tf"), vms, "{own}");
        let again = site.create_files().succeed();
        assert!(again.stderr.contains("nothing to change"), "{own}: {again}");
        site.bare()
            .args(["--hostname", "web01", "--remove", "--skip-vault", "--force"])
            .succeed();
        let rest = site.fleet.read("terraform/vms.tf");
        assert!(!rest.contains("web01"), "{own}: {rest}");
    }
}

/// Each entry has the address of its hypervisor before its own.
#[test]
fn an_address_that_all_share_is_not_the_hosts() {
    let entry = |address: &str| {
        format!("{{\n      api_address = \"10.0.0.9\"\n      address     = \"{address}\"\n    }}")
    };
    let vms = format!(
        "locals {{\n  vms = {{\n    db01 = {}\n    ns1 = {}\n  }}\n}}\n",
        entry("10.0.0.3/24"),
        entry("10.0.0.2/24")
    );
    let site = fleet_with(&vms);
    site.create_files().succeed();
    let text = site.fleet.read("terraform/vms.tf");
    assert!(text.contains(&entry("10.0.0.11/24")), "{text}");
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
    remove(&site);
    assert_eq!(site.fleet.read("terraform/vms.tf"), vms);
}

#[test]
fn an_entry_of_another_form_gets_a_token_and_is_forced() {
    zts_testkit::require_bao!();
    let site = Site::new("entries-forced");
    let vms = "locals {\n  vms = {\n    ns1 = {\n      ip_address = \"10.0.0.2\"\n    }\n  }\n}\n";
    site.fleet.write("terraform/vms.tf", vms);
    site.create().succeed();
    let first = site.token().expect("a token");
    let text = site.fleet.read("terraform/vms.tf");
    assert!(text.contains("ip_address = \"10.0.0.11\""), "no address");
    // the address is in the entry
    site.bare()
        .args(["--hostname", &site.host, "--force", "--apply", "api"])
        .succeed();
    assert_ne!(site.token().expect("a token"), first);
    site.assert_complete();
    site.remove().succeed();
    assert_eq!(site.fleet.read("terraform/vms.tf"), vms);
}
