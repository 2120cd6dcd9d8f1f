//! The files of a host and of the fleet.

use std::{fs, os::unix::fs::symlink};

use zts_testkit::{mode, set_mode};

use crate::site::Site;

#[test]
fn the_files_of_a_host_come_from_the_template() {
    let site = Site::without_server("web01");
    insta::assert_snapshot!(site.create_files().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    edited `flake.nix`
    created `hosts/web01/configuration.nix`
    created `hosts/web01/default.nix`
    created `hosts/web01/networking.nix`
    edited `terraform/vms.tf`
    next: `git add hosts/web01`, because a flake sees only files that git tracks
    ");
    insta::assert_snapshot!(site.fleet.read("hosts/web01/networking.nix"), @r#"
    # The name and the address of web01.
    {
      networking = {
        hostName = "web01";
        domain = "example.internal";
        nameservers = [
          "10.0.0.1"
        ];
      };

      systemd.network.networks."10-lan" = {
        # The Ethernet interface, whatever its name; bridges and tunnels, which are of some kind, are
        # not meant. A host with two interfaces names them: `matchConfig.Name = "ens18"`.
        matchConfig = {
          Type = "ether";
          Kind = "!*";
        };
        address = [ "10.0.0.11/24" ];
        gateway = [ "10.0.0.1" ];
      };
    }
    "#);
    assert!(
        site.fleet
            .read("hosts/web01/configuration.nix")
            .contains("The configuration of web01")
    );
    assert_eq!(
        site.fleet.read("hosts/web01/default.nix"),
        site.fleet.read("hosts/template/default.nix")
    );
    assert_eq!(site.token(), None);
    site.assert_tidy();
}

#[test]
fn a_second_run_writes_nothing() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    let (before, changed) = (
        site.fleet.snapshot(),
        fs::metadata(site.path("flake.nix"))
            .unwrap()
            .modified()
            .unwrap(),
    );
    insta::assert_snapshot!(site.create_files().succeed(), @r"
    exit status: 0
    ----- stdout -----
    ----- stderr -----
    nothing to change: `web01` is up to date
    ");
    assert_eq!(site.fleet.snapshot(), before);
    assert_eq!(
        fs::metadata(site.path("flake.nix"))
            .unwrap()
            .modified()
            .unwrap(),
        changed
    );
}

#[test]
fn ten_hosts_and_none_again() {
    let site = Site::without_server("web01");
    let before = site.fleet.snapshot();
    for number in 10..20 {
        let (host, ip) = (format!("app{number}"), format!("10.0.0.{number}/24"));
        site.bare()
            .args(["--hostname", &host, "--ip", &ip, "--skip-vault"])
            .succeed();
    }
    for number in (10..20).rev() {
        site.bare()
            .args([
                "--hostname",
                &format!("app{number}"),
                "--remove",
                "--skip-vault",
            ])
            .succeed();
    }
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn a_missing_file_of_a_host_is_written_again() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    let before = site.fleet.snapshot();
    fs::remove_file(site.path("hosts/web01/networking.nix")).unwrap();
    site.create_files().succeed();
    assert_eq!(site.fleet.snapshot(), before);
}

#[test]
fn modes_stay_and_new_files_have_the_usual_one() {
    let site = Site::without_server("web01");
    for (file, mode) in [("flake.nix", 0o600), ("terraform/vms.tf", 0o664)] {
        set_mode(&site.path(file), mode);
    }
    site.create_files().succeed();
    assert_eq!(mode(&site.path("flake.nix")), "0600");
    assert_eq!(mode(&site.path("terraform/vms.tf")), "0664");
    fs::write(site.path("usual"), "").unwrap();
    assert_eq!(
        mode(&site.path("hosts/web01/default.nix")),
        mode(&site.path("usual"))
    );
}

#[test]
fn a_template_may_have_more_files_and_folders() {
    let site = Site::without_server("web01");
    site.fleet.write(
        "hosts/template/disks/layout.nix",
        "{ device = \"/dev/@hostname@\"; }\n",
    );
    site.fleet.write(
        "hosts/template/README",
        "@hostname@ has @address@/@prefixLength@ in @domain@\n",
    );
    site.fleet
        .write("hosts/template/default.nix~", "what an editor left");
    site.create_files().succeed();
    assert_eq!(
        site.fleet.read("hosts/web01/disks/layout.nix"),
        "{ device = \"/dev/web01\"; }\n"
    );
    assert_eq!(
        site.fleet.read("hosts/web01/README"),
        "web01 has 10.0.0.11/24 in example.internal\n"
    );
    assert!(!site.path("hosts/web01/default.nix~").exists());
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault"])
        .succeed();
    assert!(!site.path("hosts/web01").exists());
}

#[test]
fn an_invalid_template_is_refused_with_its_line() {
    let site = Site::without_server("web01");
    site.fleet
        .write("hosts/template/configuration.nix", "{\n  a = ;\n}\n");
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template/configuration.nix`, line 2, column 7: not valid Nix: unexpected `;`

    hint: repair the file first; nothing was changed
    ");
    site.fleet.write(
        "hosts/template/configuration.nix",
        "{\n  a = \"@hostName@\";\n}\n",
    );
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template/configuration.nix`, line 2: `@hostName@` is not a placeholder

    hint: did you mean `@hostname@`? `hosts/README.md` lists all of them
    ");
    fs::write(
        site.path("hosts/template/configuration.nix"),
        b"{\n  a = \"\xff\";\n}\n",
    )
    .unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/template/configuration.nix`, line 2: not valid UTF-8

    hint: save the file as UTF-8
    ");
}

#[test]
fn a_missing_flake_is_named() {
    let site = Site::without_server("web01");
    fs::remove_file(site.path("flake.nix")).unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 2
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix` does not exist

    hint: set the file with `nixosConfigurations` with `flake` under `[paths]` in `fleet.toml`
    ");
}

#[test]
fn without_openbao_the_generated_file_stays() {
    let site = Site::without_server("web01");
    let file = "terraform/vault/hosts-generated.tf";
    let before = site.fleet.read(file);
    site.create_files().succeed();
    assert_eq!(site.fleet.read(file), before);
    site.create_files().args(["--remove"]).succeed();
    assert_eq!(site.fleet.read(file), before);
}

#[test]
fn a_folder_in_place_of_a_file_is_refused_and_vice_versa() {
    let site = Site::without_server("web01");
    fs::remove_file(site.path("terraform/vms.tf")).unwrap();
    fs::create_dir(site.path("terraform/vms.tf")).unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf` is not a file
    ");
    let site = Site::without_server("web01");
    site.fleet.write("hosts/web01", "a file");
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/web01` is not a folder
    ");
}

#[test]
fn symbolic_links_are_followed_inside_the_fleet_only() {
    let site = Site::without_server("web01");
    fs::rename(site.path("flake.nix"), site.path("real.nix")).unwrap();
    symlink("real.nix", site.path("flake.nix")).unwrap();
    site.create_files().succeed();
    assert!(site.path("flake.nix").is_symlink());
    assert!(site.fleet.read("real.nix").contains("web01"));

    let site = Site::without_server("web01");
    let outside = zts_testkit::scratch_dir();
    fs::rename(site.path("terraform"), outside.join("terraform")).unwrap();
    symlink(outside.join("terraform"), site.path("terraform")).unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `terraform/vms.tf` leads out of the fleet, to `[temporary]/terraform/vms.tf`

    hint: replace the symbolic link by the file itself
    ");
    assert!(
        !fs::read_to_string(outside.join("terraform/vms.tf"))
            .unwrap()
            .contains("web01")
    );

    let site = Site::without_server("web01");
    symlink(&*outside, site.path("hosts/web01")).unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `hosts/web01` is a symbolic link

    hint: create-host follows none in the folders of hosts: replace it by the file itself, or remove it
    ");
    site.bare()
        .args(["--hostname", "web01", "--remove", "--skip-vault", "--force"])
        .run()
        .assert_status(1);
    assert!(outside.join("terraform/vms.tf").is_file());
}

#[test]
fn a_file_that_is_nested_too_deep_is_refused() {
    let site = Site::without_server("hostile");
    let assert_refused = |file: &str, problem: &str| {
        let output = site.create_files().run();
        assert_ne!(output.code(), Some(0), "{output}");
        output.assert_reports(file);
        output.assert_reports(problem);
        assert!(output.time < std::time::Duration::from_secs(5), "{output}"); // on a busy machine
    };
    let flake = fs::read_to_string(site.path("flake.nix")).unwrap();
    for (open, close) in [
        ("(", ")"),
        ("[", "]"),
        ("a: ", ""),
        ("!", ""),
        ("{a=", ";}"),
        ("f ", ""),
    ] {
        let nested = format!("{}a{}", open.repeat(200_000), close.repeat(200_000));
        let text = flake.replacen("outputs", &format!("deep = {nested};\n  outputs"), 1);
        fs::write(site.path("flake.nix"), text).unwrap();
        assert_refused("flake.nix", "nested too deep");
    }
    fs::write(site.path("flake.nix"), &flake).unwrap();

    let vms = fs::read_to_string(site.path("terraform/vms.tf")).unwrap();
    for (open, close) in [
        ("[", "]"),
        ("(", ")"),
        ("{ a = ", "}"),
        ("!", ""),
        ("a ? b : ", ""),
    ] {
        let nested = format!("{}1{}", open.repeat(200_000), close.repeat(200_000));
        let text = format!("{vms}\nlocals {{\n  deep = {nested}\n}}\n");
        fs::write(site.path("terraform/vms.tf"), text).unwrap();
        assert_refused("vms.tf", "not valid HCL");
    }
    fs::write(site.path("terraform/vms.tf"), &vms).unwrap();
    fs::write(
        site.path("fleet.toml"),
        format!("a = {}", "[".repeat(200_000)),
    )
    .unwrap();
    assert_refused("fleet.toml", "not valid TOML");
}

#[test]
fn a_file_that_is_too_large_is_refused() {
    let site = Site::without_server("large");
    let make_large = |file: &str| {
        let old = fs::read(site.path(file)).ok();
        let sparse = fs::File::create(site.path(file)).unwrap();
        sparse.set_len((4 << 20) + 1).unwrap();
        old
    };
    let flake = make_large("flake.nix").unwrap();
    insta::assert_snapshot!(site.create_files().refuse(), @r"
    exit status: 1
    ----- stdout -----
    ----- stderr -----
    error: `flake.nix` is too large: it has 4194305 bytes, and create-host reads at most 4194304 (4 MiB)

    hint: move its data, or a part of its entries, to a file that create-host does not read
    ");
    fs::write(site.path("flake.nix"), flake).unwrap();
    for file in [
        "fleet.toml",
        "terraform/vms.tf",
        "terraform/vault/hosts-generated.tf",
        "hosts/template/configuration.nix",
        "hosts/template/image.raw",
    ] {
        let old = make_large(file);
        let output = site.create_files().run();
        assert_eq!(output.code(), Some(1), "{file}: {output}");
        let message = format!("error: `{file}` is too large: it has 4194305 bytes");
        assert!(output.stderr.contains(&message), "{file}: {output}");
        match old {
            Some(old) => fs::write(site.path(file), old).unwrap(),
            None => fs::remove_file(site.path(file)).unwrap(),
        }
    }
    site.create_files().succeed();
}
