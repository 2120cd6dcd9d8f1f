//! Hints without a command, followed: a person does what they say, and the next run succeeds or
//! says something better.

use std::{fs, os::unix::fs::symlink};

use crate::{
    openbao::token_with,
    site::{Call, IP, Site, TOKENS},
};

const ENTRIES: &str = "    nixosConfigurations = {\n      ns1 = mkHost \"ns1\";\n    };\n";

/// Runs `call`, which must fail with a hint that has `part`, and returns the hint.
#[track_caller]
fn read_hint(call: Call<'_>, part: &str) -> String {
    let output = call.run();
    assert!(matches!(output.code(), Some(1 | 2)), "{output}");
    let (_, hint) = output.stderr.split_once("\nhint: ").unwrap();
    assert!(hint.contains(part), "{output}");
    hint.to_owned()
}

/// Follows a hint by `mend`. The same command must then succeed.
#[track_caller]
fn follow(site: &Site, part: &str, mend: impl FnOnce(&Site, &str)) {
    let hint = read_hint(site.create_files(), part);
    mend(site, &hint);
    site.create_files().succeed();
}

/// Returns the indented or verbatim lines of a hint between its first blank line and the next.
fn lines_of(hint: &str) -> &str {
    let (_, lines) = hint.split_once("\n\n").unwrap();
    lines.split("\n\n").next().unwrap()
}

fn replace(site: &Site, file: &str, from: &str, to: &str) {
    let text = site.fleet.read(file);
    assert!(text.contains(from), "{text}");
    site.fleet.write(file, text.replacen(from, to, 1));
}

#[test]
fn names_and_addresses() {
    let site = Site::without_server("web01");
    let with = |host: &str, ip: &str| {
        let arguments = ["--hostname", host, "--ip", ip, "--skip-vault", "--dry-run"];
        site.bare().args(arguments)
    };
    for (host, ip, part, better) in [
        ("42", IP, "put a letter before it", ("h42", IP)),
        ("localhost", IP, "choose another name", ("local", IP)),
        ("web_01", IP, "lower-case letters", ("web-01", IP)),
        ("template", IP, "choose another name", ("model", IP)),
        (
            "web01",
            "10.0.0.0/24",
            "the address of the host itself",
            ("web01", IP),
        ),
        ("web01", "ten", "`10.0.0.11/24`", ("web01", IP)),
        (
            "web01",
            "10.0.0.1/24",
            "give another one with `--ip`",
            ("web01", IP),
        ),
    ] {
        read_hint(with(host, ip), part);
        with(better.0, better.1).succeed();
    }
    let both = ["--hostname", "web01", "--ip", IP, "--skip-vault", "--force"];
    read_hint(site.bare().args(both), "leave one of them out");
    site.bare().args(&both[..5]).succeed();
}

#[test]
fn lines_to_add_to_a_computed_flake() {
    let site = Site::without_server("web01");
    let flake = format!("{{\n  outputs = {{ nixpkgs, mkHost, ... }}: {{\n{ENTRIES}  }};\n}}\n");
    let computed = flake.replace(
        "= {\n      ns1 = mkHost \"ns1\";\n    };",
        "= nixpkgs.lib.makeHosts nixpkgs;",
    );
    site.fleet.write("flake.nix", &computed);
    follow(
        &site,
        "add this by hand, after the expression",
        |site, hint| {
            let lines = lines_of(hint).replace('\n', "\n    ");
            let line = format!("makeHosts nixpkgs {lines};");
            replace(site, "flake.nix", "makeHosts nixpkgs;", &line);
        },
    );
    assert!(site.path("hosts/web01/default.nix").is_file());
}

#[test]
fn lines_to_add_to_the_machine_map() {
    let site = Site::without_server("web01");
    site.fleet.write("terraform/vms.tf", "# none\n");
    follow(
        &site,
        "add this by hand, at the top level of the file",
        |site, hint| {
            let (_, lines) = hint.split_once("\n\n").unwrap();
            site.fleet.write("terraform/vms.tf", lines);
        },
    );

    let site = Site::without_server("web01");
    let computed = "locals {\n  vms = merge(var.a, var.b)\n}\n";
    site.fleet.write("terraform/vms.tf", computed);
    follow(&site, "`vms = \"\"`", |site, _| {
        replace(
            site,
            "fleet.toml",
            "vms = \"terraform/vms.tf\"",
            "vms = \"\"",
        );
    });
    assert_eq!(site.fleet.read("terraform/vms.tf"), computed);
}

