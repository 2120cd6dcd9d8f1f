//! Some shapes of the edited files, through the program. The editors' own tests have many more.

use crate::site::Site;

#[test]
fn a_set_that_a_function_computes_shows_the_lines_to_add() {
    let site = Site::without_server("web01");
    let computed = "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = nixpkgs.lib.makeHosts nixpkgs;\n  };\n}\n";
    site.fleet.write("flake.nix", computed);
    insta::assert_snapshot!(site.create_files().refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix`, line 3, column 27: cannot add `web01` to `nixosConfigurations`: it is computed by `nixpkgs.lib.makeHosts`

    hint: add this by hand, after the expression that ends at line 3, column 56:

    // {
      web01 = mkHost "web01";
    }

    then run the same command again; if the flake finds its hosts by itself, set `flake_entry = ""` under `[text]` in `fleet.toml`
    "#);
    site.fleet.replace(
        "fleet.toml",
        "flake_entry = 'mkHost \"{hostname}\"'",
        "flake_entry = \"\"",
    );
    site.create_files().succeed();
    assert_eq!(site.fleet.read("flake.nix"), computed);
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
}

#[test]
fn an_undefined_function_is_refused() {
    let site = Site::without_server("web01");
    let other = "{\n  outputs = { nixpkgs, ... }: {\n    # no mkHost here\n    nixosConfigurations.ns1 = nixpkgs.lib.nixosSystem { modules = [ ./ns1.nix ]; };\n  };\n}\n";
    site.fleet.write("flake.nix", other);
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix` has no `mkHost`, which the entry of `web01` calls

    hint: set the expression that makes a host in this flake with `flake_entry` under `[text]` in `fleet.toml`
    ");
    let brought = other.replace(
        "{ nixpkgs, ... }:",
        "{ nixpkgs, ... }: with import ./lib.nix;",
    );
    site.fleet.write("flake.nix", &brought);
    site.create_files().succeed();
}

#[test]
fn invalid_files_are_refused_with_their_line() {
    let site = Site::without_server("web01");
    let flake = site.fleet.read("flake.nix");
    site.fleet.write("flake.nix", "{\n  outputs = ;\n}\n");
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix`, line 2, column 13: not valid Nix: unexpected `;`

    hint: repair the file first; nothing was changed
    ");
    site.fleet.write("flake.nix", &flake);
    site.fleet
        .write("terraform/vms.tf", "locals {\n  vms = {\n");
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf`, line 2, column 3: not valid HCL: invalid block body; expected `}`, newline or identifier

    hint: repair the file first; nothing was changed
    ");
    site.fleet.write("terraform/vms.tf", "# none\n");
    insta::assert_snapshot!(site.create_files().refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf`, line 1, column 1: cannot add `web01`: there is no `vms` in a `locals` block

    hint: add this by hand, at the top level of the file:

    locals {
      vms = {
        "web01" = {
          ip = "10.0.0.11/24"
        }
      }
    }
    "#);
    site.fleet.write(
        "terraform/vms.tf",
        "locals {\n  vms = merge(var.a, var.b)\n}\n",
    );
    insta::assert_snapshot!(site.create_files().refuse(), @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf`, line 2, column 3: `locals.vms` is computed, not written as an object

    hint: add the machine by hand to what the map is made from, and set `vms = ""` under `[paths]` in `fleet.toml`; then `--token-out` or `--deliver` names the place of its wrapping token
    "#);
}

#[test]
fn entries_have_the_texts_of_fleet_toml() {
    let site = Site::without_server("web01");
    let text = "[network]\nnameservers = [\"10.0.0.2\", \"10.0.0.3\"]\n\n[text]\nflake_entry = '''\nmkHost \"{hostname}\" {\n  dns = [ {nameservers} ];\n}\n'''\n\
                vm_entry = '''\nip  = \"{ip}\"\ndns = [{nameservers}]\ngw  = \"{gateway}\"\nfqdn = \"{hostname}.{domain}\"\n'''\n";
    site.fleet.write("fleet.toml", text);
    let before = site.fleet.snapshot();
    site.create_files().succeed();
    let shown = site
        .fleet
        .git(&["diff", "--unified=0", "--", "flake.nix", "terraform/vms.tf"]);
    let added: Vec<_> = shown.lines().filter(|line| line.starts_with('+')).collect();
    insta::assert_snapshot!(added.join("\n"), @r#"
    +++ b/flake.nix
    +        web01 = mkHost "web01" {
    +          dns = [ "10.0.0.2" "10.0.0.3" ];
    +        };
    +++ b/terraform/vms.tf
    +
    +    "web01" = {
    +      ip  = "10.0.0.11/24"
    +      dns = ["10.0.0.2", "10.0.0.3"]
    +      gw  = "10.0.0.1"
    +      fqdn = "web01.example.internal"
    +    }
    "#);
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn invalid_entries_are_refused() {
    let site = Site::without_server("web01");
    site.fleet.write(
        "fleet.toml",
        "[text]\nflake_entry = 'mkHost \"{hostname}'\n",
    );
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the flake entry of `web01` is not valid Nix: line 1, column 9: unexpected `web01`

    hint: it is set with `flake_entry` under `[text]` in `fleet.toml`
    ");
    site.fleet
        .write("fleet.toml", "[text]\nvm_entry = 'ip: \"{ip}'\n");
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: the VM entry of `web01` is not valid HCL: line 2: unexpected token

    hint: it is set with `vm_entry` under `[text]` in `fleet.toml`
    ");
}

#[test]
fn all_other_bytes_stay() {
    let site = Site::without_server("web01");
    for file in ["flake.nix", "terraform/vms.tf"] {
        site.fleet.edit(file, |text| text.replace('\n', "\r\n"));
    }
    let before = site.fleet.snapshot();
    site.create_files().succeed();
    for file in ["flake.nix", "terraform/vms.tf"] {
        let text = site.fleet.read(file);
        assert_eq!(
            text.matches('\n').count(),
            text.matches("\r\n").count(),
            "{file}"
        );
    }
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
    assert_eq!(site.fleet.snapshot(), before);
}
