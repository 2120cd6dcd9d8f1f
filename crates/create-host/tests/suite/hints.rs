//! Hints, followed: each command of a hint is typed as it stands, and the next run succeeds or says
//! something better.

use std::{collections::BTreeSet, fs, path::Path};

use serde_json::json;
use zts_testkit::{Run, RunOutput, Server, path_with};

use crate::site::{Call, IP, Site};

/// The beginnings of the commands in hints that the tests below type.
const FOLLOWED: [&str; 12] = [
    "bao auth enable",
    "bao delete auth/",
    "bao kv enable-versioning",
    "bao policy delete",
    "bao secrets enable",
    "create-host --hostname",
    "create-host init",
    "export BAO_ADDR=",
    "git rm",
    "mkdir -p",
    "mv fleet.toml",
    "rm",
];

/// Those that no test types, with the reason.
const NOT_FOLLOWED: [(&str, &str); 4] = [
    ("bao login", "it asks a person"),
    ("bao operator", "it asks a person for a key"),
    ("bao write", "its accessor is that of a run that failed"),
    ("tofu", "it fetches a provider"),
];

/// Returns the commands of a hint: the texts in backticks that begin with a program.
fn commands(hint: &str) -> Vec<&str> {
    let programs = [
        "bao ",
        "create-host ",
        "export ",
        "git ",
        "mkdir ",
        "mv ",
        "rm ",
        "tofu ",
    ];
    let quoted = hint.split('`').skip(1).step_by(2);
    quoted
        .filter(|text| programs.iter().any(|program| text.starts_with(program)))
        .filter(|text| !text.contains(" add "))
        .collect()
}

#[test]
fn each_command_in_a_hint_of_the_suite_is_followed() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/suite");
    let mut unknown = BTreeSet::new();
    let mut count = 0;
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap_or_default();
        for hint in text
            .lines()
            .filter_map(|line| line.trim().strip_prefix("hint: "))
        {
            for command in commands(hint) {
                count += 1;
                let not = NOT_FOLLOWED.iter().map(|(command, _)| command);
                let mut known = FOLLOWED.iter().chain(not);
                if !known.any(|known| command.starts_with(known)) {
                    unknown.insert(command.to_owned());
                }
            }
        }
    }
    assert!(count > 10, "{count} commands");
    assert!(unknown.is_empty(), "no test follows {unknown:#?}");
}

/// Types a command in the fleet's folder, as the operator.
fn type_command(site: &Site, command: &str) -> RunOutput {
    let program = Path::new(env!("CARGO_BIN_EXE_create-host"));
    let bao = zts_testkit::find_bao().unwrap();
    let bao = path_with(bao.parent().unwrap());
    let path = format!("{}:{}", program.parent().unwrap().display(), bao.display());
    Run::new("/bin/sh")
        .current_dir(site.fleet.path())
        .server(site.server())
        .env("BAO_TOKEN", site.server().root_token())
        .env("PATH", path)
        .args(["-c", command])
        .run()
}

/// Runs `call`, which must fail with commands in its hint, and types each of them. Returns what
/// they say.
#[track_caller]
fn follow(site: &Site, call: Call<'_>) -> Vec<RunOutput> {
    let output = call.run();
    assert_ne!(output.code(), Some(0), "{output}");
    let (_, hint) = output.stderr.split_once("\nhint: ").unwrap();
    let typed = commands(hint);
    assert!(!typed.is_empty(), "{output}");
    let outputs = typed.into_iter().map(|command| type_command(site, command));
    outputs.collect()
}

/// Follows a hint whose commands must succeed.
#[track_caller]
fn follow_all(site: &Site, call: Call<'_>) {
    for output in follow(site, call) {
        output.assert_success();
    }
}

fn create(site: &Site) -> Call<'_> {
    let arguments = ["--hostname", &site.host, "--ip", IP, "--apply", "api"];
    site.bare().args(arguments)
}

#[test]
fn settings_that_exist() {
    zts_testkit::require_bao!();
    let site = Site::new("settings-exist");
    follow_all(&site, site.bare().args(["init"]));
    assert!(site.path("fleet.toml.old").is_file() && site.path("fleet.toml").is_file());
}

#[test]
fn missing_mounts() {
    zts_testkit::require_bao!();
    let site = Site::on(Server::dev(), "mounts");
    site.server().delete("sys/mounts/secret");
    follow_all(&site, create(&site));
    follow_all(&site, create(&site));
    create(&site).succeed();
}

#[test]
fn another_auth_method_in_the_place_of_approle() {
    zts_testkit::require_bao!();
    let site = Site::on(Server::dev(), "other-mount");
    let userpass = json!({ "type": "userpass" });
    site.server().write("sys/auth/approle", &userpass);
    follow_all(&site, create(&site));
    let settings = "[openbao]\napprole_mount = \"approle-hosts\"\n";
    site.fleet.write("fleet.toml", settings);
    create(&site).succeed();
}

#[test]
fn a_kv_engine_of_version_1() {
    zts_testkit::require_bao!();
    let server = Server::dev();
    server.enable_approle();
    let site = Site::on(server, "version-1");
    type_command(
        &site,
        "bao secrets disable secret && bao secrets enable -path=secret -version=1 kv",
    )
    .assert_success();
    follow_all(&site, create(&site));
    create(&site).succeed();
}