#[test]
fn texts_of_the_settings() {
    let site = Site::without_server("web01");
    let entry = "flake_entry = 'mkHost \"{hostname}\"'";
    let edit = |site: &Site, to: &str| replace(site, "fleet.toml", entry, to);
    edit(&site, "flake_entry = 'mkHost {'");
    follow(
        &site,
        "it is set with `flake_entry` under `[text]`",
        |site, _| {
            replace(site, "fleet.toml", "flake_entry = 'mkHost {'", entry);
        },
    );

    let site = Site::without_server("web01");
    edit(&site, "flake_entry = 'mkhost \"{hostname}\"'");
    follow(&site, "with `flake_entry` under `[text]`", |site, _| {
        replace(site, "fleet.toml", "mkhost", "mkHost");
    });

    let site = Site::without_server("web01");
    replace(
        &site,
        "fleet.toml",
        "vm_entry = ",
        "vm_entry = 'ip = = 1' # ",
    );
    follow(
        &site,
        "it is set with `vm_entry` under `[text]`",
        |site, _| {
            replace(
                site,
                "fleet.toml",
                "vm_entry = 'ip = = 1' # ",
                "vm_entry = ",
            );
        },
    );

    let site = Site::without_server("web01");
    replace(
        &site,
        "hosts/template/networking.nix",
        "@hostname@",
        "@host_name@",
    );
    follow(&site, "did you mean `@hostname@`?", |site, _| {
        replace(
            site,
            "hosts/template/networking.nix",
            "@host_name@",
            "@hostname@",
        );
    });
}

#[test]
fn files_to_repair() {
    let site = Site::without_server("web01");
    let flake = site.fleet.read("flake.nix");
    let repair = |site: &Site| site.fleet.write("flake.nix", &flake);
    site.fleet.write("flake.nix", "{\n  outputs = ;\n}\n");
    follow(&site, "repair the file first", |site, _| repair(site));

    let site = Site::without_server("web01");
    let file = site.path("hosts/template/configuration.nix");
    let text = fs::read(&file).unwrap();
    fs::write(&file, [b"# \xff\n", text.as_slice()].concat()).unwrap();
    follow(&site, "save the file as UTF-8", |_, _| {
        fs::write(&file, &text).unwrap();
    });

    let site = Site::without_server("web01");
    let outside = zts_testkit::scratch_dir();
    let vms = site.path("terraform/vms.tf");
    fs::rename(&vms, outside.join("vms.tf")).unwrap();
    symlink(outside.join("vms.tf"), &vms).unwrap();
    follow(
        &site,
        "replace the symbolic link by the file itself",
        |_, _| {
            fs::remove_file(&vms).unwrap();
            fs::copy(outside.join("vms.tf"), &vms).unwrap();
        },
    );

    let site = Site::without_server("web01");
    symlink(&*outside, site.path("hosts/web01")).unwrap();
    follow(&site, "or remove it", |site, _| {
        fs::remove_file(site.path("hosts/web01")).unwrap();
    });
}

#[test]
fn files_that_are_elsewhere() {
    let site = Site::without_server("web01");
    fs::rename(site.path("flake.nix"), site.path("hosts.nix")).unwrap();
    follow(
        &site,
        "with `flake` under `[paths]` in `fleet.toml`",
        |site, _| {
            replace(
                site,
                "fleet.toml",
                "flake = \"flake.nix\"",
                "flake = \"hosts.nix\"",
            );
        },
    );

    let site = Site::without_server("web01");
    let maps = "locals {\n  blue  = { a = { ip = \"10.0.0.4/24\" } }\n  green = { b = { ip = \"10.0.0.5/24\" } }\n}\n";
    site.fleet.write("terraform/vms.tf", maps);
    site.fleet.write("fleet.toml", "");
    follow(
        &site,
        "name it in `fleet.toml`; for the first one:",
        |site, hint| {
            site.fleet.write("fleet.toml", lines_of(hint));
        },
    );
    assert!(site.fleet.read("terraform/vms.tf").contains("web01"));

    let site = Site::without_server("web01");
    site.fleet.write("terraform/vms.tf", "");
    site.fleet
        .write("fleet.toml", "[paths]\nvms_map = \"machines\"\n");
    follow(
        &site,
        "create it, such as with `locals { machines = {} }` on lines",
        |site, _| {
            let map = "locals {\n  machines = {}\n}\n";
            site.fleet.write("terraform/vms.tf", map);
        },
    );

    for (file, before, example, after) in [
        (
            "m.json",
            "{ \"machines\": [] }",
            "\"machines\": {}",
            "{\n\"machines\": {}\n}\n",
        ),
        ("m.yaml", "machines: []\n", "machines: {}", "machines: {}\n"),
    ] {
        let site = Site::without_server("web01");
        let settings = format!("[paths]\nvms = \"{file}\"\nvms_map = \"machines\"\n");
        site.fleet.write("fleet.toml", &settings);
        site.fleet.write(file, before);
        let hint = format!("create it, such as with `{example}` on lines");
        follow(&site, &hint, |site, _| site.fleet.write(file, after));
        assert!(site.fleet.read(file).contains("web01"));
    }
}

