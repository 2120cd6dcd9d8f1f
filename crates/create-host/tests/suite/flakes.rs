//! Flakes of other fleets: the entry is learnt from the other hosts.

use std::fs;

use crate::site::Site;

/// Returns a site whose flake has this text, and whose settings name no text of an entry.
fn site_with_flake(flake: &str) -> Site {
    let site = Site::without_server("web01");
    site.fleet.write("flake.nix", flake);
    site.fleet.write("fleet.toml", "");
    site.fleet.commit("Another flake");
    site
}

/// Creates the host, again, and removes it. Returns the lines of the flake's files that were added.
#[track_caller]
fn create_and_remove(site: &Site) -> String {
    let before = site.fleet.snapshot();
    let created = site.create_files().succeed();
    let shown = site.fleet.git(&["diff", "--unified=0", "--", "*.nix"]);
    let again = site.create_files().succeed();
    again.assert_reports("nothing to change");
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
    assert_eq!(site.fleet.snapshot(), before);
    let notes = created
        .stderr
        .lines()
        .filter(|line| line.starts_with("took from the fleet: "));
    let added = shown.lines().filter(|line| line.starts_with('+'));
    let lines: Vec<&str> = added.chain(notes).collect();
    lines.join("\n")
}

#[test]
fn hosts_as_an_argument() {
    let site = site_with_flake(
        "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = nixpkgs.lib.mapAttrs mkHost {\n      db01 = { system = \"x86_64-linux\"; modules = [ ./hosts/db01 ]; };\n      ns1 = { system = \"x86_64-linux\"; modules = [ ./hosts/ns1 ]; };\n    };\n  };\n}\n",
    );
    insta::assert_snapshot!(create_and_remove(&site), @r#"
    +++ b/flake.nix
    +      web01 = { system = "x86_64-linux"; modules = [ ./hosts/web01 ]; };
    took from the fleet: the entry in `flake.nix`, like that of `db01`
    "#);
}

#[test]
fn an_address_that_no_file_gets_is_named() {
    let site = site_with_flake(
        "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = nixpkgs.lib.genAttrs [ \"db01\" \"ns1\" ] (\n      name: nixpkgs.lib.nixosSystem { modules = [ ./hosts/${name} ]; }\n    );\n  };\n}\n",
    );
    site.fleet.write(
        "hosts/db01/default.nix",
        "{ networking.hostName = \"db01\"; a = 1; }\n",
    );
    site.fleet.write(
        "hosts/ns1/default.nix",
        "{ networking.hostName = \"ns1\"; b = 2; }\n",
    );
    fs::remove_dir_all(site.fleet.path().join("hosts/template")).unwrap();
    fs::remove_dir_all(site.fleet.path().join("terraform")).unwrap();
    site.fleet.commit("Hosts that differ");
    let created = site.create_files().succeed();
    let note = "next: complete `hosts/web01/default.nix`: it has only what the other hosts share, and the address \
                `10.0.0.11/24` is in no file\n";
    created.assert_reports(note);
    site.create_files().succeed().assert_lacks("next: complete");
}

#[test]
fn values_that_each_other_host_has_in_a_file_are_named() {
    let site = site_with_flake(
        "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = nixpkgs.lib.genAttrs [ \"db01\" \"ns1\" ] (\n      name: nixpkgs.lib.nixosSystem { specialArgs.facts = import (./hosts + \"/${name}/facts.nix\"); modules = [ ./hosts/${name} ]; }\n    );\n  };\n}\n",
    );
    for (host, index) in [("db01", 1), ("ns1", 2)] {
        let module = format!("{{ networking.hostName = \"{host}\"; }}\n");
        let facts = format!("{{ site = \"north\"; rack.unit = {index}; }}\n");
        let folder = format!("hosts/{host}");
        site.fleet.write(&format!("{folder}/default.nix"), &module);
        site.fleet.write(&format!("{folder}/facts.nix"), &facts);
    }
    fs::remove_dir_all(site.fleet.path().join("hosts/template")).unwrap();
    fs::remove_dir_all(site.fleet.path().join("terraform")).unwrap();
    site.fleet.commit("Hosts with facts");
    let created = site.create_files().succeed();
    let note = "next: complete `hosts/web01/facts.nix`: each other host has `rack` there, with a value of its own\n";
    created.assert_reports(note);
    let facts = site.fleet.read("hosts/web01/facts.nix");
    assert!(facts.contains("site = \"north\""), "{facts}");
}

#[test]
fn hosts_in_another_file() {
    let site = site_with_flake(
        "{\n  outputs = inputs: {\n    nixosConfigurations = import ./hosts { inherit inputs; };\n  };\n}\n",
    );
    let hosts = "{ inputs }:\nlet\n  mk = name: inputs.nixpkgs.lib.nixosSystem { modules = [ (./. + \"/${name}\") ]; };\nin\n{\n  db01 = mk \"db01\";\n  ns1 = mk \"ns1\";\n}\n";
    site.fleet.write("hosts/default.nix", hosts);
    site.fleet.commit("The hosts");
    insta::assert_snapshot!(create_and_remove(&site), @r#"
    +++ b/hosts/default.nix
    +  web01 = mk "web01";
    took from the fleet: the entry in `hosts/default.nix`, like that of `db01`
    "#);
}

#[test]
fn a_first_host() {
    let site = site_with_flake(
        "{\n  inputs.nixpkgs.url = \"github:NixOS/nixpkgs/nixos-26.05\";\n\n  outputs = inputs@{ nixpkgs, ... }: {\n    lib = { };\n  };\n}\n",
    );
    insta::assert_snapshot!(create_and_remove(&site), @r#"
    +++ b/flake.nix
    +    nixosConfigurations.web01 = nixpkgs.lib.nixosSystem {
    +      system = "x86_64-linux";
    +      specialArgs = { inherit inputs; };
    +      modules = [ ./hosts/web01 ];
    +    };
    took from the fleet: the entry in `flake.nix`, which is the first one
    "#);
}

#[test]
fn hosts_with_nothing_in_common() {
    let site = site_with_flake(
        "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = {\n      db01 = mkHost \"db01\" 1;\n      ns1 = mkHost \"ns1\" 2;\n    };\n  };\n}\n",
    );
    let output = site.create_files().run();
    insta::assert_snapshot!(output, @r#"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix`, line 3, column 27: the entries in `nixosConfigurations` have too little in common for a new one

    hint: set the text of new entries under `[text]` in `fleet.toml`; the present hosts have, with `{hostname}` for the name:

    flake_entry = '''
    mkHost "{hostname}" 1
    '''

    flake_entry = '''
    mkHost "{hostname}" 2
    '''
    "#);
    // the hint, followed
    let text = "[text]\nflake_entry = '''\nmkHost \"{hostname}\" 3\n'''\n";
    site.fleet.write("fleet.toml", text);
    let flake = site.fleet.read("flake.nix");
    site.fleet.write(
        "flake.nix",
        flake.replace("{ nixpkgs, ... }:", "{ mkHost, ... }:"),
    );
    site.fleet.commit("The text of an entry");
    insta::assert_snapshot!(create_and_remove(&site), @r#"
    +++ b/flake.nix
    +      web01 = mkHost "web01" 3;
    "#);
}

#[test]
fn a_list_of_names_needs_no_text() {
    let flake = "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations = nixpkgs.lib.genAttrs [ \"db01\" \"ns1\" ] make;\n  };\n}\n";
    let site = site_with_flake(flake);
    insta::assert_snapshot!(create_and_remove(&site), @r#"
    +++ b/flake.nix
    +    nixosConfigurations = nixpkgs.lib.genAttrs [ "db01" "ns1" "web01" ] make;
    "#);
}

#[test]
fn hosts_that_a_folder_has() {
    let site = site_with_flake(
        "{\n  outputs = inputs: {\n    nixosConfigurations = builtins.mapAttrs make (builtins.readDir ./hosts);\n  };\n}\n",
    );
    insta::assert_snapshot!(create_and_remove(&site), @"took from the fleet: no entry in `flake.nix`: `builtins.readDir` finds `web01` by its file `hosts/web01/default.nix`");
    let machines = site
        .fleet
        .read("flake.nix")
        .replace("./hosts", "./machines");
    site.fleet.write("flake.nix", &machines);
    site.fleet.write("machines/db01.nix", "{ }\n");
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix` would not have `web01`: `builtins.readDir` finds hosts by files such as `machines/web01.nix`, which the template does not make

    hint: set the folder of the hosts with `hosts` under `[paths]` in `fleet.toml`, and name the main file in `hosts/template` as in that folder
    ");
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn what_is_left_to_do_in_a_flake_without_the_module() {
    let flake = "{\n  outputs = { nixpkgs, ... }: {\n    nixosConfigurations.db01 = nixpkgs.lib.nixosSystem { modules = [ ./machines/db01.nix ]; };\n    nixosConfigurations.ns1 = nixpkgs.lib.nixosSystem { modules = [ ./machines/ns1.nix ]; };\n  };\n}\n";
    let site = site_with_flake(flake);
    fs::remove_dir_all(site.path("hosts")).unwrap();
    site.fleet.write("machines/db01.nix", "{ }\n");
    site.fleet.write("machines/ns1.nix", "{ }\n");
    site.fleet.commit("Other hosts");
    let output = site.create_files().succeed();
    let next = output
        .stderr
        .lines()
        .filter(|line| line.starts_with("next:"));
    insta::assert_snapshot!(next.collect::<Vec<_>>().join("\n"), @r"
    next: `git add machines/web01.nix`, because a flake sees only files that git tracks
    next: in `machines/web01.nix`, import the module `nixosModules.default` of the flake zero-touch-secrets and set `vault.enable = true;`: without it, `web01` fetches no secrets
    ");
    site.fleet.write(
        "flake.nix",
        flake.replace(
            "outputs",
            "inputs.zero-touch-secrets.url = \"path:..\";\n  outputs",
        ),
    );
    site.bare()
        .args([
            "--hostname",
            "web02",
            "--ip",
            "10.0.0.12/24",
            "--skip-vault",
        ])
        .succeed()
        .assert_lacks("import the module");
}

#[test]
fn a_flake_that_would_not_find_the_host_is_refused() {
    let site = Site::without_server("web01");
    let settings = "[text]\nflake_entry = \"\"\n";
    site.fleet.write("fleet.toml", settings);
    let before = site.fleet.snapshot();
    insta::assert_snapshot!(site.create_files().run(), @r#"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix` would not have `web01`: it has `db01`, `image`, `ns1`

    hint: `flake_entry` under `[text]` in `fleet.toml` is the text of its entry: with `""` it gets none
    "#);
    assert_eq!(site.fleet.snapshot(), before);
    site.fleet.write("fleet.toml", "");
    site.create_files().succeed();
}

#[test]
fn files_that_nothing_reads_are_refused_until_one_names_them() {
    let flake = "{\n  outputs =\n    inputs@{ flake-parts, ... }:\n    let\n      parts = {\n        a = \
                 ./parts/heron.nix;\n        b = ./parts/raven.nix;\n      };\n    in\n    \
                 flake-parts.lib.mkFlake { inherit inputs; } { imports = builtins.attrValues parts; };\n}\n";
    let site = site_with_flake(flake);
    fs::remove_dir_all(site.fleet.path().join("hosts")).unwrap();
    for name in ["heron", "raven"] {
        let part = format!(
            "{{ inputs, ... }}:\n{{\n  flake.nixosConfigurations.{name} = inputs.nixpkgs.lib.nixosSystem {{\n    \
             modules = [ {{ networking.hostName = \"{name}\"; }} ];\n  }};\n}}\n"
        );
        site.fleet.write(&format!("parts/{name}.nix"), part);
    }
    let refused = site.create_files().refuse();
    insta::assert_snapshot!(refused.stderr, @r"
    error: nothing would read the files of `web01`: `flake.nix` names `parts/heron.nix`, and would not name `parts/web01.nix`

    hint: name `parts/web01.nix` there, too, then run the same command again
    ");
    let named = flake.replace("      };", "        c = ./parts/web01.nix;\n      };");
    site.fleet.write("flake.nix", named);
    site.create_files().succeed();
}

#[test]
fn a_host_is_not_removed_from_a_file_that_a_program_writes() {
    let flake = "# Code generated by export; DO NOT EDIT.\n{\n  outputs = { nixpkgs, ... }: {\n    \
                 nixosConfigurations = {\n      db01 = mkHost \"db01\";\n      web01 = mkHost \"web01\";\n    \
                 };\n  };\n}\n";
    let site = site_with_flake(flake);
    let arguments = ["--hostname", "web01", "--remove", "--skip-vault", "--force"];
    let refused = site.bare().args(arguments).refuse();
    insta::assert_snapshot!(refused.stderr, @r"
    error: `flake.nix`, line 1, column 1: a program writes this file, which says `Code generated by export; DO NOT EDIT`: `web01` is not removed from it

    hint: remove `web01` where that program takes its values from, and run it; or remove it here by hand; then run the same command again
    ");
}