#[test]
fn a_role_and_a_policy_by_hand() {
    zts_testkit::require_bao!();
    let site = Site::new("hand-made");
    let write = || {
        let server = site.server();
        server.write_policy("host-hand-made", "path \"x\" { capabilities = [\"read\"] }");
        let role = json!({ "token_policies": ["host-hand-made"] });
        server.write("auth/approle/role/hand-made", &role);
    };
    write();
    follow_all(&site, create(&site));
    create(&site).succeed();
    site.remove().succeed();
    write();
    follow_all(&site, site.remove());
    site.remove().succeed().assert_reports("nothing to change");
}

#[test]
fn a_host_that_somebody_made() {
    zts_testkit::require_bao!();
    let site = Site::new("made-by-hand");
    site.fleet
        .write(&site.host_file("configuration.nix"), "{ a = 1; }\n");
    site.fleet.commit("by hand");
    let [enrolled] = follow(&site, create(&site)).try_into().unwrap();
    enrolled.assert_reports("`terraform/vms.tf` does not have the host");
    let arguments = ["--hostname", "made-by-hand", "--enroll", "--token-out", "-"];
    site.bare()
        .args(arguments)
        .args(["--apply", "api"])
        .succeed();
    assert_eq!(site.fleet.git(&["status", "--porcelain", "hosts"]), "");
    site.remove().succeed();

    follow_all(&site, site.remove());
    assert_eq!(site.fleet.git(&["status", "--porcelain", "hosts"]), "");
    let arguments = ["--hostname", "made-by-hand", "--remove"];
    let removal = site.bare().args(arguments);
    removal.args(["--skip-vault", "--force"]).succeed();
    assert!(!site.path("hosts/made-by-hand").exists());
}

#[test]
fn a_folder_and_a_file_for_the_token() {
    zts_testkit::require_bao!();
    let site = Site::new("places");
    let call = || create(&site).args(["--token-out", "no/such/folder/token"]);
    follow_all(&site, call());
    call().succeed();

    let site = Site::with_token_variables("tracked");
    let tokens = crate::site::TOKENS;
    site.fleet
        .write(tokens, "{ \"vault_wrapped_tokens\": {} }\n");
    site.fleet.git(&["add", "--force", tokens]);
    follow_all(&site, create(&site));
    create(&site).succeed();
}

#[test]
fn a_file_with_the_token_of_another_host() {
    zts_testkit::require_bao!();
    let site = Site::new("another-token");
    let call = || create(&site).args(["--token-out", "../host.token"]);
    fs::write(site.path("../host.token"), "another\n").unwrap();
    follow_all(&site, call());
    call().succeed();
}

/// Runs `call`, which must fail with a hint that has `part`, and then `next`, which must succeed.
#[track_caller]
fn follow_flag(call: Call<'_>, part: &str, next: Call<'_>) {
    let output = call.run().assert_status(2);
    let (_, hint) = output.stderr.split_once("\nhint: ").unwrap();
    assert!(hint.contains(part), "{output}");
    next.succeed();
}

#[test]
fn flags_that_hints_name() {
    zts_testkit::require_bao!();
    let site = Site::new("flags");
    let with_ip = |ip: &str| {
        let arguments = ["--hostname", "flags", "--ip", ip, "--apply", "api"];
        site.bare().args(arguments)
    };
    let without = || site.bare().args(["--hostname", "flags", "--apply", "api"]);
    follow_flag(without(), "`--ip ADDRESS/LENGTH`", with_ip(IP));
    site.remove().succeed();
    follow_flag(
        with_ip("10.0.0.11"),
        "`10.0.0.11/24`",
        with_ip("10.0.0.11/24"),
    );
    follow_flag(with_ip("10.0.0.12/24"), "`--ip 10.0.0.11/24`", with_ip(IP));
    follow_flag(with_ip("10.0.0.12/24"), "`--remove`", site.remove());
    follow_flag(with_ip("10.0.0.3/24"), "`--ip`", with_ip("10.0.0.12/24"));
    let upper = site.bare().args(["--hostname", "Flags", "--skip-vault"]);
    let lower = site.bare().args(["--hostname", "flags", "--skip-vault"]);
    follow_flag(upper, "`flags`", lower);
    let outside = || with_ip("10.0.0.12/24").current_dir("/");
    let inside = outside().args(["--repo".as_ref(), site.fleet.path().as_os_str()]);
    follow_flag(outside(), "`--repo`", inside);
    let physical = || {
        let arguments = [
            "--hostname",
            "phys",
            "--ip",
            "10.0.0.40/24",
            "--apply",
            "api",
        ];
        site.bare().args(arguments).args(["--force"])
    };
    fs::remove_file(site.path("terraform/vms.tf")).unwrap();
    follow_flag(
        physical(),
        "`--token-out -`",
        physical().args(["--token-out", "-"]),
    );
    let json = physical().args(["--token-out", "-", "--json"]);
    follow_flag(
        json,
        "leave `--json` out",
        physical().args(["--token-out", "-"]),
    );
}