#[test]
fn a_host_with_changes_is_removed_after_a_commit() {
    let site = Site::without_server("web01");
    site.create_files().succeed();
    site.fleet.write("hosts/web01/notes.md", "a note\n");
    let remove = || {
        let arguments = ["--hostname", "web01", "--remove", "--skip-vault"];
        site.bare().args(arguments)
    };
    read_hint(remove(), "commit it, move it away, or remove it");
    site.fleet.commit("a note");
    read_hint(remove(), "remove them with `--skip-vault --force`");
    remove().args(["--force"]).succeed();
}

#[test]
fn other_variables_in_the_file_of_the_tokens() {
    zts_testkit::require_bao!();
    let site = Site::with_token_variables("other-variables");
    let other = "{ \"gateway\": \"10.0.0.9\" }\n";
    site.fleet.write(TOKENS, other);
    read_hint(
        site.create(),
        "move other variables to another file, then delete this one",
    );
    let moved = site.path("terraform/gateway.auto.tfvars.json");
    fs::rename(site.path(TOKENS), moved).unwrap();
    site.create().succeed();
    site.assert_complete();
}

#[test]
fn a_token_with_the_listed_rights() {
    zts_testkit::require_bao!();
    let site = Site::new("listed-rights");
    let mut policy = String::new();
    let token = |policy: &str| token_with(&site, "listed", policy);
    policy += "path \"nothing\" {\n  capabilities = [\"read\"]\n}\n";
    for _ in 0..2 {
        let call = site.create().token(&token(&policy));
        let hint = read_hint(call, "use a token with a policy that has:");
        policy += hint.split_once("\n\n").unwrap().1;
    }
    site.create().token(&token(&policy)).succeed();
    site.assert_complete();
}

#[test]
fn places_for_the_token() {
    zts_testkit::require_bao!();
    let site = Site::new("places-in-prose");
    let to = |place: &str| site.create().args(["--token-out", place]);
    fs::create_dir(site.path("../tokens")).unwrap();
    read_hint(to("../tokens"), "name a file in it");
    to("../tokens/host").args(["--dry-run"]).succeed();
    read_hint(to("flake.nix"), "name a file that git does not track");
    read_hint(to("/dev/null"), "`--token-out -` writes to stdout");
    to("-").succeed();
    let deliver = |words: [&str; 2]| site.create().args(["--deliver"]).args(words);
    read_hint(deliver(["mail", "x"]), "`--deliver credential FILE`");
    read_hint(
        deliver(["ssh", ""]),
        "write it like `--deliver ssh root@nas`",
    );
    deliver(["credential", "../tokens/smbios"])
        .args(["--force"])
        .succeed();
}

#[test]
fn without_opentofu_or_a_token() {
    zts_testkit::require_bao!();
    let site = Site::new("without-tofu");
    let call = |apply: &str| {
        let arguments = ["--hostname", "without-tofu", "--ip", IP, "--apply", apply];
        site.bare().args(arguments)
    };
    read_hint(call("tofu"), "use `--apply api`");
    let without = call("api").env("BAO_TOKEN", "").env("HOME", "/nonexistent");
    read_hint(without, "or set `BAO_TOKEN`");
    call("api").succeed();
    site.assert_complete();
}

#[test]
fn settings_with_a_mistake() {
    let site = Site::without_server("web01");
    for (wrong, part) in [
        ("[openbao]\nadress = \"x\"\n", "did you mean `address`?"),
        (
            "[openbao]\nbind_cidr = \"yes\"\n",
            "write it like `bind_cidr = false`",
        ),
        (
            "[network]\nnameservers = \"10.0.0.1\"\n",
            "write it like `nameservers = [",
        ),
        (
            "[openbao]\naddress = \"10.0.0.5\"\n",
            "write it like `https://10.0.0.5:8200`",
        ),
    ] {
        site.fleet.write("fleet.toml", wrong);
        let dry = || site.create_files().args(["--dry-run"]);
        let hint = read_hint(dry(), part);
        let (section, line) = wrong.split_once('\n').unwrap();
        let value = hint.split('`').nth(1).unwrap();
        let (key, old) = line.trim_end().split_once(" = ").unwrap();
        let mended = match value {
            line if line.contains(" = ") => line.to_owned(),
            url if url.contains("://") => format!("{key} = \"{url}\""),
            name => format!("{name} = {}", old.replace('x', "https://x:8200")),
        };
        site.fleet
            .write("fleet.toml", format!("{section}\n{mended}\n"));
        dry().succeed();
    }
}
